//! Conversations with chat templates against the tokens of transformers (`golden/chat`).
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;

use dph_core::testing::{Golden, list, say, tokenizer_folder_in};
use dph_data::{CandidateSet, ChatError, ChatTokenizer, Message};
use rayon::prelude::*;
use serde_json::{Value as Json, json};

#[test]
fn golden_chat_tokens_and_answers() {
    let golden = Golden::open();
    let Some(json) = golden.json("chat/chat.json") else { return };
    let cases = list(&json["cases"]);
    // Cases with the same tokenizer and template load it once.
    let mut groups = BTreeMap::<String, Vec<&Json>>::new();
    for case in cases {
        let edits = EDITS.map(|key| case.get(key));
        groups.entry(json!(edits).to_string()).or_default().push(case);
    }
    let groups: Vec<Vec<&Json>> = groups.into_values().collect();
    let results: Vec<Option<(&Json, Result<(), String>)>> = groups
        .par_iter()
        .flat_map(|cases| {
            let Some(folder) = folder(&golden, cases[0]) else { return vec![None] };
            let tokenizer = ChatTokenizer::from_dir(folder.path());
            cases.iter().map(|case| Some((*case, check(case, &tokenizer)))).collect()
        })
        .collect();
    // Without the tokenizers, which is reported.
    if results.iter().any(Option::is_none) {
        return;
    }
    let ran = results.len();
    let mut wrong = BTreeMap::<String, Vec<String>>::new();
    for (case, result) in results.into_iter().flatten() {
        if let Err(problem) = result {
            let name = case["name"].as_str().unwrap_or_default();
            let kind = name.split('/').next().unwrap_or_default();
            wrong.entry(kind.to_owned()).or_default().push(format!("{name}: {problem}"));
        }
    }
    let count: usize = wrong.values().map(Vec::len).sum();
    say(&format!("GOLDEN chat: {} of {ran} cases have the tokens of transformers", ran - count));
    let shown: Vec<&String> = wrong.values().flat_map(|problems| problems.iter().take(3)).collect();
    assert!(wrong.is_empty(), "{count} of {ran} cases differ, the first of each kind:\n{shown:#?}");
}

/// The keys of a case on which its tokenizer depends.
const EDITS: [&str; 6] =
    ["tokenizer", "added_tokens", "drop_added", "tokenizer_json", "tokenizer_config", "template"];

/// A copy of the tokenizer of a case with its edits.
fn folder(golden: &Golden, case: &Json) -> Option<tempfile::TempDir> {
    let name = case["tokenizer"].as_str().unwrap();
    let folder = tokenizer_folder_in(&golden.folder.join("../data/tokenizers"), name)?;
    let path = |file: &str| folder.path().join(file);
    let read = |file: &str| -> Json {
        fs::read(path(file)).map_or_else(
            |_| Json::Object(Default::default()),
            |bytes| serde_json::from_slice(&bytes).unwrap(),
        )
    };
    let keys = ["added_tokens", "drop_added", "tokenizer_json"];
    if keys.iter().any(|key| case.get(*key).is_some_and(|edit| !edit.is_null())) {
        let mut tokenizer = read("tokenizer.json");
        let added = tokenizer["added_tokens"].as_array_mut().unwrap();
        if let Some(dropped) = case["drop_added"].as_array() {
            added.retain(|token| !dropped.contains(&token["content"]));
        }
        added.extend(case["added_tokens"].as_array().into_iter().flatten().cloned());
        merge(&mut tokenizer, &case["tokenizer_json"]);
        fs::write(path("tokenizer.json"), tokenizer.to_string()).unwrap();
    }
    let mut config = read("tokenizer_config.json");
    merge(&mut config, &case["tokenizer_config"]);
    if let Some(template) = case["template"].as_str() {
        config["chat_template"] = template.into();
    }
    fs::write(path("tokenizer_config.json"), config.to_string()).unwrap();
    Some(folder)
}

fn merge(into: &mut Json, edits: &Json) {
    for (key, value) in edits.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}

fn check(case: &Json, tokenizer: &Result<ChatTokenizer, ChatError>) -> Result<(), String> {
    let messages: Vec<Message> = serde_json::from_value(case["messages"].clone()).unwrap();
    let candidates: Vec<String> = serde_json::from_value(case["candidates"].clone()).unwrap();
    let set = match tokenizer {
        Ok(tokenizer) => {
            tokenizer.candidate_set("", &messages, &candidates, None).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    match case["error"].as_str() {
        Some(word) => match set {
            Err(error) if error.to_lowercase().contains(&word.to_lowercase()) => Ok(()),
            other => Err(format!("{other:?} has no word {word:?}")),
        },
        None => same(&set?, list(&case["expected"])),
    }
}

fn same(set: &CandidateSet, expected: &[Json]) -> Result<(), String> {
    for (index, (candidate, expected)) in set.candidates.iter().zip(expected).enumerate() {
        let ids: Vec<u32> = serde_json::from_value(expected["ids"].clone()).unwrap();
        let answer: [usize; 2] = serde_json::from_value(expected["answer"].clone()).unwrap();
        let ours: Vec<u32> = set.prompt.iter().chain(&candidate.tokens).copied().collect();
        if ours != ids {
            return Err(format!("candidate {index} has the tokens {ours:?}, not {ids:?}"));
        }
        let before = set.prompt.len();
        let range = [before + candidate.answer.start, before + candidate.answer.end];
        if range != answer {
            return Err(format!("the answer of candidate {index} is {range:?}, not {answer:?}, in {ids:?}"));
        }
    }
    if set.candidates.len() == expected.len() { Ok(()) } else { Err("candidates are missing".to_owned()) }
}
