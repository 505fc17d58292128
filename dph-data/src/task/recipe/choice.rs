//! [`Choice`]: one prompt and several answers, one of which is correct.

use minijinja::context;
use minijinja::value::ValueKind;

use super::list::List;
use super::template::{Expr, Fields, Template};
use super::values::{is_missing, to_number, to_text};
use crate::chat::Message;
use crate::document::Document;
use crate::rows::{RowProblem, SkipReason};

/// The templates and expressions for the question, the candidates and the gold index.
#[derive(Debug)]
pub(crate) struct Choice {
    pub user: Template,
    pub candidates: List,
    pub answer: Option<Template>,
    pub labels: Option<List>,
    pub gold: Expr,
    pub score: Option<Expr>,
}

impl Choice {
    pub(crate) fn document(&self, fields: &Fields<'_>) -> Result<Document, RowProblem> {
        let labels = self.labels.as_ref().map(|labels| labels.texts("labels", fields)).transpose()?;
        let labels = labels.as_deref();
        let answers = answers(&self.candidates, self.answer.as_ref(), labels, fields)?;
        let gold = resolve_gold(&self.gold, labels, answers.len(), fields)?;
        let right = right_answers(gold, labels, answers.len());
        let score = match &self.score {
            // The score of an unlabelled row is a placeholder.
            Some(score) if gold.is_some() => Some(to_number("score", &score.require(fields)?)?),
            _ => None,
        };
        let user = self.user.render_with(fields, context! { answers => answers.clone() })?;
        Ok(Document { gold, right, score, ..Document::new(vec![Message::user(user)], answers) })
    }
}

pub(super) fn answers(
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
            let Some(answer) = answer else { return to_text("candidates", &candidate) };
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

/// The candidates that are right: the gold one, and those with the same label.
pub(super) fn right_answers(gold: Option<usize>, labels: Option<&[String]>, candidates: usize) -> Vec<usize> {
    let Some(gold) = gold else { return Vec::new() };
    let is_right =
        |index: &usize| *index == gold || labels.is_some_and(|labels| labels.get(*index) == labels.get(gold));
    (0..candidates).filter(is_right).collect()
}

pub(super) fn resolve_gold(
    gold: &Expr,
    labels: Option<&[String]>,
    candidates: usize,
    fields: &Fields<'_>,
) -> Result<Option<usize>, RowProblem> {
    let value = gold.eval(fields)?;
    if is_missing(&value) {
        return Ok(None);
    }
    let text = to_text("gold", &value)?;
    let whole = whole_number(&text);
    let index = match labels {
        Some(labels) => {
            let of = |text: &str| labels.iter().position(|label| label == text);
            of(&text).or_else(|| of(whole))
        }
        None if value.kind() == ValueKind::Bool => Some(usize::from(value.is_true())),
        None => whole.parse().ok(),
    };
    match index {
        Some(index) if index < candidates => Ok(Some(index)),
        None if text.trim().is_empty() || whole == "-1" => Ok(None),
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

/// A number without a fraction of zeros. Many tools convert an integer column with missing values to floats or decimals: 2.0 and 2.00
/// mean 2.
fn whole_number(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    }
}
