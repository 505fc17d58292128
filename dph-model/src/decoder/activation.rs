//! [`Activation`]: the nonlinearity of a feed-forward network.

use burn::tensor::{Tensor, activation};

/// `√(2/π)`, of the approximate GELU.
pub(crate) const GELU_TANH_SCALE: f32 = 0.797_884_6;
/// Coefficient of the cube in the approximate GELU.
pub(crate) const GELU_TANH_CUBE: f32 = 0.044_715;
/// Slope of the sigmoid in the quick GELU.
pub(crate) const QUICK_GELU_SLOPE: f32 = 1.702;

/// The activation of a feed-forward network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)`.
    Silu,
    /// The exact GELU, with the error function (Hendrycks and Gimpel, arXiv 1606.08415).
    Gelu,
    /// The approximation `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`, `gelu_new` in Hugging Face.
    GeluTanh,
    /// The approximation `x · sigmoid(1.702 x)`, `quick_gelu` in Hugging Face.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// Applies it to every element.
    pub fn forward(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Silu => activation::silu(x),
            Self::Gelu => activation::gelu(x),
            Self::GeluTanh => {
                // `(1 + tanh(u)) / 2` is `sigmoid(2u)`.
                let cube = x.clone() * x.clone() * x.clone() * GELU_TANH_CUBE;
                let inner = (x.clone() + cube) * (2.0 * GELU_TANH_SCALE);
                x * activation::sigmoid(inner)
            }
            Self::QuickGelu => x.clone() * activation::sigmoid(x * QUICK_GELU_SLOPE),
            Self::Relu => activation::relu(x),
        }
    }
}
