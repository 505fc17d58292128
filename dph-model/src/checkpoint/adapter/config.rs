//! [`AdapterConfig`]: the `adapter_config.json` of PEFT.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dph_core::text_file::read_text;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::targets::Targets;
use super::weights::adapter_weights;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::file_names::ADAPTER_CONFIG_FILE;
use crate::checkpoint::hub;
use crate::checkpoint::weight_files::weight_files;
use crate::family::as_json;

/// The tasks whose models have another layer than a classifier of texts or a language model.
const OTHER_TASKS: [&str; 3] = ["TOKEN_CLS", "QUESTION_ANS", "SEQ_2_SEQ_LM"];

/// Whether a directory holds an adapter and no model.
pub(crate) fn has_adapter(dir: &Path) -> bool {
    dir.join(ADAPTER_CONFIG_FILE).is_file() && weight_files(dir).is_err()
}

/// Whether a directory holds a whole adapter beside a model, so that either may be meant.
pub(crate) fn has_both(dir: &Path) -> bool {
    dir.join(ADAPTER_CONFIG_FILE).is_file() && adapter_weights(dir).is_ok() && weight_files(dir).is_ok()
}

/// The keys of an adapter that are used.
#[derive(Debug, Deserialize)]
pub(crate) struct AdapterConfig {
    peft_type: Option<String>,
    /// The model that the adapter was trained on: a path, or the name of a repository of the hub.
    base_model_name_or_path: Option<String>,
    /// The revision of the repository.
    revision: Option<String>,
    /// The rank of most matrices.
    r: Option<usize>,
    /// The ranks of others.
    rank_pattern: Option<BTreeMap<String, usize>>,
    #[serde(flatten)]
    targets: Targets,
    /// The task, which is that of a class of PEFT around the model.
    task_type: Option<String>,
    lora_alpha: Option<f64>,
    use_rslora: Option<bool>,
    /// In the order of the file: the first pattern that matches counts, as in `get_pattern_key` of PEFT.
    #[serde(default, deserialize_with = "in_order")]
    alpha_pattern: Vec<(String, f64)>,
    use_dora: Option<bool>,
    use_qalora: Option<bool>,
    lora_bias: Option<bool>,
    layer_replication: Option<Value>,
    alora_invocation_tokens: Option<Value>,
    trainable_token_indices: Option<Value>,
    target_parameters: Option<Vec<Value>>,
    init_lora_weights: Option<Value>,
}

impl AdapterConfig {
    /// Reads the configuration in a directory.
    pub fn read(dir: &Path) -> Result<Self, CheckpointError> {
        let path = dir.join(ADAPTER_CONFIG_FILE);
        CheckpointError::check_pointer(&path)?;
        let text = read_text(&path).map_err(|source| CheckpointError::Io { path: path.clone(), source })?;
        let config: Self = serde_json::from_str(&as_json(&text))
            .map_err(|error| CheckpointError::Adapter { dir: path, problem: error.to_string() })?;
        if let Some(task) = config.task_type.as_deref().filter(|task| OTHER_TASKS.contains(task)) {
            let problem = format!(
                "it was trained for another task (`task_type` = {task:?}); adapters of language models (CAUSAL_LM) and of classifiers or reward \
                 models (SEQ_CLS) are read"
            );
            return Err(CheckpointError::Adapter { dir: dir.into(), problem });
        }
        match config.unsupported() {
            Some(problem) => Err(CheckpointError::Adapter {
                dir: dir.into(),
                problem: format!(
                    "{problem} is not supported; merge the adapter with PEFT: model.merge_and_unload().save_pretrained(OUT)"
                ),
            }),
            None => Ok(config),
        }
    }

    fn unsupported(&self) -> Option<String> {
        let kind = self.peft_type.as_deref().unwrap_or("LORA");
        if kind != "LORA" {
            return Some(format!("an adapter with `peft_type` = {kind:?}"));
        }
        let flags = [
            ("use_dora", self.use_dora.unwrap_or(false)),
            ("use_qalora", self.use_qalora.unwrap_or(false)),
            ("lora_bias", self.lora_bias.unwrap_or(false)),
            ("layer_replication", self.layer_replication.is_some()),
            ("alora_invocation_tokens", self.alora_invocation_tokens.is_some()),
            ("trainable_token_indices", self.trainable_token_indices.is_some()),
            ("target_parameters", self.target_parameters.iter().any(|names| !names.is_empty())),
        ];
        if let Some((flag, _)) = flags.into_iter().find(|(_, is_set)| *is_set) {
            return Some(format!("an adapter with `{flag}`"));
        }
        // With these PEFT changes the base model while it loads the adapter.
        let of_base =
            |name: &&str| name.starts_with("pissa") || ["olora", "corda", "loftq", "lora_ga"].contains(name);
        if let Some(name) = self.init_lora_weights.as_ref().and_then(Value::as_str).filter(of_base) {
            return Some(format!("an adapter with `init_lora_weights` = {name:?}"));
        }
        let is_expression = |pattern: &&String| pattern.contains(['*', '+', '?', '[', '(', '|', '\\', '$']);
        let mut patterns = self.alpha_pattern.iter().map(|(pattern, _)| pattern);
        patterns
            .find(is_expression)
            .map(|pattern| format!("the regular expression {pattern:?} in `alpha_pattern`"))
    }

    /// The path of the model that the adapter in `dir` was trained on: relative to the adapter or to the working directory, or a
    /// repository of the hub.
    pub fn base(&self, dir: &Path) -> Result<PathBuf, CheckpointError> {
        let missing = |problem: String| CheckpointError::Adapter {
            dir: dir.into(),
            problem: format!("{problem}; name the model with --base, or as `base` in `[model]`"),
        };
        let name = self.base_model_name_or_path.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| missing("it does not say on which model it was trained".into()))?;
        let here = [dir.join(name), PathBuf::from(name)];
        if let Some(path) = here.into_iter().find(|path| path.exists()) {
            return Ok(path);
        }
        let is_repository = name.split('/').count() == 2 && !name.starts_with(['.', '/', '~']);
        if !is_repository {
            return Err(missing(format!("the model that it was trained on, {name}, is not there")));
        }
        let revision: String = self.revision.iter().map(|revision| format!("@{revision}")).collect();
        let located = hub::locate(Path::new(&format!("hf:{name}{revision}")));
        located.map_err(|error| missing(format!("it was trained on another model; {error}")))
    }

    /// The rank that the configuration states, if no module of the adapter has this one.
    pub fn other_rank(&self, rank: usize) -> Option<usize> {
        let known = |of: usize| of == rank || self.rank_pattern.iter().flatten().any(|(_, own)| *own == rank);
        self.r.filter(|stated| !known(*stated))
    }

    /// The names of the modules that the adapter should have as a whole.
    pub fn whole_modules(&self) -> impl Iterator<Item = &str> {
        self.targets.whole_modules()
    }

    /// The key by which PEFT does not change a module.
    pub fn excluding(&self, module: &str) -> Option<&'static str> {
        self.targets.excluding(module)
    }

    /// Whether the model with the adapter is a class `*ForSequenceClassification`.
    pub fn is_classifier(&self) -> bool {
        self.task_type.as_deref() == Some("SEQ_CLS")
    }

    /// The factor of the product of the two matrices of a module.
    pub fn scale(&self, module: &str, rank: usize) -> f64 {
        let mut patterns = self.alpha_pattern.iter();
        let own = patterns.find(|(pattern, _)| matches(pattern, module)).map(|(_, alpha)| *alpha);
        // The default of PEFT.
        let alpha = own.or(self.lora_alpha).unwrap_or(8.0);
        let rank = rank.max(1) as f64;
        alpha / if self.use_rslora.unwrap_or(false) { rank.sqrt() } else { rank }
    }
}

/// The entries of an object in their order; none for null.
fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, f64)>, D::Error> {
    let entries: Option<Map<String, Value>> = Deserialize::deserialize(deserializer)?;
    let entry = |(key, value): (String, Value)| match value.as_f64() {
        Some(number) => Ok((key, number)),
        None => Err(D::Error::custom(format!("{key:?} in `alpha_pattern` must be a number, but is {value}"))),
    };
    entries.into_iter().flatten().map(entry).collect()
}

/// Whether a pattern is the name of a module, or its end at a dot. `^` allows the whole name only.
fn matches(pattern: &str, module: &str) -> bool {
    match pattern.strip_prefix('^') {
        Some(whole) => whole == module,
        None => module.strip_suffix(pattern).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_that_of_the_module() {
        let config = |text: &str| serde_json::from_str::<AdapterConfig>(text).unwrap();
        let patterns = r#"{"lora_alpha": 8, "alpha_pattern": {"down_proj": 3, "^model.layers.0.q_proj": 6, "0.k_proj": 9}}"#;
        let patterns = config(patterns);
        assert_eq!(patterns.scale("model.layers.0.mlp.down_proj", 6), 0.5);
        assert_eq!(patterns.scale("model.layers.0.mlp.xdown_proj", 4), 2.0);
        assert_eq!(patterns.scale("model.layers.0.q_proj", 2), 3.0);
        assert_eq!(patterns.scale("x.model.layers.0.q_proj", 2), 4.0);
        assert_eq!(patterns.scale("model.layers.0.k_proj", 3), 3.0);
        assert_eq!(patterns.scale("model.layers.10.k_proj", 2), 4.0);
        assert_eq!(config(r#"{"lora_alpha": 8, "use_rslora": true}"#).scale("x", 16), 2.0);
        // The first pattern of the file counts, whatever its name.
        let alpha = |text: &str| config(text).scale("model.layers.0.q_proj", 1);
        assert_eq!(alpha(r#"{"alpha_pattern": {"q_proj": 2, "0.q_proj": 3}}"#), 2.0);
        assert_eq!(alpha(r#"{"alpha_pattern": {"0.q_proj": 3, "q_proj": 2}}"#), 3.0);
        assert_eq!(alpha(r#"{"alpha_pattern": null}"#), 8.0);
        let wrong = serde_json::from_str::<AdapterConfig>(r#"{"alpha_pattern": {"q_proj": "2"}}"#);
        assert!(wrong.unwrap_err().to_string().contains("\"q_proj\" in `alpha_pattern` must be a number"));
    }

    #[test]
    fn what_is_not_computed_is_named() {
        let problem = |text: &str| serde_json::from_str::<AdapterConfig>(text).unwrap().unsupported();
        assert_eq!(problem(r#"{"peft_type": "LORA", "use_dora": false, "layer_replication": null}"#), None);
        assert_eq!(problem(r#"{"init_lora_weights": "gaussian"}"#), None);
        assert_eq!(problem(r#"{"init_lora_weights": true}"#), None);
        for (text, expected) in [
            (r#"{"peft_type": "IA3"}"#, "`peft_type` = \"IA3\""),
            (r#"{"use_dora": true}"#, "`use_dora`"),
            (r#"{"lora_bias": true}"#, "`lora_bias`"),
            (r#"{"init_lora_weights": "pissa_niter_4"}"#, "`init_lora_weights` = \"pissa_niter_4\""),
            (r#"{"init_lora_weights": "olora"}"#, "`init_lora_weights` = \"olora\""),
            (r#"{"layer_replication": [[0, 4]]}"#, "`layer_replication`"),
            (r#"{"alpha_pattern": {".*q_proj": 2}}"#, "the regular expression \".*q_proj\""),
        ] {
            assert!(problem(text).unwrap().contains(expected), "{text}");
        }
    }
}
