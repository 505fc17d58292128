//! [`TensorInfo`]: shape and type of a tensor.

use super::element::ElementType;

/// Shape and type of a tensor in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its shape, outermost axis first.
    pub shape: Vec<usize>,
    /// The type of its numbers.
    pub element: ElementType,
}
