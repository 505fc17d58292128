//! Gradient clipping by the norm of all gradients together.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Scales the gradients of a module so that the Euclidean norm of all gradients together is at most `max_norm`. Returns the
/// scaled gradients and the norm before scaling, like `torch.nn.utils.clip_grad_norm_`.
pub fn clip_by_global_norm<M: Module>(
    module: &M,
    grads: GradientsParams,
    max_norm: Option<f64>,
) -> (GradientsParams, f64) {
    let mut norm = SquaredNorm { grads: &grads, sum: 0.0 };
    module.visit(&mut norm);
    let norm = norm.sum.sqrt();
    match max_norm {
        // PyTorch adds the same constant.
        Some(max_norm) if norm > max_norm => {
            let mut scale = Scale { grads, factor: max_norm / (norm + 1e-6) };
            module.visit(&mut scale);
            (scale.grads, norm)
        }
        _ => (grads, norm),
    }
}

struct SquaredNorm<'a> {
    grads: &'a GradientsParams,
    sum: f64,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            self.sum += f64::from(grad.square().sum().into_scalar::<f32>());
        }
    }
}

struct Scale {
    grads: GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads.register(param.id, grad * self.factor);
        }
    }
}
