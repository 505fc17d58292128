//! Which documents two sides have in common.

use std::collections::HashMap;

use serde::Serialize;

use crate::blocks::PartGroups;
use crate::compare::error::CompareError;
use crate::results::DocumentScores;

/// Documents that are named in messages.
const NAMED: usize = 3;

/// The documents of a task on two sides.
pub(crate) struct PairedTask<'a> {
    pub task: &'a str,
    pub split: &'a str,
    /// The documents that both sides have, A's first, in the order of A.
    pub pairs: Vec<[&'a DocumentScores; 2]>,
    /// The others.
    pub unpaired: Unpaired,
}

impl<'a> PairedTask<'a> {
    /// The task, and the groups of its documents.
    pub(crate) fn groups(&self) -> PartGroups<'a> {
        (self.task, self.pairs.iter().filter_map(|pair| pair[0].group.as_deref()).collect())
    }
}

/// The documents of a task that only one side has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unpaired {
    /// The task.
    pub task: String,
    /// The split.
    pub split: String,
    /// The number of documents that only A has.
    pub only_a: usize,
    /// The number of documents that only B has.
    pub only_b: usize,
    /// The ids of the first few of them.
    pub first: Vec<String>,
}

/// Pairs documents by task, split and id; tasks are in the order of A, then those that only B has.
///
/// The candidates of both sides have the same lengths, unless the sides are in different styles.
///
/// # Errors
/// Documents of the same name whose gold answer or candidates differ.
pub(crate) fn pair<'a>(
    a: &'a [DocumentScores],
    b: &'a [DocumentScores],
    same_style: bool,
) -> Result<Vec<PairedTask<'a>>, CompareError> {
    let name = |document: &'a DocumentScores| {
        (document.task.as_str(), document.split.as_str(), document.id.as_str())
    };
    let mut left: HashMap<_, &DocumentScores> = b.iter().map(|document| (name(document), document)).collect();
    let mut tasks: Vec<PairedTask> = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let mut place = |tasks: &mut Vec<PairedTask<'a>>, document: &'a DocumentScores| -> usize {
        let (task, split) = (document.task.as_str(), document.split.as_str());
        *places.entry((task, split)).or_insert_with(|| {
            let unpaired =
                Unpaired { task: task.into(), split: split.into(), only_a: 0, only_b: 0, first: Vec::new() };
            tasks.push(PairedTask { task, split, pairs: Vec::new(), unpaired });
            tasks.len() - 1
        })
    };
    let mut different = Vec::new();
    for document in a {
        let index = place(&mut tasks, document);
        match left.remove(&name(document)) {
            Some(other) => {
                different.extend(difference(document, other, same_style));
                tasks[index].pairs.push([document, other]);
            }
            None => {
                let unpaired = &mut tasks[index].unpaired;
                unpaired.only_a += 1;
                unpaired.add(document);
            }
        }
    }
    for document in b.iter().filter(|document| left.contains_key(&name(document))) {
        let index = place(&mut tasks, document);
        let unpaired = &mut tasks[index].unpaired;
        unpaired.only_b += 1;
        unpaired.add(document);
    }
    if !different.is_empty() {
        let count = different.len();
        different.truncate(NAMED);
        let more = if count > NAMED { "; …" } else { "" };
        return Err(CompareError::DifferentDocuments { count, examples: different.join("; ") + more });
    }
    Ok(tasks)
}

impl Unpaired {
    fn add(&mut self, document: &DocumentScores) {
        if self.first.len() < NAMED {
            self.first.push(document.id.clone());
        }
    }
}

/// In what two documents of the same name differ.
fn difference(a: &DocumentScores, b: &DocumentScores, same_style: bool) -> Option<String> {
    let gold = |document: &DocumentScores| document.gold.map_or("none".into(), |gold| gold.to_string());
    let bytes =
        |document: &DocumentScores| document.candidates.iter().map(|one| one.bytes).collect::<Vec<usize>>();
    let what = if a.candidates.len() != b.candidates.len() {
        format!("{} candidates in A, {} in B", a.candidates.len(), b.candidates.len())
    } else if a.gold != b.gold {
        format!("gold answer {} in A, {} in B", gold(a), gold(b))
    } else if a.right != b.right {
        format!("right answers {:?} in A, {:?} in B", a.right, b.right)
    } else if a.score != b.score {
        format!("score {:?} in A, {:?} in B", a.score.unwrap_or_default(), b.score.unwrap_or_default())
    } else if same_style && bytes(a) != bytes(b) {
        let at = bytes(a).iter().zip(bytes(b)).position(|(a, b)| *a != b).unwrap_or_default();
        format!("candidate {at} has {} bytes in A, {} in B", bytes(a)[at], bytes(b)[at])
    } else {
        return None;
    };
    Some(format!("{}/{} {}: {what}", a.task, a.split, a.id))
}
