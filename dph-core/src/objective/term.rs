//! [`Term`]: the result of an objective for a batch.

use burn::tensor::Tensor;

/// A value that is logged during training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingMetric {
    /// Its name, such as `dph/accuracy`; the part before the slash is the key of the objective.
    pub name: &'static str,
    /// Whether a higher value is better.
    pub higher_is_better: bool,
}

impl TrainingMetric {
    pub(super) const fn lower(name: &'static str) -> Self {
        Self { name, higher_is_better: false }
    }

    pub(super) const fn higher(name: &'static str) -> Self {
        Self { name, higher_is_better: true }
    }
}

/// The loss and the metrics of one objective for one batch.
///
/// A stage with several objectives minimises [`Term::total`], the sum of `weight * loss` over its terms.
#[derive(Debug, Clone)]
pub struct Term {
    /// The objective's weight.
    pub weight: f64,
    /// The objective's loss without its weight, `[1]`, with gradients.
    pub loss: Tensor<1>,
    /// The objective's `METRICS` with their values, each `[1]` and detached. The first is the loss without its
    /// weight.
    pub metrics: Vec<(TrainingMetric, Tensor<1>)>,
}

impl Term {
    /// `values` are the values of all metrics after the first one, which is the loss.
    pub(super) fn new<const N: usize>(
        weight: f64,
        loss: Tensor<1>,
        metrics: [TrainingMetric; N],
        values: impl IntoIterator<Item = Tensor<1>>,
    ) -> Self {
        let values = std::iter::once(loss.clone()).chain(values).map(Tensor::detach);
        let metrics: Vec<_> = metrics.into_iter().zip(values).collect();
        debug_assert_eq!(metrics.len(), N);
        Self { weight, loss, metrics }
    }

    /// The sum of `weight * loss` over `terms`, `[1]`, with gradients; `None` without terms.
    pub fn total(terms: &[Term]) -> Option<Tensor<1>> {
        terms.iter().map(|term| term.loss.clone() * term.weight).reduce(|sum, loss| sum + loss)
    }

    /// The value of a metric, `[1]`, by its name.
    pub fn metric(&self, name: &str) -> Option<Tensor<1>> {
        self.metrics.iter().find(|(metric, _)| metric.name == name).map(|(_, value)| value.clone())
    }

    /// The values of all metrics in their order, `[metrics]`.
    pub fn values(&self) -> Tensor<1> {
        Tensor::cat(self.metrics.iter().map(|(_, value)| value.clone()).collect(), 0)
    }
}
