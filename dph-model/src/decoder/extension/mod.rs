//! Operations that burn lacks, on the tensors of every backend, with backward passes of their own.

#![cfg_attr(
    not(any(feature = "flex", feature = "tch", feature = "wgpu", feature = "vulkan", feature = "cuda")),
    allow(unused_variables, unused_macros, reason = "a build without a backend computes nothing")
)]
#![cfg_attr(
    feature = "tch",
    allow(
        deprecated,
        reason = "burn deprecates its libtorch backend after the version that this workspace stays with"
    )
)]

mod log_sum;
mod parts;
pub(crate) mod span_attention;

pub(crate) use log_sum::log_sum;

/// Implements a trait with the same body for every backend that is compiled in.
macro_rules! implement_on_backends {
    ($operation:ident { $($body:tt)* }) => {
        #[cfg(feature = "flex")]
        impl $operation for burn::backend::Flex { $($body)* }
        #[cfg(feature = "tch")]
        impl $operation for burn::backend::LibTorch { $($body)* }
        #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "cuda"))]
        impl $operation for burn::backend::Cube { $($body)* }
    };
}
use implement_on_backends;
