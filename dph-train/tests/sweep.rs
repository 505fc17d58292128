//! Sweeps: every variant has the same result as a single run, and shared work is done once.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::{SMALL, fail, quickstart, said, small, succeed};

const TWO_BY_TWO: &str = "\"head.pooling\" = [\"identity\", \"bert\"]\n\"stage.dph.objective.dph.form\" = [\"separable\", \"contrastive\"]\n";

const LABELS: [&str; 4] = [
    "pooling=identity,form=separable",
    "pooling=identity,form=contrastive",
    "pooling=bert,form=separable",
    "pooling=bert,form=contrastive",
];

/// `dph-train` on the small quickstart with a sweep, into `dir/run`.
fn sweep(dir: &Path, swept: &str, arguments: &[&str]) -> Command {
    let file = dir.join("sweep.toml");
    let text = fs::read_to_string(quickstart()).unwrap();
    fs::write(&file, format!("{text}\n[sweep]\n{swept}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    command.arg(&file).arg("--out").arg(dir.join("run"));
    for change in SMALL {
        command.args(["--set", change]);
    }
    command.args(arguments);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// The number of times that a task, such as a stage, was finished.
fn ended(output: &Output, what: &str) -> usize {
    let start = format!("{what}: ");
    stderr(output).lines().filter(|line| line.starts_with(&start) && line.contains(", in ")).count()
}

/// The sorted names of the files and directories in a directory.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_sweep_gives_the_results_of_single_runs_and_shares_work() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let output = succeed(&mut sweep(dir.path(), TWO_BY_TWO, &[]));
    let all = said(&output);

    for (stage, times) in [("stage pretrain", 1), ("stage sft", 1), ("stage dph", 4), ("evaluation", 1)] {
        assert_eq!(ended(&output, stage), times, "{stage}\n{all}");
    }
    for split in ["features world train", "features world validation"] {
        assert_eq!(ended(&output, split), 1, "{split}\n{all}");
    }
    assert_eq!(names(&dir.path().join("features")).len(), 2);

    let table = stdout(&output);
    let lines: Vec<&str> = table.lines().collect();
    let cells = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
    assert_eq!(cells(lines[0]), ["pooling", "form", "parameters", "world"], "{table}");
    let first: Vec<String> = lines[2..10].iter().map(|line| cells(line)[..2].join(",")).collect();
    assert!(first[0].starts_with("chance,") && first[1].starts_with("loglik-mean,"), "{table}");
    assert_eq!(
        &first[3..7],
        LABELS.map(|label| label.replace("pooling=", "").replace("form=", "")),
        "{table}"
    );
    assert_eq!(cells(lines[5])[2], "32", "{table}");
    assert_eq!(cells(lines[7])[2], (32 * 32 + 32 + 32).to_string(), "{table}");
    assert!(lines[9].starts_with("documents"), "{table}");

    let results = json(run.join("results.json"));
    let called: Vec<&str> = results.as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(called, LABELS);
    assert!(fs::read_to_string(run.join("report.md")).unwrap().contains("| pooling"));
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("pooling=bert,form=separable/report.html") && page.contains("<svg"), "{page}");
    assert!(page.contains("</i>bert, separable: reward:preference</li>"), "{page}");

    // Each variant has the same results, documents, head and stages in the report as a single run.
    for (index, label) in [(1, LABELS[1]), (2, LABELS[2])] {
        let alone = dir.path().join("alone").join(label);
        let set: Vec<String> = label
            .split(',')
            .map(|part| {
                part.replace("pooling=", "head.pooling=").replace("form=", "stage.dph.objective.dph.form=")
            })
            .collect();
        succeed(&mut small(&alone, &["--set", &set[0], "--set", &set[1]]));
        for file in ["results.json", "documents.jsonl", "report.md", "dph/preference_head.safetensors"] {
            let read = |run: &Path| fs::read(run.join(file)).unwrap();
            assert!(read(&run.join(label)) == read(&alone), "{file} of {label} differs");
        }
        let mut expected = json(alone.join("results.json"));
        expected["name"] = label.into();
        assert_eq!(results[index], expected);
        let page = fs::read_to_string(run.join(label).join("report.html")).unwrap();
        for part in ["<h3>Stage pretrain</h3>", "<h3>Stage sft</h3>", "<h3>Stage dph</h3>"] {
            assert!(page.contains(part), "{part} is not in the page of {label}");
        }
    }

    // A sweep can be moved, and each of its variants can be opened as a model.
    let moved = dir.path().join("moved");
    fs::rename(&run, &moved).unwrap();
    let device = dph_core::device("flex").unwrap();
    assert!(dph_eval::Model::open(&moved.join(LABELS[2]), &device).is_ok());
    let error = dph_eval::Model::open(&moved, &device).unwrap_err().to_string();
    assert!(error.contains("this is a sweep") && error.contains(LABELS[2]), "{error}");
}

#[test]
fn a_variant_that_fails_does_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let swept = "\"stage.dph.optimiser.lr\" = [1e-3, 1e30, 2e-3]\n";
    let clip = ["--set", "stage.dph.clip=0", "--set", "stage.dph.schedule={ warmup = 0 }"];
    let output = sweep(dir.path(), swept, &clip).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(stderr(&output).contains("1 of 3 variants failed"), "{}", said(&output));
    let table = stdout(&output);
    assert!(table.contains("\n1e-3 ") && table.contains("\n2e-3 ") && !table.contains("\n1e30 "), "{table}");
    assert!(table.contains("lr=1e30: failed: ") && table.contains("is not finite"), "{table}");
    assert_eq!(json(run.join("results.json")).as_array().unwrap().len(), 2);
    assert!(run.join("lr=2e-3/results.json").is_file() && !run.join("lr=1e30/results.json").exists());

    // An artifact that several variants need and that fails is tried only once.
    let swept = "\"head.pooling\" = [\"identity\", \"bert\"]\n\"stage.sft.optimiser.lr\" = [1e30, 1e-3]\n";
    let clip = ["--set", "stage.sft.clip=0", "--set", "stage.sft.schedule={ warmup = 0 }"];
    let output = sweep(dir.path(), swept, &clip).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(stderr(&output).contains("2 of 4 variants failed"), "{}", said(&output));
    assert!(stderr(&output).contains("same error as variant pooling=identity,lr=1e30"), "{}", said(&output));
    assert_eq!(json(run.join("results.json")).as_array().unwrap().len(), 2);
}

#[test]
fn a_variant_that_cannot_run_is_named_before_any_runs() {
    let dir = tempfile::tempdir().unwrap();
    let swept = "\"head.aggregation.layers\" = [\"last\", 7, 1]\n";
    for dry_run in [&[][..], &["--dry-run"]] {
        let said = fail(&mut sweep(dir.path(), swept, dry_run), 2);
        assert!(said.contains("variant layers=7: head.aggregation: there is no layer 7"), "{said}");
    }
    assert!(!dir.path().join("run").exists());
}

#[test]
fn an_invalid_sweep_is_reported_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let run = |swept: &str, arguments: &[&str]| {
        let file = dir.path().join("sweep.toml");
        let text = format!("{}\n[sweep]\n{swept}", fs::read_to_string(quickstart()).unwrap());
        fs::write(&file, &text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
        fail(command.arg(&file).arg("--out").arg(dir.path().join("run")).args(arguments), 2)
    };
    let line = 2 + fs::read_to_string(quickstart()).unwrap().lines().count();
    let place = |behind: usize| format!("sweep.toml:{}:", line + behind);
    let said = run("seed = [1, 2]\n\"head.poling\" = [\"identity\", \"bert\"]\n", &[]);
    assert!(said.contains(&place(2)) && said.contains("unknown field `poling`"), "{said}");
    assert!(said.contains("did you mean `pooling`?"), "{said}");
    assert!(!dir.path().join("run").exists());

    let said = run("seed = []\n", &[]);
    assert!(said.contains(&place(1)) && said.contains("the list of values of `seed` is empty"), "{said}");
    let said = run("\"stage.dpo.steps\" = [1]\n\"head.dropout\" = [0.1, 1.5]\n", &[]);
    assert!(said.contains(&place(1)) && said.contains("there is no stage `dpo`"), "{said}");
    let said = run("\"head.dropout\" = [0.1, 1.5]\n", &[]);
    assert!(
        said.contains(&place(1))
            && said.contains("dropout=1.5: `dropout` must be at least 0 and less than 1"),
        "{said}"
    );
    let said = run("seed = [1, 2]\n", &["--set", "seed=3"]);
    assert!(said.contains("`seed` is swept") && said.contains("--set sweep.seed=[…]"), "{said}");
}

#[test]
fn a_resumed_sweep_does_only_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    succeed(&mut sweep(dir.path(), TWO_BY_TWO, &[]));
    let results = fs::read(run.join("results.json")).unwrap();
    let heads = || LABELS.map(|label| run.join(label).join("dph/preference_head.safetensors"));
    let stamps = || heads().map(|head| fs::metadata(head).unwrap().modified().unwrap());
    let before = stamps();

    fs::remove_dir_all(run.join(LABELS[0])).unwrap();
    let output = succeed(&mut sweep(dir.path(), TWO_BY_TWO, &["--resume"]));
    for (what, times) in [("stage pretrain", 0), ("stage sft", 0), ("stage dph", 1), ("evaluation", 1)] {
        assert_eq!(ended(&output, what), times, "{what}\n{}", said(&output));
    }
    assert_eq!(ended(&output, "features world train"), 0, "{}", said(&output));
    assert_eq!(stamps()[1..], before[1..]);
    assert!(fs::read(run.join("results.json")).unwrap() == results);

    // First nothing is missing, then the sweep has one more value.
    let output = succeed(&mut sweep(dir.path(), TWO_BY_TWO, &["--resume"]));
    assert_eq!((ended(&output, "stage dph"), ended(&output, "evaluation")), (0, 0), "{}", said(&output));
    let more = TWO_BY_TWO.replace("\"bert\"]", "\"bert\", \"t5\"]");
    let output = succeed(&mut sweep(dir.path(), &more, &["--resume"]));
    assert_eq!((ended(&output, "stage sft"), ended(&output, "stage dph")), (0, 2), "{}", said(&output));
    assert_eq!(json(run.join("results.json")).as_array().unwrap().len(), 6);

    // A sweep with other settings and a single run cannot resume this sweep.
    let said = fail(&mut sweep(dir.path(), &more, &["--resume", "--set", "stage.sft.steps=5"]), 2);
    assert!(said.contains("stage.sft.steps"), "{said}");
    let said = fail(&mut small(&run, &["--resume"]), 2);
    assert!(said.contains("other settings") && said.contains("sweep"), "{said}");
    succeed(&mut sweep(dir.path(), "\"head.bias\" = [true]\n", &[]));
    assert!(dir.path().join("run.old-1").join(LABELS[0]).is_dir() && !run.join(LABELS[0]).exists());
}

#[test]
fn seeds_are_averaged_over_the_same_documents() {
    let dir = tempfile::tempdir().unwrap();
    let swept = "\"head.pooling\" = [\"identity\", \"bert\"]\nseed = [1, 2]\n";
    let output = succeed(&mut sweep(dir.path(), swept, &[]));
    let run = dir.path().join("run");
    assert_eq!((ended(&output, "stage sft"), ended(&output, "stage dph")), (2, 4), "{}", said(&output));
    assert_eq!(ended(&output, "evaluation"), 2, "{}", said(&output));

    let documents = |label: &str| -> Vec<String> {
        let text = fs::read_to_string(run.join(label).join("documents.jsonl")).unwrap();
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].to_string();
        text.lines().map(id).collect()
    };
    assert_eq!(documents("pooling=bert,seed=1").len(), 20);
    assert_eq!(documents("pooling=bert,seed=1"), documents("pooling=bert,seed=2"));

    let value = |seed: u32| {
        let results = json(run.join(format!("pooling=bert,seed={seed}")).join("results.json"));
        let results = results["results"].as_array().unwrap().clone();
        results.iter().find(|r| r["scorer"] == "reward:preference").unwrap()["value"].as_f64().unwrap()
    };
    let (a, b) = (value(1), value(2));
    let expected = format!("{:.1} ±{:>4.1}", 50.0 * (a + b), 100.0 * (a - b).abs() / 2f64.sqrt());
    let table = stdout(&output);
    let row = table.lines().find(|line| line.starts_with("bert")).unwrap();
    assert!(row.ends_with(&expected), "{expected} is not in {table}");
    assert!(
        !table.contains("seed=") && table.contains("\n± is the standard deviation over 2 seeds\n"),
        "{table}"
    );
}

#[test]
fn the_page_of_a_sweep_over_seeds_says_what_its_bars_are() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&mut sweep(dir.path(), "seed = [1, 2]\n", &[]));
    let page = fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    assert!(page.contains("per cent, ± standard deviation over 2 seeds; the thin line is chance"), "{page}");
    assert!(!page.contains("95 % interval"), "{page}");
    let legend = page.split("<ul class=\"legend\">").nth(1).unwrap().split("</ul>").next().unwrap();
    for scorer in ["loglik-mean", "reward:preference"] {
        assert_eq!(legend.matches(&format!("</i>{scorer}</li>")).count(), 1, "{legend}");
    }
    // The table scrolls in its own frame.
    assert!(page.contains("<div class=\"scroll\" tabindex=\"0\"><table><thead>"), "{page}");
}

#[test]
fn variants_with_different_evaluations_share_a_model() {
    let dir = tempfile::tempdir().unwrap();
    let output = succeed(&mut sweep(dir.path(), "\"eval.split\" = [\"test\", \"train\"]\n", &[]));
    assert_eq!((ended(&output, "stage dph"), ended(&output, "evaluation")), (1, 2), "{}", said(&output));
    let table = stdout(&output);
    for row in ["split  scorer ", "test   reward:preference", "train  loglik-mean", "train  documents"] {
        assert!(table.contains(row), "{row:?} is not in {table}");
    }
    let device = dph_core::device("flex").unwrap();
    let model = dph_eval::Model::open(&dir.path().join("run/split=train"), &device).unwrap();
    assert_eq!(model.heads(), ["preference"]);
}

#[test]
fn models_without_a_head_are_compared_by_their_likelihood() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    succeed(&mut small(&made, &[]));
    let file = dir.path().join("compare.toml");
    let (base, sft) = (made.join("base"), made.join("sft"));
    let text = format!(
        "name = \"compare\"\nmodel = {{}}\n[eval]\ntasks = [\"world\"]\nlimit = 20\n[sweep]\n\"model.path\" = [{base:?}, {sft:?}]\n"
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    let output = succeed(command.arg(&file).arg("--out").arg(dir.path().join("run")));
    let table = stdout(&output);
    assert!(
        table.contains("loglik-mean") && !table.contains("reward:") && !table.contains("parameters"),
        "{table}"
    );
    let row = |path: &Path| table.lines().any(|line| line.starts_with(&path.display().to_string()));
    assert!(row(&base) && row(&sft), "{table}");
    assert_eq!(json(dir.path().join("run/results.json")).as_array().unwrap().len(), 2);
}

#[test]
fn a_dry_run_counts_shared_stages_once() {
    let dir = tempfile::tempdir().unwrap();
    let output = succeed(&mut sweep(dir.path(), TWO_BY_TWO, &["--dry-run"]));
    let said = stdout(&output);
    assert!(said.contains("4 variants; trains pretrain once, sft once, dph 4 times"), "{said}");
    assert!(said.contains(LABELS[3]) && said.contains("evaluation  20 questions"), "{said}");
    assert!(said.contains("\nAll variants: about "), "{said}");
    assert!(!dir.path().join("run").exists());

    // `--set` can change the values of a swept key, or the whole sweep.
    let only = "sweep.head.pooling=[\"t5\"]";
    let output = succeed(&mut sweep(dir.path(), TWO_BY_TWO, &["--dry-run", "--set", only]));
    assert!(stdout(&output).contains("2 variants; trains pretrain once"), "{}", stdout(&output));
    let output = succeed(&mut sweep(dir.path(), TWO_BY_TWO, &["--dry-run", "--set", "sweep={}"]));
    assert!(stdout(&output).starts_with("model "), "{}", stdout(&output));
}
