//! The number of parameters that a stage trains.

use dph_core::Style;
use dph_data::Task;
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
    let of_layer =
        if stage.objective.classify.is_some() { classification_layer(experiment, stage, source) } else { 0 };
    keys.map(parameters_of).sum::<usize>() + of_head + of_layer
}

/// The parameters of the classification layer that `trainable` does not count: of a causal language model a matrix; of an encoder the
/// layer with its bias, if it is a new one, and with a frozen model the pooler.
fn classification_layer(experiment: &Experiment, stage: &Stage, source: &ModelSource) -> usize {
    let config = &source.config;
    let outputs =
        stage.mix.keys().find_map(|name| Some(Task::find(name).ok()?.classes()?.outputs())).unwrap_or(0);
    if config.causal {
        return outputs * config.d_model;
    }
    let layer = outputs * (config.d_model + 1);
    let pooler = config.d_model * (config.d_model + 1);
    match (experiment.trainable(stage), config.pooler) {
        (Trainable::All, Some(pooler)) if pooler.labels > 0 => 0,
        (Trainable::All, _) => layer,
        _ => layer + pooler,
    }
}
