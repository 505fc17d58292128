//! JSON as pandas, editors and scripts write it.

use crate::common::write;
use crate::judge::{Judgement, judge};

#[track_caller]
fn read(name: &str, content: &str) -> Judgement {
    let folder = tempfile::tempdir().unwrap();
    judge("preference", &write(folder.path(), name, content), "train")
}

const PAIR: &str = "{\"prompt\": \"Who?\", \"chosen\": \"Ann.\", \"rejected\": \"Bob.\"}";
const READ: &str = "user: Who? -> *Ann. / Bob.";

#[test]
fn numbers_of_python() {
    let bad = PAIR.replace('}', ", \"score\": [1.5, -Infinity]}");
    read("rows.jsonl", &format!("{bad}\n{PAIR}\n")).expect(
        &[READ],
        &["rows.jsonl:1: not JSON: value 2 of `score` is -Infinity, which JSON lacks; write null"],
    );
    let pretty = PAIR.replace(", ", ",\n  ").replace("\"Bob.\"", "NaN");
    read("rows.json", &format!("[{PAIR},\n{pretty},\n{PAIR}]"))
        .expect(&[READ, READ], &["rows.json, row 2: not JSON: `rejected` is NaN", "(line 4, column "]);
    read("rows.jsonl", &format!("{pretty}\n{PAIR}"))
        .expect(&[READ], &["rows.jsonl:1: not JSON: `rejected` is NaN", "(line 3, column "]);
    // It is a word in a text.
    read("rows.jsonl", &PAIR.replace("Bob", "NaN")).expect(&["user: Who? -> *Ann. / NaN."], &[]);
    read("rows.json", &format!("{{\"data\": [{bad}]}}"))
        .expect(&[], &["rows.json, row 1: not JSON: value 2 of `score` is -Infinity"]);
}

/// In a table, such a number is a problem of its row, which names the column.
#[test]
fn numbers_of_python_in_tables() {
    let says =
        "rows.json, row 2: not JSON: `score` is NaN, which JSON lacks; write null, or leave the field out";
    let columns = r#"{"prompt": ["A", "B", "NaN"], "chosen": ["x", "y", "u"], "rejected": ["z", "z", "v"], "score": [0.5, NaN, 1]}"#;
    let kept = ["user: A -> *x / z", "user: NaN -> *u / v"];
    read("rows.json", columns).expect(&kept, &[says]);
    let pandas = r#"{"prompt": {"3": "A", "17": "B", "18": "NaN"}, "chosen": {"3": "x", "17": "y", "18": "u"},
        "rejected": {"3": "z", "17": "z", "18": "v"}, "score": {"3": 0, "17": NaN, "18": -1}}"#;
    read("rows.json", pandas).expect(&kept, &[says]);
    let split = r#"{"columns": ["prompt", "chosen", "rejected", "score"], "data": [["A", "x", "z", 1], ["B", "y", "z", NaN], ["NaN", "u", "v", 0]]}"#;
    read("rows.json", split).expect(&kept, &[says]);
    read("rows.json", &format!("{{\"train\": {columns}, \"test\": []}}")).expect(&kept, &[says]);
    // Deeper, and the other numbers.
    let nested = columns.replace("[0.5, NaN, 1]", "[[0, 1], [2, {\"x\": -Infinity}], []]");
    read("rows.json", &nested).expect(&kept, &["row 2: not JSON: `x` of value 2 of `score` is -Infinity"]);
    // What else is wrong is named with its place.
    read("rows.json", &columns.replace("NaN, 1", "None, 1"))
        .expect(&[], &["rows.json:1: not JSON: None is Python, write null (value 2 of `score`, column "]);
    read("rows.json", &columns.replace("[0.5, NaN, 1]", "[NaN, 1")).expect(&[], &["rows.json:1: not JSON: "]);
}

/// What people write in place of JSON Lines gets a remedy.
#[test]
fn what_json_lines_are_not() {
    for (row, says) in [
        (format!("{PAIR},"), "a comma follows the object; JSON Lines have none between objects"),
        (PAIR.replace('"', "'"), "a key needs double quotation marks"),
        (PAIR.replace("\"Bob.\"", "'Bob.'"), "a text needs double quotation marks"),
        (PAIR.replace("\"Bob.\"", "None"), "None is Python, write null"),
        (PAIR.replace("\"Bob.\"", "nan"), "nan is Python, write null"),
        (PAIR.replace("\"Bob.\"", "False"), "False is Python, write false"),
    ] {
        read("rows.jsonl", &format!("{row}\n{PAIR}\n")).expect(&[READ], &["rows.jsonl:1: not JSON: ", says]);
    }
}

#[test]
fn halves_of_surrogate_pairs() {
    let bad = PAIR.replace("Bob", "\\ude00");
    read("rows.json", &format!("[{bad}, {PAIR}]"))
        .expect(&[READ], &["rows.json, row 1: not JSON: ", "surrogate"]);
    let bad = PAIR.replace("Bob", "\\ud83d\\n");
    read("rows.jsonl", &format!("{PAIR}{PAIR}\n{bad}\n{PAIR}"))
        .expect(&[READ, READ, READ], &["rows.jsonl:2: not JSON: "]);
}

/// serde_json would take the last one in silence.
#[test]
fn keys_that_are_there_twice() {
    let twice = PAIR.replace('}', ", \"chosen\": \"Eve.\"}");
    let says = "`chosen` is there twice; rename or remove one of them";
    let nested = PAIR.replace("\"Ann.\"", r#"[{"role": "assistant", "content": "Ann.", "role": "user"}]"#);
    for (name, text) in [
        ("rows.jsonl", format!("{twice}\n{PAIR}\n")),
        ("rows.jsonl", format!("{twice}{PAIR}")),
        ("rows.json", format!("[{twice}, {PAIR}]")),
        ("rows.json", format!("{twice}\n{PAIR}")),
        ("rows.json", format!("{{\"data\": [{twice}, {PAIR}]}}")),
        ("rows.json", format!("{{\"test\": [], \"train\": [{twice}, {PAIR}]}}")),
        ("rows.json", format!("{{\"0\": {twice}, \"1\": {PAIR}}}")),
    ] {
        read(name, &text).expect(&[READ], &[name, "1: ", says]);
    }
    read("rows.jsonl", &nested).expect(&[], &["rows.jsonl:1: `role` of value 1 of `chosen` is there twice"]);
    // Of the whole: columns, splits, and the only row.
    for (text, name) in [
        (r#"{"prompt": ["A"], "chosen": ["x"], "rejected": ["y"], "chosen": ["z"]}"#.to_owned(), "chosen"),
        (format!("{{\"train\": [{PAIR}], \"test\": [{PAIR}], \"train\": [{PAIR}]}}"), "train"),
        (twice, "chosen"),
    ] {
        read("rows.json", &text)
            .expect(&[], &[&format!("rows.json: `{name}` is there twice; rename or remove")]);
    }
    let pandas = r#"{"prompt": {"3": "A", "7": "B"}, "chosen": {"3": "x", "7": "y", "7": "u"}, "rejected": {"3": "z", "7": "z"}}"#;
    read("rows.json", pandas).expect(&["user: A -> *x / z"], &["rows.json, row 2: `chosen` is there twice"]);
}

#[test]
fn byte_order_marks_of_joined_files() {
    let mark = '\u{FEFF}';
    for (name, text) in [
        ("rows.jsonl", format!("{mark}{PAIR}\n{mark}{PAIR}\n{PAIR}{mark}{PAIR}\n{mark}\n")),
        ("rows.json", format!("{mark}[{PAIR},{mark}{PAIR}\n, {PAIR}, {PAIR}]{mark}\n")),
    ] {
        read(name, &text).expect(&[READ; 4], &[]);
    }
    let cut = &PAIR[..40];
    read("rows.jsonl", &format!("{PAIR}\n{cut}\n{mark}{PAIR}"))
        .expect(&[READ; 2], &["rows.jsonl:2: not JSON: EOF"]);
}

#[test]
fn rows_without_names() {
    read("rows.jsonl", "[\"A\", \"x\", \"y\"]\n[\"B\", \"x\", \"y\"]\n").expect(
        &[],
        &[
            "rows.jsonl:2: the row is not a JSON object",
            ", but an array, whose values have no names; write an object, or a csv file",
        ],
    );
}

#[test]
fn tables_by_columns() {
    let table = r#"{"prompt": ["A", "B"], "chosen": ["x", [{"role": "assistant", "content": "y"}]], "rejected": ["z", "z"]}"#;
    read("rows.json", table).expect(&["user: A -> *x / z", "user: B -> *y / z"], &[]);
    read("rows.json", &table.replace("[\"A\", \"B\"]", "[\"A\"]"))
        .expect(&[], &["different lengths: `prompt` 1, `chosen` 2, `rejected` 2"]);
    // pandas writes an index with gaps after rows were removed, and the table in other orientations.
    let table = r#"{"prompt": {"3": "A", "17": "B"}, "chosen": {"3": "x", "17": "y"}, "rejected": {"3": "z", "17": null}}"#;
    read("rows.json", table)
        .expect(&["user: A -> *x / z"], &["rows.json, row 2: the field `rejected` (for `rejected`) is null"]);
    let table = r#"{"columns": ["prompt", "chosen", "rejected"], "index": [0, 4], "data": [["A", "x", "z"], ["B", "y", "z"]]}"#;
    read("rows.json", table).expect(&["user: A -> *x / z", "user: B -> *y / z"], &[]);
    read("rows.json", &format!("{{\"0\": {PAIR}, \"1\": {PAIR}}}")).expect(&[READ, READ], &[]);
    let table = format!("{{\"schema\": {{\"fields\": []}}, \"data\": [{PAIR}]}}");
    read("rows.json", &table).expect(&[READ], &[]);
}

#[test]
fn splits_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let other = PAIR.replace("Who", "What");
    let path = write(
        folder.path(),
        "rows.json",
        format!("{{\"Train\": [{other}], \"dev\": [{PAIR}, {PAIR}], \"test\": []}}"),
    );
    judge("preference", &path, "validation").expect(&[READ, READ], &[]);
    judge("preference", &path, "train").expect(&["user: What? -> *Ann. / Bob."], &[]);
    judge("preference", &path, "test").expect(&[], &["is empty"]);
    let path = write(folder.path(), "rows.json", format!("{{\"train\": [{other}], \"test\": [{PAIR}]}}"));
    judge("preference", &path, "validation")
        .expect(&[], &["the splits `train`, `test`, but none is validation or valid or val or dev"]);
    // What is wrong in a split is told of its rows, and a split may be null or have another name.
    let split =
        |text: String, split: &str| judge("preference", &write(folder.path(), "rows.json", text), split);
    let bad = format!("{{\"train\": [{PAIR}, 5, {PAIR}], \"test\": [\"x\"]}}");
    split(bad.clone(), "train").expect(&[READ, READ], &["rows.json, row 2: the row is not a JSON object"]);
    split(bad, "test").expect(&[], &["rows.json, row 1: the row is not a JSON object"]);
    let null = format!("{{\"train\": [{PAIR}], \"validation\": null, \"test\": [{other}]}}");
    split(null.clone(), "train").expect(&[READ], &[]);
    split(null, "validation")
        .expect(&[], &["the split `validation` is null; write its rows, or leave it out"]);
    let names = format!("{{\"training\": [{PAIR}], \"validation\": [{PAIR}], \"dev\": [{PAIR}]}}");
    split(names.clone(), "train")
        .expect(&[], &["the splits `training`, `validation`, `dev`, but none is train"]);
    split(names, "validation")
        .expect(&[], &["`validation` and `dev` name the same split; remove one of them"]);
    // Columns may have the names of splits.
    let columns = "{\"train\": [\"a\", \"b\"], \"test\": [\"c\", \"d\"]}".to_owned();
    split(columns, "train")
        .expect(&[], &["row 1: the row has no field `chosen` (for `chosen`); there is `train`, `test`"]);
}

#[test]
fn objects_one_after_another() {
    let pretty = PAIR.replace(", ", ",\n    ").replace('{', "{\n    ").replace('}', "\n}");
    for (name, text) in [
        ("rows.jsonl", format!("{pretty}\n\n{PAIR} {PAIR}\r\n{pretty}{PAIR}")),
        ("rows.json", format!("{PAIR}\n{PAIR}\n{pretty}\n{PAIR}\n{pretty}")),
        ("rows.jsonl", format!("[\n{pretty},\n{PAIR}, {PAIR},{PAIR},{PAIR}]\n")),
    ] {
        read(name, &text).expect(&[READ; 5], &[]);
    }
    read("rows.json", &pretty).expect(&[READ], &[]);
    // A line that is cut does not hide the next.
    let cut = &PAIR[..40];
    let found = read("rows.jsonl", &format!("{cut}\n{PAIR}\n{{\"prompt\": [\n{PAIR}\n{PAIR},\n{PAIR}"));
    found.expect(
        &[READ; 3],
        &[
            "rows.jsonl:1: not JSON: EOF",
            "rows.jsonl:3: not JSON: EOF",
            "rows.jsonl:5: not JSON: a comma follows the object",
        ],
    );
}

/// What is wrong with one object of a line does not hide those behind it, or this is said.
#[test]
fn objects_in_one_line_with_a_bad_one() {
    let bad = PAIR.replace("\"Bob.\"", "NaN");
    let nan = |line: usize| format!("rows.jsonl:{line}: not JSON: `rejected` is NaN");
    for (end, line) in [("", 1), (" ", 1), ("\r", 2), ("\n", 2), ("\r\n", 2)] {
        read("rows.jsonl", &[PAIR, &bad, PAIR, PAIR].join(end)).expect(&[READ; 3], &[&nan(line)]);
    }
    let pretty = bad.replace(", ", ",\n");
    read("rows.jsonl", &format!("{pretty}{PAIR} {PAIR}\n{PAIR}")).expect(&[READ; 3], &[&nan(1)]);
    read("rows.json", &[PAIR, &bad, PAIR].join("\r"))
        .expect(&[READ; 2], &["rows.json, row 2: not JSON: `rejected` is NaN"]);
    let quotes = PAIR.replace("Bob", "\"Bob\"");
    read("rows.jsonl", &format!("{quotes}{PAIR}")).expect(&[READ], &["rows.jsonl:1: not JSON: "]);
    let comma = "a comma follows the object; JSON Lines have none between objects";
    read("rows.jsonl", &format!("{PAIR}, {PAIR}\n")).expect(&[READ], &["rows.jsonl:1: ", comma]);
    read("rows.jsonl", &format!("{bad}, {PAIR}\n")).expect(&[READ], &[&nan(1)]);
    // The end of such a row is not known.
    let lost = "; the objects behind it in the line cannot be read";
    let open = PAIR.replace("Bob", "B\"ob");
    read("rows.jsonl", &format!("{PAIR} {open} {PAIR}\n{PAIR}"))
        .expect(&[READ; 2], &["rows.jsonl:1: not JSON: ", lost]);
    read("rows.jsonl", &format!("{PAIR} x {PAIR}\n{PAIR}"))
        .expect(&[READ], &["rows.jsonl:1: not JSON: trailing characters", lost]);
}

/// Reading takes a time that grows with the length of the line, not with its square.
#[test]
fn very_many_objects_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let bad = PAIR.replace("\"Bob.\"", "NaN");
    for (name, row, is_read) in [
        ("a.jsonl", PAIR, true),
        ("b.json", PAIR, true),
        ("c.jsonl", &bad, false),
        ("d.jsonl", "{\"a\":\nNaN}", false),
    ] {
        let path = write(folder.path(), name, row.repeat(50_000));
        let rows = dph_data::read_rows(&path).unwrap();
        assert_eq!(rows.len(), 50_000, "{name}");
        assert!(rows.iter().all(|row| row.fields.is_ok() == is_read), "{name}");
    }
}

/// The end of a text that is cut is in its last line, not in an empty one behind it.
#[test]
fn texts_that_are_cut() {
    for (name, text, says) in [
        (
            "rows.json",
            format!("[{PAIR},\n{{\"prompt\": \"B\",\n"),
            "rows.json:2: not JSON: EOF while parsing a value (column 15); is the file complete?",
        ),
        (
            "rows.json",
            format!("[\n{PAIR},\n{PAIR}\n\n \n"),
            "rows.json:3: not JSON: EOF while parsing a list (column ",
        ),
        (
            "rows.json",
            "{\"data\": [\r\n  {\r\n".to_owned(),
            "rows.json:2: not JSON: EOF while parsing an object (column 3)",
        ),
        ("rows.json", format!("[{PAIR}"), "rows.json:1: not JSON: EOF while parsing a list (column "),
    ] {
        read(name, &text).expect(&[], &[says]);
    }
    read("rows.jsonl", &format!("{PAIR}\n{{\n \"prompt\": \"B\",\n\n"))
        .expect(&[READ], &["rows.jsonl:2: not JSON: EOF while parsing a value (line 3, column 15)"]);
}

/// A file is converted as a whole.
#[test]
fn texts_in_another_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let text: Vec<u8> = [PAIR.replace("Who", "caf\u{e9}"), PAIR.to_owned(), PAIR.replace("Who", "it\u{92}s")]
        .join("\n")
        .chars()
        .map(|c| c as u8)
        .collect();
    for (name, text) in [
        ("rows.jsonl", text.clone()),
        (
            "rows.json",
            [
                b"[",
                &text.iter().map(|byte| if *byte == b'\n' { b',' } else { *byte }).collect::<Vec<_>>()[..],
                b"]",
            ]
            .concat(),
        ),
    ] {
        let found = judge("preference", &write(folder.path(), name, text), "train");
        assert_eq!((found.documents.len(), found.problems.len()), (1, 2), "{found:?}");
        for problem in &found.problems {
            assert!(
                problem.contains("probably Windows-1252; convert the file (iconv -f windows-1252 "),
                "{problem}"
            );
        }
    }
}

#[test]
fn objects_that_hold_no_rows() {
    read("rows.json", "{\"a\": [{}], \"b\": [{}], \"c\": 1}")
        .expect(&[], &["rows are an array of objects", "this is an object with `a`, `b`, `c`"]);
    read("rows.json", "{\"prompt\": \"A\"}")
        .expect(&[], &["row 1: the row has no field `chosen` (for `chosen`); there is `prompt`"]);
    read("rows.json", "{\"x\": {\"a\": 1}, \"y\": {\"b\": 1}}")
        .expect(&[], &["an object of the objects `x`, `y`"]);
}

/// One that cannot be read does not hide the objects behind it.
#[test]
fn a_first_object_that_cannot_be_read() {
    let bad = PAIR.replace("\"Bob.\"", "None");
    read("rows.json", &format!("{bad}\n{PAIR}\n"))
        .expect(&[READ], &["rows.json, row 1: not JSON: None is Python, write null"]);
    read("rows.json", &format!("{}\n{PAIR}\n", bad.replace(", ", ",\n ")))
        .expect(&[READ], &["rows.json, row 1: not JSON: None is Python", "(`rejected`, line 3, column "]);
    // That of a table is one of the whole.
    read("rows.json", &format!("{{\"data\": [\n{PAIR},\n{bad}\n]}}")).expect(
        &[],
        &["rows.json:3: not JSON: None is Python, write null (`rejected` of value 2 of `data`, column "],
    );
}

/// A column is that of the line, as editors count it.
#[test]
fn columns_of_objects_within_a_line() {
    let bad = PAIR.replace("\"Bob.\"", "None");
    let column = |before: &str| before.len() + bad.find("None").unwrap() + 1;
    let (array, one) = (format!("[{PAIR}, "), format!("{PAIR} "));
    read("rows.json", &format!("{array}{bad}]"))
        .expect(&[READ], &[&format!("(`rejected`, line 1, column {})", column(&array))]);
    read("rows.jsonl", &format!("{one}{bad} {PAIR}\n")).expect(
        &[READ, READ],
        &[&format!(
            "rows.jsonl:1: not JSON: None is Python, write null (`rejected`, column {})",
            column(&one)
        )],
    );
}

#[test]
fn values_that_are_too_deep_are_named_in_short() {
    let deep = PAIR.replace('}', &format!(", \"more\": {}1{}}}", "[".repeat(200), "]".repeat(200)));
    let found = read("rows.jsonl", &format!("{deep}\n{PAIR}\n"));
    found.expect(&[READ], &["rows.jsonl:1: not JSON: more than 127 lists and objects inside of one another, which are not read (value 1 of"]);
    assert!(found.problems[0].len() < 250, "{}", found.problems[0]);
}
