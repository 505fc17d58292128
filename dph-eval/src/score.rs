//! [`score`]: from candidate sets to the scores of their candidates.

use dph_core::{
    Batch, CandidateScores, CandidateSet, Layer, LayerStates, PreferenceHead, PreferenceHeadConfig,
    TargetTokens,
};

use crate::model::Model;
use crate::pass::{DEFAULT_TOKEN_BUDGET, Pass, Progress, ScoreError};

/// The scores to compute, and the size of the batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scoring {
    /// Largest number of tokens in a batch, padding included. A single set may have more. A larger budget uses the device
    /// better and needs more memory.
    pub token_budget: usize,
    /// Whether log-likelihoods are computed. They need the whole model.
    pub log_likelihood: bool,
    /// Whether rewards are computed. They need the model up to the head's layer.
    pub rewards: bool,
}

impl Default for Scoring {
    fn default() -> Self {
        Self { token_budget: DEFAULT_TOKEN_BUDGET, log_likelihood: true, rewards: true }
    }
}

/// The scores of every candidate of every set, in their order. One pass over the model computes both log-likelihoods and
/// rewards, and each prompt once for all its candidates.
///
/// The log-likelihood is the sum over the answer's tokens, without the end of the turn; it is NaN if `scoring` excludes it.
/// There are no rewards if `scoring` excludes them or the model has no head. `progress` is called after every batch.
///
/// # Errors
///
/// If the model cannot score one of the sets, see [`Model::check`]. All sets are checked before the first is scored.
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

/// As [`score`], with these heads instead of the model's own. Rewards are in the order of the heads.
pub(crate) fn score_heads(
    model: &Model,
    heads: &[HeadRef<'_>],
    sets: &[CandidateSet],
    scoring: &Scoring,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Vec<CandidateScores>>, ScoreError> {
    let pass = plan(model, sets, scoring)?;
    let mut counter = pass.counter();
    let mut scores = vec![CandidateScores::default(); pass.candidates()];
    pass.run(0..pass.batches(), |index, batch| {
        pass.scatter(index, score_batch(model, heads, batch, scoring)?, &mut scores);
        progress(counter.add(pass.rows(index)));
        Ok::<_, ScoreError>(())
    })?;
    let mut scores = scores.into_iter();
    let of_set = |set: &CandidateSet| {
        let of_candidate = |(scores, candidate): (CandidateScores, &dph_core::Candidate)| CandidateScores {
            tokens: candidate.answer.len(),
            bytes: candidate.bytes,
            chars: candidate.chars,
            ..scores
        };
        scores.by_ref().zip(&set.candidates).map(of_candidate).collect()
    };
    Ok(sets.iter().map(of_set).collect())
}

/// The size of the work of [`score`].
///
/// # Errors
///
/// As [`score`].
pub(crate) fn workload(
    model: &Model,
    sets: &[CandidateSet],
    scoring: &Scoring,
) -> Result<Progress, ScoreError> {
    Ok(plan(model, sets, scoring)?.counter().progress())
}

fn plan<'a>(model: &Model, sets: &'a [CandidateSet], scoring: &Scoring) -> Result<Pass<'a>, ScoreError> {
    let targets = if scoring.log_likelihood { TargetTokens::Answer } else { TargetTokens::None };
    Pass::new(&model.backbone, sets, targets, scoring.token_budget)
}

/// Log-likelihood and rewards of every candidate of a batch.
fn score_batch(
    model: &Model,
    heads: &[HeadRef<'_>],
    batch: &Batch,
    scoring: &Scoring,
) -> Result<Vec<CandidateScores>, ScoreError> {
    let heads = if scoring.rewards { heads } else { &[] };
    let of_likelihood = scoring.log_likelihood.then_some(&Layer::Last);
    let of_heads = heads.iter().flat_map(|(_, config)| config.aggregation.layers_needed());
    let layers = LayerStates::union(of_likelihood.into_iter().chain(of_heads));
    let unscored = CandidateScores { loglik: f64::NAN, ..CandidateScores::default() };
    let mut scores = vec![unscored; batch.candidates()];
    if layers.is_empty() {
        return Ok(scores);
    }
    let states = model.backbone.hidden_states(batch, &layers)?;
    let states = LayerStates::new(layers, states);

    if let Some(last) = states.get(Layer::Last).filter(|_| scoring.log_likelihood) {
        let log_probs = model.backbone.log_probs(last, &batch.targets).into_data();
        let sums = batch.sum_by_candidate(log_probs.iter::<f64>());
        scores.iter_mut().zip(sums).for_each(|(scores, sum)| scores.loglik = sum);
    }
    for (head, config) in heads {
        let states = states.select(config.aggregation.layers_needed());
        let rewards = head.forward_batch(&states, batch).into_data();
        let rewards: Vec<f32> = rewards.iter::<f32>().collect();
        for (scores, rewards) in scores.iter_mut().zip(rewards.chunks(config.rewards.len().max(1))) {
            scores.rewards.extend(rewards);
        }
    }
    Ok(scores)
}
