//! The objectives on log-probabilities: DPO, ORPO, KL, SFT. The vectors hold whole logits; a training step has
//! log-probabilities of its targets only, and so have the objectives.

use burn::tensor::{Tensor, activation};
use dph_core::*;
use serde_json::Value;

use crate::case::*;
use dph_core::testing::{Golden, number};

#[test]
fn golden_losses_dpo() {
    let Some((json, tensors)) = losses("dpo") else { return };
    check_cases(&json, &tensors, &["dpo.", "mle"]);
}

#[test]
fn golden_losses_orpo() {
    let Some((json, tensors)) = losses("extended") else { return };
    check_cases(&json, &tensors, &["orpo."]);
}

#[test]
fn golden_losses_kl() {
    let Some((json, tensors)) = losses("extended") else { return };
    check_cases(&json, &tensors, &["kl."]);
}

/// What the authors call our metrics.
const NAMES: &[(&str, &str)] = &[
    ("orpo/pos_mean", "orpo/chosen"),
    ("orpo/neg_mean", "orpo/rejected"),
    ("orpo/log_odds", "orpo/log-odds"),
    ("orpo/log_odds_ratio", "orpo/log-odds-ratio"),
    ("kl/pos", "kl/chosen"),
    ("kl/neg", "kl/rejected"),
];

/// Checks the cases that begin with one of `prefixes`.
fn check_cases(json: &Value, tensors: &Tensors, prefixes: &[&str]) {
    for prefix in prefixes {
        let cases = json["cases"].as_object().unwrap().iter().filter(|(name, _)| name.starts_with(prefix));
        let mut tried = 0;
        for (name, case) in cases {
            for precision in Precision::all(json) {
                let side = |side: &str| Side::new(&precision, tensors, side);
                let [chosen, rejected] = ["pos", "neg"].map(side);
                let term = forward(name, case, &chosen, &rejected);
                // The authors' KL has its weight within the loss.
                let loss = if *prefix == "kl." { Term::total(std::slice::from_ref(&term)) } else { None };
                let loss = loss.unwrap_or(term.loss.clone());
                let expected = number(&case[format!("loss_{}", precision.name)]);
                precision.check(&format!("{name} loss"), loss.clone(), &[expected]);
                precision.check_term(name, case, &term, NAMES);
                let gradients = loss.backward();
                for (input, logits) in chosen.inputs("pos").into_iter().chain(rejected.inputs("neg")) {
                    if tensors.contains_key(&format!("{name}.{}.grad.{input}", precision.name)) {
                        precision.check_gradient(name, &input, logits, &gradients, tensors);
                    }
                }
                let known = tensors.keys().filter(|key| {
                    key.starts_with(&format!("{name}.{}.grad.", precision.name)) && key.ends_with("_logits")
                });
                assert!(known.count() > 0, "{name}: no gradient to compare with");
            }
            tried += 1;
        }
        if tried == 0 {
            Golden::open().lacks(&format!("cases `{prefix}…` of the losses"));
        }
    }
}

/// The logits of the chosen or of the rejected answers, of both models, and what is to be scored.
struct Side {
    policy: Tensor<3>,
    reference: Tensor<3>,
    targets: Vec<Target>,
}

impl Side {
    fn new(precision: &Precision, tensors: &Tensors, side: &str) -> Self {
        let leaf = |model: &str| precision.leaf(&tensors[&format!("in.{model}_{side}_logits")]);
        Self {
            policy: leaf("policy"),
            reference: leaf("reference"),
            targets: targets(&tensors[&format!("in.{side}_labels")]),
        }
    }

    fn inputs(&self, side: &str) -> [(String, &Tensor<3>); 2] {
        [
            (format!("policy_{side}_logits"), &self.policy),
            (format!("reference_{side}_logits"), &self.reference),
        ]
    }

    fn by_answer(&self, values: Tensor<1>, reduction: SequenceReduction) -> Tensor<1> {
        reduction.by_candidate(values, &self.targets, self.policy.dims()[0])
    }

    fn answers(&self, reduction: SequenceReduction) -> AnswerLogProbs {
        let of = |logits| self.by_answer(log_probs(logits, &self.targets), reduction);
        AnswerLogProbs { policy: of(&self.policy), reference: of(&self.reference) }
    }

    /// The divergences, in chunks of two tokens as a training step would have them.
    fn divergences(&self) -> Tensor<1> {
        let chunks = self.targets.chunks(2).map(|chunk| {
            let distributions = |logits| activation::log_softmax(logits_at(logits, chunk), 1);
            KlObjective::divergence(distributions(&self.policy), distributions(&self.reference))
        });
        self.by_answer(Tensor::cat(chunks.collect(), 0), SequenceReduction::Sum)
    }
}

fn forward(name: &str, case: &Value, chosen: &Side, rejected: &Side) -> Term {
    let key = |key: &str| number(&case[key]);
    match name.split('.').next().unwrap() {
        "dpo" => {
            let log_probs = match case["average_logprobs"] == true {
                true => SequenceReduction::Mean,
                false => SequenceReduction::Sum,
            };
            let (beta, label_smoothing) = (key("beta"), key("label_smoothing"));
            let objective = DpoObjective { beta, label_smoothing, log_probs, ..DpoObjective::default() };
            objective.forward(chosen.answers(log_probs), rejected.answers(log_probs))
        }
        "orpo" => {
            let objective = OrpoObjective {
                odds_ratio: key("alpha_orpo"),
                likelihood: key("alpha_mle"),
                ..OrpoObjective::default()
            };
            let [chosen, rejected] =
                [chosen, rejected].map(|side| side.answers(SequenceReduction::Mean).policy);
            objective.forward(chosen, rejected)
        }
        "kl" => KlObjective { weight: key("penalty"), chosen_share: key("pn_ratio") }
            .forward(chosen.divergences(), rejected.divergences()),
        "mle" => SftObjective::default().forward(log_probs(&chosen.policy, &chosen.targets)),
        other => panic!("no objective `{other}`"),
    }
}

#[test]
fn golden_losses_answer_log_probs() {
    let Some((json, tensors)) = losses("dpo") else { return };
    let precision = Precision::single(&json);
    let mut tried = 0;
    for (name, reduction) in [("sum", SequenceReduction::Sum), ("mean", SequenceReduction::Mean)] {
        for side in ["pos", "neg"] {
            let answers = Side::new(&precision, &tensors, side).answers(reduction);
            for (model, actual) in [("policy", answers.policy), ("reference", answers.reference)] {
                let name = format!("logp.{name}.{model}_{side}");
                let Some(expected) = tensors.get(&name) else { continue };
                precision.check(&name, actual, &expected.values);
                tried += 1;
            }
        }
    }
    if tried == 0 {
        Golden::open().lacks("log-probabilities of answers");
    }
}

#[test]
fn golden_losses_accuracy() {
    let mut tried = 0;
    for file in ["dpo", "extended"] {
        let Some((json, tensors)) = losses(file) else { continue };
        let precision = Precision::single(&json);
        let logits: Tensor<3> = precision.leaf(&tensors["in.policy_pos_logits"]);
        for (name, labels) in
            [("accuracy.policy_pos", targets(&tensors["in.pos_labels"])), ("accuracy.all_ignored", vec![])]
        {
            let Some(expected) = tensors.get(name) else { continue };
            let tokens = index_tensor(labels.iter().map(|target| target.token as usize), &logits.device());
            precision.check(name, token_accuracy(logits_at(&logits, &labels), tokens), &expected.values);
            tried += 1;
        }
    }
    if tried == 0 {
        Golden::open().lacks("accuracies of tokens");
    }
}
