//! JSON files that hold one object: a table of pandas, or a single row.

use serde_json::{Value as Json, json};

use crate::common::write;
use crate::judge::{Judgement, judge};

#[track_caller]
fn read(value: &Json) -> Judgement {
    read_as("preference", value)
}

/// `task` is a name or the text of a task.
#[track_caller]
fn read_as(task: &str, value: &Json) -> Judgement {
    let folder = tempfile::tempdir().unwrap();
    let task = match task.contains('\n') {
        true => write(folder.path(), "t.toml", task).to_str().unwrap().to_owned(),
        false => task.to_owned(),
    };
    judge(&task, &write(folder.path(), "rows.json", format!("{value:#}")), "train")
}

const ROWS: [&str; 2] = ["user: A -> *x / u", "user: B -> *y / v"];
const CHOICE: &str = "name = 't'\nkind = 'choice'\nuser = '{{ q }}'\ncandidates = 'o'\ngold = 'g'\n";
const TALK: &str = "name = 't'\nkind = 'instruction'\nmessages = 'messages'\n";

fn row(values: [&str; 3]) -> Json {
    json!({ "prompt": values[0], "chosen": values[1], "rejected": values[2] })
}

fn user(content: &str) -> Json {
    json!({ "role": "user", "content": content })
}

fn assistant(content: &str) -> Json {
    json!({ "role": "assistant", "content": content })
}

/// What `to_json` writes for a table whose index is text or dates.
#[test]
fn tables_of_pandas_with_an_index() {
    let (first, second) = (row(["A", "x", "u"]), row(["B", "y", "v"]));
    for [a, b] in [
        ["a", "b"],
        ["q1", "10"],
        ["2024-01-01T00:00:00.000", "2024-01-02T00:00:00.000"],
        ["1704067200000", "1704153600000"],
    ] {
        let column = |one: &str, two: &str| json!({ a: one, b: two });
        let columns =
            json!({ "prompt": column("A", "B"), "chosen": column("x", "y"), "rejected": column("u", "v") });
        read(&columns).expect(&ROWS, &[]);
        read(&json!({ a: first, b: second })).expect(&ROWS, &[]);
        read(&json!({ "train": { a: first, b: second }, "test": null })).expect(&ROWS, &[]);
        let split = json!({ "columns": ["prompt", "chosen", "rejected"], "index": [a, b], "data": [["A", "x", "u"], ["B", "y", "v"]] });
        read(&split).expect(&ROWS, &[]);
    }
    // Another order of the keys, one row, one column, and objects and lists in the cells.
    let other = json!({ "prompt": { "a": "A", "b": "B" }, "chosen": { "b": "y", "a": "x" }, "rejected": { "a": "u", "b": "v" } });
    read(&other).expect(&ROWS, &[]);
    read(&json!({ "q1": first })).expect(&ROWS[..1], &[]);
    read_as("name = 't'\nkind = 'text'\ntext = '{{ text }}'\n", &json!({ "text": { "a": "x", "b": "y" } }))
        .expect(&[" -> *x", " -> *y"], &[]);
    let cells = json!({ "prompt": { "a": [user("A")] }, "chosen": { "a": assistant("x") }, "rejected": { "a": "u" } });
    read(&cells).expect(&ROWS[..1], &[]);
    let choice = json!({ "q": { "a": "A" }, "o": { "a": ["x", "u"] }, "g": { "a": 0 } });
    read_as(CHOICE, &choice).expect(&ROWS[..1], &[]);
    // What is wrong is a problem of its row.
    let wrong = json!({ "prompt": { "a": 5, "b": "B" }, "chosen": { "a": "x", "b": "y" }, "rejected": { "a": "u", "b": "v" } });
    read(&wrong).expect(&ROWS[1..], &["rows.json, row 1: the field `prompt` must be text or messages"]);
    let lacks = json!({ "a": first, "b": { "prompt": "B", "chosen": "y" } });
    read(&lacks).expect(&ROWS[..1], &["rows.json, row 2: the row has no field `rejected`"]);
}

/// Where neither reading or both are rows of the task.
#[test]
fn tables_whose_orientation_is_not_known() {
    let remedy = "write df.to_json(FILE, orient=\"records\", lines=True)";
    read(&json!({ "a": { "x": "A", "y": "B" }, "b": { "x": "C", "y": "D" } })).expect(
        &[],
        &["an object of the objects `a`, `b`, and neither these nor their columns may be rows", remedy],
    );
    let both = json!({ "prompt": row(["A", "x", "u"]), "chosen": row(["B", "y", "v"]), "rejected": row(["C", "z", "w"]) });
    read(&both).expect(
        &[],
        &["`prompt`, `chosen`, `rejected`, and both these and their columns may be rows", remedy],
    );
}

/// The table of `to_json(orient="split")`.
#[test]
fn rows_of_values_with_names() {
    let table = json!({ "columns": ["prompt", "chosen", "rejected"], "data": [["A", "x", "u"], ["B", "y"], 5, ["B", "y", "v"]] });
    read(&table).expect(
        &ROWS,
        &[
            "rows.json, row 2: the row is 2 values in `data`, where `columns` names 3 values",
            "rows.json, row 3: the row is a number in `data`",
        ],
    );
    let numbers = "name = 't'\nkind = 'text'\ntext = \"{{ rows_[0] if rows_ is defined else 'none' }}\"\n";
    read_as(numbers, &json!({ "columns": [0, "rows_"], "index": [7], "data": [["x", ["y"]]] }))
        .expect(&[" -> *y"], &[]);
    // Columns of these names.
    let task = "name = 't'\nkind = 'text'\ntext = '{{ columns }} {{ data }}'\n";
    read_as(task, &json!({ "columns": ["a", "b"], "data": ["x", "y"] }))
        .expect(&[" -> *a x", " -> *b y"], &[]);
}

/// An object whose fields are conversations is a row.
#[test]
fn single_rows_of_conversations() {
    let conversation = |answer: &str| json!([user("A"), assistant(answer)]);
    let answer = |answer: &str| json!([assistant(answer)]);
    for row in [
        json!({ "chosen": conversation("x"), "rejected": conversation("u") }),
        json!({ "prompt": "A", "chosen": conversation("x"), "rejected": conversation("u") }),
        json!({ "prompt": [user("A")], "chosen": "x", "rejected": "u" }),
        json!({ "prompt": [user("A")], "chosen": answer("x"), "rejected": answer("u") }),
        json!({ "id": "r", "prompt": [user("A")], "chosen": answer("x"), "rejected": answer("u") }),
        json!({ "prompt": user("A"), "chosen": assistant("x"), "rejected": assistant("u") }),
        json!({ "prompt": [user("A")], "chosen": "x", "rejected": "u", "tags": [] }),
    ] {
        read(&row).expect(&ROWS[..1], &[]);
    }
    let turns = json!([user("A"), assistant("x"), user("B")]);
    read(&json!({ "prompt": turns, "chosen": answer("y"), "rejected": answer("v") }))
        .expect(&["user: A | assistant: x | user: B -> *y / v"], &[]);
    let said = ["user: A -> *x"];
    read_as(TALK, &json!({ "messages": conversation("x") })).expect(&said, &[]);
    read_as(TALK, &json!({ "id": 7, "messages": conversation("x"), "tools": [] })).expect(&said, &[]);
    let share = json!([{ "from": "human", "value": "A" }, { "from": "gpt", "value": "x" }]);
    read_as(&TALK.replace("'messages'", "'conversations'"), &json!({ "conversations": share, "id": "c" }))
        .expect(&said, &[]);
    // What is wrong is told of the row.
    read(&json!({ "messages": conversation("x") })).expect(
        &[],
        &["rows.json, row 1: the row has no field `chosen` (for `chosen`); there is `messages`"],
    );
    read(&json!({ "chosen": [user("A"), user("B")], "rejected": conversation("u") })).expect(
        &[],
        &["rows.json, row 1: the conversation in `chosen` does not end with an assistant's message"],
    );
    read(&json!({ "prompt": turns, "chosen": answer("y"), "rejected": [user("z")] }))
        .expect(&[], &["rows.json, row 1: the conversation in `rejected` does not end"]);
}

/// Other single rows with lists.
#[test]
fn single_rows_with_lists() {
    let said = ["user: A -> x / *u"];
    read_as(CHOICE, &json!({ "q": "A", "o": ["x", "u"], "g": 1 })).expect(&said, &[]);
    read_as(CHOICE, &json!({ "q": "A", "o": ["x", "u"], "g": 1, "labels": ["a", "b"], "more": [] }))
        .expect(&said, &[]);
    read_as(CHOICE, &json!({ "q": "A", "o": ["x", "u"], "g": 2 })).expect(&[], &["rows.json, row 1: ", "2"]);
    let turns =
        "name = 't'\nkind = 'instruction'\nturns = 'talk'\nuser = '{{ turn.q }}'\ntarget = '{{ turn.a }}'\n";
    read_as(turns, &json!({ "id": 1, "talk": [{ "q": "A", "a": "x" }, { "q": "B", "a": "y" }] }))
        .expect(&["user: A | assistant: x | user: B -> *y"], &[]);
    let nested = format!("{CHOICE}rows = 'all'\n");
    let parts = json!([{ "q": "A", "o": ["x", "u"], "g": 0 }, { "q": "B", "o": ["y", "v"], "g": 0 }]);
    read_as(&nested, &json!({ "title": "t", "all": parts })).expect(&ROWS, &[]);
    read_as(&nested, &json!({ "data": [{ "title": "t", "all": parts }] })).expect(&ROWS, &[]);
}

/// Columns are still columns, also of conversations.
#[test]
fn tables_by_columns_with_conversations() {
    read(
        &json!({ "prompt": ["A", "B"], "chosen": [assistant("x"), assistant("y")], "rejected": ["u", "v"] }),
    )
    .expect(&ROWS, &[]);
    read(&json!({ "prompt": [user("A"), user("B")], "chosen": [assistant("x"), assistant("y")], "rejected": ["u", "v"] }))
        .expect(&ROWS, &[]);
    read_as(TALK, &json!({ "messages": [[user("A"), assistant("x")], [user("B"), assistant("y")]] }))
        .expect(&["user: A -> *x", "user: B -> *y"], &[]);
    read_as(TALK, &json!({ "data": [{ "messages": [user("A"), assistant("x")] }] }))
        .expect(&["user: A -> *x"], &[]);
}

#[test]
fn columns_that_are_no_lists() {
    let table = |name: &str, value: Json| {
        let mut table = json!({ "prompt": ["A", "B"], "chosen": ["x", "y"], "rejected": ["u", "v"] });
        table[name] = value;
        table
    };
    for (name, value, kind) in [
        ("source", json!("web"), "text"),
        ("score", json!(5), "a number"),
        ("prompt", json!("Q"), "text"),
        ("chosen", json!({ "0": "x", "1": "y" }), "an object"),
    ] {
        let says = format!(
            "this is a table by columns, but the field `{name}` is {kind}; it must be a list of 2 values, as `"
        );
        read(&table(name, value)).expect(&[], &[&says]);
    }
    let columns = json!({ "prompt": 5, "chosen": ["x", "y"], "rejected": ["u", "v"] });
    read(&columns).expect(&[], &["row 1: "]);
    read(&json!({ "prompt": 5, "chosen": "x", "rejected": "u" }))
        .expect(&[], &["rows.json, row 1: the field `prompt` must be text or messages", "but is a number"]);
}
