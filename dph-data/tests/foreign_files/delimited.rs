//! csv and tsv files of spreadsheets, pandas and GLUE.

use dph_data::Task;

use crate::common::write;
use crate::judge::{Judgement, judge};

const TASK: &str =
    "name = 't'\nkind = 'choice'\nuser = '{{ q }}'\ncandidates = ['{{ a }}', '{{ b }}']\ngold = 'g'\n";

#[track_caller]
fn read(task: &str, name: &str, content: impl AsRef<[u8]>) -> Judgement {
    let folder = tempfile::tempdir().unwrap();
    let task = write(folder.path(), "t.toml", task);
    let path = write(folder.path(), name, content);
    judge(task.to_str().unwrap(), &path, "train")
}

#[test]
fn quoted_fields_of_tsv_files() {
    let rows = "q\ta\tb\tg\r\n\"tab\tand \"\"quote\"\"\"\tx\ty\t1\r\n\"Q\"\tx\t\"y\r\nz\"\t0\r\n 5\" wide\tx\ty\t0\r\n";
    read(TASK, "rows.tsv", rows).expect(
        &["user: tab\tand \"quote\" -> x / *y", "user: Q -> *x / y\r\nz", "user:  5\" wide -> *x / y"],
        &[],
    );
    let rows = "\"q\"\t\"a\"\t\"b\"\t\"g\"\n\"one\n\n\"\t\"x\"\t\"y\"\t\"0\"\n";
    read(TASK, "rows.tsv", rows).expect(&["user: one\n\n -> *x / y"], &[]);
}

/// A quotation mark that is a character must not swallow the lines up to the next one in silence.
#[test]
fn raw_quotes_are_a_problem_or_said_by_the_task() {
    let rows = "q\ta\tb\tg\n\"Yes\tx\ty\t0\nno\tx\ty\t1\nShe \"said\" so\tx\ty\t0\n\"open\tx\ty\t1\n";
    let found = read(TASK, "rows.tsv", rows);
    found.expect(
        &[],
        &[
            "rows.tsv:2: a field begins with a quotation mark that does not end it (the row has 3 lines)",
            "`quotes = false`",
        ],
    );
    for field in ["\"Hi\" he said", "\"He said \\\"hi\\\"\""] {
        read(TASK, "rows.tsv", format!("q\ta\tb\tg\n{field}\tx\ty\t0\n"))
            .expect(&[], &["rows.tsv:2: ", "`quotes = false`"]);
    }
    let raw = format!("{TASK}quotes = false\n");
    read(&raw, "rows.tsv", rows).expect(
        &[
            "user: \"Yes -> *x / y",
            "user: no -> x / *y",
            "user: She \"said\" so -> *x / y",
            "user: \"open -> x / *y",
        ],
        &[],
    );
    read(TASK, "rows.csv", "q,a,b,g\n\"open,x,y,0\n")
        .expect(&[], &["rows.csv:2: a field begins with a quotation mark", "twice (\"\")"]);
    for field in ["\"He said \\\"hi\\\" ok\"", "\"abc\"def", "\"He said \"hi\"\""] {
        read(TASK, "rows.csv", format!("q,a,b,g\n{field},x,y,0\nQ,x,y,1\n")).expect(
            &["user: Q -> x / *y"],
            &["rows.csv:2: a field begins with a quotation mark that does not end it (the row has 1 line)"],
        );
    }
    // The key is for tsv files. GLUE's tasks read csv files of pandas as before.
    read(&raw, "rows.csv", "q,a,b,g\n\"a, b\",x,y,0\n").expect(&["user: a, b -> *x / y"], &[]);
}

#[test]
fn the_tasks_of_glue_read_raw_quotes() {
    for task in Task::names() {
        let source = Task::embedded_source(task).unwrap();
        let is_glue = source.contains("\"glue/");
        assert_eq!(
            source.lines().any(|line| line.starts_with("quotes") && line.ends_with("= false")),
            is_glue,
            "{task}"
        );
    }
}

#[test]
fn delimiters_of_other_names() {
    let expected = ["user: a, b -> *x / y"];
    for (name, rows) in [
        ("rows.csv", "q|a|b|g\na, b|x|y|0\n"),
        ("rows.csv", "q\ta\tb\tg\na, b\tx\ty\t0\n"),
        ("rows.tsv", "q;a;b;g\na, b;x;y;0\n"),
        ("rows.tsv", "q,a,b,g\n\"a, b\",x,y,0\n"),
        ("rows.tsv", "\u{FEFF}q|a|b|g\na, b|x|y|0\n"),
    ] {
        read(TASK, name, rows).expect(&expected, &[]);
    }
    // A comma inside of a quoted name is none.
    for rows in [
        "q;a;b;g;\"note, long\"\na, b;x;y;0;z\n",
        "\"note, long\";q;a;b;g\nz;a, b;x;y;0\n",
        "q|a; of x|\"note, long\"|a|b|g\na, b||z|x|y|0\n",
        "q; a;\"a \"\"note\"\", long\";b;g;a\na, b;;z;y;0;x\n",
    ] {
        read(TASK, "rows.csv", rows).expect(&expected, &[]);
    }
    // The header has commas: they count, and the message says what is there.
    read(TASK, "rows.csv", "q;a, b;g\nx;y;0\n")
        .expect(&[], &["rows.csv:2: 1 columns where the first line has 2"]);
    read(TASK, "rows.csv", "q;a,b;g\nx,y\n")
        .expect(&[], &["the row has no field `a` (for `candidates`); there is `q;a`, `b;g`"]);
    let one = "name = 't'\nkind = 'text'\ntext = '{{ text }}'\n";
    read(one, "rows.csv", "text\na; b\n").expect(&[" -> *a; b"], &[]);
}

/// pandas writes None as an empty field, which is no text that was written.
#[test]
fn empty_fields() {
    read(
        "name = 't'\nkind = 'preference'\n",
        "rows.csv",
        "prompt,chosen,rejected\nA,x,z\n,y,u\nB,,z\nC,x,\nD,x,\" \"\n",
    )
    .expect(
        &["user: A -> *x / z"],
        &[
            "rows.csv:3: `prompt` is empty",
            "rows.csv:4: `chosen` is empty",
            "rows.csv:5: `rejected` is empty",
            "rows.csv:6: `rejected` is empty",
        ],
    );
    read(TASK, "rows.tsv", "q\ta\tb\tg\n\tx\ty\t0\nQ\tx\t\t1\nQ\tx\ty\t0\n").expect(
        &["user: Q -> *x / y"],
        &["rows.tsv:2: the prompt is empty", "rows.tsv:3: candidate 2 is empty"],
    );
    let one = "name = 't'\nkind = 'instruction'\nuser = '{{ q }}'\ntarget = '{{ a }}'\n";
    read(one, "rows.csv", "q,a\n\" \",x\nQ,x\n")
        .expect(&["user: Q -> *x"], &["rows.csv:2: the prompt is empty"]);
    // JSON has null for a missing value, and an answer may be an empty text.
    read(
        "name = 't'\nkind = 'preference'\n",
        "rows.jsonl",
        r#"{"prompt": "A", "chosen": "x", "rejected": ""}"#,
    )
    .expect(&["user: A -> *x / "], &[]);
}

/// Spreadsheets write them behind the last row.
#[test]
fn rows_without_cells() {
    for (name, comma) in [("rows.csv", ","), ("rows.tsv", "\t")] {
        let rows = ["q,a,b,g", "Q,x,y,1", ",,,", ",,,,,,", "\"\",,,", "R,x,y", ""].join("\r\n");
        read(TASK, name, rows.replace(',', comma))
            .expect(&["user: Q -> x / *y"], &[&format!("{name}:6: 3 columns where the first line has 4")]);
    }
}

#[test]
fn bytes_of_nothing() {
    read(TASK, "rows.csv", "q,a,b,g\nQ,x,y,1\nR\0,x,y,1\n")
        .expect(&["user: Q -> x / *y"], &["rows.csv:3: the column `q` has NUL bytes"]);
    read(TASK, "rows.jsonl", "{\"q\": \"Q\", \"a\": \"x\", \"b\": \"y\", \"g\": 1}\n\0\0\0\0")
        .expect(&["user: Q -> x / *y"], &["rows.jsonl:2: not JSON: a NUL byte, which no text has"]);
    read("name = 't'\nkind = 'text'\ntext = '{{ text }}'\n", "rows.txt", "one\n<|endoftext|>\ntwo\0")
        .expect(&[" -> *one"], &["rows.txt:3: the document has NUL bytes"]);
}

/// cat joins files with their first lines and byte order marks.
#[test]
fn joined_files() {
    let one = "\u{FEFF}q,a,b,g\nq,x,y,0\n";
    let found = read(TASK, "rows.csv", format!("{one}{one}"));
    found.expect(
        &["user: q -> *x / y"; 2],
        &["rows.csv:3: the line begins with a byte order mark (U+FEFF), so that files were probably joined here; remove the mark, and the line if it names the columns"],
    );
    let one = &one['\u{FEFF}'.len_utf8()..];
    read(TASK, "rows.csv", format!("{one}\n{one}"))
        .expect(&["user: q -> *x / y"; 2], &["rows.csv:4: the line names the columns again, so that files were probably joined here; remove the line"]);
}

/// Spreadsheets may begin a file with the delimiter.
#[test]
fn files_that_begin_with_their_delimiter() {
    for line in ["sep=;", "SEP=;", "\"sep=;\""] {
        let rows = format!("\u{FEFF}{line}\r\nq;a;b;g\r\na, b;x;y;0\r\nopen;x\r\n");
        read(TASK, "rows.csv", rows)
            .expect(&["user: a, b -> *x / y"], &["rows.csv:4: 2 columns where the first line has 4"]);
    }
    read(TASK, "rows.csv", "sep=x,q,a,b,g\n1,q,x,y,0\n").expect(&["user: q -> *x / y"], &[]);
    read(TASK, "rows.csv", "sep=;\nq;q\n").expect(&[], &["rows.csv:2: two columns have the name `q`"]);
}

/// The number of a row is that of its first line, whatever ends lines.
#[test]
fn lines_have_their_numbers() {
    for end in ["\n", "\r\n", "\r"] {
        let rows =
            ["q,a,b,g", "\"one\n\nrow\",x,y,0", "", "short,x", "Q,x,y,1", "long,x,y,0,z", ""].join(end);
        let found = read(TASK, "rows.csv", rows);
        found.expect(
            &["user: one\n\nrow -> *x / y", "user: Q -> x / *y"],
            &["rows.csv:6: 2 columns", "rows.csv:8: 5 columns"],
        );
    }
}

#[test]
fn columns_of_one_name() {
    read(TASK, "rows.tsv", "q\tq\ta\tb\tg\n").expect(&[], &["rows.tsv:1: two columns have the name `q`"]);
    read(TASK, "rows.csv", "\"a\";b;a\n").expect(&[], &["rows.csv:1: two columns have the name `a`"]);
    // Spreadsheets write empty columns, pandas writes the index without a name.
    read(TASK, "rows.csv", ",q,a,b,g,,\n0,q,x,y,0,,\n").expect(&["user: q -> *x / y"], &[]);
}

#[test]
fn encodings_are_named() {
    for (text, says) in [(&b"It\x92s"[..], "Windows-1252"), (b"Caf\xE9", "Latin-1")] {
        read(TASK, "rows.csv", [b"q,a,b,g\n", text, b",x,y,0\n"].concat())
            .expect(&[], &[&format!("rows.csv:2: the column `q` is not UTF-8, but probably {says}")]);
    }
    read(TASK, "rows.csv", b"Gr\xF6\xDFe,a,b,g\nq,x,y,0\n")
        .expect(&[], &["rows.csv:1: the name of a column is not UTF-8"]);
    read(TASK, "rows.tsv", b"q\0\t\0a\0\n\0").expect(&[], &["not UTF-8, but UTF-16", "iconv -f utf-16le"]);
    read(TASK, "rows.csv", b"\xFE\xFF\0q\0,\0a").expect(&[], &["not UTF-8, but UTF-16", "iconv -f utf-16 "]);
    read(TASK, "rows.csv", b"\xFF\xFE\0\0q\0\0\0")
        .expect(&[], &["not UTF-8, but UTF-32", "iconv -f utf-32 "]);
    read("name = 't'\nkind = 'text'\ntext = '{{ text }}'\n", "rows.txt", b"Caf\xE9")
        .expect(&[], &["the document is not UTF-8, but probably Latin-1"]);
    // A file has one encoding, and its rows one advice.
    let rows = b"q,a,b,g\nQ,caf\xE9,y,0\nR,it\x92s,y,1\nS,\xC3\xA9,y,1\nT,\xE9\0,y,1\n";
    let found = read(TASK, "rows.csv", rows);
    found.expect(&["user: S -> é / *y"], &["rows.csv:5: the column `a` is not text: it holds zero bytes"]);
    for (line, problem) in found.problems.iter().enumerate().take(2) {
        let says = format!("rows.csv:{}: the column `a` is not UTF-8, but probably Windows-1252", line + 2);
        assert!(problem.contains(&says) && problem.contains("iconv -f windows-1252 "), "{problem}");
    }
    let found = read(
        "name = 't'\nkind = 'text'\ntext = '{{ text }}'\n",
        "rows.txt",
        b"Caf\xE9\n<|endoftext|>\nIt\x92s",
    );
    assert!(found.problems.iter().all(|problem| problem.contains("Windows-1252")), "{found:?}");
    read(TASK, "rows.jsonl", b"{\"q\": \"Caf\xE9\"}\n")
        .expect(&[], &["rows.jsonl:1: the text (column ", "is not UTF-8, but probably Latin-1"]);
}
