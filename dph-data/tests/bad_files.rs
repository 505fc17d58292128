//! Files and rows that are wrong, each with the message that a person gets.
#![allow(clippy::unwrap_used)]

mod common;

use common::write;
use dph_data::{Documents, SkipReason, Task, TaskData, TaskLoadOptions, read_rows};

/// Every way for a whole file to be wrong: name, content, what it is.
const FILES: [(&str, &[u8], &str); 15] = [
    ("text.jsonl", b"once upon a time\nthere was\n", "no JSON at all"),
    ("empty.jsonl", b"", "nothing"),
    ("blank.jsonl", b"\n\n  \n", "blank lines"),
    ("table.jsonl", b"PAR1\x15\x04\x15", "parquet under another name"),
    ("packed.jsonl", b"\x1F\x8B\x08\x00", "gzip"),
    ("pointer.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
    ("wide.csv", b"\xFF\xFEa\x00", "UTF-16"),
    ("page.json", b"<!DOCTYPE html><html></html>", "a web page"),
    ("cut.json", b"[{\"sentence\": \"a\", \"label\": 1}, {\"sent", "a download cut short"),
    ("number.json", b"3", "no rows"),
    ("two.json", b"{\"train\": [], \"test\": []}", "splits, but not the right one"),
    ("no.parquet", b"{\"sentence\": \"a\"}", "text under the name of parquet"),
    ("header.csv", b"sentence,label\n", "a header only"),
    ("rows.xlsx", b"PK\x03\x04", "another format"),
    ("rows", b"{}", "no extension"),
];

#[test]
fn files_that_are_wrong_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let task = Task::find("sst2").unwrap();
    let mut messages = String::new();
    for (name, content, what) in FILES {
        let path = write(folder.path(), name, content);
        let error =
            Documents::load(&task, &path, "validation", &TaskLoadOptions::default()).unwrap_err().to_string();
        messages += &format!("{what}\n  {}\n", error.replace(folder.path().to_str().unwrap(), "DIR"));
    }
    let error = read_rows(&folder.path().join("missing.jsonl")).unwrap_err().to_string();
    messages += &format!("no file\n  {}\n", error.replace(folder.path().to_str().unwrap(), "DIR"));
    insta::assert_snapshot!(messages);
}

#[test]
fn rows_that_are_wrong_are_counted_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        r#"{"question": "good", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "A"}"#,
        r#"{"question": "label out of range", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "E"}"#,
        r#"{"question": "no choices", "answerKey": "A"}"#,
        r#"{"question": "no text", "choices": {"label": ["A", "B"]}, "answerKey": "A"}"#,
        r#"{"choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "A"}"#,
        r#"{"question": null, "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "A"}"#,
        r#"{"question": ["x"], "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "A"}"#,
        r#"{"question": "text for a list", "choices": {"text": "ab", "label": ["A", "B"]}, "answerKey": "A"}"#,
        r#"{"question": "a candidate is null", "choices": {"text": ["a", null], "label": ["A", "B"]}, "answerKey": "A"}"#,
        r#"{"question": "one candidate", "choices": {"text": ["a"], "label": ["A"]}, "answerKey": "A"}"#,
        r#"{"question": "labels are missing", "choices": {"text": ["a", "b"], "label": ["A"]}, "answerKey": "A"}"#,
        r#"{"question": "no answer", "choices": {"text": ["a", "b"], "label": ["A", "B"]}}"#,
        r#"{"question": "hidden", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": ""}"#,
        r#"{"question": "hidden", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": -1}"#,
        r#"{"question": "an answer that is a list", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": ["A"]}"#,
        r#"["not", "an", "object"]"#,
        r#"{"question": "cut sho"#,
    ];
    let bytes: Vec<u8> = [rows.join("\r\n").as_bytes(), b"\n{\"question\": \"\xFF\"}\n\n"].concat();
    let path = write(folder.path(), "arc_easy/train.jsonl", [b"\xEF\xBB\xBF", bytes.as_slice()].concat());
    let task = Task::find("arc_easy").unwrap();
    let data = Documents::load(&task, folder.path(), "train", &TaskLoadOptions::default()).unwrap();
    assert_eq!((data.rows, data.documents.len(), data.skipped.total()), (18, 1, 17));
    let mut report = format!("{}\n", data.skipped);
    for reason in data.skipped.counts().keys() {
        for row in data.skipped.examples(*reason) {
            report += &format!("{reason}\n  {}: {}\n", row.place, row.message);
        }
    }
    insta::assert_snapshot!(report.replace(path.to_str().unwrap(), "FILE"));
    let json = serde_json::to_value(&data.skipped).unwrap();
    assert_eq!(json["unlabelled"], 3);

    let strict = TaskLoadOptions { strict: true, ..TaskLoadOptions::default() };
    let error = Documents::load(&task, folder.path(), "train", &strict).unwrap_err().to_string();
    insta::assert_snapshot!(error.replace(path.to_str().unwrap(), "FILE"), @"FILE:2: the gold answer `E` (`answerKey`) is none of the labels A, B (gold-out-of-range); without `strict` the row would be skipped and counted");
}

#[test]
fn positions_for_gold() {
    let task = Task::parse(
        "name = 't'\nkind = 'choice'\nuser = 'x'\ncandidates = ['a', 'b', 'c']\ngold = 'g'",
        "t.toml",
    )
    .unwrap();
    let gold = |json: &str| {
        let row = serde_json::from_str(&format!("{{\"g\": {json}}}")).unwrap();
        task.document(&row).map(|document| document.gold).map_err(|problem| problem.reason)
    };
    for (json, index) in
        [("0", 0), ("2", 2), ("\"1\"", 1), ("2.0", 2), ("\"2.0\"", 2), ("true", 1), ("false", 0)]
    {
        assert_eq!(gold(json), Ok(Some(index)), "{json}");
    }
    for json in ["null", "\"\"", "-1", "\"-1\"", "-1.0", "\" \""] {
        assert_eq!(gold(json), Ok(None), "{json}");
    }
    for json in ["3", "-2", "1.5", "\"b\"", "99999999999999999999"] {
        assert_eq!(gold(json), Err(SkipReason::GoldOutOfRange), "{json}");
    }
    assert_eq!(gold("[1]"), Err(SkipReason::WrongType));
    assert_eq!(gold("{}"), Err(SkipReason::WrongType));
}

#[test]
fn a_split_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let (_tokenizer_folder, tokenizer) = common::world_tokenizer();
    let load = |task: &str, split: &str, root: &str| {
        let task = Task::find(task).unwrap();
        let root = folder.path().join(root);
        let error = TaskData::load(&task, &root, split, &tokenizer, &TaskLoadOptions::default())
            .unwrap_err()
            .to_string();
        error.replace(folder.path().to_str().unwrap(), "ROOT")
    };
    write(folder.path(), "race/middle/notes.md", "");
    write(folder.path(), "race/middle/train.jsonl", "{}");
    write(folder.path(), "race/middle/dev-00000-of-00002.parquet", "");
    insta::assert_snapshot!(
        [
            load("race_middle", "test", ""),
            load("race_middle", "validation", ""),
            load("race_middle", "train", "elsewhere"),
            load("world_text", "test", ""),
        ]
        .join("\n")
    );
}

#[test]
fn csv_rows_of_another_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        "x.csv",
        b"sentence,label\n\"a, \"\"quoted\"\"\nword\",1\nshort\nok,0\nlong,0,0\n\xFF,1\n".as_slice(),
    );
    let rows = read_rows(&path).unwrap();
    let numbers: Vec<_> = rows.iter().map(|row| (row.number, row.fields.is_ok())).collect();
    assert_eq!(numbers, [(2, true), (4, false), (5, true), (6, false), (7, false)]);
    assert_eq!(rows[0].fields.as_ref().unwrap()["sentence"], "a, \"quoted\"\nword");
    assert_eq!(rows[1].fields.as_ref().unwrap_err().message, "1 columns where the first line has 2");

    let path = write(folder.path(), "x.tsv", "sentence\tlabel\nhe said \"so\t1\n");
    let rows = read_rows(&path).unwrap();
    assert_eq!(rows[0].fields.as_ref().unwrap()["sentence"], "he said \"so");
}

#[test]
fn lines_end_at_newlines_only() {
    let folder = tempfile::tempdir().unwrap();
    let text = "a\u{2028}b\u{85}c\u{b}d\u{c}e\rf";
    let line = format!("{{\"text\": {}}}", serde_json::to_string(text).unwrap());
    let path = write(folder.path(), "x.jsonl", format!("{line}\n\n{line}"));
    let rows = read_rows(&path).unwrap();
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 3]);
    assert!(rows.iter().all(|row| row.fields.as_ref().unwrap()["text"] == text));
}
