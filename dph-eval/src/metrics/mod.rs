//! Metrics of a scorer's choices, with standard errors.

mod best_of;
mod classification;
mod correlation;
mod estimate;
mod jackknife;
mod measure;
mod perplexity;
mod resample;
mod sample;

pub(crate) use best_of::{best_of, ties};
pub use classification::{f1, matthews};
pub use correlation::{pearson, spearman};
pub(crate) use estimate::deviation;
pub use estimate::{Estimate, accuracy, chance, mean, mean_of_metrics, weighted_mean, wilson_interval};
pub(crate) use jackknife::estimate as jackknife;
pub(crate) use measure::{Outcome, chance_level, mass, mean_value, measure, parts_value, value};
pub(crate) use perplexity::TextLikelihood;
pub(crate) use resample::{bootstrap, p_value, percentile_interval, permutations, seed, sum_of_resamples};
pub(crate) use sample::{Sample, Weighted};
