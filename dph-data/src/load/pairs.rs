//! Makes pairs of single answers that have a score.

use std::collections::HashMap;

use crate::chat::Message;
use crate::document::Document;
use crate::rows::{RowProblem, SkipReason};

/// Items with the index of their row.
type Numbered<T> = Vec<(usize, T)>;

/// All pairs of answers to the same prompt with different scores, the better answer first; and the problems: answers without
/// a partner, and pairs with equal scores. Each has the index of the row of its first answer; both lists are in row order.
///
/// Every answer is paired with every other answer to the same prompt.
pub(crate) fn pair(answers: &[(usize, Document)]) -> (Numbered<Document>, Numbered<RowProblem>) {
    let mut by_prompt: HashMap<&[Message], Vec<usize>> = HashMap::new();
    for (position, (_, document)) in answers.iter().enumerate() {
        by_prompt.entry(&document.prompt).or_default().push(position);
    }
    let (mut pairs, mut unpaired) = (Vec::new(), Vec::new());
    for (position, (row, document)) in answers.iter().enumerate() {
        let others = by_prompt.get(document.prompt.as_slice()).map_or(&[][..], Vec::as_slice);
        if others.len() < 2 {
            let problem =
                RowProblem::new(SkipReason::NoPartner, "there is no other answer to the same prompt");
            unpaired.push((*row, problem));
        }
        for &other in others.iter().filter(|&&other| other > position) {
            match compare(document, &answers[other].1) {
                Ok(pair) => {
                    let group = document.group.clone().or_else(|| answers[others[0]].1.id.clone());
                    pairs.push((*row, Document { group, ..pair }));
                }
                Err(problem) => unpaired.push((*row, problem)),
            }
        }
    }
    (pairs, unpaired)
}

fn compare(first: &Document, second: &Document) -> Result<Document, RowProblem> {
    let (better, worse) = match first.score.partial_cmp(&second.score) {
        Some(std::cmp::Ordering::Greater) => (first, second),
        Some(std::cmp::Ordering::Less) => (second, first),
        _ => {
            return Err(RowProblem::new(
                SkipReason::Tied,
                "two answers to the same prompt have the same score",
            ));
        }
    };
    if better.candidates == worse.candidates {
        return Err(RowProblem::new(
            SkipReason::IdenticalAnswers,
            "the better and the worse answer are the same",
        ));
    }
    let names = [better, worse].map(|document| document.id.clone().unwrap_or_default());
    let candidates = better.candidates.iter().chain(&worse.candidates).cloned().collect();
    Ok(Document { id: Some(names.join(">")), ..Document::new(better.prompt.clone(), candidates) })
}
