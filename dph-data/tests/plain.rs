//! The style `plain`: wording, tokens and few-shot examples as lm-evaluation-harness has them.
#![allow(clippy::unwrap_used)]

mod common;

use common::{bpe_tokenizer, world_tokenizer, write};
use dph_core::testing::{data_root, tokenizer_folder};
use dph_data::{
    ChatOptions, ChatTokenizer, Documents, LengthLimit, PlainPrompt, SkipReason, Style, Task, TaskData,
    TaskLoadOptions,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const PLAIN: TaskLoadOptions = TaskLoadOptions {
    classify: None,
    style: Style::Plain,
    limit: None,
    seed: 0,
    few_shot: 0,
    likelihood_only: false,
    same_examples: false,
    repeat_system: false,
    max_len: None,
    whole_texts: false,
    strict: false,
    keep_unlabelled: false,
    holdout: None,
};

/// The documents of rows in the style `plain`.
fn load(task: &Task, rows: &[Json]) -> Documents {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let path = write(folder.path(), "x.jsonl", lines);
    Documents::load(task, &path, "test", &PLAIN).unwrap_or_else(|error| panic!("{error}"))
}

/// Contexts, candidates and gold index of the only document of some rows of an embedded task.
fn worded(task: &str, rows: &[Json]) -> (Vec<String>, Vec<String>, Option<usize>) {
    let documents = load(&Task::find(task).unwrap(), rows).documents;
    let [document] = &documents[..] else { panic!("{} documents", documents.len()) };
    let plain = document.plain.as_ref().unwrap();
    assert!(document.prompt.is_empty());
    assert_eq!((plain.delimiter.as_str(), plain.separator.as_str()), (" ", "\n\n"));
    let contexts = plain.contexts.iter().map(|context| format!("{}{context}", plain.description));
    (contexts.collect(), document.candidates.clone(), document.gold)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn hellaswag_is_cleaned() {
    let row = json!({
        "activity_label": "Home [x] and  garden", "ctx_a": "[header] How to dig [title] Take a spade.", "ctx_b": "then YOU",
        "endings": [" dig [step] fast.", "rest  a  while [title] Go on."], "label": "1",
    });
    let (contexts, candidates, gold) = worded("hellaswag", &[row]);
    assert_eq!(contexts, ["Home and garden: How to dig. Take a spade. Then you"]);
    assert_eq!(candidates, ["dig fast.", "rest a while. Go on."]);
    assert_eq!(gold, Some(1));
}

#[test]
fn the_names_of_winogrande_are_in_the_contexts() {
    let row = json!({ "sentence": "Ann met Bob so _ left, and _ slept. ", "option1": "Ann", "option2": "Bob", "answer": "2" });
    let (contexts, candidates, gold) = worded("winogrande", &[row]);
    assert_eq!(contexts, ["Ann met Bob so Ann", "Ann met Bob so Bob"]);
    assert_eq!(candidates, ["left, and _ slept.", "left, and _ slept."]);
    assert_eq!(gold, Some(1));
}

#[test]
fn the_last_question_about_an_article_is_asked_behind_the_others() {
    let row = |article: &str, question: &str, answer: &str| {
        json!({ "example_id": question, "article": article, "question": question, "options": ["w", "x", "y", "z"],
                "answer": answer })
    };
    let rows = [
        row("One.", "It is  _  .", "B"),
        row("Two.", "Why?", "D"),
        row("One.", "Who?", "C"),
        row("One.", "And?", "A"),
    ];
    let documents = load(&Task::find("race_high").unwrap(), &rows);
    assert_eq!(documents.rows, 2);
    let of = |index: usize| {
        let document = &documents.documents[index];
        (
            document.id.as_deref().unwrap(),
            document.plain.as_ref().unwrap().contexts[0].as_str(),
            document.gold,
        )
    };
    assert_eq!(of(0), ("And?", "Article: One.\n\nIt is x\nQuestion: Who?\nAnswer: y\nAnd?", Some(0)));
    assert_eq!(of(1), ("Why?", "Article: Two.\n\nWhy?", Some(3)));
    // As conversations, the rows stay apart.
    let (task, folder) = (Task::find("race_high").unwrap(), tempfile::tempdir().unwrap());
    let path = write(folder.path(), "x.jsonl", rows.map(|row| format!("{row}\n")).concat());
    let chat = TaskLoadOptions { style: Style::Chat, ..PLAIN };
    assert_eq!(Documents::load(&task, &path, "test", &chat).unwrap().documents.len(), 4);
}

#[test]
fn a_row_that_cannot_be_joined_is_counted() {
    let row = json!({ "article": "a", "question": "q", "options": ["w", "x"], "answer": "A" });
    let documents = load(&Task::find("race_high").unwrap(), &[json!({ "question": "q" }), row]);
    assert_eq!((documents.documents.len(), documents.skipped.counts()[&SkipReason::MissingField]), (1, 1));
}

#[test]
fn other_tasks_have_the_wording_of_the_harness() {
    let choices = json!({ "text": ["fire", "ice"], "label": ["A", "B"] });
    let arc = json!({ "id": "1", "question": "What burns?", "choices": choices, "answerKey": "A" });
    assert_eq!(
        worded("arc_easy", &[arc]),
        (texts(&["Question: What burns?\nAnswer:"]), texts(&["fire", "ice"]), Some(0))
    );
    let copa = json!({ "premise": "He fell. ", "choice1": "He slipped.", "choice2": "Élan won.", "question": "cause", "label": 1 });
    assert_eq!(
        worded("copa", &[copa]),
        (texts(&["He fell because"]), texts(&[" he slipped.", " élan won."]), Some(1))
    );
    let mmlu = json!({ "question": " Why? ", "subject": "high_school_physics", "choices": ["a", "b", "c", "d"], "answer": 2 });
    assert_eq!(
        worded("mmlu", &[mmlu]),
        (
            texts(&[
                "The following are multiple choice questions (with answers) about high school physics.\n\nWhy?\nA. a\nB. b\nC. c\nD. d\nAnswer:"
            ]),
            texts(&["A", "B", "C", "D"]),
            Some(2)
        )
    );
    let sciq = json!({ "question": "What?", "support": "\n It is. ", "distractor1": "a", "distractor2": "b", "distractor3": "c",
                       "correct_answer": "d" });
    assert_eq!(worded("sciq", &[sciq]).0, ["It is. \nQuestion: What?\nAnswer:"]);
    let mnli = json!({ "premise": "A.", "hypothesis": " B", "label": 1 });
    assert_eq!(worded("mnli", &[mnli]).0, ["A.\nQuestion: B. True, False or Neither?\nAnswer:"]);
    let rte = json!({ "sentence1": "A.", "sentence2": "B.", "label": 1 });
    assert_eq!(
        worded("rte", &[rte]),
        (texts(&["A.\nQuestion: B. True or False?\nAnswer:"]), texts(&["True", "False"]), Some(1))
    );
}

#[test]
fn the_true_answers_are_those_with_the_label_of_the_gold_one() {
    let row = json!({ "question": "Q?", "mc1_targets": { "choices": ["a", "b"], "labels": [1, 0] },
                      "mc2_targets": { "choices": ["a", "b", "c", "d"], "labels": [0, 1, 0, 1] } });
    for style in [Style::Plain, Style::Chat] {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "x.jsonl", row.to_string());
        let options = TaskLoadOptions { style, ..PLAIN };
        let load = |task| Documents::load(&Task::find(task).unwrap(), &path, "test", &options).unwrap();
        let (mc1, mc2) = (load("truthful_qa"), load("truthful_qa_mc2"));
        assert_eq!((mc1.documents[0].gold, &mc1.documents[0].right[..]), (Some(0), &[0][..]));
        assert_eq!((mc2.documents[0].gold, &mc2.documents[0].right[..]), (Some(1), &[1, 3][..]));
        let (_folder, tokenizer) = world_tokenizer();
        let data =
            TaskData::load(&Task::find("truthful_qa_mc2").unwrap(), &path, "test", &tokenizer, &options);
        assert_eq!(data.unwrap().right["1"], [1, 3]);
    }
}

#[test]
fn a_task_without_plain_wording_says_what_to_do() {
    let error = Documents::load(&Task::find("hellaswag_choice").unwrap(), "nowhere".as_ref(), "test", &PLAIN);
    assert_eq!(
        error.unwrap_err().to_string(),
        "`hellaswag_choice` has no wording in the style `plain`: its file has no table [plain]; add the table (TASKS.md describes \
         it), or use the style `chat`, which needs a tokenizer with a chat format"
    );
    // Plain text has no style.
    let text = Task::find("world_text").unwrap();
    let of = |style| {
        Documents::load(&text, "".as_ref(), "validation", &TaskLoadOptions { style, ..PLAIN }).unwrap()
    };
    assert_eq!(of(Style::Plain), of(Style::Chat));
}

#[test]
fn few_shot_examples_stand_before_the_context() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |name: &str, count: usize| {
        (0..count)
            .map(|i| json!({ "q": format!("{name}{i}"), "a": ["no", "yes"], "g": i % 2 }).to_string() + "\n")
            .collect::<String>()
    };
    write(folder.path(), "x/train.jsonl", rows("t", 2));
    write(folder.path(), "x/test.jsonl", rows("e", 1));
    let task = r#"
        name = "x"
        kind = "choice"
        user = "{{ q }}"
        candidates = "a"
        gold = "g"
        [plain]
        context = "Q: {{ q }}\n A:"
        description = "About {{ q[0] }}."
        delimiter = "_"
        separator = "|"
    "#;
    let task = Task::parse(task, "x.toml").unwrap();
    let (_folder, tokenizer) = world_tokenizer();
    let options = TaskLoadOptions { few_shot: 2, ..PLAIN };
    let set = &TaskData::load(&task, folder.path(), "test", &tokenizer, &options).unwrap().sets[0];
    let prompt = [&set.prompt[..], &set.candidates[1].tokens].concat();
    let text = tokenizer.decode(&prompt).unwrap();
    let (first, second) = ("Q: t0\n A:_no|", "Q: t1\n A:_yes|");
    let orders =
        [[first, second], [second, first]].map(|shots| format!("About e.{}Q: e0\n A:_yes", shots.concat()));
    assert!(orders.contains(&text), "{text:?}");
}

#[test]
fn the_last_token_of_a_candidate_is_the_last_of_its_text() {
    let (_folder, tokenizer) = world_tokenizer();
    let prompt =
        PlainPrompt { contexts: texts(&["Where is Ann?"]), delimiter: " ".into(), ..PlainPrompt::default() };
    let candidates = texts(&["In Bärlin", "Here"]);
    let (set, cut) = tokenizer.plain_set("1", &prompt, &candidates, Some(1), None).unwrap();
    assert!(!cut);
    assert_eq!((set.id.as_str(), set.gold), ("1", Some(1)));
    assert_eq!(tokenizer.decode(&set.prompt).unwrap(), "Where is Ann?");
    for (candidate, text) in set.candidates.iter().zip(&candidates) {
        assert_eq!(candidate.answer, 0..candidate.tokens.len());
        assert_eq!(tokenizer.decode(&candidate.tokens).unwrap(), format!(" {text}"));
        assert_eq!((candidate.bytes, candidate.chars), (text.len(), text.chars().count()));
    }
}

#[test]
fn blanks_at_the_end_of_a_context_belong_to_the_candidate() {
    let (_folder, tokenizer) = world_tokenizer();
    let set = |context: &str, delimiter: &str| {
        let prompt = PlainPrompt {
            contexts: texts(&[context]),
            delimiter: delimiter.into(),
            ..PlainPrompt::default()
        };
        tokenizer.plain_set("", &prompt, &texts(&["Ann", "Bob"]), None, None).unwrap().0
    };
    assert_eq!(set("Who is it? ", ""), set("Who is it?", " "));
    assert_eq!(set("Who is it?\n \u{a0}", ""), set("Who is it?", "\n \u{a0}"));
}

#[test]
fn an_empty_context_is_the_start_token() {
    let (_folder, tokenizer) = world_tokenizer();
    let start = tokenizer.bos_id().unwrap();
    for context in ["", "  "] {
        let prompt = PlainPrompt { contexts: texts(&[context]), ..PlainPrompt::default() };
        let (set, _) = tokenizer.plain_set("", &prompt, &texts(&["Ann", "Bob"]), None, None).unwrap();
        assert_eq!(set.prompt[0], start);
        let all: Vec<u32> = [&set.prompt[1..], &set.candidates[0].tokens].concat();
        assert_eq!(tokenizer.decode(&all).unwrap(), format!("{context}Ann"));
    }
}

#[test]
fn a_candidate_without_tokens_is_an_error() {
    let (_folder, tokenizer) = world_tokenizer();
    let prompt = PlainPrompt { contexts: texts(&["Who?"]), ..PlainPrompt::default() };
    let error = tokenizer.plain_set("", &prompt, &texts(&["Ann", ""]), None, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "candidate 1 has no tokens of its own: its text is empty, or merges with the context"
    );
}

#[test]
fn a_set_that_is_too_long_loses_its_first_tokens() {
    let (_folder, tokenizer) = world_tokenizer();
    let context = "one two three four five six seven eight nine ten";
    let prompt = PlainPrompt { contexts: texts(&[context]), delimiter: " ".into(), ..PlainPrompt::default() };
    let candidates = texts(&["a", "a longer one"]);
    let sequences = |max_len: Option<usize>| {
        let limit = max_len.map(|tokens| LengthLimit { tokens, likelihood_only: false });
        let (set, cut) = tokenizer.plain_set("", &prompt, &candidates, None, limit).unwrap();
        let all = set.candidates.iter().map(|candidate| [&set.prompt[..], &candidate.tokens].concat());
        (all.collect::<Vec<_>>(), cut)
    };
    let (whole, cut) = sequences(None);
    assert!(!cut);
    let max_len = whole[0].len();
    let (short, cut) = sequences(Some(max_len));
    assert!(cut && whole[1].len() > max_len);
    // Each sequence keeps its own end.
    assert_eq!(short[0], whole[0]);
    assert_eq!(short[1], whole[1][whole[1].len() - max_len..]);
    let answer = whole[1].len() - tokenizer.encode_text(context).unwrap().len();
    let limit = |tokens, likelihood_only| Some(LengthLimit { tokens, likelihood_only });
    let error =
        tokenizer.plain_set("", &prompt, &candidates, None, limit(answer, false)).unwrap_err().to_string();
    assert!(error.starts_with("candidate 1 has ") && error.ends_with(" are allowed"), "{error}");

    // Where only likelihoods are needed, the last token need not be computed.
    let (set, cut) = tokenizer.plain_set("", &prompt, &candidates, None, limit(max_len, true)).unwrap();
    assert!(cut);
    let sequence = |index: usize| {
        let candidate = &set.candidates[index];
        let tokens = [&set.prompt[..], &candidate.tokens].concat();
        (tokens.len(), tokens.into_iter().chain(candidate.next).collect::<Vec<_>>())
    };
    assert_eq!(sequence(0), (max_len, whole[0].clone()));
    assert_eq!(sequence(1), (max_len, whole[1][whole[1].len() - max_len - 1..].to_vec()));
    for (candidate, text) in set.candidates.iter().zip(&candidates) {
        let answer: Vec<u32> = candidate.answer_tokens().collect();
        assert_eq!(tokenizer.decode(&answer).unwrap(), format!(" {text}"));
        assert_eq!(answer.len(), candidate.answer.len());
    }
    let one_token = tokenizer.plain_set("", &prompt, &texts(&["a"]), None, limit(5, true)).unwrap().0;
    assert!(!one_token.candidates[0].tokens.is_empty());

    let folder = tempfile::tempdir().unwrap();
    let row = json!({ "goal": context, "sol1": "a", "sol2": "a longer one", "label": 0 });
    let path = write(folder.path(), "x.jsonl", format!("{row}\n"));
    let load = |max_len| {
        let options = TaskLoadOptions { max_len, ..PLAIN };
        TaskData::load(&Task::find("piqa").unwrap(), &path, "test", &tokenizer, &options)
    };
    let data = load(Some(20)).unwrap();
    assert_eq!((data.sets.len(), data.cut, data.skipped.total()), (1, 1, 0));
    assert_eq!(load(None).unwrap().cut, 0);
    assert!(load(Some(2)).unwrap_err().to_string().contains("too-long"));
}

#[test]
fn a_tokenizer_without_a_chat_format_reads_plain_text() {
    let folder = tokenizer_folder("gpt2");
    let Some(folder) = folder else { return };
    let options = ChatOptions { text_only: true, ..ChatOptions::default() };
    let tokenizer = ChatTokenizer::from_dir_with(folder.path(), &options).unwrap();
    assert!(!tokenizer.has_chat());
    assert_eq!(tokenizer.default_style(), Style::Plain);
    let (_folder, world) = world_tokenizer();
    assert_eq!(world.default_style(), Style::Chat);
}

/// What the special tokens are: none for GPT-2, the beginning of the text for this tiny Llama.
#[test]
fn special_tokens_are_those_of_the_post_processor() {
    let Some(root) = data_root() else { return };
    let options = ChatOptions { text_only: true, ..ChatOptions::default() };
    let tokenizer = ChatTokenizer::from_dir_with(&root.join("models/stories260K"), &options).unwrap();
    let prompt = PlainPrompt {
        contexts: texts(&["Once upon a time"]),
        delimiter: " ".into(),
        ..PlainPrompt::default()
    };
    let (set, _) = tokenizer.plain_set("", &prompt, &texts(&["there was", "he was"]), None, None).unwrap();
    assert_eq!(set.prompt[..4], [1, 403, 407, 261]);
    // Spelled control tokens stay text, unlike in the harness.
    let spelled = PlainPrompt { contexts: texts(&["Once</s><s>"]), ..prompt };
    let (set, _) = tokenizer.plain_set("", &spelled, &texts(&["</s>", "<s>"]), None, None).unwrap();
    let special = |ids: &[u32]| ids.iter().filter(|id| **id < 3).count();
    assert_eq!(special(&set.prompt) + set.candidates.iter().map(|it| special(&it.tokens)).sum::<usize>(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A sequence is the tokens of the context alone, then the tokens of the whole behind as many tokens.
    #[test]
    fn a_context_keeps_its_own_tokens(context in "[ a-z?<|>/s_\n]{1,20}", answers in prop::collection::vec("[ a-z<|>/s]{1,9}", 2..4)) {
        let (_folder, tokenizer) = bpe_tokenizer();
        prop_assume!(!context.trim_end().is_empty());
        let prompt = PlainPrompt { contexts: vec![context.clone()], delimiter: " ".into(), ..PlainPrompt::default() };
        let alone = tokenizer.encode_text(context.trim_end()).unwrap();
        let expected: Vec<_> = answers.iter().map(|answer| {
            let whole = tokenizer.encode_text(&format!("{context} {answer}")).unwrap();
            whole.get(alone.len()..).unwrap_or_default().to_vec()
        }).collect();
        let found = tokenizer.plain_set("", &prompt, &answers, None, None);
        match expected.iter().any(Vec::is_empty) {
            true => prop_assert!(found.is_err()),
            false => {
                let set = found.unwrap().0;
                prop_assert_eq!(&set.prompt, &alone);
                for (candidate, tokens) in set.candidates.iter().zip(&expected) {
                    prop_assert_eq!(&candidate.tokens, tokens);
                }
            }
        }
    }
}
