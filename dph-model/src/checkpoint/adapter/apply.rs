//! [`Adapter`]: the weights of an adapter, and how they change those of its base.

use std::path::Path;

use super::classifier::is_classification_layer;
use super::config::AdapterConfig;
use super::names::{Part, part, resolve};
use super::weights::adapter_weights;
use crate::checkpoint::delta::Delta;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::file_names::ADAPTER_CONFIG_FILE;
use crate::checkpoint::reward_layer::is_of_reward_layer;
use crate::checkpoint::tensors::Tensors;

/// An adapter, and how it changes the tensors of its base.
#[derive(Debug)]
pub(crate) struct Adapter<'a> {
    pub dir: &'a Path,
    pub config: &'a AdapterConfig,
}

impl Adapter<'_> {
    /// Changes the tensors of its base.
    pub fn apply(&self, base: &mut Tensors) -> Result<(), CheckpointError> {
        let (path, format) = adapter_weights(self.dir)?;
        let own = Tensors::open_file(&path, format)?;
        let mut replaced = Vec::new();
        for (name, _) in own.iter() {
            match part(name) {
                Part::Down { module, up, embedding } => {
                    if own.info(&up).is_none() {
                        return Err(self.wrong(format!(
                            "it has the tensor {name}, but not {up}; fetch the adapter again"
                        )));
                    }
                    let (target, delta) = self.delta(base, &own, &module, (name, &up), embedding)?;
                    base.adapt(&target, delta);
                }
                // Read with the other matrix.
                Part::Up => {}
                Part::Magnitude => {
                    return Err(self.wrong("DoRA is not supported; merge the adapter with PEFT".into()));
                }
                Part::Whole(target) => {
                    let target = match resolve(&target, base) {
                        Some(target) => target,
                        // Trainers of tied models and of reward models save layers that the base lacks.
                        None if is_output(&target) => target,
                        None => {
                            let problem = format!(
                                "its tensor {name} is no matrix of LoRA (lora_A, lora_B), and the model has no tensor {target}"
                            );
                            return Err(self.misfit(base, problem));
                        }
                    };
                    let found = own.info(name).map(|info| &info.shape);
                    let shape = base.info(&target).map(|info| &info.shape);
                    if let (Some(found), Some(shape)) = (found, shape)
                        && found != shape
                        && !is_output(&target)
                    {
                        return Err(self.misfit(
                            base,
                            format!("its tensor {name} has the shape {found:?}, but {target} is {shape:?}"),
                        ));
                    }
                    replaced.push((name.to_string(), target));
                }
            }
        }
        if own.iter().next().is_none() {
            return Err(self.wrong("it has no tensors; fetch it again".into()));
        }
        if self.config.is_classifier() {
            let mut names = base.iter().map(|(name, _)| name).chain(replaced.iter().map(|(_, ours)| &**ours));
            if !names.any(is_classification_layer) {
                return Err(self.wrong(
                    "it was trained as a classifier or a reward model (`task_type` = \"SEQ_CLS\"), but neither it nor its base has the layer \
                     `score` (`classifier` of an encoder), which transformers would fill with random numbers; fetch the adapter again, or save \
                     it with this layer in `modules_to_save`"
                        .into(),
                ));
            }
        }
        let is_in = |name: &str, module: &str| format!(".{name}").contains(&format!(".{module}."));
        let is_missing = |module: &&str| {
            base.iter().any(|(name, _)| is_in(name, module))
                && !replaced.iter().any(|(_, ours)| is_in(ours, module))
        };
        if let Some(module) = self.config.whole_modules().find(is_missing) {
            return Err(self.wrong(format!(
                "it lacks the module {module}, which `modules_to_save` of {ADAPTER_CONFIG_FILE} names; fetch the adapter again"
            )));
        }
        let has_output =
            base.iter().map(|(name, _)| name).chain(replaced.iter().map(|(_, ours)| &**ours)).any(is_output);
        if let (Some((name, _)), false) = (replaced.iter().find(|(_, ours)| is_embedding(ours)), has_output) {
            return Err(self.wrong(format!(
                "it has its own embedding {name}, but the output matrix of its base is the embedding, which PEFT leaves as it was; merge the adapter with PEFT, with `tie_word_embeddings` = false"
            )));
        }
        let is_classifier =
            self.config.is_classifier() || replaced.iter().any(|(_, ours)| is_classification_layer(ours));
        base.add_adapter(own, &replaced);
        if is_classifier {
            // The class has no output matrix.
            base.retain(|name| !is_output_matrix(name));
        }
        Ok(())
    }

    /// The matrix that a module adapts, and what is added to it.
    fn delta(
        &self,
        base: &Tensors,
        own: &Tensors,
        module: &str,
        (down, up): (&str, &str),
        embedding: bool,
    ) -> Result<(String, Delta), CheckpointError> {
        if let Some(key) = self.config.excluding(module) {
            return Err(self.wrong(format!(
                "it has the tensor {down}, but `{key}` of {ADAPTER_CONFIG_FILE} leaves this module out, so PEFT would not use the tensor; are \
                 both files of one adapter?"
            )));
        }
        let weight = format!("{module}.weight");
        let target = resolve(&weight, base);
        let target = target.ok_or_else(|| self.misfit(base, format!("the model has no tensor {weight}")))?;
        let shape = |name: &str| match own.info(name).map(|info| (&info.shape[..], &info.element)) {
            Some((_, element)) if !element.is_readable() => {
                Err(self.wrong(format!("the tensor {name} is of the type {element}, which cannot be read")))
            }
            Some((&[rows, columns], _)) => Ok([rows, columns]),
            _ => Err(self.wrong(format!("the tensor {name} is not a matrix"))),
        };
        let ([rank, inputs], [outputs, other]) = (shape(down)?, shape(up)?);
        if rank != other {
            return Err(self.wrong(format!("the ranks of {down} and {up} differ ({rank} and {other})")));
        }
        if let Some(stated) = self.config.other_rank(rank) {
            return Err(self.wrong(format!(
                "{down} has the rank {rank}, but {ADAPTER_CONFIG_FILE} says {stated}; are both files of one adapter?"
            )));
        }
        let mut delta = Delta {
            a: down.into(),
            b: up.into(),
            inputs,
            outputs,
            rank,
            scale: self.config.scale(module, rank) as f32,
            // An embedding is a matrix [tokens, size] and its matrices are for the transposed one.
            transposed: embedding || is_conv1d(module),
        };
        let found = base.info(&target).map(|info| info.shape.clone()).unwrap_or_default();
        if delta.shape() != found[..] {
            delta.transposed = !delta.transposed;
        }
        match delta.shape() == found[..] {
            true => Ok((target, delta)),
            false => Err(self.misfit(
                base,
                format!("it adapts a matrix of {outputs} × {inputs} in {module}, but {target} is {found:?}"),
            )),
        }
    }

    fn wrong(&self, problem: String) -> CheckpointError {
        CheckpointError::Adapter { dir: self.dir.into(), problem }
    }

    fn misfit(&self, base: &Tensors, problem: String) -> CheckpointError {
        let base = base.path().display();
        self.wrong(format!("{problem}; is {base} the model that it was trained on?"))
    }
}

/// Whether a module of the first GPTs is a `Conv1D`, whose matrix is `[inputs, outputs]`. PEFT looks at the module as well, and corrects
/// `fan_in_fan_out` of the configuration.
fn is_conv1d(module: &str) -> bool {
    ["c_attn", "c_proj", "c_fc"].contains(&module.rsplit('.').next().unwrap_or(module))
}

/// Whether a tensor is the embedding of the tokens.
fn is_embedding(name: &str) -> bool {
    ["embed_tokens.weight", "wte.weight", "embed_in.weight", "tokens_embed.weight"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Whether a tensor is an output matrix, or a reward or classification layer in its place.
fn is_output(name: &str) -> bool {
    is_of_reward_layer(name)
        || is_output_matrix(name)
        || is_classification_layer(name)
        || name == "classifier.bias"
}

fn is_output_matrix(name: &str) -> bool {
    ["lm_head.weight", "embed_out.weight"].iter().any(|end| name.ends_with(end))
}
