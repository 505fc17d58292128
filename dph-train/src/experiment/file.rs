//! Reads an experiment file, applies overrides and reports problems with their lines.

use std::path::Path;

use dph_core::text_file::read_text;

use crate::experiment::Experiment;
use crate::experiment::error::ExperimentError;
use crate::experiment::overrides::Overridden;
use crate::experiment::parse::parse;
use crate::experiment::sweep::{self, Sweep};

/// An experiment and the text that it was read from.
#[derive(Debug, Clone)]
pub struct ExperimentFile {
    /// The experiment. For a sweep, its first variant together with the `[sweep]` table.
    pub experiment: Experiment,
    /// The text of the file, without overrides.
    pub source: String,
    /// The variants, if the experiment has a `[sweep]`.
    pub sweep: Option<Sweep>,
}

impl ExperimentFile {
    /// Reads a file and applies overrides of the form `key=value`, such as `model.path=DIR` or `stage.dph.steps=100`
    /// (a stage is addressed by its name; a part of a key that contains dots is quoted). A value that is not valid TOML is taken
    /// as a string. All variants of a sweep are checked.
    ///
    /// The path of a task or a suite is relative to the folder of the file or, if there is no such file, to the working directory.
    ///
    /// # Errors
    /// All problems, each with its line in the file; or an override that causes one.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        let source = read_text(path).map_err(|source| ExperimentError::Read { path: path.into(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let overridden = Overridden::new(&source, &path.display().to_string(), overrides)?;
        let text = &overridden.text;
        let invalid = |problems| overridden.error(problems);
        let axes = sweep::axes(text).map_err(invalid)?;
        for given in overrides {
            sweep::not_swept(given, &axes)
                .map_err(|message| ExperimentError::Override { given: given.clone(), message })?;
        }
        if axes.is_empty() {
            let experiment = parse(text, folder).map_err(invalid)?;
            return Ok(Self { experiment, source, sweep: None });
        }
        let sweep = sweep::expand(text, folder, axes).map_err(invalid)?;
        let experiment = sweep.representative(text);
        Ok(Self { experiment, source, sweep: Some(sweep) })
    }
}
