//! [`Results`]: the contents of `results.json`, the contract with everybody who reads results.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use dph_core::write_atomically;
use serde::{Deserialize, Serialize};

/// File name of the results in a run or output directory.
pub const RESULTS_FILE: &str = "results.json";

/// The version of the format that this crate writes.
///
/// Format 2 has `std` and `runs`, which format 1 lacks; everything else is the same.
pub const RESULTS_FORMAT: u32 = 2;

/// What an evaluation found. Values are shares from 0 to 1, never per cent.
///
/// ```json
/// { "format": 2, "name": "smollm2-gpt4all",
///   "results": [ { "task": "arc_easy", "split": "test", "scorer": "loglik-mean", "metric": "accuracy",
///                  "value": 0.412, "stderr": 0.035, "documents": 200, "skipped": { "too-long": 3 }, "chance": 0.25 } ],
///   "suites":  [ { "suite": "gpt4all", "scorer": "reward:preference", "value": 0.467, "stderr": 0.012, "chance": 0.357 } ] }
/// ```
///
/// The mean over runs that differ only in their seed ([`Results::mean`]) has `"stderr": null` and, beside it, `"std"`, the
/// standard deviation over the runs, and `"runs"`, their number. Results of a single run have neither key.
///
/// Unknown keys are ignored when a file is read, so that later versions can add some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Version of the format: [`RESULTS_FORMAT`], also after a file of an earlier format was read.
    pub format: u32,
    /// What was evaluated: the experiment's or the model's name.
    pub name: String,
    /// One entry for each task and scorer.
    pub results: Vec<TaskResult>,
    /// One entry for each suite and scorer.
    #[serde(default)]
    pub suites: Vec<SuiteResult>,
}

/// How well one scorer does on one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The task's name.
    pub task: String,
    /// The split.
    pub split: String,
    /// `loglik-mean`, `loglik-sum` or `reward:<head>`.
    pub scorer: String,
    /// What `value` is, such as `accuracy`.
    pub metric: String,
    /// The metric.
    pub value: f64,
    /// Its standard error over the documents; null for a single document, and for a mean over runs.
    pub stderr: Option<f64>,
    /// For a mean over runs: the standard deviation of their values (with n − 1); null for fewer than two runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    /// For a mean over runs: their number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
    /// Number of documents that were scored.
    pub documents: usize,
    /// Number of documents that could not be used, by reason.
    #[serde(default)]
    pub skipped: BTreeMap<String, usize>,
    /// What guessing would give.
    #[serde(default)]
    pub chance: Option<f64>,
}

/// How well one scorer does on a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuiteResult {
    /// The suite's name.
    pub suite: String,
    /// `loglik-mean`, `loglik-sum` or `reward:<head>`.
    pub scorer: String,
    /// The suite's mean.
    pub value: f64,
    /// Its standard error over the documents; null where a task has none, and for a mean over runs.
    pub stderr: Option<f64>,
    /// For a mean over runs: the standard deviation of their values (with n − 1); null for fewer than two runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    /// For a mean over runs: their number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
    /// What guessing would give.
    #[serde(default)]
    pub chance: Option<f64>,
}

/// Results that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// There is no such file or directory, or no results in it.
    #[error("{}: no {RESULTS_FILE} here; `dph-train` writes one into its run, `dph-eval bench … --out DIR` into DIR", path.display())]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a results file.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The file is of a later version.
    #[error("{}: format {format} is newer than this program, which reads up to {RESULTS_FORMAT}; update the program", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
}

impl Results {
    /// Results without any entry.
    pub fn new(name: impl Into<String>) -> Self {
        Self { format: RESULTS_FORMAT, name: name.into(), results: Vec::new(), suites: Vec::new() }
    }

    /// Reads `results.json`, given by its path or by that of the directory it is in.
    ///
    /// # Errors
    /// No such file, or not such a file.
    pub fn load(path: &Path) -> Result<Self, ResultsError> {
        let (file, json) = read(path)?;
        let results =
            serde_json::from_slice(&json).map_err(|source| ResultsError::Json { path: file.clone(), source });
        current(results?, &file)
    }

    /// As [`load`](Self::load), of a file that may also be the list that a sweep writes: the results of all its variants.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_all(path: &Path) -> Result<Vec<Self>, ResultsError> {
        let (file, json) = read(path)?;
        if !json.trim_ascii_start().starts_with(b"[") {
            return Ok(vec![Self::load(&file)?]);
        }
        let list: Vec<Self> = serde_json::from_slice(&json)
            .map_err(|source| ResultsError::Json { path: file.clone(), source })?;
        list.into_iter().map(|results| current(results, &file)).collect()
    }

    /// Writes `results.json` into a directory that exists, atomically.
    ///
    /// # Errors
    /// The file cannot be written; an old one is then still there.
    pub fn save(&self, dir: &Path) -> Result<(), ResultsError> {
        let path = dir.join(RESULTS_FILE);
        write_atomically(&path, self.to_json().as_bytes()).map_err(|source| ResultsError::Io { path, source })
    }

    /// The text of `results.json`, indented, with a line end.
    pub fn to_json(&self) -> String {
        // Plain data with text keys: there is nothing in it that JSON cannot hold.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Writes a list of results as the `results.json` of a sweep into a directory that exists, atomically.
    ///
    /// # Errors
    /// The file cannot be written; an old one is then still there.
    pub fn save_all(list: &[Self], dir: &Path) -> Result<(), ResultsError> {
        let path = dir.join(RESULTS_FILE);
        write_atomically(&path, Self::list_to_json(list).as_bytes())
            .map_err(|source| ResultsError::Io { path, source })
    }

    /// The text of a sweep's `results.json`, indented, with a line end.
    pub fn list_to_json(list: &[Self]) -> String {
        serde_json::to_string_pretty(list).unwrap_or_default() + "\n"
    }
}

/// The file, and what is in it.
fn read(path: &Path) -> Result<(PathBuf, Vec<u8>), ResultsError> {
    let file = if path.is_dir() { path.join(RESULTS_FILE) } else { path.to_owned() };
    match std::fs::read(&file) {
        Ok(json) => Ok((file, json)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ResultsError::Missing { path: path.to_owned() })
        }
        Err(source) => Err(ResultsError::Io { path: file, source }),
    }
}

/// The results in the current format. Format 1 is format 2 without means over runs.
fn current(results: Results, file: &Path) -> Result<Results, ResultsError> {
    match results.format > RESULTS_FORMAT {
        true => Err(ResultsError::Format { path: file.to_owned(), format: results.format }),
        false => Ok(Results { format: RESULTS_FORMAT, ..results }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A file of format 1, as earlier versions wrote it.
    const FORMAT_1: &str = r#"{ "format": 1, "name": "smollm2-gpt4all",
      "results": [ { "task": "arc_easy", "split": "test", "scorer": "loglik-mean", "metric": "accuracy",
                     "value": 0.412, "stderr": 0.035, "documents": 200, "skipped": { "too-long": 3 } } ],
      "suites":  [ { "suite": "gpt4all", "scorer": "reward:preference", "value": 0.467, "stderr": 0.012 } ] }"#;

    #[test]
    fn a_file_of_format_1_is_read_and_its_keys_are_written() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(RESULTS_FILE), FORMAT_1).unwrap();
        let results = Results::load(dir.path()).unwrap();
        assert_eq!(results.format, RESULTS_FORMAT);
        assert_eq!(results.results[0].skipped["too-long"], 3);
        assert_eq!((results.results[0].stderr, results.results[0].std), (Some(0.035), None));
        assert_eq!(results.suites[0].value, 0.467);

        results.save(dir.path()).unwrap();
        assert_eq!(Results::load(&dir.path().join(RESULTS_FILE)).unwrap(), results);
        let written: serde_json::Value = serde_json::from_str(&results.to_json()).unwrap();
        assert_eq!(written["format"], 2);
        let earlier: serde_json::Value = serde_json::from_str(FORMAT_1).unwrap();
        for (list, place) in [("results", 0), ("suites", 0)] {
            for (key, value) in earlier[list][place].as_object().unwrap() {
                assert_eq!(&written[list][place][key], value, "{list}.{key}");
            }
            let keys: Vec<&String> = written[list][place].as_object().unwrap().keys().collect();
            assert!(!keys.iter().any(|key| ["std", "runs"].contains(&key.as_str())), "{keys:?}");
        }
    }

    #[test]
    fn a_list_is_read_as_such_and_one_as_a_list_of_one() {
        let dir = tempfile::tempdir().unwrap();
        let list = vec![Results::new("a"), Results::new("b")];
        Results::save_all(&list, dir.path()).unwrap();
        assert_eq!(Results::load_all(dir.path()).unwrap(), list);
        list[1].save(dir.path()).unwrap();
        assert_eq!(Results::load_all(dir.path()).unwrap(), list[1..]);
        std::fs::write(dir.path().join(RESULTS_FILE), r#"[{"format": 3, "name": "x", "results": []}]"#)
            .unwrap();
        assert!(matches!(Results::load_all(dir.path()), Err(ResultsError::Format { format: 3, .. })));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let error = |path: &Path| {
            Results::load(path).unwrap_err().to_string().replace(&dir.path().display().to_string(), "DIR")
        };
        assert!(error(dir.path()).starts_with("DIR: no results.json here; "));
        let file = dir.path().join("r.json");
        std::fs::write(&file, "{\"format\": 1,\n \"name\": 3}").unwrap();
        assert_eq!(
            error(&file),
            "DIR/r.json: invalid type: integer `3`, expected a string at line 2 column 10"
        );
        std::fs::write(&file, r#"{"format": 3, "name": "x", "results": []}"#).unwrap();
        assert_eq!(
            error(&file),
            "DIR/r.json: format 3 is newer than this program, which reads up to 2; update the program"
        );
    }
}
