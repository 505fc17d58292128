//! Estimates for a stage: trained parameters, memory, time.

pub(crate) mod memory;
pub(crate) mod speed;
pub(crate) mod trained;
