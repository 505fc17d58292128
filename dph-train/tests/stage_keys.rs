//! Keys of a stage that decide which sets a step has, how the learning rate falls and how fast the parts of a model learn.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/classify.rs"]
mod classify;
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use classify::{bert, losses, rows, train, write_experiment, write_model, write_task};
use serde_json::{Value, json};
use support::{fail, kill_at, metrics, said, set, succeed, tiny, train_in};

const TWO: &str = "[classify]\nfirst = 'first'\nsecond = 'second'\nlabels = ['no', 'yes']\n";
const CLASSIFY: &str = "objective = { classify = {} }";

/// A learning rate that leaves the weights as they are, so that the loss of a set is the same in every step.
const STILL: &str = "stage.classify.optimiser.lr=1e-12";

/// A classifier and a task with 60 training rows.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_model(&dir.path().join("model"), &bert("BertModel"));
    write_task(dir.path(), 2, TWO);
    write_experiment(dir.path(), CLASSIFY);
    dir
}

/// Adds the task `few.toml` with twelve other training rows.
fn write_few(dir: &Path) {
    let task = std::fs::read_to_string(dir.join("mine.toml")).unwrap();
    std::fs::write(dir.join("few.toml"), task.replace("'mine'", "'few'")).unwrap();
    std::fs::create_dir_all(dir.join("data/few")).unwrap();
    let lines: String = rows(12, 2)
        .into_iter()
        .map(|mut row| {
            row["second"] = json!(format!("few {}", row["second"].as_str().unwrap()));
            format!("{row}\n")
        })
        .collect();
    std::fs::write(dir.join("data/few/train.jsonl"), lines).unwrap();
}

/// Runs the experiment of [`place`] with changes, and returns the losses of its steps and what it printed.
fn run(dir: &Path, changes: &[&str]) -> (Vec<f64>, String) {
    let _ = std::fs::remove_dir_all(dir.join("run"));
    let said = said(&succeed(&mut train(dir, &set(changes))));
    (losses(&dir.join("run")), said)
}

#[test]
fn a_growing_batch_uses_consecutive_sets() {
    let dir = place();
    let (alone, _) = run(dir.path(), &[STILL, "stage.classify.batch=1", "stage.classify.steps=28"]);
    let growth = "stage.classify.batch_growth={ from = 2, steps = 3 }";
    let (grown, _) = run(dir.path(), &[STILL, "stage.classify.steps=5", growth]);
    let sizes = [2, 4, 6, 8, 8];
    let mut start = 0;
    for (step, size) in sizes.into_iter().enumerate() {
        let mean = alone[start..start + size].iter().sum::<f64>() / size as f64;
        assert!((grown[step] - mean).abs() < 1e-5, "step {}: {} is not {mean}", step + 1, grown[step]);
        start += size;
    }
    assert!((grown[0] - grown[3]).abs() > 1e-4, "the losses of all sets are equal");
    let forecast = ["stage.classify.steps=5", growth];
    let forecast = said(&succeed(train(dir.path(), &set(&forecast)).arg("--dry-run")));
    // 28 of 60 sets, instead of 40.
    assert!(forecast.contains("60 sets, 0.5 epochs"), "{forecast}");
}

#[test]
fn tasks_are_drawn_by_their_size_up_to_the_cap() {
    let dir = place();
    let dir = dir.path();
    write_few(dir);
    let of_task = |task: &str, steps: usize| {
        let (mix, steps) =
            (format!("stage.classify.mix={{ \"{task}\" = 1.0 }}"), format!("stage.classify.steps={steps}"));
        run(dir, &[STILL, "stage.classify.batch=1", &mix, &steps]).0
    };
    let (mine, few) = (of_task("mine.toml", 60), of_task("few.toml", 12));
    let mix = "stage.classify.mix={ \"mine.toml\" = 1.0, \"few.toml\" = 2.0 }";
    // A weight of 1 times 20 of 60 rows, and of 2 times 12 rows: 20 of 44 sets, and 24.
    for (cap, share, expected) in [
        ("stage.classify.size_cap=20", "few.toml 54.5%, mine.toml 45.5%", (20, 24)),
        ("stage.classify.size_cap=1000000", "few.toml 28.6%, mine.toml 71.4%", (31, 13)),
        ("stage.classify.validation.limit=9", "", (15, 29)),
    ] {
        let (drawn, said) = run(dir, &[STILL, "stage.classify.batch=1", "stage.classify.steps=44", mix, cap]);
        let nearest = |losses: &[f64], loss: f64| {
            losses.iter().map(|other| (other - loss).abs()).fold(f64::INFINITY, f64::min)
        };
        let of_mine = drawn.iter().filter(|&&loss| nearest(&mine, loss) < nearest(&few, loss)).count();
        assert!(drawn.iter().all(|&loss| nearest(&mine, loss).min(nearest(&few, loss)) < 1e-6));
        assert!(of_mine.abs_diff(expected.0) <= 1, "{cap}: {of_mine} sets of mine.toml");
        assert_eq!(said.contains("shares of the tasks with `size_cap`"), !share.is_empty(), "{said}");
        assert!(said.contains(share), "{said}");
    }
}

#[test]
fn the_learning_rate_falls_with_the_tokens() {
    let dir = place();
    let dir = dir.path();
    // Texts of three tokens, and three special tokens: 48 tokens in each of ten steps.
    let row = |index: usize| {
        let letter = |place: usize| (b'a' + ((index * 7 + place * 11) % 26) as u8) as char;
        json!({ "first": format!("{}{}", letter(0), letter(1)), "second": letter(2).to_string(), "label": index % 2 })
    };
    let lines: String = (0..60).map(|index| format!("{}\n", row(index))).collect();
    std::fs::write(dir.join("data/mine/train.jsonl"), lines).unwrap();
    let weights = || std::fs::read(dir.join("run/classify/model.safetensors")).unwrap();
    let schedule = |more: &str| {
        format!("stage.classify.schedule={{ warmup = 2, shape = \"linear\", floor = 0.0{more} }}")
    };

    run(dir, &[&schedule("")]);
    let in_steps = weights();
    let (_, output) = run(dir, &[&schedule(", cooldown_tokens = 480")]);
    assert!(
        output.contains("480 tokens in 10 steps; the learning rate reaches its floor at step 10"),
        "{output}"
    );
    assert!(weights() == in_steps, "steps of the same length are as tokens");
    let (_, output) = run(dir, &[&schedule(", cooldown_tokens = 481")]);
    assert!(
        output.contains("the learning rate does not reach its floor, for which `cooldown_tokens` is 481"),
        "{output}"
    );
    assert!(weights() != in_steps);

    // After the floor of 0 nothing changes.
    let (_, output) =
        run(dir, &[&schedule(", cooldown_tokens = 290"), "stage.classify.validation={ every = 1 }"]);
    assert!(output.contains("the learning rate reaches its floor at step 7"), "{output}");
    let valid: Vec<Value> =
        metrics(&dir.join("run"), "classify", "valid").into_iter().map(|line| line["loss"].clone()).collect();
    assert!(valid[5] != valid[4] && valid[6..].iter().all(|loss| *loss == valid[5]), "{valid:?}");

    // The warm-up of two steps has 96 tokens.
    let early = schedule(", cooldown_tokens = 96");
    std::fs::remove_dir_all(dir.join("run")).unwrap();
    let told = fail(&mut train(dir, &set(&[&early])), 2);
    assert!(told.contains("the warm-up of 2 steps has 96 tokens"), "{told}");
    assert_eq!(fail(train(dir, &set(&[&early])).arg("--dry-run"), 2), told);
    assert!(!dir.join("run").exists());
}

#[test]
fn a_killed_run_with_all_of_these_keys_resumes_to_the_same_bytes() {
    let dir = place();
    let dir = dir.path();
    write_few(dir);
    let changes = set(&[
        "stage.classify.mix={ \"mine.toml\" = 1.0, \"few.toml\" = 2.0 }",
        "stage.classify.size_cap=20",
        "stage.classify.steps=200",
        "stage.classify.batch_growth={ from = 2, steps = 150 }",
        "stage.classify.schedule={ warmup = 5, shape = \"cosine\", floor = 0.0, cooldown_tokens = 20000 }",
        "stage.classify.optimiser.pooler={ lr_factor = 0.5, weight_decay = 0.01 }",
        "stage.classify.optimiser.adapters={ lr_factor = 2.0 }",
        "stage.classify.trainable=lora",
        "model.lora.rank=2",
        "stage.classify.validation={ every = 5 }",
    ]);
    succeed(&mut train(dir, &changes));
    std::fs::rename(dir.join("run"), dir.join("whole")).unwrap();
    kill_at(&mut train(dir, &changes), &dir.join("run/checkpoints/classify"), 10);
    let told = said(&succeed(train(dir, &changes).arg("--resume")));
    assert!(!told.contains("already done"), "{told}");
    for file in ["classify/model.safetensors", "results.json", "metrics.jsonl"] {
        let read = |run: &str| std::fs::read(dir.join(run).join(file)).unwrap();
        assert!(read("whole") == read("run"), "{file} differs");
    }
}

/// The tensors of a file.
fn tensors(path: &Path) -> BTreeMap<String, Vec<f64>> {
    dph_core::testing::read_tensors(path).into_iter().map(|(name, tensor)| (name, tensor.values)).collect()
}

/// How far the tensors of which `is_part` holds moved from `start` with half of the learning rate, as a share of how far they moved with
/// the whole: a half. All others end at the same bits.
#[track_caller]
fn assert_half(start: &Path, whole: &Path, half: &Path, is_part: impl Fn(&str) -> bool) {
    let [start, whole, half] = [start, whole, half].map(tensors);
    let (mut of_part, mut others) = (0, 0);
    for (name, whole) in &whole {
        let (start, half) = (&start[name], &half[name]);
        let moved = whole.iter().zip(start).any(|(whole, start)| whole != start);
        if !is_part(name) {
            assert!(whole == half, "{name} differs");
            others += usize::from(moved);
            continue;
        }
        of_part += usize::from(moved);
        for ((whole, half), start) in whole.iter().zip(half).zip(start) {
            let expected = start + (whole - start) / 2.0;
            assert!((half - expected).abs() < 1e-6, "{name}: {half} between {start} and {whole}");
        }
    }
    assert!(of_part > 0, "nothing of the part moved");
    assert!(others > 0, "nothing else moved");
}

#[test]
fn the_pooler_and_the_adapters_of_a_classifier_learn_at_their_own_rate() {
    for (trainable, part, tensor) in
        [("all", "pooler", "pooler."), ("lora", "pooler", "pooler."), ("lora", "adapters", "encoder.")]
    {
        let dir = place();
        let dir = dir.path();
        let trained = [format!("stage.classify.trainable={trainable}"), "model.lora.rank=2".into()];
        let common = [
            trained[0].as_str(),
            &trained[1],
            "stage.classify.steps=1",
            "stage.classify.optimiser.name=laprop",
        ];
        let export = |name: &str, change: &str| {
            run(dir, &[&common[..], &[change]].concat());
            let to = dir.join(name);
            std::fs::copy(dir.join("run/classify/model.safetensors"), &to).unwrap();
            to
        };
        let start = export("start", STILL);
        let whole = export("whole", "seed=5");
        let half = export("half", &format!("stage.classify.optimiser.{part}.lr_factor=0.5"));
        assert_half(&start, &whole, &half, |name| name.contains(tensor));
    }
}

#[test]
fn the_pooler_of_a_head_learns_at_its_own_rate() {
    // The reward heads begin with 0, so the pooler moves in the second step.
    for trainable in ["none", "all"] {
        let dir = tiny("tiny.gguf");
        let dir = dir.path();
        let trained = format!("stage.dph.trainable={trainable}");
        let common = [
            trained.as_str(),
            "head.pooling=bert",
            "stage.dph.steps=2",
            "stage.dph.keep=last",
            "stage.dph.schedule.shape=constant",
            "stage.dph.validation.limit=0",
        ];
        let export = |name: &str, change: &str| {
            succeed(&mut train_in(dir, name, &set(&[&common[..], &[change]].concat())));
            dir.join(name).join("dph/preference_head.safetensors")
        };
        let start = export("start", "stage.dph.optimiser.lr=1e-20");
        let whole = export("whole", "seed=42");
        let half = export("half", "stage.dph.optimiser.pooler.lr_factor=0.5");
        assert_half(&start, &whole, &half, |name| !name.starts_with("reward_heads"));
        // Without settings of its own, the pooler has those of the head, where the model is trained too.
        if trainable == "all" {
            let head = export("head", "stage.dph.optimiser.head.lr_factor=0.5");
            let both = export(
                "both",
                "stage.dph.optimiser={ lr = 3e-3, head = { lr_factor = 0.5 }, pooler = { lr_factor = 0.5 } }",
            );
            assert_eq!(tensors(&head), tensors(&both));
        }
    }
}

#[test]
fn settings_without_effect_are_a_warning() {
    let dir = tiny("tiny.gguf");
    let dir = dir.path();
    let told = |changes: &[&str]| {
        let changes = set(&[
            &["stage.dph.optimiser={ lr = 3e-3, no_decay = ['bias'], head = { lr_factor = 2.0 } }"],
            changes,
        ]
        .concat());
        let told = said(&succeed(&mut train_in(dir, "run", &[&changes[..], &["--dry-run"]].concat())));
        told.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let frozen = told(&["stage.dph.trainable=none"]);
    assert!(frozen.contains("so `head` and `no_decay` of its `optimiser` has no effect"), "{frozen}");
    assert!(!told(&["stage.dph.trainable=all"]).contains("has no effect"));
}

#[test]
fn contradictions_are_told_before_anything_is_loaded() {
    let dir = place();
    let dir = dir.path();
    for (change, message) in [
        ("batch_growth={ from = 0, steps = 2 }", "`from` must be at least 1"),
        ("batch_growth={ from = 8, steps = 2 }", "a batch that grows from 8 to the `batch` 8 does not grow"),
        ("batch_growth={ from = 2, steps = 0 }", "`steps` must be at least 1"),
        ("batch_growth={ from = 2, steps = 10 }", "no step has the whole `batch`"),
        ("batch_growth={ from = 2 }", "missing field `steps`"),
        ("size_cap=0", "`size_cap` must be at least 1"),
        ("schedule={ shape = \"linear\", cooldown_tokens = 0 }", "`cooldown_tokens` must be at least 1"),
        ("schedule.cooldown_tokens=9", "a constant learning rate has no cool-down"),
        ("optimiser.pooler.lr_factor=0.0", "`lr_factor` must be a finite number greater than 0"),
        ("optimiser.head.lr_factor=-1.0", "`lr_factor` must be a finite number greater than 0"),
        ("optimiser.pooler.weight_decay=-1.0", "`weight_decay` must be at least 0"),
        ("optimiser.pooler.decay_towards=initial", "the weight decay of `adamw` is towards zero"),
        ("optimiser.adapters.lr_factor=2.0", "this stage trains no adapters: set `trainable = \"lora\"`"),
        ("optimiser.adaptors.lr_factor=2.0", "did you mean `adapters`?"),
    ] {
        let change = format!("stage.classify.{change}");
        let told = fail(&mut train(dir, &["--set", &change]), 2);
        assert!(told.contains(message), "{change}: {told}");
        assert_eq!(fail(&mut train(dir, &["--set", &change, "--dry-run"]), 2), told);
    }
    let language =
        set(&["stage.classify.objective={ sft = {} }", "stage.classify.optimiser.pooler.lr_factor=2.0"]);
    let told = fail(&mut train(dir, &language), 2);
    assert!(told.contains("this stage trains no pooler"), "{told}");
    assert!(!dir.join("run").exists());
}
