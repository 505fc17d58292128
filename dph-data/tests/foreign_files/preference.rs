//! Rows of preference sets as people publish them.

use serde_json::{Value as Json, json};

use crate::common::write;
use crate::judge::{Judgement, judge};

#[track_caller]
fn read_as(task: &str, rows: &[Json]) -> Judgement {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = rows.iter().map(Json::to_string).collect();
    judge(task, &write(folder.path(), "rows.jsonl", lines.join("\n")), "train")
}

#[track_caller]
fn read(rows: &[Json]) -> Judgement {
    read_as("preference", rows)
}

fn message(role: &str, content: impl Into<Json>) -> Json {
    json!({ "role": role, "content": content.into() })
}

fn pair(prompt: &Json) -> Json {
    json!({ "prompt": prompt, "chosen": "x", "rejected": "y" })
}

#[test]
fn system_messages_of_columns() {
    let with =
        |name: &str, system: Json| json!({ name: system, "prompt": "Q", "chosen": "x", "rejected": "y" });
    read(&[with("system_prompt", "S".into()), with("system", "".into()), with("system", Json::Null)])
        .expect(&["system: S | user: Q -> *x / y", "user: Q -> *x / y", "user: Q -> *x / y"], &[]);
    read(&[with("system", json!(["S"]))]).expect(&[], &["`system` needs text, but there is a list"]);
    for (system, there) in [(json!(false), "a boolean"), (json!(0), "a number")] {
        read(&[with("system", system)])
            .expect(&[], &[&format!("`system` is the system message and needs text, but there is {there}")]);
    }
    for name in [
        "System",
        "SYSTEM",
        "system_message",
        "System_Prompt",
        "sys",
        "systemPrompt",
        "system prompt",
        "System-Prompt",
        "sys_prompt",
        "SysPrompt",
    ] {
        read(&[with(name, "S".into())]).expect(&["system: S | user: Q -> *x / y"], &[]);
    }
    // What this one is depends on the data.
    read(&[with("instruction", "S".into())]).expect(&["user: Q -> *x / y"], &[]);
    read(&[json!({ "sys": "S", "System": "T", "prompt": "Q", "chosen": "x", "rejected": "y" })]).expect(
        &[],
        &["rows.jsonl:1: the fields `System` and `sys` differ, and both are the system message"],
    );
    // The messages have one of their own.
    let own = |system: &str| json!({ "system": system, "prompt": [message("system", "T"), message("user", "Q")], "chosen": "x", "rejected": "y" });
    read(&[own(" T"), own("")]).expect(&["system: T | user: Q -> *x / y"; 2], &[]);
    read(&[own("S")])
        .expect(&[], &["rows.jsonl:1: the field `system` and the system message of the prompt differ"]);
    // Both fields.
    let both = |system: &str, prompt: &str| json!({ "system_prompt": prompt, "system": system, "prompt": "Q", "chosen": "x", "rejected": "y" });
    read(&[both("S", "S\n"), both("", "S"), both("S", ""), both("S", "T")]).expect(
        &["system: S | user: Q -> *x / y"; 3],
        &["rows.jsonl:4: the fields `system` and `system_prompt` differ, and both are the system message"],
    );
    let conversation =
        json!({ "system": "S", "messages": [message("user", "Q"), message("assistant", "x")] });
    read_as("conversations", &[conversation]).expect(&["system: S | user: Q -> *x"], &[]);
    // The task decides if it says something.
    let folder = tempfile::tempdir().unwrap();
    let task = write(folder.path(), "t.toml", "name = 't'\nkind = 'preference'\nsystem = 'Be kind.'\n");
    read_as(task.to_str().unwrap(), &[with("system", "S".into())])
        .expect(&["system: Be kind. | user: Q -> *x / y"], &[]);
}

#[test]
fn prompts_that_the_answers_repeat() {
    let answers = |before: &[Json]| {
        let whole = |answer: &str| {
            Json::Array(before.iter().cloned().chain([message("assistant", answer)]).collect())
        };
        (whole("x"), whole("y"))
    };
    let row = |prompt: &[Json], before: &[Json]| {
        let (chosen, rejected) = answers(before);
        json!({ "prompt": prompt, "chosen": chosen, "rejected": rejected })
    };
    let [system, first, reply, second] =
        [message("system", "S"), message("user", "A"), message("assistant", "B"), message("user", "C")];
    let whole = [system.clone(), first.clone(), reply.clone(), second.clone()];
    let expected = "system: S | user: A | assistant: B | user: C -> *x / y";
    let rows = [
        row(&whole, &[]),
        row(&whole, &whole),
        row(&whole, &whole[1..]),
        row(&whole, &whole[3..]),
        row(&whole[..2], &whole),
        row(&whole[..2], &whole[1..]),
        row(&[], &whole),
    ];
    read(&rows).expect(&[expected; 7], &[]);
    // A part is the same text.
    let parts = json!([{ "type": "text", "text": "C" }]);
    read(&[row(&whole, &[message("user", parts)])]).expect(&[expected], &[]);
}

/// A conversation without its prompt must not be scored.
#[test]
fn conversations_that_do_not_repeat_the_prompt() {
    let whole = |before: &[Json], answer: &str| -> Json {
        before.iter().cloned().chain([message("assistant", answer)]).collect()
    };
    let row = |prompt: Json, before: &[Json]| json!({ "prompt": prompt, "chosen": whole(before, "x"), "rejected": whole(before, "y") });
    let [system, first, reply, second] =
        [message("system", "S"), message("user", "A"), message("assistant", "B"), message("user", "C")];
    // The conversation goes on after the prompt.
    let turns = "user: A | assistant: B | user: C -> *x / y";
    read(&[
        row(json!([first, reply]), std::slice::from_ref(&second)),
        row("A".into(), &[reply.clone(), second.clone()]),
        row(json!([first]), &[reply.clone(), second.clone()]),
    ])
    .expect(&[turns; 3], &[]);
    read(&[row(json!([system]), &[first.clone(), reply.clone(), second.clone()])])
        .expect(&["system: S | user: A | assistant: B | user: C -> *x / y"], &[]);
    let tool = message("tool", "42");
    read(&[row(json!([first, reply]), std::slice::from_ref(&tool))])
        .expect(&["user: A | assistant: B | tool: 42 -> *x / y"], &[]);
    // It has the prompt in an instruction, with other blanks, in its middle, or the prompt is empty.
    let asked = message("user", "Answer briefly. A");
    read(&[row("A".into(), &[asked])]).expect(&["user: Answer briefly. A -> *x / y"], &[]);
    let conversation = [first.clone(), reply.clone(), second.clone()];
    read(&[row(" C\n".into(), &conversation), row("A".into(), &conversation), row("".into(), &conversation)])
        .expect(&[turns; 3], &[]);
    // Another question, or another system message.
    let problem = "rows.jsonl:1: the conversations of the answers neither contain the prompt nor continue it";
    read(&[row("Z".into(), &conversation)]).expect(&[], &[problem]);
    read(&[row(json!([system, message("user", "Z")]), &conversation)]).expect(&[], &[problem]);
    read(&[row("H".into(), &[message("user", "Hi")])]).expect(&[], &[problem]);
    read(&[row("Z. C".into(), std::slice::from_ref(&second))]).expect(&[], &[problem]);
    read(&[row(json!([system, first]), &[message("system", "T"), first.clone()])])
        .expect(&[], &["different system messages"]);
}

#[test]
fn conversations_in_texts() {
    let prompt = json!([message("system", "S"), message("user", "Q")]).to_string();
    let twice_prompt = prompt.clone();
    read(&[pair(&prompt.into())]).expect(&["system: S | user: Q -> *x / y"], &[]);
    let answer = |text: &str| message("assistant", text).to_string();
    read(&[json!({ "prompt": "Q", "chosen": answer("x"), "rejected": answer("y") })])
        .expect(&["user: Q -> *x / y"], &[]);
    let shared = "[{\"from\": \"human\", \"value\": \"Q\"}, {\"from\": \"gpt\", \"value\": \"x\"}]";
    read_as("conversations", &[json!({ "conversations": shared })]).expect(&["user: Q -> *x"], &[]);
    // JSON that is no conversation is an answer, and a list of Python is neither.
    let json = "[{\"name\": \"x\"}]";
    read(&[json!({ "prompt": "Q", "chosen": json, "rejected": "{\"role\"" })])
        .expect(&["user: Q -> *[{\"name\": \"x\"}] / {\"role\""], &[]);
    // JSON in JSON is read, and JSON that ends early is no answer.
    let twice = json!(answer("x")).to_string();
    read(&[json!({ "prompt": json!(twice_prompt).to_string(), "chosen": twice, "rejected": "\"y\"" })])
        .expect(&["system: S | user: Q -> *x / \"y\""], &[]);
    for start in ["[{\"role\": \"assistant\", \"content\": \"x\"", "[ {\"from\":\"gpt\"},"] {
        read(&[json!({ "prompt": "Q", "chosen": start, "rejected": "y" })])
            .expect(&[], &["`chosen` begins as messages in JSON, but these end early"]);
    }
    let start = r#"[{"role": "user", "content": "Q"}, {"role": "assistant", "content": "x""#;
    for flaw in
        ["\", \"score\": NaN}]", "\"},]", "\n\"}]", " \\ud83d\"}]", " C:\\Users\"}]", "\", \"name\": None}]"]
    {
        let broken = format!("{start}{flaw}");
        read(&[json!({ "prompt": "Q", "chosen": broken, "rejected": "y" })])
            .expect(&[], &["`chosen` begins as messages in JSON, but these are not valid (", "json.dumps"]);
    }
    // Other forms of the same messages.
    let whole = |answer: &str| [message("user", "Q"), message("assistant", answer)];
    let forms: [&dyn Fn(&str) -> String; 5] = [
        &|answer| format!("\u{feff}{}", json!(whole(answer))),
        &|answer| json!({ "messages": whole(answer) }).to_string(),
        &|answer| format!("\u{feff} {}", json!({ "id": 3, "conversations": whole(answer) })),
        &|answer| whole(answer).map(|message| message.to_string()).join("\n"),
        &|answer| json!(whole(answer).map(|message| message.to_string())).to_string(),
    ];
    for form in forms {
        read(&[json!({ "prompt": "Q", "chosen": form("x"), "rejected": form("y") })])
            .expect(&["user: Q -> *x / y"], &[]);
        let prompt = json!({ "prompt": json!({ "messages": [message("system", "S"), message("user", "Q")] }), "chosen": form("x"), "rejected": form("y") });
        read(&[prompt]).expect(&["system: S | user: Q -> *x / y"], &[]);
    }
    let lines = format!("{}\n{{\"role\": \"assistant\", \"content\": \"x", message("user", "Q"));
    read(&[json!({ "prompt": "Q", "chosen": lines, "rejected": "y" })])
        .expect(&[], &["`chosen` begins as messages in JSON, but these end early"]);
    let twice = "[{\"role\": \"user\", \"content\": \"Q\"}, {\"role\": \"assistant\", \"content\": \"x\", \"content\": \"z\"}]";
    read(&[json!({ "prompt": "Q", "chosen": twice, "rejected": "y" })])
        .expect(&[], &["`chosen`: `content` of value 2 is there twice"]);
    // Answers in JSON and about JSON stay what they are.
    for answer in [
        "{\"messages\": [{\"text\": \"x\"}]}",
        "{\"role\": \"admin\", \"content\": \"x\"} is the form.",
        "[\"{}\"]",
        "{\"a\": 1, \"a\": 2}",
        "array([[1, 2]])",
        "{'role': 'admin', 'content': 'x'}",
        "{'name': 'Ann'}",
    ] {
        read(&[json!({ "prompt": "Q", "chosen": answer, "rejected": "y" })])
            .expect(&[&format!("user: Q -> *{answer} / y")], &[]);
    }
    let numpy = "array([{'content': 'Q', 'role': 'user'},\n       {'content': 'x', 'role': 'assistant'}], dtype=object)";
    read(&[json!({ "prompt": "Q", "chosen": numpy, "rejected": "y" })]).expect(
        &[],
        &["`chosen` is an array of numpy as text; write messages as JSON (json.dumps(array.tolist()))"],
    );
    for python in [
        "[{'role': 'assistant', 'content': 'x'}]",
        "{'role': 'assistant', 'content': 'x'}",
        "{'from': 'gpt', 'value': 'x'}",
        "{'messages': [{'role': 'user', 'content': 'Q'}]}",
        "[{'text': 'x', 'role': 'assistant'}]",
        "[{'id': 3, 'from' : 'gpt', 'value': 'x'}]",
    ] {
        read(&[json!({ "prompt": "Q", "chosen": python, "rejected": "y" })])
            .expect(&[], &["`chosen` is a list or dict of Python as text", "json.dumps"]);
    }
}

#[test]
fn messages_whose_quotes_are_escaped() {
    let messages = json!([message("user", "Q")]).to_string();
    let text_first = "[{\"text\": \"Q\", \"role\": \"user\"}]";
    for text in [messages.as_str(), text_first] {
        for quote in ["\\\"", "\"\""] {
            read(&[pair(&text.replace('"', quote).into())]).expect(
                &[],
                &["`prompt` is JSON of messages whose quotation marks are escaped", "json.dumps"],
            );
        }
    }
    for text in ["[{'text': 'Q', 'role': 'admin'}]", "[{\\\"a\\\": 1}]", "[{\"\": 1}]"] {
        read(&[pair(&text.into())]).expect(&[&format!("user: {text} -> *x / y")], &[]);
    }
}

#[test]
fn prompts_that_end_with_the_assistant() {
    let says = &["the prompt ends with a message of the assistant"];
    read(&[pair(&"\n\nHuman: A\n\nAssistant: B".into())]).expect(&[], says);
    read(&[pair(&json!([{ "from": "human", "value": "A" }, { "from": "GPT", "value": "B" }]))])
        .expect(&[], says);
    let folder = tempfile::tempdir().unwrap();
    let task = "name = 't'\nkind = 'preference'\nanswer = '{{ a }}'\nscore = 's'\n";
    let task = write(folder.path(), "t.toml", task);
    let row = json!({ "prompt": [message("assistant", "A")], "a": "x", "s": 1 });
    read_as(task.to_str().unwrap(), &[row]).expect(&[], says);
    read(&[json!({ "Prompt": "A", "chosen": "x", "rejected": "y" })])
        .expect(&[], &["there is no prompt: ", "no field `prompt`; there is `Prompt`, `chosen`, `rejected`"]);
    read(&[pair(&Json::Null), pair(&json!([]))]).expect(&[], &["`prompt` is null", "`prompt` is empty"]);
}

#[test]
fn names_of_roles() {
    for (user, assistant) in
        [("Human", "GPT"), ("USER", "model"), ("prompter", "ChatGPT"), ("user", "Bot"), ("human", "AI")]
    {
        let row = json!({
            "prompt": [{ "from": user, "value": "A" }, { "from": assistant, "value": "B" }, { "from": user, "value": "C" }],
            "chosen": { "from": assistant, "value": "x" }, "rejected": { "from": assistant, "value": "y" },
        });
        read(&[row]).expect(&["user: A | assistant: B | user: C -> *x / y"], &[]);
    }
    let row = |role: &str| json!({ "prompt": "A", "chosen": [message(role, "x")], "rejected": "y" });
    read(&[row("Developer"), row("Tool")])
        .expect(&[], &["but with one of `developer`", "but with one of `tool`"]);
    // A name that is not known would be a turn that the model has never seen.
    for role in ["narrator", "Küche", "Person 1", "observation", "usr"] {
        let unknown = format!(
            "has the unknown role `{role}`; rename it to one of system, user (human, prompter), assistant (gpt, "
        );
        read(&[row(role)]).expect(&[], &[&format!("message 1 in `chosen` {unknown}")]);
        let prompt = json!([message("user", "A"), message("assistant", "B"), message(role, "C")]);
        read(&[pair(&prompt), pair(&"A".into())])
            .expect(&["user: A -> *x / y"], &[&format!("rows.jsonl:1: message 3 in `prompt` {unknown}")]);
    }
    let roles = ["developer", "user", "function", "ipython"].map(|role| message(role, "A"));
    read(&[pair(&json!(roles))])
        .expect(&["developer: A | user: A | function: A | ipython: A -> *x / y"], &[]);
}

/// Keys of both forms of messages in one message.
#[test]
fn messages_in_both_forms() {
    let answer = |fields: Json| json!({ "prompt": "A", "chosen": [fields], "rejected": "y" });
    read(&[
        answer(json!({ "role": "assistant", "from": "gpt", "content": "x", "value": "x" })),
        answer(json!({ "role": null, "from": "gpt", "content": null, "value": "x" })),
        // A rating.
        answer(json!({ "role": "assistant", "content": "x", "value": 0.5 })),
    ])
    .expect(&["user: A -> *x / y"; 3], &[]);
    read(&[
        answer(json!({ "role": "user", "from": "gpt", "value": "x" })),
        answer(json!({ "from": "gpt", "content": "x", "value": "z" })),
    ])
    .expect(
        &[],
        &[
            "rows.jsonl:1: message 1 in `chosen` has `role` and `from`, which mean the same, and they differ",
            "rows.jsonl:2: message 1 in `chosen` has `content` and `value`, which mean the same, and they differ",
        ],
    );
}

#[test]
fn contents() {
    let part = |text: &str| json!({ "type": "text", "text": text });
    let row = json!({ "prompt": [message("user", json!([part("A"), part("B")]))], "chosen": [message("assistant", json!([part("x")]))], "rejected": "y" });
    read(&[row]).expect(&["user: A\nB -> *x / y"], &[]);
    let row = |content: Json| json!({ "prompt": [message("user", content)], "chosen": "x", "rejected": "y" });
    read(&[row(json!([part("A"), { "type": "image" }])), row(7.into())])
        .expect(&[], &["type `image` is not supported", "`content` must be text"]);
    // null is named wherever it is.
    let answer = |content: Json| json!({ "prompt": "A", "chosen": [message("user", "A"), message("assistant", content)], "rejected": "y" });
    read(&[answer(Json::Null), row(Json::Null)]).expect(
        &[],
        &[
            "message 2 in `chosen` (`assistant`) has the content null",
            "message 1 in `prompt` (`user`) has the content null",
        ],
    );
    // A message that only calls tools has no content.
    let call = json!({ "role": "assistant", "tool_calls": [{ "name": "f" }] });
    let prompt = json!([message("user", "A"), call, message("tool", "42")]);
    read(&[pair(&prompt)]).expect(&["user: A | assistant:  | tool: 42 -> *x / y"], &[]);
    let call = json!({ "role": "assistant", "content": null, "tool_calls": [{ "name": "f" }] });
    read(&[pair(&json!([message("user", "A"), call, message("tool", "42")]))]).expect(
        &[],
        &["(`assistant`) has the content null; write its text, and an empty one where it only calls tools"],
    );
}

#[test]
fn errors_name_the_fields_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let task = "name = 't'\nkind = 'choice'\nuser = '{{ question }} {{ more.text }}'\ncandidates = 'options'\ngold = 'label'\n";
    let task = write(folder.path(), "t.toml", task);
    let task = task.to_str().unwrap();
    let row = json!({ "Question": "q", "options": ["a", "b"], "label": 0, "more": { "text": "t" } });
    read_as(task, &[row]).expect(
        &[],
        &["the row has no field `question` (for `user`); there is `Question`, `options`, `label`, `more`"],
    );
    let row = json!({ "question": "q", "options": ["a", "b"], "label": 0, "more": { "txt": "t" } });
    read_as(task, &[row]).expect(&[], &["the row has no field `more.text` (for `user`); `more` has `txt`"]);
    let row = json!({ "question": "q", "options": ["a", "b"], "Label": 0, "more": { "text": "t" } });
    read_as(task, &[row]).expect(
        &[],
        &["no gold answer: `label` is missing, null, NaN, empty or -1; there is `question`, `options`, `Label`"],
    );
    let prompt = |message: Json| pair(&json!([{ "role": "user", "content": "A" }, message]));
    for (message, says) in [
        (
            json!({ "content": "A", "name": "n" }),
            "message 2 in `prompt` has no `role` (or `from`); there is `content`, `name`",
        ),
        (
            json!({ "role": "user", "text": "A" }),
            "message 2 in `prompt` (`user`) has no `content` (or `value`); there is `role`, `text`",
        ),
        (
            json!({ "role": 3, "content": "A" }),
            "message 2 in `prompt` needs a text as its role, but there is a number",
        ),
        (json!({ "role": " ", "content": "A" }), "message 2 in `prompt` has an empty role"),
        (json!("A"), "but message 2 is text"),
        (json!({ "role": "user", "content": 3 }), "message 2 in `prompt` (`user`): `content` must be text"),
    ] {
        read(&[prompt(message)]).expect(&[], &[says]);
    }
    let many: serde_json::Map<_, _> = (0..20).map(|index| (format!("f{index}"), index.into())).collect();
    read_as(task, &[many.into()]).expect(&[], &["`f10`, `f11` and 8 more"]);
}

/// What holds neither text nor messages is named as a field.
#[test]
fn fields_that_are_no_text() {
    let must = "must be text or messages, objects with `role` and `content` (or `from` and `value`), but is ";
    for (value, kind) in [(json!(5), "a number"), (json!(true), "a boolean"), (json!(1.5), "a number")] {
        read(&[pair(&value)]).expect(&[], &[&format!("the field `prompt` {must}{kind}")]);
        read(&[json!({ "prompt": "Q", "chosen": value, "rejected": "y" })])
            .expect(&[], &[&format!("the field `chosen` {must}{kind}")]);
    }
    let task = "name = 't'\nkind = 'preference'\nprompt = 'q'\nchosen = 'better'\nrejected = 'worse.text'\n";
    let folder = tempfile::tempdir().unwrap();
    let task = write(folder.path(), "t.toml", task);
    let row = |q: Json, worse: Json| json!({ "q": q, "better": "x", "worse": { "text": worse } });
    let rows = [row(3.into(), "y".into()), row("Q".into(), 4.into())];
    read_as(task.to_str().unwrap(), &rows).expect(
        &[],
        &[
            "rows.jsonl:1: the field `q` (for `prompt`) must be text",
            "rows.jsonl:2: the field `worse.text` (for `rejected`) must be text",
        ],
    );
    let task = write(folder.path(), "c.toml", "name = 't'\nkind = 'instruction'\nmessages = 'talk'\n");
    read_as(task.to_str().unwrap(), &[json!({ "talk": 7 })])
        .expect(&[], &[&format!("the field `talk` (for `messages`) {must}a number")]);
}

#[test]
fn contents_without_parts() {
    let says = |role: &str, key: &str| {
        format!("message 1 in `{key}` (`{role}`) has an empty list as its content; write its text")
    };
    read(&[
        pair(&json!([message("user", json!([]))])),
        json!({ "prompt": "Q", "chosen": message("assistant", json!([])), "rejected": "y" }),
        pair(&json!([{ "from": "human", "value": [] }])),
    ])
    .expect(
        &[],
        &[&says("user", "prompt"), &says("assistant", "chosen"), "rows.jsonl:3: message 1 in `prompt`"],
    );
    read(&[pair(&json!([message("user", "")])), pair(&json!([message("user", json!([{ "text": "" }]))]))])
        .expect(&["user:  -> *x / y"; 2], &[]);
}
