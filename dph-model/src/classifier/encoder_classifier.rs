//! [`Classifier`]: an encoder with a classification head.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;

use burn::module::{Module, ParamGroup};
use burn::tensor::{DType, Device, Tensor, TensorData};
use dph_core::{Layer, WeightInit};
use serde_json::Value;

use crate::checkpoint::{CheckpointError, ModelFiles};
use crate::decoder::{Decoder, InputError, ParamKey, Part, first_states};
use crate::encoder::{Encoder, Text};
use crate::family::{ConfigError, ENCODER_CLASS, Family, keys, labelled};

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
        Self::load_files(&ModelFiles::open(dir)?, device)
    }

    /// Like [`load`](Self::load), from files that are already open.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_files(files: &ModelFiles, device: &Device) -> Result<Self, CheckpointError> {
        let no_classifier = |source| CheckpointError::Config { path: files.config_path(), source };
        Self::from_encoder(Encoder::load_files(files, device)?).map_err(no_classifier)
    }

    /// The encoder with a new classification layer for these classes, and a new pooler if it has none. As in a new model of transformers,
    /// the matrices are normal with the standard deviation of the configuration, and the biases are 0.
    ///
    /// # Errors
    ///
    /// If the configuration cannot be parsed, which cannot happen for a loaded model.
    pub fn with_new_layer(encoder: &Encoder, labels: &[String], seed: u64) -> Result<Self, ConfigError> {
        let mut keys = labelled(keys(encoder.config_json())?, labels);
        keys.insert("architectures".into(), Value::from(vec![ENCODER_CLASS]));
        let json = Value::Object(keys).to_string();
        let config = Family::parse(&json)?.encoder()?;
        let parameters = encoder.stack.parameters().into_iter();
        let mut known: HashMap<ParamKey, TensorData> = parameters
            .filter(|(key, _)| !matches!(key, ParamKey::Classifier(_)))
            .map(|(key, parameter)| (key, parameter.data()))
            .collect();
        let mut init = WeightInit::new(seed);
        let decoder = Decoder::assemble(&config, &encoder.device(), DType::F32, |key, shape| {
            let count: usize = shape.iter().product();
            Ok::<_, Infallible>(match (known.remove(&key), key) {
                (Some(data), _) => data,
                (None, ParamKey::Classifier(Part::Bias) | ParamKey::Pooler(Part::Bias)) => {
                    TensorData::new(vec![0f32; count], shape.to_vec())
                }
                (None, _) => {
                    let values: Vec<f32> = init.normal([count], config.init_std).iter::<f32>().collect();
                    TensorData::new(values, shape.to_vec())
                }
            })
        });
        match decoder {
            Ok(decoder) => Self::from_encoder(Encoder::with_stack(decoder, &json)?),
            Err(never) => match never {},
        }
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
        Ok(self.classify(self.features(texts)?))
    }

    /// The vectors that the pooler reads: the states of the first tokens, `[texts, d_model]`.
    ///
    /// # Errors
    ///
    /// As for [`Encoder::hidden_states`].
    pub fn features(&self, texts: &[Text]) -> Result<Tensor<2>, InputError> {
        Ok(first_states(self.encoder.hidden_states(texts, &[Layer::Last])?.remove(0)))
    }

    /// The logits of the classes for [`features`](Self::features), `[texts, d_model]` to `[texts, labels]`.
    pub fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        let pooler = self.encoder.stack.pooler.as_ref();
        match pooler.and_then(|pooler| pooler.classify(pooler.pool(features))) {
            Some(logits) => logits,
            None => unreachable!("a classifier is made of encoders with a classification head only"),
        }
    }

    /// The parameters of the pooler and of the classification layer.
    pub(crate) fn head_parameters(&self) -> ParamGroup {
        let is_of_head = |key: &ParamKey| matches!(key, ParamKey::Pooler(_) | ParamKey::Classifier(_));
        self.encoder.named_parameters().group(is_of_head)
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
