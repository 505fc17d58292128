//! Layer pooling: which layers' hidden states are read, and how several are combined.

use std::borrow::Cow;
use std::fmt;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{AggregationError, Layer};
use crate::parameters::{NamedParam, NamedParams};

/// The layers that are read, and how they are mixed.
///
/// | in TOML | states | parameters for n layers |
/// |---|---|---|
/// | `20`, `"last"` | one layer | 0 |
/// | `{ mean = [16, 20, "last"] }` | mean of the layers | 0 |
/// | `{ weighted = [16, 20, "last"] }` | Σ softmax(w)ᵢ xᵢ: a learned mean, initially with equal weights | n |
/// | `{ signed = [16, 20, "last"] }` | Σ wᵢ xᵢ / Σ \|wᵢ\|: weights may be negative | n |
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LayerPooling {
    /// One layer.
    One(Layer),
    /// The mean of several layers.
    Mean(Vec<Layer>),
    /// A learned mean of several layers. The weights are a softmax.
    Weighted(Vec<Layer>),
    /// A learned signed sum of several layers. The absolute values of the weights sum to 1.
    Signed(Vec<Layer>),
}

impl Default for LayerPooling {
    fn default() -> Self {
        LayerPooling::One(Layer::Last)
    }
}

impl From<Layer> for LayerPooling {
    fn from(layer: Layer) -> Self {
        LayerPooling::One(layer)
    }
}

const NAMES: &[&str] = &["mean", "weighted", "signed"];

/// The key of a mix, in the order of [`NAMES`].
#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Mix {
    Mean,
    Weighted,
    Signed,
}

impl LayerPooling {
    /// The layers, in the order of their weights.
    pub fn layers(&self) -> &[Layer] {
        match self {
            LayerPooling::One(layer) => std::slice::from_ref(layer),
            LayerPooling::Mean(layers) | LayerPooling::Weighted(layers) | LayerPooling::Signed(layers) => {
                layers
            }
        }
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        match self {
            LayerPooling::One(_) | LayerPooling::Mean(_) => 0,
            LayerPooling::Weighted(layers) | LayerPooling::Signed(layers) => layers.len(),
        }
    }

    pub(super) fn check(&self) -> Result<(), AggregationError> {
        let layers = self.layers();
        if layers.is_empty() {
            return Err(AggregationError::NoLayers);
        }
        match layers.iter().enumerate().find(|(index, layer)| layers[..*index].contains(layer)) {
            Some((_, &layer)) => Err(AggregationError::LayerTwice { layer }),
            None => Ok(()),
        }
    }

    /// The key of a combination of several layers in configuration files.
    fn name(&self) -> Option<&'static str> {
        match self {
            LayerPooling::One(_) => None,
            LayerPooling::Mean(_) => Some("mean"),
            LayerPooling::Weighted(_) => Some("weighted"),
            LayerPooling::Signed(_) => Some("signed"),
        }
    }
}

impl fmt::Display for LayerPooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers: Vec<String> = self.layers().iter().map(Layer::to_string).collect();
        match self.name() {
            None => f.write_str(&layers.join("")),
            Some(name) => write!(f, "{name} of {}", layers.join(", ")),
        }
    }
}

impl Serialize for LayerPooling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.name(), self.layers()) {
            (None, layers) => layers[0].serialize(serializer),
            (Some(name), layers) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(name, layers)?;
                map.end()
            }
        }
    }
}

impl JsonSchema for LayerPooling {
    fn schema_name() -> Cow<'static, str> {
        "LayerPooling".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let layer = generator.subschema_for::<Layer>();
        let mix = |name: &str| {
            json_schema!({
                "type": "object",
                "properties": { name: { "type": "array", "items": layer, "minItems": 1 } },
                "required": [name],
                "additionalProperties": false
            })
        };
        json_schema!({
            "description": "A layer, or layers to be mixed",
            "oneOf": [layer, mix("mean"), mix("weighted"), mix("signed")]
        })
    }
}

impl<'de> Deserialize<'de> for LayerPooling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = LayerPooling;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "`\"last\"`, the number of a layer, counted from 0 (the embedding), or layers to be mixed: \
             `{ mean = [..] }`, `{ weighted = [..] }` or `{ signed = [..] }`",
        )
    }

    fn visit_u64<E: de::Error>(self, index: u64) -> Result<LayerPooling, E> {
        Ok(Layer::At(index as usize).into())
    }

    fn visit_i64<E: de::Error>(self, index: i64) -> Result<LayerPooling, E> {
        match u64::try_from(index) {
            Ok(index) => self.visit_u64(index),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(index), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<LayerPooling, E> {
        match name {
            "last" => Ok(Layer::Last.into()),
            _ => Err(E::invalid_value(de::Unexpected::Str(name), &self)),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<LayerPooling, A::Error> {
        use de::Error;
        let Some(mix) = map.next_key::<Mix>()? else {
            return Err(A::Error::invalid_value(de::Unexpected::Map, &self));
        };
        let of: fn(Vec<Layer>) -> LayerPooling = match mix {
            Mix::Mean => LayerPooling::Mean,
            Mix::Weighted => LayerPooling::Weighted,
            Mix::Signed => LayerPooling::Signed,
        };
        let layers = map.next_value()?;
        match map.next_key::<Mix>()? {
            Some(more) => Err(A::Error::custom(format!(
                "`{}` and `{}` exclude each other: layers are mixed in one way",
                NAMES[mix as usize], NAMES[more as usize]
            ))),
            None => Ok(of(layers)),
        }
    }
}

/// The learned weights of a mix of layers.
#[derive(Module, Debug)]
pub(crate) struct LayerMix {
    weights: Option<Param<Tensor<1>>>,
    signed: bool,
}

impl LayerMix {
    /// Equal weights for all layers.
    pub fn new(pooling: &LayerPooling, device: &Device) -> Self {
        let count = pooling.parameters();
        let signed = matches!(pooling, LayerPooling::Signed(_));
        // Signed weights are taken as they are, so that 0 would be no mean.
        let start = if signed { Tensor::ones([count], device) } else { Tensor::zeros([count], device) };
        Self { weights: (count > 0).then(|| Param::from_tensor(start)), signed }
    }

    /// `[tokens, layers, d_model]` to `[tokens, d_model]`. Without weights the layers are averaged.
    pub fn forward(&self, states: Tensor<3>) -> Tensor<2> {
        let [_, layers, _] = states.dims();
        if layers == 1 {
            return states.squeeze_dim(1);
        }
        let Some(weights) = &self.weights else {
            return states.mean_dim(1).squeeze_dim(1);
        };
        let weights = weights.val();
        let weights = match self.signed {
            true => weights.clone() / weights.abs().sum(),
            false => activation::softmax(weights, 0),
        };
        (states * weights.reshape([1, layers, 1])).sum_dim(1).squeeze_dim(1)
    }

    pub fn named_params_mut(&mut self) -> NamedParams<'_> {
        let weights = self.weights.as_mut();
        weights
            .map(|weights| ("aggregation.layer_weights".into(), NamedParam::Vector(weights)))
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_one_or_a_mix() {
        let layers = || vec![Layer::At(16), Layer::Last];
        for (text, pooling) in [
            ("20", LayerPooling::One(Layer::At(20))),
            ("\"last\"", LayerPooling::One(Layer::Last)),
            (r#"{"mean":[16,"last"]}"#, LayerPooling::Mean(layers())),
            (r#"{"weighted":[16,"last"]}"#, LayerPooling::Weighted(layers())),
            (r#"{"signed":[16,"last"]}"#, LayerPooling::Signed(layers())),
        ] {
            assert_eq!(serde_json::from_str::<LayerPooling>(text).unwrap(), pooling);
            assert_eq!(serde_json::to_string(&pooling).unwrap(), text);
        }
        for (wrong, message) in [
            ("-1", "`\"last\"`, the number of a layer"),
            ("\"first\"", "or layers to be mixed: `{ mean = [..] }`"),
            (r#"{"max":[1]}"#, "unknown field `max`, expected one of `mean`, `weighted`, `signed`"),
            (r#"{"mean":[1],"signed":[2]}"#, "`mean` and `signed` exclude each other"),
        ] {
            let error = serde_json::from_str::<LayerPooling>(wrong).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn a_new_mix_is_the_mean() {
        let device = Device::flex();
        let states = || Tensor::<3>::from_data([[[1.0, 2.0], [3.0, 6.0]]], &device);
        for pooling in [LayerPooling::Mean, LayerPooling::Weighted, LayerPooling::Signed] {
            let mix = LayerMix::new(&pooling(vec![Layer::At(0), Layer::At(1)]), &device);
            let out: Vec<f32> = mix.forward(states()).into_data().iter::<f32>().collect();
            assert_eq!(out, [2.0, 4.0]);
        }
    }
}
