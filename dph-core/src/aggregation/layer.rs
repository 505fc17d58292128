//! Layer pooling: which layer's hidden states are used.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A layer of hidden states.
///
/// Written as `"last"` or as a number in configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Layer {
    /// The residual stream after so many blocks, without a norm. 0 is the embedding.
    At(usize),
    /// The last state after the model's final norm: what the language-model head reads.
    #[default]
    Last,
}

impl Layer {
    /// The first of `layers` that a model of `n_layers` blocks does not have. It has 0 (the embedding) to `n_layers`, and
    /// [`Layer::Last`].
    pub fn find_missing(layers: &[Layer], n_layers: usize) -> Option<usize> {
        layers.iter().find_map(|layer| match *layer {
            Layer::At(layer) if layer > n_layers => Some(layer),
            _ => None,
        })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layer::At(index) => write!(f, "{index}"),
            Layer::Last => f.write_str("last"),
        }
    }
}

impl Serialize for Layer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Layer::At(index) => serializer.serialize_u64(*index as u64),
            Layer::Last => serializer.serialize_str("last"),
        }
    }
}

impl<'de> Deserialize<'de> for Layer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Layer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`\"last\"` or the number of a layer, counted from 0 (the embedding)")
            }

            fn visit_u64<E: de::Error>(self, index: u64) -> Result<Layer, E> {
                Ok(Layer::At(index as usize))
            }

            fn visit_i64<E: de::Error>(self, index: i64) -> Result<Layer, E> {
                u64::try_from(index)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(index), &self))
                    .and_then(|index| self.visit_u64(index))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Layer, E> {
                match name {
                    "last" => Ok(Layer::Last),
                    _ => Err(E::invalid_value(de::Unexpected::Str(name), &self)),
                }
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Layer {
    fn schema_name() -> Cow<'static, str> {
        "Layer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`\"last\"`, the state after the final norm, or the number of a layer, counted from 0 (the embedding)",
            "oneOf": [{ "const": "last" }, { "type": "integer", "minimum": 0 }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_a_name_or_a_number() {
        for (text, layer) in [("\"last\"", Layer::Last), ("20", Layer::At(20)), ("0", Layer::At(0))] {
            assert_eq!(serde_json::from_str::<Layer>(text).unwrap(), layer);
            assert_eq!(serde_json::to_string(&layer).unwrap(), text);
        }
        for wrong in ["-1", "\"first\"", "1.5"] {
            let error = serde_json::from_str::<Layer>(wrong).unwrap_err().to_string();
            assert!(error.contains("`\"last\"` or the number of a layer"), "{error}");
        }
    }
}
