//! Stages that train the language model: preparation, training and export.

use std::path::Path;

use burn::module::Module;
use dph_core::{HeadFileError, PreferenceHead};
use dph_eval::pass::{RowLayout, check_sets};
use dph_model::Backbone;

use super::StageContext;
use super::batches::Batches;
use super::data::StageData;
use super::groups::{optimiser, part_of_model};
use super::joint::{JointSettings, JointTrainer};
use super::joint_batch::JointStep;
use crate::error::TrainError;
use crate::experiment::{Keep, Stage, Trainable};
use crate::model::tokenizer::copy_tokenizer;
use crate::trainer;

impl StageContext<'_> {
    /// Trains the language model in `model_dir`, and the head if the objective trains one.
    pub(super) fn fine_tune(
        &self,
        stage: &Stage,
        data: StageData,
        model_dir: &Path,
        checkpoints: &Path,
        export: &Path,
    ) -> Result<(), TrainError> {
        let seed = self.experiment.seed;
        copy_tokenizer(model_dir, export)?;
        let backbone = self.backbone(model_dir)?;
        let backbone = match stage.add_tokens.is_empty() {
            true => backbone,
            false => {
                dph_data::add_special_tokens(export, &stage.add_tokens)?;
                let vocab = data.tokenizer.vocab_size().max(backbone.vocab());
                if vocab > backbone.vocab() { backbone.with_vocab(vocab, seed)? } else { backbone }
            }
        };
        data.training
            .iter()
            .chain(&data.validation)
            .try_for_each(|data| check_sets(&backbone, &data.sets))?;

        let head_config = self.experiment.head_config(backbone.config(), data.style);
        let head = match stage.objective.trains_head() {
            true => Some(match PreferenceHead::load(model_dir, self.device) {
                Ok((head, config)) if config == head_config => head,
                Ok(_) | Err(HeadFileError::Missing { .. }) => head_config.init(seed, self.device),
                Err(error) => return Err(error.into()),
            }),
            false => None,
        };
        let batches = self.batches(stage, &backbone, model_dir, &data)?;
        let reference = stage.objective.kl.as_ref().map(|_| backbone.clone().no_grad());
        let backbone = self.learning(stage, backbone)?;

        let StageData { order, step_tokens, validation, .. } = data;
        let validation = validation
            .iter()
            .enumerate()
            .flat_map(|(task, data)| batches.validation_batches(task, data))
            .collect();
        let step = move |step: usize| {
            let items = order.items(step).map(|item| (item.dataset, item.row, item.epoch));
            let items: Vec<_> = items.collect();
            JointStep { step, parts: batches.training_batches(&items) }
        };
        let settings = JointSettings {
            objective: stage.objective.clone(),
            head: head_config.clone(),
            reference,
            clip: super::clip(stage),
            seed,
            gradient_checkpointing: stage.gradient_checkpointing,
            guard: trainer::NonFiniteGuard::default(),
        };
        let guard = settings.guard.clone();
        let model = JointTrainer::new(backbone, head, settings);
        let names = model.backbone.parameter_names();
        let (optimiser, schedule) = optimiser(stage, step_tokens, &model, names, part_of_model);
        let training = self.training(stage, checkpoints, optimiser, schedule, guard);
        let trained = trainer::train(model, step, validation, stage.keep == Keep::Best, training)?;
        trained.backbone.save(export)?;
        if let Some(head) = &trained.head {
            head.save(&head_config, export)?;
        }
        Ok(())
    }

    /// Freezes the parameters that the stage does not train, and adds adapters.
    fn learning(&self, stage: &Stage, backbone: Backbone) -> Result<Backbone, TrainError> {
        let frozen = match stage.freeze.is_empty() {
            true => None,
            false => Some(backbone.parameters_like(&stage.freeze)?),
        };
        let backbone = match self.experiment.trainable(stage) {
            Trainable::None => backbone.freeze(),
            Trainable::All => backbone,
            Trainable::Embeddings => {
                let embeddings = backbone.embedding_parameters();
                backbone.freeze().unfreeze_group(embeddings)
            }
            Trainable::Lora => backbone.with_lora(&self.experiment.model.lora, self.experiment.seed)?,
        };
        Ok(match frozen {
            Some(group) => backbone.freeze_group(group),
            None => backbone,
        })
    }

    fn batches(
        &self,
        stage: &Stage,
        backbone: &Backbone,
        model_dir: &Path,
        data: &StageData,
    ) -> Result<Batches, TrainError> {
        let hash = match stage.objective.needs_reference() {
            true => Some(dph_model::content_hash(model_dir)?),
            false => None,
        };
        let hash = hash.as_deref();
        let used = data.order.need_reference(stage, &data.training);
        let of_training = data.training.iter().zip(&used);
        let of_training = of_training.map(|(data, used)| self.reference(backbone, hash, data, used));
        let of_validation = data.validation.iter().map(|data| self.reference_of_all(backbone, hash, data));
        Ok(Batches {
            objective: stage.objective.clone(),
            compares: stage.objective.compares(),
            packs: !stage.objective.compares() && !stage.objective.trains_head(),
            answers: stage.answers,
            negatives: stage.negatives,
            seed: self.experiment.seed,
            budget: stage.micro_batch,
            layout: RowLayout::new(backbone),
            references: of_training.collect::<Result<_, _>>()?,
            validation_references: of_validation.collect::<Result<_, _>>()?,
            training: data.training.clone(),
        })
    }
}
