//! [`Recipe`]: how a task makes a document of a row.

use minijinja::Value;
use minijinja::value::ValueKind;
use serde_json::{Map, Value as Json};

use super::choice::Choice;
use super::classify::Classify;
use super::instruction::Instruction;
use super::messages::answer;
use super::plain::Plain;
use super::preference::Preference;
use super::scored_answer::ScoredAnswer;
use super::selection::RowSelection;
use super::template::{Expr, Fields, Template};
use super::values::{kind_name, to_number, to_text};
use crate::chat::{Message, SYSTEM};
use crate::document::Document;
use crate::random::hash_name;
use crate::rows::{RowProblem, SkipReason};

/// Bytes of the longest name of a group that is kept.
const LONGEST_NAME: usize = 40;

/// How a task makes documents of rows.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub selection: RowSelection,
    pub id: Option<Expr>,
    pub group: Option<Expr>,
    pub system: Option<Template>,
    pub attributes: Vec<(String, Expr)>,
    pub body: Body,
}

/// The part of a recipe that depends on the task's kind.
#[derive(Debug)]
pub(crate) enum Body {
    Choice(Box<Choice>),
    Preference { user: Option<Template>, layout: Preference },
    Scored(ScoredAnswer),
    Instruction(Box<Instruction>),
    Conversation { messages: Expr },
    Text { text: Template, original: Option<Template> },
    Plain(Box<Plain>),
    Classify(Box<Classify>),
}

impl Recipe {
    /// The source of the expression for the gold answer, if the kind has one.
    pub(crate) fn gold(&self) -> Option<&str> {
        match &self.body {
            Body::Choice(choice) => Some(choice.gold.source()),
            Body::Plain(plain) => Some(plain.gold.source()),
            Body::Classify(classify) => Some(classify.gold.source()),
            Body::Instruction(instruction) => Some(instruction.target.source()),
            _ => None,
        }
    }

    /// Whether each row is a single rated answer; pairs are made of several rows.
    pub(crate) fn is_scored(&self) -> bool {
        matches!(self.body, Body::Scored(_))
    }

    pub(crate) fn document(&self, row: &Map<String, Json>) -> Result<Document, RowProblem> {
        let fields = Fields::new(row);
        let mut document = self.body.document(&fields)?;
        match document.prompt.first().filter(|first| first.role == SYSTEM) {
            Some(first) => self.check_system(&first.content, &fields)?,
            None => {
                if let Some(system) = self.system(&fields)? {
                    document.prompt.insert(0, Message::system(system));
                }
            }
        }
        for (name, value) in &self.attributes {
            let value = to_number(name, &value.require(&fields)?)?;
            document.attributes.insert(name.clone(), value);
        }
        // A row without a name can be used; its line number identifies it.
        if let Some(id) = &self.id {
            document.id = to_text("id", &id.eval(&fields)?).ok();
        }
        if let Some(group) = &self.group {
            // A row may have no group, but not an unknown field: its errors would be too small.
            let value = group.eval(&fields)?;
            if !value.is_none() {
                document.group = Some(short_name(to_text("group", &group.require(&fields)?)?));
            }
        }
        Ok(document)
    }

    /// Fails if the prompt or an answer is empty.
    pub(crate) fn check_filled(&self, document: &Document) -> Result<(), RowProblem> {
        let prompt = match &self.body {
            Body::Preference { user: None, .. } | Body::Conversation { .. } => "`prompt`",
            Body::Scored(answer) if answer.user.is_none() => "`prompt`",
            Body::Preference { .. } | Body::Scored(_) | Body::Choice(_) | Body::Instruction(_) => {
                "the prompt"
            }
            Body::Text { .. } | Body::Plain(_) | Body::Classify(_) => return Ok(()),
        };
        let is_blank = |text: &str| text.trim().is_empty();
        let name = |index: usize| match (&self.body, index) {
            (Body::Preference { .. }, 0) => "`chosen`".to_owned(),
            (Body::Preference { .. }, _) => "`rejected`".to_owned(),
            (Body::Choice(_), _) => format!("candidate {}", index + 1),
            _ => "the answer".to_owned(),
        };
        let empty = match document.prompt.last() {
            Some(last) if is_blank(&last.content) => Some(prompt.to_owned()),
            _ => document.candidates.iter().position(|text| is_blank(text)).map(name),
        };
        match empty {
            Some(name) => Err(RowProblem::new(SkipReason::MissingField, format!("{name} is empty"))),
            None => Ok(()),
        }
    }

    /// The system message of the task or, if it has none and the prompt is taken as it stands in the row, that of the row.
    fn system(&self, fields: &Fields<'_>) -> Result<Option<String>, RowProblem> {
        if let Some(system) = &self.system {
            return system.render(fields).map(Some);
        }
        let mut found: Option<(&str, String)> = None;
        for (field, text) in self.system_fields(fields) {
            let text = text?;
            match &found {
                Some((other, same)) if !are_same_text(same, &text) => {
                    return Err(different(&format!("the fields `{other}`"), &format!("`{field}`")));
                }
                Some(_) => {}
                None => found = Some((field, text)),
            }
        }
        Ok(found.map(|(_, text)| text))
    }

    /// Fails if a field of the row has another system message than its prompt.
    fn check_system(&self, of_prompt: &str, fields: &Fields<'_>) -> Result<(), RowProblem> {
        // What is no text is no system message.
        let texts = self.system_fields(fields).filter_map(|(field, text)| Some((field, text.ok()?)));
        let mut others = texts.filter(|(_, text)| !are_same_text(text, of_prompt));
        match others.next() {
            Some((field, _)) => {
                Err(different(&format!("the field `{field}`"), "the system message of the prompt"))
            }
            None => Ok(()),
        }
    }

    /// The system messages in fields of the row, if the prompt is taken as it stands in the row and the task has none of its own.
    fn system_fields<'f>(
        &self,
        fields: &'f Fields<'_>,
    ) -> impl Iterator<Item = (&'f str, Result<String, RowProblem>)> {
        let is_row = self.system.is_none()
            && matches!(self.body, Body::Preference { .. } | Body::Scored(_) | Body::Conversation { .. });
        let known = if is_row { &SYSTEM_FIELDS[..] } else { &[] };
        let names = is_row.then(|| fields.all_names().map(|name| (plain_name(name), name)));
        let names: Vec<_> = names.into_iter().flatten().collect();
        let own = known.iter().flat_map(move |known| {
            let named = names.iter().filter(|(plain, _)| plain == known).map(|(_, name)| *name);
            named.filter_map(|name| Some((name, fields.get(name)?))).collect::<Vec<_>>()
        });
        let texts = own.map(|(name, value)| (name, system_text(name, &value)));
        texts.filter(|(_, text)| !text.as_ref().is_ok_and(|text| text.trim().is_empty()))
    }
}

/// Whether two texts are the same but for blanks at their ends.
fn are_same_text(some: &str, other: &str) -> bool {
    some.trim() == other.trim()
}

/// The problem of a row that says one thing twice, and not the same.
fn different(some: &str, other: &str) -> RowProblem {
    let message =
        format!("{some} and {other} differ, and both are the system message; leave one of them out");
    RowProblem::new(SkipReason::WrongType, message)
}

/// The fields in which rows have a system message, as [`plain_name`] gives them.
const SYSTEM_FIELDS: [&str; 5] = [SYSTEM, "systemprompt", "systemmessage", "sysprompt", "sys"];

/// The name of a field in small letters, without what separates words.
fn plain_name(name: &str) -> String {
    name.chars().filter(|c| !"_- ".contains(*c)).map(|c| c.to_ascii_lowercase()).collect()
}

/// The system message in a field. A boolean or a number is something else, such as a flag.
fn system_text(name: &str, value: &Value) -> Result<String, RowProblem> {
    match value.kind() {
        ValueKind::Bool | ValueKind::Number => Err(RowProblem::new(
            SkipReason::WrongType,
            format!("`{name}` is the system message and needs text, but there is {}", kind_name(value)),
        )),
        _ => to_text(name, value),
    }
}

/// A whole passage as a name is replaced by its hash.
fn short_name(group: String) -> String {
    if group.len() <= LONGEST_NAME { group } else { format!("{:016x}", hash_name(&group)) }
}

impl Body {
    fn document(&self, fields: &Fields<'_>) -> Result<Document, RowProblem> {
        Ok(match self {
            Self::Choice(choice) => choice.document(fields)?,
            Self::Preference { user, layout } => {
                let user = user.as_ref().map(|user| user.render(fields)).transpose()?;
                let pair = layout.pair(user, fields)?;
                Document::new(pair.prompt, vec![pair.chosen, pair.rejected])
            }
            Self::Scored(answer) => answer.document(fields)?,
            Self::Instruction(instruction) => instruction.document(fields)?,
            Self::Conversation { messages } => {
                let (prompt, answer) = answer("messages", messages, fields)?;
                if prompt.is_empty() {
                    return Err(RowProblem::new(SkipReason::MissingField, "nothing comes before the answer"));
                }
                Document::new(prompt, vec![answer])
            }
            Self::Plain(plain) => plain.document(fields)?,
            Self::Classify(classify) => classify.document(fields)?,
            Self::Text { text, original } => {
                let original = original.as_ref().map(|original| original.render(fields)).transpose()?;
                Document { original, ..Document::new(Vec::new(), vec![text.render(fields)?]) }
            }
        })
    }
}
