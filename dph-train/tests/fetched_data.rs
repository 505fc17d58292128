//! The experiment on a real model starts from rows that are downloaded from a hub on this machine.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dph_core::testing::{data_root, smollm2};
use dph_data::testing::hub::{Repository, TestHub};
use dph_data::{HubSettings, Task, fetch};
use support::succeed;

/// The tasks of the suite `gpt4all`: the repository, the configuration and its splits, and real rows in the file of a published split.
const TASKS: [(&str, &str, &str, &[&str], &str); 7] = [
    ("hellaswag", "Rowan/hellaswag", "default", ALL, "hellaswag/validation"),
    ("openbookqa", "allenai/openbookqa", "main", ALL, "openbookqa/main/test"),
    ("winogrande", "allenai/winogrande", "winogrande_xl", ALL, "winogrande/winogrande_xs/validation"),
    ("arc_easy", "allenai/ai2_arc", "ARC-Easy", ALL, "ai2_arc/ARC-Challenge/test"),
    ("arc_challenge", "allenai/ai2_arc", "ARC-Challenge", ALL, "ai2_arc/ARC-Challenge/test"),
    ("boolq", "google/boolq", "default", &["train", "validation"], "boolq/validation"),
    ("piqa", "ybisk/piqa", "plain_text", ALL, "piqa/validation"),
];
const ALL: &[&str] = &["train", "validation", "test"];
/// Where nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9";

fn hub(data: &Path) -> TestHub {
    let mut repositories: Vec<(&str, Repository)> = Vec::new();
    for (_, repository, configuration, splits, rows) in TASKS {
        let rows = fs::read(data.join(format!("parquet/{rows}-00000-of-00001.parquet"))).unwrap();
        let known = repositories.iter().position(|(name, _)| *name == repository);
        let mut files = known.map_or_else(Repository::default, |known| repositories.swap_remove(known).1);
        for split in splits {
            files = files.converted(&format!("{configuration}/{split}/0000.parquet"), rows.clone());
        }
        repositories.push((repository, files));
    }
    TestHub::serve(repositories)
}

/// `experiments/smollm2-gpt4all.toml` with few rows and steps.
fn experiment(dir: &Path, model: &Path, data: &str, endpoint: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments/smollm2-gpt4all.toml"));
    command.current_dir(dir).args(["--data", data]).env("HF_ENDPOINT", endpoint);
    command.arg("--set").arg(format!("model.path={}", model.display()));
    for change in [
        "stage.dph.steps=2",
        "stage.dph.batch=4",
        "stage.dph.limit=2",
        "stage.dph.schedule.warmup=1",
        "stage.dph.validation={ every = 2, limit = 1 }",
        "eval.limit=1",
    ] {
        command.args(["--set", change]);
    }
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HF_HUB_OFFLINE", "HF_TOKEN"] {
        command.env_remove(name);
    }
    command
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn the_experiment_on_smollm2_is_one_command() {
    let (Some(data), Some(model)) = (data_root(), smollm2()) else { return };
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let hub = hub(&data);
    let output = succeed(&mut experiment(dir, &model, "hf:fetched", hub.url()));
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(TASKS.iter().all(|(task, ..)| table.contains(task)), "{table}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("piqa: from ybisk/piqa, licence: AFL 3.0"), "{said}");
    // PIQA is not trained on, and nothing is evaluated on rows without published answers.
    assert!(!dir.join("fetched/piqa/train.parquet").exists());
    assert!(dir.join("fetched/piqa/validation.parquet").exists());
    // What is there is used without the hub.
    succeed(experiment(dir, &model, "hf:fetched", NOWHERE).arg("--dry-run"));
    succeed(experiment(dir, &model, "hf:fetched", NOWHERE).arg("--resume"));

    // `dph-data fetch` gives the same files and the other splits.
    let settings = HubSettings { endpoint: hub.url().to_owned(), token: None, offline: false };
    for (task, ..) in TASKS {
        let task = Task::find(task).unwrap();
        fetch(&task, &[], &dir.join("all"), &settings, &mut |_| {}).unwrap();
    }
    assert_eq!(files(&dir.join("all")).len(), 20);
    for file in files(&dir.join("fetched")) {
        let same = dir.join("all").join(file.strip_prefix(dir.join("fetched")).unwrap());
        assert_eq!(fs::read(&file).unwrap(), fs::read(same).unwrap(), "{}", file.display());
    }
    succeed(experiment(dir, &model, "all", NOWHERE).arg("--resume"));
}
