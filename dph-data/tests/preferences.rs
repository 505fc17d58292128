//! The layouts of preference and conversation rows.
#![allow(clippy::unwrap_used)]

use dph_data::{Document, Message, RowProblem, SkipReason, Task};
use serde_json::{Value as Json, json};

fn pair(row: Json) -> Result<Document, RowProblem> {
    Task::find("preference").unwrap().document(row.as_object().unwrap())
}

fn user(content: &str) -> Json {
    json!({ "role": "user", "content": content })
}

fn assistant(content: &str) -> Json {
    json!({ "role": "assistant", "content": content })
}

#[test]
fn all_layouts_of_one_pair_give_one_document() {
    let layouts = [
        json!({ "prompt": "Hi?", "chosen": "Yes.", "rejected": "No." }),
        json!({ "prompt": [user("Hi?")], "chosen": [assistant("Yes.")], "rejected": [assistant("No.")] }),
        json!({ "prompt": user("Hi?"), "chosen": assistant("Yes."), "rejected": assistant("No.") }),
        json!({ "prompt": [{ "from": "human", "value": "Hi?" }], "chosen": { "from": "gpt", "value": "Yes." },
                "rejected": { "from": "gpt", "value": "No." } }),
        json!({ "prompt": "Hi?", "chosen": [user("Hi?"), assistant("Yes.")], "rejected": [user("Hi?"), assistant("No.")] }),
        json!({ "chosen": [user("Hi?"), assistant("Yes.")], "rejected": [user("Hi?"), assistant("No.")] }),
        json!({ "prompt": null, "chosen": "\n\nHuman: Hi?\n\nAssistant: Yes.", "rejected": "\n\nHuman: Hi?\n\nAssistant: No." }),
        json!({ "prompt": "\n\nHuman: Hi?\n\nAssistant:", "chosen": "Yes.", "rejected": "No." }),
    ];
    for layout in layouts {
        let document = pair(layout.clone()).unwrap_or_else(|problem| panic!("{problem}: {layout}"));
        assert_eq!(document.prompt, [Message::user("Hi?")], "{layout}");
        assert_eq!(document.candidates, ["Yes.", "No."], "{layout}");
        assert_eq!(document.gold, Some(0));
    }
}

#[test]
fn longer_conversations_keep_their_turns() {
    let row = json!({
        "chosen": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c: Human: d\n\nAssistant: good\n\n1. yes",
        "rejected": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c: Human: d\n\nAssistant: bad",
    });
    let document = pair(row).unwrap();
    let expected = [Message::user("a"), Message::assistant("b"), Message::user("c: Human: d")];
    assert_eq!(document.prompt, expected);
    assert_eq!(document.candidates, ["good\n\n1. yes", "bad"]);

    let system = json!({ "role": "system", "content": "s" });
    let row =
        json!({ "prompt": [system, user("a"), assistant("b"), user("c")], "chosen": "x", "rejected": "y" });
    assert_eq!(pair(row).unwrap().prompt.len(), 4);
}

#[test]
fn a_tasks_system_message_yields_to_the_rows_own() {
    let task = Task::parse("name = 'p'\nkind = 'preference'\nsystem = 'Be kind.'", "p.toml").unwrap();
    let roles = |row: Json| {
        let document = task.document(row.as_object().unwrap()).unwrap();
        document.prompt.iter().map(|message| message.content.to_string()).collect::<Vec<_>>()
    };
    let system = json!({ "role": "system", "content": "Be brief." });
    assert_eq!(roles(json!({ "prompt": "a", "chosen": "x", "rejected": "y" })), ["Be kind.", "a"]);
    assert_eq!(
        roles(json!({ "prompt": [system, user("a")], "chosen": "x", "rejected": "y" })),
        ["Be brief.", "a"]
    );
}

#[test]
fn rows_that_are_no_pairs() {
    use SkipReason::{IdenticalAnswers, MissingField, NoSharedPrompt, WrongType};
    let cases = [
        (json!({ "prompt": "a", "chosen": "x" }), MissingField),
        (json!({ "chosen": "x", "rejected": "y" }), MissingField),
        (json!({ "prompt": "a", "chosen": "x", "rejected": null }), WrongType),
        (json!({ "prompt": "a", "chosen": 3, "rejected": "y" }), WrongType),
        (json!({ "prompt": "a", "chosen": [3], "rejected": "y" }), WrongType),
        (json!({ "prompt": [{ "role": "user" }], "chosen": "x", "rejected": "y" }), WrongType),
        (json!({ "prompt": "a", "chosen": "x", "rejected": "x" }), IdenticalAnswers),
        (
            json!({ "chosen": [user("a"), assistant("x")], "rejected": [user("b"), assistant("y")] }),
            NoSharedPrompt,
        ),
        (json!({ "prompt": "a", "chosen": [user("a")], "rejected": [assistant("y")] }), MissingField),
        (json!({ "prompt": "a", "chosen": [], "rejected": [assistant("y")] }), MissingField),
        (json!({ "prompt": [user("a"), assistant("b")], "chosen": "x", "rejected": "y" }), MissingField),
    ];
    for (row, reason) in cases {
        assert_eq!(pair(row.clone()).unwrap_err().reason, reason, "{row}");
    }
}

#[test]
fn instructions_from_templates_and_from_conversations() {
    let task = "name = 'i'\nkind = 'instruction'\nsystem = 's'\nuser = '{{ q }}'\ntarget = '{{ a }}'";
    let row = json!({ "q": "question", "a": "answer" });
    let document = Task::parse(task, "i.toml").unwrap().document(row.as_object().unwrap()).unwrap();
    assert_eq!(document.conversation(0).unwrap().len(), 3);
    assert_eq!((document.candidates.len(), document.gold), (1, Some(0)));
    assert_eq!(document.conversation(1), None);

    let task = Task::parse("name = 'c'\nkind = 'instruction'\nmessages = 'messages'", "c.toml").unwrap();
    let row = json!({ "messages": [user("a"), assistant("b"), user("c"), assistant("d")] });
    let document = task.document(row.as_object().unwrap()).unwrap();
    assert_eq!((document.prompt.len(), document.candidates), (3, vec!["d".to_owned()]));
    let row = json!({ "messages": [assistant("d")] });
    assert_eq!(task.document(row.as_object().unwrap()).unwrap_err().reason, SkipReason::MissingField);
}
