//! The authors' configurations of poolers as the TOML that a user would write.

use dph_core::PreferenceHeadConfig;
use serde_json::Value;

/// The head of a case, through its TOML.
pub fn head_config(branch: &Value, case: &Value) -> PreferenceHeadConfig {
    let config = &case["config"];
    let size = |name: &str| branch["shapes"][name].as_u64().unwrap();
    let legacy = branch["branch"] == "legacy_ema";
    let aggregation =
        if legacy { legacy_aggregation(config) } else { aggregation(branch, config, &case["norm_modules"]) };
    let pooling = match config["embedding_size"].as_u64() {
        Some(size) => format!("{{ projection = {size} }}"),
        None => "\"identity\"".into(),
    };
    let toml = format!(
        "d_model = {}\nd_ffn = {}\naggregation = {{ {aggregation} }}\npooling = {pooling}\nrewards = {}\nbias = {}\n",
        size("d_model"),
        size("d_ffn"),
        config["reward_heads"],
        flag(config, "reward_head_bias"),
    );
    let head: PreferenceHeadConfig = toml::from_str(&toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
    head.check().unwrap();
    // What is written is read back.
    let again = toml::to_string(&head).unwrap();
    assert_eq!(toml::from_str::<PreferenceHeadConfig>(&again).unwrap(), head, "{again}");
    head
}

/// `main` and `new_pooler`.
fn aggregation(branch: &Value, config: &Value, norms: &Value) -> String {
    let layers = match config["layer_pooling"].as_str().unwrap() {
        "layer" => layer(&config["layer_pooling_select"]),
        // The reference takes the layers in their own order, whatever the order of the list.
        "weighted_sum" => {
            let mut layers: Vec<u64> =
                serde_json::from_value(config["layer_pooling_select"].clone()).unwrap();
            layers.sort_unstable();
            format!("{{ weighted = {layers:?} }}")
        }
        other => panic!("layer pooling {other}"),
    };
    let tokens = match config["token_pooling"].as_str().unwrap() {
        "cls" => "\"end-of-turn\"".into(),
        "attn" => format!("{{ attention = {{ {} }} }}", attention(branch, &config["token_pooling_config"])),
        other => panic!("token pooling {other}"),
    };
    let norm = |module: &str| if norms[module] == true { "post" } else { "none" };
    let running = match config.get("embedding_pooling").and_then(Value::as_str) {
        None => "",
        Some("sgpt") => ", running = \"weighted\"",
        Some(other) => panic!("embedding pooling {other}"),
    };
    format!(
        "layers = {layers}, layer_norm = {:?}, tokens = {tokens}, token_norm = {:?}{running}",
        norm("layer_norm_post"),
        norm("token_norm_post"),
    )
}

fn attention(branch: &Value, config: &Value) -> String {
    let names: Vec<&str> = match config["attn_layers"].as_array() {
        Some(layers) => layers.iter().map(|layer| layer.as_str().unwrap()).collect(),
        None => vec![config["self_type"].as_str().unwrap(), "cross", "ffn"],
    };
    let layers: Vec<&str> = names
        .into_iter()
        .map(|name| match name {
            "pool_linear" => "pool-linear",
            "ffn" => "feed-forward",
            name => name,
        })
        .collect();
    let adapters = match config.get("lora_r") {
        Some(rank) => format!(", adapters = {{ rank = {rank}, alpha = {} }}", config["lora_alpha"]),
        None => String::new(),
    };
    let headers = config.get("include_prefix").is_none_or(|prefix| prefix == true);
    format!(
        "layers = {layers:?}, repeats = {}{adapters}, heads = {}, slope = {}, norm = {}, gate = {}, \
         subtract_input = {}, messages = {{ marked = {{ start = {}, end = {}, newline = {}, headers = {headers} }} }}",
        config["n_repeats"],
        branch["shapes"]["n_heads"],
        config["alibi_slope"],
        config.get("norm").map_or("\"pre\"".into(), Value::to_string),
        flag(config, "head_gate"),
        flag(config, "unskip"),
        config["sep_token_id"],
        config["cls_token_id"],
        config["new_token_id"],
    )
}

fn legacy_aggregation(config: &Value) -> String {
    let select = &config["layer_select"];
    let layers = match config["layer_pooling"].as_str().unwrap() {
        "layer" => layer(select),
        "mean" => format!("{{ mean = {select} }}"),
        "weighted_sum" => format!("{{ weighted = {select} }}"),
        "weighted_sum_bi" => format!("{{ signed = {select} }}"),
        other => panic!("layer pooling {other}"),
    };
    let tokens = match config["token_pooling"].as_str().unwrap() {
        "cls" => "\"end-of-turn\"".into(),
        "max" => "\"max\"".into(),
        "mean" => "\"mean\"".into(),
        "sgpt" => "\"weighted-mean\"".into(),
        "ema" => format!("{{ moving-average = {{ {} }} }}", moving_average(config)),
        other => panic!("token pooling {other}"),
    };
    let norm = |key: &str| config.get(key).map_or("\"none\"".into(), Value::to_string);
    // Start token, role and newline.
    let opening = if flag(config, "prefix_pool") { 3 } else { 0 };
    format!(
        "layers = {layers}, layer_norm = {}, tokens = {tokens}, token_norm = {}, opening = {opening}",
        norm("layer_pooling_norm"),
        norm("token_pooling_norm"),
    )
}

fn moving_average(config: &Value) -> String {
    let learn = match config["token_pooling_ema_beta_learnable"].as_str() {
        None => "fixed",
        Some("global") => "global",
        Some("activation") => "components",
        Some(other) => panic!("learnable decay {other}"),
    };
    let gate = flag(config, "token_pooling_gate");
    format!(
        "decay = {}, learn = {learn:?}, rotation = {}, expansion = {}, rotate_back = {}, gate = {gate}, gate_bias = {}",
        config["token_pooling_ema_beta"],
        flag(config, "token_pooling_rotation"),
        config["token_pooling_rotation_expansion"],
        config.get("token_pooling_inverse_rotate") != Some(&Value::Bool(false)),
        gate && flag(config, "token_pooling_gate_bias"),
    )
}

fn layer(select: &Value) -> String {
    if *select == -1 { "\"last\"".into() } else { select.to_string() }
}

fn flag(config: &Value, key: &str) -> bool {
    config.get(key) == Some(&Value::Bool(true))
}
