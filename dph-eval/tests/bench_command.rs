//! `dph-eval bench` and `report`, from rows on disk to the table.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;

use command::run;
use dph_core::Scorer;
use dph_eval::{DocumentScores, Results, Table};
use serde_json::{Value, json};
use support::{lswt, write_model, write_model_with_head, write_rows};

/// A place with a model, and rows of BoolQ and PIQA.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &lswt(), &["preference", "truth"]);
    let boolq = (0..12).map(
        |i| json!({"passage": format!("Old Ann lives in house {i}."), "question": format!("is it {i}"), "answer": i % 3 == 0}),
    );
    write_rows(&place.path().join("data/boolq/validation.jsonl"), boolq);
    let piqa = (0..9).map(|i| json!({"goal": format!("Make bread {i}"), "sol1": "Bake it.", "sol2": "Eat it raw.", "label": i % 2}));
    let too_long = json!({"goal": "x".repeat(3000), "sol1": "a", "sol2": "b", "label": 0});
    let unlabelled = json!({"goal": "y", "sol1": "a", "sol2": "b", "label": -1});
    write_rows(&place.path().join("data/piqa/validation.jsonl"), piqa.chain([too_long, unlabelled]));
    place
}

#[test]
fn results_follow_from_the_scores_of_the_documents() {
    let place = place();
    let dir = place.path();
    fs::write(
        dir.join("two.toml"),
        "[[task]]\ntask = \"boolq\"\nsplit = \"validation\"\n[[task]]\ntask = \"piqa\"\nsplit = \"validation\"\nweight = 3\n",
    )
    .unwrap();
    let printed = run(dir, &["bench", "model", "--suite", "two.toml", "--json", "--out", "out/here"]).ok();
    let results: Results = serde_json::from_str(&printed).unwrap();
    assert_eq!(results, Results::load(&dir.join("out/here")).unwrap());
    assert_eq!((results.format, results.name.as_str()), (2, "model"));
    let scorers = ["loglik-mean", "loglik-sum", "reward:preference", "reward:truth"];
    let names: Vec<_> =
        results.results.iter().map(|r| (r.task.as_str(), r.scorer.as_str(), r.documents)).collect();
    let expected: Vec<_> = [("boolq", 12), ("piqa", 9)]
        .iter()
        .flat_map(|&(task, documents)| scorers.map(|scorer| (task, scorer, documents)))
        .collect();
    assert_eq!(names, expected);
    assert_eq!(
        serde_json::to_value(&results.results[4].skipped).unwrap(),
        json!({"too-long": 1, "unlabelled": 1})
    );

    let lines = fs::read_to_string(dir.join("out/here/documents.jsonl")).unwrap();
    let documents: Vec<DocumentScores> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), 21);
    for result in &results.results {
        let of_task: Vec<_> = documents.iter().filter(|document| document.task == result.task).collect();
        let right = of_task.iter().filter(|document| {
            let value = |index: usize| {
                let candidate = &document.candidates[index];
                match result.scorer.strip_prefix("reward:") {
                    Some(head) => f64::from(candidate.rewards[head].unwrap()),
                    None if result.scorer == "loglik-sum" => candidate.loglik.unwrap(),
                    None => candidate.loglik.unwrap() / candidate.tokens as f64,
                }
            };
            let best = if value(1) > value(0) { 1 } else { 0 };
            document.gold == Some(best)
        });
        let share = right.count() as f64 / of_task.len() as f64;
        assert!((result.measurement.value - share).abs() < 1e-12, "{result:?}");
        let stderr = (share * (1.0 - share) / (of_task.len() as f64 - 1.0)).sqrt();
        assert!((result.measurement.stderr.unwrap() - stderr).abs() < 1e-12);
        assert_eq!((result.metric.as_str(), result.chance), ("accuracy", Some(0.5)));
        let [low, high] = result.measurement.interval.unwrap();
        assert!(
            low <= share && share <= high && (share * (1.0 - share) == 0.0) == (low == high),
            "{result:?}"
        );
        let p = result.measurement.p_baseline;
        assert_eq!(p.is_some(), result.scorer != "loglik-mean");
        assert!(p.is_none_or(|p| (0.0..=1.0).contains(&p)));
    }
    for suite in &results.suites {
        let value = |task: &str| {
            results
                .results
                .iter()
                .find(|r| r.task == task && r.scorer == suite.scorer)
                .unwrap()
                .measurement
                .value
        };
        assert!((suite.measurement.value - (value("boolq") + 3.0 * value("piqa")) / 4.0).abs() < 1e-12);
        assert_eq!(suite.suite, "two");
        let [low, high] = suite.measurement.interval.unwrap();
        assert!(low < suite.measurement.value && suite.measurement.value < high, "{suite:?}");
        assert_eq!(suite.measurement.p_baseline.is_some(), suite.scorer != "loglik-mean");
        let parts: Vec<_> = suite.parts.iter().map(|part| (part.task.as_str(), part.weight)).collect();
        assert_eq!(parts, [("boolq", 0.25), ("piqa", 0.75)]);
    }
    assert_eq!(results.suites.len(), scorers.len());

    let report = fs::read_to_string(dir.join("out/here/report.md")).unwrap();
    assert!(report.starts_with("# model\n\n| scorer"), "{report}");
    // Told again from the files, the table is the same; with another run beside it there is a column more.
    let table = Table::new(&[results]).to_text();
    assert_eq!(run(dir, &["report", "out/here"]).ok(), table);
    assert_eq!(
        run(dir, &["report", "out/here/results.json", "out/here"]).ok().matches("loglik-sum").count(),
        2
    );
    let list: Vec<Results> = serde_json::from_str(&run(dir, &["report", "out/here", "--json"]).ok()).unwrap();
    assert_eq!(list.len(), 1);
    assert!(run(dir, &["report", "out/here", "--markdown"]).ok().starts_with("| scorer"));
}

/// GLUE's way: tasks with two metrics count with their mean.
#[test]
fn every_metric_of_a_task_is_told() {
    let place = place();
    let dir = place.path();
    let task = |name: &str, more: &str| {
        let keys = "kind = 'choice'\nuser = '{{ a }} {{ b }}'\nfiles = { validation = 'rows.jsonl' }";
        fs::write(dir.join(format!("{name}.toml")), format!("name = '{name}'\n{keys}\n{more}")).unwrap();
    };
    task(
        "similar",
        "candidates = ['0', '1', '2', '3']\ngold = 'label | round | int'\nscore = 'label'\nmetric = ['pearson', 'spearman']",
    );
    task("same", "candidates = ['no', 'yes']\ngold = 'label > 1'\nmetric = ['accuracy', 'f1']");
    let rows = (0..12).map(|i| json!({"a": "x".repeat(i + 1), "b": i, "label": i as f64 * 0.25}));
    write_rows(&dir.join("rows.jsonl"), rows);
    let suite = "[[task]]\ntask = \"similar.toml\"\nsplit = \"validation\"\n\
                 [[task]]\ntask = \"same.toml\"\nsplit = \"validation\"\n";
    fs::write(dir.join("two.toml"), suite).unwrap();
    let args = ["bench", "model", "--suite", "two.toml", "--scorer", "log", "--out", "out", "--json"];
    let results: Results = serde_json::from_str(&run(dir, &args).ok()).unwrap();
    let lines = fs::read_to_string(dir.join("out/documents.jsonl")).unwrap();
    let documents: Vec<DocumentScores> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    let of = |task: &str, metric: &str, scorer: &str| {
        let is = |r: &&dph_eval::TaskResult| r.task == task && r.metric == metric && r.scorer == scorer;
        results.results.iter().find(is).unwrap()
    };
    assert_eq!(results.results.len(), 8);
    for scorer in ["loglik-mean", "loglik-sum"] {
        let picked = |document: &DocumentScores| {
            let value = |index: usize| {
                let candidate = &document.candidates[index];
                let tokens = if scorer == "loglik-sum" { 1.0 } else { candidate.tokens as f64 };
                candidate.loglik.unwrap() / tokens
            };
            (1..document.candidates.len())
                .fold(0, |best, next| if value(next) > value(best) { next } else { best })
        };
        let of_task = |task: &str| documents.iter().filter(|d| d.task == task).collect::<Vec<_>>();
        let similar = of_task("similar");
        let picks: Vec<f64> = similar.iter().map(|document| picked(document) as f64).collect();
        let scores: Vec<f64> = similar.iter().map(|document| document.score.unwrap()).collect();
        assert_eq!((scores[0], scores[11]), (0.0, 2.75));
        for (metric, value) in [
            ("pearson", dph_eval::pearson(&picks, &scores)),
            ("spearman", dph_eval::spearman(&picks, &scores)),
        ] {
            let result = of("similar", metric, scorer);
            let expected = if value.is_nan() { 0.0 } else { value };
            assert!((result.measurement.value - expected).abs() < 1e-9, "{result:?}, {expected}");
            assert_eq!(
                (result.chance, result.documents, result.measurement.stderr.is_some()),
                (Some(0.0), 12, true)
            );
        }
        let same = of_task("same");
        let picks: Vec<usize> = same.iter().map(|document| picked(document)).collect();
        let gold: Vec<usize> = same.iter().filter_map(|document| document.gold).collect();
        assert!((of("same", "f1", scorer).measurement.value - dph_eval::f1(&picks, &gold)).abs() < 1e-12);
        let values = [("similar", "pearson"), ("similar", "spearman"), ("same", "accuracy"), ("same", "f1")];
        let mean =
            values.iter().map(|(task, metric)| of(task, metric, scorer).measurement.value).sum::<f64>() / 4.0;
        let suite = results.suites.iter().find(|suite| suite.scorer == scorer).unwrap();
        assert!((suite.measurement.value - mean).abs() < 1e-12);
    }
    let heading = run(dir, &["report", "out"]).ok();
    assert!(heading.starts_with("scorer"), "{heading}");
    for column in ["similar (pearson)", "similar (spearman)", "same ", "same (f1)", "two"] {
        assert!(heading.lines().next().unwrap().contains(column), "{heading}");
    }
}

/// Splits of a task that have the same passages, as the levels of RM-Bench have the same prompts.
/// The prompts of RewardBench 2's Ties count in pairs, with any limit; one without its partner is named and does not count.
#[test]
fn prompts_with_several_right_answers_count_in_pairs() {
    let place = place();
    let dir = place.path();
    let row = |id: String| json!({"id": id, "subset": "Ties", "prompt": format!("Name one, {id}."), "chosen": ["Ann.", "Bob."], "rejected": ["Nobody."]});
    let pairs = (0..6).flat_map(|number| [format!("tied:{number}"), format!("ref:{number}")]);
    write_rows(
        &dir.join("data/reward_bench_2/test.jsonl"),
        pairs.chain(["tied:a".into(), "ref:b".into()]).map(row),
    );
    let args = ["bench", "model", "--task", "reward_bench_2_ties", "--json", "--scorer", "reward"];
    for (limit, expected) in [("1", 2), ("5", 4), ("100", 12)] {
        let more = ["--limit", limit, "--out", limit];
        let results: Results = serde_json::from_str(&run(dir, &[&args[..], &more].concat()).ok()).unwrap();
        assert_eq!(results.results[0].documents, expected, "limit {limit}");
    }
    let results: Results = serde_json::from_str(&run(dir, &args).ok()).unwrap();
    assert_eq!((results.results[0].documents, results.results[0].skipped["no-partner"]), (12, 2));
    let named = &results.unscored[0];
    assert_eq!(
        (named.reason.as_str(), &named.documents[..]),
        ("no-partner", &["tied:a".into(), "ref:b".into()][..])
    );
}

#[test]
fn the_error_of_a_suite_knows_that_its_parts_share_groups() {
    let place = place();
    let dir = place.path();
    let task = "name = 'levels'\nkind = 'choice'\nuser = '{{ q }}'\ncandidates = ['no', 'yes']\ngold = 'a'\ngroup = 'q'\n\
                files = { easy = 'rows.jsonl', hard = 'rows.jsonl' }\n";
    fs::write(dir.join("levels.toml"), task).unwrap();
    write_rows(&dir.join("rows.jsonl"), (0..30).map(|i| json!({"q": "x".repeat(i + 1), "a": i % 2})));
    let part = |split: &str| format!("[[task]]\ntask = \"levels.toml\"\nsplit = \"{split}\"\n");
    fs::write(dir.join("both.toml"), part("easy") + &part("hard")).unwrap();
    let args = ["bench", "model", "--suite", "both.toml", "--json"];
    let results: Results = serde_json::from_str(&run(dir, &args).ok()).unwrap();
    for suite in &results.suites {
        let task = results.results.iter().find(|result| result.scorer == suite.scorer).unwrap();
        let [of_task, of_suite] = [task.measurement, suite.measurement];
        assert!((of_task.value - of_suite.value).abs() < 1e-12);
        let [a, b] = [of_task, of_suite].map(|measurement| measurement.stderr.unwrap());
        assert!((a - b).abs() < 1e-9 && a > 0.0, "{task:?} {suite:?}");
        let [a, b] = [of_task, of_suite].map(|measurement| measurement.interval.unwrap());
        assert!(((b[1] - b[0]) / (a[1] - a[0]) - 1.0).abs() < 0.05, "{a:?} {b:?}");
    }
}

#[test]
fn the_little_world_needs_no_data() {
    let place = place();
    let args = ["bench", "model", "--task", "world", "--limit", "40"];
    let table = run(place.path(), &args).ok();
    let scorers: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(scorers[0], "scorer");
    assert_eq!(
        scorers[2..],
        ["chance", "loglik-mean", "loglik-sum", "reward:preference", "reward:truth", "documents", "±"]
    );
    let documents = table.lines().find(|line| line.starts_with("documents"));
    assert!(documents.is_some_and(|line| line.ends_with(" 40")), "{table}");
    assert!(table.ends_with("\n± is the standard error\n"), "{table}");
    assert!(table.lines().nth(2).is_some_and(|line| line.contains(" 25.0")), "{table}");
    assert_eq!(run(place.path(), &args).ok(), table, "the same numbers every time");
    assert_eq!(run(place.path(), &[&args[..], &["--token-budget", "1"]].concat()).ok(), table);
}

#[test]
fn a_dry_run_counts_documents_and_tokens_without_weights() {
    let place = place();
    let dir = place.path();
    fs::remove_file(dir.join("model/model.safetensors")).unwrap();
    let args = [
        "bench",
        "model",
        "--task",
        "piqa",
        "--task",
        "boolq",
        "--data",
        "data",
        "--out",
        "out",
        "--dry-run",
    ];
    let forecast = |more: &[&str]| -> Value {
        serde_json::from_str(&run(dir, &[&args[..], &["--json"], more].concat()).ok()).unwrap()
    };
    let found = forecast(&[]);
    let [piqa, boolq] = &found["tasks"].as_array().unwrap()[..] else { panic!("{found}") };
    assert_eq!((&piqa["task"], &piqa["documents"], &piqa["skipped"]), (&"piqa".into(), &9.into(), &2.into()));
    assert_eq!((&boolq["split"], &boolq["documents"]), (&"validation".into(), &12.into()));
    let number = |value: &Value, key: &str| value[key].as_u64().unwrap();
    let alone = number(piqa, "tokens") + number(boolq, "tokens");
    assert_eq!((number(&found, "documents"), number(&found, "tokens_without_sharing")), (21, alone));
    // All prompts begin with the same words.
    assert!(number(&found, "tokens") < alone, "{found}");
    // A relative likelihood costs more.
    let relative = forecast(&["--scorer", "loglik-relative"]);
    assert!(number(&relative, "tokens_without_sharing") > alone, "{relative}");
    let text = run(dir, &args).ok();
    assert!(text.contains("piqa/validation: 9 documents (2 skipped), "), "{text}");
    assert!(text.ends_with(&format!(", of {alone} if their prompts shared nothing\n")), "{text}");
    assert!(!dir.join("out").exists());
}

#[test]
fn a_scorer_can_be_chosen() {
    let place = place();
    write_model(&place.path().join("plain"), &lswt());
    let scorers = |model: &str, choice: &[&str]| -> Vec<String> {
        let args = [&["bench", model, "--task", "boolq", "--data", "data", "--json"][..], choice].concat();
        let results: Results = serde_json::from_str(&run(place.path(), &args).ok()).unwrap();
        results.results.into_iter().map(|result| result.scorer).collect()
    };
    let all: Vec<String> =
        Scorer::all(&["preference".into(), "truth".into()]).iter().map(Scorer::to_string).collect();
    assert_eq!(scorers("model", &[]), all);
    assert_eq!(scorers("model", &["--scorer", "both"]), all);
    assert_eq!(scorers("model", &["--scorer", "log"]), all[..2]);
    assert_eq!(scorers("model", &["--scorer", "reward"]), all[2..]);
    assert_eq!(scorers("plain", &[]), all[..2]);
    let error = run(place.path(), &["bench", "plain", "--task", "boolq", "--scorer", "both"]).failed(2);
    assert!(error.contains("`plain` has no preference head; train one"), "{error}");
}

#[test]
fn few_shot_examples_come_from_the_train_split() {
    let place = place();
    let args = ["bench", "model", "--task", "world", "--limit", "20", "--json", "--few-shot"];
    let shots = |count: &str| -> Value {
        serde_json::from_str(&run(place.path(), &[&args[..], &[count]].concat()).ok()).unwrap()
    };
    assert_eq!(shots("1")["results"][0]["documents"], 20);
    assert_ne!(shots("1"), shots("0"));
}

#[test]
fn a_wrong_request_is_told_before_any_work() {
    let place = place();
    let dir = place.path();
    fs::create_dir_all(dir.join("data/winogrande")).unwrap();
    fs::write(dir.join("data/winogrande/test.jsonl"), "{}\n").unwrap();
    fs::write(dir.join("bad.toml"), "[[task]]\ntask = \"boolq\"\nsplit = \"validation\"\nwieght = 2\n")
        .unwrap();
    let none =
        "name = 'none'\nkind = 'choice'\nmetric = []\nuser = 'q'\ncandidates = ['a', 'b']\ngold = 'g'\n";
    fs::write(dir.join("none.toml"), none).unwrap();
    for (args, expected) in [
        (&["model"][..], "the following required arguments were not provided"),
        (&["nowhere", "--task", "boolq"], "nowhere: there is no such directory"),
        (&["data", "--task", "boolq"], "data/config.json does not exist; every model directory has one"),
        (&["model", "--suite", "gpt4al"], "there is no suite `gpt4al`; did you mean `gpt4all`?"),
        (&["model", "--task", "boolk"], "there is no task `boolk`; did you mean `boolq`?"),
        (
            &["model", "--suite", "bad.toml"],
            "bad.toml:4: unknown field `wieght`, expected one of `task`, `split`, `weight`",
        ),
        (&["model", "--task", "alpaca"], "`alpaca` cannot be evaluated"),
        (&["model", "--task", "boolq", "--split", "test"], "found no rows of `boolq`, split `test`"),
        (
            &["model", "--task", "race_high"],
            "none of these folders exists; data is not the root of the data sets",
        ),
        (&["model", "--task", "winogrande"], "there is: "),
        (&["model", "--task", "world", "--split", "dev"], "has no split `dev`; it has train, validation"),
        (&["model", "--task", "boolq", "--device", "gpu"], "unknown device `gpu`: this build knows"),
        (&["model", "--task", "boolq", "--limit", "0"], "must be at least 1"),
        (&["model", "--task", "boolq", "--scorer", "classifier"], "so the model has no classification layer"),
        (&["model", "--task", "none.toml"], "none.toml:3: `metric` is an empty list"),
        (&["model", "--suite", "race", "--split", "test"], "--task <T>"),
    ] {
        let error = run(dir, &[&["bench"], args].concat()).failed(2);
        assert!(error.contains(expected), "{args:?}: {error}");
    }
    let error = run(dir, &["report", "nowhere"]).failed(2);
    assert!(error.contains("nowhere: no results.json here"), "{error}");

    fs::create_dir(dir.join("run")).unwrap();
    fs::write(dir.join("run/manifest.json"), "{}").unwrap();
    fs::write(dir.join("run/results.json"), "{\"format\": 2,").unwrap();
    let error = run(dir, &["report", "run"]).failed(2);
    for part in ["run/results.json: the file is damaged", "line 1 column", "restore it, or write it again"] {
        assert!(error.contains(part), "{error}");
    }
    let error = run(dir, &["bench", "model", "--task", "boolq", "--out", "run"]).failed(2);
    assert!(error.contains("--out run: this is the directory of a run"), "{error}");
    assert_eq!(fs::read_to_string(dir.join("run/results.json")).unwrap(), "{\"format\": 2,");
}

#[test]
fn broken_data_and_models_are_reported() {
    let place = place();
    let dir = place.path();
    let broken = |content: &str| {
        fs::write(dir.join("data/boolq/validation.jsonl"), content).unwrap();
        run(dir, &["bench", "model", "--task", "boolq"]).failed(2)
    };
    let error = broken("");
    assert!(error.contains("the split `validation` of `boolq` is empty"), "{error}");
    let error = broken("{\"question\": \"is it\", \"answer\": true}\n");
    assert!(error.contains("the only row of `boolq`") && error.contains("validation.jsonl:1"), "{error}");
    let weights = dir.join("model/model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let error = run(dir, &["bench", "model", "--task", "world"]).failed(1);
    assert!(error.contains("model.safetensors"), "{error}");
}
