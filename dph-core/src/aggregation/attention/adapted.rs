//! Projections with adapters for each repeat.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::AttentionPooling;
use crate::parameters::{NamedParam, NamedParams, WeightInit};

/// A linear layer with an adapter for each repeat.
#[derive(Module, Debug)]
pub(super) struct AdaptedLinear {
    linear: Linear,
    repeats: Vec<Adapter>,
    scale: f64,
}

#[derive(Module, Debug)]
struct Adapter {
    bias: Option<Param<Tensor<1>>>,
    low_rank: Option<LowRank>,
}

#[derive(Module, Debug)]
struct LowRank {
    /// `[rank, d_in]`
    down: Param<Tensor<2>>,
    /// `[d_out, rank]`, initially 0.
    up: Param<Tensor<2>>,
}

impl AdaptedLinear {
    pub fn new(
        config: &AttentionPooling,
        [d_in, d_out]: [usize; 2],
        bias: bool,
        init: &mut WeightInit,
        device: &Device,
    ) -> Self {
        let linear = init.linear(d_in, d_out, bias, device);
        let (mut repeats, mut scale) = (Vec::new(), 0.0);
        if let Some(adapters) = config.adapters {
            let rank = adapters.rank;
            scale = adapters.alpha / rank.max(1) as f64;
            repeats.extend((0..config.repeats).map(|_| Adapter {
                bias: bias.then(|| Param::from_tensor(Tensor::zeros([d_out], device))),
                low_rank: (rank > 0).then(|| LowRank {
                    down: Param::from_tensor(Tensor::from_data(
                        init.normal([rank, d_in], 1.0 / rank as f32),
                        device,
                    )),
                    up: Param::from_tensor(Tensor::zeros([d_out, rank], device)),
                }),
            }));
        }
        Self { linear, repeats, scale }
    }

    /// `[count, len, d_in]` to `[count, len, d_out]`.
    pub fn forward(&self, input: Tensor<3>, repeat: usize) -> Tensor<3> {
        let mut output = self.linear.forward(input.clone());
        if let Some(adapter) = self.repeats.get(repeat) {
            if let Some(low_rank) = &adapter.low_rank {
                let down = input.matmul(low_rank.down.val().transpose().unsqueeze());
                output = output + down.matmul(low_rank.up.val().transpose().unsqueeze()) * self.scale;
            }
            if let Some(bias) = &adapter.bias {
                output = output + bias.val().unsqueeze();
            }
        }
        output
    }

    pub fn named_params_mut(&mut self, name: &str) -> NamedParams<'_> {
        let mut params = vec![(name.to_string(), NamedParam::Linear(&mut self.linear))];
        for (repeat, adapter) in self.repeats.iter_mut().enumerate() {
            let name = format!("{name}.repeat.{repeat}");
            if let Some(low_rank) = &mut adapter.low_rank {
                params.push((format!("{name}.down"), NamedParam::Matrix(&mut low_rank.down)));
                params.push((format!("{name}.up"), NamedParam::Matrix(&mut low_rank.up)));
            }
            if let Some(bias) = &mut adapter.bias {
                params.push((format!("{name}.bias"), NamedParam::Vector(bias)));
            }
        }
        params
    }
}

/// A learned vector with an addition for each repeat.
#[derive(Module, Debug)]
pub(super) struct AdaptedVector {
    vector: Param<Tensor<1>>,
    repeats: Vec<Param<Tensor<1>>>,
}

impl AdaptedVector {
    /// A vector of zeros.
    pub fn new(config: &AttentionPooling, size: usize, device: &Device) -> Self {
        let zeros = || Param::from_tensor(Tensor::zeros([size], device));
        let repeats = if config.adapters.is_some() { config.repeats } else { 0 };
        Self { vector: zeros(), repeats: (0..repeats).map(|_| zeros()).collect() }
    }

    /// `[size]`
    pub fn forward(&self, repeat: usize) -> Tensor<1> {
        match self.repeats.get(repeat) {
            Some(own) => self.vector.val() + own.val(),
            None => self.vector.val(),
        }
    }

    pub fn named_params_mut(&mut self, name: &str) -> NamedParams<'_> {
        let repeats = self.repeats.iter_mut().enumerate();
        let repeats =
            repeats.map(|(repeat, own)| (format!("{name}.repeat.{repeat}.bias"), NamedParam::Vector(own)));
        std::iter::once((name.to_string(), NamedParam::Vector(&mut self.vector))).chain(repeats).collect()
    }
}
