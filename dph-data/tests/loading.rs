//! Sampling, few-shot examples, length limits, shards and the synthetic tasks.
#![allow(clippy::unwrap_used)]

mod common;

use common::{world_tokenizer, write};
use dph_data::{DataError, Documents, SkipReason, Task, TaskData, TaskLoadOptions};

const TASK: &str = r#"
name       = "sums"
kind       = "choice"
id         = "name"
system     = "Add."
user       = "{{ sum }}"
candidates = "answers"
gold       = "right"
"#;

fn rows(range: std::ops::Range<usize>) -> String {
    let row = |i| {
        let long = "and ".repeat(i % 7);
        format!(
            "{{\"name\": \"n{i}\", \"sum\": \"{long}{i} + 1\", \"answers\": [\"{}\", \"{i}\"], \"right\": 0}}\n",
            i + 1
        )
    };
    range.map(row).collect()
}

struct Fixture {
    folder: tempfile::TempDir,
    _tokenizer: tempfile::TempDir,
    tokenizer: dph_data::ChatTokenizer,
    task: Task,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "sums/train.jsonl", rows(0..40));
        write(folder.path(), "sums/test.jsonl", rows(100..200));
        let (tokenizer_folder, tokenizer) = world_tokenizer();
        Self {
            folder,
            _tokenizer: tokenizer_folder,
            tokenizer,
            task: Task::parse(TASK, "sums.toml").unwrap(),
        }
    }

    fn load(&self, split: &str, options: &TaskLoadOptions) -> Result<TaskData, DataError> {
        TaskData::load(&self.task, self.folder.path(), split, &self.tokenizer, options)
    }

    fn prompt(&self, data: &TaskData, set: usize) -> String {
        self.tokenizer.decode(&data.sets[set].prompt).unwrap()
    }
}

#[test]
fn the_order_is_the_files_and_limits_spread_over_it() {
    let fixture = Fixture::new();
    let all = fixture.load("test", &TaskLoadOptions::default()).unwrap();
    let ids: Vec<_> = all.sets.iter().map(|set| set.id.clone()).collect();
    assert_eq!(ids, (100..200).map(|i| format!("n{i}")).collect::<Vec<_>>());

    let sample = |seed, limit| {
        let options = TaskLoadOptions { limit: Some(limit), seed, ..TaskLoadOptions::default() };
        fixture.load("test", &options).unwrap().sets
    };
    let some = sample(1, 10);
    for (stretch, set) in some.iter().enumerate() {
        let number: usize = set.id[1..].parse().unwrap();
        assert!((100 + 10 * stretch..110 + 10 * stretch).contains(&number), "{number}");
        assert!(all.sets.contains(set));
    }
    assert_eq!(some, sample(1, 10));
    assert_ne!(some, sample(2, 10));
    assert_eq!(sample(1, 100), all.sets);
    assert_eq!(sample(1, 1000), all.sets);
}

#[test]
fn long_sets_are_skipped_and_counted() {
    let fixture = Fixture::new();
    let all = fixture.load("test", &TaskLoadOptions::default()).unwrap();
    let longest = all.sets.iter().map(dph_data::CandidateSet::sequence_len).max().unwrap();
    let options = TaskLoadOptions { max_len: Some(longest - 1), strict: true, ..TaskLoadOptions::default() };
    let data = fixture.load("test", &options).unwrap();
    let too_long = all.sets.iter().filter(|set| set.sequence_len() == longest).count();
    assert_eq!(data.skipped.counts(), [(SkipReason::TooLong, too_long)].into());
    assert_eq!(data.sets.len(), 100 - too_long);
    assert_eq!(
        data.sets,
        all.sets.iter().filter(|set| set.sequence_len() < longest).cloned().collect::<Vec<_>>()
    );

    let options = TaskLoadOptions { max_len: Some(3), ..TaskLoadOptions::default() };
    let error = fixture.load("test", &options).unwrap_err().to_string();
    assert!(
        error.starts_with("none of the 100 rows of `sums`, split `test`, can be used (100 too-long)."),
        "{error}"
    );

    // The reasons add up to the number of rows or, for a sample, to that of its documents.
    let broken = "{}\n".repeat(3);
    write(fixture.folder.path(), "sums/test.jsonl", rows(100..200) + &broken);
    let error = fixture.load("test", &options).unwrap_err().to_string();
    assert!(
        error.contains("none of the 103 rows of") && error.contains("(3 missing-field, 100 too-long)"),
        "{error}"
    );
    let sample = |limit| TaskLoadOptions { limit: Some(limit), ..options.clone() };
    let error = fixture.load("test", &sample(5)).unwrap_err().to_string();
    assert!(
        error.contains("none of the 5 selected documents of") && error.contains("(5 too-long)"),
        "{error}"
    );
    let error = fixture.load("test", &sample(1)).unwrap_err().to_string();
    assert!(error.contains("the only selected document of") && error.contains("(1 too-long)"), "{error}");
}

#[test]
fn examples_come_from_the_train_split_and_are_drawn_by_seed() {
    let fixture = Fixture::new();
    let options = TaskLoadOptions { few_shot: 3, seed: 5, ..TaskLoadOptions::default() };
    let data = fixture.load("test", &options).unwrap();
    assert_eq!(data, fixture.load("test", &options).unwrap());
    let prompt = fixture.prompt(&data, 0);
    assert_eq!(prompt.matches("<|im_start|>system\n").count(), 1);
    assert_eq!(prompt.matches("<|im_start|>user\n").count(), 4);
    assert_eq!(prompt.matches("<|im_start|>assistant\n").count(), 4);
    let sums: Vec<usize> = prompt
        .split(" + 1")
        .map(|text| text.rsplit([' ', '\n']).next().unwrap().parse().unwrap_or(0))
        .collect();
    assert!(sums[..3].iter().all(|sum| *sum < 40), "{sums:?}");
    assert_eq!(sums[3], 100);
    assert!(sums[0] != sums[1] && sums[1] != sums[2] && sums[0] != sums[2]);
    // The examples are answered rightly.
    assert!(
        prompt.contains(&format!(
            "{} + 1<|im_end|>\n<|im_start|>assistant\n{}<|im_end|>",
            sums[0],
            sums[0] + 1
        )),
        "{prompt}"
    );

    let other = fixture.load("test", &TaskLoadOptions { seed: 6, ..options.clone() }).unwrap();
    assert_ne!(fixture.prompt(&data, 0), fixture.prompt(&other, 0));
    assert_ne!(prompt.split("100 + 1").next(), fixture.prompt(&data, 1).split("101 + 1").next());

    let repeated = fixture.load("test", &TaskLoadOptions { repeat_system: true, ..options.clone() }).unwrap();
    assert_eq!(fixture.prompt(&repeated, 0).matches("<|im_start|>system\nAdd.").count(), 4);
}

#[test]
fn a_training_question_is_never_its_own_example() {
    let fixture = Fixture::new();
    let options = TaskLoadOptions { few_shot: 39, ..TaskLoadOptions::default() };
    let data = fixture.load("train", &options).unwrap();
    for set in 0..data.sets.len() {
        let own = format!("{} + 1<|im_end|>", &data.sets[set].id[1..]);
        let prompt = fixture.prompt(&data, set);
        assert_eq!(
            prompt.matches(&format!(" {own}")).count() + prompt.matches(&format!("\n{own}")).count(),
            1,
            "{own}"
        );
    }
    let error = fixture.load("train", &TaskLoadOptions { few_shot: 40, ..options }).unwrap_err().to_string();
    assert_eq!(
        error,
        "40 few-shot examples are wanted for `sums`, but its train split has only 39 answered documents"
    );
}

#[test]
fn folders_names_and_shards_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let task = Task::parse(
        &format!("{TASK}folders = ['first', 'second']\n[splits]\ntest = ['test', 'held_out']\n"),
        "sums.toml",
    )
    .unwrap();
    let located = |split: &str| -> Vec<String> {
        let files = task.locate(folder.path(), split).unwrap();
        files.iter().map(|file| file.strip_prefix(folder.path()).unwrap().display().to_string()).collect()
    };
    write(folder.path(), "second/test.jsonl", "");
    assert_eq!(located("test"), ["second/test.jsonl"]);
    write(folder.path(), "first/held_out.csv", "");
    assert_eq!(located("test"), ["first/held_out.csv"]);
    write(folder.path(), "first/test-00001-of-00002.jsonl", rows(2..4));
    write(folder.path(), "first/test-00000-of-00002.jsonl", rows(0..2));
    let shards = ["first/test-00000-of-00002.jsonl", "first/test-00001-of-00002.jsonl"];
    assert_eq!(located("test"), shards);
    let data = Documents::load(&task, folder.path(), "test", &TaskLoadOptions::default()).unwrap();
    let ids: Vec<_> = data.documents.iter().filter_map(|document| document.id.clone()).collect();
    assert_eq!(ids, ["n0", "n1", "n2", "n3"]);
    write(folder.path(), "second/dev.json", "");
    assert_eq!(located("validation"), ["second/dev.json"]);
    write(folder.path(), "second/hard.json", "");
    assert_eq!(located("hard"), ["second/hard.json"]);
    assert_eq!(task.splits(folder.path()), ["validation", "test"]);
}

#[test]
fn a_task_can_name_its_own_files() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "mine/pairs.jsonl", rows(0..5));
    let task = write(folder.path(), "mine/task.toml", format!("{TASK}[files]\ntrain = 'pairs.jsonl'\n"));
    let task = Task::find(task.to_str().unwrap()).unwrap();
    let data = Documents::load(&task, "nowhere".as_ref(), "train", &TaskLoadOptions::default()).unwrap();
    assert_eq!(data.documents.len(), 5);
}

#[test]
fn ids_are_unique_whatever_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let row =
        |name: &str| format!("{{{name}\"sum\": \"1 + 1\", \"answers\": [\"2\", \"3\"], \"right\": 0}}\n");
    let named = [
        "\"name\": \"a\", ",
        "\"name\": \"a\", ",
        "",
        "\"name\": \"a#2\", ",
        "\"name\": \"a\", ",
        "\"name\": 3, ",
    ];
    let path = write(folder.path(), "x.jsonl", named.map(row).concat());
    let task = Task::parse(TASK, "sums.toml").unwrap();
    let data = Documents::load(&task, &path, "test", &TaskLoadOptions::default()).unwrap();
    let mut ids: Vec<_> = data.documents.iter().filter_map(|document| document.id.clone()).collect();
    assert_eq!(ids[..3], ["a", "a#2", "3"]);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[test]
fn the_synthetic_tasks_load_without_any_file() {
    let (_folder, tokenizer) = world_tokenizer();
    let load = |task: &str, split: &str, options: &TaskLoadOptions| {
        TaskData::load(&Task::find(task).unwrap(), "nowhere".as_ref(), split, &tokenizer, options).unwrap()
    };
    let default = TaskLoadOptions::default();
    let questions = load("world", "test", &default);
    assert!(questions.sets.iter().all(|set| set.candidates.len() == 4 && set.gold.is_some()));
    assert!(questions.files.is_empty());

    let chats = load("world_chat", "train", &default);
    assert!(chats.sets.iter().all(|set| set.candidates.len() == 1 && set.gold == Some(0)));
    let long = chats
        .sets
        .iter()
        .map(|set| tokenizer.decode(&set.prompt).unwrap())
        .find(|prompt| prompt.contains("lie to me"));
    let long = long.unwrap();
    assert_eq!(long.matches("<|im_start|>assistant\n").count(), 2, "{long}");

    let texts = load("world_text", "validation", &default);
    let (start, end) = (tokenizer.start_id().unwrap(), tokenizer.eos_id().unwrap());
    assert!(
        texts.sets.iter().all(|set| set.prompt == [start] && set.candidates[0].tokens.last() == Some(&end))
    );
    assert_eq!(
        questions,
        load("world", "test", &TaskLoadOptions { seed: 9, ..default.clone() }),
        "one world for all seeds"
    );

    // Text is cut, not skipped; nothing is lost.
    let cut = load("world_text", "validation", &TaskLoadOptions { max_len: Some(16), ..default });
    assert!(cut.sets.iter().all(|set| set.sequence_len() <= 16));
    let all = |data: &TaskData| -> Vec<u32> {
        data.sets.iter().flat_map(|set| set.candidates[0].tokens.clone()).collect()
    };
    assert_eq!(all(&cut), all(&texts));
    assert_eq!(cut.skipped.total(), 0);
}
