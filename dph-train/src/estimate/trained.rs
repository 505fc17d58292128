//! How many parameters a stage trains.

use dph_model::decoder::Slot;
use dph_model::fits;

use crate::experiment::{Experiment, Stage, Trainable};
use crate::model::source::ModelSource;

/// The parameters that learn in a stage: of the language model, and of the head where it is trained.
pub(crate) fn trained(experiment: &Experiment, stage: &Stage, source: &ModelSource) -> usize {
    let ModelSource { family, config, .. } = source;
    let named = |slot: Slot, patterns: &[String]| {
        let tensors = family.tensors(slot, config);
        tensors.iter().any(|tensor| patterns.iter().any(|pattern| fits(pattern, &tensor.name)))
    };
    let lora = &experiment.model.lora;
    let of_slot = |slot: Slot| {
        let shape = config.shape(slot);
        let size: usize = shape.iter().product();
        match experiment.trainable(stage) {
            Trainable::None => 0,
            Trainable::All => size,
            Trainable::Embeddings => match slot {
                Slot::Embedding | Slot::InputProjection | Slot::HeadProjection | Slot::Head => size,
                _ => 0,
            },
            Trainable::Lora => match (slot, &shape[..]) {
                (Slot::Block(..), [outputs, inputs])
                    if lora.targets.is_empty() || named(slot, &lora.targets) =>
                {
                    lora.rank * (outputs + inputs)
                }
                _ => 0,
            },
        }
    };
    let slots = config.slots().into_iter().filter(|&slot| !named(slot, &stage.freeze));
    let of_head = match stage.objective.trains_head() {
        true => experiment.head_config(config).parameters(),
        false => 0,
    };
    slots.map(of_slot).sum::<usize>() + of_head
}
