//! The golden documents of the formatter, task by task.

use std::fmt::Write as _;
use std::sync::Once;

use dph_data::{ChatOptions, ChatTokenizer, Document, Kind, Message, RowProblem, Task, TokenData};
use serde_json::Value as Json;

use dph_core::testing::{Golden, entries, list, say};

/// The files, and for each their name of a task and ours.
const FILES: [(&str, &[(&str, &str)]); 2] = [
    (
        "formatter/dph.json",
        &[
            ("alpaca/cleaned", "alpaca"),
            ("arc/challenge", "arc_challenge"),
            ("arc/easy", "arc_easy"),
            ("cnn_dailymail/3.0.0", "cnn_dailymail"),
            ("coqa/all", "coqa"),
            ("glue/ax", "ax"),
            ("glue/cola", "cola"),
            ("glue/mnli", "mnli"),
            ("glue/mnli_matched", "mnli"),
            ("glue/mnli_mismatched", "mnli"),
            ("glue/mrpc", "mrpc"),
            ("glue/qnli", "qnli"),
            ("glue/qqp", "qqp"),
            ("glue/rte", "rte"),
            ("glue/sst2", "sst2"),
            ("glue/stsb", "stsb"),
            ("glue/wnli", "wnli"),
            ("hellaswag/choice", "hellaswag_choice"),
            ("hellaswag/no_choice", "hellaswag"),
            ("mmlu/all", "mmlu"),
            ("obqa/main", "openbookqa"),
            ("orca/OpenOrca", "open_orca"),
            ("orca/orca_dpo_pairs", "orca_dpo_pairs"),
            ("piqa/no_choice", "piqa"),
            ("race/all", "race_all"),
            ("race/high", "race_high"),
            ("race/middle", "race_middle"),
            ("sciq/no_choice", "sciq"),
            ("squad/v1.1", "squad"),
            ("squad/v2", "squad_v2"),
            ("super_glue/boolq", "boolq"),
            ("super_glue/copa", "copa"),
            ("tiny/instruct", "tinystories_instruct"),
            ("tiny/summary", "tinystories_summary"),
            ("ultrafeedback/binarized", "ultrafeedback_first_message"),
            ("winogrande/no_choice", "winogrande"),
        ],
    ),
    (
        "formatter/mt4.json",
        &[
            ("HelpSteer/2", "helpsteer"),
            ("OpenHermes/Preferences", "openhermes_preferences"),
            ("UltraSteer/v0", "ultrasteer"),
            ("baai/Infinity-Instruct-0625", "infinity_instruct"),
            ("baai/Infinity-Instruct-3M", "infinity_instruct"),
            ("baai/Infinity-Instruct-7M", "infinity_instruct"),
            ("baai/Infinity-Instruct-Gen", "infinity_instruct"),
            ("drop/main", "drop"),
            ("glue/ax", "ax_corrected"),
            ("glue/mnli", "mnli_corrected"),
            ("glue/mnli_matched", "mnli_corrected"),
            ("gsm8k/main", "gsm8k"),
            ("gsm8k/socratic", "gsm8k_socratic"),
            ("hh/rlhf", "hh_rlhf"),
            ("orca/SlimOrca", "slim_orca"),
            ("reward_bench/alpacaeval-easy", "reward_bench"),
            ("sciq/no_choice", "sciq_optional_background"),
            ("super_glue/copa", "copa_completion"),
            ("tasksource/dpo_pairs", "tasksource_pairs"),
            ("tasksource/instruct-v0", "tasksource_instruct"),
            ("truthful_qa/mc1", "truthful_qa"),
            ("truthful_qa/mc1_fs", "truthful_qa_few_shot"),
            ("tulu/v2", "tulu"),
            ("ultrachat/200k", "ultrachat"),
            ("ultrafeedback/binarized", "ultrafeedback_first_message"),
            ("ultrafeedback/multi-binarized", "ultrafeedback_first_message"),
        ],
    ),
];

/// A file of the formatter's section, with the tokenizer that belongs to it.
pub struct Formatter {
    pub json: Json,
    pub tokenizer: ChatTokenizer,
}

impl Formatter {
    pub fn open(file: &str) -> Option<Self> {
        let golden = Golden::open();
        let json = golden.json(file)?;
        golden.path("formatter/tokenizer.json")?;
        let options = ChatOptions { start: Some("</s>".to_owned()), ..ChatOptions::default() };
        let tokenizer = ChatTokenizer::from_dir_with(&golden.folder.join("formatter"), &options).unwrap();
        if let Some(special) = json.get("special_ids") {
            assert_eq!(tokenizer.start_id().map(u64::from), special["bos"].as_u64());
            assert_eq!(tokenizer.eos_id().map(u64::from), special["eos"].as_u64());
            assert_eq!(tokenizer.pad_id().map(u64::from), special["pad"].as_u64());
            assert_eq!(u64::from(tokenizer.end_of_turn_id()), special["im_end(cls)"].as_u64().unwrap());
        }
        Some(Self { json, tokenizer })
    }
}

/// A task of the authors', and the one of ours that says the same.
pub struct GoldenTask<'a> {
    pub theirs: String,
    pub task: Task,
    pub json: &'a Json,
    tokenizer: &'a ChatTokenizer,
}

/// A document of a task.
pub struct Case<'a> {
    pub what: String,
    pub json: &'a Json,
    task: &'a Task,
}

/// Does something with every task of the golden files.
pub fn for_each_task(mut body: impl FnMut(&GoldenTask<'_>)) {
    let golden = Golden::open();
    for (file, names) in FILES {
        let Some(Formatter { json, tokenizer }) = Formatter::open(file) else { continue };
        let tasks = entries(&json["tasks"]);
        for (name, of_task) in tasks {
            let (_, ours) = names
                .iter()
                .find(|(theirs, _)| theirs == name)
                .unwrap_or_else(|| panic!("{file}: no task of ours is worded as {name}"));
            let task = Task::find(ours).unwrap_or_else(|error| panic!("{error}"));
            let theirs = format!("{file}, {name}");
            body(&GoldenTask { theirs, task, json: of_task, tokenizer: &tokenizer });
        }
        let left_out: Vec<&str> =
            json["left_out"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        if !left_out.is_empty() {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                say("GOLDEN: the tasks named under `left_out` in formatter/*.json are left out")
            });
        }
        for (name, _) in names {
            if !tasks.contains_key(*name) && !left_out.contains(name) {
                golden.lacks(&format!("the task {name} in {file}"));
            }
        }
    }
}

impl GoldenTask<'_> {
    pub fn tokenizer(&self) -> &ChatTokenizer {
        self.tokenizer
    }

    /// Tokens, targets and masks are the reference's. The one difference that is meant: a control token in a content is text
    /// for us, so that it ends no turn.
    pub fn check(&self, messages: &[Message], ours: &TokenData, expected: &Json, what: &str) {
        if !speaks_of_control(messages) {
            return check(ours, expected, what);
        }
        let text = |tokens: &[u32]| self.tokenizer.decode(tokens).unwrap();
        assert_eq!(text(&ours.tokens), text(&numbers(&expected["tokens"])), "{what}: text");
        let end = self.tokenizer.end_of_turn_id();
        let ends = |tokens: &[u32]| tokens.iter().filter(|token| **token == end).count();
        assert_eq!(ends(&ours.tokens), messages.len(), "{what}: ends of turns");
        assert!(
            ends(&numbers(&expected["tokens"])) > messages.len(),
            "{what}: ends of turns in the reference"
        );
    }

    pub fn is_choice(&self) -> bool {
        self.task.kind == Kind::Choice
    }

    /// Whether the reference trains on all answers of a document, as it does in conversations.
    pub fn is_multi_turn(&self) -> bool {
        self.json["docs"][0]["generation"].get("error").is_some()
    }

    pub fn cases(&self) -> Vec<Case<'_>> {
        let docs = list(&self.json["docs"]).iter().enumerate();
        docs.map(|(index, json)| Case {
            what: format!("{}, document {index}", self.theirs),
            json,
            task: &self.task,
        })
        .collect()
    }
}

impl Case<'_> {
    pub fn document(&self) -> Result<Document, RowProblem> {
        let mut rows = self.task.nested_rows(self.json["doc"].as_object().unwrap().clone())?;
        assert_eq!(rows.len(), 1, "{}", self.what);
        self.task.document(&rows.remove(0))
    }
}

/// Whether a content holds the text of a control token.
pub fn speaks_of_control(messages: &[Message]) -> bool {
    messages.iter().any(|message| message.content.contains("<|im_end|>"))
}

/// Conversations one after the other; the system message at each, or only at the first.
pub fn join(conversations: &[Vec<Message>], repeat_system: bool) -> Vec<Message> {
    let messages = conversations.iter().flatten().enumerate();
    messages
        .filter(|(index, message)| *index == 0 || repeat_system || message.role != "system")
        .map(|(_, message)| message.clone())
        .collect()
}

pub fn check(ours: &TokenData, expected: &Json, what: &str) {
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

/// The conversations of a list; none where the reference fails, for it has none then.
pub fn conversations(value: &Json) -> Vec<Vec<Message>> {
    value.as_array().map_or(Vec::new(), |list| list.iter().map(messages).collect())
}

pub fn messages(value: &Json) -> Vec<Message> {
    let text = |message: &Json, key: &str| message[key].as_str().unwrap().to_owned();
    let messages = value.as_array().unwrap().iter();
    messages.map(|message| Message::new(text(message, "role"), text(message, "content"))).collect()
}

pub fn numbers(value: &Json) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as u32).collect()
}
