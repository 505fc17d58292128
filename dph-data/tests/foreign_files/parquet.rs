//! Parquet files of other writers.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    Int96, Int96Type,
};
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

/// Only a column with a time zone has an offset.
#[test]
fn timestamps_are_texts_of_iso_8601() {
    let (folder, task) = folder();
    let path = folder.path().join("rows.parquet");
    let time = 1_704_164_645_123_456_789;
    let write_table = |schema: &str, times: [i64; 3]| {
        table(&path, schema, |rows| {
            for time in times {
                column::<Int64Type>(rows, &[time]);
            }
            column::<Int32Type>(rows, &[0]);
        });
        judge(&task, &path, "train")
    };
    let schema = |zone: bool| {
        format!(
            "message m {{ required int64 q (TIMESTAMP(NANOS,{zone})); required int64 a (TIMESTAMP(MICROS,{zone}));
                         required int64 b (TIMESTAMP(MILLIS,{zone})); required int32 g; }}"
        )
    };
    let times = [time, time / 1_000, time / 1_000_000];
    write_table(&schema(false), times).expect(
        &["user: 2024-01-02T03:04:05.123456789 -> *2024-01-02T03:04:05.123456 / 2024-01-02T03:04:05.123"],
        &[],
    );
    write_table(&schema(true), [time, -1, 0]).expect(
        &["user: 2024-01-02T03:04:05.123456789+00:00 -> *1969-12-31T23:59:59.999999+00:00 / 1970-01-01T00:00:00+00:00"],
        &[],
    );
    // Types of old writers, and a number that is none.
    let old = "message m { required int64 q (TIMESTAMP_MICROS); required int64 a (TIMESTAMP_MILLIS); required int64 b; required int32 g; }";
    write_table(old, [1_500_000, 0, 7])
        .expect(&["user: 1970-01-01T00:00:01.5+00:00 -> *1970-01-01T00:00:00+00:00 / 7"], &[]);
    // Times of day.
    let day = "message m { required int64 q (TIME(NANOS,true)); required int64 a (TIME(MICROS,false)); required int64 b; required int32 g; }";
    write_table(day, [11_045_500_000_007, 11_045_500_000, 7])
        .expect(&["user: 03:04:05.500000007 -> *03:04:05.5 / 7"], &[]);
    // In lists, structures and maps, and numbers of 96 bits.
    let schema = "message m {
        required group q (LIST) { repeated group list { required int64 element (TIMESTAMP(NANOS,false)); } }
        required group a { required int64 t (TIMESTAMP(NANOS,true)); }
        required group b (MAP) { repeated group key_value { required binary key (UTF8); required int64 value (TIMESTAMP(NANOS,false)); } }
        required int96 g; }";
    table(&path, schema, |rows| {
        let mut list = rows.next_column().unwrap().unwrap();
        list.typed::<Int64Type>().write_batch(&[time], Some(&[1]), Some(&[0])).unwrap();
        list.close().unwrap();
        column::<Int64Type>(rows, &[time]);
        let mut key = rows.next_column().unwrap().unwrap();
        key.typed::<ByteArrayType>().write_batch(&texts(&["k"]), Some(&[1]), Some(&[0])).unwrap();
        key.close().unwrap();
        let mut value = rows.next_column().unwrap().unwrap();
        value.typed::<Int64Type>().write_batch(&[time], Some(&[1]), Some(&[0])).unwrap();
        value.close().unwrap();
        let mut midnight = Int96::new();
        // Nanoseconds of the day, and the day from that of Julius Scaliger.
        midnight.set_data(0, 0, 2_440_589);
        column::<Int96Type>(rows, &[midnight]);
    });
    let nested = "name = 't'\nkind = 'text'\ntext = '{{ q[0] }} {{ a.t }} {{ b.k }} {{ g }}'\n";
    let nested = write(folder.path(), "nested.toml", nested);
    let text = "2024-01-02T03:04:05.123456789";
    judge(nested.to_str().unwrap(), &path, "train")
        .expect(&[&format!(" -> *{text} {text}+00:00 {text} 1970-01-02T00:00:00")], &[]);
}

/// pandas writes NaN for missing numbers.
#[test]
fn numbers_that_are_not_finite() {
    let (folder, task) = folder();
    let path = folder.path().join("rows.parquet");
    let schema = "message m { required double q; required float a; required binary b; required double g; required double other; }";
    let (nan, infinite) = (f64::NAN, f64::INFINITY);
    table(&path, schema, |rows| {
        column::<DoubleType>(rows, &[0.5, nan, -infinite, 1.0, 2.0, 3.0]);
        column::<FloatType>(rows, &[1.5, 2.5, 3.5, f32::INFINITY, 4.5, 5.5]);
        column::<ByteArrayType>(rows, &texts(&["b"; 6]));
        column::<DoubleType>(rows, &[1.0, 0.0, 0.0, 0.0, nan, infinite]);
        column::<DoubleType>(rows, &[nan; 6]);
    });
    judge(&task, &path, "train").expect(
        &["user: 0.5 -> 1.5 / *b"],
        &[
            "row 2: `user`: text is needed here, but the value is NaN, not a number (the field `q`)",
            "row 3: `user`: text is needed here, but the value is -Infinity, not a finite number (the field `q`)",
            "row 4: `candidates`: text is needed here, but the value is Infinity, not a finite number (the field `a`)",
            "row 5: the row has no gold answer: `g` is missing, null, NaN, empty or -1",
            "row 6: `gold` needs text, but there is Infinity, not a finite number",
        ],
    );
    let task = "name = 't'\nkind = 'preference'\nprompt = 'b'\nanswer = '{{ a }}'\nscore = 'q'\n";
    let task = write(folder.path(), "s.toml", task);
    judge(task.to_str().unwrap(), &path, "train").expect(
        &["user: b -> *4.5 / 1.5", "user: b -> *5.5 / 1.5", "user: b -> *5.5 / 4.5"],
        &[
            "row 2: the field `q` (for `score`) is NaN, not a number",
            "row 3: the field `q` (for `score`) is -Infinity",
        ],
    );
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
