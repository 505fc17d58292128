//! Faster ways for a device: fused steps on flex, where many small operations are slow, and products with few rows on libtorch.
//!
//! Every function here computes what the composed operations of [`decoder`](crate::decoder) compute, and says when it
//! cannot: on other devices, and under automatic differentiation. The caller then composes. Tests hold the two ways
//! against each other.

#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "tch")]
mod libtorch;

use burn::tensor::{Device, Tensor};

use crate::decoder::{Block, Cache, Pass};
use crate::log_probs::Wanted;

/// The residual stream behind a block, or the stream given back.
#[allow(clippy::result_large_err, reason = "the other variant is as large")]
pub(crate) fn block(
    block: &Block,
    stream: Tensor<2>,
    pass: &Pass,
    cache: Option<(&mut Cache, usize)>,
) -> Result<Tensor<2>, Tensor<2>> {
    #[cfg(feature = "flex")]
    return flex::block(block, stream, &pass.layout, cache);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (block, pass, cache);
        Err(stream)
    }
}

/// Log-probabilities of the wanted tokens, in their order, or `None`.
///
/// # Shapes
///
/// - states: `[states, width]`, one for each distinct state of `wanted`
/// - matrix: `[vocab, width]`
pub(crate) fn log_probs(states: &Tensor<2>, matrix: &Tensor<2>, wanted: &[Wanted]) -> Option<Vec<f32>> {
    #[cfg(feature = "flex")]
    return flex::log_probs(states, matrix, wanted);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (states, matrix, wanted);
        None
    }
}

/// `states · matrix`, or `None`.
pub(crate) fn product(states: &Tensor<2>, matrix: &Tensor<2>) -> Option<Tensor<2>> {
    #[cfg(feature = "tch")]
    return libtorch::product(states, matrix);
    #[cfg(not(feature = "tch"))]
    {
        let _ = (states, matrix);
        None
    }
}

/// Whether [`product`] wants matrices to lie in memory transposed on this device.
pub(crate) fn wants_transposed(device: &Device) -> bool {
    #[cfg(feature = "tch")]
    return libtorch::wants_transposed(device);
    #[cfg(not(feature = "tch"))]
    {
        let _ = device;
        false
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::decoder::DecoderConfig;
    use crate::{Backbone, Family};

    /// Whether the fused kernel takes a block of this model on this device.
    fn is_fused(config: &str, device: &burn::tensor::Device) -> bool {
        let model = Backbone::init(config, 1, device).unwrap();
        let config: DecoderConfig = Family::parse(config).unwrap().decoder().unwrap();
        let pass = Pass::behind(&crate::Cache::default(), 1, 2, &config);
        block(&model.decoder.blocks[0], Tensor::ones([2, config.d_model], device), &pass, None).is_ok()
    }

    #[test]
    fn kernels_are_used_where_they_apply() {
        let gated = r#"{"model_type": "lswt", "vocab_size": 9, "d_vocab": 4, "d_model": 8, "d_ffn": 8, "n_heads": 2}"#;
        let flex = dph_core::device("flex").unwrap();
        assert!(is_fused(gated, &flex));
        assert!(is_fused(&gated.replace("\"d_ffn\"", "\"gated_ffn\": false, \"d_ffn\""), &flex), "GELU");
        for others in [
            r#"{"model_type": "gpt_neox", "vocab_size": 9, "hidden_size": 16, "intermediate_size": 8,
                "num_hidden_layers": 1, "num_attention_heads": 2}"#,
            r#"{"model_type": "openai-gpt", "vocab_size": 9, "n_embd": 8, "n_head": 2, "n_layer": 1}"#,
            r#"{"model_type": "opt", "vocab_size": 9, "hidden_size": 8, "ffn_dim": 8, "num_attention_heads": 2,
                "num_hidden_layers": 1}"#,
        ] {
            assert!(is_fused(others, &flex), "{others}");
        }
        assert!(!is_fused(gated, &flex.autodiff()), "gradients need the composed operations");
    }
}
