//! An interrupted and resumed run writes the same bytes as an uninterrupted run.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::{assert_same_exports, fail, kill_at, kill_when, small, succeed};

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    // Enough steps to kill the run in the middle.
    let long = [
        "--set",
        "stage.dph.steps=3000",
        "--set",
        "stage.dph.validation.every=100",
        "--set",
        "head.dropout=0.1",
        "--set",
        "head.pooling=bert",
        "--set",
        "eval.after=['sft']",
    ];
    let whole = dir.path().join("whole/run");
    succeed(&mut small(&whole, &long));

    let killed = dir.path().join("killed/run");
    kill_at(&mut small(&killed, &long), &killed.join("checkpoints/pretrain"), 2);
    let mut resumed = small(&killed, &long);
    resumed.arg("--resume");
    kill_at(&mut resumed, &killed.join("checkpoints/sft"), 2);
    let mut resumed = small(&killed, &long);
    resumed.arg("--resume");
    kill_at(&mut resumed, &killed.join("checkpoints/dph"), 500);
    let mut resumed = small(&killed, &long);
    resumed.arg("--resume");
    succeed(&mut resumed);
    assert_same_exports(&whole, &killed);

    // A second resume has nothing to do.
    let made = || {
        ["dph/preference_head.safetensors", "evaluations/sft/results.json"]
            .map(|file| std::fs::metadata(killed.join(file)).unwrap().modified().unwrap())
    };
    let before = made();
    let mut resumed = small(&killed, &long);
    resumed.arg("--resume");
    succeed(&mut resumed);
    assert_eq!(before, made());
    assert_same_exports(&whole, &killed);
}

/// A run that trains all weights with DPO and DPH is killed at `DPH_KILLS` random moments (3 by default) and resumed after each of
/// them. A moment is a number of lines in the metrics file plus a delay of some milliseconds. The moments are drawn with the seed
/// `DPH_SEED`, which is printed.
#[test]
fn a_run_killed_at_random_moments_resumes_to_the_same_bytes() {
    let from_env = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let kills = from_env("DPH_KILLS").unwrap_or(3);
    let seed = from_env("DPH_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("DPH_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let changes = [
        "head.standardise=false",
        "head.pooling=bert",
        "head.dropout=0.1",
        "stage.dph.trainable=all",
        "stage.dph.objective={ dpo = {}, dph = {} }",
        "stage.dph.validation={ every = 2, limit = 4 }",
        "stage.sft.steps=40",
    ];
    let steps = format!("stage.dph.steps={}", 60 * kills);
    let changes = [&changes[..], &[&steps]].concat();
    let changes: Vec<&str> = changes.iter().flat_map(|change| ["--set", change]).collect();
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole/run");
    succeed(&mut small(&whole, &changes));
    let lines = metrics(&whole);
    assert!(lines > 60 * kills as usize, "only {lines} lines of metrics");

    let killed = dir.path().join("killed/run");
    // The last lines are excluded, since the run could end before the kill.
    let mut moments: Vec<usize> = (0..kills).map(|_| random.random_range(0..lines * 9 / 10)).collect();
    moments.sort_unstable();
    for line in moments {
        let delay = Duration::from_micros(random.random_range(0..20_000));
        let what = format!("line {line} of the metrics");
        println!("kill at {what} and {delay:?}");
        kill_when(small(&killed, &changes).arg("--resume"), &what, || {
            let is_due = metrics(&killed) >= line;
            if is_due {
                std::thread::sleep(delay);
            }
            is_due
        });
    }
    succeed(small(&killed, &changes).arg("--resume"));
    assert_same_exports(&whole, &killed);
}

/// Number of lines in the metrics file of a run.
fn metrics(run: &Path) -> usize {
    std::fs::read(run.join("metrics.jsonl"))
        .map_or(0, |text| text.iter().filter(|&&byte| byte == b'\n').count())
}

#[test]
fn the_same_experiment_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a/run"), dir.path().join("b/run"));
    let first = succeed(&mut small(&a, &["--json"]));
    let second = succeed(&mut small(&b, &["--json"]));
    assert_eq!(first.stdout, second.stdout);
    assert_same_exports(&a, &b);

    let other = dir.path().join("c/run");
    succeed(&mut small(&other, &["--set", "seed=43"]));
    let head = |run: &Path| std::fs::read(run.join("dph/preference_head.safetensors")).unwrap();
    assert_ne!(head(&a), head(&other), "heads with different seeds must differ");
}

#[test]
fn an_earlier_run_is_renamed_and_another_experiment_is_not_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    succeed(&mut small(&run, &[]));
    let said = fail(small(&run, &["--set", "stage.dph.steps=21"]).arg("--resume"), 2);
    assert!(said.contains("stage.dph.steps"), "{said}");

    std::fs::write(run.join("mine.txt"), "kept").unwrap();
    succeed(&mut small(&run, &[]));
    assert_eq!(std::fs::read_to_string(dir.path().join("run.old-1/mine.txt")).unwrap(), "kept");
    assert!(!run.join("mine.txt").exists());
}

#[test]
#[cfg(unix)]
fn a_full_disk_damages_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole/run");
    succeed(&mut small(&whole, &[]));

    // Only the optimiser's state exceeds the limit on the size of a file.
    let run = dir.path().join("limited/run");
    let base = std::fs::metadata(whole.join("base/model.safetensors")).unwrap().len();
    let tokenizer = std::fs::metadata(whole.join("base/tokenizer.json")).unwrap().len();
    let blocks = (base.max(tokenizer) + base / 2) / 512;
    let command = small(&run, &[]);
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    let said = fail(&mut limited, 1);
    assert!(said.contains("checkpoints/pretrain/step-2") && said.contains("free some disk space"), "{said}");
    assert!(!run.join("checkpoints/pretrain/step-2").exists());
    assert!(!run.join("pretrain").exists());

    succeed(small(&run, &[]).arg("--resume"));
    assert_same_exports(&whole, &run);
}
