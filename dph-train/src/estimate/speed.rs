//! [`Speed`]: the estimated time of forward passes on a device.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use dph_core::Layer;
use dph_model::DecoderConfig;

/// Assumed speed of a whole model as a share of the speed of one large matrix product.
const EFFICIENCY: f64 = 0.6;

/// The speed of a model on a device.
pub(crate) struct Speed<'a> {
    /// Floating-point operations per second.
    flops: f64,
    config: &'a DecoderConfig,
}

impl<'a> Speed<'a> {
    /// Measures the time of matrix products on a device and estimates the speed of a model.
    pub fn measure(device: &Device, config: &'a DecoderConfig) -> Self {
        Self { flops: flops(device) * EFFICIENCY, config }
    }

    /// Time of a forward pass of `tokens` tokens up to a layer, in seconds: two operations per token for each weight of the
    /// blocks.
    pub fn forward(&self, tokens: usize, layer: Layer) -> f64 {
        let config = self.config;
        let width = config.d_vocab.unwrap_or(config.d_model);
        let embeddings = config.vocab * width * if config.tied_head { 1 } else { 2 };
        let blocks = config.param_count().saturating_sub(embeddings) as f64;
        let share = match layer {
            Layer::At(index) => index as f64 / config.n_layers as f64,
            Layer::Last => 1.0,
        };
        2.0 * blocks * share * tokens as f64 / self.flops
    }
}

/// Floating-point operations per second of a matrix product of typical size.
fn flops(device: &Device) -> f64 {
    const SIZE: usize = 1024;
    let matrix = || Tensor::<2>::random([SIZE, SIZE], Distribution::Default, device);
    let (a, b) = (matrix(), matrix());
    let run = || a.clone().matmul(b.clone()).sum().into_data();
    run();
    let start = Instant::now();
    let mut products = 0;
    while products < 3 || start.elapsed().as_secs_f64() < 0.3 {
        run();
        products += 1;
    }
    products as f64 * 2.0 * (SIZE as f64).powi(3) / start.elapsed().as_secs_f64()
}
