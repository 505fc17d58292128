//! [`Classifier`]: an encoder with a classification head.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dph_core::Layer;

use super::{Encoder, Text};
use crate::checkpoint::{CONFIG_FILE, CheckpointError};
use crate::decoder::InputError;
use crate::family::{ConfigError, Family};

/// An encoder with a classification head, such as `BertForSequenceClassification`.
#[derive(Module, Debug)]
pub struct Classifier {
    /// The encoder, with the head.
    pub encoder: Encoder,
}

impl Classifier {
    /// Loads a model directory in the layout of Hugging Face.
    ///
    /// # Errors
    ///
    /// As for [`Encoder::load`], and if there is no classification head.
    pub fn load(dir: impl AsRef<Path>, device: &Device) -> Result<Self, CheckpointError> {
        let dir = dir.as_ref();
        let no_classifier = |source| CheckpointError::Config { path: dir.join(CONFIG_FILE), source };
        Self::from_encoder(Encoder::load(dir, device)?).map_err(no_classifier)
    }

    /// A new model with random weights, from the text of a `config.json`.
    ///
    /// # Errors
    ///
    /// If the configuration is invalid, not supported, or has no classification head.
    pub fn init(json: &str, seed: u64, device: &Device) -> Result<Self, ConfigError> {
        Self::from_encoder(Encoder::init(json, seed, device)?)
    }

    /// Writes the model in the same layout; see [`Encoder::save`].
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<(), CheckpointError> {
        self.encoder.save(dir)
    }

    /// The logits of the classes, `[texts, labels]`.
    ///
    /// # Errors
    ///
    /// As for [`Encoder::hidden_states`].
    pub fn logits(&self, texts: &[Text]) -> Result<Tensor<2>, InputError> {
        let last = self.encoder.hidden_states(texts, &[Layer::Last])?.remove(0);
        let pooler = self.encoder.stack.pooler.as_ref();
        match pooler.and_then(|pooler| pooler.classify(pooler.forward(last))) {
            Some(logits) => Ok(logits),
            None => unreachable!("a classifier is made of encoders with a classification head only"),
        }
    }

    /// The names of the classes, in the order of the logits.
    pub fn labels(&self) -> Vec<String> {
        let count = self.encoder.config().pooler.map_or(0, |pooler| pooler.labels);
        let name = |index: usize| match self.encoder.family() {
            Family::Bert(bert) => bert.label(index),
            _ => format!("LABEL_{index}"),
        };
        (0..count).map(name).collect()
    }

    fn from_encoder(encoder: Encoder) -> Result<Self, ConfigError> {
        match encoder.config().pooler {
            Some(pooler) if pooler.labels > 0 => Ok(Self { encoder }),
            _ => Err(ConfigError::NoClassifier),
        }
    }
}
