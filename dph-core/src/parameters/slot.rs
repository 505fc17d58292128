//! [`Slot`]: a parameter of a head, which has a name in files.

use burn::module::Param;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;

/// Parameters with their names.
pub(crate) type Slots<'a> = Vec<(String, Slot<'a>)>;

/// A parameter of a head. Linear layers and norms are stored as `<name>.weight` and `<name>.bias`, all others as
/// `<name>`.
pub(crate) enum Slot<'a> {
    /// Stored `[out, in]`.
    Linear(&'a mut Linear),
    Norm(&'a mut LayerNorm),
    Vector(&'a mut Param<Tensor<1>>),
    /// Stored without transposition.
    Matrix(&'a mut Param<Tensor<2>>),
}
