//! Layouts of rows that are not one question each: rows inside of rows, many splits in one file, turns, several right
//! answers, single answers with a score.
#![allow(clippy::unwrap_used)]

mod common;

use common::write;
use dph_data::{Document, Documents, Message, RowProblem, SkipReason, Task, TaskLoadOptions};
use serde_json::{Map, Value as Json, json};

fn task(keys: &str) -> Task {
    Task::parse(&format!("name = 'x'\n{keys}"), "x.toml").unwrap_or_else(|error| panic!("{error}"))
}

fn object(row: Json) -> Map<String, Json> {
    row.as_object().unwrap().clone()
}

fn document(task: &Task, row: Json) -> Result<Document, RowProblem> {
    task.document(&object(row))
}

fn load(task: &Task, rows: &[Json], split: &str) -> Documents {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let path = write(folder.path(), "x.jsonl", lines);
    Documents::load(task, &path, split, &TaskLoadOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn inner_rows_see_the_fields_around_them() {
    let task =
        task("kind = 'text'\nrows = ['chapters', 'lines']\ntext = '{{ book }} {{ title }}: {{ line }}'");
    let book = json!({ "book": "B", "title": "outer", "chapters": [
        { "title": "1", "lines": [{ "line": "a" }, { "line": "b" }] },
        { "title": "2", "lines": [] },
        { "title": "3", "lines": [{ "line": "c", "title": "inner" }] },
    ] });
    let flat = json!({ "book": "C", "title": "flat", "line": "d" });
    let data = load(&task, &[book, flat], "train");
    let texts: Vec<_> = data.documents.iter().map(|document| document.candidates[0].as_str()).collect();
    assert_eq!(texts, ["B 1: a", "B 1: b", "B inner: c", "C flat: d"]);
    let ids: Vec<_> = data.documents.iter().filter_map(|document| document.id.as_deref()).collect();
    assert_eq!(ids, ["1", "1#2", "1#3", "2"]);
    assert_eq!(data.rows, 4);
    // What was taken apart is not copied into every part.
    let parts =
        task.nested_rows(object(json!({ "chapters": [{ "lines": [{ "line": "a" }] }], "k": 1 }))).unwrap();
    assert_eq!(parts, [object(json!({ "k": 1, "line": "a" }))]);
}

#[test]
fn inner_rows_that_are_none_are_counted_with_their_place() {
    let task = task("kind = 'text'\nrows = 'lines'\ntext = '{{ line }}'");
    let rows = [
        json!({ "lines": [{ "line": "a" }, { "word": "b" }] }),
        json!({ "lines": "a" }),
        json!({ "lines": ["a"] }),
    ];
    let data = load(&task, &rows, "train");
    assert_eq!((data.documents.len(), data.rows), (1, 4));
    let messages = |reason| -> Vec<_> {
        let rows = data.skipped.examples(reason).iter();
        rows.map(|row| format!("{}: {}", row.place.rsplit('/').next().unwrap(), row.message)).collect()
    };
    assert_eq!(
        messages(SkipReason::MissingField),
        ["x.jsonl:1, part 2: the row has no field `line` (for `text`); there is `word`"]
    );
    assert_eq!(
        messages(SkipReason::WrongType),
        [
            "x.jsonl:2: `rows` must give a list, but `lines` is text",
            "x.jsonl:3: `rows` must give a list of objects, but `lines` holds text",
        ]
    );
}

#[test]
fn inner_rows_can_be_made_by_expressions() {
    let task = Task::find("rm_bench").unwrap();
    let row = json!({ "id": 7, "prompt": "p", "chosen": ["a", "b", "c"], "rejected": ["x", "y", "z"] });
    let pairs = |split| -> Vec<String> {
        let data = load(&task, std::slice::from_ref(&row), split);
        assert!(data.documents.iter().all(|document| document.group.as_deref() == Some("7")));
        data.documents.iter().map(|document| document.candidates.concat()).collect()
    };
    assert_eq!(pairs("chat"), ["ax", "ay", "az", "bx", "by", "bz", "cx", "cy", "cz"]);
    assert_eq!(pairs("chat-easy"), ["bx", "cx", "cy"]);
    assert_eq!(pairs("chat-normal"), ["ax", "by", "cz"]);
    assert_eq!(pairs("safety-refuse-hard"), ["ay", "az", "bz"]);
}

#[test]
fn several_answers_can_be_right() {
    let task = Task::find("reward_bench_2").unwrap();
    let row = |subset: &str, chosen: Json| json!({ "id": "1", "subset": subset, "prompt": "p", "chosen": chosen, "rejected": ["x", "y"] });
    let rows = [row("Math", json!(["a"])), row("Focus", json!(["b"])), row("Ties", json!(["a", "b", "c"]))];
    let documents = |task: &Task, split| load(task, &rows, split).documents;
    let math = documents(&task, "Math");
    assert_eq!((math.len(), math[0].gold, &math[0].right), (1, Some(0), &vec![0]));
    assert_eq!(math[0].candidates, ["a", "x", "y"]);
    let ties = documents(&Task::find("reward_bench_2_ties").unwrap(), "test");
    assert_eq!((ties.len(), &ties[0].right), (1, &vec![0, 1, 2]));

    let task = Task::find("ppe_correctness").unwrap();
    let mut row = json!({ "question_id": 3, "prompt": "p" });
    for index in 1..=32 {
        row[format!("response_{index}")] = index.to_string().into();
    }
    row["scores"] = (1..=32).map(|index| index % 16 == 0).collect();
    let documents = load(&task, &[row], "math").documents;
    let found = &documents[0];
    assert_eq!((found.candidates.len(), found.gold, &found.right), (32, Some(15), &vec![15, 31]));
}

#[test]
fn rows_that_share_something_are_a_group() {
    let groups = |task: &Task, rows: &[Json]| -> Vec<Option<String>> {
        load(task, rows, "train").documents.into_iter().map(|document| document.group).collect()
    };
    let choice =
        task("kind = 'choice'\nuser = 'q'\ncandidates = ['a', 'b']\ngold = 'right'\ngroup = 'passage'");
    let passage = "A passage with many words that nobody would use as a name.";
    let row = |passage: Json| json!({ "passage": passage, "right": 0 });
    let found =
        groups(&choice, &[row("short".into()), row(passage.into()), row(passage.into()), row(Json::Null)]);
    assert_eq!(found[0].as_deref(), Some("short"));
    assert_eq!(found[1].as_ref().map(String::len), Some(16));
    assert_eq!((&found[2], &found[3]), (&found[1], &None));

    // An unknown field would make errors too small, in silence.
    let data = load(&choice, &[row("short".into()), json!({ "right": 0 }), row(json!(["a"]))], "train");
    assert_eq!(data.documents.len(), 1);
    let skipped = serde_json::to_value(&data.skipped).unwrap();
    assert_eq!(skipped, json!({ "missing-field": 1, "wrong-type": 1 }));

    // All pairs of the answers to one prompt.
    let rated = task("kind = 'preference'\nid = 'n'\nprompt = 'p'\nanswer = '{{ a }}'\nscore = 's'");
    let row = |n: u32, p: &str| json!({ "n": n, "p": p, "a": format!("answer {n}"), "s": n });
    let found = groups(&rated, &[row(1, "x"), row(2, "y"), row(3, "x"), row(4, "x"), row(5, "y")]);
    let names: Vec<&str> = found.iter().flatten().map(String::as_str).collect();
    assert_eq!(names, ["1", "1", "2", "1"]);
}

#[test]
fn a_file_can_hold_several_splits() {
    let task = Task::find("reward_bench").unwrap();
    let row = |subset: &str| json!({ "prompt": subset, "chosen": "a", "rejected": "b", "subset": subset });
    let rows = [row("hep-go"), row("hep-rust"), row("hep-go")];
    let data = load(&task, &rows, "hep-go");
    assert_eq!((data.documents.len(), data.rows, data.skipped.total()), (2, 2, 0));
    assert_eq!(load(&task, &rows, "hep-rust").documents[0].prompt[1], Message::user("hep-rust"));
    let alone = json!({ "prompt": "p", "chosen": "a", "rejected": "b" });
    assert_eq!(load(&task, &[alone], "hep-rust").rows, 1);
}

#[test]
fn turns_become_a_conversation() {
    let task = task(
        "kind = 'instruction'\nsystem = 's'\nturns = 'asked'\nuser = '{{ index }}{{ turn.q }}'\ntarget = '{{ turn.a }}'",
    );
    let row = json!({ "asked": [{ "q": "x", "a": 1 }, { "q": "y", "a": 2 }] });
    let conversation = document(&task, row).unwrap().conversation(0).unwrap();
    let expected = [
        Message::system("s"),
        Message::user("0x"),
        Message::assistant("1"),
        Message::user("1y"),
        Message::assistant("2"),
    ];
    assert_eq!(conversation, expected);
    assert_eq!(document(&task, json!({ "asked": [] })).unwrap_err().reason, SkipReason::MissingField);
    let problem = document(&task, json!({ "asked": [{ "q": "x" }] })).unwrap_err();
    assert_eq!(problem.reason, SkipReason::MissingField);
}

#[test]
fn several_right_answers_and_wrong_ones() {
    let task = task("kind = 'instruction'\nuser = 'u'\ntargets = 'right'\ndistractors = 'wrong'");
    let found = document(&task, json!({ "right": ["a", "b"], "wrong": ["c", "d"] })).unwrap();
    assert_eq!((found.candidates, found.gold), (vec!["a".into(), "c".into(), "d".into()], Some(0)));
    assert_eq!(found.also_right, ["b"]);
    // A wrong answer that is right would teach a head nonsense.
    let problem = document(&task, json!({ "right": ["a", "b"], "wrong": ["c", "b"] })).unwrap_err();
    assert_eq!(problem.reason, SkipReason::IdenticalAnswers);
    assert_eq!(
        document(&task, json!({ "right": "a", "wrong": [] })).unwrap_err().reason,
        SkipReason::WrongType
    );
    let rows = [json!({ "right": [], "wrong": ["c"] }), json!({ "right": ["a"], "wrong": [] })];
    let data = load(&task, &rows, "train");
    assert_eq!(data.skipped.counts(), [(SkipReason::Unlabelled, 1)].into());
    assert_eq!(document(&task, rows[0].clone()).unwrap().candidates, Vec::<String>::new());
    let keep = TaskLoadOptions { keep_unlabelled: true, ..TaskLoadOptions::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "x.jsonl", format!("{}\n{}\n", rows[0], rows[1]));
    assert_eq!(Documents::load(&task, &path, "train", &keep).unwrap().documents.len(), 1);
}

#[test]
fn answers_to_one_prompt_are_paired_by_score() {
    let task = Task::find("helpsteer").unwrap();
    let row = |prompt: &str, response: &str, score: i32| json!({ "prompt": prompt, "response": response, "helpfulness": score });
    let rows = [
        row("p", "good", 4),
        row("q", "only", 4),
        row("p", "bad", 1),
        row("r", "one", 2),
        row("r", "two", 2),
        row("p", "fair", 3),
        row("s", "same", 0),
        row("s", "same", 1),
    ];
    let data = load(&task, &rows, "train");
    let pairs: Vec<_> = data
        .documents
        .iter()
        .map(|d| (d.id.as_deref().unwrap(), &*d.prompt[1].content, d.candidates.join(">"), d.gold))
        .collect();
    assert_eq!(
        pairs,
        [
            ("1>3", "p", "good>bad".to_owned(), Some(0)),
            ("1>6", "p", "good>fair".to_owned(), Some(0)),
            ("6>3", "p", "fair>bad".to_owned(), Some(0)),
        ]
    );
    let reasons = [SkipReason::IdenticalAnswers, SkipReason::NoPartner, SkipReason::Tied];
    assert_eq!(data.skipped.counts(), reasons.map(|reason| (reason, 1)).into());
    assert!(data.skipped.examples(SkipReason::NoPartner)[0].place.ends_with("x.jsonl:2"));
    assert_eq!(data.rows, 8);
    assert!(data.documents.iter().all(|document| document.score.is_none()));

    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "x.jsonl", format!("{}\n", rows[1]));
    let error = Documents::load(&task, &path, "train", &TaskLoadOptions::default()).unwrap_err().to_string();
    assert!(
        error.contains("(1 no-partner)") && error.contains("no other answer to the same prompt"),
        "{error}"
    );
    let problem = document(&task, json!({ "prompt": "p", "response": "r", "helpfulness": "high" }));
    assert_eq!(problem.unwrap_err().reason, SkipReason::WrongType);
}

#[test]
fn scores_stand_beside_the_gold_answer() {
    let task = task(
        "kind = 'choice'\nuser = 'u'\ncandidates = ['0', '1', '2']\ngold = 'label | round | int'\nscore = 'label'\n\
         metric = ['pearson', 'spearman']",
    );
    let found = |label: Json| document(&task, json!({ "label": label })).map(|d| (d.gold, d.score));
    assert_eq!(found(json!(1.4)), Ok((Some(1), Some(1.4))));
    assert_eq!(found(json!(-1)), Ok((None, None)));
    assert!(found(json!(7.5)).is_err());
}

/// Tables from other tools have texts where JSON has numbers.
#[test]
fn similarity_scores_as_text() {
    let task = Task::find("stsb").unwrap();
    let found = |label: Json| {
        let row = json!({ "sentence1": "a", "sentence2": "b", "label": label });
        document(&task, row).map(|d| (d.gold, d.score)).unwrap()
    };
    assert_eq!(found(json!("2.50")), (Some(2), Some(2.5)));
    assert_eq!(found(json!(3.5)), (Some(4), Some(3.5)));
    assert_eq!(found(json!(5)), (Some(5), Some(5.0)));
    assert_eq!(found(json!(-1.0)), (None, None));
}

#[test]
fn conversations_in_the_usual_fields() {
    let task = Task::find("conversations").unwrap();
    let turn = |from: &str, role: &str, says: &str, text: &str| json!({ from: role, says: text });
    let messages = json!({ "messages": [turn("role", "user", "content", "a"), turn("role", "assistant", "content", "b")] });
    let sharegpt =
        json!({ "conversations": [turn("from", "human", "value", "a"), turn("from", "gpt", "value", "b")] });
    for row in [messages, sharegpt] {
        let found = document(&task, row).unwrap();
        assert_eq!((found.prompt, found.candidates), (vec![Message::user("a")], vec!["b".to_owned()]));
    }
}

#[test]
fn messages_keep_their_other_keys() {
    let task = Task::find("conversations").unwrap();
    let user = json!({ "role": "user", "content": "a", "name": "Ann", "weight": null });
    let call = json!({ "role": "assistant", "tool_calls": [{ "name": "f", "arguments": { "x": null } }] });
    let tool = json!({ "role": "tool", "content": "c" });
    let answer = json!({ "role": "assistant", "content": "b" });
    let found = document(&task, json!({ "messages": [user, call, tool, answer] })).unwrap();
    assert_eq!(json!(found.prompt[0]), json!({ "role": "user", "content": "a", "name": "Ann" }));
    // Chat templates know an absent content as null.
    let mut expected = call.clone();
    expected["content"] = Json::Null;
    assert_eq!(json!(found.prompt[1]), expected);
    let problem = document(&task, json!({ "messages": [user, call] })).unwrap_err();
    assert!(
        problem.message.contains("answers that only call tools are not supported"),
        "{}",
        problem.message
    );

    let task = Task::find("preference").unwrap();
    let side = |answer: &str, time: i32| json!([{ "role": "user", "content": "a", "time": time }, { "role": "assistant", "content": answer }]);
    let row = json!({ "chosen": side("b", 1), "rejected": side("c", 2) });
    assert_eq!(document(&task, row).unwrap().candidates, ["b", "c"]);
}
