//! Comparison of two scorers, or of one scorer of two runs, on the same documents.

mod comparison;
mod difference;
mod error;
#[cfg(test)]
mod golden;
mod holm;
mod mcnemar;
mod pairing;
mod power;
mod table;

pub use comparison::{Compared, Comparison, Figures, Side, SuiteComparison, TaskComparison, Verdict};
pub(crate) use difference::{Part, SIGNIFICANT, TaskSample, suite_p_value, task_p_value};
pub use error::CompareError;
pub(crate) use holm::holm;
pub use pairing::Unpaired;
