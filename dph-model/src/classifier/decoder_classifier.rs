//! [`DecoderClassifier`]: a causal language model with a classification layer.

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::tensor::{Device, Tensor};
use dph_core::{
    Batch, Candidate, CandidateSet, Ending, Layer, PreferenceHead, PreferenceHeadConfig, TargetTokens,
    select_rows,
};

use super::ClassifierError;
use crate::backbone::Backbone;
use crate::checkpoint::{
    CheckpointError, ConvertOptions, ModelFiles, Precision, ScoreLayer, classifier_class, convert_with_score,
    stored_head,
};
use crate::decoder::InputError;
use crate::encoder::Text;

/// A causal language model with a linear layer on the last state of the last token of a text, such as `LlamaForSequenceClassification`.
#[derive(Module, Debug)]
pub struct DecoderClassifier {
    /// The language model.
    pub backbone: Backbone,
    /// The layer, as a preference head with a reward for each class.
    pub layer: PreferenceHead,
    #[module(skip)]
    labels: Vec<String>,
}

impl DecoderClassifier {
    /// Loads a classifier, see [`TextClassifier::load`](super::TextClassifier::load).
    pub(super) fn load_files(
        files: &ModelFiles,
        labels: Vec<String>,
        device: &Device,
    ) -> Result<Self, ClassifierError> {
        let no_layer = || ClassifierError::NoLayer { path: files.path().into() };
        let (layer, config) = stored_head(files, device)?.ok_or_else(no_layer)?;
        if config.rewards.len() != labels.len() {
            let (path, found) = (files.path().into(), config.rewards.len());
            return Err(ClassifierError::Layer { path, labels: labels.len(), found });
        }
        let backbone = Backbone::load_files(files, device, Default::default())?;
        Ok(Self { backbone, layer, labels })
    }

    /// A language model with a new layer for these classes, whose logits are all 0.
    pub(super) fn with_new_layer(backbone: Backbone, labels: &[String]) -> Result<Self, ClassifierError> {
        let model_type = backbone.family().model_type();
        if classifier_class(model_type).is_none() {
            return Err(CheckpointError::NoClass { model_type }.into());
        }
        let layer = layer_config(&backbone, labels).init(0, &backbone.device());
        Ok(Self { backbone, layer, labels: labels.to_vec() })
    }

    /// Writes the model as a class `*ForSequenceClassification` of transformers. The tokenizer files are already in the directory.
    pub(super) fn save(&self, dir: &Path) -> Result<(), ClassifierError> {
        self.backbone.save(dir)?;
        let score = ScoreLayer::new(&self.layer, &layer_config(&self.backbone, &self.labels))?;
        let options = ConvertOptions { precision: Some(Precision::F32), ..ConvertOptions::default() };
        convert_with_score(&ModelFiles::open(dir)?, &score, dir, &options)?;
        Ok(())
    }

    /// The last states of the last tokens, `[texts, d_model]`.
    pub(super) fn features(&self, texts: &[Text]) -> Result<Tensor<2>, InputError> {
        let mut sets = Vec::with_capacity(texts.len());
        for (sequence, text) in texts.iter().enumerate() {
            let (last, before) = text.tokens.split_last().ok_or(InputError::Empty { sequence })?;
            let candidates = vec![Candidate::new(vec![*last], 0)];
            sets.push(CandidateSet { prompt: before.to_vec(), candidates, ..CandidateSet::default() });
        }
        let batch = Batch::pack(&sets, TargetTokens::None, self.backbone.pad_token());
        let last = self.backbone.hidden_states(&batch, &[Layer::Last])?.remove(0);
        let [rows, seq, d_model] = last.dims();
        Ok(select_rows(last.reshape([rows * seq, d_model]), batch.ends.iter().copied()))
    }

    /// `[texts, d_model]` to `[texts, labels]`.
    pub(super) fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        self.layer.forward(features)
    }

    pub(super) fn labels(&self) -> &[String] {
        &self.labels
    }

    pub(super) fn head_parameters(&self) -> ParamGroup {
        let mut ids = Ids::default();
        self.layer.visit(&mut ids);
        ParamGroup::from_ids(ids.0)
    }
}

fn layer_config(backbone: &Backbone, labels: &[String]) -> PreferenceHeadConfig {
    PreferenceHeadConfig {
        rewards: labels.to_vec(),
        ending: Ending::Conversation,
        ..PreferenceHeadConfig::new(backbone.d_model(), backbone.d_ffn())
    }
}

/// The ids of the parameters of a module.
#[derive(Default)]
struct Ids(Vec<ParamId>);

impl ModuleVisitor for Ids {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.id);
    }
}
