//! `dph-eval rank`: the order is that of the scores, line by line.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use command::{run, run_with};
use dph_data::Message;
use dph_eval::{Model, RankRequest, Ranking, Scoring, score};
use serde_json::{Value, json};
use support::{lswt, write_model, write_model_with_head};

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &lswt(), &["preference"]);
    place
}

/// Requests with ids, more than are scored at once.
fn requests() -> String {
    let line = |i: usize| {
        let candidates: Vec<String> =
            (0..2 + i % 4).map(|k| format!("Answer {k} to {}", "so ".repeat((i * k) % 5))).collect();
        format!("{}\n", json!({"id": i, "prompt": format!("Who is number {i}?"), "candidates": candidates}))
    };
    (0..150).map(line).collect()
}

#[test]
fn the_order_is_that_of_the_rewards() {
    let place = place();
    fs::write(place.path().join("sets.jsonl"), requests()).unwrap();
    let printed = run(place.path(), &["rank", "model", "--input", "sets.jsonl", "--json"]).ok();
    assert_eq!(
        run_with(place.path(), &["rank", "model", "--json", "--input", "-"], &requests())
            .ok()
            .lines()
            .count(),
        150
    );

    let model = Model::open(&place.path().join("model"), &dph_core::device("flex").unwrap()).unwrap();
    for (index, (line, request)) in printed.lines().zip(requests().lines()).enumerate() {
        let ranking: Ranking = serde_json::from_str(line).unwrap();
        let request = RankRequest::parse(request).unwrap();
        assert_eq!(ranking.id, Some(index.into()));
        assert_eq!(ranking.scorer, "reward:preference");
        let set = request.candidate_set("x".into(), &model.tokenizer).unwrap();
        let scores = score(&model, &[set], &Scoring::default(), &mut |_| {}).unwrap().remove(0);
        assert_eq!(ranking.ranking.len(), request.candidates.len());
        assert!(ranking.ranking.is_sorted_by(|a, b| a.score >= b.score));
        for ranked in &ranking.ranking {
            assert_eq!(ranked.candidate, request.candidates[ranked.index]);
            assert!((ranked.score.unwrap() - f64::from(scores[ranked.index].rewards[0])).abs() < 1e-5);
        }
    }
    assert_eq!(printed.lines().count(), 150);
}

#[test]
fn one_prompt_on_the_command_line() {
    let place = place();
    let args = [
        "rank",
        "model",
        "--system",
        "Be true.",
        "--prompt",
        "Who?",
        "--candidate",
        "Ann.",
        "--candidate",
        "- Bob",
    ];
    let text = run(place.path(), &args).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Who?");
    assert!(lines[1].ends_with("reward:preference"), "{text}");
    assert!(lines[3].starts_with("1  ") && lines[4].starts_with("2  "), "{text}");

    let ranking: Ranking =
        serde_json::from_str(&run(place.path(), &[&args[..], &["--json"]].concat()).ok()).unwrap();
    assert_eq!(ranking.id, None);
    assert!(lines[3].contains(ranking.ranking[0].candidate.as_str()), "{text}");

    // The same as a line of messages, whose system message counts.
    let messages = [Message::system("Be true."), Message::user("Who?")];
    let request = |prompt: Value| json!({"prompt": prompt, "candidates": ["Ann.", "- Bob"]}).to_string();
    let of = |prompt: Value| -> Ranking {
        serde_json::from_str(&run_with(place.path(), &["rank", "model", "--json"], &request(prompt)).ok())
            .unwrap()
    };
    assert_eq!(of(serde_json::to_value(&messages).unwrap()), ranking);
    assert_ne!(of("Who?".into()), ranking);
}

#[test]
fn a_model_without_a_head_ranks_by_its_likelihood() {
    let place = tempfile::tempdir().unwrap();
    write_model(&place.path().join("plain"), &lswt());
    let args = ["rank", "plain", "--prompt", "Who?", "--candidate", "Ann.", "--candidate", "Bob.", "--json"];
    let outcome = run(place.path(), &args);
    assert!(
        outcome.stderr.contains("plain has no preference head: ranking by log-likelihood"),
        "{outcome:#?}"
    );
    let ranking: Ranking = serde_json::from_str(&outcome.ok()).unwrap();
    assert_eq!(ranking.scorer, "loglik-mean");
    assert!(ranking.ranking[0].score.is_some_and(|score| score < 0.0));
    let error = run(place.path(), &[&args[..], &["--scorer", "reward"]].concat()).failed(2);
    assert!(error.contains("plain has no preference head; train one"), "{error}");
}

#[test]
fn every_scorer_can_be_shown() {
    let place = place();
    let args = ["rank", "model", "--prompt", "Who?", "--candidate", "Ann.", "--json", "--scorer"];
    let of = |choice: &str| -> Value {
        serde_json::from_str(&run(place.path(), &[&args[..], &[choice]].concat()).ok()).unwrap()
    };
    let keys = |ranking: &Value| -> Vec<String> {
        ranking["ranking"][0]["scores"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(&of("both")), ["loglik-mean", "loglik-sum", "reward:preference"]);
    assert_eq!(of("both")["scorer"], "reward:preference");
    assert_eq!(keys(&of("log")), ["loglik-mean", "loglik-sum"]);
    assert_eq!(of("log")["scorer"], "loglik-mean");
    assert_eq!(keys(&of("reward")), ["reward:preference"]);
    for (other, reason) in
        [("classifier", "answers the tasks of `bench`"), ("mixture:preference", "that `bench` chooses")]
    {
        let error = run(place.path(), &[&args[..], &[other]].concat()).failed(2);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn wrong_lines_do_not_stop_the_others() {
    let place = place();
    let good = json!({"prompt": "Who?", "candidates": ["Ann.", "Bob."]});
    let long = json!({"prompt": "x".repeat(3000), "candidates": ["Ann."]});
    let role = json!({"prompt": [{"role": "a b", "content": "x"}], "candidates": ["Ann."]});
    let input = format!(
        "{good}\nnot json\n\n{{\"prompt\": \"x\"}}\r\n{long}\n{role}\n{good}\n{}\n{}",
        r#"{"prompt": "x", "candidates": ["a"], "more": NaN}"#,
        r#"{"prompt": "x", "candidates": ["a"], "candidates": ["b"]}"#,
    );
    fs::write(place.path().join("sets.jsonl"), &input).unwrap();

    let outcome = run(place.path(), &["rank", "model", "--input", "sets.jsonl", "--json"]);
    for expected in [
        "sets.jsonl:2: not JSON: expected value (column 2)",
        "sets.jsonl:4: the field `candidates` is missing",
        "sets.jsonl:5: prompt and longest answer have ",
        "sets.jsonl:6: message 1 in `prompt` has the unknown role `a b`; rename it to one of system, user (human, ",
        "sets.jsonl:8: not JSON: `more` is NaN, which JSON lacks; write null, or leave the field out (column ",
        "sets.jsonl:9: `candidates` is there twice",
        "6 of 8 requests could not be ranked",
    ] {
        assert!(outcome.stderr.contains(expected), "{outcome:#?}");
    }
    assert_eq!(outcome.status, 1);
    let lines: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let wrong: Vec<Option<u64>> = lines.iter().map(|line| line["line"].as_u64()).collect();
    assert_eq!(wrong, [None, Some(2), Some(4), Some(5), Some(6), None, Some(8), Some(9)]);
    assert_eq!(lines[0]["ranking"].as_array().unwrap().len(), 2);
    assert!(lines[1]["error"].as_str().unwrap().starts_with("not JSON"));

    // What is no line of a request, and no text at all.
    for (input, expected) in [
        (
            format!("{good},\n").into_bytes(),
            &["sets.jsonl:1: not JSON: a comma follows the object; JSON Lines have none"][..],
        ),
        (
            format!("{good:#}").into_bytes(),
            &[
                "sets.jsonl:1: not JSON: EOF while parsing an object (column 1); write each request in one line",
            ],
        ),
        (format!("[{good}]").into_bytes(), &["found a list; write each request in a line of its own"]),
        (
            b"\x1F\x8B\x08\0\n\0\n".to_vec(),
            &[
                "sets.jsonl:1: this is not text but a gzip archive; unpack it first (gzip -d)",
                "1 of 1 request could not be ranked",
            ],
        ),
        (
            b"PAR1\n\n".to_vec(),
            &["sets.jsonl:1: this is not text but a parquet file; convert it to JSON Lines"],
        ),
    ] {
        fs::write(place.path().join("sets.jsonl"), &input).unwrap();
        let outcome = run(place.path(), &["rank", "model", "--input", "sets.jsonl"]);
        assert!(expected.iter().all(|expected| outcome.stderr.contains(expected)), "{outcome:#?}");
    }
    // A file of a model in place of its directory.
    let said = run(place.path(), &["rank", "model/model.safetensors"]).failed(2);
    assert!(
        said.contains("model/model.safetensors: this is a file; name the directory of the model, model"),
        "{said}"
    );

    let input = format!("{good}\nnot json\n{good}\n");
    let text = run_with(place.path(), &["rank", "model"], &input);
    assert_eq!((text.status, text.stdout.matches("Who?").count()), (1, 2));
    assert!(text.stderr.contains("stdin:2: not JSON"), "{text:#?}");
    assert_eq!(run_with(place.path(), &["rank", "model"], "").ok(), "");
}

#[test]
fn a_wrong_request_is_refused() {
    let place = place();
    for (args, expected) in [
        (&["--input", "nowhere.jsonl"][..], "--input nowhere.jsonl: there is no such file or directory"),
        (&["--input", "model"], "--input model: this is a directory"),
        (&["--prompt", "x"], "--candidate <C>"),
        (&["--candidate", "x"], "--prompt <P>"),
        (&["--prompt", "x", "--candidate", "y", "--input", "z"], "cannot be used with"),
        (&["--prompt", "x", "--candidate", "y", "--device", "cpu"], "unknown device `cpu`"),
    ] {
        let error = run(place.path(), &[&["rank", "model"], args].concat()).failed(2);
        assert!(error.contains(expected), "{args:?}: {error}");
    }
}

/// What is no model is told as by `dph-model inspect`.
#[test]
fn what_is_no_model_is_named() {
    let place = place();
    let dir = place.path();
    let write = |name: &str| {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{}").unwrap();
    };
    write("training/checkpoint-10/config.json");
    write("training/checkpoint-20/adapter_config.json");
    write("half/adapter_model.safetensors");
    write("two/a.gguf");
    write("two/b.gguf");
    write("none/readme.md");
    for (folder, expected) in [
        (
            "training",
            "training/config.json does not exist; the directory holds models: name one of training/checkpoint-10, training/checkpoint-20",
        ),
        (
            "half",
            "the directory holds the weights of an adapter, but no adapter_config.json, which says what they are",
        ),
        ("two", "the directory holds several GGUF files, a.gguf, b.gguf; name one of them"),
        ("none", "every model directory has one, or an export preference_head.json and a run manifest.json"),
    ] {
        let error = run(dir, &["rank", folder, "--prompt", "x", "--candidate", "y"]).failed(2);
        assert!(error.contains(expected), "{error}");
    }
    // An encoder can only classify.
    let bert = json!({"architectures": ["BertForSequenceClassification"], "model_type": "bert", "vocab_size": 20, "hidden_size": 8,
        "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2});
    fs::create_dir(dir.join("bert")).unwrap();
    fs::write(dir.join("bert/config.json"), bert.to_string()).unwrap();
    fs::copy(dir.join("model/tokenizer.json"), dir.join("bert/tokenizer.json")).unwrap();
    let error = run(dir, &["rank", "bert", "--prompt", "x", "--candidate", "y"]).failed(2);
    assert!(!error.contains("`Encoder`") && error.contains("`bert` is an encoder of "), "{error}");
}

#[test]
fn the_encoding_of_an_input_is_named() {
    let place = place();
    let line = r#"{"prompt": "Who?", "candidates": ["Ann.", "Bob."]}"#;
    let wide: Vec<u8> = line.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin = [line.as_bytes(), b"\n", &line.replace("Ann", "Zo*").into_bytes(), b"\n"].concat();
    let latin: Vec<u8> = latin.into_iter().map(|byte| if byte == b'*' { 0xEB } else { byte }).collect();
    for (bytes, expected) in [
        (wide, "in.jsonl:1: this is not UTF-8, but UTF-16; convert the file (iconv -f utf-16le -t utf-8)"),
        (
            latin,
            "in.jsonl:2: the line is not UTF-8, but probably Latin-1 (ISO 8859-1); convert the file (iconv -f latin1 ",
        ),
    ] {
        fs::write(place.path().join("in.jsonl"), bytes).unwrap();
        let outcome = run(place.path(), &["rank", "model", "--input", "in.jsonl"]);
        assert!(outcome.status == 1 && outcome.stderr.contains(expected), "{outcome:#?}");
    }
}

#[test]
fn an_empty_input_is_reported() {
    let place = place();
    for stdin in ["", "\n \n"] {
        let outcome = run_with(place.path(), &["rank", "model", "--input", "-"], stdin);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (0, ""), "{outcome:#?}");
        assert!(
            outcome.stderr.contains("stdin: there are no requests; give one a line, such as {"),
            "{outcome:#?}"
        );
    }
}

/// A program at the other end of a pipe may wait for an answer before it asks again.
#[test]
fn an_answer_does_not_wait_for_the_next_question() {
    let place = place();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dph-eval"))
        .current_dir(place.path())
        .args(["rank", "model", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ask = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for id in 0..3 {
        writeln!(ask, "{}", json!({"id": id, "prompt": "Who?", "candidates": ["Ann.", "Bob."]})).unwrap();
        let answer: Ranking = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer.id, Some(id.into()));
    }
    drop(ask);
    assert!(answers.next().is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let place = place();
    fs::write(place.path().join("sets.jsonl"), requests().repeat(4)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dph-eval"))
        .current_dir(place.path())
        .args(["rank", "model", "--input", "sets.jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let outcome = child.wait_with_output().unwrap();
    assert_eq!(outcome.status.code(), Some(0), "{}", String::from_utf8_lossy(&outcome.stderr));
}

#[test]
fn the_scored_tokens_are_shown_and_an_empty_answer_is_last_by_likelihood() {
    let place = place();
    let request = json!({"prompt": "Who?", "candidates": ["", "Ann.", "Bob or Ann."]}).to_string();
    let args = ["rank", "model", "--scorer", "log", "--json", "--show-tokens"];
    let line: Value = serde_json::from_str(run_with(place.path(), &args, &request).ok().trim()).unwrap();
    let last = &line["ranking"][2];
    assert_eq!((&last["index"], &last["tokens"], &last["score"]), (&0.into(), &0.into(), &Value::Null));

    // These are the tokens of the set that is scored.
    let model = Model::open(&place.path().join("model"), &dph_core::device("flex").unwrap()).unwrap();
    let set = RankRequest::parse(&request).unwrap().candidate_set("x".into(), &model.tokenizer).unwrap();
    assert_eq!(line["tokens"]["prompt"]["ids"], json!(set.prompt));
    for (candidate, shown) in set.candidates.iter().zip(line["tokens"]["candidates"].as_array().unwrap()) {
        assert_eq!(shown["answer"]["ids"], json!(candidate.tokens[candidate.answer.clone()]));
        assert_eq!(shown["end"]["text"], "<|im_end|>");
    }
    let text = run_with(place.path(), &["rank", "model", "--scorer", "log", "--show-tokens"], &request).ok();
    for expected in ["3  (empty answer)", "candidate 1, answer: ", "candidate 0, answer: 0 tokens"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
