//! [`BackboneSizes`]: family and sizes of a language model, by which another model is recognised.

use dph_model::{CheckpointError, Family, ModelFiles};
use serde::{Deserialize, Serialize};

/// Family and sizes of a language model. Copies of a model in other formats and precisions have the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneSizes {
    /// The `model_type` of the family.
    pub family: String,
    /// Number of layers.
    pub layers: usize,
    /// Size of a hidden state.
    pub hidden: usize,
    /// Size of the inner layer of a feed-forward network.
    pub feed_forward: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Number of heads of keys and values.
    pub key_value_heads: usize,
    /// Number of token ids.
    pub vocabulary: usize,
}

impl BackboneSizes {
    /// The family and sizes of a model, from its configuration.
    ///
    /// # Errors
    /// A configuration that cannot be read or is not supported.
    pub fn read(files: &ModelFiles) -> Result<Self, CheckpointError> {
        let parse = |json: &str| {
            let family = Family::parse(json)?;
            Ok((family.model_type(), family.decoder()?))
        };
        let path = files.config_path();
        let (family, config) =
            parse(&files.config_json()?).map_err(|source| CheckpointError::Config { path, source })?;
        Ok(Self {
            family: family.to_owned(),
            layers: config.n_layers,
            hidden: config.d_model,
            feed_forward: config.d_ffn,
            heads: config.n_heads,
            key_value_heads: config.n_kv_heads,
            vocabulary: config.vocab,
        })
    }

    /// The differences from the sizes of another model, in words.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        if self.family != other.family {
            return vec![format!("its family is {}, not {}", self.family, other.family)];
        }
        let sizes = |own: &Self| {
            [
                ("layers", own.layers),
                ("hidden size", own.hidden),
                ("feed-forward size", own.feed_forward),
                ("attention heads", own.heads),
                ("heads of keys and values", own.key_value_heads),
                ("tokens in the vocabulary", own.vocabulary),
            ]
        };
        let pairs = sizes(self).into_iter().zip(sizes(other)).filter(|(own, other)| own != other);
        pairs.map(|((what, own), (_, other))| format!("{what} {own}, not {other}")).collect()
    }
}
