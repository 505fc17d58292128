//! [`Encoder`]: from text to tokens with their places, in which spelled control tokens stay text.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::OnceLock;

use tokenizers::{AddedToken, Tokenizer};

use crate::chat::encode::control::{ControlTokens, RenderedText};
use crate::chat::encode::cuts::{Cut, CutRules};
use crate::chat::encode::placed_encoding::encode;
use crate::chat::encode::placed_token::PlacedToken;
use crate::chat::error::ChatError;

/// A tokenizer that adds no special tokens and keeps the place of each token.
pub(crate) struct Encoder {
    tokenizer: Tokenizer,
    control: ControlTokens,
    cuts: CutRules,
    /// Made when a text spells a control token for the first time.
    guarded: OnceLock<Result<Guarded, String>>,
}

impl Encoder {
    /// Truncation and padding of the tokenizer are switched off.
    pub(crate) fn new(mut tokenizer: Tokenizer, control: ControlTokens) -> Result<Self, String> {
        tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
        tokenizer.with_padding(None);
        let cuts = CutRules::new(&tokenizer, &control);
        Ok(Self { tokenizer, control, cuts, guarded: OnceLock::new() })
    }

    /// The vocabulary.
    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokens that only the format may write.
    pub(crate) fn control(&self) -> &ControlTokens {
        &self.control
    }

    /// The tokens of a text. Where contents spell control tokens, these are text.
    pub(crate) fn encode(&self, text: &RenderedText) -> Result<Vec<PlacedToken>, ChatError> {
        if text.text.is_empty() {
            return Ok(Vec::new());
        }
        if text.spelled.is_empty() {
            let tokens = encode(&self.tokenizer, &text.text).map_err(ChatError::tokenise)?;
            // A vocabulary can have its control tokens among the ordinary ones, and a normaliser can produce their text.
            let from_text = |token: &PlacedToken| {
                let written = text.text.get(token.start..token.end).map(str::trim);
                self.control.contains(token.id) && self.control.text(token.id).map(str::trim) != written
            };
            if !tokens.iter().any(from_text) {
                return Ok(tokens);
            }
        }
        let guarded = self.guarded.get_or_init(|| Guarded::new(&self.tokenizer, &self.control));
        let guarded = guarded.as_ref().map_err(ChatError::tokenise)?;
        guarded.encode(text, &self.control)
    }

    /// The ids of a content: text in which nothing is a control token.
    pub(crate) fn encode_content(&self, content: &str) -> Result<Vec<u32>, ChatError> {
        let spelled = self.control.find(content).map(|(range, _)| range).collect();
        let tokens = self.encode(&RenderedText { text: content.to_owned(), spelled })?;
        Ok(tokens.into_iter().map(|token| token.id).collect())
    }

    /// The last place before `end` at which a text with these tokens can be cut: both parts have the tokens that they have
    /// together, whatever follows `end`.
    pub(crate) fn cut(&self, text: &RenderedText, tokens: &[PlacedToken], end: usize) -> Option<Cut> {
        self.cuts.find(&self.tokenizer, &self.control, &text.text, tokens, end)
    }

    /// The tokens of a text behind a cut. Their places are those in the whole text.
    pub(crate) fn encode_behind(&self, text: &RenderedText, cut: Cut) -> Result<Vec<PlacedToken>, ChatError> {
        let before = cut.before.len();
        let tokens = self.encode(&text.tail(cut.bytes, cut.before))?;
        let tokens = tokens.into_iter().filter(|token| token.start >= before);
        let place = |place: usize| place - before + cut.bytes;
        Ok(tokens
            .map(|token| PlacedToken { start: place(token.start), end: place(token.end), ..token })
            .collect())
    }
}

/// The tokenizer with other names for its control tokens. In a text for it, the control tokens of the format have these
/// names, and spelled ones are ordinary text.
struct Guarded {
    tokenizer: Tokenizer,
    /// The name of each control token.
    names: HashMap<u32, String>,
    /// The id in the vocabulary of each added token; `None` for the token that only cuts a text.
    ids: HashMap<u32, Option<u32>>,
    /// Control tokens that must stand alone, with their text.
    single_words: HashSet<u32>,
}

/// Begins and ends the name of a control token.
const MARK: char = '\u{10FFFD}';
/// A token that produces nothing. It separates what is before it from what follows.
const CUT: &str = "\u{10FFFD}\u{10FFFC}\u{10FFFD}";

impl Guarded {
    fn new(tokenizer: &Tokenizer, control: &ControlTokens) -> Result<Self, String> {
        let message = |error: tokenizers::Error| error.to_string();
        let mut guarded = Tokenizer::new(tokenizer.get_model().clone());
        guarded.with_normalizer(tokenizer.get_normalizer().cloned()).map_err(message)?;
        guarded.with_pre_tokenizer(tokenizer.get_pre_tokenizer().cloned());
        guarded.with_post_processor(tokenizer.get_post_processor().cloned());
        let mut names = HashMap::new();
        for (id, code) in control.ids().iter().zip(0x10_0000..0x10_FFFC) {
            names.extend(char::from_u32(code).map(|c| (*id, format!("{MARK}{c}{MARK}"))));
        }
        let mut added: Vec<(u32, AddedToken)> = tokenizer.get_added_tokens_decoder().into_iter().collect();
        added.sort_by_key(|(id, _)| *id);
        let single_words = added.iter().filter(|(_, token)| token.single_word).map(|(id, _)| *id).collect();
        let renamed = added.into_iter().map(|(id, token)| {
            let name = names.get(&id);
            let content = name.cloned().unwrap_or_else(|| token.content.clone());
            // A normaliser could change the name.
            let normalized = token.normalized && name.is_none();
            (
                Some(id),
                AddedToken { content, normalized, single_word: token.single_word && name.is_none(), ..token },
            )
        });
        let renamed: Vec<_> = renamed.chain([(None, AddedToken::from(CUT, true))]).collect();
        guarded.add_tokens(renamed.iter().map(|(_, token)| token.clone())).map_err(message)?;
        let ids = renamed.iter().filter_map(|(id, token)| Some((guarded.token_to_id(&token.content)?, *id)));
        let ids = ids.collect();
        Ok(Self { tokenizer: guarded, names, ids, single_words })
    }

    fn encode(&self, text: &RenderedText, control: &ControlTokens) -> Result<Vec<PlacedToken>, ChatError> {
        if text.text.contains(MARK) {
            let message =
                "a text with control tokens in its contents must not contain the character U+10FFFD";
            return Err(ChatError::tokenise(message));
        }
        let names = self.control_places(text, control);
        let mut cuts: Vec<usize> = Vec::new();
        loop {
            let named = NamedText::new(&text.text, &names, &cuts);
            let named_tokens = encode(&self.tokenizer, &named.text).map_err(ChatError::tokenise)?;
            let mut tokens = Vec::with_capacity(named_tokens.len());
            let before = cuts.len();
            for token in named_tokens {
                let (start, end) = (named.source(token.start), named.source(token.end));
                match self.ids.get(&token.id) {
                    Some(None) => {}
                    Some(Some(id)) => tokens.push(PlacedToken { id: *id, start, end }),
                    None if control.contains(token.id) => cuts.push(cut_place(&text.text, start..end)?),
                    None => tokens.push(PlacedToken { id: token.id, start, end }),
                }
            }
            if cuts.len() == before {
                return Ok(tokens);
            }
            cuts.sort_unstable();
            cuts.dedup();
            if cuts.len() == before {
                return Err(uncuttable());
            }
        }
    }

    /// Where the format writes control tokens, and their names.
    fn control_places<'a>(
        &'a self,
        text: &RenderedText,
        control: &ControlTokens,
    ) -> Vec<(Range<usize>, &'a str)> {
        let mut places = Vec::new();
        let ends = text.spelled.iter().map(|range| range.end);
        let starts = text.spelled.iter().map(|range| range.start).chain([text.text.len()]);
        for (start, end) in std::iter::once(0).chain(ends).zip(starts) {
            let found = control.find(&text.text[start..end]);
            let found = found.map(|(range, id)| (range.start + start..range.end + start, id));
            places.extend(found.filter_map(|(range, id)| {
                let alone = !self.single_words.contains(&id) || stands_alone(&text.text, &range);
                Some((range, self.names.get(&id).filter(|_| alone)?.as_str()))
            }));
        }
        places
    }
}

/// Whether neither side of a range touches a word.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    !text[..range.start].ends_with(word) && !text[range.end..].starts_with(word)
}

/// The place in a text that became a control token where it is cut: behind its first character that is not a blank.
fn cut_place(text: &str, range: Range<usize>) -> Result<usize, ChatError> {
    let place = text.get(range.clone()).and_then(|piece| {
        let (offset, c) = piece.char_indices().find(|(_, c)| !c.is_whitespace())?;
        Some(range.start + offset + c.len_utf8()).filter(|cut| *cut < range.end)
    });
    place.ok_or_else(uncuttable)
}

fn uncuttable() -> ChatError {
    let message = "a character of the text becomes a control token, and it cannot be cut";
    ChatError::tokenise(message)
}

/// A text with names in the place of control tokens, and with cuts.
struct NamedText {
    text: String,
    /// Replaced parts: their range in `text`, and in the source.
    replaced: Vec<(Range<usize>, Range<usize>)>,
}

impl NamedText {
    fn new(source: &str, names: &[(Range<usize>, &str)], cuts: &[usize]) -> Self {
        let cuts = cuts.iter().map(|&cut| (cut..cut, CUT));
        let mut parts: Vec<(Range<usize>, &str)> = names.iter().cloned().chain(cuts).collect();
        parts.sort_by_key(|(range, _)| range.start);
        let mut named = Self { text: String::with_capacity(source.len()), replaced: Vec::new() };
        let mut end = 0;
        for (range, name) in parts {
            named.text.push_str(&source[end..range.start]);
            let start = named.text.len();
            named.text.push_str(name);
            end = range.end;
            named.replaced.push((start..named.text.len(), range));
        }
        named.text.push_str(&source[end..]);
        named
    }

    /// The place in the source of a place in the text.
    fn source(&self, place: usize) -> usize {
        let before = self.replaced.partition_point(|(range, _)| range.start < place);
        match self.replaced[..before].last() {
            Some((range, source)) if place >= range.end => source.end + place - range.end,
            Some((_, source)) => source.end,
            None => place,
        }
    }
}
