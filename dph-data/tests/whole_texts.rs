//! Plain text for perplexities: windows, lengths, and the wording of the task `wikitext`.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::LazyLock;

use common::{world_tokenizer, write};
use dph_data::{CandidateSet, ChatTokenizer, Documents, Task, TaskData, TaskLoadOptions, WrittenLength};
use proptest::prelude::*;
use serde_json::json;

/// The tokenizer of the little world. Its training takes a while.
fn tokenizer() -> &'static ChatTokenizer {
    static TOKENIZER: LazyLock<ChatTokenizer> = LazyLock::new(|| world_tokenizer().1);
    &TOKENIZER
}

/// The tokens that a window predicts, and those that are computed.
fn tokens(set: &CandidateSet) -> (Vec<u32>, Vec<u32>) {
    let [candidate] = &set.candidates[..] else { panic!("{set:?}") };
    (candidate.answer_tokens().collect(), set.packed_tokens().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every token of the text is predicted once, from the tokens before it, and no window has more tokens than it may.
    #[test]
    fn windows_predict_every_token_once(words in prop::collection::vec(0_usize..6, 0..120), window in 2_usize..40) {
        let tokenizer = tokenizer();
        let text = words.iter().map(|&word| ["Ann ", "lives", " in", "\n", "a ", "house. "][word]).collect::<String>();
        let all = tokenizer.encode_text(&text).unwrap();
        let start = tokenizer.bos_id().or(tokenizer.eos_id()).unwrap();
        let sets = tokenizer.text_windows(&text, window).unwrap();
        let predicted: Vec<u32> = sets.iter().flat_map(|set| tokens(set).0).collect();
        prop_assert_eq!(&predicted, &all);
        let mut done = 0;
        for (index, set) in sets.iter().enumerate() {
            let (predicted, computed) = tokens(set);
            done += predicted.len();
            prop_assert!(computed.len() <= window);
            let whole: Vec<u32> = computed.iter().copied().chain(set.candidates[0].next).collect();
            let expected: Vec<u32> = [&[start], &all[..done]].concat();
            prop_assert!(expected.ends_with(&whole), "{index}");
            // All but a single window of a short text are full.
            prop_assert!(sets.len() == 1 || computed.len() == window);
        }
    }
}

/// The windows of `get_rolling_token_windows` for 10 tokens, a window of 4 and a context of 1, by hand.
#[test]
fn the_last_window_has_more_context() {
    let tokenizer = tokenizer();
    let text = "Ann lives in a house.";
    let all = tokenizer.encode_text(text).unwrap();
    let windows = tokenizer.text_windows(text, 4).unwrap();
    let rest = all.len() - 4;
    assert!(all.len() > 5 && !rest.is_multiple_of(4), "{} tokens", all.len());
    let (predicted, computed) = tokens(&windows[0]);
    assert_eq!(
        (predicted, computed),
        (all[..4].to_vec(), [&[tokenizer.start_id().unwrap()], &all[..3]].concat())
    );
    let (predicted, computed) = tokens(windows.last().unwrap());
    assert_eq!(predicted, all[all.len() - rest % 4..]);
    assert_eq!(computed, all[all.len() - 5..all.len() - 1]);
    assert!(tokenizer.text_windows("", 4).unwrap().is_empty());
}

fn load(tokenizer: &ChatTokenizer, task: &str, rows: String) -> TaskData {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "rows.jsonl", rows);
    let task = Task::parse(task, "x.toml").unwrap();
    let options =
        TaskLoadOptions { whole_texts: true, max_len: Some(32), few_shot: 3, ..TaskLoadOptions::default() };
    TaskData::load(&task, &path, "test", tokenizer, &options).unwrap()
}

#[test]
fn a_text_has_its_windows_and_the_length_of_its_original() {
    let rows = [
        json!({"id": "a", "text": "Ann lives here. ".repeat(30)}),
        json!({"id": "a/1", "text": "Ann"}),
        json!({"id": "c", "text": ""}),
    ];
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let task =
        "name = 'x'\nkind = 'text'\nid = 'id'\ntext = '{{ text | upper }}'\noriginal = '{{ text }}!'\n";
    let data = load(tokenizer(), task, rows.clone());
    let [long, short] = &data.whole_texts.texts[..] else { panic!("{:?}", data.whole_texts) };
    assert_eq!((&*long.id, &*short.id, data.whole_texts.window), ("a", "a/1", 32));
    assert!(long.sets.len() > 3 && short.sets == (long.sets.end..data.sets.len()));
    assert_eq!(long.length, WrittenLength { words: 91, bytes: 481, chars: 481 });
    assert!(data.sets.iter().all(|set| set.sequence_len() <= 32));
    assert_eq!(data.skipped.total(), 1, "a text without tokens");
    let narrow = load(tokenizer(), &format!("{task}window = 8\n"), rows);
    assert_eq!(narrow.whole_texts.window, 8);
    assert!(narrow.sets.len() > 3 * data.sets.len() && narrow.sets.iter().all(|set| set.sequence_len() <= 8));
}

/// The expected text is that of `wikitext_detokenizer` of lm-evaluation-harness.
#[test]
fn wikitext_is_detokenised() {
    let page = " \n = Title = \n \n = = The wolves ' = = \n \n It was 1 @,@ 234 – 5 @.@ 6 ( or $ 7 ) , a well @-@ known \" big \" [ sic ] : yes ! \n N ' quoted ' { x } 40 ° C's dog 's ; end . \n";
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "rows.jsonl", format!("{}\n", json!({ "page": page })));
    let task = Task::find("wikitext").unwrap();
    let documents = Documents::load(&task, &path, "test", &TaskLoadOptions::default()).unwrap().documents;
    assert_eq!(
        documents[0].candidates,
        [
            "\n= Title =\n\n== The wolves'==\n\nIt was 1,234 – 5.6 (or $ 7), a well-known \"big\" [sic]: yes!\nN' quoted '{x} 40°C's dog's; end.\n"
        ]
    );
    assert_eq!(documents[0].original.as_deref(), Some(page));
}

#[test]
fn metrics_and_keys_belong_to_kinds() {
    let error = |task: &str| Task::parse(task, "x.toml").unwrap_err().to_string();
    let text = "name = 'x'\nkind = 'text'\ntext = '{{ text }}'\n";
    assert!(
        error(&format!("{text}metric = 'accuracy'\n")).contains("has no meaning in a task of kind `text`")
    );
    assert!(error(&format!("{text}window = 1\n")).contains("a window has at least 2 tokens"));
    let choice =
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'c'\ngold = 'g'\nmetric = 'bits-per-byte'\n";
    assert!(error(choice).contains("the metric `bits-per-byte` has no meaning in a task of kind `choice`"));
    let task = Task::parse(&format!("{text}metric = 'bits-per-byte'\n"), "x.toml").unwrap();
    assert_eq!(task.metrics.iter().map(ToString::to_string).collect::<Vec<_>>(), ["bits-per-byte"]);
}
