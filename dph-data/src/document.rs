//! From a row to a document: the messages, the candidate answers and the gold one.

use minijinja::value::ValueKind;
use minijinja::{Value, context};
use serde_json::{Map, Value as Json};

use crate::chat::Message;
use crate::preference::{self, Preference};
use crate::skipped::{RowProblem, SkipReason};
use crate::template::{Expr, Fields, Template, kind_name};

/// A row in words: what is asked, what may be answered, and which answer is right.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The row's own name, where the task says where it is.
    pub id: Option<String>,
    /// The messages before the answer. Empty for plain text.
    pub prompt: Vec<Message>,
    /// The candidate answers, in the row's order.
    pub candidates: Vec<String>,
    /// Index of the right answer. `None` where the row does not say.
    pub gold: Option<usize>,
}

impl Document {
    /// The whole conversation that ends with a candidate.
    ///
    /// `None` where there is no such candidate.
    pub fn conversation(&self, candidate: usize) -> Option<Vec<Message>> {
        let answer = Message::assistant(self.candidates.get(candidate)?);
        Some(self.prompt.iter().cloned().chain([answer]).collect())
    }
}

/// How a task makes documents of rows.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub id: Option<Expr>,
    pub system: Option<Template>,
    pub body: Body,
}

/// The part of a recipe that depends on the task's kind.
#[derive(Debug)]
pub(crate) enum Body {
    Choice(Box<Choice>),
    Preference { user: Option<Template>, layout: Preference },
    Instruction { user: Template, target: Template },
    Conversation { messages: Expr },
    Text { text: Template },
}

/// One prompt, several answers, one of them right.
#[derive(Debug)]
pub(crate) struct Choice {
    pub user: Template,
    pub candidates: List,
    pub answer: Option<Template>,
    pub labels: Option<List>,
    pub gold: Expr,
}

/// A list that is computed from the row, or the same kind of thing for every row.
#[derive(Debug)]
pub(crate) enum List {
    Expression(Expr),
    Templates(Vec<Template>),
}

impl Recipe {
    /// The expression for the gold answer, where there is one.
    pub(crate) fn gold(&self) -> Option<&str> {
        match &self.body {
            Body::Choice(choice) => Some(choice.gold.source()),
            _ => None,
        }
    }

    pub(crate) fn document(&self, row: &Map<String, Json>) -> Result<Document, RowProblem> {
        let fields = Fields::new(row);
        let mut document = self.body.document(&fields)?;
        if let Some(system) = &self.system
            && document.prompt.first().is_none_or(|message| message.role != preference::SYSTEM)
        {
            document.prompt.insert(0, Message::system(system.render(&fields)?));
        }
        // A row without a name is still a good row; it goes by its line number.
        if let Some(id) = &self.id {
            document.id = text_of("id", &id.eval(&fields)?).ok();
        }
        Ok(document)
    }
}

impl Body {
    fn document(&self, fields: &Fields<'_>) -> Result<Document, RowProblem> {
        let of = |prompt, candidates| Document { id: None, prompt, candidates, gold: Some(0) };
        Ok(match self {
            Self::Choice(choice) => choice.document(fields)?,
            Self::Preference { user, layout } => {
                let user = user.as_ref().map(|user| user.render(fields)).transpose()?;
                let pair = layout.pair(user, fields)?;
                of(pair.prompt, vec![pair.chosen, pair.rejected])
            }
            Self::Instruction { user, target } => {
                of(vec![Message::user(user.render(fields)?)], vec![target.render(fields)?])
            }
            Self::Conversation { messages } => {
                let (prompt, answer) = preference::answer("messages", messages, fields)?;
                if prompt.is_empty() {
                    return Err(RowProblem::new(SkipReason::MissingField, "nothing comes before the answer"));
                }
                of(prompt, vec![answer])
            }
            Self::Text { text } => of(Vec::new(), vec![text.render(fields)?]),
        })
    }
}

impl Choice {
    fn document(&self, fields: &Fields<'_>) -> Result<Document, RowProblem> {
        let labels = self.labels.as_ref().map(|labels| labels.texts("labels", fields)).transpose()?;
        let labels = labels.as_deref();
        let answers = answers(&self.candidates, self.answer.as_ref(), labels, fields)?;
        let gold = resolve_gold(&self.gold, labels, answers.len(), fields)?;
        let user = self.user.render_with(fields, context! { answers => answers.clone() })?;
        Ok(Document { id: None, prompt: vec![Message::user(user)], candidates: answers, gold })
    }
}

impl List {
    fn values(&self, fields: &Fields<'_>) -> Result<Vec<Value>, RowProblem> {
        match self {
            Self::Expression(expression) => expression.list(fields),
            Self::Templates(templates) => {
                templates.iter().map(|template| template.render(fields).map(Value::from)).collect()
            }
        }
    }

    fn texts(&self, key: &str, fields: &Fields<'_>) -> Result<Vec<String>, RowProblem> {
        self.values(fields)?.iter().map(|value| text_of(key, value)).collect()
    }
}

fn answers(
    candidates: &List,
    answer: Option<&Template>,
    labels: Option<&[String]>,
    fields: &Fields<'_>,
) -> Result<Vec<String>, RowProblem> {
    let candidates = candidates.values(fields)?;
    if candidates.len() < 2 {
        return Err(RowProblem::new(
            SkipReason::TooFewCandidates,
            format!("there is nothing to choose: {} candidate(s), at least 2 are needed", candidates.len()),
        ));
    }
    candidates
        .into_iter()
        .enumerate()
        .map(|(index, candidate)| {
            let Some(answer) = answer else { return text_of("candidates", &candidate) };
            let label = match labels {
                Some(labels) => labels.get(index).cloned().ok_or_else(|| {
                    RowProblem::new(
                        SkipReason::WrongType,
                        format!("candidate {index} has no label: there are only {}", labels.len()),
                    )
                })?,
                None => letter(index),
            };
            answer.render_with(fields, context! { candidate, index, label })
        })
        .collect()
}

fn letter(index: usize) -> String {
    u8::try_from(index)
        .ok()
        .filter(|index| *index < 26)
        .map_or_else(|| (index + 1).to_string(), |index| char::from(b'A' + index).to_string())
}

fn resolve_gold(
    gold: &Expr,
    labels: Option<&[String]>,
    candidates: usize,
    fields: &Fields<'_>,
) -> Result<Option<usize>, RowProblem> {
    let value = gold.eval(fields)?;
    if value.is_undefined() || value.is_none() {
        return Ok(None);
    }
    let text = text_of("gold", &value)?;
    let index = match labels {
        Some(labels) => labels.iter().position(|label| *label == text),
        None if value.kind() == ValueKind::Bool => Some(usize::from(value.is_true())),
        // A column of whole numbers with a gap becomes one of floats in many tools: 2.0 is 2.
        None => text.strip_suffix(".0").unwrap_or(&text).parse().ok(),
    };
    match index {
        Some(index) if index < candidates => Ok(Some(index)),
        None if text.trim().is_empty() || text == "-1" || text == "-1.0" => Ok(None),
        _ => Err(RowProblem::new(
            SkipReason::GoldOutOfRange,
            match labels {
                Some(labels) if index.is_none() => {
                    format!(
                        "the gold answer `{text}` (`{}`) is none of the labels {}",
                        gold.source(),
                        labels.join(", ")
                    )
                }
                _ => format!(
                    "the gold answer `{text}` (`{}`) is not one of the {candidates} candidates, which are counted from 0",
                    gold.source()
                ),
            },
        )),
    }
}

/// A value as text, if it is text, a number or a boolean.
pub(crate) fn text_of(key: &str, value: &Value) -> Result<String, RowProblem> {
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(value.to_string()),
        _ => Err(RowProblem::new(
            SkipReason::WrongType,
            format!("`{key}` needs text, but there is {}", kind_name(value)),
        )),
    }
}
