//! The evaluation at the end of a run, or of several runs together.

use std::path::Path;
use std::sync::Arc;

use dph_core::PreferenceHead;
use dph_data::{ChatTokenizer, TextLayout};
use dph_eval::{
    Bench, BenchOptions, BenchProgress, BenchStep, CACHE_FILE, ClassifierModel, Model, NamedHead,
    OpenOptions, bench, bench_classifier, bench_heads,
};

use crate::data::evaluation_data::EvaluationData;
use crate::data::task_cache::DataSource;
use crate::error::TrainError;
use crate::progress::StageProgress;
use crate::run::context::RunContext;
use crate::run::evaluation_plan::{chosen_scorers, evaluation_options};

/// Evaluates the models in these directories in one pass. They must have the same language model and either all have a head
/// or all have none. `data` is the data of the context's plan for their tokenizer. The scores of finished batches are kept in the
/// directory `dir` of the run or sweep.
pub(crate) fn evaluate(
    context: &RunContext<'_>,
    data: &EvaluationData,
    model_dirs: &[&Path],
    dir: &Path,
) -> Result<Vec<Bench>, TrainError> {
    let (experiment, device) = (context.experiment, &context.device);
    let none = || Ok(vec![Bench::new(&experiment.name); model_dirs.len()]);
    let Some(first) = model_dirs.first().filter(|_| !context.plan.tasks.is_empty()) else { return none() };
    let options = experiment.model.open_options();
    if experiment.classifies() {
        return model_dirs.iter().map(|dir| evaluate_classifier(context, data, dir, &options)).collect();
    }
    let mut model = Model::open_parts(first, device, &options, data.tokenizer.clone())?;
    model.name = experiment.name.clone();
    let mut options = context.evaluation_options(&model.tokenizer, true);
    // After a stage without a head there are no rewards.
    options.scorers = chosen_scorers(experiment, model.head.is_some(), model.backbone.has_output());
    options.loaded = data.tasks.clone();
    options.cache = Some(dir.join(CACHE_FILE));

    let mut progress = StageProgress::new("evaluation", "tokens");
    let mut show = |at: BenchProgress<'_>| show(&mut progress, at);
    let found = if model.head.is_none() {
        vec![bench(&model, &context.plan, &options, &mut show)?; model_dirs.len()]
    } else {
        let named = |dir: &&Path| -> Result<NamedHead, TrainError> {
            let (head, config) = PreferenceHead::load(dir, device)?;
            Ok(NamedHead { name: experiment.name.clone(), head, config })
        };
        let heads = model_dirs.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        bench_heads(&model, &heads, &context.plan, &options, &mut show)?
    };
    progress.finish();
    if let Some(bench) = found.first() {
        bench.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    }
    Ok(found)
}

/// Evaluates the classifier in a directory.
fn evaluate_classifier(
    context: &RunContext<'_>,
    data: &EvaluationData,
    dir: &Path,
    options: &OpenOptions,
) -> Result<Bench, TrainError> {
    let mut model = ClassifierModel::open(dir, &context.device, options)?;
    model.name = context.experiment.name.clone();
    let mut options = context.evaluation_options(&model.tokenizer, model.classifier.config().causal);
    options.loaded = data.tasks.clone();
    let mut progress = StageProgress::new("evaluation", "tokens");
    let found = bench_classifier(&model, &context.plan, &options, &mut |at| show(&mut progress, at))?;
    progress.finish();
    found.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    Ok(found)
}

fn show(progress: &mut StageProgress, at: BenchProgress<'_>) {
    if matches!(at.step, BenchStep::Scoring(_)) {
        progress.set_total(at.overall.tokens_total as u64);
        progress.advance(at.overall.tokens_done as u64);
    }
}

impl RunContext<'_> {
    /// The options of the evaluation of a model with this tokenizer.
    fn evaluation_options(&self, tokenizer: &Arc<ChatTokenizer>, is_causal: bool) -> BenchOptions {
        let layout = TextLayout::of_model(is_causal);
        let source = DataSource { root: self.data, tokenizer, context: 0, layout };
        evaluation_options(self.experiment, &source)
    }
}
