//! [`Splits`]: a split or several, in `[eval]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A split, such as `"validation"`, or a list of them; empty for the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "OneOrMany", into = "OneOrMany")]
pub struct Splits(pub Vec<String>);

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected the name of a split or a list of names")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Splits {
    fn from(splits: OneOrMany) -> Self {
        match splits {
            OneOrMany::One(split) => Self(vec![split]),
            OneOrMany::Many(splits) => Self(splits),
        }
    }
}

impl From<Splits> for OneOrMany {
    fn from(Splits(mut splits): Splits) -> Self {
        match splits.len() {
            1 => Self::One(splits.remove(0)),
            _ => Self::Many(splits),
        }
    }
}

impl Splits {
    /// Whether the default applies.
    pub(crate) fn is_default(&self) -> bool {
        self.0.is_empty()
    }
}
