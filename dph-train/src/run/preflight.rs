//! [`Preflights`]: checks an experiment against the model's `config.json`, the tokenizer and the data before the first stage
//! runs, and for `--dry-run`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use dph_core::Style;
use dph_core::terminal::numbers::bytes;
use dph_data::{ClassifiedText, DataError, Kind, Message, Task, TextLayout};
use dph_eval::{BASE, BenchPlan};
use dph_model::{CheckpointError, check_lora, check_patterns, classifier_class};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use crate::data::evaluation_data::EvaluationData;
use crate::data::task_cache::{DataSource, TaskCache};
use crate::error::TrainError;
use crate::estimate::memory::{LargestBatch, stage_memory, weights_memory};
use crate::experiment::{Experiment, Model, Stage, Trainable};
use crate::model::source::ModelSource;
use crate::run::evaluation_plan::{evaluation_options, evaluation_plan};
use crate::stages::data::StageData;
use crate::stages::groups::unused_settings;

/// The reason for a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A run requires the model, the data and enough memory for the weights.
    Run,
    /// A forecast does not require them.
    Forecast,
}

/// The result of a check: everything that the run needs.
pub(crate) struct Preflight {
    pub device: Device,
    /// The plan of the evaluation.
    pub plan: BenchPlan,
    /// The model; `None` if it does not exist.
    pub source: Option<Arc<ModelSource>>,
    /// Warnings about stages: memory that the machine may not have, settings without effect, batches that are larger than their data.
    pub warnings: Vec<String>,
    /// The data of the run; empty for a forecast.
    pub data: RunData,
}

/// The data of a run.
#[derive(Default)]
pub(crate) struct RunData {
    /// The data of each stage.
    pub stages: Vec<StageData>,
    /// The data of the evaluations before the first stage and after single stages.
    pub after: BTreeMap<String, EvaluationData>,
    /// The data of the evaluation at the end.
    pub last: EvaluationData,
}

/// Checks experiments. Experiments with the same model read it only once, and share data in memory.
pub(crate) struct Preflights<'a> {
    data: &'a Path,
    purpose: Purpose,
    sources: Vec<(SourceKey<'a>, Option<Arc<ModelSource>>)>,
    cache: TaskCache,
}

impl<'a> Preflights<'a> {
    /// `data` is the root of the data sets for experiments without `data`.
    pub fn new(data: &'a Path, purpose: Purpose) -> Self {
        Self { data, purpose, sources: Vec::new(), cache: TaskCache::default() }
    }

    /// Checks an experiment.
    ///
    /// # Errors
    ///
    /// The first problem that is found.
    pub fn check(&mut self, experiment: &'a Experiment) -> Result<Preflight, TrainError> {
        let data = experiment.data.as_deref().unwrap_or(self.data);
        let device = dph_core::device(&experiment.device)?;
        let plan = evaluation_plan(experiment)?;
        let source = self.source(experiment, data)?;
        let mut warnings = match &source {
            Some(source) => check_model(experiment, source, &plan, self.purpose)?,
            None => Vec::new(),
        };
        let is_frozen = |stage: &&Stage| {
            experiment.trainable(stage) == Trainable::None && stage.objective.classify.is_none()
        };
        warnings.extend(experiment.stages.iter().filter(is_frozen).filter_map(unused_settings));
        let loaded = match (self.purpose, &source) {
            (Purpose::Run, Some(source)) => self.load(experiment, &plan, data, source)?,
            _ => RunData::default(),
        };
        let stages = experiment.stages.iter().zip(&loaded.stages);
        warnings.extend(stages.filter_map(|(stage, data)| data.warning(stage)));
        Ok(Preflight { device, plan, source, warnings, data: loaded })
    }

    /// Loads the data of all stages and evaluations, so that unusable data is found before the first stage.
    fn load(
        &mut self,
        experiment: &Experiment,
        plan: &BenchPlan,
        root: &Path,
        source: &ModelSource,
    ) -> Result<RunData, TrainError> {
        let Some(tokenizer) = source.tokenizer() else { return Ok(RunData::default()) };
        let from = |tokenizer| source.data(root, tokenizer);
        let mut loaded = RunData::default();
        let after = &experiment.eval.after;
        let evaluation = |from: DataSource<'_>, cache: &mut TaskCache| {
            EvaluationData::load(plan, &evaluation_options(experiment, &from), from, cache)
        };
        if after.iter().any(|name| name == BASE) {
            let from = from(source.stage_tokenizer(0).unwrap_or(tokenizer));
            loaded.after.insert(BASE.into(), evaluation(from, &mut self.cache)?);
        }
        for (index, stage) in experiment.stages.iter().enumerate() {
            let from = from(source.stage_tokenizer(index).unwrap_or(tokenizer));
            loaded.stages.push(StageData::load(stage, experiment, from, &mut self.cache)?);
            if after.contains(&stage.name) {
                loaded.after.insert(stage.name.clone(), evaluation(from, &mut self.cache)?);
            }
        }
        loaded.last = evaluation(from(tokenizer), &mut self.cache)?;
        Ok(loaded)
    }

    fn source(
        &mut self,
        experiment: &'a Experiment,
        data: &'a Path,
    ) -> Result<Option<Arc<ModelSource>>, TrainError> {
        let key = SourceKey::new(experiment, data);
        if let Some((_, source)) = self.sources.iter().find(|(other, _)| *other == key) {
            return Ok(source.clone());
        }
        let source = match self.purpose {
            Purpose::Run => Some(ModelSource::read(experiment, data)?),
            Purpose::Forecast => ModelSource::read_local(experiment, data)?,
        };
        let source = source.map(Arc::new);
        self.sources.push((key, source.clone()));
        Ok(source)
    }
}

/// The settings on which a [`ModelSource`] depends.
#[derive(PartialEq)]
struct SourceKey<'a> {
    model: &'a Model,
    data: &'a Path,
    added: Vec<&'a [String]>,
}

impl<'a> SourceKey<'a> {
    fn new(experiment: &'a Experiment, data: &'a Path) -> Self {
        let added = experiment.stages.iter().map(|stage| &stage.add_tokens[..]).collect();
        Self { model: &experiment.model, data, added }
    }
}

/// Checks an experiment against its model. Returns warnings.
fn check_model(
    experiment: &Experiment,
    source: &ModelSource,
    plan: &BenchPlan,
    purpose: Purpose,
) -> Result<Vec<String>, TrainError> {
    let ModelSource { family, config, .. } = source;
    check_encoder(experiment, source)?;
    let mut warnings = check_classes(experiment, source, plan)?;
    for stage in &experiment.stages {
        if stage.objective.trains_language() && !source.has_output {
            return Err(TrainError::NoOutput { stage: stage.name.clone() });
        }
        if stage.objective.trains_head() {
            let head = experiment.head_config(config, Style::Chat);
            head.check()?;
            head.aggregation.check_layers(config.n_layers)?;
        }
        check_patterns(family, config, &stage.freeze)?;
        if experiment.trainable(stage) == Trainable::Lora {
            check_lora(family, config, &experiment.model.lora)?;
        }
    }
    check_tokenizer(experiment, source)?;
    check_styles(experiment, source)?;
    warnings.extend(check_memory(experiment, source, purpose)?);
    Ok(warnings)
}

/// An encoder can only be trained as a classifier.
fn check_encoder(experiment: &Experiment, source: &ModelSource) -> Result<(), TrainError> {
    let other = experiment.stages.iter().find(|stage| stage.objective.classify.is_none());
    match other.filter(|_| !source.config.causal) {
        Some(stage) => Err(TrainError::Encoder {
            stage: stage.name.clone(),
            objective: stage.objective.keys().join("`, `"),
            model_type: source.family.model_type(),
        }),
        None => Ok(()),
    }
}

/// Checks that the tasks of a classifier have the outputs of the model, unless it gets a new layer, and that it can be evaluated at the end.
/// Returns warnings.
fn check_classes(
    experiment: &Experiment,
    source: &ModelSource,
    plan: &BenchPlan,
) -> Result<Vec<String>, TrainError> {
    let mut outputs = source.labels.clone();
    for stage in &experiment.stages {
        let Some(objective) = stage.objective.classify else { continue };
        let model_type = source.family.model_type();
        if source.config.causal && classifier_class(model_type).is_none() {
            return Err(CheckpointError::NoClass { model_type }.into());
        }
        for name in stage.mix.keys() {
            let task = Task::find(name)?;
            let Some(classes) = task.classes() else {
                return Err(DataError::NoClassify { task: name.clone() }.into());
            };
            let fits = |outputs: &Vec<String>| outputs.len() == classes.outputs();
            if let Some(outputs) = outputs.as_ref().filter(|outputs| !objective.new_layer && !fits(outputs)) {
                return Err(TrainError::Classes {
                    stage: stage.name.clone(),
                    outputs: outputs.clone(),
                    task: name.clone(),
                    classes: classes.clone(),
                });
            }
            outputs = outputs.filter(|_| !objective.new_layer).or_else(|| Some(classes.labels()));
        }
    }
    let last = experiment.stages.last().filter(|stage| stage.objective.classify.is_some());
    match outputs.filter(|_| last.is_some()) {
        Some(outputs) => Ok(plan.check_classes(&experiment.name, &outputs)?),
        None => Ok(Vec::new()),
    }
}

/// Checks that the model's vocabulary contains the tokens of a conversation and that its context is long enough.
fn check_tokenizer(experiment: &Experiment, source: &ModelSource) -> Result<(), TrainError> {
    let Some(tokenizer) = source.tokenizer() else { return Ok(()) };
    if let Some(stage) = experiment.stages.iter().find(|stage| stage.objective.classify.is_some()) {
        let (context, layout) = (source.config.context, TextLayout::of_model(source.config.causal));
        let texts = ClassifiedText { first: "a".into(), second: Some("a".into()) };
        let (shortest, _) = tokenizer.classified_text(&texts, layout, None)?;
        if shortest.tokens.len() > context {
            let (stage, tokens) = (stage.name.clone(), shortest.tokens.len());
            return Err(TrainError::NoRoomForTexts { stage, tokens, context });
        }
    }
    let is_text = |stage: &Stage| {
        let classifies = stage.objective.classify.is_some();
        let is_plain = experiment.stage_style(stage, tokenizer) == Style::Plain;
        classifies
            || is_plain
            || stage.mix.keys().all(|task| Task::find(task).is_ok_and(|task| task.kind == Kind::Text))
    };
    let has_chat = !experiment.classifies() && experiment.eval_style(tokenizer) == Style::Chat;
    let evaluates = evaluates(experiment) && has_chat;
    let tokens = match experiment.stages.iter().all(is_text) && !evaluates {
        true => tokenizer.encode_text("text")?,
        false => tokenizer.prompt(&[Message::user("text")])?,
    };
    // A stage with `add_tokens` extends the model's vocabulary to the size of the tokenizer's vocabulary.
    let grows = experiment.stages.iter().any(|stage| !stage.add_tokens.is_empty());
    let vocab = if grows { source.config.vocab.max(tokenizer.vocab_size()) } else { source.config.vocab };
    if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocab) {
        return Err(TrainError::OtherTokenizer { token, vocab });
    }
    let context = source.config.context;
    match tokens.len() >= context {
        true => Err(TrainError::NoRoom { tokens: tokens.len(), context }),
        false => Ok(()),
    }
}

fn evaluates(experiment: &Experiment) -> bool {
    !experiment.eval.tasks.is_empty() || !experiment.eval.suites.is_empty()
}

/// Rejects a head that is trained in one style and evaluated in another.
fn check_styles(experiment: &Experiment, source: &ModelSource) -> Result<(), TrainError> {
    let Some(tokenizer) = source.tokenizer().filter(|_| evaluates(experiment)) else { return Ok(()) };
    let last = experiment.stages.last().map(|stage| &stage.name);
    for (index, stage) in experiment.stages.iter().enumerate() {
        let is_evaluated = Some(&stage.name) == last || experiment.eval.after.contains(&stage.name);
        let tokenizer = source.stage_tokenizer(index).unwrap_or(tokenizer);
        let (style, eval) = (experiment.stage_style(stage, tokenizer), experiment.eval_style(tokenizer));
        if stage.objective.trains_head() && is_evaluated && style != eval {
            return Err(TrainError::Style { stage: stage.name.clone(), style, eval });
        }
    }
    Ok(())
}

/// Rejects a model whose weights do not fit into the memory of this machine. Returns a warning for each stage whose estimated
/// memory does not fit. The memory of a GPU is unknown and not checked.
fn check_memory(
    experiment: &Experiment,
    source: &ModelSource,
    purpose: Purpose,
) -> Result<Vec<String>, TrainError> {
    let on_host = experiment.device == "flex" || experiment.device == "libtorch";
    let kind = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let total = System::new_with_specifics(kind).total_memory();
    if !on_host || total == 0 {
        return Ok(Vec::new());
    }
    let weights = weights_memory(experiment, &source.config);
    if weights > total {
        let error = TrainError::DoesNotFit { needed: bytes(weights), total: bytes(total) };
        return match purpose {
            Purpose::Run => Err(error),
            Purpose::Forecast => Ok(vec![error.to_string()]),
        };
    }
    let warning = |stage: &Stage| {
        let batch = LargestBatch::estimate(experiment, stage, &source.config, 0);
        let needed = stage_memory(experiment, stage, source, batch);
        (needed > total).then(|| {
            format!(
                "stage `{}` may need about {} of memory, but this machine has {}; a smaller `micro_batch`, \
                 `gradient_checkpointing`, `trainable = \"lora\"` or `decay_towards = \"zero\"` reduces the memory",
                stage.name,
                bytes(needed),
                bytes(total)
            )
        })
    };
    Ok(experiment.stages.iter().filter_map(warning).collect())
}
