//! A training step with the DPH and DPO objectives against the numbers of the authors' trainer: the losses of step 1.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "../../dph-core/tests/support/golden.rs"]
mod golden;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use dph_core::*;
use dph_model::Backbone;
use golden::{Golden, GoldenTensor, assert_close, number, say};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

type Tensors = BTreeMap<String, GoldenTensor>;

#[test]
fn golden_train_step_losses() {
    let golden = Golden::open();
    let folder = golden.folder.join("train_step");
    if !folder.is_dir() {
        if golden.folder.ends_with("dph-core/tests/golden") {
            return say("the compact vectors leave out train_step");
        }
        return golden.lacks("train_step");
    }
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> =
        names.filter_map(|name| Some(name.to_str()?.strip_suffix(".json")?.to_string())).collect();
    if names.is_empty() {
        golden.lacks("cases of train_step");
    }
    for name in names {
        let json = golden.json(&format!("train_step/{name}.json"));
        let tensors = golden.tensors(&format!("train_step/{name}.safetensors"));
        if let (Some(json), Some(tensors)) = (json, tensors) {
            check_losses(&Case::load(name, json, tensors));
        }
    }
}

/// One case: the models at the start, and what is minimised.
struct Case {
    name: String,
    json: Value,
    tensors: Tensors,
    policy: Backbone,
    reference: Backbone,
    head: PreferenceHead,
    dph: DphObjective,
    dpo: Option<DpoObjective>,
}

impl Case {
    fn load(name: String, json: Value, tensors: Tensors) -> Self {
        let device = Device::flex().autodiff();
        let settings = &json["dph"];
        let key = |key: &str| number(&settings[key]);
        let dph = DphObjective {
            weight: key("dph_weight"),
            form: match settings["dph_contrastive"] == true {
                true => DphForm::Contrastive,
                false => DphForm::Separable,
            },
            label_smoothing: key("dph_epsilon"),
            ..DphObjective::default()
        };
        let dpo = DpoObjective {
            weight: key("dpo_weight"),
            beta: key("dpo_beta"),
            label_smoothing: key("dpo_epsilon"),
            log_probs: match settings["dpo_average_logprobs"] == true {
                true => SequenceReduction::Mean,
                false => SequenceReduction::Sum,
            },
        };
        let policy = backbone(&json["model"], &tensors, "init.", &device);
        Self {
            reference: match tensors.keys().any(|name| name.starts_with("ref.")) {
                true => backbone(&json["model"], &tensors, "ref.", &Device::flex()),
                false => policy.clone(),
            },
            head: head(&json["model"], &tensors, &device),
            policy,
            dph,
            dpo: (settings["dpo_enabled"] == true).then_some(dpo),
            name,
            json,
            tensors,
        }
    }

    /// Some rows of the chosen (`pos`) or rejected (`neg`) answers of a step, each a sequence of its own.
    fn batch(&self, step: usize, side: &str, rows: Range<usize>) -> Batch {
        let of = |kind: &str| &self.tensors[&format!("step{step}.{side}_{kind}")];
        let seq = of("tokens").shape[1];
        let flat = rows.start * seq..rows.end * seq;
        let tokens: Vec<i32> = of("tokens").values[flat.clone()].iter().map(|&id| id as i32).collect();
        let scored = of("targets").values[flat].iter().enumerate().filter(|&(_, &label)| label != -100.0);
        let targets =
            scored.map(|(state, &label)| Target { state, token: label as u32, candidate: state / seq });
        let end_token = self.json["cls_token_id"].as_i64().unwrap() as i32;
        let ends = tokens.chunks(seq).enumerate().map(|(row, tokens)| {
            row * seq + tokens.iter().rposition(|&token| token == end_token).expect("an end of turn")
        });
        Batch {
            rows: rows.len(),
            seq,
            targets: targets.collect(),
            ends: ends.collect(),
            sets: (0..rows.len()).map(|row| row..row + 1).collect(),
            positions: (0..rows.len()).flat_map(|_| 0..seq as i32).collect(),
            segments: vec![batch::PROMPT_SEGMENT; tokens.len()],
            tokens,
        }
    }

    /// The rewards of a batch's rows, and the log-probabilities of their answers under both models.
    fn score(&self, batch: &Batch) -> (Tensor<1>, Option<AnswerLogProbs>) {
        let last = |model: &Backbone| model.hidden_states(batch, &[Layer::Last]).unwrap().remove(0);
        let states = last(&self.policy);
        let vectors = TokenPooling::EndOfTurn.forward(states.clone(), batch);
        let rewards = self.head.forward(vectors).squeeze_dim(1);
        let log_probs = self.dpo.map(|dpo| {
            let of = |model: &Backbone, states| {
                let by_token = model.log_probs(states, &batch.targets);
                dpo.log_probs.by_candidate(by_token, &batch.targets, batch.candidates())
            };
            let reference = of(&self.reference, last(&self.reference)).into_data();
            AnswerLogProbs {
                policy: of(&self.policy, states),
                reference: Tensor::from_data(reference, &self.policy.device()),
            }
        });
        (rewards, log_probs)
    }

    /// The terms of a sub-step: some rows of a step, whose losses are means over those rows.
    fn terms(&self, step: usize, rows: Range<usize>) -> Vec<Term> {
        let [chosen, rejected] = ["pos", "neg"].map(|side| self.score(&self.batch(step, side, rows.clone())));
        let mut terms = vec![self.dph.forward(chosen.0, rejected.0)];
        if let (Some(dpo), Some(chosen), Some(rejected)) = (self.dpo, chosen.1, rejected.1) {
            terms.push(dpo.forward(chosen, rejected));
        }
        terms
    }
}

fn check_losses(case: &Case) {
    let limit = number(&case.json["tolerance_float32"]["loss_abs"]);
    let rows = case.json["train"]["batch_size_step"].as_u64().unwrap() as usize;
    let groups = number(&case.json["batch_groups"]);
    let log = &case.json["log"][0];
    assert_eq!(log["step"], 1);
    for (index, expected) in log["sub_steps"].as_array().unwrap().iter().enumerate() {
        let terms = case.terms(1, index * rows..(index + 1) * rows);
        let check = |what: &str, actual: f64, expected: &Value| {
            let what = format!("{}, sub-step {index}: {what}", case.name);
            assert_close(&what, &[actual], &[number(expected)], limit, 0.0);
        };
        // The losses of the sub-steps of a step are averaged, by way of summing their gradients.
        let total = Term::total(&terms).unwrap() / groups;
        check("total", value(total), &expected["accumulated_loss"]);
        check("dph", value(terms[0].loss.clone()), &expected["loss_dph"]);
        check("dpo", terms.get(1).map_or(0.0, |term| value(term.loss.clone())), &expected["loss_dpo"]);
        for (name, expected) in expected.as_object().unwrap().iter().filter(|(name, _)| name.contains('/')) {
            let metric = terms.iter().find_map(|term| term.metric(name));
            check(name, value(metric.unwrap_or_else(|| panic!("no metric {name}"))), expected);
        }
    }
}

fn value(tensor: Tensor<1>) -> f64 {
    tensor.into_scalar::<f64>()
}

/// A model out of the weights under a prefix, by way of a model directory.
fn backbone(config: &Value, tensors: &Tensors, prefix: &str, device: &Device) -> Backbone {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config.clone();
    config["model_type"] = "lsw_transformer".into();
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let ours = |name: &str| name.strip_prefix(prefix).map(String::from);
    write(tensors, ours, &dir.path().join("model.safetensors"));
    Backbone::load(dir.path(), device).unwrap()
}

/// The authors' head, whose weights are named by their place in a pipeline, as one of ours.
fn head(model: &Value, tensors: &Tensors, device: &Device) -> PreferenceHead {
    let size = |key: &str| model[key].as_u64().unwrap() as usize;
    let pooling = model["reward_pooler"].as_str().unwrap().replace('_', "-");
    let config = PreferenceHeadConfig {
        pooling: serde_json::from_value(Value::String(pooling)).unwrap(),
        rewards: serde_json::from_value(model["reward_heads"].clone()).unwrap(),
        ..PreferenceHeadConfig::new(size("d_model"), size("d_ffn"))
    };
    let ours = |name: &str| match name.strip_prefix("init.")?.split('.').collect::<Vec<_>>()[..] {
        ["reward_heads", head, kind] => Some(format!("reward_heads.{head}.{kind}")),
        ["pooler_pipeline", place, kind] => Some(match (config.pooling, place) {
            (PoolingKind::Bert | PoolingKind::T5, _) => format!("pooling.dense.{kind}"),
            (_, "0" | "1") => format!("pooling.up_gate.{kind}"),
            _ => format!("pooling.down.{kind}"),
        }),
        _ => None,
    };
    let dir = tempfile::tempdir().unwrap();
    write(tensors, ours, &dir.path().join(WEIGHTS_FILE));
    std::fs::write(dir.path().join(CONFIG_FILE), serde_json::to_vec(&config).unwrap()).unwrap();
    PreferenceHead::load(dir.path(), device).unwrap().0
}

/// Writes the tensors that have a name of `ours`.
fn write(tensors: &Tensors, ours: impl Fn(&str) -> Option<String>, file: &Path) {
    let bytes = |tensor: &GoldenTensor| -> Vec<u8> {
        tensor.values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect()
    };
    let kept: Vec<_> = tensors
        .iter()
        .filter_map(|(name, tensor)| Some((ours(name)?, &tensor.shape, bytes(tensor))))
        .collect();
    let views = kept.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    std::fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}
