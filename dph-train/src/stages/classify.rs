//! Stages that train a classifier or regressor of texts: preparation, training and export.

use std::path::Path;
use std::sync::Arc;

use burn::module::{Module, ParamGroup};
use dph_core::CandidateSet;
use dph_data::{Classes, TaskData, plan_batches};
use dph_model::{ModelFiles, Text, TextClassifier, class_order};

use super::StageContext;
use super::classifier::{
    ClassifierSettings, ClassifierStep, ClassifierTrainer, Inputs, LabelledTexts, Labels, best_by, metrics,
};
use super::data::StageData;
use super::groups::{Part, is_adapter, optimiser};
use crate::error::TrainError;
use crate::experiment::{Keep, Stage, Trainable};
use crate::model::tokenizer::copy_tokenizer;
use crate::progress::StageProgress;
use crate::trainer;

/// Number of texts in a forward pass of the layer alone, in validation.
const CHUNK: usize = 1024;

impl StageContext<'_> {
    /// Trains the model in `model_dir` as a classifier of the texts of the stage's tasks.
    pub(super) fn train_classifier(
        &self,
        stage: &Stage,
        data: StageData,
        model_dir: &Path,
        checkpoints: &Path,
        export: &Path,
    ) -> Result<(), TrainError> {
        let seed = self.experiment.seed;
        let objective = stage.objective.classify.unwrap_or_default();
        copy_tokenizer(model_dir, export)?;
        let files = ModelFiles::open(model_dir)?;
        let classes = data.classes.clone().unwrap_or(Classes::Number);
        let labels = classes.labels();
        let classifier =
            TextClassifier::load_or_new(&files, &labels, objective.new_layer, seed, self.device)?;
        let order = class_order(&labels, &classifier.labels());

        let budget = stage.micro_batch;
        let frozen = self.experiment.trainable(stage) == Trainable::None;
        let source = |data: &[Arc<TaskData>]| Source::new(data, &classes, &order, budget);
        let (mut training, mut validation) = (source(&data.training), source(&data.validation));
        if frozen {
            training.compute(&classifier, "features of the training texts")?;
            validation.compute(&classifier, "features of the validation texts")?;
        }
        let classifier = self.learning_classifier(stage, classifier)?;
        let validation = validation.batches(&validation.all());
        let StageData { order: in_steps, step_tokens, .. } = data;
        let step = move |step: usize| {
            let items: Vec<(usize, usize)> =
                in_steps.items(step).map(|item| (item.dataset, item.row)).collect();
            ClassifierStep { step, parts: training.batches(&items) }
        };
        let guard = trainer::NonFiniteGuard::default();
        let settings = ClassifierSettings { objective, clip: super::clip(stage), seed, guard: guard.clone() };
        let model = ClassifierTrainer::new(classifier, settings);
        let names = model.classifier.parameter_names();
        let (optimiser, schedule) = optimiser(stage, step_tokens, &model, names, part_of_classifier);
        let numbers = classes == Classes::Number;
        let mut training = self.training(stage, checkpoints, optimiser, schedule, guard);
        (training.metrics, training.best_by) = (metrics(numbers), best_by(numbers));
        let trained = trainer::train(model, step, validation, stage.keep == Keep::Best, training)?;
        Ok(trained.classifier.save(export)?)
    }

    /// Freezes the parameters that the stage does not train, and adds adapters.
    fn learning_classifier(
        &self,
        stage: &Stage,
        classifier: TextClassifier,
    ) -> Result<TextClassifier, TrainError> {
        let frozen = match stage.freeze.is_empty() {
            true => None,
            false => Some(classifier.parameters_like(&stage.freeze)?),
        };
        let with = |classifier: TextClassifier, group: ParamGroup| classifier.unfreeze_group(group);
        let head = classifier.head_parameters();
        let classifier = match self.experiment.trainable(stage) {
            Trainable::None => with(classifier.freeze(), head),
            Trainable::All => classifier,
            Trainable::Embeddings => {
                let embeddings = classifier.embedding_parameters();
                with(with(classifier.freeze(), embeddings), head)
            }
            Trainable::Lora => {
                with(classifier.with_lora(&self.experiment.model.lora, self.experiment.seed)?, head)
            }
        };
        Ok(match frozen {
            Some(group) => classifier.freeze_group(group),
            None => classifier,
        })
    }
}

/// The part of a [`ClassifierTrainer`] to which a parameter belongs. Its head is the classification layer.
fn part_of_classifier(path: &str) -> Part {
    match () {
        () if is_adapter(path) => Part::Adapters,
        () if path.contains(".pooler.dense.") => Part::Pooler,
        () if path.contains(".pooler.classifier.") || path.contains(".layer.") => Part::Head,
        () => Part::Model,
    }
}

/// The texts of a stage with their labels.
struct Source {
    tasks: Vec<Arc<TaskData>>,
    labels: Vec<Labels>,
    /// The features of each task, if they are computed.
    features: Option<Vec<Vec<f32>>>,
    d_model: usize,
    /// Maximum number of tokens in a batch, including padding.
    budget: usize,
}

impl Source {
    fn new(data: &[Arc<TaskData>], classes: &Classes, order: &[usize], budget: usize) -> Self {
        let labels = |data: &Arc<TaskData>| match classes {
            Classes::Named(_) => {
                let class = |set: &CandidateSet| order[set.gold.expect("unlabelled rows were removed")];
                Labels::Classes(data.sets.iter().map(class).collect())
            }
            Classes::Number => {
                let number =
                    |set: &CandidateSet| data.scores.get(&set.id).copied().unwrap_or_default() as f32;
                Labels::Numbers(data.sets.iter().map(number).collect())
            }
        };
        Self {
            labels: data.iter().map(labels).collect(),
            tasks: data.to_vec(),
            features: None,
            d_model: 0,
            budget,
        }
    }

    /// Computes the features of all texts, which do not change while the model is frozen.
    fn compute(&mut self, classifier: &TextClassifier, label: &str) -> Result<(), TrainError> {
        self.d_model = classifier.config().d_model;
        let total: usize = self.tasks.iter().map(|data| data.sets.len()).sum();
        let mut progress = StageProgress::new(label, "texts");
        progress.begin(0, total as u64);
        let (mut all, mut done) = (Vec::new(), 0);
        for data in &self.tasks {
            let mut features = vec![0.0; data.sets.len() * self.d_model];
            let lengths: Vec<usize> = data.sets.iter().map(|set| set.prompt.len()).collect();
            for batch in plan_batches(&lengths, self.budget) {
                let texts: Vec<Text> = batch.iter().map(|&index| Text::from(&data.sets[index])).collect();
                let values: Vec<f32> = classifier.features(&texts)?.into_data().iter::<f32>().collect();
                for (&index, values) in batch.iter().zip(values.chunks(self.d_model)) {
                    features[index * self.d_model..][..self.d_model].copy_from_slice(values);
                }
                done += batch.len() as u64;
                progress.advance(done);
            }
            all.push(features);
        }
        if total > 0 {
            progress.finish();
        }
        self.features = Some(all);
        Ok(())
    }

    /// Every text, as (task, row).
    fn all(&self) -> Vec<(usize, usize)> {
        let of_task =
            |(task, data): (usize, &Arc<TaskData>)| (0..data.sets.len()).map(move |row| (task, row));
        self.tasks.iter().enumerate().flat_map(of_task).collect()
    }

    /// The texts at these places, in batches.
    fn batches(&self, items: &[(usize, usize)]) -> Vec<LabelledTexts> {
        let set = |(task, row): (usize, usize)| &self.tasks[task].sets[row];
        let plan: Vec<Vec<usize>> = match &self.features {
            Some(_) => (0..items.len()).collect::<Vec<_>>().chunks(CHUNK).map(<[usize]>::to_vec).collect(),
            None => {
                let lengths: Vec<usize> = items.iter().map(|&item| set(item).prompt.len()).collect();
                plan_batches(&lengths, self.budget)
            }
        };
        let batch = |batch: &Vec<usize>| {
            let items: Vec<(usize, usize)> = batch.iter().map(|&index| items[index]).collect();
            let inputs = match &self.features {
                Some(features) => {
                    let of_text = |&(task, row): &(usize, usize)| {
                        features[task][row * self.d_model..][..self.d_model].iter().copied()
                    };
                    Inputs::Features(items.iter().flat_map(of_text).collect())
                }
                None => Inputs::Texts(items.iter().map(|&item| Text::from(set(item))).collect()),
            };
            LabelledTexts {
                inputs,
                labels: self.labels_of(&items),
                ids: items.iter().map(|&item| set(item).id.clone()).collect(),
            }
        };
        plan.iter().map(batch).collect()
    }

    fn labels_of(&self, items: &[(usize, usize)]) -> Labels {
        let (mut classes, mut numbers) = (Vec::new(), Vec::new());
        for &(task, row) in items {
            match &self.labels[task] {
                Labels::Classes(of_task) => classes.push(of_task[row]),
                Labels::Numbers(of_task) => numbers.push(of_task[row]),
            }
        }
        if numbers.is_empty() { Labels::Classes(classes) } else { Labels::Numbers(numbers) }
    }
}
