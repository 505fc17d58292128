//! Log-probabilities of target tokens.

use burn::tensor::{Tensor, TensorData};
use dph_core::{Target, select_rows};

use crate::decoder::kernels::{self, TargetToken};
use crate::decoder::{Decoder, matmul_mixed};

/// Most logits in memory at a time: 64 MiB.
const CHUNK_ELEMENTS: usize = 1 << 24;

/// Log-probability (natural logarithm) of each target, in the order of the targets.
///
/// # Shapes
///
/// - last: `[tokens, d_model]`, normalised
/// - output: `[targets]`
pub(crate) fn log_probs(decoder: &Decoder, last: Tensor<2>, targets: &[Target]) -> Tensor<1> {
    let device = last.device();
    if targets.is_empty() {
        return Tensor::zeros([0], &device);
    }
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.sort_by_key(|&index| targets[index].state);
    // One state predicts the first tokens of all candidates. Its logits are computed once.
    let mut states: Vec<usize> = Vec::new();
    let mut target_tokens = Vec::with_capacity(targets.len());
    for &index in &order {
        let Target { state, token, .. } = targets[index];
        if states.last() != Some(&state) {
            states.push(state);
        }
        target_tokens.push(TargetToken { state: states.len() - 1, token });
    }
    let states = decoder.head.project(select_rows(last, states));
    let matrix = decoder.head.matrix(&decoder.embedding);

    let sorted = match kernels::log_probs(&states, &matrix, &target_tokens) {
        Some(values) => {
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), &device)
        }
        None => compose(states, matrix, &target_tokens, CHUNK_ELEMENTS),
    };
    let mut back = vec![0; order.len()];
    for (place, &index) in order.iter().enumerate() {
        back[index] = place;
    }
    select_rows(sorted, back)
}

/// The log-probabilities by operations that every backend supports and that can be differentiated, in chunks of
/// states.
pub(crate) fn compose(
    states: Tensor<2>,
    matrix: Tensor<2>,
    target_tokens: &[TargetToken],
    elements: usize,
) -> Tensor<1> {
    let [vocab, _] = matrix.dims();
    let chunk = (elements / vocab).max(1);
    let mut parts = Vec::new();
    for first in (0..states.dims()[0]).step_by(chunk) {
        let count = chunk.min(states.dims()[0] - first);
        let logits = matmul_mixed(states.clone().narrow(0, first, count), matrix.clone().transpose());
        let peak = logits.clone().detach().max_dim(1);
        let total = (logits.clone() - peak.clone()).exp().sum_dim(1).log() + peak;
        let here: Vec<_> =
            target_tokens.iter().filter(|target| (first..first + count).contains(&target.state)).collect();
        let places = here.iter().map(|target| (target.state - first) * vocab + target.token as usize);
        let rows = here.iter().map(|target| target.state - first);
        let picked = select_rows(logits.reshape([count * vocab]), places);
        parts.push(picked - select_rows(total.reshape([count]), rows));
    }
    Tensor::cat(parts, 0)
}
