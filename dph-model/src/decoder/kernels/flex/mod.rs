//! Kernels on the raw slices of the flex backend.
//!
//! Matrix products use the `gemm` crate, like flex, on strips of rows so that intermediate results stay in the CPU
//! cache. Everything else is plain loops, compiled for the instruction set that is detected at run time (`pulp`).

mod activation;
mod attention;
mod block;
mod cache;
#[cfg(feature = "tch")]
mod causal_attention;
mod continued;
mod heads;
mod log_probs;
mod matrix;
mod product;
mod row_product;
mod scratch;
mod shared_attention;
mod simd;
mod slices;
mod weights;

pub(super) use block::block;
#[cfg(feature = "tch")]
pub(crate) use causal_attention::{HeadSlices, causal_attention};
pub(super) use log_probs::log_probs;
#[cfg(feature = "tch")]
pub(super) use log_probs::log_probs_of_slices;
#[cfg(feature = "tch")]
pub(super) use matrix::Matrix;
pub(super) use product::product;
