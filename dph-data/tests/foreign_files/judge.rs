//! What training and `dph-data validate` say of rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use dph_data::{ChatTokenizer, DataError, Document, Documents, Skipped, Task, TaskData, TaskLoadOptions};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::common::world_tokenizer;

/// What training makes of rows.
#[derive(Debug, Default)]
pub struct Judgement {
    /// The documents, such as `user: Why? -> *because / no` with a mark at the right answer.
    pub documents: Vec<String>,
    /// The problems of rows with their places, or the error of the whole.
    pub problems: Vec<String>,
}

impl Judgement {
    /// Checks the documents, and that all problems together contain some texts.
    #[track_caller]
    pub fn expect(&self, documents: &[&str], problems: &[&str]) {
        assert_eq!(self.documents, documents, "{:#?}", self.problems);
        let all = self.problems.join("\n");
        assert_eq!(all.is_empty(), problems.is_empty(), "{all}");
        for problem in problems {
            assert!(all.contains(problem), "{problem:?} is not in {all}");
        }
    }
}

/// Loads a split from a file or a data root as training does, and checks that `validate` reports the same. `task` is a name or a
/// path.
#[track_caller]
pub fn judge(task: &str, path: &Path, split: &str) -> Judgement {
    let definition = Task::find(task).unwrap();
    static TOKENIZER: LazyLock<(TempDir, ChatTokenizer)> = LazyLock::new(world_tokenizer);
    let options = TaskLoadOptions::default();
    let trained = TaskData::load(&definition, path, split, &TOKENIZER.1, &options);
    let output = Command::new(env!("CARGO_BIN_EXE_dph-data"))
        .args(["validate", "--json", "--task", task, "--split", split])
        .arg(path)
        .env("NO_COLOR", "1")
        .env("NO_GRAPHICS", "1")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let report: Json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let (usable, skipped) = match trained {
        Ok(data) => (data.sets.len(), data.skipped),
        Err(DataError::NothingUsable { skipped, .. }) => (0, *skipped),
        Err(error) => {
            let error = error.to_string();
            assert!(squeezed(&said).contains(&squeezed(&error)), "{error}\n{said}");
            assert_eq!(output.status.code(), Some(2));
            return Judgement { problems: vec![error], ..Judgement::default() };
        }
    };
    assert_eq!(report["documents"], usable, "{report:#}\n{said}");
    assert_eq!(reported(&report), counted(&skipped), "{report:#}");
    let expected = if report["problems"] != Json::Array(Vec::new()) { 1 } else { 2 * i32::from(usable == 0) };
    assert_eq!(output.status.code(), Some(expected), "{said}");
    let documents = Documents::load(&definition, path, split, &options)
        .map(|loaded| loaded.documents)
        .unwrap_or_default();
    let reasons: Vec<_> = skipped.counts().into_keys().collect();
    let problems = reasons.iter().flat_map(|reason| skipped.examples(*reason));
    Judgement {
        documents: documents.iter().map(described).collect(),
        problems: problems.map(|row| format!("{}: {}", row.place, row.message)).collect(),
    }
}

/// Every problem that `validate` reports, by its reason.
fn reported(report: &Json) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for problem in report["problems"].as_array().unwrap() {
        *counts.entry(problem["reason"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let unlabelled = report["unlabelled"].as_u64().unwrap() as usize;
    if unlabelled > 0 {
        counts.insert("unlabelled".to_owned(), unlabelled);
    }
    counts
}

fn counted(skipped: &Skipped) -> BTreeMap<String, usize> {
    skipped.counts().into_iter().map(|(reason, count)| (reason.to_string(), count)).collect()
}

/// A text without what a report on a narrow terminal adds.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '│').collect()
}

fn described(document: &Document) -> String {
    let prompt: Vec<String> =
        document.prompt.iter().map(|message| format!("{}: {}", message.role, message.content)).collect();
    let mark = |index| if document.gold == Some(index) { "*" } else { "" };
    let answers = document.candidates.iter().enumerate();
    let answers: Vec<String> = answers.map(|(index, answer)| format!("{}{answer}", mark(index))).collect();
    format!("{} -> {}", prompt.join(" | "), answers.join(" / "))
}
