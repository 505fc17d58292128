//! What is said of a preference head among the weights that is not whole.

use std::fs;
use std::path::Path;

use dph_model::{Backbone, authors_head};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::configs::{causal, flex, with};

/// A model of a family with further tensors among its weights, all 0.
fn checkpoint(config: &Value, further: &[(&str, &[usize])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    Backbone::init(&config.to_string(), 3, &flex()).unwrap().save(dir.path()).unwrap();
    let path = dir.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let zeros = [0; 4096];
    let further = further.iter().map(|(name, shape)| {
        let bytes = &zeros[..4 * shape.iter().product::<usize>()];
        (name.to_string(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = tensors.tensors().into_iter().chain(further);
    fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
    dir
}

fn lswt() -> Value {
    causal().into_iter().find(|(name, _)| *name == "lswt").unwrap().1
}

fn error(dir: &Path) -> String {
    let text = authors_head(dir, &flex()).unwrap_err().to_string();
    text.replace(&dir.display().to_string(), "DIR")
}

#[test]
fn models_without_reward_heads_have_none() {
    for (name, config) in causal() {
        assert!(authors_head(checkpoint(&config, &[]).path(), &flex()).unwrap().is_none(), "{name}");
    }
    // The class of the paper's model has names for heads even where there are none.
    let config = with(&lswt(), "reward_heads", json!(["reward_head"]));
    assert!(authors_head(checkpoint(&config, &[]).path(), &flex()).unwrap().is_none());
}

#[test]
fn names_that_the_configuration_lacks_are_those_of_the_files() {
    let heads: [(&str, &[usize]); 2] =
        [("reward_heads.honesty.weight", &[1, 8]), ("reward_heads.helpfulness.weight", &[1, 8])];
    let (_, config) = authors_head(checkpoint(&lswt(), &heads).path(), &flex()).unwrap().unwrap();
    assert_eq!((config.rewards, config.bias), (vec!["helpfulness".into(), "honesty".into()], false));
}

#[test]
fn a_head_that_is_not_whole_is_an_error() {
    let bert = with(&with(&lswt(), "reward_pooler", "bert"), "reward_heads", json!(["a", "b"]));
    let head: (&str, &[usize]) = ("reward_heads.a.weight", &[1, 8]);
    let dense: (&str, &[usize]) = ("pooler_pipeline.0.weight", &[8, 9]);
    let of_t5: (&str, &[usize]) = ("pooler_pipeline.1.bias", &[8]);
    let messages = [
        error(checkpoint(&bert, &[head, dense, of_t5]).path()),
        error(checkpoint(&with(&bert, "reward_pooler", "mean"), &[head]).path()),
    ];
    insta::assert_snapshot!(messages.join("\n\n"));
}
