//! A text, or two, as the tokens that a classifier reads.

use tokenizers::Tokenizer;

use crate::chat::encode::encoder::Encoder;
use crate::chat::error::ChatError;
use crate::document::ClassifiedText;

/// How two texts become one sequence of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TextLayout {
    /// As the post-processor of the tokenizer joins two texts, such as `[CLS] a [SEP] b [SEP]`: for encoders.
    #[default]
    Pair,
    /// As one text, the second in a line below the first: for causal language models.
    Lines,
}

impl TextLayout {
    /// The layout for a causal language model, or for an encoder.
    pub fn of_model(is_causal: bool) -> Self {
        if is_causal { Self::Lines } else { Self::Pair }
    }
}

/// The tokens of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextTokens {
    /// Token ids, with special tokens.
    pub tokens: Vec<u32>,
    /// The part that each token belongs to: 0 for the first text, 1 for the second. Empty if all are 0.
    pub token_types: Vec<u32>,
}

/// The special tokens that the post-processor of a tokenizer adds to one text and to two.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpecialTokens {
    one: Template,
    two: Template,
}

/// The special tokens around one or two texts.
#[derive(Debug, Clone, Default)]
struct Template {
    /// The special tokens before, between and behind the texts, each with its type.
    gaps: [Vec<(u32, u32)>; 3],
    /// The types of the two texts.
    types: [u32; 2],
}

impl SpecialTokens {
    /// The special tokens of a tokenizer, whose truncation and padding are switched off.
    pub(crate) fn find(tokenizer: &Tokenizer) -> Result<Self, ChatError> {
        let one = tokenizer.encode_fast("a", true).map_err(ChatError::tokenise)?;
        let two = tokenizer.encode_fast(("a", "b"), true).map_err(ChatError::tokenise)?;
        Ok(Self { one: Template::of(&one), two: Template::of(&two) })
    }

    /// The tokens of a text, and whether it was longer than `max_len`.
    ///
    /// As with `truncation=True` in transformers, tokens are removed at the end, one at a time of the longer text. Unlike there, control
    /// tokens that the texts spell stay text.
    pub(crate) fn encode(
        &self,
        encoder: &Encoder,
        text: &ClassifiedText,
        layout: TextLayout,
        max_len: Option<usize>,
    ) -> Result<(TextTokens, bool), ChatError> {
        let ClassifiedText { first, second } = text;
        let (template, mut first, mut second) = match (layout, second) {
            (TextLayout::Pair, Some(second)) => {
                (&self.two, encoder.encode_content(first)?, encoder.encode_content(second)?)
            }
            (TextLayout::Lines, Some(second)) => {
                (&self.one, encoder.encode_content(&[first, "\n", second].concat())?, Vec::new())
            }
            (_, None) => (&self.one, encoder.encode_content(first)?, Vec::new()),
        };
        let special = template.gaps.iter().map(Vec::len).sum::<usize>();
        let mut is_cut = false;
        if let Some(max_len) = max_len {
            let room = max_len.checked_sub(special).filter(|room| *room > 0);
            let room = room.ok_or(ChatError::NoRoom { special, max_len })?;
            is_cut = first.len() + second.len() > room;
            if is_cut {
                let [of_first, of_second] = shortened([first.len(), second.len()], room);
                first.truncate(of_first);
                second.truncate(of_second);
            }
        }
        let [before, between, behind] = &template.gaps;
        let text = |tokens: Vec<u32>, kind: u32| tokens.into_iter().map(move |token| (token, kind));
        let all = before.iter().copied().chain(text(first, template.types[0])).chain(between.iter().copied());
        let all = all.chain(text(second, template.types[1])).chain(behind.iter().copied());
        let (tokens, mut token_types): (Vec<u32>, Vec<u32>) = all.unzip();
        if token_types.iter().all(|&kind| kind == 0) {
            token_types.clear();
        }
        if tokens.is_empty() {
            return Err(ChatError::EmptyText);
        }
        Ok((TextTokens { tokens, token_types }, is_cut))
    }
}

impl Template {
    /// The special tokens around the one or two texts of an encoding.
    fn of(probe: &tokenizers::Encoding) -> Self {
        let mut template = Self::default();
        let mut ended = 0;
        let places = probe.get_sequence_ids().into_iter().zip(probe.get_special_tokens_mask());
        let tokens = probe.get_ids().iter().copied().zip(probe.get_type_ids().iter().copied());
        for ((id, kind), (text, special)) in tokens.zip(places) {
            match text.filter(|_| *special == 0) {
                Some(text) => {
                    template.types[text.min(1)] = kind;
                    ended = text.min(1) + 1;
                }
                None => template.gaps[ended].push((id, kind)),
            }
        }
        template
    }
}

/// The lengths of two texts that have room for together, after tokens are removed one at a time from the longer one.
fn shortened([first, second]: [usize; 2], room: usize) -> [usize; 2] {
    let (short, long) = (first.min(second), first.max(second));
    let (short, long) = match short <= room / 2 {
        true => (short, long.min(room - short)),
        false => (room / 2, room - room / 2),
    };
    if first <= second { [short, long] } else { [long, short] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of `truncate_encodings` of the tokenizers that transformers uses, by its rule for `longest_first`.
    #[test]
    fn the_longer_text_loses_tokens_first() {
        assert_eq!(shortened([3, 9], 8), [3, 5]);
        assert_eq!(shortened([9, 3], 8), [5, 3]);
        assert_eq!(shortened([9, 9], 7), [3, 4]);
        assert_eq!(shortened([12, 9], 7), [4, 3]);
        assert_eq!(shortened([0, 9], 7), [0, 7]);
        assert_eq!(shortened([9, 0], 7), [7, 0]);
    }
}
