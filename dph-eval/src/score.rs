//! [`score`]: the one way from candidate sets to scores.

use std::borrow::Cow;
use std::sync::mpsc;
use std::thread;

use dph_core::{
    Batch, CandidateScores, CandidateSet, Layer, PreferenceHead, PreferenceHeadConfig, TargetTokens,
};
use dph_data::plan_batches;
use dph_model::InputError;

use crate::model::Model;
use crate::model_error::Unscorable;

/// Batches that are laid out ahead of the device.
const AHEAD: usize = 2;
/// Padding is masked, so any token that every vocabulary has will do.
const PADDING: u32 = 0;

/// What is scored, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scoring {
    /// At most so many tokens in a batch, padding included; a single set may have more. More tokens use the device
    /// better and need more memory.
    pub token_budget: usize,
    /// Whether log-likelihoods are wanted. They need the whole model.
    pub log_likelihood: bool,
    /// Whether rewards are wanted. They need the model up to the head's layer.
    pub rewards: bool,
}

impl Default for Scoring {
    fn default() -> Self {
        Self { token_budget: 4096, log_likelihood: true, rewards: true }
    }
}

/// How far scoring has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Sets that are scored.
    pub done: usize,
    /// Sets to be scored.
    pub total: usize,
    /// Tokens of the sets that are scored, each prompt counted once. The time that is left goes by these.
    pub tokens_done: usize,
    /// Tokens of all sets.
    pub tokens_total: usize,
}

/// Sets that cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The model cannot score a set.
    #[error("document {id}: {source}")]
    Set {
        /// The set.
        id: String,
        /// Why.
        source: Unscorable,
    },
    /// The model refuses a batch.
    #[error(transparent)]
    Input(#[from] InputError),
}

/// The scores of every candidate of every set, in their order: in one pass over the model, whose prompt is computed
/// once for all its candidates.
///
/// The log-likelihood is the sum over the answer's tokens, without the end of the turn; it is not a number where it was
/// not asked for. There are no rewards where they were not asked for or the model has no head. `progress` is called
/// after every batch.
///
/// # Errors
///
/// If the model cannot score one of the sets, see [`Model::check`]. All are looked at before the first is scored.
pub fn score(
    model: &Model,
    sets: &[CandidateSet],
    scoring: &Scoring,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Vec<CandidateScores>>, ScoreError> {
    let heads: Vec<HeadRef> = model.head.iter().map(|(head, config)| (head, config)).collect();
    score_heads(model, &heads, sets, scoring, progress)
}

/// A preference head and its configuration.
pub(crate) type HeadRef<'a> = (&'a PreferenceHead, &'a PreferenceHeadConfig);

/// As [`score`], with these heads instead of the model's own. The rewards of one head follow those of the head before.
pub(crate) fn score_heads(
    model: &Model,
    heads: &[HeadRef<'_>],
    sets: &[CandidateSet],
    scoring: &Scoring,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Vec<CandidateScores>>, ScoreError> {
    check(model, sets)?;
    let rows = rows(model, sets);
    let mut state = workload(model, sets);
    let mut missing: Vec<usize> = sets.iter().map(|set| set.candidates.len()).collect();
    let mut scores: Vec<Vec<CandidateScores>> = vec![Vec::new(); rows.len()];
    let targets = if scoring.log_likelihood { TargetTokens::Answer } else { TargetTokens::None };
    let (send, receive) = mpsc::sync_channel(AHEAD);
    thread::scope(|scope| -> Result<(), ScoreError> {
        let (rows, budget) = (&rows, scoring.token_budget);
        scope.spawn(move || {
            let lengths: Vec<usize> = rows.iter().map(|row| row.set.packed_len()).collect();
            for plan in plan_batches(&lengths, budget) {
                let batch = Batch::pack(plan.iter().map(|&index| &*rows[index].set), targets, PADDING);
                if send.send((plan, batch)).is_err() {
                    return;
                }
            }
        });
        for (plan, batch) in receive {
            let mut of_batch = score_batch(model, heads, &batch, scoring)?.into_iter();
            for index in plan {
                let Row { set, owner } = &rows[index];
                let of_row = of_batch.by_ref().zip(&set.candidates);
                scores[index] = of_row
                    .map(|(scores, candidate)| CandidateScores {
                        tokens: candidate.answer_len(),
                        bytes: candidate.bytes,
                        ..scores
                    })
                    .collect();
                missing[*owner] -= set.candidates.len();
                state.done += usize::from(missing[*owner] == 0);
                state.tokens_done += set.packed_len();
            }
            progress(state);
        }
        Ok(())
    })?;
    let mut scores = scores.into_iter().flatten();
    Ok(sets.iter().map(|set| scores.by_ref().take(set.candidates.len()).collect()).collect())
}

/// Whether the model can score all sets.
pub(crate) fn check(model: &Model, sets: &[CandidateSet]) -> Result<(), ScoreError> {
    sets.iter()
        .try_for_each(|set| model.check(set).map_err(|source| ScoreError::Set { id: set.id.clone(), source }))
}

/// What there is to do for [`score`], with nothing done yet.
pub(crate) fn workload(model: &Model, sets: &[CandidateSet]) -> Progress {
    let tokens = if model.backbone.is_packable() {
        sets.iter().map(CandidateSet::packed_len).sum()
    } else {
        sets.iter().flat_map(CandidateSet::one_by_one).map(|set| set.packed_len()).sum()
    };
    Progress { total: sets.len(), tokens_total: tokens, ..Progress::default() }
}

/// A row of a batch.
struct Row<'a> {
    /// The candidates of the row, with their prompt.
    set: Cow<'a, CandidateSet>,
    /// Index of the set that they are from.
    owner: usize,
}

/// The sets as rows: each one row or, where the model's numbers depend on the length of a sequence, a row for each
/// candidate.
fn rows<'a>(model: &Model, sets: &'a [CandidateSet]) -> Vec<Row<'a>> {
    let packable = model.backbone.is_packable();
    let of_set = |(owner, set): (usize, &'a CandidateSet)| -> Vec<Row<'a>> {
        match packable {
            true => vec![Row { set: Cow::Borrowed(set), owner }],
            false => set.one_by_one().map(|set| Row { set: Cow::Owned(set), owner }).collect(),
        }
    };
    sets.iter().enumerate().flat_map(of_set).collect()
}

/// Log-likelihood and rewards of every candidate of a batch.
fn score_batch(
    model: &Model,
    heads: &[HeadRef<'_>],
    batch: &Batch,
    scoring: &Scoring,
) -> Result<Vec<CandidateScores>, ScoreError> {
    let heads = if scoring.rewards { heads } else { &[] };
    let mut layers: Vec<Layer> = scoring.log_likelihood.then_some(Layer::Last).into_iter().collect();
    for layer in heads.iter().flat_map(|(_, config)| config.aggregation.layers_needed()) {
        if !layers.contains(layer) {
            layers.push(*layer);
        }
    }
    let unscored = CandidateScores { loglik: f64::NAN, ..CandidateScores::default() };
    let mut scores = vec![unscored; batch.candidates()];
    if layers.is_empty() {
        return Ok(scores);
    }
    let states = model.backbone.hidden_states(batch, &layers)?;
    let of_layer =
        |wanted: Layer| layers.iter().position(|&layer| layer == wanted).map(|at| states[at].clone());

    if let Some(last) = of_layer(Layer::Last).filter(|_| scoring.log_likelihood) {
        let log_probs = model.backbone.log_probs(last, &batch.targets).into_data();
        scores.iter_mut().for_each(|scores| scores.loglik = 0.0);
        for (target, log_prob) in batch.targets.iter().zip(log_probs.iter::<f64>()) {
            scores[target.candidate].loglik += log_prob;
        }
    }
    for (head, config) in heads {
        let states: Vec<_> =
            config.aggregation.layers_needed().iter().filter_map(|&layer| of_layer(layer)).collect();
        let rewards = head.forward_batch(&states, batch).into_data();
        let rewards: Vec<f32> = rewards.iter::<f32>().collect();
        for (scores, rewards) in scores.iter_mut().zip(rewards.chunks(config.rewards.len().max(1))) {
            scores.rewards.extend(rewards);
        }
    }
    Ok(scores)
}
