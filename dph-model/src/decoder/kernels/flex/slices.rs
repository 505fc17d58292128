//! From burn's tensors to slices.

use burn::backend::{BackendTypes, Flex};
use burn::tensor::{DType, Tensor};

use super::matrix::Matrix;

/// The tensor of the flex backend.
pub(super) type Primitive = <Flex as BackendTypes>::FloatTensorPrimitive;

/// The primitive of an f32 tensor on flex without a gradient, or `None`.
pub(super) fn primitive<const D: usize>(tensor: Tensor<D>) -> Option<Primitive> {
    let primitive = tensor.try_into_primitive::<Flex>().ok()?;
    (primitive.dtype() == DType::F32).then_some(primitive)
}

/// Like [`primitive`], with a contiguous storage.
pub(super) fn compact<const D: usize>(tensor: Tensor<D>) -> Option<Primitive> {
    primitive(tensor).map(|primitive| primitive.to_contiguous())
}

/// All elements of a compact primitive.
pub(super) fn elements(primitive: &Primitive) -> &[f32] {
    primitive.storage::<f32>()
}

/// A matrix with its strides; `None` for negative strides.
pub(super) fn matrix(primitive: &Primitive) -> Option<Matrix<'_>> {
    let layout = primitive.layout();
    let (shape, strides) = (layout.shape(), layout.strides());
    Some(Matrix {
        data: primitive.storage::<f32>().get(layout.start_offset()..)?,
        rows: shape[0],
        cols: shape[1],
        row_stride: usize::try_from(strides[0]).ok()?,
        col_stride: usize::try_from(strides[1]).ok()?,
    })
}
