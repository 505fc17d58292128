//! What stands in a row for values that JSON lacks: bytes that are not UTF-8, and numbers that are not finite. The row can be used by a task
//! that does not need the field.

use serde_json::{Map, Value as Json};

/// The only key of the object that stands for bytes. As the other ones, it is a phrase that also completes messages.
pub(crate) const BYTES: &str = "a byte array that is not UTF-8";

/// Stands for a number. pandas writes it for a missing value.
pub(crate) const NAN: &str = "NaN, not a number";
const INFINITE: [&str; 2] = ["Infinity, not a finite number", "-Infinity, not a finite number"];

/// Stands for bytes that are not UTF-8.
pub(super) fn bytes_value(length: usize) -> Json {
    Map::from_iter([(BYTES.to_owned(), length.into())]).into()
}

/// A number, or what stands for one that is not finite.
pub(super) fn number_value(number: f64) -> Json {
    let phrase = match number {
        number if number.is_nan() => NAN,
        f64::INFINITY => INFINITE[0],
        f64::NEG_INFINITY => INFINITE[1],
        _ => return number.into(),
    };
    Map::from_iter([(phrase.to_owned(), Json::Null)]).into()
}

/// The phrase that the only key of an object is, if the object stands for something.
pub(crate) fn phrase(key: &str) -> Option<&'static str> {
    [BYTES, NAN, INFINITE[0], INFINITE[1]].into_iter().find(|phrase| *phrase == key)
}

/// The phrase of a value, or of one that it contains.
pub(crate) fn contained_phrase(value: &Json) -> Option<&'static str> {
    match value {
        Json::Object(fields) => {
            let own = fields.keys().next().filter(|_| fields.len() == 1).and_then(|key| phrase(key));
            own.or_else(|| fields.values().find_map(contained_phrase))
        }
        Json::Array(items) => items.iter().find_map(contained_phrase),
        _ => None,
    }
}
