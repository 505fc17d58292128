//! Random weights for a new model.

use std::convert::Infallible;

use burn::tensor::{DType, Device, TensorData};
use dph_core::WeightInit;

use crate::decoder::{BlockParamKey, Decoder, DecoderConfig, ParamKey, Part};

/// A decoder with random weights; see [`Backbone::init`](crate::Backbone::init) for the scheme.
pub(crate) fn random_decoder(config: &DecoderConfig, seed: u64, device: &Device) -> Decoder {
    let mut init = WeightInit::new(seed);
    let decoder = Decoder::assemble(config, device, DType::F32, |key, shape| {
        let count: usize = shape.iter().product();
        let values = match distribution(key, shape, config) {
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

fn distribution(key: ParamKey, shape: &[usize], config: &DecoderConfig) -> Start {
    match key {
        ParamKey::InputNorm(part) | ParamKey::OutputNorm(part) => norm(part),
        ParamKey::Block(_, BlockParamKey::AttentionNorm(part) | BlockParamKey::MlpNorm(part)) => norm(part),
        ParamKey::Block(_, BlockParamKey::QueryNorm | BlockParamKey::KeyNorm) => Start::Constant(1.0),
        ParamKey::Pooler(Part::Bias) | ParamKey::Classifier(Part::Bias) => Start::Constant(0.0),
        ParamKey::Block(
            _,
            BlockParamKey::Qkv(Part::Bias)
            | BlockParamKey::AttentionOutput(Part::Bias)
            | BlockParamKey::MlpInput(Part::Bias)
            | BlockParamKey::MlpOutput(Part::Bias),
        ) => Start::Constant(0.0),
        ParamKey::InputProjection | ParamKey::HeadProjection => Start::Normal(1.0 / (shape[1] as f32).sqrt()),
        ParamKey::Embedding
        | ParamKey::Positions
        | ParamKey::TokenTypes
        | ParamKey::Head
        | ParamKey::Pooler(Part::Weight)
        | ParamKey::Classifier(Part::Weight)
        | ParamKey::Block(..) => Start::Normal(config.init_std),
    }
}

fn norm(part: Part) -> Start {
    match part {
        Part::Weight => Start::Constant(1.0),
        Part::Bias => Start::Constant(0.0),
    }
}
