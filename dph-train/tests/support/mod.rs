//! Runs the real binary on experiments that take a few seconds.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use dph_model::testing::gguf::{llama, some_values};

/// The quickstart of the repository.
pub fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments/quickstart.toml")
}

/// Overrides that shorten the quickstart to a few seconds: a model with one layer, a few steps, many checkpoints.
pub const SMALL: &[&str] = &[
    "model.new.d_model=32",
    "model.new.d_vocab=16",
    "model.new.d_ffn=64",
    "model.new.n_layers=1",
    "model.new.n_heads=2",
    "stage.pretrain.steps=6",
    "stage.pretrain.batch=8",
    "stage.pretrain.validation={ every = 2, limit = 8 }",
    "stage.sft.steps=4",
    "stage.sft.batch=8",
    "stage.sft.validation={ every = 2, limit = 8 }",
    "stage.dph.steps=20",
    "stage.dph.validation={ every = 5, limit = 20 }",
    "eval.limit=20",
];

/// A short experiment on the data of the quickstart; `MODEL` is the path of its model.
const TINY: &str = r#"
name = "tiny"
model = { path = "MODEL" }

[[stage]]
name      = "dph"
objective = { dph = { form = "separable" } }
steps     = 4
batch     = 8
mix       = { world = 1.0 }
optimiser = { lr = 3e-3 }
negatives = "all"

[eval]
tasks = ["world"]
limit = 8
"#;

/// A directory with `tiny.gguf` and an experiment on the model at this path in it.
pub fn tiny(model: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tiny.gguf"), llama(some_values).bytes()).unwrap();
    std::fs::write(dir.path().join("experiment.toml"), TINY.replace("MODEL", model)).unwrap();
    dir
}

/// `dph-train` on the experiment of [`tiny`].
pub fn train_in(dir: &Path, out: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    command.current_dir(dir).args(["experiment.toml", "--out", out]).args(arguments);
    command
}

/// `dph-train` on the small quickstart, with additional arguments.
pub fn small(out: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    command.arg(quickstart()).arg("--out").arg(out);
    for change in SMALL {
        command.args(["--set", change]);
    }
    command.args(arguments);
    command
}

/// Runs a command and panics with its output if it fails.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
    output
}

/// Runs a command, expects an exit status and returns its stderr with all lines joined, since long messages are wrapped.
pub fn fail(command: &mut Command, status: i32) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{command:?}\n{}", said(&output));
    let said = String::from_utf8_lossy(&output.stderr).replace("  │ ", "");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("stdout:\n{}\nstderr:\n{}", text(&output.stdout), text(&output.stderr))
}

/// Asserts that two runs exported the same bytes.
#[track_caller]
pub fn assert_same_exports(a: &Path, b: &Path) {
    let files = [
        "base/model.safetensors",
        "pretrain/model.safetensors",
        "sft/model.safetensors",
        "dph/model.safetensors",
        "dph/preference_head.safetensors",
        "dph/preference_head.json",
        "dph/backbone.json",
        "results.json",
        "metrics.jsonl",
    ];
    let mut compared = 0;
    for file in files.into_iter().filter(|file| a.join(file).exists() || b.join(file).exists()) {
        let read = |run: &Path| {
            std::fs::read(run.join(file)).unwrap_or_else(|e| panic!("{}: {e}", run.join(file).display()))
        };
        assert!(read(a) == read(b), "{file} differs between {} and {}", a.display(), b.display());
        compared += 1;
    }
    assert!(compared >= files.len() - 1, "only {compared} files were compared");
}

/// Starts a command and kills it with SIGKILL as soon as `is_due` returns true. This must happen before the run ends.
pub fn kill_when(command: &mut Command, what: &str, is_due: impl Fn() -> bool) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !is_due() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts a command and kills it as soon as a stage has a checkpoint of this step or of a later step.
pub fn kill_at(command: &mut Command, checkpoints: &Path, step: usize) {
    let what = format!("{} had step {step}", checkpoints.display());
    kill_when(command, &what, || last_step(checkpoints) >= Some(step));
}

/// The last step with a checkpoint. A stage removes earlier checkpoints.
pub fn last_step(checkpoints: &Path) -> Option<usize> {
    let entries = std::fs::read_dir(checkpoints).ok()?;
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("step-")?.parse().ok()).max()
}

/// `--set` before each of these changes of an experiment.
pub fn set<'a>(changes: &[&'a str]) -> Vec<&'a str> {
    changes.iter().flat_map(|change| ["--set", *change]).collect()
}

/// The metrics of a stage of a run on a split, in their order.
pub fn metrics(run: &Path, stage: &str, split: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line["stage"] == stage && line["split"] == split).collect()
}
