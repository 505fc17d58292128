//! Rendered messages, tokens and masks against those of the paper's authors (`golden/formatter`).
#![allow(clippy::unwrap_used)]

mod formatter;

use dph_core::testing::{Golden, list};
use dph_data::{Document, Message, SkipReason, Supervise};
use formatter::{
    Case, Formatter, check, conversations, for_each_task, join, messages, numbers, speaks_of_control,
};

#[test]
fn golden_messages() {
    for_each_task(|task| {
        for case in task.cases() {
            let Some(document) = document(&case) else { continue };
            let what = &case.what;
            let right = right(&document);
            assert_eq!(right, conversations(&case.json["target"]), "{what}");
            let wrong: Vec<_> = (0..document.candidates.len())
                .filter(|&index| Some(index) != document.gold)
                .map(|index| document.conversation(index).unwrap())
                .collect();
            // With an empty label, and in conversations, the reference fails.
            if case.json["distractor"].is_array() {
                assert_eq!(wrong, conversations(&case.json["distractor"]), "{what}");
            }
            // The reference has no list of all answers where nothing is chosen from it.
            let all = conversations(&case.json["unlabelled"]);
            if task.is_choice() || !all.is_empty() {
                let mut ours: Vec<_> =
                    (0..document.candidates.len()).map(|i| document.conversation(i).unwrap()).collect();
                ours.splice(ours.len().min(1)..ours.len().min(1), right.into_iter().skip(1));
                assert_eq!(ours, all, "{what}");
            }
            if let Some(open) = case.json["generation"].as_array() {
                let mut opened = messages(&open.clone().into());
                assert_eq!(opened.pop(), Some(Message::assistant("")), "{what}");
                assert_eq!(document.prompt, opened, "{what}");
            }
        }
    });
}

#[test]
fn golden_gold_answers_and_scores() {
    for_each_task(|task| {
        for case in task.cases() {
            let Some(document) = document(&case) else { continue };
            let index = &case.json["correct_index"];
            match document.score {
                Some(score) if task.is_choice() => assert_eq!(index.as_f64(), Some(score), "{}", case.what),
                // The reference fails on "" and gives -1 for a hidden label; for us both are unlabelled.
                _ if task.is_choice() => {
                    assert_eq!(document.gold.map(|gold| gold as u64), index.as_u64(), "{}", case.what);
                }
                _ => assert!(index.as_u64().unwrap_or(0) == 0, "{}", case.what),
            }
        }
    });
}

#[test]
fn golden_tokens_zero_shot() {
    for_each_task(|task| {
        let tokenizer = task.tokenizer();
        for case in task.cases() {
            let Some(document) = document(&case) else { continue };
            let what = &case.what;
            let zero_shot = &case.json["zero_shot"];
            let right = right(&document);
            let mut all: Vec<_> =
                (0..document.candidates.len()).map(|i| document.conversation(i).unwrap()).collect();
            let wrong = all.iter().enumerate().filter(|(i, _)| Some(*i) != document.gold);
            let wrong: Vec<_> = wrong.map(|(_, conversation)| conversation.clone()).collect();
            all.splice(all.len().min(1)..all.len().min(1), right.iter().skip(1).cloned());
            for (key, conversations) in [("target", &right), ("distractor", &wrong), ("unlabelled", &all)] {
                // The reference has none where it fails, and only some of the distractors.
                let expected = zero_shot[key].as_array().map_or(&[][..], Vec::as_slice);
                assert!(expected.len() <= conversations.len(), "{what}, {key}");
                for (messages, expected) in conversations.iter().zip(expected) {
                    let ours = tokenizer.conversation(messages, Supervise::All).unwrap();
                    task.check(messages, &ours, expected, &format!("{what}, {key}"));
                }
            }
            let prompt = tokenizer.prompt(&document.prompt).unwrap();
            if let Some(expected) = zero_shot.get("generation")
                && !speaks_of_control(&document.prompt)
            {
                assert_eq!(prompt, numbers(&expected["tokens"]), "{what}");
            }

            // A set holds the same tokens: prompt and candidate are the conversation up to its end of turn.
            let set =
                tokenizer.candidate_set("x", &document.prompt, &document.candidates, document.gold).unwrap();
            assert_eq!(set.prompt, prompt, "{what}");
            for (candidate, answer) in set.candidates.iter().enumerate() {
                let whole = document.conversation(candidate).unwrap();
                let whole = tokenizer.conversation(&whole, Supervise::Last).unwrap();
                let joined: Vec<u32> = set.prompt.iter().chain(&answer.tokens).copied().collect();
                assert_eq!(joined, whole.tokens[..whole.tokens.len() - 1], "{what}");
                assert_eq!(answer.tokens.last(), Some(&tokenizer.end_of_turn_id()), "{what}");
                let scored = whole.test_mask.iter().filter(|scored| **scored).count();
                assert_eq!(answer.answer.len(), scored, "{what}");
                assert_eq!(answer.bytes, document.candidates[candidate].len(), "{what}");
                // With the earlier answers it is all that is trained on.
                let whole = document.conversation(candidate).unwrap();
                let whole = tokenizer.conversation(&whole, Supervise::All).unwrap();
                let trained = whole.train_mask.iter().enumerate().filter(|(_, trained)| **trained);
                let last = std::iter::once(set.prompt.len()..joined.len());
                let ours = set.earlier_answers.iter().cloned().chain(last);
                assert!(ours.flatten().eq(trained.map(|(place, _)| place + 1)), "{what}");
            }
        }
    });
}

#[test]
fn golden_tokens_few_shot() {
    for_each_task(|task| {
        let few_shot = &task.json["few_shot"];
        if few_shot.is_null() {
            return;
        }
        let tokenizer = task.tokenizer();
        let name = &task.theirs;
        let examples = conversations(&few_shot["examples"]);
        let query = messages(&few_shot["query"]);
        let targets: Vec<Vec<Message>> = task
            .cases()
            .iter()
            .filter_map(|case| match document(case) {
                Some(document) => right(&document).into_iter().next(),
                // What we refuse to learn from, the reference learns from all the same.
                None => conversations(&case.json["target"]).into_iter().next(),
            })
            .collect();
        assert!(examples.iter().all(|example| targets.contains(example)), "{name}");

        let shown: Vec<_> = examples.iter().cloned().chain([query]).collect();
        for (key, repeat_system) in [("true", true), ("false", false)] {
            let messages = join(&shown, repeat_system);
            let mut ours = tokenizer.conversation(&messages, Supervise::All).unwrap();
            // Examples are shown, not learnt; of a conversation that is asked about all answers are.
            let before = tokenizer.conversation(&join(&examples, repeat_system), Supervise::All).unwrap();
            for mask in [&mut ours.train_mask, &mut ours.test_mask] {
                mask[..before.tokens.len()].fill(false);
            }
            let what = format!("{name}, system repeated: {key}");
            task.check(&messages, &ours, &few_shot[format!("allsys_{key}")], &format!("{what}, few-shot"));
            if !task.is_multi_turn() && !speaks_of_control(&messages) {
                assert_eq!(ours, tokenizer.conversation(&messages, Supervise::Last).unwrap(), "{what}");
            }
            if let Some(expected) = few_shot.get(format!("training_allsys_{key}")) {
                let messages = join(&targets, repeat_system);
                let ours = tokenizer.conversation(&messages, Supervise::All).unwrap();
                task.check(&messages, &ours, expected, &format!("{what}, training"));
            }
        }
    });
}

/// MMLU draws its examples from the questions of the same subject.
#[test]
fn golden_mmlu_examples() {
    let mut tried = 0;
    for_each_task(|task| {
        let lists = &task.json["mmlu_fewshot_message_list"];
        if lists.is_null() {
            return;
        }
        let cases = task.cases();
        for (case, list) in cases.iter().zip(list(lists)) {
            tried += 1;
            let same =
                cases.iter().filter(|other| other.json["doc"]["subject"] == case.json["doc"]["subject"]);
            let examples: Vec<_> = same.map(|other| right(&document(other).unwrap()).remove(0)).collect();
            assert_eq!(examples, conversations(list), "{}", case.what);
        }
    });
    if tried == 0 {
        Golden::open().lacks("formatter: examples of MMLU");
    }
}

/// The variant in which only the last message is trained on.
#[test]
fn golden_steering() {
    let Some(formatter) = Formatter::open("formatter/steer.json") else { return };
    let limit = |key: &str| formatter.json[key].as_u64().unwrap() as usize;
    let (least, most) = (limit("min_trainable_tokens"), limit("max_total_tokens"));
    for (index, case) in list(&formatter.json["cases"]).iter().enumerate() {
        let what = format!("case {index}");
        let ours = formatter.tokenizer.conversation(&messages(&case["messages"]), Supervise::Last).unwrap();
        let trained = ours.train_mask.iter().filter(|trained| **trained).count();
        let expected = &case["result"];
        assert_eq!(trained < least || ours.tokens.len() > most, expected.get("error").is_some(), "{what}");
        if expected.get("error").is_none() {
            check(&ours, expected, &what);
            // Masks are aligned with targets, positions with tokens, one to the right.
            let mut position = 0;
            let trained = std::iter::once(&false).chain(&ours.train_mask).take(ours.tokens.len());
            let positions: Vec<u32> = trained
                .map(|trained| {
                    position += u32::from(*trained);
                    if *trained { position } else { 0 }
                })
                .collect();
            assert_eq!(positions, numbers(&expected["segment_pos"]), "{what}");
        }
    }
}

/// Our document, or `None` where we rightly refuse what the reference renders: a pair of equal answers, and conversations
/// that end without an answer.
fn document(case: &Case<'_>) -> Option<Document> {
    match case.document() {
        Ok(document) => Some(document),
        Err(problem) => {
            let targets = conversations(&case.json["target"]);
            let distractors = conversations(&case.json["distractor"]);
            let refused = match problem.reason {
                SkipReason::IdenticalAnswers => targets == distractors,
                SkipReason::MissingField => {
                    targets.iter().all(|messages| messages.last().is_none_or(|m| m.role != "assistant"))
                }
                _ => false,
            };
            assert!(refused, "{}: {problem}", case.what);
            None
        }
    }
}

/// The conversations that end with a right answer.
fn right(document: &Document) -> Vec<Vec<Message>> {
    let gold = document.gold.map(|gold| document.conversation(gold).unwrap());
    let others = document.also_right.iter().map(|answer| {
        document.prompt.iter().cloned().chain([Message::assistant(answer)]).collect::<Vec<_>>()
    });
    gold.into_iter().chain(others).collect()
}
