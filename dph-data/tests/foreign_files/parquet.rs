//! Parquet files of other writers.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArrayType, Int32Type, Int64Type};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use tempfile::TempDir;

use crate::common::write;
use crate::judge::judge;

const TASK: &str =
    "name = 't'\nkind = 'choice'\nuser = '{{ q }}'\ncandidates = ['{{ a }}', '{{ b }}']\ngold = 'g'\n";

/// Writes a file with a group of rows.
fn table(path: &Path, schema: &str, columns: impl FnOnce(&mut SerializedRowGroupWriter<'_, File>)) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    columns(&mut rows);
    rows.close().unwrap();
    writer.close().unwrap();
}

fn column<T: DataType>(rows: &mut SerializedRowGroupWriter<'_, File>, values: &[T::T]) {
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, None, None).unwrap();
    column.close().unwrap();
}

fn texts(texts: &[&str]) -> Vec<ByteArray> {
    texts.iter().map(|text| ByteArray::from(*text)).collect()
}

fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let task = write(folder.path(), "t.toml", TASK);
    (folder, task.display().to_string())
}

#[test]
fn bytes_that_are_no_text_are_a_problem_of_their_row() {
    let (folder, task) = folder();
    let path = folder.path().join("rows.parquet");
    let schema =
        "message m { required binary q; required binary a; required binary b (UTF8); required int32 g; }";
    table(&path, schema, |rows| {
        column::<ByteArrayType>(rows, &[ByteArray::from("Größe?"), ByteArray::from(vec![0xFF, 0xD8, 0x00])]);
        column::<ByteArrayType>(rows, &texts(&["ä", "c"]));
        column::<ByteArrayType>(rows, &texts(&["b", "d"]));
        column::<Int32Type>(rows, &[1, 0]);
    });
    judge(&task, &path, "train").expect(
        &["user: Größe? -> ä / *b"],
        &["rows.parquet, row 2: `user`: text is needed here, but the value is a byte array that is not UTF-8"],
    );
    let rows = "message m { required binary prompt; required binary chosen; required binary rejected; }";
    table(&path, rows, |rows| {
        column::<ByteArrayType>(rows, &texts(&["p", "q"]));
        column::<ByteArrayType>(rows, &[ByteArray::from("x"), ByteArray::from(vec![0x80])]);
        column::<ByteArrayType>(rows, &texts(&["y", "z"]));
    });
    judge("preference", &path, "train")
        .expect(&["user: p -> *x / y"], &["row 2: `chosen` needs text", "not UTF-8"]);
}

/// Data sets with images have a column of bytes that a task on texts does not read.
#[test]
fn bytes_that_the_task_does_not_need_are_no_problem() {
    let (folder, task) = folder();
    let path = folder.path().join("rows.parquet");
    let schema = "message m { required binary q; required binary a; required binary b; required int32 g;
                              required group image { required binary bytes; required binary path (UTF8); }
                              required fixed_len_byte_array(2) hash; }";
    table(&path, schema, |rows| {
        column::<ByteArrayType>(rows, &texts(&["q"]));
        column::<ByteArrayType>(rows, &texts(&["a"]));
        column::<ByteArrayType>(rows, &texts(&["b"]));
        column::<Int32Type>(rows, &[0]);
        column::<ByteArrayType>(rows, &[ByteArray::from(vec![0x89, 0x50, 0xFF])]);
        column::<ByteArrayType>(rows, &texts(&["x.png"]));
        column::<FixedLenByteArrayType>(rows, &[ByteArray::from(vec![0xFF, 0x00]).into()]);
    });
    judge(&task, &path, "train").expect(&["user: q -> *a / b"], &[]);
}

#[test]
fn decimals_of_every_storage() {
    let (folder, task) = folder();
    let path = folder.path().join("rows.parquet");
    let schema = "message m { required int32 q (DECIMAL(5,2)); required int64 a (DECIMAL(18,3));
                              required fixed_len_byte_array(16) b (DECIMAL(38,0)); required int64 g (DECIMAL(10,0)); }";
    table(&path, schema, |rows| {
        column::<Int32Type>(rows, &[150, -5]);
        column::<Int64Type>(rows, &[1_000, 12_345]);
        let wide = |number: i128| ByteArray::from(number.to_be_bytes().to_vec()).into();
        column::<FixedLenByteArrayType>(rows, &[wide(-12), wide(123_456_789_012_345_678_901_234_567)]);
        column::<Int64Type>(rows, &[0, 1]);
    });
    judge(&task, &path, "train")
        .expect(&["user: 1.50 -> *1.000 / -12", "user: -0.05 -> 12.345 / *123456789012345678901234567"], &[]);
}

#[test]
fn gold_labels_may_be_decimals() {
    let (folder, task) = folder();
    let path = folder.path().join("rows.parquet");
    let schema = "message m { required binary q; required binary a; required binary b; required int32 g (DECIMAL(3,2)); }";
    let write_table = |gold: &[i32]| {
        table(&path, schema, |rows| {
            for name in ["q", "x", "y"] {
                column::<ByteArrayType>(rows, &texts(&vec![name; gold.len()]));
            }
            column::<Int32Type>(rows, gold);
        });
    };
    write_table(&[0, 100, -100, 150]);
    judge(&task, &path, "train").expect(
        &["user: q -> *x / y", "user: q -> x / *y"],
        &["the row has no gold answer", "row 4: the gold answer `1.50` (`g`) is not one of the 2 candidates"],
    );
    // Labels of the task.
    let labels = write(folder.path(), "labels.toml", format!("{TASK}labels = ['1', '2']\n"));
    write_table(&[100, 200]);
    judge(labels.to_str().unwrap(), &path, "train").expect(&["user: q -> *x / y", "user: q -> x / *y"], &[]);
}

#[test]
fn scores_may_be_decimals() {
    let folder = tempfile::tempdir().unwrap();
    let task = "name = 't'\nkind = 'preference'\nprompt = 'q'\nanswer = '{{ a }}'\nscore = 's'\n";
    let task = write(folder.path(), "t.toml", task);
    let path = folder.path().join("rows.parquet");
    table(
        &path,
        "message m { required binary q; required binary a; required binary s (DECIMAL(4,2)); }",
        |rows| {
            column::<ByteArrayType>(rows, &texts(&["q", "q"]));
            column::<ByteArrayType>(rows, &texts(&["worse", "better"]));
            column::<ByteArrayType>(rows, &[ByteArray::from(vec![0xFF]), ByteArray::from(vec![0x01, 0x2C])]);
        },
    );
    judge(task.to_str().unwrap(), &path, "train").expect(&["user: q -> *better / worse"], &[]);
}

#[test]
fn columns_of_one_name_are_an_error() {
    let (folder, task) = folder();
    let path = folder.path().join("rows.parquet");
    table(&path, "message m { required binary q; required binary q; }", |rows| {
        column::<ByteArrayType>(rows, &texts(&["x"]));
        column::<ByteArrayType>(rows, &texts(&["y"]));
    });
    judge(&task, &path, "train").expect(&[], &["rows.parquet: two columns have the name `q`"]);
}
