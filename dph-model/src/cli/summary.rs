//! [`Summary`]: the output of `inspect`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dph_core::terminal::Failure;
use dph_core::text_file::read_text;
use dph_core::{HeadFileError, PoolingKind, PreferenceHeadConfig};
use dph_model::checkpoint::{TensorInfo, is_known_class, is_token_classifier};
use dph_model::family::{as_json, has_output};
use dph_model::{CheckpointError, DecoderConfig, Family, ModelFiles, stored_head_config, stored_labels};
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
    /// What the model is, in words.
    pub kind: String,
    /// The base model of an adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<PathBuf>,
    /// The names of the rewards of a head that is stored with the weights or beside them.
    pub rewards: Vec<String>,
    /// The classes of an encoder with a classification layer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The `model_type` of `config.json`.
    pub model_type: String,
    pub parameters: usize,
    pub sizes: Sizes,
    /// Whether there is an output matrix; with tied weights it is the embedding.
    pub has_output: bool,
    pub parts: Vec<Part>,
    /// `None` without weights.
    pub weights: Option<Weights>,
    /// Without weights, the file that should be there.
    #[serde(skip)]
    pub missing: Option<PathBuf>,
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
    /// The summary of the model at a path, or of a single `config.json`. `base` is another base model for an adapter than the one that it
    /// names.
    pub fn read(path: &Path, base: Option<&Path>) -> Result<Self, Failure> {
        if base.is_none() && path.is_file() && path.extension().is_some_and(|extension| extension == "json") {
            let json = read_text(path).map_err(|source| CheckpointError::Io { path: path.into(), source })?;
            let missing = path.parent().and_then(|dir| {
                // A bare name is a file of the working directory.
                let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
                tensors(&ModelFiles::open(dir).ok()?).ok()?.err()
            });
            return Ok(Self { missing, ..Self::new(&json, path, None, None, None, None)? });
        }
        let files = ModelFiles::open_on(path, base)?;
        let json = files.config_json()?;
        let (infos, missing) = match tensors(&files)? {
            Ok(infos) => (Some(infos), None),
            Err(missing) => (None, Some(missing)),
        };
        let tokenizer = TokenizerSummary::read(&files).map_err(Failure::request)?;
        let head = match (PreferenceHeadConfig::load(files.path()), &infos) {
            (Ok(config), _) => Some(StoredHead { config, is_own: true }),
            (Err(HeadFileError::Missing { .. }), None) => None,
            (Err(HeadFileError::Missing { .. }), Some(_)) => {
                match stored_head_config(&files) {
                    // The kind says what it is.
                    Err(CheckpointError::TokenClassifier { .. }) => None,
                    config => config?.map(|config| StoredHead { config, is_own: false }),
                }
            }
            (Err(error), _) => return Err(error.into()),
        };
        // The configuration of a reward model need not say that it is one.
        let output = infos.as_ref().and_then(|_| Some(files.causal_outline().ok()?.has_output));
        let summary = Self::new(&json, &files.config_path(), infos, tokenizer, head, output)?;
        let summary = Self { missing, ..summary };
        match files.adapter_base() {
            Some(base) => Ok(Self {
                kind: format!("an adapter of PEFT (LoRA), with its base: {}", summary.kind),
                base: Some(base.path().into()),
                ..summary
            }),
            None => Ok(summary),
        }
    }

    fn new(
        json: &str,
        path: &Path,
        infos: Option<BTreeMap<String, TensorInfo>>,
        tokenizer: Option<TokenizerSummary>,
        head: Option<StoredHead>,
        stored_output: Option<bool>,
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
        let has_output = stored_output.unwrap_or_else(|| has_output(json, &config));
        let other = other_class(&keys, head.as_ref()).filter(|_| config.causal);
        let kind = match &head {
            _ if !config.causal && stored_labels(json).is_some() => "an encoder with a classification layer",
            _ if !config.causal => "an encoder",
            Some(StoredHead { is_own: true, .. }) => "a language model with a preference head",
            Some(_) if matches!(family, Family::Lswt(_)) => {
                "a language model with a head of the paper's authors"
            }
            Some(_) if is_classifier(&keys) || !has_output => "a reward model (*ForSequenceClassification)",
            Some(_) => "a language model with a value head",
            // The layer is among the weights, which are not here.
            None if is_classifier(&keys) && weights.is_none() => {
                "a reward model (*ForSequenceClassification)"
            }
            None if is_classifier(&keys) => {
                "a reward model (*ForSequenceClassification) without its layer score.weight"
            }
            None if !has_output => "a language model without an output matrix",
            None => "a language model",
        };
        let mut parts = parts(&family, &config, &infos.unwrap_or_default());
        let is_absent = |part: &Part| !has_output && config.causal && part.part == "output";
        let absent: usize = parts.iter().filter(|part| is_absent(part)).map(|part| part.parameters).sum();
        parts.retain(|part| !is_absent(part));
        Ok(Self {
            kind: other.unwrap_or_else(|| kind.into()),
            base: None,
            rewards: head.map(|head| head.config.rewards).unwrap_or_default(),
            labels: stored_labels(json).filter(|_| !config.causal).unwrap_or_default(),
            model_type: keys["model_type"].as_str().unwrap_or_default().into(),
            parameters: config.param_count() - absent,
            sizes: Sizes::for_config(&config),
            has_output,
            parts,
            weights,
            missing: None,
            tokenizer,
            heads: heads(&config),
        })
    }
}

/// What the files of a model say of its tensors, or the file that is missing.
fn tensors(files: &ModelFiles) -> Result<Result<BTreeMap<String, TensorInfo>, PathBuf>, CheckpointError> {
    match files.tensors() {
        Ok(infos) => Ok(Ok(infos)),
        Err(CheckpointError::NotFound { path, .. }) => Ok(Err(path)),
        Err(error) => Err(error),
    }
}

/// The head that a model has.
struct StoredHead {
    config: PreferenceHeadConfig,
    /// Whether it is in files of its own.
    is_own: bool,
}

/// What a model of a class that transformers does not have, or that has no rewards, is.
fn other_class(keys: &Value, head: Option<&StoredHead>) -> Option<String> {
    let class = keys["architectures"][0].as_str()?;
    match head {
        Some(StoredHead { is_own: true, .. }) => None,
        _ if is_token_classifier(class) => {
            Some(format!("a classifier of tokens ({class}), which has no rewards"))
        }
        Some(_) if !is_known_class(class) => {
            Some(format!("a reward model ({class}, a class that this program does not know)"))
        }
        _ => None,
    }
}

fn is_classifier(keys: &Value) -> bool {
    keys["architectures"][0].as_str().is_some_and(|class| class.ends_with("ForSequenceClassification"))
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
