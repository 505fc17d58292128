//! Gradients, adapters and new tokens.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Gradients, Tensor};
use dph_model::{Backbone, LoraConfig};

use crate::configs::{VOCAB, causal, flex, floats, log_probs};

#[test]
fn the_loss_changes_along_its_gradient_as_the_gradient_says() {
    for (name, config) in causal() {
        let model = Backbone::init(&config.to_string(), 3, &flex().autodiff()).unwrap();
        let gradients = log_probs(&model).sum().backward();
        let mut length = SquaredLength { gradients: &gradients, sum: 0.0 };
        let model = model.map(&mut length);
        let norm = length.sum.sqrt();
        let step = 1e-3;
        let at = |by: f64| {
            let moved = model.clone().map(&mut Step { gradients: &gradients, by: by / norm });
            f64::from(floats(log_probs(&moved).sum())[0])
        };
        let slope = (at(step) - at(-step)) / (2.0 * step);
        assert!((slope - norm).abs() < 0.02 * norm, "{name}: {slope} and {norm}");
    }
}

/// Sums up the squares of all gradients; every parameter must have one.
struct SquaredLength<'a> {
    gradients: &'a Gradients,
    sum: f64,
}

impl ModuleMapper for SquaredLength<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = param.val().grad(self.gradients).expect("every parameter has a gradient");
        self.sum += gradient.into_data().iter::<f64>().map(|x| x * x).sum::<f64>();
        param
    }
}

/// Goes so far along the gradient.
struct Step<'a> {
    gradients: &'a Gradients,
    by: f64,
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = param.val().grad(self.gradients).unwrap();
        let (data, device) = (param.val().into_data(), param.val().device());
        let moved: Vec<f32> = data
            .iter::<f32>()
            .zip(gradient.into_data().iter::<f64>())
            .map(|(value, gradient)| value + (gradient * self.by) as f32)
            .collect();
        let data = burn::tensor::TensorData::new(moved, param.val().dims());
        Param::from_tensor(Tensor::from_data(data, &device))
    }
}

#[test]
fn more_tokens_leave_the_scores_of_the_old_ones_as_they_were() {
    for (name, config) in causal() {
        let old = Backbone::init(&config.to_string(), 3, &flex()).unwrap();
        let new = old.with_vocab(VOCAB + 3, 1).unwrap();
        assert_eq!((new.vocab(), new.config().context), (VOCAB + 3, old.config().context), "{name}");
        let row = |model: &Backbone, token: usize| -> Vec<f32> {
            let embedding = model.decoder.embedding.val();
            let width = embedding.dims()[1];
            floats(embedding)[token * width..(token + 1) * width].to_vec()
        };
        assert_eq!(row(&new, VOCAB - 1), row(&old, VOCAB - 1), "{name}");
        // More tokens share the probability.
        let worse = floats(log_probs(&new)).iter().zip(floats(log_probs(&old))).all(|(new, old)| *new < old);
        assert!(worse, "{name}");
    }
}

#[test]
fn adapters_of_every_family_change_nothing_at_first() {
    for (name, config) in causal() {
        let model = Backbone::init(&config.to_string(), 3, &flex().autodiff()).unwrap();
        let before = floats(log_probs(&model));
        let adapted = model.with_lora(&LoraConfig { rank: 2, ..LoraConfig::default() }, 1).unwrap();
        let after = floats(log_probs(&adapted));
        assert!(before.iter().zip(after).all(|(before, after)| (before - after).abs() < 1e-5), "{name}");
        assert!(adapted.parameters_like(&["norm".into(), "ln_".into()]).is_err(), "{name}");
    }
}
