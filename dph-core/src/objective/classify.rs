//! The objective of a classifier or regressor of texts.

use burn::tensor::{Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::term::{Term, TrainingMetric};
use crate::select::index_tensor;

/// The loss of a classifier, or of a regressor with one output, averaged over the texts; the losses of `*ForSequenceClassification` in
/// transformers (BERT, arXiv 1810.04805, section 4.1).
///
/// - classes: `-log softmax(logits)[label]`
/// - numbers: `(prediction - number)²`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassifyObjective {
    /// Whether the stage replaces a classification layer of the model by a new one with random weights, for example for other classes. A
    /// model without such a layer always gets a new one.
    pub new_layer: bool,
}

impl ClassifyObjective {
    /// What [`forward`](Self::forward) reports: the loss, and the fraction of texts whose class has the highest logit.
    pub const METRICS: [TrainingMetric; 2] =
        [TrainingMetric::lower("classify/loss"), TrainingMetric::higher("classify/accuracy")];

    /// What [`forward_numbers`](Self::forward_numbers) reports: the loss.
    pub const NUMBER_METRICS: [TrainingMetric; 1] = [TrainingMetric::lower("classify/loss")];

    /// The mean cross-entropy.
    ///
    /// # Shapes
    ///
    /// - logits: `[texts, classes]`
    /// - labels: the class of each text
    ///
    /// # Panics
    ///
    /// Without texts, and if there are more or fewer labels than texts.
    pub fn forward(&self, logits: Tensor<2>, labels: &[usize]) -> Term {
        let [texts, _] = logits.dims();
        assert!(texts > 0 && texts == labels.len(), "{texts} texts with {} labels", labels.len());
        let labels = index_tensor(labels.iter().copied(), &logits.device());
        let dtype = logits.dtype();
        let right = logits.clone().detach().argmax(1).squeeze_dim::<1>(1).equal(labels.clone());
        let log_probs = activation::log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1));
        let loss = -log_probs.mean();
        Term::new(1.0, loss, Self::METRICS, [right.float().cast(dtype).mean()])
    }

    /// The mean squared error.
    ///
    /// # Shapes
    ///
    /// - predictions: `[texts]`
    /// - numbers: `[texts]`
    pub fn forward_numbers(&self, predictions: Tensor<1>, numbers: Tensor<1>) -> Term {
        Term::new(1.0, (predictions - numbers).square().mean(), Self::NUMBER_METRICS, [])
    }
}
