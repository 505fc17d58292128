//! Compares training steps with the DPH and DPO objectives with the authors' trainer.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use burn::train::TrainStep;
use dph_core::testing::{self, Golden, GoldenTensor, assert_close, number, say};
use dph_core::{
    Batch, DphForm, DphObjective, DpoObjective, HEAD_CONFIG_FILE, HEAD_WEIGHTS_FILE, Layer, PROMPT_SEGMENT,
    PoolingKind, PreferenceHead, PreferenceHeadConfig, SequenceReduction, Target,
};
use dph_model::Backbone;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use crate::experiment::{HeadOptimiser, Objective, Optimiser, Stage};
use crate::optimiser::DecayTowards;
use crate::optimiser::Schedule;
use crate::stages::groups::{optimiser, part_of_model};
use crate::stages::joint::{JointSettings, JointTrainer};
use crate::stages::joint_batch::{JointBatch, JointStep};
use crate::trainer::NonFiniteGuard;

type Tensors = BTreeMap<String, GoldenTensor>;

#[test]
fn golden_train_step() {
    let golden = Golden::open();
    let folder = golden.folder.join("train_step");
    if !folder.is_dir() {
        if golden.folder.ends_with("dph-core/tests/golden") {
            return say("GOLDEN: the compact vectors do not contain train_step");
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
            let case = Case { name, json, tensors };
            case.check(false);
            case.check(true);
        }
    }
}

/// Consecutive steps of the authors' trainer.
struct Case {
    name: String,
    json: Value,
    tensors: Tensors,
}

impl Case {
    fn check(&self, gradient_checkpointing: bool) {
        let device = testing::device().autodiff();
        let reference = match self.tensors.keys().any(|name| name.starts_with("ref.")) {
            true => "ref.",
            false => "init.",
        };
        let reference = backbone(&self.json["model"], &self.tensors, reference, &testing::device());
        let (head, head_config) = head(&self.json["model"], &self.tensors, &device);
        let stage = self.stage();
        let settings = JointSettings {
            objective: stage.objective.clone(),
            head: head_config.clone(),
            reference: None,
            clip: Some(stage.clip),
            seed: 0,
            gradient_checkpointing,
            guard: NonFiniteGuard::default(),
        };
        let policy = backbone(&self.json["model"], &self.tensors, "init.", &device);
        let mut model = JointTrainer::new(policy, Some(head), settings);
        let names = model.backbone.parameter_names();
        let (mut optimiser, mut schedule) = optimiser(&stage, None, &model, names, part_of_model);
        for log in testing::list(&self.json["log"]) {
            let number_of = log["step"].as_u64().unwrap() as usize;
            let lr = schedule.step();
            assert_close("lr", &[lr.base()], &[number(&log["lr"])], 1e-12, 0.0);
            let inputs = self.step(number_of, &reference, &stage.objective);
            let out = TrainStep::step(&model, inputs);
            self.check_log(number_of, log, &stage.objective, &out.item.values);
            if number_of == 1 {
                self.check_gradients(&model, &out.grads, &head_config);
            }
            model = TrainStep::optimize(model, &mut optimiser, lr, out.grads);
            let prefix = format!("after{number_of}.");
            if self.tensors.keys().any(|name| name.starts_with(&prefix)) {
                self.check_weights(&model, &head_config, &prefix);
            }
        }
    }

    fn stage(&self) -> Stage {
        let (train, dph) = (&self.json["train"], &self.json["dph"]);
        let key = |key: &str| number(&dph[key]);
        let towards = |initial: &Value| match initial == true {
            true => DecayTowards::Initial,
            false => DecayTowards::Zero,
        };
        let objective = Objective {
            dph: Some(DphObjective {
                weight: key("dph_weight"),
                form: match dph["dph_contrastive"] == true {
                    true => DphForm::Contrastive,
                    false => DphForm::Separable,
                },
                label_smoothing: key("dph_epsilon"),
                ..DphObjective::default()
            }),
            dpo: (dph["dpo_enabled"] == true).then(|| DpoObjective {
                weight: key("dpo_weight"),
                beta: key("dpo_beta"),
                label_smoothing: key("dpo_epsilon"),
                log_probs: match dph["dpo_average_logprobs"] == true {
                    true => SequenceReduction::Mean,
                    false => SequenceReduction::Sum,
                },
            }),
            ..Objective::default()
        };
        // The authors give the length of the schedule in tokens.
        let steps = number(&train["lr_cooldown_tokens"])
            / (number(&train["batch_size"]) * number(&train["length_sequence"]));
        let text = format!("name = \"x\"\nobjective = {{}}\nsteps = {steps}\nmix = {{ x = 1.0 }}");
        Stage {
            objective,
            clip: number(&train["opt_max_grad_norm"]),
            optimiser: Optimiser {
                lr: number(&train["lr_max"]),
                betas: [number(&train["opt_beta_1"]), number(&train["opt_beta_2"])],
                eps: number(&train["opt_eps"]),
                weight_decay: number(&train["opt_weight_decay"]),
                decay_towards: towards(&train["opt_decay_init"]),
                no_decay: serde_json::from_value(train["opt_decay_mask"].clone()).unwrap(),
                head: HeadOptimiser {
                    weight_decay: Some(key("dph_weight_decay")),
                    decay_towards: Some(towards(&dph["dph_decay_init"])),
                    ..HeadOptimiser::default()
                },
                ..Optimiser::default()
            },
            schedule: Schedule {
                warmup: train["lr_warmup_steps"].as_u64().unwrap() as usize,
                floor: number(&train["lr_cooldown_ratio"]),
                ..Schedule::default()
            },
            ..toml::from_str(&text).unwrap()
        }
    }

    /// The inputs of a step. Every part contains the pairs of a sub-step.
    fn step(&self, step: usize, reference: &Backbone, objective: &Objective) -> JointStep {
        let rows = self.json["train"]["batch_size_step"].as_u64().unwrap() as usize;
        let groups = self.json["batch_groups"].as_u64().unwrap() as usize;
        let part = |group: usize| {
            let batch = self.batch(step, group * rows..(group + 1) * rows);
            let sums = objective.dpo.map(|_| {
                let last = reference.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
                let by_token = reference.log_probs(last, &batch.targets);
                SequenceReduction::Sum.by_candidate(by_token, &batch.targets, batch.candidates())
            });
            JointBatch {
                reference_sums: sums.map(|sums| sums.into_data().iter::<f32>().collect()).unwrap_or_default(),
                sets: (0..rows).map(|row| (2 * row..2 * row + 2, 0)).collect(),
                batch,
                ..JointBatch::default()
            }
        };
        JointStep { step, parts: (0..groups).map(part).collect() }
    }

    /// Some pairs of a step. Each sequence has its own row; the chosen (`pos`) row precedes the rejected (`neg`) row.
    fn batch(&self, step: usize, pairs: std::ops::Range<usize>) -> Batch {
        let of = |side: &str, kind: &str| &self.tensors[&format!("step{step}.{side}_{kind}")];
        let seq = of("pos", "tokens").shape[1];
        let flat = |kind: &str| -> Vec<f64> {
            let row = |side, pair: usize| of(side, kind).values[pair * seq..(pair + 1) * seq].to_vec();
            pairs.clone().flat_map(|pair| [row("pos", pair), row("neg", pair)].concat()).collect()
        };
        let tokens: Vec<i32> = flat("tokens").into_iter().map(|id| id as i32).collect();
        let labels = flat("targets");
        let scored = labels.iter().enumerate().filter(|&(_, &label)| label != -100.0);
        let targets =
            scored.map(|(state, &label)| Target { state, token: label as u32, candidate: state / seq });
        let end_token = self.json["cls_token_id"].as_i64().unwrap() as i32;
        let ends = tokens.chunks(seq).enumerate().map(|(row, tokens)| {
            row * seq + tokens.iter().rposition(|&token| token == end_token).expect("an end of turn")
        });
        let rows = tokens.len() / seq;
        Batch {
            rows,
            seq,
            targets: targets.collect(),
            // A row is all prompt, so that it is one sequence.
            answers: (1..=rows).map(|row| row * seq).collect(),
            ends: ends.collect(),
            sets: (0..rows).map(|row| row..row + 1).collect(),
            positions: (0..rows).flat_map(|_| 0..seq as i32).collect(),
            segments: vec![PROMPT_SEGMENT; tokens.len()],
            tokens,
        }
    }

    /// Our metrics are means over the whole step; the authors log one value for each sub-step.
    fn check_log(&self, step: usize, log: &Value, objective: &Objective, values: &Tensor<1>) {
        let limit = number(&self.json["tolerance_float32"]["loss_abs"]);
        let sub_steps = testing::list(&log["sub_steps"]);
        let mean = |name: &str| {
            sub_steps.iter().map(|sub_step| number(&sub_step[name])).sum::<f64>() / sub_steps.len() as f64
        };
        let values: Vec<f64> = values.to_data().iter::<f64>().collect();
        for (metric, value) in objective.metrics().iter().zip(values) {
            let expected = match metric.name {
                "loss" => mean("accumulated_loss") * sub_steps.len() as f64,
                "dph/loss" => mean("loss_dph"),
                "dpo/loss" => mean("loss_dpo"),
                name => mean(name),
            };
            let what = format!("{}, step {step}: {}", self.name, metric.name);
            // The optimiser amplifies rounding errors, so the weights of later steps differ more.
            let limit = if step == 1 { limit } else { 20.0 * limit };
            assert_close(&what, &[value], &[expected], limit, 0.0);
        }
    }

    fn check_gradients(&self, model: &JointTrainer, grads: &GradientsParams, head: &PreferenceHeadConfig) {
        let tolerance = &self.json["tolerance_float32"];
        let (absolute, relative) = (number(&tolerance["grad_abs"]), number(&tolerance["grad_rel"]));
        let found = weights(&model.clone().map(&mut ByGradient { grads }), head);
        let mut compared = 0;
        for (name, gradient) in &found {
            let Some(expected) = self.tensors.get(&format!("step1.grad.{name}")) else { continue };
            let what = format!("{}: gradient of {name}", self.name);
            assert_close(&what, &gradient.values, &expected.values, absolute, relative);
            compared += 1;
        }
        let expected = self.tensors.keys().filter(|name| name.starts_with("step1.grad.")).count();
        assert_eq!(compared, expected, "{}: not every gradient was compared", self.name);
    }

    fn check_weights(&self, model: &JointTrainer, head: &PreferenceHeadConfig, prefix: &str) {
        let tolerance = &self.json["tolerance_float32"];
        let key = if prefix == "after1." { "param_after_1_abs" } else { "param_after_5_abs" };
        let absolute = number(&tolerance[key]);
        let found = weights(model, head);
        let (mut close, mut all) = (0, 0);
        for (name, expected) in &self.tensors {
            let Some(name) = name.strip_prefix(prefix) else { continue };
            let ours = &found.get(name).unwrap_or_else(|| panic!("{}: no {name}", self.name)).values;
            assert_eq!(ours.len(), expected.values.len(), "{name}");
            // The optimiser amplifies entries whose gradient is almost 0, so only the share in the golden README must be close.
            let near = |(ours, theirs): (&f64, &f64)| (ours - theirs).abs() <= absolute;
            close += ours.iter().zip(&expected.values).filter(|&pair| near(pair)).count();
            all += ours.len();
        }
        assert!(close as f64 >= 0.995 * all as f64, "{} {prefix}: {close} of {all} are close", self.name);
    }
}

/// Replaces every parameter by its gradient, or by 0 if it has none.
struct ByGradient<'a> {
    grads: &'a GradientsParams,
}

impl ModuleMapper for ByGradient<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let grad = self.grads.get::<D>(param.id);
        param.map(|tensor| match grad {
            Some(grad) => Tensor::from_inner(grad),
            None => tensor.zeros_like(),
        })
    }
}

/// All weights of a model and its head, with the authors' names.
fn weights(model: &JointTrainer, config: &PreferenceHeadConfig) -> Tensors {
    let dir = tempfile::tempdir().unwrap();
    model.backbone.save(dir.path()).unwrap();
    model.head.as_ref().unwrap().save(config, dir.path()).unwrap();
    let mut tensors = testing::read_tensors(&dir.path().join("model.safetensors"));
    for (name, tensor) in testing::read_tensors(&dir.path().join(HEAD_WEIGHTS_FILE)) {
        let theirs = match name.split('.').collect::<Vec<_>>()[..] {
            ["pooling", "dense", kind] => format!("pooler_pipeline.0.{kind}"),
            ["pooling", "up_gate", kind] => format!("pooler_pipeline.0.{kind}"),
            ["pooling", "down", kind] => format!("pooler_pipeline.2.{kind}"),
            _ => name,
        };
        tensors.insert(theirs, tensor);
    }
    tensors
}

/// Loads a model from the weights with a prefix, through a temporary model directory.
fn backbone(config: &Value, tensors: &Tensors, prefix: &str, device: &Device) -> Backbone {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config.clone();
    config["model_type"] = "lsw_transformer".into();
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let ours = |name: &str| name.strip_prefix(prefix).map(String::from);
    write(tensors, ours, &dir.path().join("model.safetensors"));
    Backbone::load(dir.path(), device).unwrap()
}

/// Loads the authors' head, whose weights are named by their index in a pipeline, as a [`PreferenceHead`].
fn head(model: &Value, tensors: &Tensors, device: &Device) -> (PreferenceHead, PreferenceHeadConfig) {
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
    write(tensors, ours, &dir.path().join(HEAD_WEIGHTS_FILE));
    std::fs::write(dir.path().join(HEAD_CONFIG_FILE), serde_json::to_vec(&config).unwrap()).unwrap();
    PreferenceHead::load(dir.path(), device).unwrap()
}

/// Writes the tensors for which `ours` returns a name.
fn write(tensors: &Tensors, ours: impl Fn(&str) -> Option<String>, file: &Path) {
    let bytes = |tensor: &GoldenTensor| -> Vec<u8> {
        tensor.values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect()
    };
    let named: Vec<_> = tensors
        .iter()
        .filter_map(|(name, tensor)| Some((ours(name)?, &tensor.shape, bytes(tensor))))
        .collect();
    let views = named.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    std::fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}
