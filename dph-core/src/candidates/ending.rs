//! [`Ending`]: where the tokens of a candidate end.

use serde::{Deserialize, Serialize};

/// Where the tokens of a candidate of a conversation end. The state of the last token gives the reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// With the end-of-turn token behind the answer.
    #[default]
    Turn,
    /// With the last token of the rendered conversation, often a line break behind the end-of-turn token. Reward models of other
    /// trainers read its state.
    Conversation,
}

impl Ending {
    /// Whether this is [`Ending::Turn`], which files do not name.
    pub fn is_turn(&self) -> bool {
        *self == Self::Turn
    }
}
