//! [`NamedParam`]: a parameter of a head, which has a name in files.

use burn::module::Param;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;

/// Parameters with their names.
pub(crate) type NamedParams<'a> = Vec<(String, NamedParam<'a>)>;

/// A parameter of a head. Linear layers and norms are stored as `<name>.weight` and `<name>.bias`, all others as
/// `<name>`.
pub(crate) enum NamedParam<'a> {
    /// Stored `[out, in]`.
    Linear(&'a mut Linear),
    Norm(&'a mut LayerNorm),
    Vector(&'a mut Param<Tensor<1>>),
    /// Stored without transposition.
    Matrix(&'a mut Param<Tensor<2>>),
}
