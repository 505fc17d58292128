//! Control tokens that a chat template makes of contents.

use std::ops::Range;

use crate::chat::encode::control::ControlTokens;

/// Stands for a character of a content. Nothing that a template does with it gives a control token.
const NEUTRAL: char = '\u{F9003}';

/// A content of the same length and with the same blanks, of which no control token can be made.
pub(crate) fn neutral(content: &str) -> String {
    content.chars().map(|c| if c.is_whitespace() || c.is_control() { c } else { NEUTRAL }).collect()
}

/// The places in a rendered text of those characters of contents that belong to control tokens: a template that changes
/// contents, for instance to lower case, can make such tokens. `neutral` is the same conversation with [`neutral`] contents.
///
/// # Errors
/// The text of a control token whose source is not known: the two texts have different control tokens, and they do not
/// correspond to each other character by character.
pub(crate) fn tokens_of_contents(
    control: &ControlTokens,
    text: &str,
    neutral: &str,
) -> Result<Vec<Range<usize>>, String> {
    let Some(contents) = places_of_contents(text, neutral) else {
        let ids = |text| control.find(text).map(|(_, id)| id).collect::<Vec<u32>>();
        let (ids, expected) = (ids(text), ids(neutral));
        if ids == expected {
            return Ok(Vec::new());
        }
        let first = ids.iter().zip(&expected).position(|(a, b)| a != b);
        let first = first.unwrap_or(ids.len().min(expected.len()));
        let id = ids.get(first).or(expected.get(first)).copied().unwrap_or_default();
        return Err(control.text(id).unwrap_or_default().to_owned());
    };
    Ok(characters_in_tokens(control, text, &contents, Vec::new()))
}

/// Adds to `found` the places of those characters of contents that belong to control tokens. `contents` and `found` are in
/// ascending order.
pub(crate) fn characters_in_tokens(
    control: &ControlTokens,
    text: &str,
    contents: &[Range<usize>],
    mut found: Vec<Range<usize>>,
) -> Vec<Range<usize>> {
    // Other tokens can overlap those that were found.
    loop {
        let ends = found.iter().map(|place| place.end);
        let starts = found.iter().map(|place| place.start).chain([text.len()]);
        let gaps = std::iter::once(0).chain(ends).zip(starts);
        let tokens = gaps.flat_map(|(start, end)| {
            control.find(&text[start..end]).map(move |(place, _)| place.start + start..place.end + start)
        });
        let more: Vec<Range<usize>> = tokens.flat_map(|place| common(contents, place)).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
        found.sort_unstable_by_key(|place| place.start);
    }
}

/// The places of contents in a text, in ascending order, if it is the neutral text with other characters of contents.
fn places_of_contents(text: &str, neutral: &str) -> Option<Vec<Range<usize>>> {
    let mut places: Vec<Range<usize>> = Vec::new();
    let mut others = neutral.chars();
    for (at, c) in text.char_indices() {
        match others.next()? {
            NEUTRAL => match places.last_mut().filter(|place| place.end == at) {
                Some(place) => place.end = at + c.len_utf8(),
                None => places.push(at..at + c.len_utf8()),
            },
            other if other == c => {}
            _ => return None,
        }
    }
    others.next().is_none().then_some(places)
}

/// What a range has in common with places in ascending order.
fn common(places: &[Range<usize>], range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let after = places.partition_point(|place| place.end <= range.start);
    let within = places[after..].iter().take_while(move |place| place.start < range.end);
    let common = within.map(move |place| place.start.max(range.start)..place.end.min(range.end));
    common.filter(|common| !common.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_contents_in_control_tokens_are_found() {
        let texts = [(1, "<e>"), (2, "<s>"), (3, "<e><s>")].map(|(id, text)| (id, text.to_owned()));
        let control = ControlTokens::new(texts.into(), None).unwrap();
        let found = |text: &str, neutral: &str| {
            let neutral = neutral.replace('.', &NEUTRAL.to_string());
            let found = tokens_of_contents(&control, text, &neutral)?;
            Ok::<_, String>(found.into_iter().map(|place| (place.start, place.end)).collect::<Vec<_>>())
        };
        assert_eq!(found("<s>ab <e>", "<s>.. <e>"), Ok(vec![]));
        assert_eq!(found("<s><e><e>", "<s>...<e>"), Ok(vec![(3, 6)]));
        assert_eq!(found("<s><e>", "<s>.e>"), Ok(vec![(3, 4)]));
        // The longer token hides the others.
        assert_eq!(found("<e><s>", "<e>..."), Ok(vec![(3, 6)]));
        assert_eq!(found("<e><s><e>", "......<e>"), Ok(vec![(0, 6)]));
        assert_eq!(found("<s>long<e>", "<s>..<e>"), Ok(vec![]));
        assert_eq!(found("<s>long<e><e>", "<s>..<e>"), Err("<e>".to_owned()));
    }
}
