//! The estimated memory of a stage.

use dph_model::DecoderConfig;

use super::trained::trained;
use crate::experiment::{Experiment, Stage, Trainable};
use crate::model::source::ModelSource;
use crate::optimiser::DecayTowards;

/// Memory of the program, the data and a forward pass without gradients, in bytes.
const OVERHEAD: u64 = 700 << 20;
const F32: u64 = size_of::<f32>() as u64;

/// Memory of the model's weights, in bytes.
pub(crate) fn weights_memory(experiment: &Experiment, config: &DecoderConfig) -> u64 {
    (config.param_count() * experiment.model.precision.bytes()) as u64
}

/// Estimated peak memory of a stage in bytes.
pub(crate) fn stage_memory(experiment: &Experiment, stage: &Stage, source: &ModelSource) -> u64 {
    let config = &source.config;
    let weights = weights_memory(experiment, config);
    if experiment.trainable(stage) == Trainable::None {
        return weights + OVERHEAD;
    }
    let trained = trained(experiment, stage, source);
    let optimiser = &stage.optimiser;
    let towards = optimiser.head.decay_towards.unwrap_or(optimiser.decay_towards);
    // A copy of the initial weights for weight decay.
    let initial = [optimiser.decay_towards, towards].contains(&DecayTowards::Initial);
    // The accumulated gradients, the gradients of a micro-batch and two moving averages.
    let copies = 4 + u64::from(initial);
    let reference = if stage.objective.kl.is_some() { weights } else { 0 };
    let (tokens, seq) = (stage.micro_batch as u64, config.context.min(stage.micro_batch) as u64);
    let (width, inner) = (config.d_model as u64, config.d_ffn as u64);
    // The activations that burn stores for the backward pass of a block: hidden states, projections, gates, attention scores.
    let of_block = tokens * (16 * width + 8 * inner) + 3 * tokens * seq * config.n_heads as u64;
    let layers = config.n_layers as u64;
    let activations = match stage.gradient_checkpointing {
        true => layers * tokens * width + of_block,
        false => layers * of_block,
    };
    let activations = activations * F32;
    let logits = tokens.min(512) * config.vocab as u64 * 4 * F32;
    weights + copies * trained as u64 * F32 + reference + activations + logits + OVERHEAD
}
