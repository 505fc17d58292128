//! The objectives: against the numbers of the authors' implementation, and by what must hold of them.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "objectives/case.rs"]
mod case;
#[path = "objectives/classify.rs"]
mod classify;
#[path = "objectives/config.rs"]
mod config;
#[path = "objectives/golden_dph.rs"]
mod golden_dph;
#[path = "objectives/golden_likelihood.rs"]
mod golden_likelihood;
#[path = "objectives/golden_states.rs"]
mod golden_states;
#[path = "objectives/listwise.rs"]
mod listwise;
#[path = "objectives/pairs.rs"]
mod pairs;
#[path = "objectives/properties.rs"]
mod properties;
