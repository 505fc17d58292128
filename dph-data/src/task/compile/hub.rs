//! Compiles the table `[hub]`.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::compiler::Compiler;
use crate::task::hub_source::{HubFiles, HubSource, extension};
use crate::task::keys::OneOrMany;

/// The branch of the hub with a copy of most data sets in parquet files.
const CONVERTED: &str = "refs/convert/parquet";
const MAIN: &str = "main";
const CONFIGURATION: &str = "default";
const SPLITS: [&str; 3] = ["train", "validation", "test"];

/// The repository of the task, if it names one.
pub(super) fn hub(c: &mut Compiler<'_>) -> Option<HubSource> {
    let key = c.file.hub.take()?;
    let file = key.into_inner();
    if !is_repository(file.repository.get_ref()) {
        c.problem(file.repository.span(), "a repository is `owner/name`");
    }
    let files = match file.files {
        Some(named) => {
            for span in [file.configuration.map(|key| key.span()), file.splits.map(|key| key.span())] {
                let message = "`files` names the files of each split; remove it, or remove this key";
                span.into_iter().for_each(|span| c.problem(span, message));
            }
            HubFiles::Named(named_files(c, named))
        }
        None => {
            let configuration =
                file.configuration.map_or_else(|| CONFIGURATION.to_owned(), Spanned::into_inner);
            let splits = match file.splits {
                Some(splits) if splits.get_ref().is_empty() => {
                    c.problem(
                        splits.span(),
                        "`splits` is empty: name at least one split, or leave the key out",
                    );
                    Vec::new()
                }
                Some(splits) => splits.into_inner(),
                None => SPLITS.map(str::to_owned).to_vec(),
            };
            HubFiles::Converted { configuration, splits }
        }
    };
    let revision = file.revision.unwrap_or_else(|| {
        match files {
            HubFiles::Converted { .. } => CONVERTED,
            HubFiles::Named(_) => MAIN,
        }
        .to_owned()
    });
    let repository = file.repository.into_inner();
    Some(HubSource { repository, revision, files, licence: file.licence, citation: file.citation })
}

fn named_files(
    c: &mut Compiler<'_>,
    files: Spanned<BTreeMap<String, OneOrMany>>,
) -> BTreeMap<String, Vec<String>> {
    let span = files.span();
    let files = files.into_inner().into_iter();
    files
        .map(|(split, files)| {
            let files = files.into_vec();
            check_files(c, &split, &files, span.clone());
            (split, files)
        })
        .collect()
}

fn check_files(c: &mut Compiler<'_>, split: &str, files: &[String], span: Range<usize>) {
    if files.is_empty() {
        c.problem(span.clone(), format!("the split `{split}` has no file"));
    }
    let is_inside = |file: &String| {
        !file.starts_with('/') && file.split('/').all(|part| !part.is_empty() && part != "..")
    };
    if let Some(file) = files.iter().find(|file| !is_inside(file)) {
        c.problem(span.clone(), format!("`{file}` is no path inside of a repository"));
    }
    let extensions: Vec<_> = files.iter().map(|file| extension(file)).collect();
    if let [Some(first), rest @ ..] = &extensions[..]
        && rest.iter().all(|other| *other == Some(first))
    {
        return;
    }
    if !files.is_empty() {
        c.problem(
            span,
            format!("the files of the split `{split}` need one and the same extension, such as .parquet"),
        );
    }
}

fn is_repository(name: &str) -> bool {
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    name.split_once('/').is_some_and(|(owner, name)| is_plain(owner) && is_plain(name))
}
