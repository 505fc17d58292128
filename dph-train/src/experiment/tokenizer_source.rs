//! `tokenizer`: the source of the tokenizer of a new model.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The source of the tokenizer of a new model.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum TokenizerSource {
    /// `"world"`, or a directory.
    Given(String),
    /// A byte-level BPE tokenizer that is trained for the model.
    Trained(TrainedTokenizer),
}

/// A byte-level BPE tokenizer that is trained for a new model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainedTokenizer {
    /// The text task whose `train` split it is trained on.
    pub task: String,
    /// Maximum number of tokens.
    pub vocab: usize,
}

/// Unlike the derived implementation, this one names the keys of a table that are wrong.
impl<'de> Deserialize<'de> for TokenizerSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = TokenizerSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a directory, \"world\" or { task = \"…\", vocab = 4096 }")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<TokenizerSource, E> {
        Ok(TokenizerSource::Given(name.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TokenizerSource, A::Error> {
        TrainedTokenizer::deserialize(MapAccessDeserializer::new(map)).map(TokenizerSource::Trained)
    }
}
