//! Bytes that are not UTF-8: what stands for them in a row.

use serde_json::{Map, Value as Json};

/// The key of the object that stands for bytes in a row. As a phrase it also completes messages.
pub(crate) const BYTES: &str = "a byte array that is not UTF-8";

/// What stands in a row for bytes that are not UTF-8. The row can be used by a task that does not need the field.
pub(super) fn bytes_value(length: usize) -> Json {
    Map::from_iter([(BYTES.to_owned(), length.into())]).into()
}

/// Whether a value stands for bytes, or contains one that does.
pub(crate) fn holds_bytes(value: &Json) -> bool {
    match value {
        Json::Object(fields) => fields.contains_key(BYTES) || fields.values().any(holds_bytes),
        Json::Array(items) => items.iter().any(holds_bytes),
        _ => false,
    }
}
