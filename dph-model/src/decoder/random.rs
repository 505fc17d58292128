//! Random weights for a new model.

use std::convert::Infallible;

use burn::tensor::{DType, Device, TensorData};
use dph_core::WeightInit;

use super::{BlockSlot, Decoder, DecoderConfig, Part, Slot};

/// A decoder with random weights; see [`Backbone::init`](crate::Backbone::init) for the scheme.
pub(crate) fn random_decoder(config: &DecoderConfig, seed: u64, device: &Device) -> Decoder {
    let mut init = WeightInit::new(seed);
    let decoder = Decoder::assemble(config, device, DType::F32, |slot, shape| {
        let count: usize = shape.iter().product();
        let values = match distribution(slot, shape, config) {
            Start::Normal(std) => {
                let (bytes, _, dtype) = init.normal([count], std).into_parts();
                return Ok::<_, Infallible>(TensorData::from_bytes(bytes, shape.to_vec(), dtype));
            }
            Start::Constant(value) => vec![value; count],
        };
        Ok(TensorData::new(values, shape.to_vec()))
    });
    match decoder {
        Ok(decoder) => decoder,
        Err(never) => match never {},
    }
}

enum Start {
    Normal(f32),
    Constant(f32),
}

fn distribution(slot: Slot, shape: &[usize], config: &DecoderConfig) -> Start {
    match slot {
        Slot::InputNorm(part) | Slot::OutputNorm(part) => norm(part),
        Slot::Block(_, BlockSlot::AttentionNorm(part) | BlockSlot::MlpNorm(part)) => norm(part),
        Slot::Block(_, BlockSlot::QueryNorm | BlockSlot::KeyNorm) => Start::Constant(1.0),
        Slot::Pooler(Part::Bias) | Slot::Classifier(Part::Bias) => Start::Constant(0.0),
        Slot::Block(
            _,
            BlockSlot::Qkv(Part::Bias)
            | BlockSlot::AttentionOutput(Part::Bias)
            | BlockSlot::MlpInput(Part::Bias)
            | BlockSlot::MlpOutput(Part::Bias),
        ) => Start::Constant(0.0),
        Slot::InputProjection | Slot::HeadProjection => Start::Normal(1.0 / (shape[1] as f32).sqrt()),
        Slot::Embedding
        | Slot::Positions
        | Slot::TokenTypes
        | Slot::Head
        | Slot::Pooler(Part::Weight)
        | Slot::Classifier(Part::Weight)
        | Slot::Block(..) => Start::Normal(config.init_std),
    }
}

fn norm(part: Part) -> Start {
    match part {
        Part::Weight => Start::Constant(1.0),
        Part::Bias => Start::Constant(0.0),
    }
}
