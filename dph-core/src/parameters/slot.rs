//! [`Slot`]: a weight of a head by the name that it has in a file.

use burn::module::Param;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;

/// Weights with their names.
pub(crate) type Slots<'a> = Vec<(String, Slot<'a>)>;

/// A place for weights. Linear layers and norms are stored as `<name>.weight` and `<name>.bias`, everything else under
/// its name alone.
pub(crate) enum Slot<'a> {
    /// Stored `[out, in]`.
    Linear(&'a mut Linear),
    Norm(&'a mut LayerNorm),
    Vector(&'a mut Param<Tensor<1>>),
    /// Stored as it is.
    Matrix(&'a mut Param<Tensor<2>>),
}
