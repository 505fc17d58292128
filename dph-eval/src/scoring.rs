//! [`Scoring`]: which scores are computed, and how.

use dph_core::{PreferenceHead, PreferenceHeadConfig};

use crate::pass::DEFAULT_TOKEN_BUDGET;

/// The scores to compute, and the size of the batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scoring {
    /// Largest number of tokens in a batch, padding included. A single set may have more. A larger budget uses the device
    /// better and needs more memory.
    pub token_budget: usize,
    /// Whether log-likelihoods are computed. They need the whole model.
    pub log_likelihood: bool,
    /// Whether rewards are computed. They need the model up to the head's layer.
    pub rewards: bool,
    /// Whether the log-likelihoods after a prompt without the question are computed too, for
    /// [`Scorer::LoglikRelative`](dph_core::Scorer::LoglikRelative).
    pub unconditional: bool,
}

impl Default for Scoring {
    fn default() -> Self {
        Self { token_budget: DEFAULT_TOKEN_BUDGET, log_likelihood: true, rewards: true, unconditional: false }
    }
}

/// A preference head and its configuration.
pub(crate) type HeadRef<'a> = (&'a PreferenceHead, &'a PreferenceHeadConfig);
