//! The unit of work, and its layout for a forward pass: a [`CandidateSet`] becomes a row of a [`Batch`].

mod batch;
mod candidate_set;
mod ending;
mod prefix_row;
mod span;
mod style;

pub use batch::{Batch, PADDING_SEGMENT, PROMPT_SEGMENT, REST_SEGMENT, Target, TargetTokens};
pub use candidate_set::{Candidate, CandidateSet};
pub use ending::Ending;
pub use prefix_row::PrefixRow;
pub use span::CandidateSpan;
pub use style::Style;
