//! The estimated memory of a stage.

use dph_eval::pass::DEFAULT_TOKEN_BUDGET;
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

/// Memory of the scores of attention that are computed at a time, in bytes.
const SCORES: u64 = 100 << 20;

/// The largest batch of a stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LargestBatch {
    /// Number of tokens: the token budget or, if it has more, the longest set.
    pub tokens: usize,
    /// Estimated memory on the device of the experiment, in bytes, in addition to the weights.
    pub memory: u64,
}

impl LargestBatch {
    /// The largest batch, if the longest set has this number of tokens; 0 if it is unknown.
    pub fn estimate(experiment: &Experiment, stage: &Stage, config: &DecoderConfig, longest: usize) -> Self {
        let frozen = experiment.trainable(stage) == Trainable::None;
        let budget = if frozen { DEFAULT_TOKEN_BUDGET } else { stage.micro_batch };
        let tokens = budget.max(longest);
        let memory = match frozen {
            true => batch_memory(config, &experiment.device, tokens),
            false => activation_memory(stage, config, tokens),
        };
        Self { tokens, memory }
    }
}

/// Estimated memory of a forward pass without gradients through a batch of this number of tokens, in bytes, in addition to the
/// weights. On flex, a block is one kernel, which stores only the queries, keys and values of all tokens.
fn batch_memory(config: &DecoderConfig, device: &str, tokens: usize) -> u64 {
    let (width, qkv) = (config.d_model as u64, config.qkv_width() as u64);
    let of_token = match device {
        "flex" => width + qkv,
        _ => 2 * width + 3 * qkv,
    };
    tokens as u64 * of_token * F32
}

/// Estimated memory of the activations that are stored for the backward pass of a batch of this number of tokens, in bytes.
fn activation_memory(stage: &Stage, config: &DecoderConfig, tokens: usize) -> u64 {
    let (tokens, width, inner) = (tokens as u64, config.d_model as u64, config.d_ffn as u64);
    // Of a block: hidden states, projections, gates; queries, keys, values and results of attention, but no scores.
    let of_block = tokens * (16 * width + 8 * inner + 3 * config.qkv_width() as u64);
    let layers = config.n_layers as u64;
    let activations = match stage.gradient_checkpointing {
        true => layers * tokens * width + of_block,
        false => layers * of_block,
    };
    let logits = tokens.min(512) * config.vocab as u64 * 4;
    (activations + logits) * F32 + SCORES
}

/// Estimated peak memory of a stage with this largest batch, in bytes.
pub(crate) fn stage_memory(
    experiment: &Experiment,
    stage: &Stage,
    source: &ModelSource,
    batch: LargestBatch,
) -> u64 {
    let weights = weights_memory(experiment, &source.config);
    let base = weights + batch.memory + OVERHEAD;
    if experiment.trainable(stage) == Trainable::None {
        return base;
    }
    let trained = trained(experiment, stage, source);
    // A copy of the initial weights for weight decay.
    let initial = stage.optimiser.decays_towards().contains(&Some(DecayTowards::Initial));
    // The accumulated gradients, the gradients of a micro-batch and two moving averages.
    let copies = 4 + u64::from(initial);
    let reference = if stage.objective.kl.is_some() { weights } else { 0 };
    base + copies * trained as u64 * F32 + reference
}
