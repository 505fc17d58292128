//! [`bench_classifier`]: a classifier on benchmark tasks.

use dph_core::{CandidateScores, CandidateSet, Scorer};
use dph_data::{Classes, TaskData, plan_set_batches};
use dph_model::ClassNames;

use crate::bench::error::BenchError;
use crate::bench::evaluate::{Bench, BenchProgress, BenchStep, choices};
use crate::bench::options::BenchOptions;
use crate::bench::plan::{BenchPlan, PlannedTask};
use crate::bench::scored_sets::ScoredSets;
use crate::bench::summary::summarise;
use crate::model::ClassifierModel;
use crate::pass::Progress;
use crate::results::DocumentScores;
use crate::scorer_choice::ScorerChoice;

/// Evaluates a classifier or regressor on every task of a plan by the scorer [`Scorer::Classifier`]. The candidates of a task are its
/// classes.
///
/// All data is loaded before the first text is classified. Texts that exceed the model's context lose their last tokens.
///
/// # Errors
/// Data that is missing or invalid; a task without a table `[classify]`, or with other classes; other scorers.
pub fn bench_classifier(
    model: &ClassifierModel,
    plan: &BenchPlan,
    options: &BenchOptions,
    progress: &mut dyn FnMut(BenchProgress<'_>),
) -> Result<Bench, BenchError> {
    if options.scorers.iter().any(|scorer| *scorer != ScorerChoice::Classifier) || options.few_shot > 0 {
        return Err(BenchError::ClassifierAlone);
    }
    let warnings = plan.check_classes(&model.name, &model.classifier.labels())?;
    let options = &BenchOptions { classify: Some(model.layout()), ..options.clone() };
    let context = model.classifier.config().context;
    let sets = ScoredSets::load(&model.tokenizer, context, plan, options, &mut |planned| {
        progress(BenchProgress { step: BenchStep::Loading(planned), overall: Progress::default() });
    })?;
    let tokens = |data: &TaskData| data.sets.iter().map(|set| set.prompt.len()).sum::<usize>();
    let mut overall = Progress {
        total: sets.tasks.iter().map(|data| data.sets.len()).sum(),
        tokens_total: sets.tasks.iter().map(|data| tokens(data)).sum(),
        ..Progress::default()
    };
    let mut bench = Bench { warnings, ..Bench::new(&model.name) };
    let scorers = [Scorer::Classifier];
    for (planned, data) in plan.tasks.iter().zip(&sets.tasks) {
        let mut documents = vec![None; data.sets.len()];
        for batch in plan_set_batches(&data.sets, options.token_budget) {
            let texts: Vec<&CandidateSet> = batch.iter().map(|&index| &data.sets[index]).collect();
            let outputs = model.outputs(&texts).map_err(|error| planned.unscorable(error.into()))?;
            for (&index, outputs) in batch.iter().zip(outputs) {
                documents[index] = Some(outputs);
            }
            overall.done += batch.len();
            overall.tokens_done += texts.iter().map(|set| set.prompt.len()).sum::<usize>();
            progress(BenchProgress { step: BenchStep::Scoring(&plan.tasks), overall });
        }
        let documents = of_task(model, planned, data, documents.into_iter().flatten().collect());
        bench.add_scorer(&scorers[0].to_string());
        bench.add_documents(planned, data, &[], &scorers, documents);
    }
    summarise(&mut bench.results, &bench.documents, plan, &[], &scorers);
    Ok(bench)
}

impl BenchPlan {
    /// Checks that a classifier with these outputs can be evaluated on the tasks. A task without a table `[classify]` is an error when it is
    /// loaded. Returns warnings about classes that are compared by their position, since their names differ.
    ///
    /// # Errors
    /// A task with another number of classes, or with some of the names in other places.
    pub fn check_classes(&self, model: &str, outputs: &[String]) -> Result<Vec<String>, BenchError> {
        let mut warnings = Vec::new();
        for planned in &self.tasks {
            let Some(classes) = planned.task.classes() else { continue };
            let names = match classes {
                Classes::Named(names) => ClassNames::compare(names, outputs),
                Classes::Number => ClassNames::Same,
            };
            let task = &planned.task.name;
            if classes.outputs() != outputs.len() || names == ClassNames::Partly {
                return Err(BenchError::Classes {
                    model: model.to_owned(),
                    outputs: outputs.to_vec(),
                    task: task.clone(),
                    classes: classes.clone(),
                });
            }
            if names == ClassNames::Other {
                warnings.push(format!(
                    "the classes of `{model}` are {}, and the task `{task}` needs {classes}: they are compared by their position; if the \
                     model has them in another order, correct `id2label` in its config.json",
                    outputs.join(", ")
                ));
            }
        }
        Ok(warnings)
    }
}

/// The documents of a task, given the outputs for each.
fn of_task(
    model: &ClassifierModel,
    planned: &PlannedTask,
    data: &TaskData,
    outputs: Vec<Vec<f64>>,
) -> Vec<DocumentScores> {
    let scores = |(set, outputs): (&CandidateSet, &Vec<f64>)| -> Vec<CandidateScores> {
        let class =
            |value: f64| CandidateScores { class: Some(value), loglik: f64::NAN, ..Default::default() };
        match planned.task.classes() {
            Some(Classes::Named(names)) => {
                let sum = outputs.iter().map(|logit| logit.exp()).sum::<f64>().ln();
                model.order(names).into_iter().map(|place| class(outputs[place] - sum)).collect()
            }
            _ => (0..set.candidates.len()).map(|place| class(-(outputs[0] - place as f64).powi(2))).collect(),
        }
    };
    let scores: Vec<_> = data.sets.iter().zip(&outputs).map(scores).collect();
    let mut documents = choices(planned, data, &[], &scores);
    if planned.task.classes() == Some(&Classes::Number) {
        for (document, outputs) in documents.iter_mut().zip(&outputs) {
            document.predicted = Some(outputs[0]);
        }
    }
    documents
}
