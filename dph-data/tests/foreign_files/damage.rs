//! Files with damage: an error that names the file or other rows, and never a panic, a wait or much memory.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use dph_data::{ChatTokenizer, Message, Task, read_rows};
use flate2::write::GzEncoder;
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;
use tempfile::TempDir;

use crate::common::{world_tokenizer, write};

/// The longest time for all damages of a file.
const TIME: Duration = Duration::from_secs(120);

/// Memory of the whole process.
const MOST_MEMORY: usize = 1 << 30;

/// A table with texts, numbers, decimals, a list and missing values, in two row groups.
fn write_table(path: &Path, compression: Compression) {
    let schema = "message m { optional binary q (UTF8); required int32 g (DECIMAL(3,2)); optional int64 n; required boolean b;
                              optional group l (LIST) { repeated group list { optional double element; } } }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    for _ in 0..2 {
        let mut rows = writer.next_row_group().unwrap();
        macro_rules! column {
            ($type:ty, $values:expr, $definitions:expr, $repetitions:expr) => {
                let mut column = rows.next_column().unwrap().unwrap();
                column.typed::<$type>().write_batch($values, $definitions, $repetitions).unwrap();
                column.close().unwrap();
            };
        }
        let texts = ["one question", "one question", "another"].map(ByteArray::from);
        column!(ByteArrayType, &texts, Some(&[1, 0, 1, 1]), None);
        column!(Int32Type, &[0, 100, 150, -100], None, None);
        column!(Int64Type, &[7, i64::MIN], Some(&[1, 0, 0, 1]), None);
        column!(BoolType, &[true, false, true, true], None, None);
        column!(DoubleType, &[0.5, -1.0, 2.0], Some(&[3, 2, 3, 0, 1, 3]), Some(&[0, 1, 1, 0, 0, 0]));
        rows.close().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn parquet_with_any_byte_changed() {
    let folder = tempfile::tempdir().unwrap();
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
        let path = folder.path().join("rows.parquet");
        write_table(&path, compression);
        let whole = fs::read(&path).unwrap();
        assert!(read_rows(&path).unwrap().iter().all(|row| row.fields.is_ok()));
        let (done, progress) = mpsc::channel();
        // The place of the damage is told before it is read, so that one without an end is known.
        std::thread::spawn(move || {
            for at in 0..whole.len() {
                for byte in [0, 0xFF, whole[at] ^ 1, whole[at] ^ 0x10, whole[at] ^ 0x80] {
                    let mut bytes = whole.clone();
                    bytes[at] = byte;
                    fs::write(&path, &bytes).unwrap();
                    done.send(format!("byte {at} of {} is {byte}", bytes.len())).unwrap();
                    if let Err(error) = read_rows(&path) {
                        assert!(error.to_string().contains("rows.parquet"), "{error}");
                    }
                }
            }
            for length in 0..whole.len() {
                fs::write(&path, &whole[..length]).unwrap();
                done.send(format!("{length} of {} bytes", whole.len())).unwrap();
                assert!(read_rows(&path).is_err());
            }
            done.send("END".to_owned()).unwrap();
        });
        let mut last = String::new();
        while last != "END" {
            last = progress.recv_timeout(TIME).unwrap_or_else(|_| panic!("no end: {last}"));
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<usize>().ok());
        assert!(peak.is_none_or(|peak| peak << 10 < MOST_MEMORY), "{peak:?} kB");
    }
}

/// A footer with more rows than the pages have would be rows of nothing, without an end.
#[test]
fn parquet_whose_row_counts_differ() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write_table(&path, Compression::UNCOMPRESSED);
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    // Every number of the footer that may be 4 or 8, as a number of several bytes.
    let footer = |bytes: &[u8]| {
        let end = bytes.len() - 8;
        (end, u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()))
    };
    let (end, length) = footer(&whole);
    for at in end - length as usize..end {
        if !matches!(whole[at], 8 | 16) {
            continue;
        }
        let huge = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
        let mut bytes = [&whole[..at], &huge, &whole[at + 1..]].concat();
        let (end, length) = footer(&bytes);
        bytes[end..end + 4].copy_from_slice(&(length + huge.len() as u32 - 1).to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        if let Err(error) = read_rows(&path) {
            refused += usize::from(error.to_string().contains("rows, but"));
        }
    }
    // The number of rows of the file and of each row group.
    assert!(refused >= 3, "{refused}");
}

/// What happens to a file: bytes that change, and perhaps a place at which it ends or is continued with something of itself.
type Damage = (Vec<(Index, u8)>, Option<Index>, Option<(Index, Index)>);

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..5);
    let cut = prop::option::weighted(0.3, any::<Index>());
    let copy = prop::option::weighted(0.3, any::<(Index, Index)>());
    (bytes, cut, copy)
}

fn damaged(whole: &[u8], (changed, cut, copy): &Damage) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for (at, byte) in changed {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    if let Some((from, to)) = copy {
        let part = bytes[from.index(bytes.len())..].iter().copied().take(40).collect::<Vec<_>>();
        let to = to.index(bytes.len());
        bytes.splice(to..to, part);
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes
}

/// Files of every format of rows.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let rows =
        [json!({ "a": "é\n\"x\"", "b": [1, { "c": null }], "d": 1.5 }), json!({ "a": "", "b": [], "d": -7 })];
    let lines = format!("{}\n{:#}\n", rows[0], rows[1]);
    let folder = tempfile::tempdir().unwrap();
    let parquet = folder.path().join("rows.parquet");
    write_table(&parquet, Compression::SNAPPY);
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(lines.as_bytes()).unwrap();
    vec![
        ("rows.jsonl", lines.clone().into_bytes()),
        ("rows.json", json!(rows).to_string().into_bytes()),
        ("table.json", json!({ "a": ["x", "y"], "b": { "0": 1, "1": 2 } }).to_string().into_bytes()),
        ("rows.csv", b"a;b\n\"x;\"\"y\"\"\";\"1\n2\"\n\xC3\xA9;z\n".to_vec()),
        ("rows.tsv", b"a\tb\r\n\"x\ty\"\tz\r\n1\t2\r\n".to_vec()),
        ("rows.txt", b"one\n<|endoftext|>\ntwo\r\nthree\n".to_vec()),
        ("rows.jsonl.gz", gzip.finish().unwrap()),
        ("rows.parquet", fs::read(parquet).unwrap()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_with_damage(damage in damage()) {
        static FILES: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(files);
        let folder = tempfile::tempdir().unwrap();
        for (name, whole) in FILES.iter() {
            let path = write(folder.path(), name, damaged(whole, &damage));
            if let Err(error) = read_rows(&path) {
                prop_assert!(error.to_string().contains(name), "{}", error);
            }
        }
    }

    #[test]
    fn tasks_with_damage(task in any::<Index>(), damage in damage()) {
        let names: Vec<&str> = Task::names().collect();
        let source = Task::embedded_source(names[task.index(names.len())]).unwrap();
        let text = String::from_utf8_lossy(&damaged(source.as_bytes(), &damage)).into_owned();
        let row = json!({ "question": "q", "answer": "a", "label": 0 });
        if let Ok(task) = Task::parse(&text, "task.toml") {
            drop(task.document(row.as_object().unwrap()));
        }
    }

    #[test]
    fn tokenizers_with_damage(file in 0..2_usize, damage in damage()) {
        static TOKENIZER: LazyLock<TempDir> = LazyLock::new(|| world_tokenizer().0);
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(TOKENIZER.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let name = ["tokenizer.json", "tokenizer_config.json"][file];
        let whole = fs::read(folder.path().join(name)).unwrap();
        write(folder.path(), name, damaged(&whole, &damage));
        if let Ok(tokenizer) = ChatTokenizer::from_dir(folder.path()) {
            drop(tokenizer.prompt(&[Message::user("Who?")]));
        }
    }
}
