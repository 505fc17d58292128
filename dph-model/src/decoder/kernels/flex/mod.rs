//! Kernels on the raw slices of the flex backend.
//!
//! Matrix products are those of flex itself (the `gemm` crate, here called on strips of rows so that what lies
//! between two products stays in the cache); everything else is written as plain loops, compiled for the
//! instruction set that is found at run time (`pulp`).

mod activation;
mod attention;
mod block;
mod cache;
mod heads;
mod log_probs;
mod matrix;
mod scratch;
mod simd;
mod slices;
mod weights;

pub(super) use block::block;
pub(super) use log_probs::log_probs;
