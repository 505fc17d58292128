//! [`ScoredSets`]: everything that an evaluation scores.

use std::sync::Arc;

use dph_core::CandidateSet;
use dph_data::{ChatTokenizer, Kind, TaskData};

use crate::bench::error::BenchError;
use crate::bench::mixture::training_documents;
use crate::bench::options::BenchOptions;
use crate::bench::plan::{BenchPlan, PlannedTask};
use crate::scorer_choice::ScorerChoice;
use crate::scoring::Scoring;
use crate::unconditional::unconditional_sets;

/// Everything that an evaluation scores.
pub(crate) struct ScoredSets {
    /// The data of each task of the plan.
    pub tasks: Vec<Arc<TaskData>>,
    /// The answers of the tasks after a prompt without the question, if they are needed.
    pub without: Vec<CandidateSet>,
    /// Training documents, on which the weights of mixtures are chosen.
    pub training: Vec<Arc<TaskData>>,
}

impl BenchOptions {
    /// What is computed for the tasks of a plan: whole texts need likelihoods and nothing else.
    pub(crate) fn scoring(&self, plan: &BenchPlan) -> Scoring {
        let chooses = plan.tasks.iter().any(|planned| !planned.is_of_texts());
        let wants = |is: fn(&ScorerChoice) -> bool| chooses && self.scorers.iter().any(is);
        let measures_texts = plan.tasks.iter().any(PlannedTask::is_of_texts);
        Scoring {
            token_budget: self.token_budget,
            log_likelihood: measures_texts || wants(ScorerChoice::log_likelihood),
            rewards: wants(ScorerChoice::rewards),
            unconditional: wants(ScorerChoice::unconditional),
        }
    }
}

impl ScoredSets {
    /// Loads the data of a plan for a model with this tokenizer and context. `loading` is called before each task.
    ///
    /// # Errors
    /// Data that is missing or invalid; a chat template that refuses a prompt without a question.
    pub fn load(
        tokenizer: &ChatTokenizer,
        context: usize,
        plan: &BenchPlan,
        options: &BenchOptions,
        loading: &mut dyn FnMut(&PlannedTask),
    ) -> Result<Self, BenchError> {
        let mut tasks = Vec::new();
        for (index, planned) in plan.tasks.iter().enumerate() {
            loading(planned);
            tasks.push(match options.loaded.get(index) {
                Some(data) => Arc::clone(data),
                None => Arc::new(planned.load(tokenizer, context, options)?),
            });
        }
        let mixes = options.scorers.iter().any(|choice| choice.mixture().is_some());
        let scoring = options.scoring(plan);
        let training = match scoring.rewards && mixes {
            true => training_documents(tokenizer, context, plan, options)?,
            false => Vec::new(),
        };
        let mut sets = Self { tasks, without: Vec::new(), training };
        if scoring.unconditional {
            let answers = sets.evaluated().zip(sets.is_answer()).filter_map(|(set, is)| is.then_some(set));
            sets.without = unconditional_sets(tokenizer, options.style, answers)?;
        }
        Ok(sets)
    }

    /// The sets of the tasks.
    pub fn evaluated(&self) -> impl Iterator<Item = &CandidateSet> {
        self.tasks.iter().flat_map(|data| &data.sets)
    }

    /// Whether each of these is a choice of answers, and not a window of a text.
    pub fn is_answer(&self) -> impl Iterator<Item = bool> {
        self.tasks.iter().flat_map(|data| std::iter::repeat_n(data.kind != Kind::Text, data.sets.len()))
    }

    /// All sets: those of the tasks, those without a question, those of training.
    pub fn all(&self) -> impl Iterator<Item = &CandidateSet> {
        self.evaluated().chain(&self.without).chain(self.training.iter().flat_map(|data| &data.sets))
    }
}
