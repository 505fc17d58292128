//! Classifiers and regressors of texts: an encoder, or a causal language model, with a classification layer.

mod decoder_classifier;
mod encoder_classifier;
mod error;
mod labels;

use std::path::Path;

use burn::module::{Module, ParamGroup, ParamId};
use burn::tensor::{Device, Tensor};

use crate::backbone::{Backbone, LoraConfig, NamedParameters, PatternError};
pub use crate::checkpoint::classifier_class;
use crate::checkpoint::{CheckpointError, ModelFiles};
use crate::decoder::{DecoderConfig, InputError};
use crate::encoder::{Encoder, Text};
use crate::family::Family;

pub use decoder_classifier::DecoderClassifier;
pub use encoder_classifier::Classifier;
pub use error::ClassifierError;
pub use labels::{ClassNames, class_order, stored_labels};

/// A classifier of texts, or a regressor, which has one output. In files it is a class `*ForSequenceClassification` of transformers.
///
/// ```no_run
/// use dph_model::{ModelFiles, Text, TextClassifier};
///
/// let files = ModelFiles::open("models/bert-base-uncased-sst2")?;
/// let model = TextClassifier::load(&files, &dph_core::device("flex")?)?;
/// let logits = model.logits(&[Text::single(vec![101, 7592, 102])])?;      // [1, labels]
/// println!("{:?}: {logits}", model.labels());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it, and burn has no modules in boxes")]
pub enum TextClassifier {
    /// An encoder, whose pooler reads the state of the first token.
    Encoder(Classifier),
    /// A causal language model, whose layer reads the state of the last token.
    Decoder(DecoderClassifier),
}

impl TextClassifier {
    /// Loads a classifier.
    ///
    /// # Errors
    ///
    /// If the files cannot be read, or the model has no classification layer.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, ClassifierError> {
        let json = files.config_json()?;
        let Some(labels) = stored_labels(&json) else {
            return Err(ClassifierError::NoLayer { path: files.path().into() });
        };
        Ok(match is_encoder(files, &json)? {
            true => Self::Encoder(Classifier::load_files(files, device)?),
            false => Self::Decoder(DecoderClassifier::load_files(files, labels, device)?),
        })
    }

    /// Loads a model for training, with a new classification layer if it has none.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load), and if transformers has no class for the model with such a layer.
    pub fn load_or_new(
        files: &ModelFiles,
        labels: &[String],
        new_layer: bool,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ClassifierError> {
        let json = files.config_json()?;
        if stored_labels(&json).is_some() && !new_layer {
            return Self::load(files, device);
        }
        Ok(match is_encoder(files, &json)? {
            true => {
                let encoder = Encoder::load_files(files, device)?;
                let with_layer = Classifier::with_new_layer(&encoder, labels, seed);
                Self::Encoder(with_layer.map_err(|source| wrong_config(files, source))?)
            }
            false => {
                let backbone = Backbone::load_files(files, device, Default::default())?;
                Self::Decoder(DecoderClassifier::with_new_layer(backbone, labels)?)
            }
        })
    }

    /// Writes the model in the layout of Hugging Face, with f32 weights. Of a causal language model, the files of the tokenizer must already
    /// be in the directory: transformers needs a padding token, which is added to them.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ClassifierError> {
        match self {
            Self::Encoder(classifier) => Ok(classifier.save(dir)?),
            Self::Decoder(classifier) => classifier.save(dir),
        }
    }

    /// The logits of the classes, `[texts, labels]`; of a regressor the predicted numbers, `[texts, 1]`.
    ///
    /// # Errors
    ///
    /// As for [`Encoder::hidden_states`].
    pub fn logits(&self, texts: &[Text]) -> Result<Tensor<2>, InputError> {
        Ok(self.classify(self.features(texts)?))
    }

    /// The states that the layer reads, `[texts, d_model]`.
    ///
    /// # Errors
    ///
    /// As for [`Encoder::hidden_states`].
    pub fn features(&self, texts: &[Text]) -> Result<Tensor<2>, InputError> {
        match self {
            Self::Encoder(classifier) => classifier.features(texts),
            Self::Decoder(classifier) => classifier.features(texts),
        }
    }

    /// The logits for [`features`](Self::features), `[texts, d_model]` to `[texts, labels]`.
    pub fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Encoder(classifier) => classifier.classify(features),
            Self::Decoder(classifier) => classifier.classify(features),
        }
    }

    /// The names of the classes, in the order of the logits.
    pub fn labels(&self) -> Vec<String> {
        match self {
            Self::Encoder(classifier) => classifier.labels(),
            Self::Decoder(classifier) => classifier.labels().to_vec(),
        }
    }

    /// The family of the model.
    pub fn family(&self) -> &Family {
        match self {
            Self::Encoder(classifier) => classifier.encoder.family(),
            Self::Decoder(classifier) => classifier.backbone.family(),
        }
    }

    /// The configuration of the model below the layer.
    pub fn config(&self) -> &DecoderConfig {
        match self {
            Self::Encoder(classifier) => classifier.encoder.config(),
            Self::Decoder(classifier) => classifier.backbone.config(),
        }
    }

    /// The device of the weights.
    pub fn device(&self) -> Device {
        match self {
            Self::Encoder(classifier) => classifier.encoder.device(),
            Self::Decoder(classifier) => classifier.backbone.device(),
        }
    }

    /// Every parameter of the model with the names of its tensors, see [`Backbone::parameter_names`].
    pub fn parameter_names(&self) -> Vec<(ParamId, Vec<String>)> {
        self.named_parameters().names()
    }

    /// The parameters whose tensor names match one of the patterns, see [`Backbone::parameters_like`].
    ///
    /// # Errors
    ///
    /// As for [`Backbone::parameters_like`].
    pub fn parameters_like(&self, patterns: &[String]) -> Result<ParamGroup, PatternError> {
        self.named_parameters().like(patterns)
    }

    /// The parameters of the token embedding, see [`Backbone::embedding_parameters`].
    pub fn embedding_parameters(&self) -> ParamGroup {
        self.named_parameters().embeddings()
    }

    /// The parameters of the classification layer and, of an encoder, of its pooler. Every training includes them.
    pub fn head_parameters(&self) -> ParamGroup {
        match self {
            Self::Encoder(classifier) => classifier.head_parameters(),
            Self::Decoder(classifier) => classifier.head_parameters(),
        }
    }

    /// Freezes every parameter and adds low-rank adapters to some of the matrices, see [`Backbone::with_lora`].
    ///
    /// # Errors
    ///
    /// As for [`Backbone::with_lora`].
    pub fn with_lora(self, lora: &LoraConfig, seed: u64) -> Result<Self, PatternError> {
        let adapters = self.named_parameters().lora(lora)?;
        self.device().seed(seed);
        Ok(self.apply_lora(adapters))
    }

    fn named_parameters(&self) -> NamedParameters<'_> {
        match self {
            Self::Encoder(classifier) => classifier.encoder.named_parameters(),
            Self::Decoder(classifier) => classifier.backbone.named_parameters(),
        }
    }
}

fn is_encoder(files: &ModelFiles, json: &str) -> Result<bool, CheckpointError> {
    let config = Family::parse(json).and_then(|family| family.decoder());
    Ok(!config.map_err(|source| wrong_config(files, source))?.causal)
}

fn wrong_config(files: &ModelFiles, source: crate::family::ConfigError) -> CheckpointError {
    CheckpointError::Config { path: files.config_path(), source }
}
