//! Stages that train only a head, on cached features of a frozen backbone.

use std::path::Path;
use std::sync::Arc;

use dph_core::CandidateSet;
use dph_data::TaskData;
use dph_eval::BackboneReference;

use super::data::StageData;
use super::groups::head_optimiser;
use super::head::{GoldSets, HeadSettings, HeadStep, HeadTrainer};
use super::probes::Probe;
use super::{StageContext, sample_negatives};
use crate::cache::features::{Features, SelectedFeatures};
use crate::cache::reference::Reference;
use crate::error::TrainError;
use crate::experiment::{Keep, Stage};
use crate::trainer;

/// Number of tokens in a forward pass of the head in validation (number of candidates if each has one vector).
const CHUNK: usize = 8192;

impl StageContext<'_> {
    /// Trains a head for the model in `model_dir`. The model is not changed.
    pub(super) fn train_head(
        &self,
        stage: &Stage,
        data: StageData,
        model_dir: &Path,
        checkpoints: &Path,
        export: &Path,
    ) -> Result<(), TrainError> {
        let seed = self.experiment.seed;
        let backbone = self.backbone(model_dir)?;
        let model_hash = dph_model::content_hash(model_dir)?;
        let config = self.experiment.head_config(backbone.config(), data.style);
        config.check()?;
        let selection = stage.objective.selection(&config.aggregation);

        let StageData { training, order, step_tokens, validation, .. } = data;
        let features = |data: &TaskData| {
            let label = format!("features {} {}", data.task, data.split);
            Features::compute(self.features, &backbone, &model_hash, &selection, &data.sets, &label)
        };
        let hash = stage.objective.needs_reference().then_some(&*model_hash);
        let validation = validation
            .iter()
            .map(|data| {
                let probe = |set: &CandidateSet, place| Probe::draw(&stage.objective, set, place, seed, 0);
                Ok(gold_sets(
                    &data.sets,
                    &features(data)?,
                    &self.reference_of_all(&backbone, hash, data)?,
                    probe,
                ))
            })
            .collect::<Result<Vec<_>, TrainError>>()?;
        let used = order.need_reference(stage, &training);
        let training: Vec<(Arc<TaskData>, Features, Reference)> = training
            .into_iter()
            .zip(&used)
            .map(|(data, used)| {
                let features = features(&data)?;
                let reference = self.reference(&backbone, hash, &data, used)?;
                Ok((data, features, reference))
            })
            .collect::<Result<_, TrainError>>()?;
        let precision = backbone.precision();
        drop(backbone);

        let head = config.init(seed, self.device);
        let head = head.with_statistics(training.iter().flat_map(|(_, features, _)| features.vectors()));
        let (negatives, objective) = (stage.negatives, stage.objective.clone());
        let step = move |step: usize| {
            let mut inputs = HeadStep { step, ..HeadStep::default() };
            let mut first = 0;
            for item in order.items(step) {
                let (data, features, reference) = &training[item.dataset];
                let set = &data.sets[item.row];
                let gold = set.gold.expect("sets without a gold answer were removed");
                let candidates = sample_negatives(set, negatives, seed, item.epoch);
                for &candidate in &candidates {
                    features.read(item.row, set, candidate, &mut inputs.features);
                    inputs.log_likelihoods.extend(reference.mean(item.row, set, candidate));
                }
                let gold = candidates.iter().position(|&candidate| candidate == gold).unwrap_or(0);
                inputs.probes.extend(Probe::draw(&objective, set, (first, gold), seed, item.epoch));
                inputs.sets.push((first..first + candidates.len(), gold));
                inputs.attributes.push(set.attributes.clone());
                inputs.ids.push(set.id.clone());
                first += candidates.len();
            }
            inputs
        };
        let guard = trainer::NonFiniteGuard::default();
        let settings = HeadSettings {
            objective: stage.objective.clone(),
            rewards: config.rewards.clone(),
            clip: super::clip(stage),
            seed,
            guard: guard.clone(),
        };
        let model = HeadTrainer::new(head, settings);
        let (optimiser, schedule) = head_optimiser(stage, step_tokens, &model);
        let training = self.training(stage, checkpoints, optimiser, schedule, guard);
        let trained = trainer::train(model, step, validation, stage.keep == Keep::Best, training)?;
        let reference = BackboneReference::new(export, model_dir, model_hash)?.with_precision(precision);
        Ok(dph_eval::export_head(export, &trained.head, &config, &reference)?)
    }
}

/// All sets of a task as one validation batch.
fn gold_sets(
    sets: &[CandidateSet],
    features: &Features,
    reference: &Reference,
    probe: impl Fn(&CandidateSet, (usize, usize)) -> Option<Probe>,
) -> GoldSets {
    let (mut chunks, mut probes, mut log_likelihoods) = (Vec::new(), Vec::new(), Vec::new());
    let (mut chunk, mut of_chunk) = (SelectedFeatures::default(), Vec::new());
    let mut ranges = Vec::new();
    let (mut first, mut first_of_chunk) = (0, 0);
    for (index, set) in sets.iter().enumerate() {
        if chunk.tokens() >= CHUNK {
            chunks.push(std::mem::take(&mut chunk));
            probes.push(std::mem::take(&mut of_chunk));
            first_of_chunk = first;
        }
        for candidate in 0..set.candidates.len() {
            features.read(index, set, candidate, &mut chunk);
            log_likelihoods.extend(reference.mean(index, set, candidate));
        }
        let gold = set.gold.expect("sets without a gold answer were removed");
        ranges.push((first..first + set.candidates.len(), gold));
        of_chunk.extend(probe(set, (first - first_of_chunk, gold)));
        first += set.candidates.len();
    }
    chunks.push(chunk);
    probes.push(of_chunk);
    let attributes = sets.iter().map(|set| set.attributes.clone()).collect();
    GoldSets { features: chunks.into(), sets: ranges, attributes, log_likelihoods, probes }
}
