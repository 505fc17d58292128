//! The keys of a task's TOML file.
//!
//! A complete task:
//!
//! ```toml
//! name       = "trivia"
//! kind       = "choice"
//! user       = "Question: {{ question }}"
//! candidates = "options"        # the field that holds the list of answers
//! gold       = "answer"         # the field that says which one is right: 0 is the first
//! ```
//!
//! Two little languages are used, both from Jinja (minijinja): a *template* is text with `{{ … }}` in it; an
//! *expression* is what stands between such braces: `choices.text`, or `label if label is defined else answer`.
//! Both see the row's fields by name. A field that is not there is an error of that row, unless the template asks
//! first (`is defined`). Methods of Python's strings work (`sentence.split("_", 1)`), and so does
//! `letters`, the list `["A", "B", …]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// One task. Which keys are needed depends on `kind`; all others are optional.
#[derive(Debug, Deserialize)]
pub(crate) struct TaskFile {
    /// The task's name, as experiments and commands use it. Needed.
    pub name: Spanned<String>,
    /// What the task is, in a line.
    pub about: Option<String>,
    /// What the rows are: `choice` (one prompt, several answers, one of them right), `preference` (one prompt, a chosen
    /// and a rejected answer), `instruction` (one prompt, one answer) or `text` (plain text). Needed.
    pub kind: Spanned<String>,
    /// How predictions are judged, by one metric or by several: `accuracy` (the default for `choice` and `preference`), `f1`
    /// (of the second candidate), `matthews`, `pearson`, `spearman` (of the position and `score`).
    pub metric: Option<Spanned<OneOrMany>>,
    /// Where the rows come from: `files` (the default) or `synthetic` (the little world made by this crate).
    pub source: Option<Spanned<String>>,
    /// The folders below the data root that may hold the files, tried in this order. The default is the name.
    pub folders: Option<Spanned<Vec<String>>>,
    /// For each split the file names to look for, without extension, tried in this order. The defaults:
    /// `train = ["train"]`, `validation = ["validation", "valid", "val", "dev"]`, `test = ["test"]`; any other split is looked
    /// for under its own name.
    #[serde(default)]
    pub splits: BTreeMap<String, Vec<String>>,
    /// For each split the very file, relative to this TOML file's folder: then neither the data root nor `folders` nor
    /// `splits` matter.
    #[serde(default)]
    pub files: BTreeMap<String, OneOrMany>,
    /// Expression or list of expressions: rows that stand inside of a row. Each gives a list of objects, from the outside
    /// in; each object is a row of its own with the fields around it. Where there is no such field, the row is one already.
    pub rows: Option<Spanned<ListKey>>,
    /// Expression: whether a row belongs to the split, whose name is `split`. The default is that all do.
    pub keep: Option<Spanned<String>>,
    /// Expression: a name for the row, for reports. The default is its line number.
    pub id: Option<Spanned<String>>,
    /// Template: the system message. The default is none.
    pub system: Option<Spanned<String>>,
    /// Template: the user's message. In a `choice` task it also sees `answers`, the list of the candidates as they are
    /// written (`{{ answers | join("\n") }}`).
    pub user: Option<Spanned<String>>,
    /// `choice`: an expression that gives the list of candidates, or a list of templates, one for each.
    pub candidates: Option<Spanned<ListKey>>,
    /// `choice`, template: how a candidate is written, seeing `candidate`, its `index` from 0 and its `label`. The default
    /// is `{{ candidate }}`. `preference` with `score`: the answer in the row.
    pub answer: Option<Spanned<String>>,
    /// `choice`: what `gold` calls the candidates, as an expression that gives a list, or a list of texts. Without it `gold`
    /// is a position, counted from 0, and the labels of `answer` are A, B, C, ….
    pub labels: Option<Spanned<ListKey>>,
    /// `choice`, expression: which candidate is right: one of the labels, or the position from 0 (also as text; false and
    /// true are 0 and 1). A row where it is missing, null, empty or -1 is unlabelled.
    pub gold: Option<Spanned<String>>,
    /// Expression, a number. `choice`: what the metrics `pearson` and `spearman` measure predictions against; the candidates
    /// then stand for evenly spaced scores, lowest first. `preference`: how good the one answer in the row is; every two
    /// answers to the same prompt with different scores make a pair.
    pub score: Option<Spanned<String>>,
    /// `preference`, expression: what comes before the answers: text, a list of messages (`role` and `content`, or `from` and
    /// `value`), or a transcript ("\n\nHuman: …\n\nAssistant: …"). The default is `prompt` where there is such a field; rows whose
    /// answers are whole conversations need none.
    pub prompt: Option<Spanned<String>>,
    /// `preference`, expression: the preferred answer: text, a message, or the whole conversation that ends with it. The
    /// default is `chosen`.
    pub chosen: Option<Spanned<String>>,
    /// `preference`, expression: the other answer, likewise. The default is `rejected`.
    pub rejected: Option<Spanned<String>>,
    /// `instruction`, template: the answer to learn.
    pub target: Option<Spanned<String>>,
    /// `instruction`, expression: in place of `target` a list of answers that are all right, of which the first is learnt; where
    /// it is empty, the row is unlabelled.
    pub targets: Option<Spanned<String>>,
    /// `instruction`, expression: a list of wrong answers to the same prompt. The default is none.
    pub distractors: Option<Spanned<String>>,
    /// `instruction`, expression: a list with an entry for each turn of a conversation. `user` and `target` are written once for
    /// each, seeing it as `turn` and its `index` from 0; the last target is the answer to learn.
    pub turns: Option<Spanned<String>>,
    /// `instruction`, expression: in place of `user` and `target` a whole conversation (a list of messages or a transcript), of
    /// which the last message is the answer to learn.
    pub messages: Option<Spanned<String>>,
    /// `instruction`, table of expressions, each a number: the values that people gave to attributes of the answer, such as
    /// `{ helpfulness = "helpfulness" }`. The objective `steer` teaches them to the reward heads of these names.
    pub attributes: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    /// `text`, template: the text to learn.
    pub text: Option<Spanned<String>>,
}

/// A list that is computed from the row, or written out.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected an expression (a string) or a list of strings")]
pub(crate) enum ListKey {
    Expression(String),
    Items(Vec<String>),
}

/// One name, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a name or a list of names")]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Many(names) => names,
        }
    }
}

/// All keys, for suggestions. A test holds this list and the fields above together.
pub(crate) const KEYS: [&str; 28] = [
    "name",
    "about",
    "kind",
    "metric",
    "source",
    "folders",
    "splits",
    "files",
    "rows",
    "keep",
    "id",
    "system",
    "user",
    "candidates",
    "answer",
    "labels",
    "gold",
    "score",
    "prompt",
    "chosen",
    "rejected",
    "target",
    "targets",
    "distractors",
    "turns",
    "messages",
    "attributes",
    "text",
];

/// The entry of `known` that was probably meant by `given`.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro(&given, name), name))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near_or_absent() {
        assert_eq!(nearest("candidate", KEYS), Some("candidates"));
        assert_eq!(nearest("Gold", KEYS), Some("gold"));
        assert_eq!(nearest("spilts", KEYS), Some("splits"));
        assert_eq!(nearest("zzz", KEYS), None);
    }
}
