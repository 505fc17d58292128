//! Kernels for single devices: fused steps on flex, where many small operations are slow, and products on
//! libtorch.
//!
//! Every function computes the same as the composed operations of [`decoder`](crate::decoder), or reports that it
//! does not apply: on other devices, and under automatic differentiation. The caller then uses the composed
//! operations. Tests compare both.

mod block;
mod exp;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "tch")]
mod libtorch;
mod log_probs;
mod product;
mod target_token;

pub(super) use block::block;
pub(crate) use exp::exp;
#[cfg(all(feature = "flex", feature = "tch"))]
pub(crate) use flex::{HeadSlices, causal_attention};
#[cfg(feature = "tch")]
pub(super) use libtorch::product_of_primitives as libtorch_product;
#[cfg(all(feature = "flex", feature = "tch"))]
pub(crate) use libtorch::slice as libtorch_slice;
pub(crate) use log_probs::log_probs;
pub(super) use product::{product, wants_transposed};
pub(crate) use target_token::TargetToken;

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Tensor;

    use super::*;
    use crate::decoder::{AttentionLayout, DecoderConfig, Group};
    use crate::{Backbone, Family};

    /// Whether the fused kernel applies to a block of this model on this device.
    fn is_fused(config: &str, device: &burn::tensor::Device) -> bool {
        let model = Backbone::init(config, 1, device).unwrap();
        let config: DecoderConfig = Family::parse(config).unwrap().decoder().unwrap();
        let layout = AttentionLayout::after_cache(&crate::Cache::default(), 1, 2, &config);
        let stream = Tensor::ones([2, config.d_model], device);
        block(&model.decoder.blocks[0], stream, &mut [Group::new(&layout)], 0).is_ok()
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
