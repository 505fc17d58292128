//! Folders as repositories of the Hugging Face hub and downloads leave them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::write;
use crate::judge::{Judgement, judge};

fn row(question: &str) -> String {
    format!("{{\"prompt\": \"{question}\", \"chosen\": \"a\", \"rejected\": \"b\"}}\n")
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The split `train` of a root with these files, each with a row that asks for its position.
#[track_caller]
fn read(files: &[&str]) -> Judgement {
    let root = tempfile::tempdir().unwrap();
    for (index, file) in files.iter().enumerate() {
        let text = row(&index.to_string());
        let content = if file.to_lowercase().ends_with(".gz") { gzip(&text) } else { text.into_bytes() };
        write(root.path(), file, content);
    }
    let mut found = judge("preference", root.path(), "train");
    for problem in &mut found.problems {
        *problem = problem.replace(&format!("{}/", root.path().display()), "");
    }
    found
}

const FIRST: &str = "user: 0 -> *a / b";
const SECOND: &str = "user: 1 -> *a / b";

#[test]
fn names_of_the_hub() {
    for files in [
        [
            "preference/train-00000-of-00002-0123456789abcdef.jsonl",
            "preference/train-00001-of-00002-fedcba9876543210.jsonl",
        ],
        ["preference/data/train-00000-of-00002.jsonl", "preference/data/train-00001-of-00002.jsonl"],
        ["preference/train/0000.jsonl", "preference/train/0001.jsonl"],
        ["preference/default/train/0000.ndjson", "preference/default/train/0001.ndjson"],
        ["preference/train-00000-of-00002.jsonl.gz", "preference/train-00001-of-00002.jsonl.gz"],
        ["preference/TRAIN-00000-OF-00002.JSONL", "preference/Train-00001-of-00002.jsonl"],
        ["preference/train/part-00000-c000.jsonl", "preference/train/part-00001-c000.jsonl"],
    ] {
        read(&files).expect(&[FIRST, SECOND], &[]);
    }
    for file in [
        "Preference/Data/Train.ndjson",
        "preference/train.json.gz",
        "PREFERENCE/DEFAULT/Train/0000.JSONL",
        "preference/data/TRAIN.JSONL.GZ",
    ] {
        read(&[file]).expect(&[FIRST], &[]);
    }
    // Other files may stand beside them.
    read(&[
        "preference/train.jsonl",
        "preference/README.md",
        "preference/test.csv",
        "preference/train.jsonl.lock",
        "preference/data/x.json",
    ])
    .expect(&[FIRST], &[]);
}

#[test]
fn two_sets_of_files() {
    for (files, both) in [
        (
            ["preference/train-00000-of-00001-aa.jsonl", "preference/train-00000-of-00001-bb.jsonl"],
            ["-aa.jsonl and ", "-bb.jsonl;"],
        ),
        (["preference/train.jsonl", "preference/train.jsonl.gz"], ["train.jsonl and ", "train.jsonl.gz;"]),
        (
            ["preference/train.csv", "preference/data/train-00000-of-00001.csv"],
            ["preference/train.csv", "data/train-00000"],
        ),
        (
            ["preference/train.jsonl", "preference/train/0000.jsonl"],
            ["preference/train.jsonl", "train/0000.jsonl"],
        ),
    ] {
        let found = read(&files);
        found.expect(&[], &["the split `train` of `preference` is there twice", both[0], both[1], "`files`"]);
    }
}

#[test]
fn shards_that_are_missing() {
    read(&["preference/train-00001-of-00003.jsonl", "preference/train-00002-of-00003.jsonl"]).expect(
        &[],
        &[
            "shard 0 of 3 (",
            "preference/train-00001-of-00003.jsonl, preference/train-00002-of-00003.jsonl; fetch it",
        ],
    );
    read(&["preference/train/0000.jsonl", "preference/train/0002.jsonl"])
        .expect(&[], &["shard 1 is missing"]);
}

#[test]
fn shards_beyond_the_number_of_all() {
    let three = "rename or remove it, or name the files to use in the task (key `files`)";
    read(&["preference/train-00007-of-00003.jsonl"]).expect(
        &[],
        &[
            "preference/train-00007-of-00003.jsonl: this name says shard 7 of 3 of the split `train` of `preference`",
            "but the numbers of 3 shards are 0 to 2; ",
            three,
        ],
    );
    read(&[
        "preference/data/train-00000-of-00002-ab.jsonl",
        "preference/data/train-00001-of-00002-ab.jsonl",
        "preference/data/train-00002-of-00002-ab.jsonl",
    ])
    .expect(&[], &["train-00002-of-00002-ab.jsonl: this name says shard 2 of 2 ", "are 0 to 1"]);
    // Numbers that begin with 1.
    read(&["preference/train/x-1-of-2.jsonl", "preference/train/x-2-of-2.jsonl"])
        .expect(&[], &["preference/train/x-2-of-2.jsonl: ", "are 0 to 1"]);
    read(&["preference/train-00001-of-00001.jsonl"]).expect(&[], &["the number of the only shard is 0"]);
    read(&["preference/train-00000-of-00000.jsonl"]).expect(&[], &["there is at least one shard"]);
}

#[test]
fn shards_of_two_formats() {
    for files in [
        ["preference/train-00000-of-00002.jsonl", "preference/train-00001-of-00002.ndjson"],
        ["preference/train/0000.jsonl", "preference/train/0001.jsonl.gz"],
        ["preference/train/part-a.jsonl", "preference/train/part-b.ndjson"],
    ] {
        let both = format!("have two formats: {} and {}; write all in one format", files[0], files[1]);
        let found = read(&files);
        found.expect(&[], &["the shards of the split `train` of `preference` have two formats: "]);
        let other = format!("have two formats: {} and {}; write all in one format", files[1], files[0]);
        assert!([both, other].iter().any(|says| found.problems[0].contains(says)), "{:?}", found.problems);
    }
    // These are the same rows in two formats.
    for files in [
        ["preference/train/part-a.jsonl", "preference/train/part-a.ndjson"],
        ["preference/train-00000-of-00001.jsonl", "preference/train-00000-of-00001.ndjson"],
    ] {
        read(&files).expect(&[], &["is there twice"]);
    }
}

/// A directory that is no data root says what to do, in the same words in every program.
#[test]
fn folders_that_hold_no_data_sets() {
    read(&["train.jsonl", "x.csv", "notes.md"]).expect(
        &[],
        &["none of these folders exists, but there is train.jsonl and 1 more; name the file itself, or move it into preference"],
    );
    read(&["other/train.jsonl"]).expect(
        &[],
        &[
            "none of these folders exists; ",
            " is not the root of the data sets, or the rows of this task are not there",
        ],
    );
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "boolq/train.jsonl", "{}");
    let missing = |split: &str| judge("boolq", root.path(), split);
    missing("validation").expect(
        &[],
        &["boolq/train.jsonl", "`dph-data fetch` with --split validation downloads it from google/boolq"],
    );
    missing("test").expect(&[], &["google/boolq has no such split; it has train, validation"]);
}

/// A split that is not clear is an error for those, too, who can do without the split.
#[test]
fn splits_that_are_not_clear_are_not_left_out() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "preference/train.jsonl", row("0"));
    write(root.path(), "preference/dev-00000-of-00002.jsonl", row("0"));
    let task = dph_data::Task::find("preference").unwrap();
    assert_eq!(task.splits(root.path()), ["train", "validation"]);
    let error = task.locate(root.path(), "validation").unwrap_err();
    assert!(
        matches!(error, dph_data::LocateError::MissingShard { number: 1, shards: Some(2), .. }),
        "{error}"
    );
}

#[test]
fn archives_that_are_damaged() {
    let root = tempfile::tempdir().unwrap();
    let whole = gzip(&row("0"));
    let path = write(root.path(), "train.jsonl.gz", &whole[..whole.len() - 6]);
    judge("preference", &path, "train").expect(&[], &["train.jsonl.gz: not a readable gzip archive"]);
    let path = write(root.path(), "train.jsonl.gz", b"\x80\xFA\xFD\xFC");
    judge("preference", &path, "train").expect(&[], &["train.jsonl.gz: not a readable gzip archive"]);
    // Two archives in one file are both read.
    let path = write(root.path(), "train.jsonl.gz", [gzip(&row("0")), gzip(&row("1"))].concat());
    judge("preference", &path, "train").expect(&[FIRST, SECOND], &[]);
    let path = write(root.path(), "dev.csv.gz", gzip("prompt,chosen,rejected\nQ,a\n"));
    judge("preference", &path, "train").expect(&[], &["dev.csv.gz:2: 2 columns where the first line has 3"]);
}

/// What bears the name of a split without being a file of rows is named.
#[test]
fn what_is_no_file_of_rows() {
    let root = tempfile::tempdir().unwrap();
    let says = |problem: &str| judge("preference", root.path(), "train").expect(&[], &[problem]);
    says("is empty");
    std::fs::create_dir_all(root.path().join("preference")).unwrap();
    says("preference is empty");
    std::fs::create_dir_all(root.path().join("preference/train.jsonl")).unwrap();
    says("train.jsonl (this is a directory)");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/nowhere/at/all", root.path().join("preference/train.csv")).unwrap();
        says("train.csv (this is a link to /nowhere/at/all, which does not exist)");
        std::os::unix::fs::symlink("/dev/zero", root.path().join("preference/train.json")).unwrap();
        says("train.json (this is a pipe or a device, not a regular file)");
    }
}

/// A data root that is no directory: `validate` says the same as training, whether the task names files or not.
#[test]
fn what_is_no_data_root() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let rows = write(dir, "own.jsonl", row("0"));
    let own = write(dir, "own.toml", "name = 'own'\nkind = 'preference'\nfiles = { train = 'own.jsonl' }\n");
    let says = |name: &str, problem: &str| {
        let found = judge("preference", &dir.join(name), "train");
        found.expect(&[], &[problem]);
        assert!(found.problems[0].contains(name), "{}", found.problems[0]);
    };
    says("nothing.jsonl", "nothing.jsonl does not exist; name a file of rows, or the root of the data sets");
    says("nothing", "nothing does not exist; name a file of rows, or the root of the data sets");
    let looked_for =
        |name: &str| judge("preference", &dir.join(name), "train").problems[0].contains("looked for");
    assert!(looked_for("nothing") && !looked_for("nothing.jsonl"));
    // `validate` names its own file also where the task names others.
    let validate = |file: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_dph-data"))
            .args(["validate", "--task", own.to_str().unwrap(), "--split", "train", file])
            .current_dir(dir)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(validate(rows.to_str().unwrap()).0, Some(0));
    let (status, said) = validate("nothing.jsonl");
    assert_eq!(status, Some(2));
    assert!(said.contains("cannot read nothing.jsonl: there is no such file or directory"), "{said}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("gone", dir.join("link.jsonl")).unwrap();
        says("link.jsonl", "link.jsonl: this is a link to gone, which does not exist");
        std::os::unix::fs::symlink("/dev/zero", dir.join("zero.jsonl")).unwrap();
        says(
            "zero.jsonl",
            "zero.jsonl: this is a pipe or a device, not a regular file; write its contents into one",
        );
        let made = std::process::Command::new("mkfifo").arg(dir.join("pipe.jsonl")).status();
        assert!(made.unwrap().success());
        says("pipe.jsonl", "pipe.jsonl: this is a pipe or a device");
    }
}
