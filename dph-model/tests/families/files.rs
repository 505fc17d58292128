//! The names that files of a family have, in all their variants.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dph_model::{Backbone, Encoder};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;
use tempfile::TempDir;

use crate::configs::{VOCAB, causal, flex, floats, log_probs, with};
use crate::encoder::bert;

type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

fn read(dir: &Path) -> Tensors {
    let bytes = fs::read(dir.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| (name.to_string(), (view.shape().to_vec(), view.data().to_vec())))
        .collect()
}

fn write(dir: &Path, config: &Value, tensors: &Tensors) {
    let views = tensors
        .iter()
        .map(|(name, (shape, bytes))| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    fs::write(dir.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
}

/// The files of a model with its names changed.
fn renamed(config: &Value, saved: &Path, rename: impl Fn(&str) -> String) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let tensors = read(saved).into_iter().map(|(name, tensor)| (rename(&name), tensor)).collect();
    write(dir.path(), config, &tensors);
    dir
}

fn family<'a>(configs: &'a [(&str, Value)], name: &str) -> &'a Value {
    &configs.iter().find(|(this, _)| *this == name).unwrap().1
}

#[test]
fn every_family_loads_to_the_same_bits_and_is_saved_under_its_own_names() {
    for (name, config) in causal() {
        let model = Backbone::init(&config.to_string(), 3, &flex()).unwrap();
        let first = tempfile::tempdir().unwrap();
        model.save(first.path()).unwrap();
        let loaded = Backbone::load(first.path(), &flex()).unwrap();
        assert_eq!(floats(log_probs(&loaded)), floats(log_probs(&model)), "{name}");
        let second = tempfile::tempdir().unwrap();
        loaded.save(second.path()).unwrap();
        assert!(read(first.path()) == read(second.path()), "{name}");
    }
}

#[test]
fn names_without_their_prefix_are_known_and_kept() {
    for (name, config) in causal() {
        let prefix = match name {
            "lswt" => continue,
            name if name.starts_with("gpt_neox") => "gpt_neox.",
            "gpt2" | "openai-gpt" => "transformer.",
            _ => "model.",
        };
        let saved = tempfile::tempdir().unwrap();
        Backbone::init(&config.to_string(), 3, &flex()).unwrap().save(saved.path()).unwrap();
        let bare =
            renamed(&config, saved.path(), |name| name.strip_prefix(prefix).unwrap_or(name).to_string());
        assert!(read(bare.path()).keys().all(|name| !name.starts_with(prefix)));
        let (with_prefix, without) =
            (Backbone::load(saved.path(), &flex()).unwrap(), Backbone::load(bare.path(), &flex()).unwrap());
        assert_eq!(floats(log_probs(&with_prefix)), floats(log_probs(&without)), "{name}");
        let again = tempfile::tempdir().unwrap();
        without.with_vocab(VOCAB, 0).unwrap().save(again.path()).unwrap();
        assert!(read(again.path()) == read(bare.path()), "{name}");
    }
}

#[test]
fn buffers_and_second_copies_of_published_files_do_no_harm() {
    let configs = causal();
    // A family, its buffers, and what is stored a second time under which name.
    type Case<'a> = (&'a str, &'a [&'a str], Option<(&'a str, &'a str)>);
    let cases: [Case<'_>; 5] = [
        (
            "gpt2",
            &["transformer.h.0.attn.bias", "transformer.h.1.attn.masked_bias"],
            Some(("transformer.wte.weight", "lm_head.weight")),
        ),
        ("openai-gpt", &["transformer.h.0.attn.bias"], None),
        (
            "gpt_neox",
            &[
                "gpt_neox.layers.0.attention.bias",
                "gpt_neox.layers.0.attention.masked_bias",
                "gpt_neox.layers.1.attention.rotary_emb.inv_freq",
            ],
            None,
        ),
        ("opt", &[], Some(("model.decoder.embed_tokens.weight", "lm_head.weight"))),
        ("qwen2", &["model.layers.0.self_attn.rotary_emb.inv_freq"], None),
    ];
    for (name, buffers, copy) in cases {
        let config = family(&configs, name);
        let dir = tempfile::tempdir().unwrap();
        Backbone::init(&config.to_string(), 3, &flex()).unwrap().save(dir.path()).unwrap();
        let mut tensors = read(dir.path());
        for buffer in buffers {
            tensors.insert(buffer.to_string(), (vec![1], vec![0; 4]));
        }
        if let Some((of, copy)) = copy {
            tensors.insert(copy.into(), tensors[of].clone());
        }
        write(dir.path(), config, &tensors);
        Backbone::load(dir.path(), &flex()).unwrap();
        // A bias of the model itself is no buffer.
        tensors.insert("h.0.attn.c_attn.bias.bias".into(), (vec![1], vec![0; 4]));
        write(dir.path(), config, &tensors);
        let error = Backbone::load(dir.path(), &flex()).unwrap_err().to_string();
        assert!(error.contains("1 superfluous:\n    h.0.attn.c_attn.bias.bias"), "{error}");
    }
}

#[test]
fn the_oldest_files_of_bert_are_known() {
    let config = bert("BertForMaskedLM");
    let saved = tempfile::tempdir().unwrap();
    Encoder::init(&config.to_string(), 3, &flex()).unwrap().save(saved.path()).unwrap();
    let old = renamed(&config, saved.path(), |name| {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    });
    let mut tensors = read(old.path());
    for name in ["cls.predictions.bias", "cls.seq_relationship.weight", "bert.embeddings.position_ids"] {
        tensors.insert(name.into(), (vec![1], vec![0; 4]));
    }
    write(old.path(), &config, &tensors);
    let model = Encoder::load(old.path(), &flex()).unwrap();
    let again = tempfile::tempdir().unwrap();
    model.save(again.path()).unwrap();
    let kept = read(again.path());
    assert!(kept.contains_key("bert.encoder.layer.0.output.LayerNorm.gamma"));
    tensors.retain(|name, _| kept.contains_key(name));
    assert!(kept == tensors);

    // Without a pooler there is no pooled vector, but everything else.
    tensors.retain(|name, _| !name.starts_with("bert.pooler."));
    write(old.path(), &config, &tensors);
    assert!(Encoder::load(old.path(), &flex()).unwrap().config().pooler.is_none());
    // Half a pooler is none.
    tensors.insert("bert.pooler.dense.bias".into(), kept["bert.pooler.dense.bias"].clone());
    write(old.path(), &config, &tensors);
    let error = Encoder::load(old.path(), &flex()).unwrap_err().to_string();
    assert!(error.contains("1 missing:\n    bert.pooler.dense.weight"), "{error}");
}

#[test]
fn a_matrix_that_is_stored_the_other_way_round_is_checked_that_way() {
    let configs = causal();
    let config = with(family(&configs, "gpt2"), "n_inner", 12);
    let dir = tempfile::tempdir().unwrap();
    Backbone::init(&config.to_string(), 3, &flex()).unwrap().save(dir.path()).unwrap();
    let mut tensors = read(dir.path());
    assert_eq!(tensors["transformer.h.0.mlp.c_fc.weight"].0, [8, 12]);
    tensors.get_mut("transformer.h.0.mlp.c_fc.weight").unwrap().0 = vec![12, 8];
    write(dir.path(), &config, &tensors);
    let error = Backbone::load(dir.path(), &flex()).unwrap_err().to_string();
    assert!(
        error.contains(
            "transformer.h.0.mlp.c_fc.weight has shape [12, 8], the configuration asks for [8, 12]"
        ),
        "{error}"
    );
}
