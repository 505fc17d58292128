//! Sweeps over tasks: a model for each task, and one row for all of them.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/classify.rs"]
mod classify;
mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use classify::{bert, rows, train, write_model};
use dph_eval::{Bench, Results, TaskResult};
use serde_json::{Value, json};
use support::{fail, kill_at, said, succeed};

/// The tasks of GLUE with rows that are made up: the fields of the texts, and the number of labels, 0 for numbers.
const TASKS: [(&str, &[&str], usize); 5] = [
    ("cola", &["sentence"], 2),
    ("mrpc", &["sentence1", "sentence2"], 2),
    ("stsb", &["sentence1", "sentence2"], 0),
    ("mnli", &["premise", "hypothesis"], 3),
    ("wnli", &["sentence1", "sentence2"], 2),
];

/// A tiny BERT, rows of the tasks, and an experiment on all of GLUE.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_model(&dir.join("model"), &bert("BertModel"));
    for (task, fields, labels) in TASKS {
        for (split, count) in [("train", 30), ("validation", 24)] {
            write_rows(dir, task, split, fields, labels, count);
        }
    }
    write_experiment(
        dir,
        "",
        "suites = [\"glue\"]",
        "task = [\"cola\", \"mrpc\", \"stsb\", \"qqp\", \"mnli\", \"wnli\"]",
    );
    place
}

fn write_rows(dir: &Path, task: &str, split: &str, fields: &[&str], labels: usize, count: usize) {
    let line = |row: &Value| {
        let texts = fields
            .iter()
            .zip(["first", "second"])
            .map(|(field, text)| (field.to_string(), row[text].clone()));
        let label = if labels == 0 { row["number"].clone() } else { row["label"].clone() };
        let row: serde_json::Map<String, Value> = texts.chain([("label".to_owned(), label)]).collect();
        format!("{}\n", Value::Object(row))
    };
    let folder = dir.join("data").join(task);
    fs::create_dir_all(&folder).unwrap();
    let lines: String = rows(count, if labels == 0 { 3 } else { labels }).iter().map(line).collect();
    fs::write(folder.join(format!("{split}.jsonl")), lines).unwrap();
}

fn write_experiment(dir: &Path, stage: &str, eval: &str, sweep: &str) {
    let text = format!(
        r#"
name  = "tiny-glue"
model = {{ path = "model", trainable = "all" }}

[[stage]]
name       = "classify"
objective  = {{ classify = {{}} }}
steps      = 12
batch      = 6
optimiser  = {{ name = "adamw", lr = 3e-3, betas = [0.9, 0.999] }}
validation = {{ every = 3, limit = 6 }}
{stage}

[eval]
{eval}

[sweep]
{sweep}
"#
    );
    fs::write(dir.join("experiment.toml"), text).unwrap();
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The value of a result.
fn value<'a>(results: &'a Results, task: &str, metric: &str) -> &'a TaskResult {
    results.results.iter().find(|result| result.task == task && result.metric == metric).unwrap()
}

/// A table without the widths of its columns, and with the number of the figures of a scorer, which another processor may compute otherwise.
fn masked(table: &str) -> String {
    let mask = |line: &str| match line.split_whitespace().collect::<Vec<_>>() {
        cells if line.starts_with('─') => cells[0].chars().take(3).collect(),
        cells if line.starts_with("classifier") => {
            format!("{} {} figures", cells[0], line.matches('±').count())
        }
        cells => cells.join(" "),
    };
    table.lines().map(|line| mask(line) + "\n").collect()
}

#[test]
fn each_task_has_a_model_and_all_have_one_row() {
    let place = place();
    let dir = place.path();
    let output = succeed(&mut train(dir, &[]));
    insta::assert_snapshot!("glue_table", masked(&stdout(&output)));
    let told = stderr(&output);
    assert!(told.contains("qqp is left out: there are no rows of its split `train`"), "{told}");
    let run = dir.join("run");
    assert!(!run.join("task=qqp").exists());

    // One entry, whose figures are those of each task's own model.
    let all = Results::load_all(&run.join("results.json")).unwrap();
    assert_eq!(all.len(), 1);
    let joined = &all[0];
    assert_eq!(joined.name, "tiny-glue");
    for (task, ..) in TASKS {
        let own = Results::load(&run.join(format!("task={task}"))).unwrap();
        for result in &own.results {
            assert_eq!(result, value(joined, task, &result.metric));
        }
    }
    let figure = |task: &str, metric: &str| value(joined, task, metric).measurement.value;
    let accuracy = |task: &str| figure(task, "accuracy");
    let parts = [
        figure("cola", "matthews"),
        (accuracy("mrpc") + figure("mrpc", "f1")) / 2.0,
        (figure("stsb", "pearson") + figure("stsb", "spearman")) / 2.0,
        accuracy("mnli"),
    ];
    let means: Vec<(&str, f64)> =
        joined.suites.iter().map(|suite| (suite.suite.as_str(), suite.measurement.value)).collect();
    let without = parts.iter().sum::<f64>() / 4.0;
    let with = (4.0 * without + accuracy("wnli")) / 5.0;
    for ((name, mean), (expected, expected_mean)) in
        means.iter().zip([("glue_no_wnli (4 of 9 parts)", without), ("glue (5 of 10 parts)", with)])
    {
        assert_eq!(*name, expected);
        assert!((mean - expected_mean).abs() < 1e-12, "{name}: {mean} and {expected_mean}");
    }
    assert!(joined.suites.iter().all(|suite| suite.measurement.interval.is_some()));

    // A model of a single run on the same task is the same.
    let alone = fs::read_to_string(run.join("task=mrpc/experiment.toml")).unwrap();
    let by_hand = tempfile::tempdir_in(dir).unwrap();
    fs::write(by_hand.path().join("alone.toml"), alone).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    let file = by_hand.path().join("alone.toml");
    succeed(command.current_dir(dir).env_remove("DPH_DATA").arg(&file).args(["--out", "alone"]));
    for name in ["results.json", "classify/model.safetensors"] {
        assert!(
            fs::read(dir.join("alone").join(name)).unwrap()
                == fs::read(run.join("task=mrpc").join(name)).unwrap()
        );
    }

    // The scores of all documents are together, with pages of their own.
    let bench = Bench::load(&run.join("task=all")).unwrap();
    assert_eq!(bench.documents.len(), 5 * 24);
    assert_eq!(&bench.results, joined);
    let models = dph_eval::TaskModels::load(&run.join("task=all")).unwrap().unwrap();
    assert_eq!(models.tasks().collect::<Vec<_>>(), ["cola", "mnli", "mrpc", "stsb", "wnli"]);
    assert!(
        models.of("ax").unwrap().join("classify/model.safetensors").is_file() && models.of("qqp").is_none()
    );
    let page = fs::read_to_string(run.join("task=all/report.html")).unwrap();
    for part in ["BERT Base", "published", "qqp is left out", "stsb: Stage classify"] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(
        page.contains("href=\"task=all/report.html\"") && page.contains("glue (5 of 10 parts)"),
        "{page}"
    );
    assert!(fs::read_to_string(run.join("report.md")).unwrap().contains("| classifier |"));
}

#[test]
fn a_suite_is_whole_with_all_of_its_parts_and_seeds_are_averaged() {
    let place = place();
    let dir = place.path();
    fs::write(
        dir.join("two.toml"),
        "[[task]]\ntask = 'mnli'\nsplit = 'validation'\n[[task]]\ntask = 'mnli'\nsplit = 'validation_mismatched'\n[[task]]\ntask = 'wnli'\nsplit = 'validation'\nweight = 2.0\n",
    )
    .unwrap();
    write_rows(dir, "mnli", "validation_mismatched", &["premise", "hypothesis"], 3, 10);
    write_experiment(dir, "", "suites = [\"two.toml\"]", "task = [\"mnli\", \"wnli\"]\nseed = [1, 2]");
    let output = succeed(&mut train(dir, &[]));
    let table = stdout(&output);
    let heading: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        heading,
        ["scorer", "mnli/validation", "mnli/validation_mismatched", "wnli", "two"],
        "{table}"
    );
    assert!(table.contains("means over the seeds 1, 2") && !table.contains("parts"), "{table}");
    assert_eq!(table.lines().filter(|line| line.starts_with("classifier")).count(), 1, "{table}");
    let all = Results::load_all(&dir.join("run")).unwrap();
    let names: Vec<&str> = all.iter().map(|results| results.name.as_str()).collect();
    assert_eq!(names, ["seed=1", "seed=2"]);
    for seed in [1, 2] {
        let one = Results::load(&dir.join(format!("run/task=all,seed={seed}"))).unwrap();
        let figures: Vec<f64> = one.results.iter().map(|result| result.measurement.value).collect();
        let mean = (figures[0] + figures[1]) / 4.0 + figures[2] / 2.0;
        assert!((one.suites[0].measurement.value - mean).abs() < 1e-12);
        assert_eq!(one.suites[0].suite, "two");
    }
}

#[test]
fn a_killed_sweep_over_tasks_resumes_with_the_same_bytes() {
    let place = place();
    let dir = place.path();
    succeed(&mut train(dir, &[]));
    fs::rename(dir.join("run"), dir.join("whole")).unwrap();
    kill_at(&mut train(dir, &[]), &dir.join("run/task=stsb/checkpoints/classify"), 6);
    assert!(dir.join("run/task=mrpc/classify").exists() && !dir.join("run/results.json").exists());
    succeed(&mut train(dir, &["--resume", "--dry-run"]));
    succeed(&mut train(dir, &["--resume"]));
    for name in [
        "results.json",
        "report.md",
        "task=all/results.json",
        "task=all/documents.jsonl",
        "task=all/report.md",
    ] {
        assert!(
            fs::read(dir.join("run").join(name)).unwrap() == fs::read(dir.join("whole").join(name)).unwrap(),
            "{name}"
        );
    }
    for (task, ..) in TASKS {
        let weights = |run: &str| {
            fs::read(dir.join(run).join(format!("task={task}/classify/model.safetensors"))).unwrap()
        };
        assert!(weights("run") == weights("whole"), "{task}");
    }

    // Rows that come later are one more task.
    for split in ["train", "validation"] {
        write_rows(dir, "qqp", split, &["question1", "question2"], 2, 20);
    }
    let output = succeed(&mut train(dir, &["--resume"]));
    let trained = |task: &str| stderr(&output).contains(&format!("task={task}: already done"));
    assert!(trained("mrpc") && !trained("qqp"), "{}", said(&output));
    assert!(stdout(&output).contains("glue (6 of 10 parts)"), "{}", said(&output));
}

#[test]
fn missing_rows_are_told_before_the_work() {
    let place = place();
    let dir = place.path();
    fs::remove_dir_all(dir.join("data/cola")).unwrap();
    fs::remove_file(dir.join("data/wnli/validation.jsonl")).unwrap();
    let output = succeed(&mut train(dir, &["--dry-run"]));
    let told = stdout(&output);
    for part in [
        "sweep       3 variants; trains classify 3 times\n            task=mrpc\n            task=stsb\n            task=mnli\n",
        "warning     cola is left out: there are no rows of its split `train`",
        "warning     qqp is left out: there are no rows of its split `train`",
        "warning     wnli is left out: there are no rows of its split `validation`",
        "warning     mnli is evaluated without its split `validation_mismatched`, of which there are no rows",
        "\ntask=stsb:\nstage classify trains ",
        "\nevaluation  24 questions, ",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    assert!(!dir.join("run").exists());

    fs::remove_dir_all(dir.join("data")).unwrap();
    let told = stdout(&succeed(&mut train(dir, &["--dry-run"])));
    assert!(
        told.contains("6 variants") && told.contains("not checked there are no rows of any task: "),
        "{told}"
    );
    let told = fail(&mut train(dir, &[]), 2);
    assert!(
        told.contains("there are no rows of any task of the sweep: found no rows of `cola`, split `train`"),
        "{told}"
    );
    assert!(!dir.join("run").exists());
}

#[test]
fn contradictions_are_told_with_their_line() {
    let place = place();
    let dir = place.path();
    let line = |text: &str| {
        let file = fs::read_to_string(dir.join("experiment.toml")).unwrap();
        1 + file.lines().position(|line| line.starts_with(text)).unwrap()
    };
    let task = "task = [\"cola\", \"wnli\"]";
    for (stage, eval, sweep, message) in [
        ("mix = { cola = 1.0 }", "", task, "here every stage has one: remove `mix` from the stage"),
        ("", "tasks = [\"cola\"]", task, "`[eval]` names `tasks` as well: remove them"),
        (
            "",
            "",
            "task = [\"colla\", \"wnli\"]",
            "task=colla: there is no task `colla`; did you mean `cola`?",
        ),
        (
            "",
            "",
            "task = [1]",
            "a task is given by its name or the path of its file, such as \"cola\", not by 1",
        ),
        (
            "",
            "suites = [\"race\"]",
            task,
            "none of these tasks is in the suite `race`; remove it from `suites`",
        ),
        ("", "suites = [\"glu\"]", task, "there is no suite `glu`; did you mean `glue`?"),
        ("", "", "task = [\"cola\", \"cola\"]", "`task` has the value cola twice"),
        ("", "", "task = \"cola\"", "`task` needs a list of values: [\"cola\"]"),
    ] {
        write_experiment(dir, stage, eval, sweep);
        for dry_run in [&[][..], &["--dry-run"]] {
            let told = fail(&mut train(dir, dry_run), 2);
            assert!(told.contains(message), "{message:?} is not in {told}");
            let place = if message.contains("suite `glu`") { "suites" } else { "task = " };
            assert!(told.contains(&format!("experiment.toml:{}:", line(place))), "{told}");
        }
    }
    // A problem of the stage has its line, once.
    write_experiment(dir, "clip = -1.0", "", task);
    let told = fail(&mut train(dir, &[]), 2);
    assert_eq!(told.matches("`clip` must be at least 0").count(), 1, "{told}");
    assert!(told.contains(&format!("experiment.toml:{}:", line("clip"))), "{told}");

    write_experiment(dir, "", "", task);
    let told = fail(&mut train(dir, &["--set", "stage.classify.mix={ cola = 1.0 }"]), 2);
    assert!(told.contains("remove `mix` from the stage"), "{told}");
    let told = fail(&mut train(dir, &["--set", "task=rte"]), 2);
    assert!(told.contains("`task` is swept; change its values with --set sweep.task=[…]"), "{told}");
    // Without a sweep, a stage needs a mix.
    let told = fail(&mut train(dir, &["--set", "sweep={}"]), 2);
    assert!(told.contains("`mix` is empty; name at least one task"), "{told}");
}

/// A stage with a `mix` is common to all tasks.
#[test]
fn heads_for_tasks_of_others_follow_a_common_stage() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let row = |n: usize| json!({ "prompt": format!("Is {n} more?"), "chosen": "Yes.", "rejected": format!("No, {n}.") });
    let lines = |count: usize| (0..count).map(|n| format!("{}\n", row(n))).collect::<String>();
    for (name, count) in [("pairs", 24), ("others", 18)] {
        fs::write(dir.join(format!("{name}.jsonl")), lines(count)).unwrap();
        fs::write(
            dir.join(format!("{name}.toml")),
            format!("name = '{name}'\nkind = 'preference'\n[files]\ntrain = '{name}.jsonl'\ntest = '{name}.jsonl'\n"),
        )
        .unwrap();
    }
    let quickstart = fs::read_to_string(support::quickstart()).unwrap();
    let (stages, eval) = quickstart.split_once("[eval]").unwrap();
    let stages = stages.replace("mix       = { world = 1.0 }", "");
    assert_ne!(stages, quickstart.split_once("[eval]").unwrap().0);
    let eval = eval.replace("tasks = [\"world\"]", "");
    fs::write(
        dir.join("experiment.toml"),
        format!("{stages}\n[eval]{eval}\n[sweep]\ntask = [\"pairs.toml\", \"others.toml\", \"world\"]\n\"head.pooling\" = [\"identity\", \"bert\"]\n"),
    )
    .unwrap();
    let mut set = Vec::new();
    for change in support::SMALL {
        set.extend(["--set", change]);
    }
    let output = succeed(&mut train(dir, &set));
    let ended = |what: &str| {
        let start = format!("{what}: ");
        stderr(&output).lines().filter(|line| line.starts_with(&start) && line.contains(", in ")).count()
    };
    assert_eq!(
        (ended("stage pretrain"), ended("stage sft"), ended("stage dph")),
        (1, 1, 6),
        "{}",
        said(&output)
    );
    let table = stdout(&output);
    let heading: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["pooling", "parameters", "pairs", "others", "world"], "{table}");
    assert!(table.lines().any(|line| line.starts_with("loglik-mean")), "{table}");
    assert_eq!(
        table.lines().filter(|line| line.starts_with("identity") || line.starts_with("bert")).count(),
        2
    );
    let results = Results::load_all(&dir.join("run")).unwrap();
    assert_eq!(results[1].name, "pooling=bert");
    assert!(dir.join("run/task=all,pooling=bert/documents.jsonl").is_file());
    // The p-values are corrected for all tasks of the row.
    let own = |task: &str| Results::load(&dir.join(format!("run/task={task},pooling=bert"))).unwrap();
    let p = |results: &Results, task: &str| {
        let is = |result: &&TaskResult| result.task == task && result.scorer == "reward:preference";
        results.results.iter().find(is).unwrap().measurement.p_baseline.unwrap()
    };
    let apart = [("pairs", "pairs.toml"), ("others", "others.toml"), ("world", "world")]
        .map(|(task, label)| (task, p(&own(label), task)));
    let (task, least) = apart.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    let joined = p(&results[1], task);
    assert!((joined - (3.0 * least).min(1.0)).abs() < 1e-9, "{task}: {least} and {joined}");
}
