//! [`ClassifierModel`]: a classifier of texts with its tokenizer.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use dph_core::{CandidateSet, Ending, HEAD_CONFIG_FILE};
use dph_data::{ChatTokenizer, TextLayout};
use dph_model::{ClassifierError, Family, InputError, ModelFiles, Text, TextClassifier, class_order};

use crate::model::error::ModelError;
use crate::model::locate::locate;
use crate::model::open::name_of;
use crate::model::open_options::OpenOptions;
use crate::model::tokenizer::tokenizer;

/// A classifier or regressor of texts with its tokenizer.
#[derive(Debug)]
pub struct ClassifierModel {
    /// The name in results: that of its directory.
    pub name: String,
    /// The model.
    pub classifier: TextClassifier,
    /// Its tokenizer.
    pub tokenizer: Arc<ChatTokenizer>,
}

impl ClassifierModel {
    /// Loads a classifier from a model directory, a stage's export or a run, as [`Model::open`](crate::Model::open) finds them. The model is
    /// of a class `*ForSequenceClassification`.
    ///
    /// # Errors
    /// Files that are missing or invalid, or a model without a classification layer.
    pub fn open(dir: &Path, device: &Device, options: &OpenOptions) -> Result<Self, ModelError> {
        let export = locate(dir)?;
        // The export of a preference head has no files of a model.
        if export.join(HEAD_CONFIG_FILE).is_file() {
            return Err(ClassifierError::NoLayer { path: dir.into() }.into());
        }
        let files = ModelFiles::open_on(export, options.base.as_deref())?;
        let tokenizer = tokenizer(&files, options.chat, Ending::Turn, true)?;
        let classifier = TextClassifier::load(&files, device)?;
        Ok(Self { name: name_of(dir), classifier, tokenizer: Arc::new(tokenizer) })
    }

    /// Whether the model at a path can only be used as a classifier, as it is an encoder such as BERT.
    ///
    /// # Errors
    /// A path without a model.
    pub fn is_needed(dir: &Path, options: &OpenOptions) -> Result<bool, ModelError> {
        let export = locate(dir)?;
        // An export that only refers to its model holds a preference head.
        if export.join(HEAD_CONFIG_FILE).is_file() {
            return Ok(false);
        }
        let json = ModelFiles::open_on(export, options.base.as_deref())?.config_json()?;
        // What is wrong with another configuration is said when the model is opened.
        Ok(Family::parse(&json).and_then(|family| family.decoder()).is_ok_and(|config| !config.causal))
    }

    /// How texts are laid out for it.
    pub fn layout(&self) -> TextLayout {
        TextLayout::of_model(self.classifier.config().causal)
    }

    /// The places of the classes of a task among its outputs.
    pub(crate) fn order(&self, classes: &[String]) -> Vec<usize> {
        class_order(classes, &self.classifier.labels())
    }

    /// The outputs for texts: the logits of the classes, or the predicted number.
    pub(crate) fn outputs(&self, sets: &[&CandidateSet]) -> Result<Vec<Vec<f64>>, InputError> {
        let texts: Vec<Text> = sets.iter().map(|set| Text::from(*set)).collect();
        let logits = self.classifier.logits(&texts)?;
        let outputs = logits.dims()[1];
        let values: Vec<f64> = logits.into_data().iter::<f64>().collect();
        Ok(values.chunks(outputs).map(<[f64]>::to_vec).collect())
    }
}
