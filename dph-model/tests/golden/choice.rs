//! Choices between candidates: every candidate in a row of its own, and all behind one prompt.

use dph_core::{Batch, Candidate, CandidateSet, Layer, PreferenceHead, TargetTokens, best_index};
use dph_model::Backbone;

use crate::model::{devices, lswt_with_head, values};
use dph_core::testing::{Golden, GoldenTensor, assert_close, list, number};

#[test]
fn golden_choice_separate_and_packed() {
    let golden = Golden::open();
    let (Some(json), Some(tensors), Some(weights)) = (
        golden.json("choice/choice.json"),
        golden.tensors("choice/choice.safetensors"),
        golden.path("choice/model.weights.safetensors"),
    ) else {
        return;
    };
    let tolerance = |kind: &str| number(&json["tolerance_float32"][kind]);
    for (way, device) in devices() {
        let (model, head) = lswt_with_head(&json["config"], &weights, &device);
        for (index, document) in list(&json["documents"]).iter().enumerate() {
            let what = format!("{} ({way})", document["task"]);
            let tensor = |name: &str| &tensors[&format!("{index}.{name}")];
            let set = candidate_set(tensor("tokens"), tensor("targets"), tensor("train_mask"));
            let expected: Vec<f64> = masked(tensor("token_logprobs"), tensor("test_mask")).concat();
            let alone: Vec<CandidateSet> = set
                .candidates
                .iter()
                .map(|candidate| CandidateSet { candidates: vec![candidate.clone()], ..set.clone() })
                .collect();
            let separate = score(&model, &head, &alone.iter().collect::<Vec<_>>());
            let packed = score(&model, &head, &[&set]);
            for (form, scores) in [("separate", &separate), ("packed", &packed)] {
                let what = format!("{what}, {form}");
                assert_close(
                    &format!("{what}: log-probabilities"),
                    &scores.log_probs,
                    &expected,
                    tolerance("token_logprobs"),
                    0.0,
                );
                assert_close(
                    &format!("{what}: rewards"),
                    &scores.rewards,
                    &tensor("rewards").values,
                    tolerance("reward"),
                    0.0,
                );
                assert_eq!(
                    best(&scores.rewards) as u64,
                    document["dph_prediction"].as_u64().unwrap(),
                    "{what}"
                );
                let sums: Vec<f64> = scores.by_candidate.iter().map(|scores| scores.iter().sum()).collect();
                let means: Vec<f64> =
                    scores.by_candidate.iter().map(|s| s.iter().sum::<f64>() / s.len() as f64).collect();
                for (kind, scores) in [("sum", sums), ("mean", means)] {
                    let stored = &document["aggregations"][kind];
                    let expected: Vec<f64> =
                        stored["log_scores"].as_array().unwrap().iter().map(number).collect();
                    assert_close(&format!("{what}: {kind}"), &scores, &expected, tolerance(kind), 0.0);
                    assert_eq!(
                        best(&scores) as u64,
                        stored["log_prediction"].as_u64().unwrap(),
                        "{what}: {kind}"
                    );
                }
            }
            assert_close(&format!("{what}: packed"), &packed.log_probs, &separate.log_probs, 1e-5, 1e-6);
            assert_close(&format!("{what}: packed"), &packed.rewards, &separate.rewards, 1e-5, 0.0);
        }
    }
}

/// One prompt and its candidates out of padded rows. `mask` marks the answers and their ends among the targets.
fn candidate_set(tokens: &GoldenTensor, targets: &GoldenTensor, mask: &GoldenTensor) -> CandidateSet {
    let seq = tokens.shape[1];
    let answer_start = |row: &[f64]| row.iter().position(|&marked| marked != 0.0).unwrap();
    let prompts: Vec<Vec<u32>> = tokens
        .values
        .chunks(seq)
        .zip(mask.values.chunks(seq))
        .map(|(tokens, mask)| tokens[..=answer_start(mask)].iter().map(|&id| id as u32).collect())
        .collect();
    assert!(prompts.windows(2).all(|pair| pair[0] == pair[1]), "candidates with different prompts");
    CandidateSet {
        prompt: prompts[0].clone(),
        candidates: masked(targets, mask)
            .into_iter()
            .map(|answer| Candidate::new(answer.iter().map(|&id| id as u32).collect(), 0))
            .collect(),
        ..CandidateSet::default()
    }
}

/// The marked values of each row.
fn masked(values: &GoldenTensor, mask: &GoldenTensor) -> Vec<Vec<f64>> {
    let seq = values.shape[1];
    let rows = values.values.chunks(seq).zip(mask.values.chunks(seq));
    rows.map(|(values, mask)| values.iter().zip(mask).filter(|(_, m)| **m != 0.0).map(|(v, _)| *v).collect())
        .collect()
}

struct Scores {
    log_probs: Vec<f64>,
    by_candidate: Vec<Vec<f64>>,
    rewards: Vec<f64>,
}

fn score(model: &Backbone, head: &PreferenceHead, sets: &[&CandidateSet]) -> Scores {
    let batch = Batch::pack(sets.iter().copied(), TargetTokens::Answer, model.pad_token());
    let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
    let log_probs = values(model.log_probs(last.clone(), &batch.targets));
    let mut by_candidate = vec![Vec::new(); batch.candidates()];
    for (target, &log_prob) in batch.targets.iter().zip(&log_probs) {
        by_candidate[target.candidate].push(log_prob);
    }
    let rewards = values(head.forward_batch(&[last], &batch));
    Scores { log_probs, by_candidate, rewards }
}

fn best(scores: &[f64]) -> usize {
    best_index(scores.iter().copied()).unwrap()
}
