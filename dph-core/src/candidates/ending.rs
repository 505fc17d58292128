//! [`Ending`]: where the tokens of a candidate end.

use serde::{Deserialize, Serialize};

/// Where the tokens of a candidate of a conversation end. The state of the last token gives the reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// With the end-of-turn token behind the answer.
    #[default]
    Turn,
    /// With the last token of the rendered conversation, often a line break behind the end-of-turn token. Value heads of other
    /// trainers read its state.
    Conversation,
    /// With the last token of the rendered conversation that is not this padding token. The classes `*ForSequenceClassification` of
    /// transformers read its state.
    Unpadded(u32),
}

impl Ending {
    /// Whether this is [`Ending::Turn`], which files do not name.
    pub fn is_turn(&self) -> bool {
        *self == Self::Turn
    }
}
