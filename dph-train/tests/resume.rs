//! A run that was stopped ends as one that was not, byte by byte.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{assert_same_exports, fail, small, succeed};

/// Starts a command and kills it with SIGKILL as soon as a stage has a checkpoint of this step or a later one.
fn kill_at(command: &mut Command, checkpoints: &Path, step: usize) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while last_step(checkpoints) < Some(step) {
        let place = checkpoints.display();
        assert!(start.elapsed() < Duration::from_secs(300), "{place} never came to step {step}");
        assert!(child.try_wait().unwrap().is_none(), "the run ended before {place} came to step {step}");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The last step with a checkpoint; earlier ones are removed as a stage goes on.
fn last_step(checkpoints: &Path) -> Option<usize> {
    let entries = std::fs::read_dir(checkpoints).ok()?;
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("step-")?.parse().ok()).max()
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    // Long enough to be killed in its middle.
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

    // Once more: everything is there, and nothing is done again.
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

/// A run in which all weights learn, by DPO and the head's objective, is killed at so many random moments as `DPH_KILLS`
/// says (3 by default), and resumed after each.
#[test]
fn a_run_killed_at_random_moments_resumes_to_the_same_bytes() {
    let kills: u32 = std::env::var("DPH_KILLS").map_or(3, |kills| kills.parse().unwrap());
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
    let start = Instant::now();
    succeed(&mut small(&whole, &changes));
    let length = start.elapsed();

    let killed = dir.path().join("killed/run");
    let mut interrupted = 0;
    for kill in 0..kills {
        // Moments that differ from run to run: the machine's timing is random enough.
        let share = f64::from(start.elapsed().subsec_nanos() % 1000) / 1000.0;
        let mut command = small(&killed, &changes);
        command.arg("--resume").stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // Long enough to come a little further than the last time, and no more.
        std::thread::sleep(Duration::from_millis(300) + length.mul_f64(share * 1.5 / f64::from(kills)));
        interrupted += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        println!("kill {}: {interrupted} of them in the middle of the run", kill + 1);
    }
    succeed(small(&killed, &changes).arg("--resume"));
    assert_same_exports(&whole, &killed);
    assert!(interrupted > 0, "the run was over before it was killed once");
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
    assert_ne!(head(&a), head(&other), "another seed must give another head");
}

#[test]
fn an_earlier_run_is_moved_aside_and_another_experiment_is_not_resumed() {
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

    // The limit on the size of a file lets everything through but the optimiser's state.
    let run = dir.path().join("limited/run");
    let base = std::fs::metadata(whole.join("base/model.safetensors")).unwrap().len();
    let tokenizer = std::fs::metadata(whole.join("base/tokenizer.json")).unwrap().len();
    let blocks = (base.max(tokenizer) + base / 2) / 512;
    let command = small(&run, &[]);
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    let said = fail(&mut limited, 1);
    assert!(said.contains("checkpoints/pretrain/step-2") && said.contains("free some space"), "{said}");
    assert!(!run.join("checkpoints/pretrain/step-2").exists());
    assert!(!run.join("pretrain").exists());

    succeed(small(&run, &[]).arg("--resume"));
    assert_same_exports(&whole, &run);
}
