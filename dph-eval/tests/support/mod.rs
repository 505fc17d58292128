//! Tiny models with random weights, made in a moment, and candidate sets for them.
#![allow(dead_code, clippy::unwrap_used)]

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use std::path::Path;
use std::sync::LazyLock;

use dph_core::{
    Aggregation, Candidate, CandidateSet, Layer, PoolingKind, PreferenceHead, PreferenceHeadConfig,
    WeightInit,
};
use dph_data::World;
use dph_eval::Model;
use dph_model::Backbone;
use tempfile::TempDir;

/// Size of the hidden states of all tiny models.
pub const D_MODEL: usize = 32;
/// Number of blocks of all tiny models.
pub const LAYERS: usize = 3;
/// Size of their vocabulary; that of the world's tokenizer is smaller.
pub const VOCAB: usize = 1024;

/// An LSWT as the paper's.
pub fn lswt() -> String {
    lswt_with("")
}

/// An LSWT whose numbers depend on the length of the sequence.
pub fn lswt_with_registers() -> String {
    lswt_with(r#", "n_registers": 2, "rope_reversed": true"#)
}

fn lswt_with(more: &str) -> String {
    format!(
        r#"{{"model_type": "lswt", "vocab_size": {VOCAB}, "d_vocab": 16, "d_model": {D_MODEL}, "d_ffn": 48, "n_heads": 2,
            "n_layers": {LAYERS}, "rope_positions": 256, "init_std": 0.2{more}}}"#
    )
}

/// A Llama with grouped queries.
pub fn llama() -> String {
    format!(
        r#"{{"model_type": "llama", "vocab_size": {VOCAB}, "hidden_size": {D_MODEL}, "intermediate_size": 48,
            "num_hidden_layers": {LAYERS}, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 256, "rope_theta": 10000.0, "tie_word_embeddings": true, "initializer_range": 0.2}}"#
    )
}

/// A head that reads a layer of a tiny model.
pub fn head(layers: Layer, rewards: &[&str]) -> (PreferenceHead, PreferenceHeadConfig) {
    head_on(Aggregation { layers: layers.into(), ..Aggregation::default() }, rewards)
}

/// A head with an aggregation.
pub fn head_on(aggregation: Aggregation, rewards: &[&str]) -> (PreferenceHead, PreferenceHeadConfig) {
    let config = PreferenceHeadConfig {
        aggregation,
        pooling: PoolingKind::SwigluBert,
        rewards: rewards.iter().map(|name| name.to_string()).collect(),
        bias: true,
        ..PreferenceHeadConfig::new(D_MODEL, 48)
    };
    let head = config.init(7, &dph_core::device("flex").unwrap());
    (noisy(head), config)
}

/// A head with noise on every weight: a new head prefers nothing, which would prove nothing.
pub fn noisy(head: PreferenceHead) -> PreferenceHead {
    head.map(&mut Noise(WeightInit::new(7)))
}

/// Adds noise to every weight.
struct Noise(WeightInit);

impl ModuleMapper for Noise {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let noise = Tensor::from_data(self.0.normal(tensor.dims(), 0.02), &tensor.device());
            tensor + noise
        })
    }
}

/// Writes a file of JSON lines, with its folders.
pub fn write_rows(path: &Path, rows: impl Iterator<Item = serde_json::Value>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, rows.map(|row| format!("{row}\n")).collect::<String>()).unwrap();
}

/// Writes a model directory: a backbone of this configuration and the world's tokenizer.
pub fn write_model(dir: &Path, config: &str) {
    // Training the tokenizer takes a while, and it is always the same.
    static TOKENIZER: LazyLock<TempDir> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        World::default().write_tokenizer(dir.path()).unwrap();
        dir
    });
    std::fs::create_dir_all(dir).unwrap();
    for file in std::fs::read_dir(TOKENIZER.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dir.join(file.file_name())).unwrap();
    }
    let device = dph_core::device("flex").unwrap();
    Backbone::init(config, 5, &device).unwrap().save(dir).unwrap();
}

/// Writes a model directory with a head in it.
pub fn write_model_with_head(dir: &Path, config: &str, rewards: &[&str]) {
    write_model(dir, config);
    let (head, config) = head(Layer::At(2), rewards);
    head.save(&config, dir).unwrap();
}

/// A context and a number of tokens that no answer reaches while a test runs, on whatever machine.
pub const ENDLESS: usize = 1_000_000;

/// Writes a model directory with a head, whose greedy answers grow for as long as somebody waits: the tokens that end an answer have a logit of
/// 0, and others have a larger one.
pub fn write_endless_model(dir: &Path) {
    let context = format!("\"max_position_embeddings\": {ENDLESS}");
    write_model_with_head(
        dir,
        &llama().replace("\"max_position_embeddings\": 256", &context),
        &["preference"],
    );
    let device = dph_core::device("flex").unwrap();
    let Model { tokenizer, mut backbone, .. } = Model::open(dir, &device).unwrap();
    let mut factors = vec![1f32; VOCAB];
    for end in [Some(tokenizer.end_of_turn_id()), tokenizer.eos_id()].into_iter().flatten() {
        factors[end as usize] = 0.0;
    }
    let factors = Tensor::from_data(TensorData::new(factors, [VOCAB, 1]), &device);
    // The output matrix is the embedding.
    backbone.decoder.embedding = backbone.decoder.embedding.map(|embedding| embedding * factors);
    backbone.save(dir).unwrap();
}

/// A model in memory, with a head on a layer.
pub fn model(config: &str, layer: Layer) -> Model {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), config);
    let (head, config) = head(layer, &["preference", "helpfulness"]);
    head.save(&config, dir.path()).unwrap();
    Model::open(dir.path(), &dph_core::device("flex").unwrap()).unwrap()
}

/// A set of these tokens; every candidate gets an end-of-turn token.
pub fn set(id: &str, prompt: &[u32], answers: &[&[u32]]) -> CandidateSet {
    let candidate =
        |answer: &&[u32]| Candidate::new(answer.iter().copied().chain([4]).collect(), 3 * answer.len());
    CandidateSet {
        id: id.into(),
        prompt: prompt.to_vec(),
        candidates: answers.iter().map(candidate).collect(),
        gold: Some(0),
        ..CandidateSet::default()
    }
}
