//! [`Kind`]: what the rows of a task are.

use std::fmt;

/// What the rows of a task are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One prompt and several answers, one of them right.
    #[default]
    Choice,
    /// One prompt, a chosen and a rejected answer.
    Preference,
    /// One prompt and one answer: a set with a single candidate.
    Instruction,
    /// Plain text: a set with an empty prompt and a single candidate.
    Text,
}

impl Kind {
    /// All kinds by their names.
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("choice", Self::Choice),
        ("preference", Self::Preference),
        ("instruction", Self::Instruction),
        ("text", Self::Text),
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name);
        f.pad(name)
    }
}
