//! [`Backbone`]: a language model as the rest of the workspace sees it.

use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use dph_core::{Batch, Layer, Target};
use serde_json::{Map, Value};

use crate::checkpoint::{self, CheckpointError, LoadOptions};
use crate::decoder::{Cache, Decoder, DecoderConfig, Pass};
use crate::family::{ConfigError, Family};
use crate::{init, log_probs};

/// A causal language model: token ids to hidden states, and to log-probabilities.
///
/// It is a burn [`Module`]: an optimiser trains it, `valid()` takes it off the tape, `no_grad()` freezes it.
#[derive(Module, Debug)]
pub struct Backbone {
    /// The decoder with all parameters.
    pub decoder: Decoder,
    #[module(skip)]
    origin: Arc<Origin>,
}

/// Where a backbone's shape and names come from.
#[derive(Debug)]
struct Origin {
    json: String,
    family: Family,
    config: DecoderConfig,
}

/// Why a model cannot be run on some tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// A token id is not in the vocabulary.
    #[error(
        "token id {token} is not in the model's vocabulary of {vocab}; does the tokenizer belong to this model?"
    )]
    Token {
        /// The id.
        token: i64,
        /// Number of token ids.
        vocab: usize,
    },
    /// A layer does not exist.
    #[error(
        "there is no layer {layer}: the model has {n_layers} blocks, so layers 0 (the embedding) to {n_layers}, and \"last\""
    )]
    Layer {
        /// The layer.
        layer: usize,
        /// Number of blocks.
        n_layers: usize,
    },
    /// Tokens do not fill all rows.
    #[error("{tokens} tokens do not fill {rows} rows evenly")]
    Rows {
        /// Number of tokens.
        tokens: usize,
        /// Number of rows.
        rows: usize,
    },
}

impl Backbone {
    /// Loads a model: a directory in the layout of Hugging Face, a GGUF file, or a repository of the hub, see
    /// [`ModelFiles::open`](checkpoint::ModelFiles::open). Weights of fewer bits become f32.
    ///
    /// # Errors
    ///
    /// See [`CheckpointError`]; every tensor that does not fit is named, and weights have to be finite.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, CheckpointError> {
        Self::load_with(path, device, LoadOptions::default())
    }

    /// As [`load`](Self::load), with choices.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_with(
        path: impl AsRef<Path>,
        device: &Device,
        options: LoadOptions,
    ) -> Result<Self, CheckpointError> {
        let loaded = checkpoint::load(path.as_ref(), device, options)?;
        let origin = Origin { json: loaded.json, family: loaded.family, config: loaded.config };
        Ok(Self { decoder: loaded.decoder, origin: Arc::new(origin) })
    }

    /// Writes the model in the same layout, with f32 weights; loading it again gives the same bits.
    ///
    /// Each file is replaced atomically. Other files of the directory, such as a tokenizer, stay as they are.
    ///
    /// # Errors
    ///
    /// If a file cannot be written; what was there before is then still there.
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<(), CheckpointError> {
        let Origin { json, family, config } = &*self.origin;
        checkpoint::save(dir.as_ref(), json, family, config, &self.decoder)
    }

    /// A new model with random weights, from the text of a `config.json`. The same seed gives the same weights on
    /// every device.
    ///
    /// Matrices and embeddings are normal with the family's standard deviation (`init_std`, `initializer_range`;
    /// 0.02 by default, as in GPT-2), the projections around a factored embedding normal with `1 / √inputs`, which
    /// keeps the size of what passes through them; norms are 1 and biases 0.
    ///
    /// # Errors
    ///
    /// If the configuration is wrong or not supported.
    pub fn init(json: &str, seed: u64, device: &Device) -> Result<Self, ConfigError> {
        let config = Family::parse(json)?.decoder()?;
        Self::from_parts(init::decoder(&config, seed, device), json.into())
    }

    /// A model of a decoder and the text of the configuration that it was made by.
    pub(crate) fn from_parts(decoder: Decoder, json: String) -> Result<Self, ConfigError> {
        let family = Family::parse(&json)?;
        let config = family.decoder()?;
        Ok(Self { decoder, origin: Arc::new(Origin { json, family, config }) })
    }

    /// The states of `layers` for a batch, in their order, each `[rows, seq, d_model]`.
    ///
    /// Blocks behind the last layer wanted are not run: with `Layer::At(20)` of 30 only 20 are. The state of padding
    /// is unspecified.
    ///
    /// # Errors
    ///
    /// If a token or a layer does not exist.
    pub fn hidden_states(&self, batch: &Batch, layers: &[Layer]) -> Result<Vec<Tensor<3>>, InputError> {
        let ids = self.ids(&batch.tokens, batch.rows)?;
        self.check_layers(layers)?;
        let pass = Pass::of_batch(batch, self.config());
        let states = self.decoder.states(ids, &pass, layers, None);
        Ok(self.by_row(states, batch.rows))
    }

    /// The log-probability (natural logarithm) of each target, `[targets]`, in their order.
    ///
    /// `last` is the state of [`Layer::Last`] for the batch that the targets belong to, `[rows, seq, d_model]`. The
    /// logits of other tokens are never computed, and never more than some of them are in memory.
    ///
    /// # Panics
    ///
    /// If a target lies outside of `last` or the vocabulary, which the targets of a batch that
    /// [`hidden_states`](Self::hidden_states) took do not.
    pub fn log_probs(&self, last: Tensor<3>, targets: &[Target]) -> Tensor<1> {
        let [rows, seq, d_model] = last.dims();
        log_probs::log_probs(&self.decoder, last.reshape([rows * seq, d_model]), targets)
    }

    /// The logits of all tokens, `[rows, seq, d_model]` (of [`Layer::Last`]) to `[rows, seq, vocab]`.
    ///
    /// That is a large tensor; for scores of given tokens there is [`log_probs`](Self::log_probs).
    pub fn logits(&self, last: Tensor<3>) -> Tensor<3> {
        let [rows, seq, d_model] = last.dims();
        self.decoder.logits(last.reshape([rows * seq, d_model])).reshape([rows, seq, self.vocab()])
    }

    /// The logits that some states predict, `[states, vocab]`.
    ///
    /// # Shapes
    ///
    /// - last: the state of [`Layer::Last`], `[rows, seq, d_model]`
    /// - states: flat indices (`row * seq + column`)
    pub fn logits_at(&self, last: Tensor<3>, states: &[usize]) -> Tensor<2> {
        let [rows, seq, d_model] = last.dims();
        let indices: Vec<i32> = states.iter().map(|&state| state as i32).collect();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [states.len()]), &last.device());
        self.decoder.logits(last.reshape([rows * seq, d_model]).select(0, indices))
    }

    /// The states of `layers` for further tokens of sequences, each `[rows, seq, d_model]`, which are then added to the
    /// cache. `tokens` is `[rows, seq]`, flattened; every row continues all that the cache holds of it.
    ///
    /// # Errors
    ///
    /// If a token or a layer does not exist.
    pub fn extend(
        &self,
        tokens: &[i32],
        rows: usize,
        cache: &mut Cache,
        layers: &[Layer],
    ) -> Result<Vec<Tensor<3>>, InputError> {
        let ids = self.ids(tokens, rows)?;
        self.check_layers(layers)?;
        let pass = Pass::behind(cache.len(), rows, tokens.len() / rows.max(1), self.config());
        let states = self.decoder.states(ids, &pass, layers, Some(cache));
        Ok(self.by_row(states, rows))
    }

    /// The family that the model is of.
    pub fn family(&self) -> &Family {
        &self.origin.family
    }

    /// The shape of the model.
    pub fn config(&self) -> &DecoderConfig {
        &self.origin.config
    }

    /// Size of a hidden state.
    pub fn d_model(&self) -> usize {
        self.config().d_model
    }

    /// Inner size of the feed-forward networks.
    pub fn d_ffn(&self) -> usize {
        self.config().d_ffn
    }

    /// Number of blocks: [`Layer::At`] goes from 0 to this.
    pub fn n_layers(&self) -> usize {
        self.config().n_layers
    }

    /// Number of token ids.
    pub fn vocab(&self) -> usize {
        self.config().vocab
    }

    /// Longest sequence the model was trained for, in tokens.
    pub fn context(&self) -> usize {
        self.config().context
    }

    /// Whether a packed row gives every candidate the numbers it would have alone; see
    /// [`DecoderConfig::is_packable`].
    pub fn is_packable(&self) -> bool {
        self.config().is_packable()
    }

    /// The device that the weights are on.
    pub fn device(&self) -> Device {
        self.decoder.embedding.val().device()
    }

    /// A token id for padding: `pad_token_id` of the configuration, or 0. It is never seen by other tokens.
    pub fn pad_token(&self) -> u32 {
        let keys: Map<String, Value> = serde_json::from_str(&self.origin.json).unwrap_or_default();
        let token = keys.get("pad_token_id").and_then(Value::as_u64).unwrap_or(0);
        u32::try_from(token).ok().filter(|&token| (token as usize) < self.vocab()).unwrap_or(0)
    }

    /// The text of the configuration that the model was made of.
    pub fn config_json(&self) -> &str {
        &self.origin.json
    }

    fn ids(&self, tokens: &[i32], rows: usize) -> Result<Tensor<2, Int>, InputError> {
        let vocab = self.vocab();
        if let Some(&token) =
            tokens.iter().find(|&&token| usize::try_from(token).is_err() || token as usize >= vocab)
        {
            return Err(InputError::Token { token: token.into(), vocab });
        }
        if rows == 0 || !tokens.len().is_multiple_of(rows) {
            return Err(InputError::Rows { tokens: tokens.len(), rows });
        }
        let data = TensorData::new(tokens.to_vec(), [rows, tokens.len() / rows]);
        Ok(Tensor::from_data(data, &self.device()))
    }

    fn check_layers(&self, layers: &[Layer]) -> Result<(), InputError> {
        let n_layers = self.n_layers();
        for layer in layers {
            match *layer {
                Layer::At(layer) if layer > n_layers => return Err(InputError::Layer { layer, n_layers }),
                _ => {}
            }
        }
        Ok(())
    }

    fn by_row(&self, states: Vec<Tensor<2>>, rows: usize) -> Vec<Tensor<3>> {
        states
            .into_iter()
            .map(|states| {
                let [tokens, d_model] = states.dims();
                states.reshape([rows, tokens / rows, d_model])
            })
            .collect()
    }
}
