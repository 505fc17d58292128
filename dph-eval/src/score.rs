//! [`score`]: from candidate sets to the scores of their candidates.

use dph_core::{Batch, Candidate, CandidateScores, CandidateSet, Layer, LayerStates, Style, TargetTokens};

use crate::cache::{ScoreCache, ScoreKey};
use crate::model::Model;
use crate::pass::{Pass, Progress, ScoreError};
use crate::scoring::{HeadRef, Scoring};
use crate::unconditional::{add_unconditional, unconditional_sets};

/// Says whether a batch with candidates of these sets is still wanted.
pub(crate) type Wanted<'a> = dyn FnMut(&mut dyn Iterator<Item = usize>) -> bool + 'a;

/// The scores of every candidate of every set, in their order. One pass over the model computes both log-likelihoods and
/// rewards, each prompt once for all its candidates, and what several prompts begin with once for these.
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
    score_with_turns(model, sets, scoring, &mut |_| true, progress)
}

/// As [`score`]. `wanted` is called before every batch, with the sets that it has candidates of; other work may be done meanwhile. A batch
/// that is not wanted any more is left out, and its scores mean nothing.
///
/// # Errors
///
/// As for [`score`].
pub(crate) fn score_with_turns(
    model: &Model,
    sets: &[CandidateSet],
    scoring: &Scoring,
    wanted: &mut Wanted<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Vec<CandidateScores>>, ScoreError> {
    let heads: Vec<HeadRef> = model.head.iter().map(|(head, config)| (head, config)).collect();
    let without = match scoring.unconditional {
        true => unconditional_sets(&model.tokenizer, Style::Chat, sets)?,
        false => Vec::new(),
    };
    let pass = plan(model, sets.iter().chain(&without), scoring)?;
    let mut scores = score_pass(model, &heads, &pass, scoring, None, wanted, progress)?;
    let without = scores.split_off(sets.len());
    add_unconditional(&mut scores, &without);
    Ok(scores)
}

/// The batches of [`score`].
///
/// # Errors
///
/// If the model cannot score one of the sets. All sets are checked.
pub(crate) fn plan<'a>(
    model: &Model,
    sets: impl IntoIterator<Item = &'a CandidateSet>,
    scoring: &Scoring,
) -> Result<Pass<'a>, ScoreError> {
    if scoring.log_likelihood && !model.backbone.has_output() {
        return Err(ScoreError::NoOutput);
    }
    let targets = if scoring.log_likelihood { TargetTokens::Answer } else { TargetTokens::None };
    Pass::sharing_prefixes(&model.backbone, sets, targets, scoring.token_budget)
}

/// As [`score`], with these batches and with these heads instead of the model's own. Rewards are in the order of the heads. Batches
/// that are in the cache are not computed, the others are added to it.
pub(crate) fn score_pass(
    model: &Model,
    heads: &[HeadRef<'_>],
    pass: &Pass<'_>,
    scoring: &Scoring,
    mut cache: Option<(&ScoreKey, &mut ScoreCache)>,
    wanted: &mut Wanted<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Vec<CandidateScores>>, ScoreError> {
    let mut counter = pass.counter();
    let mut scores = vec![CandidateScores::default(); pass.candidates()];
    pass.run(0..pass.batches(), |index, batch| {
        if !wanted(&mut pass.rows(index).map(|row| row.owner)) {
            return Ok(());
        }
        let known = cache.as_ref().and_then(|(key, cache)| cache.get(key, batch));
        let of_batch = match known {
            Some(known) => known,
            None => {
                let computed = score_batch(model, heads, batch, scoring)?;
                if let Some((key, cache)) = &mut cache {
                    cache.insert(key, batch, &computed);
                }
                computed
            }
        };
        pass.scatter(index, of_batch, &mut scores);
        progress(counter.add(pass.rows(index), pass.tokens(index..index + 1)));
        Ok::<_, ScoreError>(())
    })?;
    let mut scores = scores.into_iter();
    let of_set = |set: &CandidateSet| {
        let of_candidate = |(scores, candidate): (CandidateScores, &Candidate)| CandidateScores {
            tokens: candidate.answer.len(),
            bytes: candidate.bytes,
            chars: candidate.chars,
            ..scores
        };
        scores.by_ref().zip(&set.candidates).map(of_candidate).collect()
    };
    Ok(pass.sets().iter().copied().map(of_set).collect())
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
