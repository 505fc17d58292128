//! [`Submission`]: the predictions of a scorer as the files that the server of GLUE takes.

use std::collections::BTreeSet;
use std::io::{Cursor, ErrorKind, Write};
use std::path::Path;

use dph_core::text_file::read_text;
use dph_core::{CandidateScores, Scorer};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::bench::Bench;
use crate::file_error::{FileError, remove_file, write_file};
use crate::glue_files::{Answers, GLUE_FILES, GlueFile};
use crate::outcomes::{heads, prediction, scorer_named};
use crate::results::{DocumentScores, Unscored};

/// File name of the archive of all files of a submission.
pub const SUBMISSION_FILE: &str = "submission.zip";

/// The predictions of a scorer for the test rows of GLUE: a file `CoLA.tsv` and so on for each task, with the columns `index` and
/// `prediction`, and an archive of these.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The scorer.
    pub scorer: String,
    /// Name and content of each file, in the order of the server. A task whose rows are not all answered has no file.
    pub files: Vec<(String, String)>,
    /// Files that are left out, and row numbers that are not those of the published test sets, in words.
    pub warnings: Vec<String>,
    /// The names of files without rows, and the splits with these rows.
    missing: Vec<(String, String)>,
}

impl Submission {
    /// The submission of every scorer of an evaluation whose plan has the splits of a submission
    /// ([`BenchPlan::add_submission`](crate::BenchPlan::add_submission)).
    pub fn all(bench: &Bench) -> Vec<Self> {
        let heads = heads(&bench.documents);
        let scorers =
            bench.scorers.iter().filter_map(|name| Some((name, scorer_named(name, &bench.results, &heads)?)));
        scorers.map(|(name, scorer)| Self::new(name, &scorer, &heads, bench)).collect()
    }

    fn new(name: &str, scorer: &Scorer, heads: &[String], bench: &Bench) -> Self {
        let mut found =
            Self { scorer: name.to_owned(), files: Vec::new(), warnings: Vec::new(), missing: Vec::new() };
        for file in &GLUE_FILES {
            let GlueFile { name, task, split, rows, .. } = file;
            let is = |of_task: &str, of_split: &str| of_task == *task && of_split == *split;
            let documents: Vec<&DocumentScores> =
                bench.documents.iter().filter(|document| is(&document.task, &document.split)).collect();
            if documents.is_empty() {
                found.missing.push((format!("{name}.tsv"), format!("{task}/{split}")));
                continue;
            }
            let concerns = |unscored: &&Unscored| {
                is(&unscored.task, &unscored.split)
                    && (unscored.scorers.is_empty() || unscored.scorers.contains(&found.scorer))
            };
            if let Some(unscored) = bench.results.unscored.iter().find(concerns) {
                let why = "the server takes a file only with an answer to every row";
                found.warnings.push(format!("{name}.tsv is left out: {why}. {unscored}"));
                continue;
            }
            if documents.len() != *rows {
                let there = documents.len();
                found.warnings.push(format!(
                    "{name}.tsv has {there} rows, and the published test set has {rows}: the server refuses it"
                ));
            }
            let lines: String = documents
                .iter()
                .enumerate()
                .map(|(index, document)| format!("{index}\t{}\n", file.answer(document, heads, scorer)))
                .collect();
            found.files.push((format!("{name}.tsv"), format!("index\tprediction\n{lines}")));
        }
        found
    }

    /// With the files of an earlier submission in a directory, for tasks that this one has no rows of: a classifier answers one task.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn beside(mut self, dir: &Path) -> Result<Self, FileError> {
        for (name, split) in std::mem::take(&mut self.missing) {
            let path = dir.join(&name);
            match read_text(&path) {
                Ok(text) => self.files.push((name, text)),
                Err(error) if error.kind() == ErrorKind::NotFound => self.missing.push((name, split)),
                Err(source) => return Err(FileError::Io { path, source }),
            }
        }
        let place = |name: &String| GLUE_FILES.iter().position(|file| format!("{}.tsv", file.name) == *name);
        self.files.sort_by_key(|(name, _)| place(name));
        Ok(self)
    }

    /// A warning about the files that have no rows.
    pub fn missing(&self) -> Option<String> {
        let names: Vec<String> =
            self.missing.iter().map(|(name, split)| format!("{name} ({split})")).collect();
        (!names.is_empty()).then(|| {
            format!(
                "left out, as there are no rows: {}. The server takes only all eleven files; add those of its sample submission",
                names.join(", ")
            )
        })
    }

    /// The scorer as the name of a folder.
    pub fn folder(&self) -> String {
        let is_plain = |c: char| c.is_alphanumeric() || "-._".contains(c);
        self.scorer.chars().map(|c| if is_plain(c) { c } else { '-' }).collect()
    }

    /// Writes the files and their archive into a directory, which is created, each atomically. Files of an earlier submission that
    /// this one lacks are removed.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), FileError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| FileError::Io { path, source }
        };
        std::fs::create_dir_all(dir).map_err(failed(dir))?;
        for (name, text) in &self.files {
            write_file(dir.join(name), text.as_bytes())?;
        }
        let names: BTreeSet<&String> = self.files.iter().map(|(name, _)| name).collect();
        for name in GLUE_FILES.iter().map(|file| format!("{}.tsv", file.name)) {
            if !names.contains(&name) {
                remove_file(dir.join(name))?;
            }
        }
        let path = dir.join(SUBMISSION_FILE);
        let archive = self.archive().map_err(failed(&path))?;
        write_file(path, &archive)
    }

    /// The files in an archive, without folders. Its bytes depend on nothing else.
    fn archive(&self) -> std::io::Result<Vec<u8>> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, text) in &self.files {
            archive.start_file(name, options)?;
            archive.write_all(text.as_bytes())?;
        }
        Ok(archive.finish()?.into_inner())
    }
}

impl GlueFile {
    /// The answer to a row, as the server writes it.
    fn answer(&self, document: &DocumentScores, heads: &[String], scorer: &Scorer) -> String {
        let scores: Vec<CandidateScores> =
            document.candidates.iter().map(|candidate| candidate.scores(heads)).collect();
        let chosen = prediction(document.kind, scorer, &scores).unwrap_or_default();
        match self.answers {
            Answers::Numbers => chosen.to_string(),
            Answers::Similarity => {
                let predicted = document.predicted.filter(|_| *scorer == Scorer::Classifier);
                format!("{:.3}", predicted.unwrap_or(chosen as f64).clamp(0.0, 5.0))
            }
            Answers::Words(words) => words.get(chosen).copied().unwrap_or_default().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_scorer_is_a_folder() {
        let folder = |scorer: &str| {
            let scorer = scorer.into();
            Submission { scorer, files: Vec::new(), warnings: Vec::new(), missing: Vec::new() }.folder()
        };
        assert_eq!(folder("loglik-mean"), "loglik-mean");
        assert_eq!(folder("reward:0.7*a/b+0.3*c"), "reward-0.7-a-b-0.3-c");
    }
}
