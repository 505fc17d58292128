//! Rendered messages, tokens and masks against those of the paper's authors (`golden/formatter`).
#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write as _;

use common::Golden;
use dph_data::{ChatOptions, ChatTokenizer, Document, Message, Supervise, Task, TokenData};
use serde_json::Value as Json;

/// Their name of each task and ours.
const TASKS: [(&str, &str); 11] = [
    ("hellaswag/no_choice", "hellaswag"),
    ("hellaswag/choice", "hellaswag_choice"),
    ("obqa/main", "openbookqa"),
    ("winogrande/no_choice", "winogrande"),
    ("arc/easy", "arc_easy"),
    ("arc/challenge", "arc_challenge"),
    ("super_glue/boolq", "boolq"),
    ("piqa/no_choice", "piqa"),
    ("race/middle", "race_middle"),
    ("race/high", "race_high"),
    ("glue/sst2", "sst2"),
];

#[test]
fn golden_messages() {
    let golden = Golden::find();
    let Some(formatter) = golden.json("formatter/dph.json") else { return };
    for_each_task(&golden, &formatter, |name, task, theirs| {
        for (index, case) in theirs["docs"].as_array().unwrap().iter().enumerate() {
            let what = format!("{name}, document {index}");
            let document = task
                .document(case["doc"].as_object().unwrap())
                .unwrap_or_else(|problem| panic!("{what}: {problem}"));
            assert_eq!(document.gold, gold(case), "{what}");

            let all: Vec<_> =
                (0..document.candidates.len()).map(|i| document.conversation(i).unwrap()).collect();
            assert_eq!(all, conversations(&case["unlabelled"]), "{what}");
            if let Some(gold) = document.gold {
                assert_eq!(vec![all[gold].clone()], conversations(&case["target"]), "{what}");
                let wrong: Vec<_> = (0..all.len()).filter(|i| *i != gold).map(|i| all[i].clone()).collect();
                assert_eq!(wrong, conversations(&case["distractor"]), "{what}");
            }
            let mut opened = messages(&case["generation"]);
            assert_eq!(opened.pop(), Some(Message::assistant("")), "{what}");
            assert_eq!(document.prompt, opened, "{what}");
        }
    });
}

#[test]
fn golden_tokens_zero_shot() {
    let golden = Golden::find();
    let Some((formatter, tokenizer)) = formatter_and_tokenizer(&golden) else { return };
    for_each_task(&golden, &formatter, |name, task, theirs| {
        for (index, case) in theirs["docs"].as_array().unwrap().iter().enumerate() {
            let what = format!("{name}, document {index}");
            let document = task.document(case["doc"].as_object().unwrap()).unwrap();
            let ours = |candidate: usize| {
                tokenizer.conversation(&document.conversation(candidate).unwrap(), Supervise::Last).unwrap()
            };
            let zero_shot = &case["zero_shot"];
            for (candidate, expected) in zero_shot["unlabelled"].as_array().unwrap().iter().enumerate() {
                check(&ours(candidate), expected, &what);
            }
            if let Some(gold) = document.gold {
                check(&ours(gold), &zero_shot["target"][0], &what);
                check(&ours(usize::from(gold == 0)), &zero_shot["distractor"][0], &what);
            }
            let prompt = tokenizer.prompt(&document.prompt).unwrap();
            assert_eq!(prompt, numbers(&zero_shot["generation"]["tokens"]), "{what}");

            // A set holds the same tokens: prompt and candidate are the conversation up to its end of turn.
            let set =
                tokenizer.candidate_set("x", &document.prompt, &document.candidates, document.gold).unwrap();
            assert_eq!(set.prompt, prompt, "{what}");
            for (candidate, answer) in set.candidates.iter().enumerate() {
                let whole = ours(candidate).tokens;
                let joined: Vec<u32> = set.prompt.iter().chain(&answer.tokens).copied().collect();
                assert_eq!(joined, whole[..whole.len() - 1], "{what}");
                assert_eq!(answer.tokens.last(), Some(&tokenizer.end_of_turn_id()), "{what}");
                let scored = ours(candidate).test_mask.iter().filter(|scored| **scored).count();
                assert_eq!(answer.answer_len(), scored, "{what}");
                assert_eq!(answer.bytes, document.candidates[candidate].len(), "{what}");
            }
        }
    });
}

#[test]
fn golden_tokens_few_shot() {
    let golden = Golden::find();
    let Some((formatter, tokenizer)) = formatter_and_tokenizer(&golden) else { return };
    for_each_task(&golden, &formatter, |name, task, theirs| {
        let few_shot = &theirs["few_shot"];
        let examples = conversations(&few_shot["examples"]);
        let query = messages(&few_shot["query"]);
        let documents: Vec<Document> = theirs["docs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|case| task.document(case["doc"].as_object().unwrap()).unwrap())
            .collect();
        let targets: Vec<Vec<Message>> = documents.iter().filter_map(|d| d.conversation(d.gold?)).collect();
        assert!(examples.iter().all(|example| targets.contains(example)), "{name}");

        let shown: Vec<_> = examples.iter().cloned().chain([query]).collect();
        for (key, repeat_system) in [("true", true), ("false", false)] {
            let ours = tokenizer.conversation(&join(&shown, repeat_system), Supervise::Last).unwrap();
            check(
                &ours,
                &few_shot[format!("allsys_{key}")],
                &format!("{name}, few-shot, system repeated: {key}"),
            );
            let ours = tokenizer.conversation(&join(&targets, repeat_system), Supervise::All).unwrap();
            check(
                &ours,
                &few_shot[format!("training_allsys_{key}")],
                &format!("{name}, training, system repeated: {key}"),
            );
        }
    });
}

/// Conversations one after the other; the system message at each, or only at the first.
fn join(conversations: &[Vec<Message>], repeat_system: bool) -> Vec<Message> {
    let messages = conversations.iter().flatten().enumerate();
    messages
        .filter(|(index, message)| *index == 0 || repeat_system || message.role != "system")
        .map(|(_, message)| message.clone())
        .collect()
}

fn for_each_task(golden: &Golden, formatter: &Json, mut body: impl FnMut(&str, &Task, &Json)) {
    let mut tried = 0;
    for name in formatter["tasks"].as_object().unwrap().keys() {
        let Some((_, ours)) = TASKS.iter().find(|(theirs, _)| theirs == name) else {
            continue;
        };
        let task = Task::find(ours).unwrap_or_else(|error| panic!("{error}"));
        body(name, &task, &formatter["tasks"][name]);
        tried += 1;
    }
    for (name, _) in TASKS {
        if formatter["tasks"].get(name).is_none() {
            golden.lacks(&format!("the task {name} in formatter/dph.json"));
        }
    }
    assert!(tried > 0 || !golden.complete);
}

fn formatter_and_tokenizer(golden: &Golden) -> Option<(Json, ChatTokenizer)> {
    let formatter = golden.json("formatter/dph.json")?;
    if !golden.folder.join("formatter/tokenizer.json").is_file() {
        golden.lacks("formatter/tokenizer.json");
        return None;
    }
    let options = ChatOptions { start: Some("</s>".to_owned()), ..ChatOptions::default() };
    let tokenizer = ChatTokenizer::from_dir_with(&golden.folder.join("formatter"), &options).unwrap();
    let special = &formatter["special_ids"];
    assert_eq!(tokenizer.start_id().map(u64::from), special["bos"].as_u64());
    assert_eq!(tokenizer.eos_id().map(u64::from), special["eos"].as_u64());
    assert_eq!(tokenizer.pad_id().map(u64::from), special["pad"].as_u64());
    assert_eq!(u64::from(tokenizer.end_of_turn_id()), special["im_end(cls)"].as_u64().unwrap());
    Some((formatter, tokenizer))
}

fn check(ours: &TokenData, expected: &Json, what: &str) {
    let mask = |mask: &[bool]| {
        mask.iter().fold(String::new(), |mut text, bit| {
            let _ = write!(text, "{}", u8::from(*bit));
            text
        })
    };
    assert_eq!(ours.tokens, numbers(&expected["tokens"]), "{what}: tokens");
    assert_eq!(ours.targets, numbers(&expected["targets"]), "{what}: targets");
    assert_eq!(mask(&ours.train_mask), expected["train_mask"], "{what}: train mask");
    assert_eq!(mask(&ours.test_mask), expected["test_mask"], "{what}: test mask");
}

/// The right index. The reference fails on "" and gives -1 for a hidden label; for us both are unlabelled.
fn gold(case: &Json) -> Option<usize> {
    case["correct_index"].as_u64().map(|index| index as usize)
}

fn conversations(value: &Json) -> Vec<Vec<Message>> {
    value.as_array().unwrap().iter().map(messages).collect()
}

fn messages(value: &Json) -> Vec<Message> {
    let text = |message: &Json, key: &str| message[key].as_str().unwrap().to_owned();
    let messages = value.as_array().unwrap().iter();
    messages.map(|message| Message::new(text(message, "role"), text(message, "content"))).collect()
}

fn numbers(value: &Json) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as u32).collect()
}
