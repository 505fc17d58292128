//! Parts of the tensors of a backend.

use std::ops::Range;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::Slice;

/// A range of one dimension.
pub(super) fn part<B: Backend>(tensor: FloatTensor<B>, dim: usize, range: Range<usize>) -> FloatTensor<B> {
    if range == (0..tensor.shape()[dim]) {
        return tensor;
    }
    let slices = slices::<B>(&tensor, dim, range);
    B::float_slice(tensor, &slices)
}

/// Adds to a range of one dimension.
pub(super) fn add_part<B: Backend>(
    all: FloatTensor<B>,
    dim: usize,
    range: Range<usize>,
    part: FloatTensor<B>,
) -> FloatTensor<B> {
    let slices = slices::<B>(&all, dim, range);
    let sum = B::float_add(B::float_slice(all.clone(), &slices), part);
    B::float_slice_assign(all, &slices, sum)
}

/// A range of one dimension, and all of the others.
fn slices<B: Backend>(tensor: &FloatTensor<B>, dim: usize, range: Range<usize>) -> Vec<Slice> {
    let mut slices: Vec<Slice> = tensor.shape().iter().map(|&size| Slice::from(0..size)).collect();
    slices[dim] = Slice::from(range);
    slices
}

/// The tensors in a row along a dimension.
pub(super) fn concatenate<B: Backend>(mut tensors: Vec<FloatTensor<B>>, dim: usize) -> FloatTensor<B> {
    match tensors.len() {
        1 => tensors.remove(0),
        _ => B::float_cat(tensors, dim),
    }
}

/// Ranges of at most `most` numbers, and at least 1, that cover `0..count`.
pub(super) fn chunks(count: usize, most: usize) -> impl DoubleEndedIterator<Item = Range<usize>> {
    let most = most.clamp(1, count.max(1));
    (0..count.div_ceil(most)).map(move |index| index * most..((index + 1) * most).min(count))
}
