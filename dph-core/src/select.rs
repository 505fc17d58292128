//! Selection of rows by indices that lie in host memory.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// The rows of a tensor at these indices, in their order: `[n, …]` to `[indices, …]`. Gradients flow through it.
///
/// # Panics
///
/// If an index is not below `n`, on devices that check it.
pub fn select_rows<const D: usize>(tensor: Tensor<D>, indices: impl IntoIterator<Item = usize>) -> Tensor<D> {
    let indices = index_tensor(indices, &tensor.device());
    tensor.select(0, indices)
}

/// Indices as a tensor, `[indices]`.
pub fn index_tensor(indices: impl IntoIterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let indices: Vec<i32> = indices.into_iter().map(|index| index as i32).collect();
    let count = indices.len();
    Tensor::from_data(TensorData::new(indices, [count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_the_order_of_the_indices() {
        let rows = Tensor::<2>::from_data([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], &Device::flex());
        let selected = select_rows(rows.clone(), [2, 0, 2]);
        selected.into_data().assert_eq(&TensorData::from([[4.0f32, 5.0], [0.0, 1.0], [4.0, 5.0]]), true);
        assert_eq!(select_rows(rows, []).dims(), [0, 2]);
    }
}
