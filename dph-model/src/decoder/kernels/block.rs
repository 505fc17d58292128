//! A block of the decoder as one kernel.

use burn::tensor::Tensor;

use crate::decoder::AttentionLayout;
use crate::decoder::{Block, Cache};

/// The residual stream after a block, or the unchanged stream if no kernel applies.
#[allow(clippy::result_large_err, reason = "the other variant is as large")]
pub(crate) fn block(
    block: &Block,
    stream: Tensor<2>,
    layout: &AttentionLayout,
    cache: Option<(&mut Cache, usize)>,
) -> Result<Tensor<2>, Tensor<2>> {
    #[cfg(feature = "flex")]
    return super::flex::block(block, stream, &layout.host, cache);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (block, layout, cache);
        Err(stream)
    }
}
