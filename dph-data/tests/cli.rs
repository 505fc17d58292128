//! The command as people run it.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::write;
use serde_json::{Value as Json, json};

/// Runs the command in a folder: exit status, stdout and stderr.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dph-data"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("DPH_DATA")
        .env("NO_COLOR", "1")
        .env("NO_GRAPHICS", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows = "{\"goal\": \"open a jar\", \"sol1\": \"twist\", \"sol2\": \"hit\\n\\u001b[31mit\", \"label\": 0}\n\
                {\"goal\": \"x\", \"sol1\": \"twist\", \"label\": 0}\n\
                {\"goal\": \"close it\", \"sol1\": \"push\", \"sol2\": \"pull\", \"label\": -1}\n\
                {\"goal\": \"y\", \"sol1\": \"push\", \"sol2\": \"pull\", \"label\": 7}\n";
    write(folder.path(), "data/piqa/validation.jsonl", rows);
    folder
}

#[test]
fn the_help_is_stable() {
    let folder = folder();
    let mut help = String::new();
    for arguments in [
        vec!["--help"],
        vec!["list", "--help"],
        vec!["fetch", "--help"],
        vec!["show", "--help"],
        vec!["render", "--help"],
        vec!["validate", "--help"],
        vec!["stats", "--help"],
    ] {
        let (status, out, _) = run(folder.path(), &arguments);
        assert_eq!(status, 0);
        help += &format!("$ dph-data {}\n{out}\n", arguments.join(" "));
    }
    insta::assert_snapshot!(help);
}

/// Names of files have no case on some systems.
#[test]
fn a_task_file_in_capital_letters() {
    let folder = folder();
    let task = "name = 't'\nkind = 'choice'\nuser = '{{ goal }}'\ncandidates = ['{{ sol1 }}', '{{ sol2 }}']\ngold = 'label'\n\
                folders = ['piqa']\n";
    for name in ["task.TOML", "task.toml"] {
        write(folder.path(), name, task);
        let (status, out, err) =
            run(folder.path(), &["show", name, "--data", "data", "--split", "validation", "--limit", "1"]);
        assert!(status == 0 && out.contains("open a jar"), "{out}{err}");
    }
}

#[test]
fn list_show_and_stats() {
    let folder = folder();
    let (status, out, err) = run(folder.path(), &["list"]);
    assert_eq!((status, err.as_str()), (0, ""));
    let piqa = out.lines().find(|line| line.starts_with("piqa")).unwrap();
    assert!(piqa.contains("choice") && piqa.contains("  validation  "), "{piqa}");

    let (status, out, err) = run(folder.path(), &["show", "piqa"]);
    assert_eq!((status, err.as_str()), (0, "skipped: 1 missing-field, 1 gold-out-of-range\n"));
    insta::assert_snapshot!("show_piqa", out);
    let (_, out, _) = run(folder.path(), &["show", "piqa", "--limit", "1", "--json"]);
    let shown: Json = serde_json::from_str(&out).unwrap();
    let documents = shown["documents"].as_array().unwrap();
    assert_eq!(documents[0]["candidates"][1], "hit\n\u{1b}[31mit");
    assert_eq!((documents.len(), &documents[0]["gold"]), (1, &0.into()));
    assert_eq!(shown["rows"], 4);
    assert_eq!(shown["skipped"], json!({ "missing-field": 1, "gold-out-of-range": 1 }));
    assert_eq!(
        shown["skipped_rows"][0],
        json!({
            "place": "data/piqa/validation.jsonl:2",
            "reason": "missing-field",
            "message": "the row has no field `sol2` (for `candidates`); there is `goal`, `sol1`, `label`",
        })
    );

    let (status, out, _) = run(folder.path(), &["stats", "piqa"]);
    assert_eq!(status, 0);
    insta::assert_snapshot!("stats_piqa", out);
    dph_data::World::default().write_tokenizer(&folder.path().join("tokenizer")).unwrap();
    let (_, out, _) = run(folder.path(), &["stats", "world", "--tokenizer", "tokenizer", "--json"]);
    let stats: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(stats["splits"].as_array().unwrap().len(), 3);
    assert!(stats["splits"][0]["tokens"]["max"].as_f64().unwrap() > 20.0);
    let (_, out, _) = run(folder.path(), &["stats", "world", "--tokenizer", "tokenizer", "--split", "test"]);
    insta::assert_snapshot!("stats_world", out);

    // A single file has the split that its name stands for, else `train`.
    std::fs::copy(folder.path().join("data/piqa/validation.jsonl"), folder.path().join("mine.jsonl"))
        .unwrap();
    for (file, split) in [("data/piqa/validation.jsonl", "validation"), ("mine.jsonl", "train")] {
        let (status, out, err) = run(folder.path(), &["stats", "piqa", "--data", file, "--json"]);
        let stats: Json = serde_json::from_str(&out).unwrap();
        assert_eq!((status, err.as_str()), (0, ""), "{file}");
        assert_eq!((&stats["splits"][0]["split"], &stats["splits"][0]["rows"]), (&split.into(), &4.into()));
    }
}

#[test]
fn an_embedded_task_is_a_start_for_ones_own() {
    let folder = folder();
    let (status, toml, _) = run(folder.path(), &["show", "openbookqa", "--toml"]);
    assert_eq!(status, 0);
    write(folder.path(), "mine.toml", toml);
    let (status, out, _) = run(folder.path(), &["validate", "mine.toml"]);
    assert_eq!((status, out.as_str()), (0, "mine.toml: a valid task: openbookqa, choice\n"));
    assert_eq!(
        run(folder.path(), &["show", "openbookqa", "--toml"]),
        run(folder.path(), &["show", "mine.toml", "--toml"])
    );
}

#[test]
fn validate_reports_everything_and_fails() {
    let folder = folder();
    let (status, out, err) =
        run(folder.path(), &["validate", "data/piqa/validation.jsonl", "--task", "piqa"]);
    assert_eq!((status, err.as_str()), (1, "Error: 2 problems\n"));
    insta::assert_snapshot!("validate_rows", out);
    let (_, out, _) =
        run(folder.path(), &["validate", "data/piqa/validation.jsonl", "--task", "piqa", "--json"]);
    let report: Json = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["rows"], &report["unlabelled"]), (&4.into(), &1.into()));
    assert_eq!(report["problems"][1]["reason"], "gold-out-of-range");

    write(folder.path(), "bad.toml", "name = 'x'\nknd = 'choice'\nkind = 'choice'\n");
    let (status, out, err) = run(folder.path(), &["validate", "bad.toml"]);
    assert_eq!((status, err.as_str()), (1, "Error: 4 problems\n"));
    insta::assert_snapshot!("validate_task", out);
    write(folder.path(), "good.toml", "name = 'x'\nkind = 'text'\ntext = '{{ a }}'\n");
    let (status, out, _) = run(folder.path(), &["validate", "good.toml"]);
    assert_eq!((status, out.as_str()), (0, "good.toml: a valid task: x, text\n"));
}

/// The files that a task names are read as training reads them.
#[test]
fn validate_reads_the_files_of_a_task() {
    let folder = tempfile::tempdir().unwrap();
    let task =
        "name = 'p'\nkind = 'preference'\n[files]\ntrain = ['a.jsonl', 'b.jsonl']\nvalidation = 'c.tsv'\n";
    write(folder.path(), "sets/p.toml", task);
    let row = |chosen: &str| format!("{}\n", json!({ "prompt": "q", "chosen": chosen, "rejected": "y" }));
    write(folder.path(), "sets/a.jsonl", row("x"));
    write(folder.path(), "sets/b.jsonl", row("z") + &row("y"));
    write(folder.path(), "sets/c.tsv", "prompt\tchosen\trejected\nq\tx\ty\n");
    let validate =
        |arguments: &[&str]| run(folder.path(), &[&["validate", "sets/p.toml"], arguments].concat());
    let (status, out, err) = validate(&[]);
    assert_eq!((status, err.as_str()), (1, "Error: 1 problem\n"), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "sets/p.toml: a valid task: p, preference");
    assert!(
        lines[1]
            .ends_with("sets/b.jsonl:2: the chosen and the rejected answer are the same (identical-answers)"),
        "{out}"
    );
    assert_eq!(
        lines[2..],
        [
            "sets/p.toml, split train: 2 of 3 rows can be used for p",
            "sets/p.toml, split validation: 1 of 1 rows can be used for p",
        ]
    );
    let report: Json = serde_json::from_str(&validate(&["--json"]).1).unwrap();
    assert_eq!(report["splits"][0]["problems"][0]["reason"], "identical-answers");
    assert_eq!(report["splits"][1]["documents"], 1);

    write(folder.path(), "sets/b.jsonl", row("z"));
    assert_eq!(validate(&[]).0, 0);
    std::fs::remove_file(folder.path().join("sets/c.tsv")).unwrap();
    let (status, out, err) = validate(&[]);
    assert_eq!(status, 2);
    assert!(out.contains("split train: 2 of 2 rows") && err.contains("c.tsv"), "{out}{err}");
}

/// What training refuses or skips, `validate` reports: it loads the rows in the same way.
#[test]
fn validate_judges_rows_as_training_does() {
    let folder = tempfile::tempdir().unwrap();
    let validate = |rows: &str, arguments: &[&str]| {
        write(folder.path(), "rows.jsonl", rows);
        run(folder.path(), &[&["validate", "rows.jsonl", "--task", "task.toml"], arguments].concat())
    };
    let scored = "name = 'rated'\nkind = 'preference'\nanswer = '{{ answer }}'\nscore = 'score'\n";
    write(folder.path(), "task.toml", scored);
    let row = |prompt, answer, score| {
        format!("{}\n", json!({ "prompt": prompt, "answer": answer, "score": score }))
    };
    let pair = row("p", "good", 2) + &row("p", "bad", 1);
    let (status, out, _) = validate(&pair, &[]);
    assert_eq!((status, out.as_str()), (0, "rows.jsonl: 2 rows make 1 pair for rated\n"));
    let (status, out, err) = validate(&(pair.clone() + &row("q", "alone", 1)), &[]);
    assert_eq!((status, err.as_str()), (1, "Error: 1 problem\n"));
    assert_eq!(
        out,
        "rows.jsonl:3: there is no other answer to the same prompt (no-partner)\n\
         rows.jsonl: 3 rows make 1 pair for rated\n"
    );
    let (status, out, _) = validate(&(row("p", "a", 1) + &row("p", "b", 1)), &["--json"]);
    let report: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (status, &report["problems"][0]["reason"], &report["documents"]),
        (1, &"tied".into(), &0.into())
    );

    let kept = "name = 'kept'\nkind = 'text'\ntext = '{{ text }}'\nkeep = 'part == split'\n";
    write(folder.path(), "task.toml", kept);
    let row = "{\"text\": \"a\", \"part\": \"test\"}\n";
    let (status, out, err) = validate(row, &[]);
    assert_eq!((status, out.as_str()), (2, ""));
    let err = err.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
    assert!(
        err.contains(
            "no row belongs to the split `train` of `kept`, by its key `keep`; 1 belong to other splits."
        ),
        "{err}"
    );
    let (status, out, _) = validate(row, &["--split", "test"]);
    assert_eq!((status, out.as_str()), (0, "rows.jsonl: 1 of 1 rows can be used for kept\n"));
    let (status, _, err) = validate("{\"text\": \"a\"}\n", &["--split", "test"]);
    assert_eq!((status, err.as_str()), (1, "Error: 1 problem\n"));

    // The file counts, not those that the task names; a role must be one; without a label there is nothing to learn.
    write(
        folder.path(),
        "task.toml",
        "name = 'pairs'\nkind = 'preference'\n[files]\ntrain = 'nowhere.jsonl'\n",
    );
    let pair = |role: &str| {
        let prompt = json!([{ "role": role, "content": "p" }]);
        format!("{}\n", json!({ "prompt": prompt, "chosen": "a", "rejected": "b" }))
    };
    assert_eq!(validate(&pair("user"), &[]).0, 0);
    let (status, out, _) = validate(&pair("no role"), &[]);
    assert_eq!(status, 1);
    assert!(
        out.starts_with(
            "rows.jsonl:1: message 1 in `prompt` has the unknown role `no role`; rename it to one of system, "
        ),
        "{out}"
    );
    write(
        folder.path(),
        "task.toml",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = ['a', 'b']\ngold = 'gold'\n",
    );
    let (status, out, err) = validate("{}\n{}\n", &[]);
    assert_eq!((status, out.as_str()), (2, "rows.jsonl: 0 of 2 rows can be used for x; unlabelled: 2\n"));
    assert!(err.contains("none of the 2 rows"), "{err}");
}

#[test]
fn a_wrong_request_and_bad_data_have_status_two() {
    let folder = folder();
    write(folder.path(), "data/sst2/train.jsonl", "PAR1");
    write(folder.path(), "data/sst2/test.jsonl", "{\"sentence\": \"x\", \"label\": 3}");
    let cases: [(&[&str], &str); 17] = [
        (&["show", "pica"], "did you mean `piqa`?"),
        (&["show", "no.toml"], "cannot read the task file no.toml"),
        (&["show", "piqa", "--split", "train"], "there is: data/piqa/validation.jsonl"),
        (
            &["show", "piqa", "--data", "nowhere"],
            "nowhere does not exist; name a file of rows, or the root of the data sets (--data, DPH_DATA, or the argument of dph-data validate)",
        ),
        (&["show", "piqa", "--data", "nowhere.jsonl"], "split `validation`: nowhere.jsonl does not exist"),
        (&["validate", "nowhere.jsonl", "--task", "piqa"], "split `train`: nowhere.jsonl does not exist"),
        (
            &["show", "nowhere.toml", "--toml"],
            "cannot read the task file nowhere.toml: there is no such file or directory",
        ),
        (&["stats", "boolq"], "found no rows of `boolq`"),
        (&["stats", "world", "--tokenizer", "data"], "cannot read data/tokenizer.json"),
        (&["stats", "world", "--max-len", "3"], "--tokenizer"),
        (&["validate", "data/piqa/validation.jsonl"], "name the task of the rows with --task"),
        (
            &["validate", "data/piqa/validation.dat", "--task", "piqa"],
            "data/piqa/validation.dat does not exist",
        ),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["show", "sst2", "--split", "train"], "rename it to .parquet"),
        (&["stats", "sst2", "--split", "test"], "the only row of `sst2`, split `test`, cannot be used (1 "),
        (
            &["validate", "nowhere.jsonl"],
            "nowhere.jsonl: there is no such file or directory; give a task file (.toml)",
        ),
        (&["validate", "data"], "data: this is a directory; give a task file (.toml)"),
    ];
    for (arguments, message) in cases {
        let (status, out, err) = run(folder.path(), arguments);
        // The report is wrapped to the terminal's width.
        let joined = err.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(joined.contains(message), "{arguments:?}: {joined}");
    }
}

#[test]
fn the_data_root_comes_from_the_environment() {
    let folder = folder();
    let output = Command::new(env!("CARGO_BIN_EXE_dph-data"))
        .args(["stats", "piqa", "--json"])
        .env("DPH_DATA", folder.path().join("data"))
        .output()
        .unwrap();
    assert!(output.status.success());
    let stats: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        stats["splits"][0]["skipped"],
        serde_json::json!({ "missing-field": 1, "gold-out-of-range": 1, "unlabelled": 1 })
    );
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dph-data"))
        .args(["show", "world_text", "--split", "train", "--limit", "100000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn the_tokens_of_documents_and_of_conversations_on_stdin_are_shown() {
    let folder = folder();
    let (tokenizer, _) = common::world_tokenizer();
    let directory = tokenizer.path().to_str().unwrap();
    let show = ["show", "piqa", "--limit", "1", "--tokens", "--tokenizer", directory];
    let (status, out, _) = run(folder.path(), &show);
    assert_eq!(status, 0);
    for shown in
        ["prompt: ", "candidate 1, answer: ", "candidate 0, end of the turn: 1 token\n    \"<|im_end|>\""]
    {
        assert!(out.contains(shown), "{shown}: {out}");
    }
    let (_, out, _) = run(folder.path(), &[&show[..], &["--json"]].concat());
    let shown: Json = serde_json::from_str(&out).unwrap();
    let set = &shown["documents"][0]["tokens"][0];
    assert_eq!(set["candidates"][0]["answer"]["text"], "twist");
    assert_eq!(set["candidates"][0]["end"]["pieces"], json!(["<|im_end|>"]));
    let (status, _, err) = run(folder.path(), &["show", "piqa", "--tokens"]);
    assert!(status == 2 && err.contains("--tokenizer"), "{err}");

    let render = |lines: &str, more: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dph-data"))
            .args(["render", "--tokenizer", directory])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let messages = json!({ "messages": [
        { "role": "user", "content": [{ "type": "text", "text": "Who?" }] },
        { "role": "assistant", "content": "Ann.<|im_end|>" },
    ] });
    let candidates = json!({ "id": 7, "prompt": "Who?", "candidates": ["Ann.", "Bob."] });
    let (status, out, err) = render(&format!("{messages}\n\n{candidates}\n"), &["--json"]);
    assert_eq!((status, err.as_str()), (0, ""));
    let views: Vec<Json> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(views.len(), 2);
    let last = &views[0]["candidates"][0];
    assert_eq!(last["answer"]["text"], "Ann.<|im_end|>");
    assert!(!last["answer"]["pieces"].as_array().unwrap().contains(&"<|im_end|>".into()), "{last}");
    assert_eq!(views[1]["candidates"][1]["answer"]["text"], "Bob.");
    assert_eq!(views[0]["prompt"], views[1]["prompt"]);
    // Messages are read as those of rows.
    let other = json!({ "messages": [{ "from": "human", "value": "Who?" }, { "from": "gpt", "value": "Ann.<|im_end|>" }] });
    let (_, out, _) = render(&other.to_string(), &["--json"]);
    assert_eq!(serde_json::from_str::<Json>(&out).unwrap(), views[0]);
    let (_, out, _) = render(&json!({ "messages": [{ "role": "user", "content": "Hi" }] }).to_string(), &[]);
    assert!(out.contains("<|im_start|>assistant\\n\""), "{out}");

    for (lines, expected) in [
        ("", "stdin has no conversation"),
        ("{", "stdin:1: not JSON"),
        ("\n{\"messages\": 7}", "stdin:2: `messages` must be text or messages"),
        (r#"{"prompt": "a"}"#, "stdin:1: A line is {\"messages\""),
        (
            r#"{"messages": [{"role": "user", "content": [{"type": "image"}]}]}"#,
            "a part of type `image` is not supported",
        ),
        (
            r#"{"messages": [{"role": "a b", "content": "x"}]}"#,
            "has the unknown role `a b`; rename it to one of",
        ),
    ] {
        let (status, out, err) = render(lines, &[]);
        assert!(status == 2 && out.is_empty() && err.contains(expected), "{lines}: {status} {err}");
    }
}

#[test]
fn a_tokenizer_is_the_one_of_a_model_an_export_or_a_run() {
    let (model, _) = common::world_tokenizer();
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let reference = json!({ "path": model.path(), "hash": "0" }).to_string();
    write(&path("run/dph"), "preference_head.json", "{}");
    write(&path("run/dph"), "backbone.json", reference);
    write(&path("run"), "manifest.json", r#"{"stages": ["sft", "dph"]}"#);
    write(&path("sweep"), "manifest.json", r#"{"variants": ["a=1", "a=2"]}"#);
    write(&path("new"), "manifest.json", r#"{"stages": ["sft"]}"#);
    write(&path("moved"), "backbone.json", r#"{"path": "/nowhere", "hash": "0"}"#);
    write(place.path(), "m.gguf", "GGUF");
    let stats = |tokenizer: &str, more: &[&str]| {
        let args =
            [&["stats", "world", "--split", "test", "--json", "--tokenizer", tokenizer][..], more].concat();
        run(place.path(), &args)
    };
    let expected = stats(model.path().to_str().unwrap(), &[]);
    assert_eq!(expected.0, 0, "{}", expected.2);
    for name in ["run", "run/dph"] {
        assert_eq!(stats(name, &[]), expected, "{name}");
    }
    for (name, message) in [
        ("nowhere", "nowhere: there is no such directory"),
        ("m.gguf", "dph-model convert m.gguf OUT"),
        ("hf:a/b", "hf:a/b: dph-data does not download models"),
        ("sweep", "name one of its variants: a=1, a=2"),
        ("new", "no stage of this run has been exported yet"),
        ("moved", "/nowhere: there is no such directory"),
    ] {
        let (status, _, err) = stats(name, &[]);
        assert!(status == 2 && err.contains(message), "{name}: {status} {err}");
    }
    // A format of an export, and one of the command line.
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}";
    let config = json!({ "eos_token": "</s>", "chat_template": template }).to_string();
    write(model.path(), "tokenizer_config.json", config);
    let (plain, chatml) = (stats("run", &[]).1, stats("run", &["--chat-format", "chatml"]).1);
    assert_ne!(plain, chatml);
    write(&path("run/dph"), "chat.json", r#"{"format": "chatml"}"#);
    assert_eq!(stats("run", &[]).1, chatml);
    assert_eq!(stats("run", &["--chat-format", "template"]).1, plain);
}

#[test]
fn a_file_of_rows_has_the_split_of_its_name() {
    let place = tempfile::tempdir().unwrap();
    let row = r#"{"goal": "g", "sol1": "a", "sol2": "b", "label": 0}"#;
    for (name, split) in [("mine.jsonl", "train"), ("dev.jsonl", "validation")] {
        write(place.path(), name, row);
        let (status, out, err) = run(place.path(), &["show", "piqa", "--data", name]);
        assert!(status == 0 && out.contains(&format!("split {split}")), "{name}: {out}{err}");
    }
}
