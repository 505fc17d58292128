//! [`TensorInfo`]: shape and type of a tensor.

use super::element::ElementType;

/// What a tensor looks like in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its shape, outermost axis first.
    pub shape: Vec<usize>,
    /// How its numbers are kept.
    pub element: ElementType,
}
