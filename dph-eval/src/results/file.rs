//! Results on disk: `results.json`.

use std::io;
use std::path::{Path, PathBuf};

use dph_core::text_file::read_text;

use crate::file_error::{FileError, write_file};
use crate::results::error::ResultsError;
use crate::results::format::{RESULTS_FILE, RESULTS_FORMAT, Results};

impl Results {
    /// Reads `results.json`, given its path or that of its directory.
    ///
    /// # Errors
    /// The file is missing or has invalid content.
    pub fn load(path: &Path) -> Result<Self, ResultsError> {
        let (file, json) = read(path)?;
        if is_list(&json) {
            return Err(ResultsError::Sweep { path: file });
        }
        let results =
            serde_json::from_str(&json).map_err(|source| FileError::Json { path: file.clone(), source });
        current(results?, &file)
    }

    /// As [`load`](Self::load); the file may also be the list that a sweep writes, the results of all its variants.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_all(path: &Path) -> Result<Vec<Self>, ResultsError> {
        let (file, json) = read(path)?;
        if !is_list(&json) {
            return Ok(vec![Self::load(&file)?]);
        }
        let list: Vec<Self> =
            serde_json::from_str(&json).map_err(|source| FileError::Json { path: file.clone(), source })?;
        list.into_iter().map(|results| current(results, &file)).collect()
    }

    /// Writes `results.json` into a directory that exists, atomically.
    ///
    /// # Errors
    /// The file cannot be written; an old one is then still there.
    pub fn save(&self, dir: &Path) -> Result<(), ResultsError> {
        Ok(write_file(dir.join(RESULTS_FILE), self.to_json().as_bytes())?)
    }

    /// Writes a list of results as the `results.json` of a sweep into a directory that exists, atomically.
    ///
    /// # Errors
    /// The file cannot be written; an old one is then still there.
    pub fn save_all(list: &[Self], dir: &Path) -> Result<(), ResultsError> {
        Ok(write_file(dir.join(RESULTS_FILE), Self::list_to_json(list).as_bytes())?)
    }
}

/// The file, and what is in it.
fn read(path: &Path) -> Result<(PathBuf, String), ResultsError> {
    let file = if path.is_dir() { path.join(RESULTS_FILE) } else { path.to_owned() };
    match read_text(&file) {
        Ok(json) => Ok((file, json)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ResultsError::Missing { path: path.to_owned() })
        }
        Err(source) => Err(FileError::Io { path: file, source }.into()),
    }
}

/// Whether it is the list that a sweep writes.
fn is_list(json: &str) -> bool {
    json.trim_ascii_start().starts_with('[')
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
        assert_eq!(
            (results.results[0].measurement.stderr, results.results[0].measurement.std),
            (Some(0.035), None)
        );
        assert_eq!(results.suites[0].measurement.value, 0.467);

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
        assert!(matches!(Results::load(dir.path()), Err(ResultsError::Sweep { .. })));
        list[1].save(dir.path()).unwrap();
        assert_eq!(Results::load_all(dir.path()).unwrap(), list[1..]);
        std::fs::write(dir.path().join(RESULTS_FILE), r#"[{"format": 3, "name": "x", "results": []}]"#)
            .unwrap();
        assert!(matches!(Results::load_all(dir.path()), Err(ResultsError::Format { format: 3, .. })));
    }

    #[test]
    fn an_invalid_file_is_an_error_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let error = |path: &Path| {
            Results::load(path).unwrap_err().to_string().replace(&dir.path().display().to_string(), "DIR")
        };
        assert!(error(dir.path()).starts_with("DIR: no results.json here; "));
        let file = dir.path().join("r.json");
        std::fs::write(&file, "{\"format\": 1,\n \"name\": 3}").unwrap();
        assert_eq!(
            error(&file),
            "DIR/r.json: the file is damaged or was not written by this program: invalid type: integer `3`, expected a string at line 2 column 10; restore it, or write it again"
        );
        std::fs::write(&file, r#"{"format": 3, "name": "x", "results": []}"#).unwrap();
        assert_eq!(
            error(&file),
            "DIR/r.json: format 3 is newer than this program, which reads up to 2; update the program"
        );
    }
}
