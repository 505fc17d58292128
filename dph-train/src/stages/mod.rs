//! The kinds of stages: each turns a model directory into an export.

pub(crate) mod data;
mod head;
mod language;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use dph_core::{Batch, CandidateSet, DphObjective, PreferenceHeadConfig, TargetTokens};
use dph_data::{ChatTokenizer, draw_distractor, plan_set_batches};
use dph_model::{Backbone, DecoderConfig};

use crate::experiment::{Experiment, Keep, Negatives, Stage};
use crate::features::{Features, KeptFeatures};
use crate::optimiser::LaPropConfig;
use crate::trainer::{self, Reading, StageTraining};
use crate::{StageProgress, TrainError};
use data::StageData;
use head::{GoldSets, HeadSettings, HeadTrainer, Pairs};
use language::LanguageTrainer;

/// Padded tokens in a micro-batch of language-model training.
const TOKEN_BUDGET: usize = 4096;
/// Tokens (or candidates, where one vector is kept of each) in a forward pass of the head in validation.
const CHUNK: usize = 8192;

/// What every stage of a run shares.
pub(crate) struct StageContext<'a> {
    pub experiment: &'a Experiment,
    /// Root of the data sets.
    pub data: &'a Path,
    pub device: &'a Device,
    /// The run's metrics file.
    pub journal: &'a Path,
    /// Where features are cached.
    pub features: &'a Path,
}

impl StageContext<'_> {
    /// Runs a stage on the model in `model_dir` and writes its result into `export`, a directory that exists.
    ///
    /// `checkpoints` is the stage's own directory of checkpoints.
    pub fn run(
        &self,
        stage: &Stage,
        model_dir: &Path,
        checkpoints: &Path,
        export: &Path,
    ) -> Result<(), TrainError> {
        match (&stage.objective.dph, &stage.objective.sft) {
            (Some(objective), None) => self.train_head(stage, *objective, model_dir, checkpoints, export),
            (None, Some(_)) => self.train_language_model(stage, model_dir, checkpoints, export),
            _ => unreachable!("the experiment was checked: a stage has one objective"),
        }
    }

    fn train_head(
        &self,
        stage: &Stage,
        objective: DphObjective,
        model_dir: &Path,
        checkpoints: &Path,
        export: &Path,
    ) -> Result<(), TrainError> {
        let seed = self.experiment.seed;
        let backbone = Backbone::load(model_dir, self.device)?;
        let model_hash = dph_model::content_hash(model_dir)?;
        let tokenizer = ChatTokenizer::from_dir(model_dir)?;
        let config = head_config(self.experiment, backbone.config());
        config.check()?;
        let kept = config.aggregation.kept();

        let StageData { training, mixture, validation } =
            StageData::load(stage, seed, self.data, &tokenizer, backbone.context())?;
        let features = |data: &dph_data::TaskData| {
            let label = format!("features {} {}", data.task, data.split);
            Features::compute(self.features, &backbone, &model_hash, &kept, &data.sets, &label)
        };
        let validation = validation
            .iter()
            .map(|data| Ok(gold_sets(&data.sets, &features(data)?)))
            .collect::<Result<Vec<_>, TrainError>>()?;
        let training: Vec<(Vec<CandidateSet>, Features)> = training
            .into_iter()
            .map(|data| features(&data).map(|features| (data.sets, features)))
            .collect::<Result<_, _>>()?;
        drop(backbone);

        let head = config.init(seed, self.device);
        let head = head.with_statistics(training.iter().flat_map(|(_, features)| features.vectors()));
        let (batch, negatives) = (stage.batch, stage.negatives);
        let pairs = move |step: usize| {
            let mut pairs = Pairs { step, ..Pairs::default() };
            for item in (step - 1) * batch..step * batch {
                let item = mixture.item(item as u64);
                let (sets, features) = &training[item.dataset];
                let set = &sets[item.row];
                let gold = set.gold.expect("only sets with a gold answer are kept");
                let rejected: Vec<usize> = match negatives {
                    Negatives::One => draw_distractor(set, seed, item.epoch).into_iter().collect(),
                    Negatives::All => (0..set.candidates.len()).filter(|&other| other != gold).collect(),
                };
                for other in rejected {
                    features.read(item.row, set, gold, &mut pairs.chosen);
                    features.read(item.row, set, other, &mut pairs.rejected);
                }
            }
            pairs
        };
        let settings = HeadSettings { objective, clip: clip(stage), seed };
        let model = HeadTrainer::new(head, settings);
        let trained = trainer::train(
            model,
            pairs,
            validation,
            stage.keep == Keep::Best,
            self.training(stage, checkpoints, head::READINGS, "accuracy"),
        )?;
        dph_eval::export_head(export, &trained.head, &config, model_dir, &model_hash)?;
        Ok(())
    }

    fn train_language_model(
        &self,
        stage: &Stage,
        model_dir: &Path,
        checkpoints: &Path,
        export: &Path,
    ) -> Result<(), TrainError> {
        let seed = self.experiment.seed;
        let backbone = Backbone::load(model_dir, self.device)?;
        let tokenizer = ChatTokenizer::from_dir(model_dir)?;
        let StageData { training, mixture, validation } =
            StageData::load(stage, seed, self.data, &tokenizer, backbone.context())?;

        let pad = backbone.pad_token();
        let batches = move |sets: &[CandidateSet]| -> Vec<Batch> {
            plan_set_batches(sets, TOKEN_BUDGET)
                .iter()
                .map(|batch| Batch::pack(batch.iter().map(|&set| &sets[set]), TargetTokens::Turn, pad))
                .collect()
        };
        let validation: Vec<Batch> =
            validation.iter().flat_map(|data| batches(&answers(&data.sets))).collect();
        let training: Vec<Vec<CandidateSet>> = training.iter().map(|data| answers(&data.sets)).collect();
        let batch = stage.batch;
        let step = move |step: usize| {
            let items = (step - 1) * batch..step * batch;
            let sets: Vec<CandidateSet> = items
                .map(|item| mixture.item(item as u64))
                .map(|item| training[item.dataset][item.row].clone())
                .collect();
            batches(&sets)
        };
        let model = LanguageTrainer::new(backbone, clip(stage));
        let trained = trainer::train(
            model,
            step,
            validation,
            stage.keep == Keep::Best,
            self.training(stage, checkpoints, language::READINGS, "loss"),
        )?;
        trained.backbone.save(export)?;
        copy_tokenizer(model_dir, export)
    }

    fn training<'a>(
        &self,
        stage: &'a Stage,
        checkpoints: &'a Path,
        readings: &'static [Reading],
        best_by: &'static str,
    ) -> StageTraining<'a>
    where
        Self: 'a,
    {
        let optimiser = &stage.optimiser;
        StageTraining {
            checkpoints,
            journal: self.journal,
            stage: &stage.name,
            steps: stage.steps,
            steps_per_round: stage.validation.every,
            readings,
            best_by,
            device: self.device.clone(),
            optimiser: LaPropConfig {
                betas: optimiser.betas,
                eps: optimiser.eps,
                weight_decay: optimiser.weight_decay,
                decay_towards: optimiser.decay_towards,
                amsgrad: false,
            }
            .init(),
            schedule: stage.schedule.scheduler(optimiser.lr, stage.steps),
            renderer: Box::new(StageProgress::new(format!("stage {}", stage.name), "steps")),
        }
    }
}

/// The configuration of the experiment's head on a backbone.
pub(crate) fn head_config(experiment: &Experiment, backbone: &DecoderConfig) -> PreferenceHeadConfig {
    let head = &experiment.head;
    PreferenceHeadConfig {
        d_model: backbone.d_model,
        d_ffn: backbone.d_ffn,
        aggregation: head.aggregation.clone(),
        standardise: head.standardise,
        pooling: head.pooling,
        dropout: head.dropout,
        rewards: head.rewards.clone(),
        bias: head.bias,
    }
}

fn clip(stage: &Stage) -> Option<f64> {
    (stage.clip > 0.0).then_some(stage.clip)
}

/// Every set with its gold answer alone.
fn answers(sets: &[CandidateSet]) -> Vec<CandidateSet> {
    sets.iter()
        .filter_map(|set| {
            let answer = set.candidates.get(set.gold?)?.clone();
            Some(CandidateSet { candidates: vec![answer], gold: Some(0), ..set.clone() })
        })
        .collect()
}

/// The sets of a task as one validation batch.
fn gold_sets(sets: &[CandidateSet], features: &Features) -> GoldSets {
    let mut kept = vec![KeptFeatures::default()];
    let mut ranges = Vec::new();
    let mut start = 0;
    for (index, set) in sets.iter().enumerate() {
        if kept.last().is_some_and(|last| last.tokens() >= CHUNK) {
            kept.push(KeptFeatures::default());
        }
        for candidate in 0..set.candidates.len() {
            kept.iter_mut().last().into_iter().for_each(|last| features.read(index, set, candidate, last));
        }
        let gold = set.gold.expect("only sets with a gold answer are kept");
        ranges.push((start..start + set.candidates.len(), start + gold));
        start += set.candidates.len();
    }
    GoldSets { kept: kept.into(), sets: ranges }
}

/// The files beside the weights that a model directory needs.
const TOKENIZER_FILES: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "added_tokens.json",
    "chat_template.jinja",
];

pub(crate) fn copy_tokenizer(from: &Path, to: &Path) -> Result<(), TrainError> {
    for name in TOKENIZER_FILES {
        let source: PathBuf = from.join(name);
        if source.is_file() {
            std::fs::copy(&source, to.join(name)).map_err(|error| TrainError::io(&source, error))?;
        }
    }
    Ok(())
}
