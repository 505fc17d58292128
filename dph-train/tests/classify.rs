//! Training of classifiers and regressors of texts, beside transformers and through the real program.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/classify.rs"]
mod classify;
mod support;

use std::path::Path;

use classify::{
    bert, golden_classifier, losses, rows, steps, train, transformers, write_experiment, write_model,
    write_task,
};
use dph_eval::{DocumentScores, Results};
use dph_model::{ModelFiles, TextClassifier};
use serde_json::{Value, json};
use support::{fail, kill_at, succeed};

const CLASSES: &str = "[classify]\nfirst = 'first'\nsecond = 'second'\nlabels = ['no', 'maybe', 'yes']\n";
const TWO: &str = "[classify]\nfirst = 'first'\nsecond = 'second'\nlabels = ['no', 'yes']\n";
const NUMBER: &str = "[classify]\nfirst = 'first'\nsecond = 'second'\nnumber = 'number'\n";
const CLASSIFY: &str = "objective = { classify = {} }";

/// Trains in `dir`, and compares the losses of ten steps and the class of every validation row with transformers on the same rows.
fn compare(dir: &Path, classes: usize, numbers: bool, pairs: bool) {
    write_experiment(dir, CLASSIFY);
    succeed(&mut train(dir, &[]));
    let all = rows(60, classes);
    let shown = rows(24, classes);
    let spec = json!({ "steps": steps(&all, 10, 8, 5), "shown": shown, "lr": 2e-3, "numbers": numbers, "pairs": pairs });
    let Some(theirs) = transformers(&dir.join("model"), &spec) else { return };
    let ours = losses(&dir.join("run"));
    let expected: Vec<f64> = serde_json::from_value(theirs["losses"].clone()).unwrap();
    assert_eq!(ours.len(), 10);
    dph_core::testing::say(&format!("losses: ours {ours:?}, theirs {expected:?}"));
    for (ours, theirs) in ours.iter().zip(&expected) {
        assert!((ours - theirs).abs() < 1e-3, "{ours} and {theirs}");
    }
    assert!((ours[0] - ours[9]).abs() > 1e-2, "the losses do not change");
    // The export, as transformers reads it, has the outputs of the evaluation, which are those of transformers' own training.
    let spec = json!({ "steps": [], "shown": shown, "lr": 0.0, "numbers": numbers, "pairs": pairs });
    let read = transformers(&dir.join("run/classify"), &spec).unwrap();
    let documents = DocumentScores::load_all(&dir.join("run")).unwrap();
    for (index, document) in documents.iter().enumerate() {
        let of = |outputs: &Value| -> Vec<f64> {
            serde_json::from_value(outputs["shown"][index].clone()).unwrap()
        };
        let (read, trained) = (of(&read), of(&theirs));
        let ours: Vec<f64> = match numbers {
            true => document.predicted.into_iter().collect(),
            false => document.candidates.iter().map(|candidate| candidate.class.unwrap()).collect(),
        };
        let offset = if numbers { 0.0 } else { read.iter().map(|logit| logit.exp()).sum::<f64>().ln() };
        for (place, ours) in ours.iter().enumerate() {
            assert!((ours + offset - read[place]).abs() < 1e-3, "{index}: {ours} of {read:?}");
            assert!((read[place] - trained[place]).abs() < 3e-2, "{index}: {read:?} and {trained:?}");
        }
    }
    assert_eq!(documents.len(), shown.len());
}

#[test]
fn golden_classifier_of_transformers_trains_as_there() {
    let dir = tempfile::tempdir().unwrap();
    let Some(()) = golden_classifier("bert_3_labels", &dir.path().join("model")) else { return };
    write_task(dir.path(), 3, CLASSES);
    compare(dir.path(), 3, false, true);
}

#[test]
fn golden_decoders_train_as_classifiers_of_transformers() {
    for (model, classes, labels) in
        [("llama_5_labels", 5, "['a', 'b', 'c', 'd', 'e']"), ("gpt2_2_labels", 2, "['a', 'b']")]
    {
        let dir = tempfile::tempdir().unwrap();
        let Some(()) = golden_classifier(model, &dir.path().join("model")) else { return };
        if model == "gpt2_2_labels" {
            without_dropout(&dir.path().join("model"));
        }
        write_task(
            dir.path(),
            classes,
            &format!("[classify]\nfirst = 'first'\nsecond = 'second'\nlabels = {labels}\n"),
        );
        compare(dir.path(), classes, false, false);
    }
}

/// Dropout is random, and this program has none.
fn without_dropout(model: &Path) {
    let path = model.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for key in ["attn_pdrop", "embd_pdrop", "resid_pdrop"] {
        config[key] = json!(0.0);
    }
    std::fs::write(path, config.to_string()).unwrap();
}

#[test]
fn a_regressor_of_numbers_trains_as_that_of_transformers() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model");
    let config = bert("BertForSequenceClassification");
    let Value::Object(mut config) = config else { unreachable!() };
    config.insert("id2label".into(), json!({ "0": "LABEL_0" }));
    write_model(&model, &config.into());
    write_task(dir.path(), 3, NUMBER);
    compare(dir.path(), 3, true, true);
    let results = Results::load(&dir.path().join("run")).unwrap();
    let metrics: Vec<&str> = results.results.iter().map(|result| result.metric.as_str()).collect();
    assert_eq!(metrics, ["pearson", "spearman"]);
    // Predicted numbers are not the positions of candidates.
    let documents = DocumentScores::load_all(&dir.path().join("run")).unwrap();
    assert!(documents.iter().any(|document| document.predicted.unwrap().fract() != 0.0));
}

/// The weights of a model by the names of their tensors.
fn weights(model: &Path) -> std::collections::BTreeMap<String, Vec<f64>> {
    let tensors = dph_core::testing::read_tensors(&model.join("model.safetensors"));
    tensors.into_iter().map(|(name, tensor)| (name, tensor.values)).collect()
}

#[test]
fn a_stage_trains_what_it_says_and_a_new_layer_always() {
    let dir = tempfile::tempdir().unwrap();
    write_model(&dir.path().join("model"), &bert("BertModel"));
    write_task(dir.path(), 2, TWO);
    let run = dir.path().join("run/classify");
    let before = weights(&dir.path().join("model"));
    for (trainable, changed) in [
        ("none", "pooler"),
        ("embeddings", "pooler word_embeddings"),
        ("lora", "pooler attention.self attention.output.dense intermediate.dense output.dense"),
        ("all", ""),
    ] {
        write_experiment(dir.path(), &format!("{CLASSIFY}\ntrainable = \"{trainable}\""));
        let said = succeed(&mut train(dir.path(), &[]));
        let after = weights(&run);
        for (name, values) in &before {
            // A bias of a matrix with an adapter does not change.
            let is_trained = changed.split(' ').any(|part| name.contains(part))
                && !(trainable == "lora" && name.ends_with("bias") && !name.contains("pooler"))
                && !name.contains("LayerNorm");
            let is_trained = is_trained || trainable == "all";
            assert_eq!(*values != after[name], is_trained, "{trainable}: {name}");
        }
        assert_eq!(after["classifier.weight"].len(), 2 * 16);
        assert!(after["classifier.bias"].iter().any(|&bias| bias != 0.0));
        let labels =
            TextClassifier::load(&ModelFiles::open(&run).unwrap(), &dph_core::device("flex").unwrap());
        assert_eq!(labels.unwrap().labels(), ["no", "yes"]);
        assert!(String::from_utf8_lossy(&said.stdout).contains("classifier"));
    }
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    for trainable in ["all", "none"] {
        let place = tempfile::tempdir().unwrap();
        let [whole, killed] = ["whole", "killed"].map(|name| place.path().join(name));
        for dir in [&whole, &killed] {
            write_model(&dir.join("model"), &bert("BertModel"));
            write_task(dir, 2, TWO);
            let stage = format!("{CLASSIFY}\ntrainable = \"{trainable}\"");
            write_experiment(dir, &stage);
        }
        let more = ["--set", "stage.classify.steps=200", "--set", "stage.classify.validation={ every = 5 }"];
        succeed(&mut train(&whole, &more));
        kill_at(&mut train(&killed, &more), &killed.join("run/checkpoints/classify"), 10);
        let said = succeed(train(&killed, &more).arg("--resume"));
        assert!(!String::from_utf8_lossy(&said.stderr).contains("already done"));
        for file in ["classify/model.safetensors", "classify/config.json", "results.json", "metrics.jsonl"] {
            let read = |dir: &Path| std::fs::read(dir.join("run").join(file)).unwrap();
            assert!(read(&whole) == read(&killed), "{trainable}: {file} differs");
        }
    }
}

#[test]
fn what_cannot_be_trained_is_told_before_the_first_stage() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let Value::Object(mut config) = bert("BertForSequenceClassification") else { unreachable!() };
    config.insert("id2label".into(), json!({ "0": "x", "1": "y" }));
    write_model(&dir.join("model"), &config.clone().into());
    write_task(dir, 3, CLASSES);
    let said = |stage: &str, arguments: &[&str]| {
        write_experiment(dir, stage);
        let said = fail(&mut train(dir, arguments), 2);
        assert!(!dir.join("run").exists(), "{said}");
        // A forecast finds the same.
        assert_eq!(fail(train(dir, arguments).arg("--dry-run"), 2), said);
        said
    };
    let other = said(CLASSIFY, &[]);
    assert!(
        other.contains(
            "the task `mine.toml` needs the 3 classes no, maybe, yes, and the model has the outputs x, y"
        ),
        "{other}"
    );
    assert!(other.contains("classify = { new_layer = true }"), "{other}");
    let no_causal = said("objective = { sft = {} }", &["--set", "stage.classify.style=plain"]);
    assert!(no_causal.contains("is an encoder"), "{no_causal}");
    let both = format!(
        "{CLASSIFY}\n[[stage]]\nname = \"dph\"\nobjective = {{ dph = {{}} }}\nsteps = 1\nmix = {{ world = 1.0 }}"
    );
    assert!(said(&both, &[]).contains("only stages with `classify` may follow"));
    let before = both.replace("classify = {}", "sft = {}").replace("dph = {}", "classify = {}");
    let before = said(&before, &[]);
    assert!(before.contains("stage `classify`: `sft` needs a causal language model, and `bert` at `[model] path` is an encoder"), "{before}");
    let with = said("objective = { classify = {}, sft = {} }", &[]);
    assert!(with.contains("make it the only objective of its stage"), "{with}");
    let towards =
        said(&format!("{CLASSIFY}\n"), &["--set", "stage.classify.optimiser.decay_towards=initial"]);
    assert!(towards.contains("the weight decay of `adamw` is towards zero"), "{towards}");
    for (change, message) in [
        (
            "stage.classify.mix={ world = 1.0 }",
            "`world` cannot be used by a classifier: its file has no table [classify]",
        ),
        ("eval.scorers=[\"both\"]", "a classifier has the scorer `classifier` and no other"),
        ("eval.after=[\"base\"]", "`base` is evaluated otherwise than the last stage"),
        ("stage.classify.gradient_checkpointing=true", "remove `gradient_checkpointing`"),
    ] {
        let told = said(CLASSIFY, &["--set", change]);
        assert!(told.contains(message), "{told}");
    }
    // An evaluation that the trained classifier cannot have.
    let task = std::fs::read_to_string(dir.join("mine.toml")).unwrap();
    let number = task
        .replace("'mine'", "'number'")
        .replace(CLASSES, "[classify]\nfirst = 'first'\nnumber = 'number'\n");
    std::fs::write(dir.join("number.toml"), number).unwrap();
    std::fs::create_dir_all(dir.join("data/number")).unwrap();
    std::fs::copy(dir.join("data/mine/validation.jsonl"), dir.join("data/number/validation.jsonl")).unwrap();
    let last =
        said("objective = { classify = { new_layer = true } }", &["--set", "eval.tasks=['number.toml']"]);
    assert!(last.contains("`tiny` has the outputs no, maybe, yes, and the task `number` needs"), "{last}");
    // With a new layer the labels of the model do not matter.
    write_experiment(dir, "objective = { classify = { new_layer = true } }");
    succeed(&mut train(dir, &["--set", "stage.classify.steps=1"]));
    std::fs::remove_dir_all(dir.join("run")).unwrap();

    config.insert("max_position_embeddings".into(), json!(4));
    write_model(&dir.join("model"), &config.into());
    let short = said("objective = { classify = { new_layer = true } }", &[]);
    assert!(short.contains("two texts of one letter have 5 tokens with the special tokens of the tokenizer, and the model's context has 4"), "{short}");
}
