//! The place of a value in a JSON text, in words.

use serde_json::Value as Json;

/// A step from a value to one that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    /// From 0.
    Index(usize),
}

/// Most steps of a place that are named.
const SHOWN: usize = 6;

/// The place that steps lead to, such as "value 2 of `scores`", with the last ones of many. Without steps it is "a value".
pub(super) fn named(steps: &[Step]) -> String {
    let names: Vec<String> = steps
        .iter()
        .rev()
        .take(SHOWN)
        .map(|step| match step {
            Step::Key(key) => format!("`{key}`"),
            Step::Index(index) => format!("value {}", index + 1),
        })
        .collect();
    let depth = if steps.len() > SHOWN { format!(", {} levels deep", steps.len()) } else { String::new() };
    if names.is_empty() { "a value".to_owned() } else { names.join(" of ") + &depth }
}

/// The steps to the value at the end of a text that is cut there.
pub(super) fn steps_to_end(text: &[u8]) -> Vec<Step> {
    // The step into the value that is read now, for each open bracket; none at a key.
    let mut open: Vec<Option<Step>> = Vec::new();
    let mut in_object: Vec<bool> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => {
                let Some(length) = string_length(&text[at..]) else { break };
                if let (Some(step @ None), Some(true)) = (open.last_mut(), in_object.last()) {
                    let key = serde_json::from_slice(&text[at..at + length]);
                    *step = Some(Step::Key(key.unwrap_or_default()));
                }
                at += length - 1;
            }
            bracket @ (b'{' | b'[') => {
                in_object.push(bracket == b'{');
                open.push((bracket == b'[').then_some(Step::Index(0)));
            }
            b'}' | b']' => {
                open.pop();
                in_object.pop();
            }
            b',' => match open.last_mut() {
                Some(Some(Step::Index(index))) => *index += 1,
                Some(step) => *step = None,
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    open.into_iter().flatten().collect()
}

/// The steps to the first text for which a condition holds.
pub(super) fn steps_to(value: &Json, is_it: &impl Fn(&str) -> bool) -> Option<Vec<Step>> {
    let with = |step: Step, mut steps: Vec<Step>| {
        steps.insert(0, step);
        steps
    };
    match value {
        Json::String(text) => is_it(text).then(Vec::new),
        Json::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| Some(with(Step::Index(index), steps_to(item, is_it)?))),
        Json::Object(fields) => {
            fields.iter().find_map(|(key, field)| Some(with(Step::Key(key.clone()), steps_to(field, is_it)?)))
        }
        _ => None,
    }
}

/// The length of a string with its quotation marks; `None` if it does not end.
pub(super) fn string_length(text: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_in_words() {
        for (text, place) in [
            ("", "a value"),
            ("{\"a\": ", "`a`"),
            ("{\"a\": [1, \"],\\\"\", ", "value 3 of `a`"),
            ("{\"a\": 1, \"b\": {\"0\": 1, \"1\": ", "`1` of `b`"),
            ("[{\"a\": {}}, {\"x\": [[], ", "value 2 of `x` of value 2"),
            ("{\"a\\\"\": ", "`a\"`"),
            ("{\"a\": 1, ", "a value"),
            ("]}{\"a\": \"open", "`a`"),
        ] {
            assert_eq!(named(&steps_to_end(text.as_bytes())), place, "{text}");
        }
        let deep = "[".repeat(9);
        let expected = "value 1 of value 1 of value 1 of value 1 of value 1 of value 1, 9 levels deep";
        assert_eq!(named(&steps_to_end(deep.as_bytes())), expected);
        let value = json!({ "a": ["x", { "b": ["y", "z"] }], "c": "z" });
        assert_eq!(
            named(&steps_to(&value, &|text| text == "z").unwrap()),
            "value 2 of `b` of value 2 of `a`"
        );
        assert_eq!(steps_to(&value, &|text| text == "a"), None);
    }
}
