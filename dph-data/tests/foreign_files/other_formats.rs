//! Files whose name says another format than they have, and folders of other programs.

use dph_data::{Task, read_rows};

use crate::common::write;
use crate::judge::judge;

const ROW: &str = "{\"prompt\": \"Q\", \"chosen\": \"x\", \"rejected\": \"y\"}\n";

#[test]
fn names_of_another_format() {
    let table = "prompt,chosen,rejected\nQ,x,y\n";
    for (name, content, says) in [
        ("rows.csv", ROW.repeat(2), "this is not a table but JSON; rename it to .jsonl"),
        ("rows.tsv", ROW.replace('{', "{\n  "), "this is not a table but JSON; rename it to .jsonl"),
        ("rows.csv", format!("[\n{ROW}]"), "this is not a table but JSON; rename it to .json"),
        ("rows.jsonl", table.to_owned(), "this is not JSON but other text; if it is csv, rename it to .csv"),
        ("rows.jsonl", table.replace(',', "\t"), "rename it to .csv (with tabs to .tsv)"),
        (
            "rows.jsonl.gz",
            ROW.to_owned(),
            "this is not a gzip archive but not compressed; remove .gz from its name",
        ),
        ("rows.csv.gz", table.to_owned(), "remove .gz from its name"),
        ("rows.csv.gz", "PK\u{3}\u{4}".to_owned(), "a zip archive; unpack it first"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        judge("preference", &write(folder.path(), name, content), "train").expect(&[], &[name, says]);
    }
}

#[test]
fn line_ends_of_old_computers() {
    let folder = tempfile::tempdir().unwrap();
    let task = "name = 't'\nkind = 'text'\ntext = '{{ text }}'\n";
    let task = write(folder.path(), "t.toml", task);
    let text = "one\rtwo\r<|endoftext|>\rthree\r";
    let path = write(folder.path(), "rows.txt", text);
    judge(task.to_str().unwrap(), &path, "train").expect(&[" -> *one\ntwo", " -> *three"], &[]);
    let unix = write(folder.path(), "unix.txt", text.replace('\r', "\n"));
    assert_eq!(read_rows(&path).unwrap(), read_rows(&unix).unwrap());
}

#[test]
fn folders_of_save_to_disk() {
    let says = "written by save_to_disk of datasets, which is not read";
    for files in [
        &["preference/state.json", "preference/dataset_info.json", "preference/data-00000-of-00001.arrow"][..],
        &[
            "preference/dataset_dict.json",
            "preference/train/state.json",
            "preference/train/dataset_info.json",
            "preference/train/data-00000-of-00001.arrow",
        ],
    ] {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            write(root.path(), file, "{}");
        }
        judge("preference", root.path(), "train").expect(&[], &[says, "to_parquet"]);
        assert!(Task::find("preference").unwrap().splits(root.path()).is_empty());
    }
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "dataset_dict.json", "{}");
    judge("preference", root.path(), "train").expect(&[], &[says]);
}
