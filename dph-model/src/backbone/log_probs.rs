//! Log-probabilities of target tokens.

use burn::tensor::{Tensor, TensorData};
use dph_core::{Target, select_rows};

use crate::decoder::Decoder;
use crate::decoder::extension::log_sum;
use crate::decoder::kernels::{self, TargetToken};

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

/// The log-probabilities by operations that every backend supports and that can be differentiated. At most `elements` logits are
/// in memory at a time, forwards and backwards.
fn compose(
    states: Tensor<2>,
    matrix: Tensor<2>,
    target_tokens: &[TargetToken],
    elements: usize,
) -> Tensor<1> {
    let (of_states, of_matrix) = (states.dtype(), matrix.dtype());
    // As in the product of all logits.
    let rounded = if of_states == of_matrix { states.clone() } else { states.clone().cast(of_matrix) };
    let rows = || target_tokens.iter().map(|target| target.state);
    let tokens = target_tokens.iter().map(|target| target.token as usize);
    let products =
        select_rows(rounded, rows()).cast(of_states) * select_rows(matrix.clone(), tokens).cast(of_states);
    let logits: Tensor<1> = products.sum_dim(1).squeeze_dim(1);
    logits - select_rows(log_sum(states, matrix, elements), rows())
}
