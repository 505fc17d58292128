//! Transcripts of HH-RLHF as other programs leave them.

use serde_json::json;

use crate::common::write;
use crate::judge::{Judgement, judge};

#[track_caller]
fn read(prompt: &str, chosen: &str, rejected: &str) -> Judgement {
    let folder = tempfile::tempdir().unwrap();
    let row = json!({ "prompt": prompt, "chosen": chosen, "rejected": rejected });
    judge("preference", &write(folder.path(), "rows.jsonl", row.to_string()), "train")
}

const WITHOUT_SYSTEM: &str = "\n\nHuman: Q\n\nAssistant: A\n\nHuman: R\nS";
const WITH_SYSTEM: &str = "\n\nSystem: Be kind.\n\nHuman: Q\n\nAssistant: A\n\nHuman: R\nS";

/// The same text without blank lines at its beginning, with the line ends of Windows, or both.
fn forms(text: &str) -> [String; 4] {
    let windows = text.replace('\n', "\r\n");
    [text.to_owned(), text.trim_start().to_owned(), windows.clone(), windows.trim_start().to_owned()]
}

#[test]
fn forms_of_transcripts() {
    for (transcript, system) in [(WITHOUT_SYSTEM, ""), (WITH_SYSTEM, "system: Be kind. | ")] {
        let turns = |of: &str| format!("{system}user: Q | assistant: A | user: {of} -> *x / y");
        for text in forms(transcript) {
            let end = if text.contains("\r\n") { "\r\n\r\n" } else { "\n\n" };
            // The prompt, with or without the beginning of the answer.
            read(&text, "x", "y").expect(&[&turns("R\nS")], &[]);
            read(&format!("{text}{end}Assistant:"), "x", "y").expect(&[&turns("R\nS")], &[]);
            // The answers.
            let whole = |answer: &str| format!("{text}{end}Assistant: {answer}");
            read("", &whole("x"), &whole("y")).expect(&[&turns("R\nS")], &[]);
        }
    }
    let last = "Human: Q\n\nAssistant:";
    read(last, "x", "y").expect(&["user: Q -> *x / y"], &[]);
}

#[test]
fn texts_that_are_no_transcripts() {
    for text in [
        "Assistant: x",
        "System: S",
        "\n\nSystem: S",
        "Human: Q\nAssistant:",
        "HUMAN: Q\n\nASSISTANT:",
        "User: Q\n\nAssistant:",
        "Humans: Q\n\nAssistant:",
        "Q\n\nHuman: R\n\nAssistant:",
    ] {
        read(text, "x", "y").expect(&[&format!("user: {text} -> *x / y")], &[]);
    }
    // The form of Alpaca with its answer is a plain text, as it always was.
    let alpaca = "### Instruction:\nQ\n\n### Response:\n";
    read(alpaca, "x", "y").expect(&[&format!("user: {alpaca} -> *x / y")], &[]);
    for text in ["Human: Q", " \nHuman: Q\nR", "### Human: Q", "### Instruction:\nQ\n\n### Input:\nR"] {
        let mark = text.trim_start().split_inclusive(':').next().unwrap();
        let says = format!("rows.jsonl:1: the prompt begins with `{mark}`, but has no `");
        read(text, "x", "y").expect(&[], &[&says, "so that it is half of a conversation"]);
    }
    // The mark of the user alone is one if blank lines precede it.
    read("\n\nHuman: Q", "x", "y").expect(&["user: Q -> *x / y"], &[]);
    read("Q", "Human: x", "Assistant: y").expect(&["user: Q -> *Human: x / Assistant: y"], &[]);
}
