//! The inputs of `../shared/cases`, each with what is right for it.

use dph_core::testing::case_folder;
use serde_json::json;

use crate::judge::{Judgement, judge};

/// A file of a folder, read by the task `t.toml` beside it, or another one.
fn file(folder: &str, task: &str, file: &str) -> Option<Judgement> {
    let folder = case_folder(folder)?;
    let beside = folder.join(task);
    let task = if beside.is_file() { beside.to_str().unwrap() } else { task };
    Some(judge(task, &folder.join(file), "train"))
}

/// A test of one file: task, file, the documents, and texts of the problems.
macro_rules! cases {
    ($folder:literal; $($name:ident: $task:literal, $file:literal, $documents:expr, $problems:expr;)*) => { $(
        #[test]
        fn $name() {
            if let Some(judgement) = file($folder, $task, $file) {
                judgement.expect(&$documents, &$problems);
            }
        }
    )* };
}

const RED: &str = "user: Which is red? -> *rose / sky";
const BLUE: &str = "user: Which is blue? -> rose / *sky";
const PAIR: &str = "user: Who? -> *Ann. / Bob.";

cases! { "parquet";
    byte_arrays_are_text: "binary.toml", "binary.parquet", [RED, BLUE], [];
    decimals_without_fraction_are_integers: "decimalgold.toml", "decimalgold.parquet", [RED, BLUE], [];
    lists_of_lists: "nested2.toml", "nested2.parquet", [], ["row 1: `candidates` needs text, but there is a list"];
    views_of_texts: "view.toml", "view.parquet", [RED, BLUE], [];
}

#[test]
fn lists_of_lists_keep_their_form() {
    let Some(folder) = case_folder("parquet") else { return };
    let rows = dph_data::read_rows(&folder.join("nested2.parquet")).unwrap();
    let options: Vec<_> =
        rows.into_iter().map(|row| row.fields.unwrap().remove("options").unwrap()).collect();
    assert_eq!(options, [json!([["rose", "x"], []]), json!([["sky"], null])]);
}

cases! { "delimited";
    quotes_are_quotes: "t.toml", "quoted.tsv",
        ["user: He said \"hi\" -> *a, b / c", "user: two\nlines -> x / *y"],
        ["quoted.tsv:5: a field begins with a quotation mark that does not end it"];
    the_delimiter_is_evident: "t.toml", "semi.csv", ["user: Which? -> *x / y"], [];
    columns_of_one_name: "t.toml", "dup.csv", [], ["dup.csv:1: two columns have the name `a`"];
    latin1: "t.toml", "latin1.csv", ["user: Fine? -> x / *y"],
        ["latin1.csv:2: the column `q` is not UTF-8, but probably Latin-1"];
    utf16: "t.toml", "utf16.csv", [], ["UTF-16", "iconv -f utf-16"];
}

cases! { "json";
    numbers_of_python: "p.toml", "nan.jsonl", [],
        ["nan.jsonl:1: not JSON: `score` is NaN, which JSON lacks; write null", "nan.jsonl:2: not JSON: `score` is Infinity"];
    numbers_of_python_in_an_array: "p.toml", "nan.json", [], ["nan.json, row 1: not JSON: `score` is NaN"];
    a_table_by_columns: "p.toml", "columns.json", ["user: A -> *x / y", "user: B -> *x / y"], [];
    a_table_of_pandas: "p.toml", "pandas.json", ["user: A -> *x / y", "user: B -> *x / y"], [];
    objects_in_one_line: "p.toml", "concat.jsonl", [PAIR, PAIR], [];
    objects_over_several_lines: "p.toml", "pretty.jsonl", [PAIR, PAIR], [];
    splits_in_one_file: "p.toml", "split.json", [PAIR], [];
    half_a_surrogate_pair: "p.toml", "surrogate.jsonl", [PAIR], ["surrogate.jsonl:2: not JSON: ", "surrogate"];
}

cases! { "preference";
    a_column_with_the_system_message: "preference", "system_column.jsonl",
        ["system: Answer only in French. | user: Who wrote it? -> *Anne. / Bob."], [];
    a_system_message_in_the_prompt: "preference", "system_in_prompt.jsonl",
        ["system: In French. | user: Who? -> *A / B"], [];
    a_conversation_in_a_text: "preference", "json_string.jsonl", ["user: Who? -> *Anne. / Bob."], [];
    a_prompt_that_ends_with_the_assistant: "preference", "prompt_ends_assistant.jsonl", [],
        ["the prompt ends with a message of the assistant"];
    roles_in_capitals: "preference", "role_case.jsonl", ["user: Who wrote it? -> *Anne. / Bob."], [];
    an_unknown_role: "preference", "chatgpt.jsonl", [], ["message 1 in `rejected` has the unknown role `bing`; rename it to one of system, user (human, prompter), assistant (gpt, chatgpt, "];
    contents_of_parts: "preference", "parts.jsonl", ["user: Who? -> *Anne. / Bob."], [];
    a_content_that_is_null: "preference", "null_content.jsonl", [], ["message 2 in `prompt` (`assistant`) has the content null"];
}

cases! { "crlf-task";
    line_ends_of_windows: "t.toml", "t.jsonl", ["user: Question: Who?\nThink.\nAnswer: -> *a / b"], [];
}

const HUB: [&str; 3] = ["user: Q0 -> *a / b", "user: Q1 -> *a / b", "user: Q2 -> *a / b"];

cases! { "folders";
    one_shard: "preference", "plain", HUB, [];
    names_with_a_hash: "preference", "hash", HUB, [];
    a_folder_data: "preference", "data-folder", HUB, [];
    compressed_lines: "preference", "gz", HUB, [];
    newline_delimited: "preference", "ndjson", HUB[..2], [];
    names_in_capitals: "preference", "upper", HUB[..1], [];
    two_sets_of_shards: "preference", "two-sets", [],
        ["train-00000-of-00001.parquet and ", "train-00000-of-00002.parquet and 1 more"];
    a_shard_is_missing: "preference", "missing-shard", [], ["shard 1 of 2 (", "there is ", "train-00000-of-00002.parquet"];
    two_formats: "preference", "stale-jsonl", [], ["train.jsonl", "train-00000-of-00001.parquet"];
}
