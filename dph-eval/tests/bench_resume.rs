//! An evaluation that is killed continues and ends with the same bytes.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use command::run;
use dph_core::Layer;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use support::{head, llama, write_model_with_head};

const BENCH: &[&str] =
    &["bench", "model", "--suite", "two.toml", "--data", "data", "--token-budget", "256", "--json"];

/// A model with a head, and a suite of two tasks.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_model_with_head(&dir.join("model"), &llama(), &["preference", "truth"]);
    let write = |task: &str, rows: Vec<serde_json::Value>| {
        let dir = dir.join("data").join(task);
        fs::create_dir_all(&dir).unwrap();
        let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
        fs::write(dir.join("validation.jsonl"), rows).unwrap();
    };
    let story = |i: usize| "Old Ann lives here. ".repeat(1 + i % 3);
    write(
        "boolq",
        (0..500)
            .map(|i| json!({"passage": story(i), "question": format!("is it {i}"), "answer": i % 3 == 0}))
            .collect(),
    );
    write(
        "piqa",
        (0..300)
            .map(|i| json!({"goal": format!("Make {i} loaves"), "sol1": "Bake.", "sol2": "Eat it raw.", "label": i % 2}))
            .collect(),
    );
    let suite = "[[task]]\ntask = \"boolq\"\nsplit = \"validation\"\n[[task]]\ntask = \"piqa\"\nsplit = \"validation\"\n";
    fs::write(dir.join("two.toml"), suite).unwrap();
    place
}

fn bench(dir: &Path, out: &str) -> String {
    run(dir, &[BENCH, &["--out", out]].concat()).ok()
}

#[track_caller]
fn assert_same_results(dir: &Path, a: &str, b: &str) {
    for file in ["results.json", "documents.jsonl", "report.md"] {
        let read = |out: &str| fs::read(dir.join(out).join(file)).unwrap();
        assert!(read(a) == read(b), "{file} differs between {a} and {b}");
    }
}

/// An evaluation is killed at `DPH_KILLS` random moments (10 by default). A moment is a length of the file of finished scores plus a
/// delay. The moments are drawn with the seed `DPH_SEED`, which is printed.
#[test]
fn an_evaluation_killed_at_random_moments_ends_with_the_same_bytes() {
    let from_env = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let kills = from_env("DPH_KILLS").unwrap_or(10);
    let seed = from_env("DPH_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("DPH_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let place = place();
    let dir = place.path();
    bench(dir, "whole");
    let length = |out: &str| fs::metadata(dir.join(out).join("scores.cache")).map_or(0, |file| file.len());

    // The last moments are excluded, since the evaluation could end before the kill.
    let mut moments: Vec<u64> =
        (0..kills).map(|_| random.random_range(0..length("whole") * 9 / 10)).collect();
    moments.sort_unstable();
    for moment in moments {
        let delay = Duration::from_micros(random.random_range(0..3_000));
        println!("kill at {moment} bytes of scores and {delay:?}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_dph-eval"));
        command.current_dir(dir).env_remove("DPH_DATA").args(BENCH).args(["--out", "killed"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while length("killed") < moment {
            assert!(child.try_wait().unwrap().is_none(), "it ended before {moment} bytes");
            sleep(Duration::from_micros(100));
        }
        sleep(delay);
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it ended before the kill");
        assert!(!dir.join("killed/results.json").exists());
    }
    bench(dir, "killed");
    assert_same_results(dir, "whole", "killed");
    assert_eq!(length("whole"), length("killed"));
}

#[test]
fn finished_scores_are_not_computed_again_unless_something_changed() {
    let place = place();
    let dir = place.path();
    let first = bench(dir, "out");
    let cache = dir.join("out/scores.cache");
    let bytes = fs::read(&cache).unwrap();
    fs::rename(dir.join("out/results.json"), dir.join("first.json")).unwrap();
    // Nothing is added to the file.
    assert_eq!(bench(dir, "out"), first);
    assert_eq!(fs::read(&cache).unwrap(), bytes);
    assert_eq!(fs::read(dir.join("out/results.json")).unwrap(), fs::read(dir.join("first.json")).unwrap());
    for more in [&["--scorer", "log"][..], &["--chat-format", "chatml", "--scorer", "reward"], &["--fresh"]] {
        let args = [BENCH, &["--out", "out"], more].concat();
        let before = fs::metadata(&cache).unwrap().len();
        run(dir, &args).ok();
        let after = fs::metadata(&cache).unwrap().len();
        assert!(
            if more.contains(&"--fresh") { after == bytes.len() as u64 } else { after > before },
            "{more:?}"
        );
    }
    // Another head, and another model.
    let (other, config) = head(Layer::At(1), &["preference", "truth"]);
    other.save(&config, &dir.join("model")).unwrap();
    let with_head = bench(dir, "out");
    assert_ne!(with_head, first);
    assert_eq!(with_head, bench(dir, "elsewhere"));
    let config = fs::read_to_string(dir.join("model/config.json")).unwrap();
    let changed = config.replace("10000.0", "500.0");
    assert_ne!(changed, config);
    fs::write(dir.join("model/config.json"), changed).unwrap();
    let with_model = bench(dir, "out");
    assert_ne!(with_model, with_head);
    assert_eq!(with_model, run(dir, BENCH).ok());
}

#[test]
fn damaged_scores_are_computed_again_with_a_warning() {
    let place = place();
    let dir = place.path();
    let bench = |out: &str| run(dir, &[BENCH, &["--out", out]].concat());
    bench("whole").ok();
    fs::create_dir(dir.join("damaged")).unwrap();
    let mut bytes = fs::read(dir.join("whole/scores.cache")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    fs::write(dir.join("damaged/scores.cache"), &bytes).unwrap();
    let found = bench("damaged");
    assert!(found.stderr.contains("bytes are damaged and were dropped"), "{}", found.stderr);
    found.ok();
    assert_same_results(dir, "whole", "damaged");
    assert!(bench("damaged").stderr.is_empty() || !bench("damaged").stderr.contains("warning"));

    fs::create_dir(dir.join("foreign")).unwrap();
    fs::write(dir.join("foreign/scores.cache"), "a letter").unwrap();
    let found = bench("foreign");
    assert!(
        found.stderr.contains("warning: foreign/scores.cache: it is not a file of scores"),
        "{}",
        found.stderr
    );
    found.ok();
    assert_same_results(dir, "whole", "foreign");
    assert_eq!(fs::read(dir.join("foreign/scores.cache")).unwrap(), b"a letter");
    bench("foreign").ok();
    let args = [BENCH, &["--out", "foreign", "--fresh"]].concat();
    assert!(!run(dir, &args).stderr.contains("warning"));
    assert_ne!(fs::read(dir.join("foreign/scores.cache")).unwrap(), b"a letter");
}
