//! [`Backbone`]: a causal language model.

mod extension;
mod log_probs;
mod recompute;
mod trainable;
mod vocabulary;

use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use dph_core::{Batch, Layer, Target, select_rows};
use serde_json::{Map, Value};

use crate::checkpoint::{self, CheckpointError, LoadOptions, ModelFiles, Origin, Precision};
use crate::decoder::{
    AttentionLayout, Cache, Decoder, DecoderConfig, Group, InputError, check_layers, check_length,
    check_rows, ids, random_decoder, unflatten,
};
use crate::family::{ConfigError, Family, Naming};

pub use extension::Extension;
pub use recompute::Recompute;
pub(crate) use trainable::NamedParameters;
pub use trainable::{LoraConfig, PatternError, check_lora, check_patterns, fits};

/// A causal language model: computes hidden states and log-probabilities of token ids.
///
/// It is a burn [`Module`]: an optimiser trains it, `valid()` removes it from automatic differentiation, `no_grad()`
/// freezes it.
#[derive(Module, Debug)]
pub struct Backbone {
    /// The decoder with all parameters.
    pub decoder: Decoder,
    #[module(skip)]
    origin: Arc<Origin>,
}

impl Backbone {
    /// Loads a model: a directory in the layout of Hugging Face, a GGUF file, or a repository of the hub, see
    /// [`ModelFiles::open`](checkpoint::ModelFiles::open). Weights in half precision become f32.
    ///
    /// # Errors
    ///
    /// See [`CheckpointError`]; the error names every tensor that does not match. Weights must be finite. An encoder
    /// such as BERT is not a backbone.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, CheckpointError> {
        Self::load_with(path, device, LoadOptions::default())
    }

    /// Like [`load`](Self::load), with options.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_with(
        path: impl AsRef<Path>,
        device: &Device,
        options: LoadOptions,
    ) -> Result<Self, CheckpointError> {
        Self::load_files(&ModelFiles::open(path)?, device, options)
    }

    /// Like [`load_with`](Self::load_with), from files that are already open.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_files(
        files: &ModelFiles,
        device: &Device,
        options: LoadOptions,
    ) -> Result<Self, CheckpointError> {
        let (decoder, origin) = checkpoint::load(files, device, Family::causal_decoder, options)?;
        Ok(Self { decoder, origin: Arc::new(origin) })
    }

    /// Writes the model in the same layout, with f32 weights under the tensor names of the loaded files. Loading it
    /// again gives the same bits.
    ///
    /// Each file is replaced atomically. Other files of the directory, such as a tokenizer, are not changed.
    ///
    /// # Errors
    ///
    /// If a file cannot be written. The old file then stays unchanged.
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<(), CheckpointError> {
        checkpoint::save(dir.as_ref(), &self.origin, &self.decoder)
    }

    /// A new model with random weights, from the text of a `config.json`. The same seed gives the same weights on
    /// every device.
    ///
    /// Matrices and embeddings are normal with the family's standard deviation (`init_std`, `initializer_range`; 0.02
    /// by default, as in GPT-2), the projections of a factored embedding are normal with standard deviation `1 /
    /// √inputs`, which preserves the scale of their input; norms are 1 and biases 0.
    ///
    /// # Errors
    ///
    /// If the configuration is invalid or not supported.
    pub fn init(json: &str, seed: u64, device: &Device) -> Result<Self, ConfigError> {
        let origin = Origin::causal(json, Naming::default())?;
        Ok(Self { decoder: random_decoder(&origin.config, seed, device), origin: Arc::new(origin) })
    }

    /// The same model with another decoder, whose configuration this is.
    pub(crate) fn with_decoder(
        &self,
        decoder: Decoder,
        json: String,
        family: Family,
        config: DecoderConfig,
    ) -> Self {
        let Origin { naming, has_output, .. } = *self.origin;
        Self { decoder, origin: Arc::new(Origin { json, family, config, naming, has_output }) }
    }

    /// The states of `layers` for a batch, in this order, each `[rows, seq, d_model]`.
    ///
    /// Blocks after the last requested layer are not run: `Layer::At(20)` of 30 blocks runs 20. The state of padding
    /// is unspecified.
    ///
    /// # Errors
    ///
    /// If a token or a layer does not exist, or a sequence is longer than the learned positions.
    pub fn hidden_states(&self, batch: &Batch, layers: &[Layer]) -> Result<Vec<Tensor<3>>, InputError> {
        let ids = self.checked_ids(batch, layers)?;
        let layout = AttentionLayout::for_batch(batch, self.config());
        let states = self.decoder.states(ids, &mut [Group::new(&layout)], layers);
        Ok(self.unflatten(states, batch.rows))
    }

    /// The log-probability (natural logarithm) of each target, `[targets]`, in the order of the targets.
    ///
    /// `last` is the state of [`Layer::Last`] for the batch that the targets belong to, `[rows, seq, d_model]`.
    /// Logits are computed only for states that predict a target, in chunks of limited memory.
    ///
    /// # Panics
    ///
    /// If a target is outside `last` or the vocabulary. The targets of a batch that
    /// [`hidden_states`](Self::hidden_states) accepted are valid.
    pub fn log_probs(&self, last: Tensor<3>, targets: &[Target]) -> Tensor<1> {
        let [rows, seq, d_model] = last.dims();
        log_probs::log_probs(&self.decoder, last.reshape([rows * seq, d_model]), targets)
    }

    /// The logits of all tokens, `[rows, seq, d_model]` (of [`Layer::Last`]) to `[rows, seq, vocab]`.
    ///
    /// This is a large tensor. For given tokens use [`log_probs`](Self::log_probs).
    pub fn logits(&self, last: Tensor<3>) -> Tensor<3> {
        let [rows, seq, d_model] = last.dims();
        self.decoder.logits(last.reshape([rows * seq, d_model])).reshape([rows, seq, self.vocab()])
    }

    /// The logits of some states, `[states, vocab]`.
    ///
    /// # Shapes
    ///
    /// - last: the state of [`Layer::Last`], `[rows, seq, d_model]`
    /// - states: flat indices (`row * seq + column`)
    pub fn logits_at(&self, last: Tensor<3>, states: &[usize]) -> Tensor<2> {
        let [rows, seq, d_model] = last.dims();
        self.decoder.logits(select_rows(last.reshape([rows * seq, d_model]), states.iter().copied()))
    }

    /// The states of `layers` for further tokens of sequences, each `[rows, seq, d_model]`. The tokens are added to
    /// the cache. `tokens` is `[rows, seq]`, flattened; every row continues the tokens of its row in the cache. Rows
    /// of different lengths are padded at their start ([`Cache::with_padding`]).
    ///
    /// # Errors
    ///
    /// If a token or a layer does not exist, or a sequence is longer than the learned positions.
    pub fn extend(
        &self,
        tokens: &[i32],
        rows: usize,
        cache: &mut Cache,
        layers: &[Layer],
    ) -> Result<Vec<Tensor<3>>, InputError> {
        let all = self.extend_together(&mut [Extension { tokens, rows, cache }], layers)?;
        Ok(all.into_iter().next().unwrap_or_default())
    }

    /// [`extend`](Self::extend) for sequences in several caches, in one pass: the weights are read once, and each row gets what it
    /// gets alone, up to floating-point rounding. Returns the states of `layers` for each extension.
    ///
    /// # Errors
    ///
    /// As for [`extend`](Self::extend). Nothing is added to the caches then.
    pub fn extend_together(
        &self,
        extensions: &mut [Extension<'_>],
        layers: &[Layer],
    ) -> Result<Vec<Vec<Tensor<3>>>, InputError> {
        self.check_layers(layers)?;
        if extensions.is_empty() {
            return Ok(Vec::new());
        }
        let mut layouts = Vec::with_capacity(extensions.len());
        for Extension { tokens, rows, cache } in &*extensions {
            check_rows(tokens, *rows)?;
            let seq = tokens.len() / rows;
            self.check_length(cache.longest() + seq)?;
            layouts.push(AttentionLayout::after_cache(cache, *rows, seq, self.config()));
        }
        let tokens: Vec<i32> = extensions.iter().flat_map(|extension| extension.tokens).copied().collect();
        let ids = self.ids(&tokens, if let [only] = &*extensions { only.rows } else { 1 })?;
        let group = |(extension, layout)| {
            let Extension { cache, .. }: &mut Extension<'_> = extension;
            Group { layout, cache: Some(&mut **cache) }
        };
        let mut groups: Vec<Group<'_>> = extensions.iter_mut().zip(&layouts).map(group).collect();
        let states = self.decoder.states(ids, &mut groups, layers);
        if let [only] = &*extensions {
            return Ok(vec![self.unflatten(states, only.rows)]);
        }
        let mut first = 0;
        let of_each = |extension: &Extension<'_>| {
            let tokens = extension.tokens.len();
            let own = states.iter().map(|states| states.clone().narrow(0, first, tokens)).collect();
            first += tokens;
            self.unflatten(own, extension.rows)
        };
        Ok(extensions.iter().map(of_each).collect())
    }

    /// The family of the model.
    pub fn family(&self) -> &Family {
        &self.origin.family
    }

    /// The configuration of the decoder.
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

    /// Number of blocks. The layers are [`Layer::At`] 0 to this number.
    pub fn n_layers(&self) -> usize {
        self.config().n_layers
    }

    /// Size of the vocabulary.
    pub fn vocab(&self) -> usize {
        self.config().vocab
    }

    /// Length of the longest sequence in training, in tokens.
    pub fn context(&self) -> usize {
        self.config().context
    }

    /// The type of its matrices, see [`LoadOptions::precision`].
    pub fn precision(&self) -> Precision {
        Precision::from_dtype(self.decoder.embedding.base().dtype())
    }

    /// Whether every candidate of a packed row gets the same numbers as in a row of its own; see
    /// [`DecoderConfig::is_packable`].
    pub fn is_packable(&self) -> bool {
        self.config().is_packable()
    }

    /// Whether the model has an output matrix. One of a class without it, such as `LlamaForSequenceClassification`, gives no
    /// log-probabilities: [`log_probs`](Self::log_probs) and [`logits`](Self::logits) then use the embedding and mean nothing.
    pub fn has_output(&self) -> bool {
        self.origin.has_output
    }

    /// The device of the weights.
    pub fn device(&self) -> Device {
        self.decoder.embedding.val().device()
    }

    /// A token id for padding: `pad_token_id` of the configuration, or 0. Other tokens never attend to it.
    pub fn pad_token(&self) -> u32 {
        let keys: Map<String, Value> = serde_json::from_str(&self.origin.json).unwrap_or_default();
        let token = keys.get("pad_token_id").and_then(Value::as_u64).unwrap_or(0);
        u32::try_from(token).ok().filter(|&token| (token as usize) < self.vocab()).unwrap_or(0)
    }

    /// The text of the model's configuration.
    pub fn config_json(&self) -> &str {
        &self.origin.json
    }

    /// The token ids of a batch, after checking tokens, layers and positions.
    pub(crate) fn checked_ids(&self, batch: &Batch, layers: &[Layer]) -> Result<Tensor<2, Int>, InputError> {
        let ids = self.ids(&batch.tokens, batch.rows)?;
        self.check_layers(layers)?;
        self.check_length(batch.positions.iter().max().map_or(0, |&last| last as usize + 1))?;
        Ok(ids)
    }

    fn ids(&self, tokens: &[i32], rows: usize) -> Result<Tensor<2, Int>, InputError> {
        ids(tokens, rows, self.vocab(), &self.device())
    }

    fn check_layers(&self, layers: &[Layer]) -> Result<(), InputError> {
        check_layers(layers, self.n_layers())
    }

    fn check_length(&self, tokens: usize) -> Result<(), InputError> {
        check_length(tokens, self.config())
    }

    fn unflatten(&self, states: Vec<Tensor<2>>, rows: usize) -> Vec<Tensor<3>> {
        states.into_iter().map(|states| unflatten(states, rows)).collect()
    }
}
