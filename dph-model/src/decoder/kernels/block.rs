//! A block of the decoder as one kernel.

use burn::tensor::Tensor;

use crate::decoder::{Block, Group};

/// The residual stream after the block with this index, or the unchanged stream if no kernel applies.
#[allow(clippy::result_large_err, reason = "the other variant is as large")]
pub(crate) fn block(
    block: &Block,
    stream: Tensor<2>,
    groups: &mut [Group<'_>],
    index: usize,
) -> Result<Tensor<2>, Tensor<2>> {
    #[cfg(feature = "flex")]
    return super::flex::block(block, stream, groups, index);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (block, groups, index);
        Err(stream)
    }
}
