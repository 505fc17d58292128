//! Compiles where the rows of a task come from.

use std::path::Path;

use super::compiler::Compiler;
use crate::task::definition::Source;
use crate::task::kind::Kind;

pub(super) fn source(c: &mut Compiler<'_>, folder: &Path, kind: Option<Kind>) -> Option<Source> {
    let synthetic = match c.file.source.take() {
        Some(key) => {
            let known = [("files", false), ("synthetic", true)];
            let synthetic = c.one_of("source", key.get_ref(), key.span(), &known)?;
            if synthetic && kind == Some(Kind::Preference) {
                c.problem(key.span(), "the synthetic world has no preference pairs; use kind `choice`");
            }
            synthetic
        }
        None => false,
    };
    if synthetic {
        return Some(Source::Synthetic);
    }
    let folders = match c.file.folders.take() {
        Some(key) => {
            if key.get_ref().is_empty() {
                c.problem(key.span(), "`folders` is empty: name at least one folder, or leave the key out");
            }
            key.into_inner()
        }
        None => vec![c.file.name.get_ref().clone()],
    };
    let files = std::mem::take(&mut c.file.files)
        .into_iter()
        .map(|(split, files)| (split, files.into_vec().into_iter().map(|name| folder.join(name)).collect()));
    Some(Source::Files {
        folders,
        splits: std::mem::take(&mut c.file.splits),
        files: files.collect(),
        quotes: c.file.quotes.unwrap_or(true),
    })
}
