//! [`NonFiniteGuard`]: stops the training when a loss is not finite.

use std::fmt;
use std::sync::{Arc, OnceLock};

use burn::tensor::Tensor;
use burn::train::Interrupter;

/// Records a loss that is not finite and stops the training. Clones share the record.
#[derive(Clone, Default)]
pub(crate) struct NonFiniteGuard {
    found: Arc<OnceLock<NonFinite>>,
    interrupter: Interrupter,
}

/// A step whose loss is not finite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NonFinite {
    pub step: usize,
    /// The names of the sets of the step.
    pub ids: Vec<String>,
}

impl NonFiniteGuard {
    /// The interrupter for burn's training.
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// Checks the loss, which is the first of the metrics of a step.
    pub fn check(&self, values: &Tensor<1>, step: usize, ids: impl FnOnce() -> Vec<String>) {
        let loss = values.clone().narrow(0, 0, 1).into_scalar::<f64>();
        if !loss.is_finite() {
            let _ = self.found.set(NonFinite { step, ids: ids() });
            self.interrupter.stop(Some("the loss is not finite"));
        }
    }

    /// Whether a loss was not finite. After that, weights must not change and nothing must be written.
    pub fn is_set(&self) -> bool {
        self.found.get().is_some()
    }

    pub fn found(&self) -> Option<&NonFinite> {
        self.found.get()
    }
}

impl fmt::Debug for NonFiniteGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NonFiniteGuard").field(&self.found.get()).finish()
    }
}
