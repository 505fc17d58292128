//! [`Encoder`]: a bidirectional model such as BERT.

use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dph_core::{CandidateSet, Layer};

use crate::backbone::NamedParameters;
use crate::checkpoint::{self, CheckpointError, LoadOptions, ModelFiles, Origin};
use crate::decoder::{
    AttentionLayout, Decoder, DecoderConfig, Group, InputError, check_layers, check_length, ids,
    random_decoder, unflatten,
};
use crate::family::{ConfigError, Family};

/// A bidirectional encoder: computes hidden states of texts, and one vector per text.
///
/// It has the same blocks as a [`Backbone`](crate::Backbone), but no log-likelihood.
/// [`Classifier`](crate::Classifier) adds a classification head.
///
/// ```no_run
/// use dph_core::Layer;
/// use dph_model::{Encoder, Text};
///
/// let model = Encoder::load("models/bert-base-uncased", &dph_core::device("flex")?)?;
/// let pair = Text { tokens: vec![101, 7592, 102, 2088, 102], token_types: vec![0, 0, 0, 1, 1] };
/// let texts = [Text::single(vec![101, 7592, 102]), pair];
/// let states = model.hidden_states(&texts, &[Layer::Last])?.remove(0);     // [2, 5, d_model]
/// let pooled = model.pool(states);                                         // [2, d_model]
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Module, Debug)]
pub struct Encoder {
    /// All parameters.
    pub stack: Decoder,
    #[module(skip)]
    origin: Arc<Origin>,
}

/// The tokens of a text, including special tokens, such as `[CLS] a [SEP] b [SEP]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// Token ids.
    pub tokens: Vec<u32>,
    /// The type of each token: 0 for the first part, 1 for the second. Empty if all are of type 0.
    pub token_types: Vec<u32>,
}

impl Text {
    /// A text of one part.
    pub fn single(tokens: Vec<u32>) -> Self {
        Self { tokens, token_types: Vec::new() }
    }
}

/// The prompt of a set, which is a text to classify.
impl From<&CandidateSet> for Text {
    fn from(set: &CandidateSet) -> Self {
        Self { tokens: set.prompt.clone(), token_types: set.token_types.clone() }
    }
}

impl Encoder {
    /// Loads a model directory in the layout of Hugging Face; the heads for masked tokens and for the next sentence
    /// are ignored.
    ///
    /// # Errors
    ///
    /// See [`CheckpointError`]; the error names every tensor that does not match. A causal language model is not an
    /// encoder.
    pub fn load(dir: impl AsRef<Path>, device: &Device) -> Result<Self, CheckpointError> {
        Self::load_files(&ModelFiles::open(dir)?, device)
    }

    /// Like [`load`](Self::load), from files that are already open.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_files(files: &ModelFiles, device: &Device) -> Result<Self, CheckpointError> {
        let (stack, origin) = checkpoint::load(files, device, Family::encoder, LoadOptions::default())?;
        Ok(Self { stack, origin: Arc::new(origin) })
    }

    /// Writes the model in the same layout, with f32 weights under the tensor names of the loaded files.
    ///
    /// # Errors
    ///
    /// If a file cannot be written. The old file then stays unchanged.
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<(), CheckpointError> {
        checkpoint::save(dir.as_ref(), &self.origin, &self.stack)
    }

    /// A new model with random weights, from the text of a `config.json`; see [`Backbone::init`](crate::Backbone::init).
    ///
    /// # Errors
    ///
    /// If the configuration is invalid or not supported.
    pub fn init(json: &str, seed: u64, device: &Device) -> Result<Self, ConfigError> {
        let origin = Origin::encoder(json)?;
        Ok(Self { stack: random_decoder(&origin.config, seed, device), origin: Arc::new(origin) })
    }

    /// The states of `layers` for texts, in this order, each `[texts, longest text, d_model]`. [`Layer::At`] 0 is the
    /// embedding after its norm. The states after the end of a shorter text are unspecified.
    ///
    /// # Errors
    ///
    /// If a token, a token type or a layer does not exist, or a text is empty or too long.
    pub fn hidden_states(&self, texts: &[Text], layers: &[Layer]) -> Result<Vec<Tensor<3>>, InputError> {
        let config = self.config();
        check_layers(layers, config.n_layers)?;
        let lengths: Vec<usize> = texts.iter().map(|text| text.tokens.len()).collect();
        let seq = lengths.iter().copied().max().unwrap_or(0);
        check_length(seq, config)?;
        let (mut tokens, mut token_types) = (Vec::new(), Vec::new());
        for (sequence, text) in texts.iter().enumerate() {
            check_text(text, sequence, config)?;
            tokens.extend(padded(&text.tokens, seq));
            token_types.extend(padded(&text.token_types, seq));
        }
        let ids = ids(&tokens, texts.len(), config.vocab, &self.device())?;
        let layout = AttentionLayout::for_sequences(&lengths, seq, token_types, config);
        let states = self.stack.states(ids, &mut [Group::new(&layout)], layers);
        Ok(states.into_iter().map(|states| unflatten(states, texts.len())).collect())
    }

    /// One vector for each text, `tanh(W x + b)` of the state of its first token: `[texts, seq, d_model]` (of
    /// [`Layer::Last`]) to `[texts, d_model]`. `None` if the model has no pooler.
    pub fn pool(&self, last: Tensor<3>) -> Option<Tensor<2>> {
        self.stack.pooler.as_ref().map(|pooler| pooler.forward(last))
    }

    /// The same model with another stack, whose configuration this is. Its files have the default names.
    pub(crate) fn with_stack(stack: Decoder, json: &str) -> Result<Self, ConfigError> {
        Ok(Self { stack, origin: Arc::new(Origin::encoder(json)?) })
    }

    /// The parameters by the names of their tensors.
    pub(crate) fn named_parameters(&self) -> NamedParameters<'_> {
        NamedParameters { decoder: &self.stack, family: self.family(), config: self.config() }
    }

    /// The family of the model.
    pub fn family(&self) -> &Family {
        &self.origin.family
    }

    /// The configuration of the decoder.
    pub fn config(&self) -> &DecoderConfig {
        &self.origin.config
    }

    /// The text of the model's configuration.
    pub fn config_json(&self) -> &str {
        &self.origin.json
    }

    /// The device of the weights.
    pub fn device(&self) -> Device {
        self.stack.embedding.val().device()
    }
}

fn check_text(text: &Text, sequence: usize, config: &DecoderConfig) -> Result<(), InputError> {
    let (tokens, token_types) = (text.tokens.len(), text.token_types.len());
    if tokens == 0 {
        return Err(InputError::Empty { sequence });
    }
    if token_types != 0 && token_types != tokens {
        return Err(InputError::TokenTypes { sequence, tokens, token_types });
    }
    match text.token_types.iter().find(|&&kind| kind as usize >= config.token_types) {
        Some(&token_type) => Err(InputError::TokenType { token_type, token_types: config.token_types }),
        None => Ok(()),
    }
}

/// The numbers, padded with zeros.
fn padded(numbers: &[u32], len: usize) -> impl Iterator<Item = i32> {
    numbers.iter().map(|&number| number as i32).chain(std::iter::repeat(0)).take(len)
}
