//! [`Recompute`]: gradients of a language model block by block, which needs less memory.

use burn::module::Module;
use burn::tensor::{Gradients, Int, Tensor};
use dph_core::{Batch, Layer};

use super::Backbone;
use crate::decoder::{AttentionLayout, Group, InputError, unflatten};

/// A forward pass that stores only the states between blocks (gradient checkpointing, Chen et al., arXiv 1604.06174).
///
/// The backward pass runs every block again, one at a time, so that the activations of only one block are in memory.
#[derive(Debug)]
pub struct Recompute {
    ids: Tensor<2, Int>,
    layout: AttentionLayout,
    /// The input of each block and the output of the last one, `[tokens, d_model]`, detached.
    streams: Vec<Tensor<2>>,
    /// The same tensors with gradients, for the requested layers.
    starts: Vec<Option<Tensor<2>>>,
}

impl Backbone {
    /// Like [`hidden_states`](Self::hidden_states), for training: the states require gradients, but the blocks are
    /// not recorded. [`Recompute::backward`] computes their gradients.
    ///
    /// # Errors
    ///
    /// As for [`hidden_states`](Self::hidden_states).
    pub fn recomputable_states(
        &self,
        batch: &Batch,
        layers: &[Layer],
    ) -> Result<(Vec<Tensor<3>>, Recompute), InputError> {
        let ids = self.checked_ids(batch, layers)?;
        let blocks = self.decoder.blocks_needed(layers);
        // Not the one of `Recompute`, whose tensors require gradients.
        let layout = AttentionLayout::for_batch(batch, self.config());
        let between: Vec<Layer> = (0..=blocks).map(Layer::At).collect();
        let streams = self.decoder.valid().states(ids.clone().inner(), &mut [Group::new(&layout)], &between);

        let mut starts = vec![None; streams.len()];
        let mut start = |index: usize| -> Tensor<2> {
            starts[index].get_or_insert_with(|| streams[index].clone().autodiff().require_grad()).clone()
        };
        let states = layers.iter().map(|layer| match *layer {
            Layer::At(index) => start(index),
            Layer::Last => self.decoder.last(start(blocks)),
        });
        let states = states.map(|states| unflatten(states, batch.rows)).collect();
        Ok((
            states,
            Recompute { ids, layout: AttentionLayout::for_batch(batch, self.config()), streams, starts },
        ))
    }
}

impl Recompute {
    /// Computes the gradients of the parameters that the states depend on, one part of the model at a time. A
    /// parameter may occur in several parts; its gradients must be summed.
    ///
    /// `gradients` are the gradients of a loss with respect to the states, from `backward` on the loss. `model` is
    /// the model that computed the states.
    pub fn backward(self, model: &Backbone, gradients: &mut Gradients, mut add: impl FnMut(Gradients)) {
        let Self { ids, layout, streams, starts } = self;
        let decoder = &model.decoder;
        let mut behind: Option<Tensor<2>> = None;
        for (index, start) in starts.into_iter().enumerate().rev() {
            let own = start.and_then(|start| start.grad_remove(gradients));
            let gradient = match (behind.take(), own) {
                (Some(behind), Some(own)) => behind + own,
                (Some(gradient), None) | (None, Some(gradient)) => gradient,
                (None, None) => continue,
            };
            // The gradient of this product with respect to the output is the given one.
            let backward = |output: Tensor<2>| (output * gradient.autodiff()).sum().backward();
            if index == 0 {
                let embedded = decoder.embed(ids.clone());
                let output = decoder.input.forward(embedded, &layout.host);
                if output.is_tracked() {
                    add(backward(output));
                }
                break;
            }
            let input = streams[index - 1].clone().autodiff().require_grad();
            let block = &decoder.blocks[index - 1];
            let mut gradients = backward(block.forward(input.clone(), &mut [Group::new(&layout)], index - 1));
            behind = input.grad_remove(&mut gradients);
            add(gradients);
        }
    }
}

#[cfg(test)]
mod tests {
    use dph_core::{Candidate, CandidateSet, TargetTokens, select_rows};

    use super::*;
    use crate::decoder::Parameter;

    const MODELS: [&str; 4] = [
        r#"{"model_type": "lswt", "vocab_size": 19, "d_vocab": 4, "d_model": 8, "d_ffn": 8, "n_heads": 2, "n_layers": 3}"#,
        r#"{"model_type": "llama", "vocab_size": 19, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 3,
            "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 32, "rms_norm_eps": 1e-5}"#,
        r#"{"model_type": "gpt_neox", "vocab_size": 19, "hidden_size": 16, "intermediate_size": 8,
            "num_hidden_layers": 3, "num_attention_heads": 2}"#,
        r#"{"model_type": "openai-gpt", "vocab_size": 19, "n_embd": 8, "n_head": 2, "n_layer": 3}"#,
    ];

    fn take(parameter: Parameter<'_>, gradients: &mut Gradients) -> Option<Vec<f32>> {
        let data = match parameter {
            Parameter::Rank1(param) => param.val().grad_remove(gradients)?.into_data(),
            Parameter::Rank2(param) | Parameter::Matrix(param) => {
                param.val().grad_remove(gradients)?.into_data()
            }
            Parameter::Rank3(param) => param.val().grad_remove(gradients)?.into_data(),
        };
        Some(data.try_to_vec().unwrap())
    }

    /// Every parameter's gradient of a loss on these states.
    fn gradients(model: &Backbone, batch: &Batch, layers: &[Layer], recompute: bool) -> Vec<Vec<f32>> {
        let (states, recompute) = match recompute {
            true => {
                let (states, recompute) = model.recomputable_states(batch, layers).unwrap();
                (states, Some(recompute))
            }
            false => (model.hidden_states(batch, layers).unwrap(), None),
        };
        // Of answers alone, as the state of padding is unspecified; the last layer by way of the embedding too.
        let picked = states.iter().map(|states| {
            let [rows, seq, width] = states.dims();
            let answers = batch.targets.iter().map(|target| target.state);
            select_rows(states.clone().reshape([rows * seq, width]), answers).sin().sum()
        });
        let log_probs = model.log_probs(states[states.len() - 1].clone(), &batch.targets);
        let loss = picked.fold(log_probs.sum(), |sum, of_layer| sum + of_layer);
        let mut all = loss.backward();
        let parameters = model.decoder.parameters();
        let mut sums = vec![Vec::new(); parameters.len()];
        let mut add = |gradients: &mut Gradients| {
            for (sum, (_, parameter)) in sums.iter_mut().zip(&parameters) {
                let Some(values) = take(*parameter, gradients) else { continue };
                match sum.is_empty() {
                    true => *sum = values,
                    false => sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
                }
            }
        };
        if let Some(recompute) = recompute {
            recompute.backward(model, &mut all, |mut gradients| add(&mut gradients));
        }
        add(&mut all);
        sums
    }

    #[test]
    fn gradients_are_those_of_a_pass_that_keeps_everything() {
        let candidate = |tokens: &[u32]| Candidate::new(tokens.to_vec(), 1);
        let set = |prompt: &[u32]| CandidateSet {
            prompt: prompt.to_vec(),
            candidates: vec![candidate(&[7, 8, 2]), candidate(&[9, 2])],
            ..CandidateSet::default()
        };
        let sets = [set(&[1, 3, 4, 5]), set(&[1, 6])];
        let device = dph_core::device("flex").unwrap().autodiff();
        for config in MODELS {
            let model = Backbone::init(config, 1, &device).unwrap().train();
            let batch = Batch::pack(&sets, TargetTokens::Answer, model.pad_token());
            for layers in [&[Layer::Last][..], &[Layer::At(0), Layer::At(2), Layer::Last]] {
                let kept = gradients(&model, &batch, layers, false);
                let recomputed = gradients(&model, &batch, layers, true);
                assert!(kept.iter().all(|gradient| gradient.iter().any(|&value| value != 0.0)), "{config}");
                for (index, (kept, recomputed)) in kept.iter().zip(&recomputed).enumerate() {
                    assert_eq!(kept.len(), recomputed.len(), "{config}, parameter {index}");
                    let largest = kept.iter().fold(0f32, |largest, value| largest.max(value.abs()));
                    for (a, b) in kept.iter().zip(recomputed) {
                        assert!((a - b).abs() <= 1e-5 * largest.max(1.0), "{config}, {index}: {a} and {b}");
                    }
                }
            }
        }
    }
}
