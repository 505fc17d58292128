//! The number of parameters that a stage trains.

use dph_core::Style;
use dph_model::decoder::ParamKey;
use dph_model::fits;

use crate::experiment::{Experiment, Stage, Trainable};
use crate::model::source::ModelSource;

/// The number of parameters of the language model and of the head that a stage trains.
pub(crate) fn trained(experiment: &Experiment, stage: &Stage, source: &ModelSource) -> usize {
    let ModelSource { family, config, .. } = source;
    let named = |key: ParamKey, patterns: &[String]| {
        let tensors = family.tensors(key, config);
        tensors.iter().any(|tensor| patterns.iter().any(|pattern| fits(pattern, &tensor.name)))
    };
    let lora = &experiment.model.lora;
    let parameters_of = |key: ParamKey| {
        let shape = config.shape(key);
        let size: usize = shape.iter().product();
        match experiment.trainable(stage) {
            Trainable::None => 0,
            Trainable::All => size,
            Trainable::Embeddings => match key {
                ParamKey::Embedding
                | ParamKey::InputProjection
                | ParamKey::HeadProjection
                | ParamKey::Head => size,
                _ => 0,
            },
            Trainable::Lora => match (key, &shape[..]) {
                (ParamKey::Block(..), [outputs, inputs])
                    if lora.targets.is_empty() || named(key, &lora.targets) =>
                {
                    lora.rank * (outputs + inputs)
                }
                _ => 0,
            },
        }
    };
    let keys = config.param_keys().into_iter().filter(|&key| !named(key, &stage.freeze));
    let of_head = match stage.objective.trains_head() {
        true => experiment.head_config(config, Style::Chat).parameters(),
        false => 0,
    };
    keys.map(parameters_of).sum::<usize>() + of_head
}
