//! A run is not resumed with other data, another model or a damaged checkpoint.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::process::Command;

use serde_json::json;
use support::{fail, kill_at, last_step, said, succeed};

/// Files of pairs, a task and an experiment with two stages that train on them.
struct OwnData {
    dir: tempfile::TempDir,
}

impl OwnData {
    fn new() -> Self {
        let own = Self { dir: tempfile::tempdir().unwrap() };
        for (split, rows) in [("train", 40), ("validation", 10), ("test", 10)] {
            own.write(split, rows);
        }
        let files = ["train", "validation", "test"].map(|split| format!("{split} = '{split}.jsonl'\n"));
        let task = format!("name = 'pairs'\nkind = 'preference'\n[files]\n{}", files.concat());
        fs::write(own.dir.path().join("pairs.toml"), task).unwrap();
        let task = own.dir.path().join("pairs.toml");
        let text = format!(
            r#"
name = "own"
model = {{ tokenizer = "world", new = {{ model_type = "lswt", d_vocab = 16, d_model = 32, d_ffn = 64, n_layers = 1, n_heads = 2, rope_positions = 256 }} }}
[[stage]]
name = "sft"
objective = {{ sft = {{}} }}
trainable = "all"
steps = 4
batch = 4
validation = {{ every = 2 }}
mix = {{ {task:?} = 1.0 }}
[[stage]]
name = "dph"
objective = {{ dph = {{}} }}
steps = 8
batch = 4
validation = {{ every = 4 }}
mix = {{ {task:?} = 1.0 }}
[eval]
tasks = [{task:?}]
split = "test"
"#
        );
        fs::write(own.dir.path().join("own.toml"), text).unwrap();
        own
    }

    /// Writes a split with this number of rows.
    fn write(&self, split: &str, rows: usize) {
        let row = |index: usize| {
            let prompt = format!("Where does Ada live, take {index}?");
            json!({ "prompt": prompt, "chosen": format!("Ada lives in {index}."), "rejected": "Ada lives." })
        };
        let rows: String = (0..rows).map(|index| format!("{}\n", row(index))).collect();
        fs::write(self.dir.path().join(format!("{split}.jsonl")), rows).unwrap();
    }

    fn train(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
        command.arg(self.dir.path().join("own.toml")).arg("--out").arg(self.run()).args(arguments);
        command
    }

    fn run(&self) -> std::path::PathBuf {
        self.dir.path().join("run")
    }
}

#[test]
fn changed_data_are_not_resumed() {
    let own = OwnData::new();
    let after = ["--set", "eval.after=['sft']"];
    let resume = ["--set", "eval.after=['sft']", "--resume"];
    succeed(&mut own.train(&after));
    let head =
        || fs::metadata(own.run().join("dph/preference_head.safetensors")).unwrap().modified().unwrap();
    let before = head();
    for (split, rows, changed, parts) in [
        (
            "train",
            40,
            41,
            ["`sft` used other data", "the training data of `", "(then 40 sets, now 41)", "restore the data"],
        ),
        (
            "validation",
            10,
            9,
            [
                "`sft` used other data",
                "the validation data of `",
                "(then 10 sets, now 9)",
                "without --resume",
            ],
        ),
        (
            "test",
            10,
            11,
            [
                "`evaluations/sft` used",
                "the evaluation data of `",
                "(then 10 sets, now 11)",
                "pairs.toml`, split `test`",
            ],
        ),
    ] {
        own.write(split, changed);
        for dry_run in [&[][..], &["--dry-run"]] {
            let said = fail(own.train(&resume).args(dry_run), 2);
            for part in parts {
                assert!(said.contains(part), "{split} {dry_run:?}: {part:?} is not in {said}");
            }
        }
        own.write(split, rows);
    }
    succeed(&mut own.train(&resume));
    let output = said(&succeed(own.train(&resume).arg("--dry-run")));
    assert!(output.contains("the run has these settings, data and models"), "{output}");
    assert_eq!(head(), before);

    // A run of an earlier version has no record.
    fs::remove_file(own.run().join("provenance.json")).unwrap();
    own.write("train", 41);
    let output = said(&succeed(&mut own.train(&resume)));
    assert!(
        output.contains("sft: already done by an earlier version, which did not record its data"),
        "{output}"
    );
    assert_eq!(head(), before);
}

#[test]
fn a_checkpoint_is_not_continued_with_other_data() {
    let own = OwnData::new();
    let long = ["--set", "stage.dph.steps=3000", "--set", "stage.dph.validation.every=100"];
    kill_at(&mut own.train(&long), &own.run().join("checkpoints/dph"), 500);
    own.write("train", 39);
    // The finished stage `sft` is named first; without its record, the interrupted stage is.
    let record = own.run().join("provenance.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    json["sft"].as_object_mut().unwrap().remove("data");
    fs::write(&record, json.to_string()).unwrap();
    let said = fail(own.train(&long).arg("--resume"), 2);
    assert!(said.contains("`dph` used other data") && said.contains("(then 40 sets, now 39)"), "{said}");
    assert!(!own.run().join("dph").exists());
    own.write("train", 40);
    succeed(own.train(&long).arg("--resume"));
}

#[test]
fn a_damaged_checkpoint_is_named_with_a_remedy() {
    let own = OwnData::new();
    let long = ["--set", "stage.dph.steps=3000", "--set", "stage.dph.validation.every=100"];
    let checkpoints = own.run().join("checkpoints/dph");
    kill_at(&mut own.train(&long), &checkpoints, 500);
    let last = checkpoints.join(format!("step-{}", last_step(&checkpoints).unwrap()));
    for file in ["model.bpk", "optimiser.bpk", "schedule.bpk", "validation.json"] {
        let whole = fs::read(last.join(file)).unwrap();
        fs::write(last.join(file), "damaged").unwrap();
        let said = fail(own.train(&long).arg("--resume"), 1);
        assert!(said.contains(&format!("{}: {file} is damaged", last.display())), "{said}");
        assert!(said.contains("delete this directory and run again with --resume"), "{said}");
        fs::write(last.join(file), whole).unwrap();
    }
    // The run was killed while it removed another checkpoint, so that only a part of it is left.
    for entry in fs::read_dir(&checkpoints).unwrap() {
        let _ = fs::remove_file(entry.unwrap().path().join("validation.json"));
    }
    fs::remove_dir_all(&last).unwrap();
    fs::create_dir_all(checkpoints.join("step-1000")).unwrap();
    fs::write(checkpoints.join("step-1000/model.bpk"), "left").unwrap();
    succeed(own.train(&long).arg("--resume"));
}

#[test]
fn a_directory_that_the_run_did_not_make_is_not_a_finished_stage() {
    let own = OwnData::new();
    let long = ["--set", "stage.dph.steps=3000", "--set", "stage.dph.validation.every=100"];
    kill_at(&mut own.train(&long), &own.run().join("checkpoints/dph"), 500);
    fs::create_dir(own.run().join("dph")).unwrap();
    fs::write(own.run().join("dph/mine.txt"), "kept").unwrap();
    let said = fail(own.train(&long).arg("--resume"), 2);
    assert!(said.contains("run/dph: this directory was not made by this run"), "{said}");
    assert!(own.run().join("dph/mine.txt").exists());
}

#[test]
fn a_sweep_does_not_resume_with_other_data() {
    let own = OwnData::new();
    let sweep = ["--set", "sweep.head.pooling=['identity', 'bert']"];
    succeed(&mut own.train(&sweep));
    own.write("train", 41);
    for dry_run in [&[][..], &["--dry-run"]] {
        let said = fail(own.train(&sweep).arg("--resume").args(dry_run), 2);
        assert!(said.contains("variant pooling=identity: "), "{said}");
        assert!(said.contains("shared/sft-") && said.contains("`sft` used other data"), "{said}");
    }
    own.write("train", 40);
    own.write("test", 11);
    let said = fail(own.train(&sweep).arg("--resume"), 2);
    assert!(said.contains("`results.json` used other data"), "{said}");
    own.write("test", 10);
    succeed(own.train(&sweep).arg("--resume"));
    let output = support::said(&succeed(own.train(&sweep).args(["--resume", "--dry-run"])));
    assert!(output.contains("the run has these settings, data and models"), "{output}");
}

#[test]
fn another_model_or_tokenizer_is_not_resumed() {
    let own = OwnData::new();
    succeed(&mut own.train(&[]));
    let model = own.dir.path().join("model");
    fs::rename(own.run(), own.dir.path().join("made")).unwrap();
    fs::rename(own.dir.path().join("made/sft"), &model).unwrap();
    let text = fs::read_to_string(own.dir.path().join("own.toml")).unwrap();
    let stage = text.find("[[stage]]\nname = \"dph\"").unwrap();
    let text = format!("name = \"own\"\n[model]\npath = {model:?}\n{}", &text[stage..]);
    fs::write(own.dir.path().join("own.toml"), text).unwrap();
    succeed(&mut own.train(&[]));
    let weights = model.join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    for dry_run in [&[][..], &["--dry-run"]] {
        let said = fail(own.train(dry_run).arg("--resume"), 2);
        assert!(
            said.contains("this run began with another model") && said.contains("restore the model"),
            "{said}"
        );
    }

    // A new model whose tokenizer is a directory.
    let own = OwnData::new();
    let tokenizer = own.dir.path().join("tokenizer");
    fs::rename(&model, &tokenizer).unwrap();
    let change = format!("model.tokenizer={tokenizer:?}");
    succeed(&mut own.train(&["--set", &change]));
    let file = tokenizer.join("tokenizer.json");
    let json = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{json}\n")).unwrap();
    for dry_run in [&[][..], &["--dry-run"]] {
        let said = fail(own.train(&["--set", &change, "--resume"]).args(dry_run), 2);
        assert!(said.contains("`base` used other data: `model.tokenizer`"), "{said}");
    }
}

#[test]
fn other_settings_and_a_damaged_record_of_them_are_told_apart() {
    let own = OwnData::new();
    succeed(&mut own.train(&[]));
    let refused = |changes: &[&str], message: &str| {
        for dry_run in [&[][..], &["--dry-run"]] {
            let said = fail(own.train(changes).arg("--resume").args(dry_run), 2);
            assert!(said.contains(message), "{dry_run:?}: {message:?} is not in {said}");
        }
    };
    refused(&["--set", "stage.sft.steps=5"], "this run has other settings: stage.sft.steps");
    let resolved = own.run().join("resolved.toml");
    let whole = fs::read_to_string(&resolved).unwrap();
    for damaged in [&whole[..whole.len() - 3], "", "\0\0\0"] {
        fs::write(&resolved, damaged).unwrap();
        refused(&[], "resolved.toml: the file is damaged (");
    }
    fs::write(&resolved, whole).unwrap();
    succeed(own.train(&[]).arg("--resume"));
}

#[test]
fn a_run_that_is_not_there_is_started_with_a_warning() {
    let own = OwnData::new();
    let output = said(&succeed(&mut own.train(&["--resume", "--dry-run"])));
    assert!(output.contains("run: there is no run to resume; a new one would start"), "{output}");
    assert!(!own.run().exists());
    let output = said(&succeed(&mut own.train(&["--resume"])));
    assert!(output.contains("run: there is no run to resume; a new one starts"), "{output}");
    let output = said(&succeed(&mut own.train(&["--resume"])));
    assert!(!output.contains("no run to resume"), "{output}");
}
