//! The unit of work, and its layout for a forward pass: a [`CandidateSet`] becomes a row of a [`Batch`].

mod batch;
mod candidate_set;
mod span;
mod style;

pub use batch::{Batch, PADDING_SEGMENT, PROMPT_SEGMENT, Target, TargetTokens};
pub use candidate_set::{Candidate, CandidateSet};
pub use span::CandidateSpan;
pub use style::Style;
