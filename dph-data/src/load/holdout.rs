//! [`Holdout`]: rows that training does not see, for data without a validation split.

use crate::document::Document;
use crate::random::{hash_name, mix};

/// A share of a split's prompts that is held out of training, and the side of it that is loaded.
///
/// The rows of a prompt stay together. Which prompts are held out follows from the rows of the split, the share and the seed
/// alone: not from the tokenizer, nor from how many rows are sampled afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Holdout {
    /// The share of the prompts that is held out, above 0 and below 1. At least one prompt is on each side.
    pub share: f64,
    /// Seed of the choice.
    pub seed: u64,
    /// The rows that are loaded.
    pub side: HoldoutSide,
}

/// A side of a [`Holdout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldoutSide {
    /// The rows to train on.
    Training,
    /// The rows that are held out.
    HeldOut,
}

/// The documents on a side, in their order; `None` where all have the same prompt.
pub(super) fn select(documents: Vec<Document>, holdout: &Holdout) -> Option<Vec<Document>> {
    let ranks: Vec<u64> =
        documents.iter().map(|document| mix(holdout.seed, &[hash_name(&prompt_text(document))])).collect();
    let mut prompts = ranks.clone();
    prompts.sort_unstable();
    prompts.dedup();
    let most = prompts.len().checked_sub(1).filter(|most| *most > 0)?;
    let count = ((holdout.share * prompts.len() as f64).round() as usize).clamp(1, most);
    let last = prompts[count - 1];
    let is_wanted = |rank: u64| (rank <= last) == (holdout.side == HoldoutSide::HeldOut);
    let wanted = documents.into_iter().zip(ranks).filter(|(_, rank)| is_wanted(*rank));
    Some(wanted.map(|(document, _)| document).collect())
}

/// What makes two prompts the same: all their messages or contexts. Plain text has no prompt and is its own.
fn prompt_text(document: &Document) -> String {
    let messages = document.prompt.iter().flat_map(|message| [&*message.role, &*message.content]);
    let contexts = document.plain.iter().flat_map(|plain| &plain.contexts).map(String::as_str);
    let texts = document.classified.iter().flat_map(|text| [Some(&text.first), text.second.as_ref()]);
    let texts = texts.flatten().map(String::as_str);
    let has_prompt = !document.prompt.is_empty() || document.plain.is_some() || document.classified.is_some();
    let own = document.candidates.first().filter(|_| !has_prompt);
    messages
        .chain(contexts)
        .chain(texts)
        .chain(own.map(String::as_str))
        .flat_map(|text| [text, "\0"])
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::Message;

    fn documents(prompts: &[u8]) -> Vec<Document> {
        let document = |(index, prompt): (usize, &u8)| Document {
            id: Some(index.to_string()),
            ..Document::new(vec![Message::user(prompt.to_string())], vec!["a".into(), "b".into()])
        };
        prompts.iter().enumerate().map(document).collect()
    }

    proptest! {
        #[test]
        fn every_row_is_on_one_side_and_every_prompt_too(
            prompts in prop::collection::vec(0_u8..40, 2..120),
            share in 0.01_f64..0.99,
            seed: u64,
        ) {
            let all = documents(&prompts);
            let side = |side| select(all.clone(), &Holdout { share, seed, side });
            let (Some(training), Some(held)) = (side(HoldoutSide::Training), side(HoldoutSide::HeldOut)) else {
                prop_assert!(prompts.iter().all(|prompt| *prompt == prompts[0]));
                return Ok(());
            };
            prop_assert_eq!(training.len() + held.len(), all.len());
            prop_assert!(held.iter().all(|held| training.iter().all(|other| other.prompt != held.prompt)));
            let count = |documents: &[Document]| {
                let mut prompts: Vec<_> = documents.iter().map(|document| &*document.prompt[0].content).collect();
                prompts.sort();
                prompts.dedup();
                prompts.len()
            };
            let (of_training, of_held) = (count(&training), count(&held));
            prop_assert!(of_training > 0 && of_held > 0);
            let exact = share * (of_training + of_held) as f64;
            prop_assert!(of_held == 1 || of_training == 1 || (of_held as f64 - exact).abs() <= 0.5);
        }
    }

    #[test]
    fn the_seed_chooses_and_text_is_held_out_by_itself() {
        let prompts: Vec<u8> = (0..100).collect();
        let held = |seed| {
            let holdout = Holdout { share: 0.1, seed, side: HoldoutSide::HeldOut };
            select(documents(&prompts), &holdout).unwrap()
        };
        assert_eq!(held(1), held(1));
        assert_ne!(held(1), held(2));
        let texts: Vec<Document> =
            (0..10).map(|text| Document::new(Vec::new(), vec![text.to_string()])).collect();
        let holdout = Holdout { share: 0.2, seed: 0, side: HoldoutSide::HeldOut };
        assert_eq!(select(texts, &holdout).unwrap().len(), 2);
        assert_eq!(select(documents(&[1, 1]), &holdout), None);
    }
}
