//! [`token_rewards`]: the rewards at every token of candidates.

use burn::tensor::Tensor;
use dph_core::{Batch, CandidateSet, PreferenceHead, TargetTokens, TokenRewards};

use crate::model::Model;
use crate::pass::{Pass, ScoreError};

/// The rewards at every token of every candidate of every set, in their order: those of the answer so far, as the head's
/// aggregation reads it. With an end-of-turn aggregation the state of each token is read in the place of the end. A `running`
/// aggregation combines the vectors of neighbouring tokens.
///
/// Nothing is returned for a model without a head.
///
/// # Errors
///
/// If the model cannot score one of the sets, see [`Model::check`].
pub fn token_rewards(
    model: &Model,
    sets: &[CandidateSet],
    token_budget: usize,
) -> Result<Vec<Vec<TokenRewards>>, ScoreError> {
    let Some((head, config)) = &model.head else { return Ok(Vec::new()) };
    let pass = Pass::new(&model.backbone, sets, TargetTokens::None, token_budget)?;
    let mut rewards = vec![TokenRewards::default(); pass.candidates()];
    pass.run(0..pass.batches(), |index, batch| {
        let states = model.backbone.hidden_states(batch, config.aggregation.layers_needed())?;
        pass.scatter(index, of_batch(head, &states, batch), &mut rewards);
        Ok::<_, ScoreError>(())
    })?;
    let mut rewards = rewards.into_iter();
    Ok(sets.iter().map(|set| rewards.by_ref().take(set.candidates.len()).collect()).collect())
}

/// The rewards of the candidates of a batch.
fn of_batch(head: &PreferenceHead, states: &[Tensor<3>], batch: &Batch) -> Vec<TokenRewards> {
    let (rewards, turns) = head.forward_turns(states, batch);
    let [_, len, heads] = rewards.dims();
    let rewards: Vec<f32> = rewards.into_data().iter::<f32>().collect();
    let rows = rewards.chunks(len * heads);
    let of_turn = |(row, turn): (&[f32], std::ops::Range<usize>)| TokenRewards {
        rewards: row[turn.start * heads..turn.end * heads].chunks(heads).map(<[f32]>::to_vec).collect(),
    };
    rows.zip(turns).map(of_turn).collect()
}
