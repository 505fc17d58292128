//! Every kind of directory that is a model, and what is said of those that are none.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use dph_core::Layer;
use dph_eval::{BACKBONE_FILE, BackboneReference, Model, ModelError, Scoring, export_head, score};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use support::{D_MODEL, head, llama, lswt, set, write_model, write_model_with_head};

fn open(dir: &Path) -> Result<Model, ModelError> {
    Model::open(dir, &dph_core::device("flex").unwrap())
}

fn rewards(model: &Model) -> Vec<f32> {
    let sets = [set("s", &[5, 6, 7], &[&[8, 9], &[10]])];
    let scores = score(model, &sets, &Scoring::default(), &mut |_| {}).unwrap();
    scores[0].iter().flat_map(|scores| scores.rewards.clone()).collect()
}

/// A run with a backbone of its own and the head that was trained on it.
fn write_run(run: &Path) {
    write_model(&run.join("sft"), &lswt());
    let (head, config) = head(Layer::At(2), &["preference"]);
    let hash = dph_model::content_hash(run.join("sft").as_path()).unwrap();
    fs::create_dir(run.join("dph")).unwrap();
    let reference = BackboneReference::new(&run.join("dph"), &run.join("sft"), &hash).unwrap();
    export_head(&run.join("dph"), &head, &config, &reference).unwrap();
    fs::write(run.join("manifest.json"), r#"{"stages": ["sft", "dph"]}"#).unwrap();
    fs::write(run.join("resolved.toml"), "").unwrap();
}

#[test]
fn a_model_a_model_with_a_head_an_export_and_a_run() {
    let place = tempfile::tempdir().unwrap();
    let plain = place.path().join("plain");
    write_model(&plain, &llama());
    let plain = open(&plain).unwrap();
    assert!(plain.head.is_none() && plain.heads().is_empty());
    assert_eq!(plain.name, "plain");

    let whole = place.path().join("whole");
    write_model_with_head(&whole, &lswt(), &["preference"]);
    let whole = open(&whole).unwrap();
    assert_eq!(whole.heads(), ["preference"]);

    let run = place.path().join("run");
    write_run(&run);
    let of_run = open(&run).unwrap();
    assert_eq!(of_run.name, "run");
    assert_eq!(rewards(&of_run), rewards(&whole));
    assert_eq!(rewards(&open(&run.join("dph")).unwrap()), rewards(&whole));
    assert!(open(&run.join("sft")).unwrap().head.is_none());

    // A run that is moved as a whole still knows its backbone.
    let moved = place.path().join("moved");
    fs::rename(&run, &moved).unwrap();
    assert_eq!(rewards(&open(&moved).unwrap()), rewards(&whole));
}

#[test]
fn the_head_of_an_authors_checkpoint_is_among_its_weights() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("authors");
    write_model(
        &dir,
        &lswt().replacen('{', r#"{"reward_pooler": "identity", "reward_heads": ["honesty"], "#, 1),
    );
    let weights = dir.join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let direction: Vec<u8> = (0..D_MODEL).flat_map(|x| (x as f32).to_le_bytes()).collect();
    let head = TensorView::new(Dtype::F32, vec![1, D_MODEL], &direction).unwrap();
    let tensors = file.tensors().into_iter().chain([("reward_heads.honesty.weight".to_string(), head)]);
    fs::write(&weights, safetensors::serialize(tensors, None).unwrap()).unwrap();

    let model = open(&dir).unwrap();
    assert_eq!(model.heads(), ["honesty"]);
    assert!(rewards(&model).iter().all(|reward| *reward != 0.0));
    // A head beside the weights goes first.
    let (head, config) = support::head(Layer::Last, &["preference"]);
    head.save(&config, &dir).unwrap();
    assert_eq!(open(&dir).unwrap().heads(), ["preference"]);
}

#[test]
fn a_changed_or_missing_backbone_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let run = place.path();
    write_run(run);
    let weights = run.join("sft/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    let error = open(run).unwrap_err();
    assert!(matches!(error, ModelError::BackboneChanged { .. }));
    let message = error.to_string();
    for part in [
        "dph/../sft has changed since this head was trained on it",
        "restore that model, or train the head again",
    ] {
        assert!(message.contains(part), "{message}");
    }

    fs::rename(run.join("sft"), run.join("elsewhere")).unwrap();
    let message = open(&run.join("dph")).unwrap_err().to_string();
    assert!(message.contains("the model that this head was trained on is not at"), "{message}");
    assert!(message.contains("correct `path` in backbone.json"), "{message}");
}

#[test]
fn a_head_that_does_not_fit_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_model_with_head(dir, &lswt(), &["preference"]);
    let json = fs::read_to_string(dir.join(dph_core::HEAD_CONFIG_FILE)).unwrap();
    let (head, mut config) = head(Layer::At(4), &["preference"]);
    head.save(&config, dir).unwrap();
    let error = open(dir).unwrap_err();
    assert!(matches!(error, ModelError::HeadLayer { layer: 4, layers: 3 }), "{error}");

    config.d_model = 48;
    config.init(1, &dph_core::device("flex").unwrap()).save(&config, dir).unwrap();
    let error = open(dir).unwrap_err();
    assert!(matches!(error, ModelError::HeadSize { head: 48, backbone: 32 }), "{error}");

    // The configuration of one head and the weights of another.
    fs::write(dir.join(dph_core::HEAD_CONFIG_FILE), json).unwrap();
    let message = open(dir).unwrap_err().to_string();
    assert!(message.contains("preference_head.safetensors: tensor `pooling."), "{message}");
}

#[test]
fn what_is_no_model_says_what_is_missing() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let message = |dir: &Path| open(dir).unwrap_err().to_string();
    assert!(
        message(&dir.join("nowhere")).contains("nowhere: there is no such directory; give a model directory")
    );
    assert!(message(dir).contains(
        "config.json does not exist; every model directory has one, or an export preference_head.json"
    ));

    write_model(dir, &lswt());
    fs::remove_file(dir.join("tokenizer.json")).unwrap();
    assert!(message(dir).contains("tokenizer.json"));

    // An export whose head has been lost.
    write_run(&dir.join("run"));
    let export = dir.join("run/dph");
    fs::remove_file(export.join(dph_core::HEAD_WEIGHTS_FILE)).unwrap();
    assert!(message(&export).contains("preference_head.safetensors: No such file"));
    fs::write(export.join(BACKBONE_FILE), "{}").unwrap();
    assert!(message(&export).contains(
        "backbone.json: the file is damaged or was not written by this program: missing field `path`"
    ));
}
