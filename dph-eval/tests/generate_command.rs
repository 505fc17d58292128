//! `dph-eval generate`, with the real program.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use command::{run, run_with};
use serde_json::{Value, json};
use support::{lswt, write_model, write_model_with_head};
use tempfile::TempDir;

fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &lswt(), &["preference", "style"]);
    place
}

fn line(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn one_prompt_is_answered_as_text_and_as_json() {
    let place = place();
    let args =
        ["generate", "model", "--prompt", "Who?", "--best-of", "4", "--max-tokens", "8", "--seed", "3"];
    let outcome = run(place.path(), &args);
    assert!(outcome.stderr.contains("by reward:preference"), "{outcome:#?}");
    let text = outcome.ok();
    let with = |more: &[&str]| line(&run(place.path(), &[&args[..], more].concat()).ok());
    let found = with(&["--json"]);
    assert_eq!(text.trim_end(), found["answer"].as_str().unwrap().trim_end());
    let answers = found["answers"].as_array().unwrap();
    assert_eq!((answers.len(), &found["selection"]), (4, &json!("reward:preference")));
    let reward = |answer: &Value| answer["rewards"]["preference"].as_f64().unwrap();
    let chosen = &answers[found["chosen"].as_u64().unwrap() as usize];
    assert!(answers.iter().all(|answer| reward(answer) <= reward(chosen)));
    assert!(answers.iter().all(|answer| answer["loglik"].as_f64().unwrap() <= 0.0));
    assert!(found["usage"]["generated"].as_u64().unwrap() <= 32 + 4);

    assert_eq!(with(&["--json"]), found, "the seed decides");
    assert_eq!(with(&["--json", "--head", "style"])["selection"], "reward:style");
    assert_ne!(with(&["--json", "--system", "Be true."])["answers"], found["answers"]);
    let by_token = with(&["--json", "--per-token"]);
    let rewards = by_token["answers"][0]["token_rewards"]["style"].as_array().unwrap().len();
    assert_eq!(rewards, by_token["answers"][0]["tokens"].as_u64().unwrap() as usize);
    let rejected = with(&["--json", "--reject-every", "2"]);
    assert!(rejected["answers"].as_array().unwrap().iter().any(|answer| answer["end"] == "rejected"));

    // The log-likelihood joins the reward, and decides where its weight is large.
    let value = |answer: &Value, weight: f64| {
        reward(answer)
            + weight * answer["loglik"].as_f64().unwrap() / answer["tokens"].as_f64().unwrap().max(1.0)
    };
    for weight in [0.5, 1000.0] {
        let mixed = with(&["--json", "--loglik-weight", &weight.to_string()]);
        assert_eq!(mixed["selection"], format!("reward:preference + {weight} loglik-mean"));
        assert_eq!(mixed["answers"], found["answers"]);
        let best = &answers[mixed["chosen"].as_u64().unwrap() as usize];
        assert!(answers.iter().all(|answer| value(answer, weight) <= value(best, weight)), "{mixed:#}");
    }
    let by_likelihood = with(&["--json", "--selection", "loglik"])["chosen"].clone();
    assert_eq!(with(&["--json", "--loglik-weight", "1000"])["chosen"], by_likelihood);

    // The same settings in a file, which flags override.
    fs::write(place.path().join("best.toml"), "best_of = 4\nmax_tokens = 8\nseed = 9\n").unwrap();
    let file = ["generate", "model", "--prompt", "Who?", "--settings", "best.toml", "--seed", "3", "--json"];
    assert_eq!(line(&run(place.path(), &file).ok()), found);
}

#[test]
fn an_answer_can_be_watched() {
    let place = place();
    let args = ["generate", "model", "--prompt", "Who?", "--max-tokens", "8"];
    let text = run(place.path(), &args).ok();
    assert_eq!(run(place.path(), &[&args[..], &["--stream"]].concat()).ok(), text);
    let lines = run(place.path(), &[&args[..], &["--stream", "--json", "--best-of", "2"]].concat()).ok();
    let lines: Vec<Value> = lines.lines().map(line).collect();
    let (record, tokens) = lines.split_last().unwrap();
    for (index, answer) in record["answers"].as_array().unwrap().iter().enumerate() {
        let pieces: String = tokens
            .iter()
            .filter(|token| token["answer"] == index)
            .map(|token| token["text"].as_str().unwrap())
            .collect();
        assert!(answer["text"].as_str().unwrap().starts_with(&pieces));
    }
}

fn prompts(count: usize) -> String {
    let prompt =
        |id: usize| format!("{}\n", json!({"id": id, "prompt": format!("Who is {id}?"), "gold": "Ann."}));
    (0..count).map(prompt).collect()
}

const MANY: [&str; 9] =
    ["generate", "model", "--best-of", "16", "--max-tokens", "12", "--reject-every", "4", "--input"];

#[test]
fn an_interrupted_run_goes_on_where_it_was() {
    let place = place();
    let dir = place.path();
    fs::write(dir.join("in.jsonl"), prompts(24)).unwrap();
    let flags = |out: &str| [&MANY[..], &["in.jsonl", "--out", out]].concat().join(" ");
    let start = |out: &str| run(dir, &flags(out).split(' ').collect::<Vec<_>>());
    let outcome = start("whole.jsonl");
    assert!(outcome.stderr.contains("24 prompts, 384 answers; reward of the chosen ones"), "{outcome:#?}");
    outcome.ok();
    let whole = fs::read_to_string(dir.join("whole.jsonl")).unwrap();
    assert_eq!(whole.lines().count(), 24);
    assert_eq!(line(whole.lines().next().unwrap())["right"], false);

    // Killed while it writes.
    let mut child = Command::new(env!("CARGO_BIN_EXE_dph-eval"))
        .current_dir(dir)
        .args(flags("killed.jsonl").split(' '))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let written = || fs::metadata(dir.join("killed.jsonl")).map_or(0, |file| file.len());
    while written() == 0 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // In the middle of a line, at the worst.
    let killed = fs::read(dir.join("killed.jsonl")).unwrap();
    fs::write(dir.join("killed.jsonl"), &killed[..killed.len() - 5]).unwrap();
    let outcome = start("killed.jsonl");
    outcome.ok();
    assert_eq!(fs::read_to_string(dir.join("killed.jsonl")).unwrap(), whole);
    // Nothing is left to do.
    assert!(start("killed.jsonl").stderr.contains("continuing after 24 lines"));

    let other = [&MANY[..], &["in.jsonl", "--out", "whole.jsonl", "--seed", "1"]].concat();
    let error = run(dir, &other).failed(2);
    assert!(error.contains("whole.jsonl:1: this is the result of other settings"), "{error}");
    assert_eq!(fs::read_to_string(dir.join("whole.jsonl")).unwrap(), whole, "it is not touched");
}

#[test]
fn a_file_that_is_no_result_is_never_overwritten() {
    let place = place();
    let dir = place.path();
    // A line may be cut within a letter.
    let input = prompts(1).replace("\"id\":0", "\"id\":\"näher\"");
    let input = input.trim_end();
    fs::write(dir.join("in.jsonl"), input).unwrap();
    let start = |out: &str| {
        run(dir, &["generate", "model", "--max-tokens", "4", "--input", "in.jsonl", "--out", out])
    };
    for text in
        ["notes without an end of the line", "{\"id\": 1, \"prompt\"", "a\nb", "\n", "{\"line\":2,\"key\""]
    {
        fs::write(dir.join("notes"), text).unwrap();
        let error = start("notes").failed(2);
        assert!(error.contains("--out notes:1: this is no result of `generate`"), "{error}");
        assert_eq!(fs::read_to_string(dir.join("notes")).unwrap(), text);
    }
    assert!(start("in.jsonl").failed(2).contains("--out in.jsonl:1: this is no result"));
    assert_eq!(fs::read_to_string(dir.join("in.jsonl")).unwrap(), input);
    // Killed before anything of the line was written, or after its beginning.
    start("whole.jsonl").ok();
    let whole = fs::read(dir.join("whole.jsonl")).unwrap();
    let within_letter = whole.iter().position(|byte| *byte > 127).unwrap() + 1;
    for length in [0, 1, 10, 30, within_letter, whole.len() - 1] {
        fs::write(dir.join("cut.jsonl"), &whole[..length]).unwrap();
        start("cut.jsonl").ok();
        assert_eq!(fs::read(dir.join("cut.jsonl")).unwrap(), whole);
    }
    let missing = start("new/out.jsonl").failed(2);
    assert!(missing.contains("--out new/out.jsonl: there is no directory new; create it"), "{missing}");
    #[cfg(unix)]
    {
        let device = start("/dev/full").failed(2);
        assert!(
            device.contains("--out /dev/full: this is a pipe or a device, not a regular file"),
            "{device}"
        );
    }
    assert!(start("model").failed(2).contains("--out model: this is a directory; choose a file"));
}

#[test]
fn wrong_lines_do_not_stop_the_others() {
    let place = place();
    let input = format!("{}not json\n\n{}\n{}", prompts(1), json!({"prompt": "x".repeat(3000)}), prompts(1));
    fs::write(place.path().join("in.jsonl"), input).unwrap();
    let args = ["generate", "model", "--max-tokens", "4", "--input", "in.jsonl"];
    let outcome = run(place.path(), &args);
    assert_eq!(outcome.status, 1);
    for expected in ["in.jsonl:2: not JSON", "in.jsonl:4: the prompt has ", "2 of 4 prompts got no answer"] {
        assert!(outcome.stderr.contains(expected), "{expected}: {outcome:#?}");
    }
    let errors: Vec<bool> = outcome.stdout.lines().map(|text| line(text)["error"].is_string()).collect();
    assert_eq!(errors, [false, true, true, false]);
    let stdin = ["generate", "model", "--max-tokens", "4", "--input", "-"];
    assert_eq!(run_with(place.path(), &stdin, &prompts(3)).ok().lines().count(), 3);
}

#[test]
fn a_conversation_goes_on_until_the_end_of_the_input() {
    let place = place();
    let args =
        ["generate", "model", "--chat", "--max-tokens", "6", "--best-of", "2", "--system", "Be brief."];
    let outcome = run_with(place.path(), &args, "Who?\n\n/what\nWho else?\n/undo\nWho else?\n/reset\nWho?\n");
    assert!(outcome.stderr.contains("there is no command /what"), "{outcome:#?}");
    assert_eq!(outcome.stderr.matches("by reward:preference, reward").count(), 4, "{outcome:#?}");
    let text = outcome.ok();
    let alone = run_with(place.path(), &args, "Who?\n").ok();
    assert!(text.starts_with(&alone) && text.ends_with(&alone), "{text} and {alone}");
    let long = run_with(place.path(), &args, &format!("{}\nWho?\n", "x".repeat(3000)));
    assert!(long.stderr.contains("leaves no room for an answer"), "{long:#?}");
    assert!(long.stderr.contains("1 message got no answer"), "{long:#?}");
    assert_eq!((long.status, long.stdout), (1, alone));
    let later = run_with(place.path(), &args, &format!("Who?\n{}\n", "x".repeat(3000)));
    assert_eq!(later.stderr.matches("/reset forgets the conversation").count(), 2, "{later:#?}");
}

#[test]
fn a_wrong_request_is_refused() {
    let place = place();
    write_model(&place.path().join("plain"), &lswt());
    fs::write(place.path().join("wide.toml"), b"\xFF\xFEs\0e\0").unwrap();
    fs::write(place.path().join("latin.jsonl"), b"{\"prompt\": \"Caf\xE9\"}\n").unwrap();
    for (args, expected) in [
        (&["model", "--prompt", "x", "--best-of", "0"][..], "must be at least 1"),
        (&["model"], "<--prompt <P>|--input <FILE>|--chat>"),
        (&["model", "--prompt", "x", "--reject-every", "2"], "--reject-every has no effect on one answer"),
        (&["model", "--prompt", "x", "--price", "2"], "--price has no effect on one answer"),
        (&["model", "--prompt", "x", "--stop", ""], "--stop: an empty text ends no answer"),
        (&["model", "--prompt", "x", "--best-of", "1000000"], "at most 16384 answers grow together"),
        (&["model", "--prompt", "x", "--chat"], "cannot be used with"),
        (&["model", "--prompt", "x", "--out", "y"], "cannot be used with"),
        (&["model", "--prompt", "x", "--best-of", "2", "--stream"], "use --best-of 1, or --json"),
        (&["model", "--prompt", "x", "--best-of", "2", "--temperature", "0"], "the same answer 2 times"),
        (&["model", "--prompt", "x", "--temperature", "-1"], "temperature -1"),
        (
            &["model", "--prompt", "x", "--selection", "luck"],
            "choose one of reward, loglik, self-certainty, random",
        ),
        (&["model", "--prompt", "x", "--head", "truth"], "it has preference, style"),
        (&["model", "--prompt", "x", "--reject-minimum", "2"], "need --reject-every"),
        (&["model", "--prompt", "x", "--wave", "2"], "--wave needs --price"),
        (
            &["model", "--prompt", "x", "--best-of", "2", "--loglik-weight", "-1"],
            "the weight of the log-likelihood",
        ),
        (
            &["model", "--prompt", "x", "--best-of", "2", "--loglik-weight", "1", "--selection", "random"],
            "nothing is chosen or dropped by reward",
        ),
        (&["model", "--input", "nowhere.jsonl"], "--input nowhere.jsonl: there is no such file or directory"),
        (
            &["model", "--prompt", "x", "--settings", "nowhere.toml"],
            "--settings nowhere.toml: there is no such file or directory",
        ),
        (
            &["model", "--prompt", "x", "--settings", "wide.toml"],
            "--settings wide.toml: this is not UTF-8, but UTF-16",
        ),
        (
            &["model", "--input", "latin.jsonl"],
            "--input latin.jsonl: this is not UTF-8, but probably Latin-1",
        ),
        (&["plain", "--prompt", "x", "--best-of", "2", "--selection", "reward"], "no preference head"),
        (
            &["plain", "--prompt", "x", "--best-of", "2", "--reject-every", "2"],
            "no preference head, which rejection",
        ),
    ] {
        let error = run(place.path(), &[&["generate"], args].concat()).failed(2);
        assert!(error.contains(expected), "{args:?}: {error}");
    }
    fs::write(place.path().join("wrong.toml"), "best_off = 4\n").unwrap();
    let error =
        run(place.path(), &["generate", "model", "--prompt", "x", "--settings", "wrong.toml"]).failed(2);
    assert!(error.contains("wrong.toml") && error.contains("unknown field `best_off`"), "{error}");
    fs::write(place.path().join("zero.toml"), "best_of = 0\n").unwrap();
    let error =
        run(place.path(), &["generate", "model", "--prompt", "x", "--settings", "zero.toml"]).failed(2);
    assert!(error.contains("--settings zero.toml: best_of must be at least 1"), "{error}");
    // A model without a head chooses by likelihood.
    let args = ["generate", "plain", "--prompt", "x", "--best-of", "2", "--max-tokens", "4", "--json"];
    assert_eq!(line(&run(place.path(), &args).ok())["selection"], "loglik");
}

#[test]
fn the_reward_at_every_token_is_printed() {
    let place = place();
    let args = ["generate", "model", "--prompt", "Who?", "--max-tokens", "5", "--per-token"];
    let found = line(&run(place.path(), &[&args[..], &["--json"]].concat()).ok());
    let answer = &found["answers"][0];
    let text = run(place.path(), &args).ok();
    let shown = text.lines().last().unwrap();
    assert!(shown.starts_with("reward:preference: "), "{text}");
    let rewards: Vec<f64> =
        shown.split(" | ").map(|pair| pair.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    let expected = answer["token_rewards"]["preference"].as_array().unwrap();
    assert_eq!(rewards.len(), expected.len());
    for (found, expected) in rewards.iter().zip(expected) {
        assert!((found - expected.as_f64().unwrap()).abs() < 1e-4, "{text}");
    }
}

#[test]
fn rank_shows_the_reward_at_every_token() {
    let place = place();
    let args = ["rank", "model", "--prompt", "Who?", "--candidate", "Ann.", "--candidate", "Bob or Ann."];
    let found = line(&run(place.path(), &[&args[..], &["--per-token", "--json"]].concat()).ok());
    for ranked in found["ranking"].as_array().unwrap() {
        let rewards = ranked["token_rewards"]["reward:preference"].as_array().unwrap();
        assert_eq!(rewards.len() as u64, ranked["tokens"].as_u64().unwrap() + 1);
        let (last, score) = (rewards.last().unwrap().as_f64().unwrap(), ranked["score"].as_f64().unwrap());
        assert!((last - score).abs() < 1e-5);
    }
    let text = run(place.path(), &[&args[..], &["--per-token"]].concat()).ok();
    assert!(text.contains("candidate 1, reward:style: ") && text.contains("<|im_end|> "), "{text}");
    write_model(&place.path().join("plain"), &lswt());
    let error =
        run(place.path(), &["rank", "plain", "--prompt", "x", "--candidate", "y", "--per-token"]).failed(2);
    assert!(error.contains("no rewards for --per-token"), "{error}");
}

/// The examples of the crate, which the build of the tests has made.
#[test]
fn the_examples_run() {
    let place = place();
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_dph-eval")).parent().unwrap().join("examples");
    for (example, expected) in
        [("score", "log-likelihood"), ("rank", "reward:preference"), ("generate", ": ")]
    {
        let program = programs.join(example);
        if !program.exists() {
            // A single test target is built without the examples.
            assert!(std::env::var_os("CI").is_none(), "{} was not built", program.display());
            continue;
        }
        let output = Command::new(program).arg(place.path().join("model")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains(expected), "{example}: {text}");
    }
}
