//! [`fit_mixture`]: the weight of a reward against the likelihood, chosen on training documents.

use std::sync::Arc;

use dph_core::{CandidateScores, Scorer};
use dph_data::{ChatTokenizer, DataError, TaskData};

use crate::bench::options::BenchOptions;
use crate::bench::plan::BenchPlan;
use crate::outcomes::{is_finite, prediction};
use crate::results::Mixture;

/// Training documents of each task.
const DOCUMENTS: usize = 200;
/// The weights that are tried: multiples of the reciprocal, from 0 to 1.
const STEPS: usize = 20;

/// Training documents of the tasks of a plan: a seeded sample of each. A task without a training split has none, nor has one that is
/// evaluated on it.
pub(crate) fn training_documents(
    tokenizer: &ChatTokenizer,
    context: usize,
    plan: &BenchPlan,
    options: &BenchOptions,
) -> Result<Vec<Arc<TaskData>>, DataError> {
    let options = BenchOptions { limit: Some(DOCUMENTS), ..options.clone() };
    let mut all = Vec::new();
    for planned in plan.tasks.iter().filter(|planned| !planned.is_of_texts()) {
        match planned.load_training(tokenizer, context, &options) {
            None | Some(Err(DataError::NotFound(_))) => {}
            Some(data) => all.push(Arc::new(data?)),
        }
    }
    Ok(all)
}

/// Chooses the weight with the highest accuracy on training documents, as the mean over the tasks; of several the middle one.
///
/// Rewards and likelihoods have different scales, so each is divided by its standard deviation among the candidates of a document.
/// `None` without documents that have finite scores.
pub(crate) fn fit_mixture(
    name: String,
    reward: &Scorer,
    tasks: &[(&TaskData, &[Vec<CandidateScores>])],
) -> Option<(Mixture, Scorer)> {
    let scorers = [reward, &Scorer::LoglikMean];
    let usable = |(data, scores): &(&'_ TaskData, &'_ [Vec<CandidateScores>])| {
        let documents = data.sets.iter().zip(scores.iter()).filter_map(|(set, scores)| {
            // An empty answer has no likelihood on any scale.
            let values = || scores.iter().flat_map(|scores| scorers.map(|scorer| scorer.value(scores)));
            let finite =
                scorers.iter().all(|scorer| is_finite(scorer, scores)) && values().all(f64::is_finite);
            Some((set.gold?, scores.clone())).filter(|_| finite)
        });
        (data.kind, documents.collect::<Vec<_>>())
    };
    let mut tasks: Vec<_> = tasks.iter().map(usable).collect();
    tasks.retain(|(_, documents)| !documents.is_empty());
    let documents = tasks.iter().map(|(_, documents)| documents.len()).sum::<usize>();
    let [reward_scale, loglik_scale] = scorers.map(|scorer| {
        let all = tasks.iter().flat_map(|(_, documents)| documents).map(|(_, scores)| scores);
        spread(all.map(|scores| scores.iter().map(|scores| scorer.value(scores)).collect()))
    });
    let mixture = |weight: f64, accuracy: f64| Mixture {
        scorer: name.clone(),
        weight,
        reward_scale,
        loglik_scale,
        accuracy,
        documents,
    };
    let accuracy = |scorer: &Scorer| {
        let of_task = |(kind, documents): &(_, Vec<(usize, Vec<CandidateScores>)>)| {
            let right =
                documents.iter().filter(|(gold, scores)| prediction(*kind, scorer, scores) == Some(*gold));
            right.count() as f64 / documents.len() as f64
        };
        tasks.iter().map(of_task).sum::<f64>() / tasks.len() as f64
    };
    if documents == 0 {
        return None;
    }
    let tried: Vec<(f64, f64)> = (0..=STEPS)
        .map(|step| step as f64 / STEPS as f64)
        .map(|weight| (weight, accuracy(&mixture(weight, 0.0).of_reward(reward))))
        .collect();
    let highest = tried.iter().map(|&(_, accuracy)| accuracy).fold(0.0, f64::max);
    let best: Vec<f64> = tried.iter().filter(|tried| tried.1 == highest).map(|tried| tried.0).collect();
    let fitted = mixture(best[best.len() / 2], highest);
    let scorer = fitted.of_reward(reward);
    Some((fitted, scorer))
}

/// The standard deviation within the groups, with one degree of freedom less for each; 1 if all values of each group are equal.
fn spread(groups: impl Iterator<Item = Vec<f64>>) -> f64 {
    let (mut squares, mut freedom) = (0.0, 0);
    for values in groups {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        squares += values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        freedom += values.len().saturating_sub(1);
    }
    let spread = (squares / freedom.max(1) as f64).sqrt();
    if spread > 0.0 && spread.is_finite() { spread } else { 1.0 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dph_core::CandidateSet;

    use super::*;

    /// Documents with two candidates, the first of which is right: by the reward, by the likelihood, or by neither alone.
    fn task(differences: &[(f32, f64)]) -> (TaskData, Vec<Vec<CandidateScores>>) {
        let sets = differences.iter().enumerate().map(|(index, _)| CandidateSet {
            id: index.to_string(),
            gold: Some(0),
            ..CandidateSet::default()
        });
        let data = TaskData {
            task: "t".into(),
            split: "train".into(),
            sets: sets.collect(),
            rows: differences.len(),
            ..TaskData::default()
        };
        let candidate = |reward: f32, loglik: f64| CandidateScores {
            rewards: vec![reward],
            loglik,
            tokens: 1,
            ..CandidateScores::default()
        };
        let scores =
            differences.iter().map(|&(reward, loglik)| vec![candidate(reward, loglik), candidate(0.0, 0.0)]);
        (data, scores.collect())
    }

    fn fit(differences: &[(f32, f64)]) -> Option<(Mixture, Scorer)> {
        let (data, scores) = task(differences);
        let reward = Scorer::Reward { head: "h".into(), index: 0 };
        fit_mixture("mixture:h".into(), &reward, &[(&data, &scores)])
    }

    #[test]
    fn the_weight_follows_what_is_right() {
        let by_reward = fit(&[(1.0, -1.0), (1.0, -1.0), (1.0, 1.0)]).unwrap();
        let by_likelihood = fit(&[(-1.0, 1.0), (-1.0, 1.0), (1.0, 1.0)]).unwrap();
        assert!(by_reward.0.weight > 0.5 && by_likelihood.0.weight < 0.5);
        // Each is right where the other is a little wrong: only together they are always right.
        let both = fit(&[(3.0, -10.0), (-1.0, 30.0), (2.0, -5.0), (-1.0, 20.0)]).unwrap();
        assert_eq!((both.0.accuracy, both.0.documents), (1.0, 4));
        assert!(both.0.weight > 0.0 && both.0.weight < 1.0);
        let [loglik, reward] = [both.0.loglik_scale, both.0.reward_scale];
        let expected = both.0.weight * 3.0 / reward + (1.0 - both.0.weight) * -10.0 / loglik;
        let scores = task(&[(3.0, -10.0)]).1;
        assert!((both.1.value(&scores[0][0]) - expected).abs() < 1e-12);
    }

    #[test]
    fn scores_that_are_not_finite_do_not_count() {
        assert_eq!(fit(&[(f32::NAN, 1.0), (1.0, f64::INFINITY)]), None);
        assert_eq!(fit(&[(f32::NAN, 1.0), (1.0, 1.0)]).unwrap().0.documents, 1);
        assert_eq!(fit(&[]), None);
        // Nor do documents with an empty answer, which has no likelihood.
        let (data, mut scores) = task(&[(1.0, 3.0), (2.0, 1.0)]);
        scores[1][0].tokens = 0;
        let reward = Scorer::Reward { head: "h".into(), index: 0 };
        let mixture = fit_mixture("mixture:h".into(), &reward, &[(&data, &scores)]).unwrap().0;
        assert_eq!(
            (mixture.documents, mixture.loglik_scale),
            (1, fit(&[(1.0, 3.0)]).unwrap().0.loglik_scale)
        );
        // Rewards that are all equal have no scale.
        assert_eq!(fit(&[(0.0, 1.0)]).unwrap().0.reward_scale, 1.0);
    }
}
