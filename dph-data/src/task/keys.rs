//! The keys of a task's TOML file: the one place that defines and documents them.
//!
//! The reader, the errors about unknown and misplaced keys, the JSON schema and the table in TASKS.md are made from
//! [`TaskFile`]. `x-kinds` in the schema lists the kinds of tasks that have the key (all kinds where it is missing), and
//! `x-value` says what the value is: text, a template or an expression.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::kind::Kind;

const CHOICE: &[Kind] = &[Kind::Choice];
const PREFERENCE: &[Kind] = &[Kind::Preference];
const INSTRUCTION: &[Kind] = &[Kind::Instruction];
const TEXT: &[Kind] = &[Kind::Text];
const JUDGED: &[Kind] = &[Kind::Choice, Kind::Preference];
const MEASURED: &[Kind] = &[Kind::Choice, Kind::Preference, Kind::Text];
const PROMPTED: &[Kind] = &[Kind::Choice, Kind::Preference, Kind::Instruction];

/// A task: a data set and how its rows become prompts and answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "Task")]
pub(crate) struct TaskFile {
    /// The name of the task in experiments and commands: letters, digits, `_`, `-` and `.`. Required.
    #[schemars(with = "String", extend("x-value" = "text"))]
    pub name: Spanned<String>,
    /// What the task is, in one line.
    #[schemars(extend("x-value" = "text"))]
    pub about: Option<String>,
    /// What the rows are: `choice` (one prompt and several answers, one of which is correct), `preference` (one prompt, a
    /// chosen and a rejected answer), `instruction` (one prompt and one answer) or `text` (plain text). Required.
    #[schemars(with = "String", extend("x-value" = "text"))]
    pub kind: Spanned<String>,
    /// One metric or several: `accuracy` (the default) and, for a `choice`, `f1` (of the second candidate), `matthews`,
    /// `pearson` and `spearman` (both of the chosen position and `score`), `mass` (the share of the right candidates, those with
    /// the label of the gold one, in the probability of all), `best-of` (the right ones among the candidates with the highest value, as a share of
    /// these) and `ties` (of prompts whose ids begin with `tied:`, each beside the one of the same id with `ref:`, as RewardBench 2 has it).
    /// For a `text`: `word-perplexity`, `byte-perplexity` and `bits-per-byte`, by default all three.
    #[schemars(with = "Option<OneOrMany>", extend("x-value" = "text or list of texts", "x-kinds" = MEASURED))]
    pub metric: Option<Spanned<OneOrMany>>,
    /// Where the rows come from: `files` (the default) or `synthetic` (the synthetic world that this crate generates).
    #[schemars(with = "Option<String>", extend("x-value" = "text"))]
    pub source: Option<Spanned<String>>,
    /// The folders below the data root that are searched for the files, in this order. The default is the task's name.
    #[schemars(with = "Option<Vec<String>>", extend("x-value" = "list of texts"))]
    pub folders: Option<Spanned<Vec<String>>>,
    /// For each split, the file names to search for, without extension, in this order. The default is `["train"]` for
    /// `train`, `["validation", "valid", "val", "dev"]` for `validation`, and the split's own name for any other split.
    #[serde(default)]
    #[schemars(extend("x-value" = "table"))]
    pub splits: BTreeMap<String, Vec<String>>,
    /// For each split, the file or files that hold it, relative to the folder of this TOML file. The data root, `folders`
    /// and `splits` are not used for such a split.
    #[serde(default)]
    #[schemars(extend("x-value" = "table"))]
    pub files: BTreeMap<String, OneOrMany>,
    /// Whether a quotation mark at the start of a field of a tsv file encloses the field, which may then contain tabs and line
    /// breaks. The default is `true`. With `false` it is an ordinary character, as in the files that GLUE publishes.
    #[schemars(extend("x-value" = "boolean"))]
    pub quotes: Option<bool>,
    /// Rows that are nested in a row. Each expression gives a list of objects, the outermost first. Each object becomes a
    /// row that also has the fields around it (SQuAD: `["paragraphs", "qas"]`). A row without such a field is used as it is.
    #[schemars(with = "Option<ListKey>", extend("x-value" = "expression or list of expressions"))]
    pub rows: Option<Spanned<ListKey>>,
    /// Whether a row belongs to the split; the variable `split` is the split's name. The default keeps all rows.
    #[schemars(with = "Option<String>", extend("x-value" = "expression"))]
    pub keep: Option<Spanned<String>>,
    /// The name of the row in reports. The default is its line number.
    #[schemars(with = "Option<String>", extend("x-value" = "expression"))]
    pub id: Option<Spanned<String>>,
    /// The name of what several rows share, such as an article with several questions. Rows of one group are not independent of
    /// one another: standard errors and intervals take whole groups. Null is no group; a row
    /// without the field is skipped.
    #[schemars(with = "Option<String>", extend("x-value" = "expression", "x-kinds" = JUDGED))]
    pub group: Option<Spanned<String>>,
    /// The system message of prompts without one. The default is the field `system` or `system_prompt` of the row in a
    /// `preference` and with `messages`, else none.
    #[schemars(with = "Option<String>", extend("x-value" = "template", "x-kinds" = PROMPTED))]
    pub system: Option<Spanned<String>>,
    /// The user's message. In a `choice` the variable `answers` is the list of the candidates as they are written
    /// (`{{ answers | join("\n") }}`).
    #[schemars(with = "Option<String>", extend("x-value" = "template", "x-kinds" = PROMPTED))]
    pub user: Option<Spanned<String>>,
    /// The candidate answers: an expression that gives the list, or one template for each candidate.
    #[schemars(with = "Option<ListKey>", extend("x-value" = "expression or list of templates", "x-kinds" = CHOICE))]
    pub candidates: Option<Spanned<ListKey>>,
    /// In a `choice`, how a candidate is written, with the variables `candidate`, `index` (from 0) and `label`; the default
    /// is `{{ candidate }}`. In a `preference` with `score`, the answer that the row holds.
    #[schemars(with = "Option<String>", extend("x-value" = "template", "x-kinds" = JUDGED))]
    pub answer: Option<Spanned<String>>,
    /// The names by which `gold` refers to the candidates; `letters` is the list A, B, C and so on. Without this key `gold`
    /// is a position, counted from 0, and `label` is a letter.
    #[schemars(with = "Option<ListKey>", extend("x-value" = "expression or list of texts", "x-kinds" = CHOICE))]
    pub labels: Option<Spanned<ListKey>>,
    /// The correct candidate: one of the labels, or its position (a number, text or boolean). A row in which it is missing,
    /// null, NaN, empty or -1 is unlabelled.
    #[schemars(with = "Option<String>", extend("x-value" = "expression", "x-kinds" = CHOICE))]
    pub gold: Option<Spanned<String>>,
    /// A number. In a `choice`, `pearson` and `spearman` compare predictions with it; the candidates stand for evenly spaced
    /// scores, the lowest first. In a `preference`, it is the rating of the row's `answer`; any two answers to the same
    /// prompt with different ratings make a pair, the better one first.
    #[schemars(with = "Option<String>", extend("x-value" = "expression", "x-kinds" = JUDGED))]
    pub score: Option<Spanned<String>>,
    /// What precedes the answers: text, messages or a transcript. The default is the field `prompt`, which may be missing
    /// where the answers are whole conversations. Conversations with a prompt contain it or go on after it.
    #[schemars(with = "Option<String>", extend("x-value" = "expression", "x-kinds" = PREFERENCE))]
    pub prompt: Option<Spanned<String>>,
    /// The preferred answer: text, a message, or the conversation that ends with it. The default is the field `chosen`.
    #[schemars(with = "Option<String>", extend("x-value" = "expression", "x-kinds" = PREFERENCE))]
    pub chosen: Option<Spanned<String>>,
    /// The other answer, in the same forms. The default is the field `rejected`.
    #[schemars(with = "Option<String>", extend("x-value" = "expression", "x-kinds" = PREFERENCE))]
    pub rejected: Option<Spanned<String>>,
    /// The answer to learn.
    #[schemars(with = "Option<String>", extend("x-value" = "template", "x-kinds" = INSTRUCTION))]
    pub target: Option<Spanned<String>>,
    /// Instead of `target`, a list of correct answers. The first one is learnt; a row with an empty list is unlabelled.
    #[schemars(with = "Option<String>", extend("x-value" = "expression", "x-kinds" = INSTRUCTION))]
    pub targets: Option<Spanned<String>>,
    /// A list of wrong answers to the same prompt, from which heads learn. The default is none.
    #[schemars(with = "Option<String>", extend("x-value" = "expression", "x-kinds" = INSTRUCTION))]
    pub distractors: Option<Spanned<String>>,
    /// A list with an entry for each turn of a conversation. `user` and `target` are written once for each entry, with the
    /// variables `turn` and `index` (from 0). The last target is the answer to learn.
    #[schemars(with = "Option<String>", extend("x-value" = "expression", "x-kinds" = INSTRUCTION))]
    pub turns: Option<Spanned<String>>,
    /// Instead of `user` and `target`, a whole conversation: messages or a transcript. Its last message is the answer to
    /// learn.
    #[schemars(with = "Option<String>", extend("x-value" = "expression", "x-kinds" = INSTRUCTION))]
    pub messages: Option<Spanned<String>>,
    /// Human ratings of attributes of the answer, such as `{ verbosity = "verbosity" }`. The objective `steer`
    /// trains the reward heads of these names on them.
    #[schemars(
        with = "Option<BTreeMap<String, String>>",
        extend("x-value" = "table of expressions", "x-kinds" = INSTRUCTION)
    )]
    pub attributes: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    /// The text to learn, or whose likelihood is measured.
    #[schemars(with = "Option<String>", extend("x-value" = "template", "x-kinds" = TEXT))]
    pub text: Option<Spanned<String>>,
    /// The text whose words and bytes are counted for perplexities. The default is `text`.
    #[schemars(with = "Option<String>", extend("x-value" = "template", "x-kinds" = TEXT))]
    pub original: Option<Spanned<String>>,
    /// For perplexities, the number of tokens of a window, at least 2. The default is the context of the model, which is also the
    /// largest window.
    #[schemars(with = "Option<usize>", extend("x-value" = "number", "x-kinds" = TEXT))]
    pub window: Option<Spanned<usize>>,
    /// The wording of the task in the style `plain`: text that is continued. Its keys are in the next table.
    #[schemars(with = "Option<PlainFile>", extend("x-value" = "table", "x-kinds" = CHOICE))]
    pub plain: Option<Spanned<PlainFile>>,
    /// What a classifier reads and predicts. Its keys are in the table of `[classify]`.
    #[schemars(with = "Option<ClassifyFile>", extend("x-value" = "table", "x-kinds" = CHOICE))]
    pub classify: Option<Spanned<ClassifyFile>>,
    /// The repository of the Hugging Face Hub from which `dph-data fetch` downloads the rows. Its keys are in the table of `[hub]`.
    #[schemars(with = "Option<HubFile>", extend("x-value" = "table"))]
    pub hub: Option<Spanned<HubFile>>,
}

/// The wording of a task in the style `plain`, as lm-evaluation-harness writes it: contexts that are continued by candidates.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(deny_unknown_fields, title = "Plain")]
pub(crate) struct PlainFile {
    /// The text before the candidates, in which `answers` is the list of the candidates as they are written. Required, unless
    /// there is `contexts`.
    #[schemars(with = "Option<String>", extend("x-value" = "template"))]
    pub context: Option<Spanned<String>>,
    /// Instead of `context`, a text for each candidate: an expression that gives the list, or one template for each. All of them
    /// are continued by `continuation`.
    #[schemars(with = "Option<ListKey>", extend("x-value" = "expression or list of templates"))]
    pub contexts: Option<Spanned<ListKey>>,
    /// The text whose likelihood is measured behind each of `contexts`.
    #[schemars(with = "Option<String>", extend("x-value" = "template"))]
    pub continuation: Option<Spanned<String>>,
    /// The candidates. The default is `candidates` of the task.
    #[schemars(with = "Option<ListKey>", extend("x-value" = "expression or list of templates"))]
    pub candidates: Option<Spanned<ListKey>>,
    /// How a candidate is written, with the variables `candidate`, `index` (from 0) and `label`. The default is
    /// `{{ candidate }}`; `answer` of the task is not used.
    #[schemars(with = "Option<String>", extend("x-value" = "template"))]
    pub answer: Option<Spanned<String>>,
    /// The names by which `gold` refers to the candidates. The default is `labels` of the task.
    #[schemars(with = "Option<ListKey>", extend("x-value" = "expression or list of texts"))]
    pub labels: Option<Spanned<ListKey>>,
    /// The correct candidate. The default is `gold` of the task.
    #[schemars(with = "Option<String>", extend("x-value" = "expression"))]
    pub gold: Option<Spanned<String>>,
    /// The text between the context and a candidate. It belongs to the text whose likelihood is measured, but not to the length
    /// of the candidate. The default is one blank.
    #[schemars(extend("x-value" = "text"))]
    pub delimiter: Option<String>,
    /// The text behind each few-shot example. The default is an empty line.
    #[schemars(extend("x-value" = "text"))]
    pub separator: Option<String>,
    /// A text before everything else. The default is none.
    #[schemars(with = "Option<String>", extend("x-value" = "template"))]
    pub description: Option<Spanned<String>>,
    /// Whether a row belongs to the split. The default is `keep` of the task.
    #[schemars(with = "Option<String>", extend("x-value" = "expression"))]
    pub keep: Option<Spanned<String>>,
    /// Rows with the same value become one row: the last of them, with the list of all of them in the variable `rows`, in the
    /// order of the file. The default joins no rows.
    #[schemars(with = "Option<String>", extend("x-value" = "expression"))]
    pub join: Option<Spanned<String>>,
}

/// What a classifier or regressor of texts reads and predicts. The candidates of the task are its classes, in their order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(deny_unknown_fields, title = "Classify")]
pub(crate) struct ClassifyFile {
    /// The text, or the first of two. Required.
    #[schemars(with = "String", extend("x-value" = "expression"))]
    pub first: Spanned<String>,
    /// The second text.
    #[schemars(with = "Option<String>", extend("x-value" = "expression"))]
    pub second: Option<Spanned<String>>,
    /// The names of the classes, in the order of the candidates. They are the labels of the trained model. Required, unless there is
    /// `number`.
    #[schemars(with = "Option<Vec<String>>", extend("x-value" = "list of texts"))]
    pub labels: Option<Spanned<Vec<String>>>,
    /// The right class: its position, or one of `labels` of the task. The default is `gold` of the task.
    #[schemars(with = "Option<String>", extend("x-value" = "expression"))]
    pub label: Option<Spanned<String>>,
    /// Instead of `labels`, the number that a regressor predicts. Its metrics compare predictions with `score` of the task, and the nearest
    /// candidate, counted from 0, is the one that it chooses.
    #[schemars(with = "Option<String>", extend("x-value" = "expression"))]
    pub number: Option<Spanned<String>>,
}

/// A repository of the Hugging Face Hub with the rows of the task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(deny_unknown_fields, title = "Hub")]
pub(crate) struct HubFile {
    /// The repository, `owner/name`. Required.
    #[schemars(with = "String", extend("x-value" = "text"))]
    pub repository: Spanned<String>,
    /// The configuration of the data set (its subset). The default is `default`.
    #[schemars(with = "Option<String>", extend("x-value" = "text"))]
    pub configuration: Option<Spanned<String>>,
    /// A branch, a tag or a commit. The default is `refs/convert/parquet`, where the hub has a copy of most public data sets in the
    /// files `<configuration>/<split>/0000.parquet` and so on; with `files` it is `main`.
    #[schemars(extend("x-value" = "text"))]
    pub revision: Option<String>,
    /// The splits of the task that the repository has. Each is the first of the names in `splits` of the task that the hub has. The
    /// default is `["train", "validation", "test"]`.
    #[schemars(with = "Option<Vec<String>>", extend("x-value" = "list of texts"))]
    pub splits: Option<Spanned<Vec<String>>>,
    /// For each split, its file or files in the repository, for repositories without that branch. It replaces `configuration` and
    /// `splits`.
    #[schemars(with = "Option<BTreeMap<String, OneOrMany>>", extend("x-value" = "table"))]
    pub files: Option<Spanned<BTreeMap<String, OneOrMany>>>,
    /// The licence of the data, which `dph-data fetch` prints.
    #[schemars(extend("x-value" = "text"))]
    pub licence: Option<String>,
    /// The publication to cite, which `dph-data fetch` prints.
    #[schemars(extend("x-value" = "text"))]
    pub citation: Option<String>,
}

/// A list that is computed from the row, or written out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected an expression (a string) or a list of strings")]
#[schemars(inline)]
pub(crate) enum ListKey {
    Expression(String),
    Items(Vec<String>),
}

/// One name, or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a name or a list of names")]
#[schemars(inline)]
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

/// A key of a task file.
pub(crate) struct Key {
    pub name: String,
    /// The kinds of tasks that have the key.
    pub kinds: Vec<Kind>,
}

/// All keys, in the order of [`TaskFile`].
pub(crate) static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let schema = schema();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let kinds = |property: &serde_json::Value| Vec::<Kind>::deserialize(&property["x-kinds"]);
    properties
        .map(|(name, property)| Key {
            name: name.clone(),
            kinds: kinds(property).unwrap_or_else(|_| Kind::ALL.map(|(_, kind)| kind).into()),
        })
        .collect()
});

/// The JSON schema of task files.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(TaskFile).to_value()
}
