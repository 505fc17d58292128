//! The attention of a stack by libtorch's fused kernel for the CPU, which gives the log-sum-exp as well.

use burn::backend::LibTorch;
use burn::backend::tensor::FloatTensor;
use tch::Tensor;

use super::composed;
use super::stack::{Attended, StackGradients, StackInputs};
use super::stack_attention::StackAttention;

impl StackAttention for LibTorch {
    fn attend(inputs: StackInputs<Self>) -> Attended<Self> {
        if is_cuda(&inputs) {
            return composed::attend(inputs);
        }
        #[cfg(feature = "flex")]
        if let Some(attended) = long::attend(&inputs) {
            return attended;
        }
        let parts = Parts::new(&inputs);
        let [key, value] = [&inputs.key, &inputs.value].map(|tensor| aligned(&tensor.tensor));
        let (outputs, log_sums): (Vec<_>, Vec<_>) = parts
            .queries(&inputs.query.tensor)
            .into_iter()
            .map(|query| {
                Tensor::internal_scaled_dot_product_flash_attention_for_cpu(
                    &query,
                    &key,
                    &value,
                    0.0,
                    inputs.causal,
                    parts.bias.as_ref(),
                    None,
                )
            })
            .unzip();
        let log_sums: Vec<_> = log_sums.iter().map(|log_sum| log_sum.unsqueeze(3)).collect();
        Attended { output: wrap(parts.heads(&outputs)), log_sum: wrap(parts.heads(&log_sums)) }
    }

    fn differentiate(
        inputs: StackInputs<Self>,
        attended: Attended<Self>,
        gradient: FloatTensor<Self>,
    ) -> StackGradients<Self> {
        if is_cuda(&inputs) {
            return composed::differentiate(inputs, attended, gradient);
        }
        let parts = Parts::new(&inputs);
        let [key, value] = [&inputs.key, &inputs.value].map(|tensor| aligned(&tensor.tensor));
        let (mut of_queries, mut of_keys): (Vec<Tensor>, Option<(Tensor, Tensor)>) = (Vec::new(), None);
        let of_parts = [&inputs.query, &gradient, &attended.output, &attended.log_sum]
            .map(|tensor| parts.queries(&tensor.tensor));
        for part in 0..of_parts[0].len() {
            let [query, gradient, output, log_sum] = of_parts.each_ref().map(|tensors| &tensors[part]);
            let (of_query, of_key, of_value) =
                Tensor::internal_scaled_dot_product_flash_attention_for_cpu_backward(
                    gradient,
                    query,
                    &key,
                    &value,
                    output,
                    &log_sum.squeeze_dim(3),
                    0.0,
                    inputs.causal,
                    parts.bias.as_ref(),
                    None,
                );
            of_queries.push(of_query);
            of_keys = Some(match of_keys {
                None => (of_key, of_value),
                Some((keys, values)) => (keys + of_key, values + of_value),
            });
        }
        let (key, value) = of_keys.expect("a group has heads");
        StackGradients { query: wrap(parts.heads(&of_queries)), key: wrap(key), value: wrap(value) }
    }
}

/// The division of the query heads, since the kernel takes as many query heads as key heads.
///
/// If every query sees the same keys, the heads of a group are stacked as further queries. Otherwise each head of a group
/// is a call of its own. Keys and values are not copied.
struct Parts {
    n_kv_heads: i64,
    group: i64,
    is_stacked: bool,
    bias: Option<Tensor>,
}

impl Parts {
    fn new(inputs: &StackInputs<LibTorch>) -> Self {
        let n_kv_heads = inputs.key.tensor.size()[1];
        Self {
            n_kv_heads,
            group: inputs.query.tensor.size()[1] / n_kv_heads,
            is_stacked: !inputs.causal,
            bias: inputs.key_bias.as_ref().map(|bias| bias.tensor.shallow_clone()),
        }
    }

    /// `[count, n_heads, queries, size]` as tensors `[count, n_kv_heads, .., size]`.
    fn queries(&self, heads: &Tensor) -> Vec<Tensor> {
        let [count, _, queries, size] = dims(heads);
        let heads = aligned(heads);
        match (self.group, self.is_stacked) {
            (1, _) => vec![heads],
            (group, true) => vec![heads.reshape([count, self.n_kv_heads, group * queries, size])],
            (group, false) => heads.reshape([count, self.n_kv_heads, group, queries, size]).unbind(2),
        }
    }

    /// The reverse of [`queries`](Self::queries).
    fn heads(&self, parts: &[Tensor]) -> Tensor {
        let [count, n_kv_heads, queries, size] = dims(&parts[0]);
        match (self.group, self.is_stacked) {
            (1, _) => parts[0].shallow_clone(),
            (group, true) => parts[0].reshape([count, n_kv_heads * group, queries / group, size]),
            (group, false) => Tensor::stack(parts, 2).reshape([count, n_kv_heads * group, queries, size]),
        }
    }
}

/// The kernel reads the components of a head as neighbours, but elementwise operations keep any order of their inputs.
fn aligned(heads: &Tensor) -> Tensor {
    match heads.stride().last() {
        Some(1) => heads.shallow_clone(),
        _ => heads.contiguous(),
    }
}

/// Long sequences, by the kernel of this crate.
#[cfg(feature = "flex")]
mod long {
    use burn::backend::LibTorch;
    use tch::{Kind, Tensor};

    use super::{aligned, dims, wrap};
    use crate::decoder::extension::span_attention::stack::{Attended, StackInputs};
    use crate::decoder::kernels::{HeadSlices, causal_attention, libtorch_slice};

    /// Fewest queries. The kernel divides its work among threads of its own, for which those of libtorch make way only after some
    /// milliseconds.
    const FEWEST_QUERIES: i64 = 1024;

    /// The result for a long causal stack in f32. The products in libtorch's own kernel use no AVX-512 on processors of AMD.
    pub(super) fn attend(inputs: &StackInputs<LibTorch>) -> Option<Attended<LibTorch>> {
        let [query, key, value] = [&inputs.query, &inputs.key, &inputs.value].map(|tensor| &tensor.tensor);
        let [sequences, n_heads, queries, _] = dims(query);
        let applies = inputs.causal && inputs.key_bias.is_none() && queries >= FEWEST_QUERIES;
        if !applies || dims(key)[2] != queries || query.kind() != Kind::Float {
            return None;
        }
        let [query, key, value] = [query, key, value].map(aligned);
        let (output, log_sums) = causal_attention(slices(&query), slices(&key), slices(&value));
        let output = Tensor::from_slice(&output).view_(query.size());
        let log_sum = Tensor::from_slice(&log_sums).view_([sequences, n_heads, queries, 1]);
        Some(Attended { output: wrap(output), log_sum: wrap(log_sum) })
    }

    fn slices(heads: &Tensor) -> HeadSlices<'_> {
        let sizes = dims(heads).map(|size| size as usize);
        let strides: Vec<usize> = heads.stride().iter().map(|&stride| stride as usize).collect();
        HeadSlices { data: libtorch_slice(heads), sizes, strides: [strides[0], strides[1], strides[2]] }
    }
}

fn dims(tensor: &Tensor) -> [i64; 4] {
    tensor.size().try_into().expect("a tensor of four dimensions")
}

fn is_cuda(inputs: &StackInputs<LibTorch>) -> bool {
    inputs.query.tensor.device().is_cuda()
}

fn wrap(tensor: Tensor) -> FloatTensor<LibTorch> {
    FloatTensor::<LibTorch>::new(tensor)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// The name says `kernels` so that the gate runs it with this backend.
    #[test]
    fn kernels_for_long_sequences_compute_composed_attention() {
        tch::manual_seed(1);
        for (n_heads, n_kv_heads) in [(6, 2), (3, 3)] {
            // Heads of neighbouring tokens are apart in memory, and the last block of queries is shorter.
            let heads =
                |heads: i64| Tensor::randn([2, 1100, heads, 12], (Kind::Float, Device::Cpu)).transpose(1, 2);
            let inputs = StackInputs::<LibTorch> {
                query: wrap(heads(n_heads) * 3),
                key: wrap(heads(n_kv_heads)),
                value: wrap(heads(n_kv_heads)),
                key_bias: None,
                causal: true,
            };
            let found = long::attend(&inputs).expect("it applies");
            let expected = composed::attend(inputs.clone());
            let gradient = wrap(heads(n_heads));
            let of_found = LibTorch::differentiate(inputs.clone(), found.clone(), gradient.clone());
            let of_expected = composed::differentiate(inputs.clone(), expected.clone(), gradient);
            for (found, expected) in [
                (found.output, expected.output),
                (found.log_sum, expected.log_sum),
                (of_found.query, of_expected.query),
                (of_found.key, of_expected.key),
                (of_found.value, of_expected.value),
            ] {
                assert_eq!(found.tensor.size(), expected.tensor.size());
                let largest = expected.tensor.abs().max().double_value(&[]);
                let error = (found.tensor - expected.tensor).abs().max().double_value(&[]);
                assert!(error < 1e-5 * largest, "{n_heads} heads: {error} of {largest}");
            }
            assert!(long::attend(&StackInputs { causal: false, ..inputs }).is_none());
        }
    }
}
