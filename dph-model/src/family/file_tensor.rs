//! [`FileTensor`]: a tensor in a file.

use crate::decoder::transpose;

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTensor {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The order of its values.
    pub order: Order,
}

/// The order of the values of a [`FileTensor`], compared with the values of a [`ParamKey`](crate::decoder::ParamKey).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The same.
    Same,
    /// The matrix is `[inputs, outputs]`: the "Conv1D" of GPT and GPT-2.
    Transposed,
    /// Query, key and value of the first head, then of the second, and so on (GPT-NeoX). Our order is all queries,
    /// all keys, all values.
    ByHead {
        /// Number of heads.
        heads: usize,
    },
}

impl FileTensor {
    /// A tensor with values in the same order as ours.
    pub(crate) fn new(name: String, shape: Vec<usize>) -> Self {
        Self { name, shape, order: Order::Same }
    }

    /// Tensors of equal size that are concatenated in ours, whose shape is `ours`.
    pub(crate) fn equal_parts(names: impl IntoIterator<Item = String>, ours: &[usize]) -> Vec<Self> {
        let names: Vec<String> = names.into_iter().collect();
        let mut shape = ours.to_vec();
        shape[0] /= names.len();
        names.into_iter().map(|name| Self::new(name, shape.clone())).collect()
    }

    /// A matrix whose shape in our order is `[outputs, inputs]`.
    pub(crate) fn transposed(name: String, ours: &[usize]) -> Self {
        Self { name, shape: ours.iter().rev().copied().collect(), order: Order::Transposed }
    }

    /// Converts from the order of the file to ours, in place.
    pub fn to_ours(&self, values: &mut [f32]) {
        match self.order {
            Order::Same => {}
            Order::Transposed => {
                values.copy_from_slice(&transpose(values, self.shape[0], self.shape[1]));
            }
            Order::ByHead { heads } => exchange(values, heads, 3),
        }
    }

    /// Converts from our order to the order of the file, in place.
    pub fn to_file(&self, values: &mut [f32]) {
        match self.order {
            Order::Same => {}
            Order::Transposed => {
                values.copy_from_slice(&transpose(values, self.shape[1], self.shape[0]));
            }
            Order::ByHead { heads } => exchange(values, 3, heads),
        }
    }
}

/// `[outer, inner, …]` to `[inner, outer, …]`.
fn exchange(values: &mut [f32], outer: usize, inner: usize) {
    let before = values.to_vec();
    let size = values.len() / (outer * inner);
    for (place, values) in values.chunks_exact_mut(size.max(1)).enumerate() {
        let from = (place % outer * inner + place / outer) * size;
        values.copy_from_slice(&before[from..from + size]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_can_be_undone() {
        let orders = [Order::Same, Order::Transposed, Order::ByHead { heads: 2 }];
        let values: Vec<f32> = (0..24).map(|x| x as f32).collect();
        for order in orders {
            let tensor = FileTensor { name: "x".into(), shape: vec![12, 2], order };
            let mut changed = values.clone();
            tensor.to_ours(&mut changed);
            assert_eq!(changed == values, order == Order::Same);
            tensor.to_file(&mut changed);
            assert_eq!(changed, values, "{order:?}");
        }
    }

    #[test]
    fn heads_become_queries_keys_and_values() {
        // Two heads of size 2 and one input: query 1, 2, key 3, 4, value 5, 6; then the second.
        let mut values: Vec<f32> = (1..=12).map(|x| x as f32).collect();
        let tensor = FileTensor { name: "x".into(), shape: vec![12, 1], order: Order::ByHead { heads: 2 } };
        tensor.to_ours(&mut values);
        assert_eq!(values, [1.0, 2.0, 7.0, 8.0, 3.0, 4.0, 9.0, 10.0, 5.0, 6.0, 11.0, 12.0]);
    }
}
