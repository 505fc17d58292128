//! The authors' weights, which are named by their place in a pooler, as a head file of ours.

use std::collections::BTreeMap;
use std::path::Path;

use dph_core::*;
use safetensors::tensor::{Dtype, TensorView};

use dph_core::testing::{GoldenTensor, device};

/// The head of a case with its weights, through a file.
pub fn load(
    config: &PreferenceHeadConfig,
    case: &str,
    weights: &BTreeMap<String, GoldenTensor>,
) -> PreferenceHead {
    let prefix = format!("{case}/");
    let of_case = weights.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?, tensor)));
    let tensors: Vec<_> = of_case.flat_map(|(name, tensor)| ours(config, name, tensor)).collect();
    let dir = tempfile::tempdir().unwrap();
    write(&tensors, config, dir.path());
    let (head, loaded) = PreferenceHead::load(dir.path(), &device()).unwrap();
    assert_eq!(loaded, *config, "{case}");
    head
}

type Named = (String, Vec<usize>, Vec<f64>);

/// A tensor of the reference under our name; two where the reference joins what we keep apart, and none for what a
/// configuration holds.
fn ours(config: &PreferenceHeadConfig, name: &str, tensor: &GoldenTensor) -> Vec<Named> {
    let (shape, values) = (&tensor.shape, &tensor.values);
    let as_is = |name: String| vec![(name, shape.clone(), values.clone())];
    let flat = |name: String| vec![(name, vec![values.len()], values.clone())];
    match &name.split('.').collect::<Vec<_>>()[..] {
        ["reward_heads", ..] => as_is(name.into()),
        ["layer_weighting"] | ["layer_pooler", "layer_weighting"] => flat("aggregation.layer_weights".into()),
        ["layer_norm_pre", kind] => as_is(format!("aggregation.layer_norm.before.{kind}")),
        ["layer_norm_post", kind] => as_is(format!("aggregation.layer_norm.after.{kind}")),
        ["token_norm_pre", kind] => as_is(format!("aggregation.token_norm.before.{kind}")),
        ["token_norm_post", kind] => as_is(format!("aggregation.token_norm.after.{kind}")),
        ["pooler_pipeline", "0", kind] => as_is(format!("pooling.dense.{kind}")),
        [.., "head_scale"] => Vec::new(),
        ["ema_beta"] => {
            let TokenPooling::MovingAverage(average) = &config.aggregation.tokens else { panic!("{name}") };
            let decay = 1.0 / (1.0 + (-values[0]).exp());
            assert!((decay - average.decay).abs() < 1e-6, "{decay} {}", average.decay);
            Vec::new()
        }
        ["ema_weight"] => match &config.aggregation.tokens {
            TokenPooling::MovingAverage(average) if average.learn == aggregation::DecayLearning::Fixed => {
                Vec::new()
            }
            _ => flat("aggregation.moving_average.decay".into()),
        },
        ["token_rotate", "weight"] => as_is("aggregation.moving_average.rotation".into()),
        ["token_gate", kind] => as_is(format!("aggregation.moving_average.gate.{kind}")),
        ["token_pooler", "attn_layers", layer, "fc1", kind] => {
            let half = shape[0] / 2;
            let shape: Vec<usize> = std::iter::once(half).chain(shape[1..].iter().copied()).collect();
            let halves = values.chunks(values.len() / 2).zip(["up", "gate"]);
            let half = |(values, part): (&[f64], &str)| {
                (format!("aggregation.attention.{layer}.{part}.{kind}"), shape.clone(), values.to_vec())
            };
            halves.map(half).collect()
        }
        ["token_pooler", "attn_layers", layer, "q_regs"] => {
            flat(format!("aggregation.attention.{layer}.question"))
        }
        ["token_pooler", "attn_layers", layer, part, kind] => {
            as_is(format!("aggregation.attention.{layer}.{}.{kind}", projection(part)))
        }
        ["token_pooler", "norm_layers_pre", step, kind] => {
            as_is(format!("aggregation.attention.norm.{step}.before.{kind}"))
        }
        ["token_pooler", "norm_layers_post", step, kind] => {
            as_is(format!("aggregation.attention.norm.{step}.after.{kind}"))
        }
        [
            "token_pooler",
            layer,
            part @ ("q_regs" | "q_proj" | "k_proj" | "v_proj" | "o_proj" | "up_proj" | "gate_proj"
            | "down_proj"),
            rest @ ..,
        ] => {
            let name = format!("aggregation.attention.{}.{}", layer_index(layer), projection(part));
            match rest {
                ["register"] => flat(name),
                ["linear", kind] => as_is(format!("{name}.{kind}")),
                ["bias_list", repeat] => flat(format!("{name}.repeat.{repeat}.bias")),
                ["lora_A_list", repeat] => as_is(format!("{name}.repeat.{repeat}.down")),
                ["lora_B_list", repeat] => as_is(format!("{name}.repeat.{repeat}.up")),
                _ => panic!("{name}: {rest:?}"),
            }
        }
        ["token_pooler", norm, repeat, kind] => {
            let step = 3 * repeat.parse::<usize>().unwrap() + layer_index(norm);
            as_is(format!("aggregation.attention.norm.{step}.before.{kind}"))
        }
        _ => panic!("{name} has no place in our heads"),
    }
}

fn layer_index(name: &str) -> usize {
    ["self_", "cross_", "ffn_"].iter().position(|prefix| name.starts_with(prefix)).unwrap()
}

fn projection(name: &str) -> &'static str {
    match name {
        "q_regs" => "question",
        "q_proj" => "query",
        "k_proj" => "key",
        "v_proj" => "value",
        "o_proj" => "output",
        "g_proj" | "gate_proj" => "gate",
        "a_proj" => "score",
        "up_proj" => "up",
        "down_proj" | "fc2" => "down",
        other => panic!("{other}"),
    }
}

fn write(tensors: &[Named], config: &PreferenceHeadConfig, dir: &Path) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(dir.join(HEAD_WEIGHTS_FILE), safetensors::serialize(views, None).unwrap()).unwrap();
    std::fs::write(dir.join(HEAD_CONFIG_FILE), serde_json::to_vec(config).unwrap()).unwrap();
}
