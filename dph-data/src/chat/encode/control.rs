//! [`ControlTokens`]: the tokens that only the format may write, and how contents that spell them stay text.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

/// The tokens that only the format of a conversation may write: the special tokens of the tokenizer, and the tokens that its
/// configuration names (beginning, end, padding and the like).
pub(crate) struct ControlTokens {
    texts: HashMap<u32, String>,
    /// The token of unknown text. Any content may produce it.
    unknown: Option<u32>,
    finder: AhoCorasick,
    /// The ids in the order of the finder's patterns.
    ids: Vec<u32>,
    /// Beginnings and ends of tokens that are no plain words.
    starts: HashSet<String>,
    ends: HashSet<String>,
    /// Length in bytes of the longest of them.
    longest_part: usize,
}

impl ControlTokens {
    /// `texts` are the tokens by id. `unknown` is the id of the token of unknown text.
    pub(crate) fn new(texts: HashMap<u32, String>, unknown: Option<u32>) -> Result<Self, String> {
        let mut ids: Vec<u32> = texts.keys().copied().filter(|id| !texts[id].is_empty()).collect();
        ids.sort_unstable();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(ids.iter().map(|id| &texts[id]))
            .map_err(|error| error.to_string())?;
        let cuts =
            texts.values().flat_map(|text| text.char_indices().skip(1).map(|(at, _)| text.split_at(at)));
        let (starts, ends): (Vec<&str>, Vec<&str>) = cuts.unzip();
        let is_mark = |part: &&str| part.contains(|c: char| !c.is_alphanumeric() && !c.is_whitespace());
        let parts = |parts: Vec<&str>| parts.into_iter().filter(is_mark).map(str::to_owned).collect();
        let (starts, ends): (HashSet<String>, HashSet<String>) = (parts(starts), parts(ends));
        let longest_part = starts.iter().chain(&ends).map(String::len).max().unwrap_or(0);
        Ok(Self { texts, unknown, finder, ids, starts, ends, longest_part })
    }

    /// Whether a token ends a turn or separates parts of the format.
    pub(crate) fn contains(&self, id: u32) -> bool {
        Some(id) != self.unknown && self.texts.contains_key(&id)
    }

    /// The text of a control token.
    pub(crate) fn text(&self, id: u32) -> Option<&str> {
        self.texts.get(&id).map(String::as_str)
    }

    /// The ids.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Where a text spells control tokens, and their ids. The longest of several tokens at one place counts.
    pub(crate) fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (Range<usize>, u32)> + 'a {
        self.finder.find_iter(text).map(|found| (found.range(), self.ids[found.pattern().as_usize()]))
    }

    /// Where a content spells control tokens, or begins or ends with a part of one: text beside it could complete the token.
    fn find_parts(&self, content: &str) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = self.find(content).map(|(place, _)| place).collect();
        let lengths = || (1..=self.longest_part.min(content.len())).rev();
        let start =
            lengths().find(|&length| content.get(..length).is_some_and(|part| self.ends.contains(part)));
        let end = lengths().map(|length| content.len() - length);
        let end =
            end.into_iter().find(|&at| content.get(at..).is_some_and(|part| self.starts.contains(part)));
        if let Some(length) = start.filter(|&length| places.first().is_none_or(|place| length <= place.start))
        {
            places.insert(0, 0..length);
        }
        if let Some(at) = end.filter(|&at| places.last().is_none_or(|place| place.end <= at)) {
            places.push(at..content.len());
        }
        places
    }

    /// Placeholders for the control tokens, and the parts of them, that these contents spell.
    pub(crate) fn placeholders<'t>(
        &self,
        contents: impl Iterator<Item = &'t str> + Clone,
    ) -> Placeholders<'_> {
        let spelled: BTreeSet<&str> = contents
            .clone()
            .flat_map(|content| self.find_parts(content).into_iter().map(|place| &content[place]))
            .collect();
        let used: HashSet<char> = match spelled.is_empty() {
            true => HashSet::new(),
            false => contents.flat_map(str::chars).filter(|c| PRIVATE.contains(c)).collect(),
        };
        let unused = PRIVATE.filter(|c| !used.contains(c));
        let chars = spelled.into_iter().map(str::to_owned).zip(unused).collect();
        Placeholders { control: self, chars }
    }
}

/// Characters that stand for other text while a template is rendered: [placeholders](PRIVATE), and those of other files.
pub(crate) const STANDS_FOR_TEXT: std::ops::RangeInclusive<char> = '\u{F0000}'..='\u{F9FFF}';

/// Characters without a meaning, which no template contains and no string method changes.
const PRIVATE: std::ops::RangeInclusive<char> = '\u{F0000}'..='\u{F8FFF}';

/// A character in the place of each control token that the contents of a conversation spell, and of each part of one at the
/// end of a content. The contents have the placeholders while a template is rendered, so that the tokens of the template and
/// the spelled ones can be told apart.
pub(crate) struct Placeholders<'a> {
    control: &'a ControlTokens,
    chars: HashMap<String, char>,
}

impl<'a> Placeholders<'a> {
    /// No placeholders.
    pub(crate) fn none(control: &'a ControlTokens) -> Self {
        Self { control, chars: HashMap::new() }
    }

    /// Whether nothing has a placeholder.
    pub(crate) fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// A content with placeholders.
    pub(crate) fn insert<'b>(&self, content: &'b str) -> Cow<'b, str> {
        if self.chars.is_empty() {
            return Cow::Borrowed(content);
        }
        let mut out = String::with_capacity(content.len());
        let mut end = 0;
        for range in self.control.find_parts(content) {
            out.push_str(&content[end..range.start]);
            out.extend(self.chars.get(&content[range.clone()]));
            end = range.end;
        }
        out.push_str(&content[end..]);
        Cow::Owned(out)
    }

    /// A rendered text with the spelled tokens in their places again. `from_content` are places of further texts that must
    /// not become control tokens. `place` is a range of the text with placeholders, and becomes the range in the returned
    /// text.
    pub(crate) fn remove(
        &self,
        text: &str,
        from_content: &[Range<usize>],
        place: &mut Range<usize>,
    ) -> RenderedText {
        if self.chars.is_empty() {
            return RenderedText { text: text.to_owned(), spelled: from_content.to_vec() };
        }
        let by_char: HashMap<char, &str> = self.chars.iter().map(|(text, c)| (*c, text.as_str())).collect();
        let mut out = RenderedText { text: String::with_capacity(text.len()), spelled: Vec::new() };
        let before = place.clone();
        let mut from_content = from_content.iter().peekable();
        for (at, c) in text.char_indices() {
            if at == before.start {
                place.start = out.text.len();
            }
            if at == before.end {
                place.end = out.text.len();
            }
            // The places are control tokens, which contain no placeholders.
            if let Some(found) = from_content.next_if(|found| found.start == at) {
                out.spelled.push(out.text.len()..out.text.len() + found.len());
            }
            match by_char.get(&c) {
                Some(token) => {
                    let start = out.text.len();
                    out.text.push_str(token);
                    out.spelled.push(start..out.text.len());
                }
                None => out.text.push(c),
            }
        }
        for (bound, before) in [(&mut place.start, before.start), (&mut place.end, before.end)] {
            if before == text.len() {
                *bound = out.text.len();
            }
        }
        out
    }
}

/// A text, and where contents spell control tokens in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RenderedText {
    pub text: String,
    /// The places in ascending order. They do not overlap.
    pub spelled: Vec<Range<usize>>,
}

impl RenderedText {
    /// The text from this byte on, behind another text.
    pub(crate) fn tail(&self, start: usize, before: &str) -> RenderedText {
        let moved = |range: &Range<usize>| {
            let place = |place: usize| place - start + before.len();
            (range.start >= start).then(|| place(range.start)..place(range.end))
        };
        RenderedText {
            text: [before, &self.text[start..]].concat(),
            spelled: self.spelled.iter().filter_map(moved).collect(),
        }
    }
}
