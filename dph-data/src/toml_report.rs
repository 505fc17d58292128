//! How a program shows an [`InvalidToml`]: with the lines that its problems are about.

use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};

use crate::invalid_toml::{InvalidToml, TomlProblem};

impl Diagnostic for InvalidToml {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label =
            |problem: &TomlProblem| LabeledSpan::new_with_span(problem.help.clone(), problem.span.clone());
        Some(Box::new(self.problems.iter().map(label)))
    }
}

/// The file's text under the file's name.
impl SourceCode for InvalidToml {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let lines = self.text.read_span(span, lines_before, lines_after)?;
        let named = MietteSpanContents::new_named(
            self.file.clone(),
            lines.data(),
            *lines.span(),
            lines.line(),
            lines.column(),
            lines.line_count(),
        );
        Ok(Box::new(named.with_language("TOML")))
    }
}
