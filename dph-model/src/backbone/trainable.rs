//! The trained parameters of a model: by the names of their tensors, or low-rank adapters.

use burn::module::{Lora, Module, ParamGroup, ParamId};
use burn::tensor::FloatDType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Backbone;
use crate::decoder::{BlockParamKey, Decoder, DecoderConfig, ParamKey, Part};
use crate::family::Family;

/// Low-rank adapters (LoRA, arXiv 2106.09685) on frozen weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// Rank of the adapters.
    pub rank: usize,
    /// The product of the adapters is scaled by `alpha / rank`.
    pub alpha: f64,
    /// The matrices with an adapter, as patterns of tensor names, see [`Backbone::parameters_like`]. If empty, every
    /// matrix of the blocks has one.
    pub targets: Vec<String>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, targets: Vec::new() }
    }
}

/// Patterns that match no parameters of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// No tensor has such a name.
    #[error("no tensor name matches `{pattern}`; examples of names are {}", examples.join(", "))]
    Nothing {
        /// The pattern.
        pattern: String,
        /// Examples of tensor names.
        examples: Vec<String>,
    },
    /// Only some of the tensors of one parameter match.
    #[error("{} are stored in one matrix; match all of them or none (`{}` does not match)", tensors.join(", "), missing)]
    Part {
        /// The tensors of the parameter.
        tensors: Vec<String>,
        /// A tensor that does not match.
        missing: String,
    },
    /// The rank of the adapters is larger than a side of a matrix.
    #[error(
        "adapters of rank {rank} do not fit `{tensor}`, a matrix of {outputs} × {inputs}: `rank` must be at most {}",
        outputs.min(inputs)
    )]
    Rank {
        /// The rank.
        rank: usize,
        /// A tensor of the matrix.
        tensor: String,
        /// Number of outputs of the matrix.
        outputs: usize,
        /// Number of inputs of the matrix.
        inputs: usize,
    },
    /// No matrix of a block matches.
    #[error("`{tensor}` cannot have an adapter; only the matrices of the blocks can")]
    NoMatrix {
        /// A tensor that matches.
        tensor: String,
    },
}

/// Whether a pattern matches a name: its parts between `*` occur in the name in this order, at any position. `norm`
/// matches every name that contains it, and `layers.0.*weight` matches the weights of block 0.
pub fn fits(pattern: &str, name: &str) -> bool {
    let mut rest = name;
    pattern.split('*').all(|piece| match rest.find(piece) {
        Some(at) => {
            rest = &rest[at + piece.len()..];
            true
        }
        None => false,
    })
}

/// Checks that patterns match whole parameters of the models of a configuration, see [`Backbone::parameters_like`].
///
/// # Errors
///
/// If a pattern matches nothing, or only a part of a parameter.
pub fn check_patterns(
    family: &Family,
    config: &DecoderConfig,
    patterns: &[String],
) -> Result<(), PatternError> {
    matching(tensor_names(family, config), patterns).map(drop)
}

/// Checks that there are matrices for adapters, see [`Backbone::with_lora`].
///
/// # Errors
///
/// As for [`check_patterns`], if no matrix of a block matches, and if the rank exceeds a side of a matrix.
pub fn check_lora(family: &Family, config: &DecoderConfig, lora: &LoraConfig) -> Result<(), PatternError> {
    lora_targets(tensor_names(family, config), config, lora).map(drop)
}

/// A parameter and the names of its tensors in files.
type Named = (ParamKey, Vec<String>);

fn tensor_names(family: &Family, config: &DecoderConfig) -> Vec<Named> {
    let names = |key| family.tensors(key, config).into_iter().map(|tensor| tensor.name).collect();
    config.param_keys().into_iter().map(|key| (key, names(key))).collect()
}

/// The parameters whose tensor names all match one of the patterns.
fn matching(named: Vec<Named>, patterns: &[String]) -> Result<Vec<Named>, PatternError> {
    for pattern in patterns {
        let mut names = named.iter().flat_map(|(_, names)| names);
        if !names.clone().any(|name| fits(pattern, name)) {
            let examples = names.by_ref().step_by(3).take(3).cloned().collect();
            return Err(PatternError::Nothing { pattern: pattern.clone(), examples });
        }
    }
    let is_named = |name: &String| patterns.iter().any(|pattern| fits(pattern, name));
    let mut found = Vec::new();
    for (key, names) in named {
        let missing = names.iter().find(|name| !is_named(name));
        match missing {
            None => found.push((key, names)),
            Some(missing) if names.iter().any(is_named) => {
                return Err(PatternError::Part { missing: missing.clone(), tensors: names });
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

/// The matrices that get an adapter.
fn lora_targets(
    named: Vec<Named>,
    config: &DecoderConfig,
    lora: &LoraConfig,
) -> Result<Vec<ParamKey>, PatternError> {
    let is_matrix = |key: &ParamKey| {
        use BlockParamKey::{AttentionOutput, MlpInput, MlpOutput, Qkv};
        let ParamKey::Block(_, key) = key else { return false };
        matches!(
            key,
            Qkv(Part::Weight)
                | AttentionOutput(Part::Weight)
                | MlpInput(Part::Weight)
                | MlpOutput(Part::Weight)
        )
    };
    let found = match lora.targets.is_empty() {
        true => named,
        false => matching(named, &lora.targets)?,
    };
    // A pattern such as `q_proj` also matches a bias, which has no adapter.
    let matrices: Vec<ParamKey> = found.iter().map(|(key, _)| *key).filter(is_matrix).collect();
    for (key, names) in found.iter().filter(|(key, _)| is_matrix(key)) {
        if let [outputs, inputs] = config.shape(*key)[..]
            && lora.rank > outputs.min(inputs)
        {
            return Err(PatternError::Rank { rank: lora.rank, tensor: names[0].clone(), outputs, inputs });
        }
    }
    match (matrices.is_empty(), found.first()) {
        (true, Some((_, names))) => Err(PatternError::NoMatrix { tensor: names[0].clone() }),
        _ => Ok(matrices),
    }
}

/// The parameters of a model by the names of their tensors in files.
pub(crate) struct NamedParameters<'a> {
    pub decoder: &'a Decoder,
    pub family: &'a Family,
    pub config: &'a DecoderConfig,
}

impl NamedParameters<'_> {
    /// See [`Backbone::parameter_names`].
    pub fn names(&self) -> Vec<(ParamId, Vec<String>)> {
        let named = self.named().into_iter();
        named.zip(self.decoder.parameters()).map(|((_, names), (_, param))| (param.id(), names)).collect()
    }

    /// See [`Backbone::parameters_like`].
    pub fn like(&self, patterns: &[String]) -> Result<ParamGroup, PatternError> {
        let found = matching(self.named(), patterns)?;
        let keys: Vec<ParamKey> = found.into_iter().map(|(key, _)| key).collect();
        Ok(self.group(|key| keys.contains(key)))
    }

    /// The parameters in these places.
    pub fn group(&self, is_wanted: impl Fn(&ParamKey) -> bool) -> ParamGroup {
        let parameters = self.decoder.parameters().into_iter();
        ParamGroup::from_ids(
            parameters.filter(|(key, _)| is_wanted(key)).map(|(_, param)| param.id()).collect(),
        )
    }

    /// The parameters of the token embedding, see [`Backbone::embedding_parameters`].
    pub fn embeddings(&self) -> ParamGroup {
        use ParamKey::{Embedding, Head, HeadProjection, InputProjection};
        self.group(|key| matches!(key, Embedding | InputProjection | HeadProjection | Head))
    }

    /// The adapters of [`Backbone::with_lora`].
    pub fn lora(&self, lora: &LoraConfig) -> Result<Lora, PatternError> {
        let keys = lora_targets(self.named(), self.config, lora)?;
        // Adapters are f32, also on matrices in half precision.
        let adapters = Lora::new(lora.rank, lora.alpha).set_dtype(FloatDType::F32);
        Ok(adapters.set_param_group(self.group(|key| keys.contains(key))))
    }

    fn named(&self) -> Vec<Named> {
        let names = |key| {
            let tensors = self.family.tensors(key, self.config);
            tensors.into_iter().map(|tensor| tensor.name).collect()
        };
        self.decoder.parameters().into_iter().map(|(key, _)| (key, names(key))).collect()
    }
}

impl Backbone {
    /// Every parameter with the names of its tensors in files. A parameter has several if they are joined here, such
    /// as the projections to queries, keys and values.
    pub fn parameter_names(&self) -> Vec<(ParamId, Vec<String>)> {
        self.named_parameters().names()
    }

    /// The parameters whose tensor names match one of the patterns, see [`fits`].
    ///
    /// # Errors
    ///
    /// If a pattern matches nothing, or only a part of a parameter.
    pub fn parameters_like(&self, patterns: &[String]) -> Result<ParamGroup, PatternError> {
        self.named_parameters().like(patterns)
    }

    /// The parameters of the token embedding: the embedding, the projections of a factored embedding, and the output
    /// matrix of an untied model. Learned positions are not included.
    pub fn embedding_parameters(&self) -> ParamGroup {
        self.named_parameters().embeddings()
    }

    /// Freezes every parameter and adds low-rank adapters to some of the matrices. The initial adapters do not change
    /// the output. [`save`](Self::save) writes the sum of weights and adapters.
    ///
    /// # Errors
    ///
    /// As for [`parameters_like`](Self::parameters_like), if no matrix of a block matches, and if the rank exceeds a side of a
    /// matrix.
    pub fn with_lora(self, lora: &LoraConfig, seed: u64) -> Result<Self, PatternError> {
        let adapters = self.named_parameters().lora(lora)?;
        self.device().seed(seed);
        Ok(self.apply_lora(adapters))
    }

    /// The parameters by the names of their tensors.
    pub(crate) fn named_parameters(&self) -> NamedParameters<'_> {
        NamedParameters { decoder: &self.decoder, family: self.family(), config: self.config() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::module::ModuleVisitor;
    use burn::module::Param;
    use burn::tensor::{Device, Tensor};
    use dph_core::{Batch, Candidate, CandidateSet, Layer, TargetTokens};

    use super::*;

    fn backbone() -> Backbone {
        let config = r#"{"model_type": "llama", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 2, "tie_word_embeddings": true}"#;
        Backbone::init(config, 1, &Device::flex().autodiff()).unwrap()
    }

    #[derive(Default)]
    struct Learning(usize);

    impl ModuleVisitor for Learning {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 += if param.is_require_grad() { param.lazy_shape().num_elements() } else { 0 };
        }
    }

    fn learning(backbone: &Backbone) -> usize {
        let mut learning = Learning::default();
        backbone.visit(&mut learning);
        learning.0
    }

    fn state(backbone: &Backbone) -> Vec<f32> {
        let set = CandidateSet {
            prompt: vec![3, 4],
            candidates: vec![Candidate::new(vec![5, 6], 1)],
            ..CandidateSet::default()
        };
        let batch = Batch::pack([&set], TargetTokens::None, 0);
        backbone.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn patterns_are_parts_of_names() {
        assert!(fits("norm", "model.norm.weight"));
        assert!(fits("layers.0.*weight", "model.layers.0.mlp.down_proj.weight"));
        assert!(!fits("layers.0.*bias", "model.layers.0.mlp.down_proj.weight"));
        let backbone = backbone();
        let like = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| pattern.to_string()).collect();
            backbone.parameters_like(&patterns)
        };
        let frozen = backbone.clone().freeze().unfreeze_group(like(&["layers.1.*down_proj"]).unwrap());
        assert_eq!(learning(&frozen), 16 * 24);
        assert_eq!(
            learning(&backbone.clone().freeze().unfreeze_group(backbone.embedding_parameters())),
            40 * 16
        );
        let error = like(&["blocks"]).unwrap_err().to_string();
        assert!(
            error.starts_with("no tensor name matches `blocks`; examples of names are model."),
            "{error}"
        );
        let error = like(&["q_proj", "k_proj"]).unwrap_err().to_string();
        assert!(error.contains("(`model.layers.0.self_attn.v_proj.weight` does not match)"), "{error}");
    }

    #[test]
    fn adapters_learn_alone_change_nothing_at_first_and_are_saved_with_the_weights() {
        let backbone = backbone();
        let before = state(&backbone);
        let config = LoraConfig { rank: 2, targets: vec!["o_proj".into()], ..LoraConfig::default() };
        let adapted = backbone.clone().with_lora(&config, 5).unwrap();
        assert_eq!(learning(&adapted), 2 * 2 * (16 + 16));
        assert_eq!(state(&adapted), before);
        let of_norm = LoraConfig { targets: vec!["model.norm".into()], ..config };
        assert!(
            backbone.with_lora(&of_norm, 5).unwrap_err().to_string().contains("`model.norm.weight` cannot")
        );

        // A step on the adapters is in the file.
        let adapted = adapted.map(&mut Shift);
        let dir = tempfile::tempdir().unwrap();
        adapted.save(dir.path()).unwrap();
        let after = state(&Backbone::load(dir.path(), &Device::flex()).unwrap());
        assert_ne!(after, before);
        for (file, module) in after.iter().zip(state(&adapted)) {
            assert!((file - module).abs() < 1e-5, "{file} {module}");
        }
    }

    struct Shift;

    impl burn::module::ModuleMapper for Shift {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            match param.is_require_grad() {
                true => param.map(|tensor| (tensor + 0.1).detach().require_grad()),
                false => param,
            }
        }
    }
}
