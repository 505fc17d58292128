//! A block of the decoder as one kernel.

use burn::tensor::Tensor;

use crate::decoder::block::Block;
use crate::decoder::cache::Cache;
use crate::decoder::pass::Pass;

/// The residual stream after a block, or the unchanged stream if no kernel applies.
#[allow(clippy::result_large_err, reason = "the other variant is as large")]
pub(crate) fn block(
    block: &Block,
    stream: Tensor<2>,
    pass: &Pass,
    cache: Option<(&mut Cache, usize)>,
) -> Result<Tensor<2>, Tensor<2>> {
    #[cfg(feature = "flex")]
    return super::flex::block(block, stream, &pass.layout, cache);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (block, pass, cache);
        Err(stream)
    }
}
