//! [`Summary`]: the output of `inspect`.

use std::collections::BTreeMap;
use std::path::Path;

use dph_core::terminal::Failure;
use dph_core::{PoolingKind, PreferenceHeadConfig};
use dph_model::checkpoint::TensorInfo;
use dph_model::family::as_json;
use dph_model::{CheckpointError, DecoderConfig, Family, ModelFiles};
use serde::Serialize;
use serde_json::Value;

use super::parts::{Part, parts};
use super::tokenizer::TokenizerSummary;

/// The poolings whose configuration does not depend on the size of a head.
const POOLINGS: [PoolingKind; 5] = [
    PoolingKind::Identity,
    PoolingKind::Bert,
    PoolingKind::T5,
    PoolingKind::SwigluBert,
    PoolingKind::SwigluT5,
];

/// A model.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// The `model_type` of `config.json`.
    pub model_type: String,
    pub parameters: usize,
    pub sizes: Sizes,
    pub parts: Vec<Part>,
    /// `None` without weights.
    pub weights: Option<Weights>,
    pub tokenizer: Option<TokenizerSummary>,
    pub heads: Vec<Head>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Sizes {
    pub vocab: usize,
    pub context: usize,
    pub layers: usize,
    pub d_model: usize,
    pub d_ffn: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub tied_output: bool,
}

/// The weights in the files.
#[derive(Debug, Serialize)]
pub(crate) struct Weights {
    pub tensors: usize,
    /// Number of tensors of each type.
    pub types: BTreeMap<String, usize>,
}

/// The parameters of a preference head with one reward on one state.
#[derive(Debug, Serialize)]
pub(crate) struct Head {
    pub pooling: PoolingKind,
    pub parameters: usize,
}

impl Summary {
    /// The summary of the model at a path, or of a single `config.json`.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        if path.is_file() && path.extension().is_some_and(|extension| extension == "json") {
            let json = std::fs::read_to_string(path)
                .map_err(|source| CheckpointError::Io { path: path.into(), source })?;
            return Self::new(&json, path, None, None);
        }
        let files = ModelFiles::open(path)?;
        let json = files.config_json()?;
        let infos = match files.tensors() {
            Ok(infos) => Some(infos),
            Err(CheckpointError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let tokenizer = TokenizerSummary::read(&files).map_err(Failure::request)?;
        Self::new(&json, &files.path().join("config.json"), infos, tokenizer)
    }

    fn new(
        json: &str,
        path: &Path,
        infos: Option<BTreeMap<String, TensorInfo>>,
        tokenizer: Option<TokenizerSummary>,
    ) -> Result<Self, Failure> {
        let wrong = |source| CheckpointError::Config { path: path.into(), source };
        let family = Family::parse(json).map_err(wrong)?;
        let config = family.decoder().map_err(wrong)?;
        let keys: Value = serde_json::from_str(&as_json(json))?;
        let mut types = BTreeMap::new();
        for info in infos.iter().flat_map(BTreeMap::values) {
            *types.entry(info.element.to_string()).or_insert(0) += 1;
        }
        let weights = infos.as_ref().map(|infos| Weights { tensors: infos.len(), types });
        Ok(Self {
            model_type: keys["model_type"].as_str().unwrap_or_default().into(),
            parameters: config.param_count(),
            sizes: Sizes::for_config(&config),
            parts: parts(&family, &config, &infos.unwrap_or_default()),
            weights,
            tokenizer,
            heads: heads(&config),
        })
    }
}

impl Sizes {
    fn for_config(config: &DecoderConfig) -> Self {
        Self {
            vocab: config.vocab,
            context: config.context,
            layers: config.n_layers,
            d_model: config.d_model,
            d_ffn: config.d_ffn,
            heads: config.n_heads,
            kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
            tied_output: config.tied_head,
        }
    }
}

fn heads(config: &DecoderConfig) -> Vec<Head> {
    let head = |pooling| {
        let head =
            PreferenceHeadConfig { pooling, ..PreferenceHeadConfig::new(config.d_model, config.d_ffn) };
        Head { pooling, parameters: head.parameters() }
    };
    POOLINGS.map(head).into()
}
