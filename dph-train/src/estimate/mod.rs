//! What a stage takes: parameters that learn, memory, time.

pub(crate) mod memory;
pub(crate) mod speed;
pub(crate) mod trained;
