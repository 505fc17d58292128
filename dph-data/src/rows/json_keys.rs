//! JSON whose repeated keys are marked. serde_json keeps the last of them in silence.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value as Json};

use super::json_place::{named, steps_to};

/// The value of a key that an object has twice. No text begins with it.
const TWICE: &str = "\0twice\0";

/// A JSON value in which the keys that are there twice are marked, see [`twice`].
pub(crate) struct MarkedJson(pub Json);

/// What is wrong with a value in which a key is marked.
pub(super) fn twice(value: &Json) -> Option<String> {
    let steps = steps_to(value, &|text| text == TWICE)?;
    Some(format!("{} is there twice; rename or remove one of them", named(&steps)))
}

/// Whether a value is the mark.
pub(super) fn is_mark(value: &Json) -> bool {
    value.as_str() == Some(TWICE)
}

impl<'de> Deserialize<'de> for MarkedJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(MarkedJson(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields = Map::new();
        while let Some((key, MarkedJson(value))) = entries.next_entry::<String, _>()? {
            match fields.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(mut entry) => {
                    entry.insert(TWICE.into());
                }
            }
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_serde_json() {
        let text =
            r#"{"a": [1, -2, 18446744073709551615, 0.1, 1e300, "é\n", null, true, {}, []], "b": {"a": 1}}"#;
        let MarkedJson(value) = serde_json::from_str(text).unwrap();
        assert_eq!((twice(&value), value), (None, serde_json::from_str(text).unwrap()));
        for text in ["{a: 1}", "[1,]", "{\"a\": tru}", "\"\\ud83d\"", "nan", ""] {
            let error = |error: serde_json::Error| error.to_string();
            let plain = serde_json::from_str::<Json>(text).map_err(error).unwrap_err();
            let marked = serde_json::from_str::<MarkedJson>(text).map(|_| ()).map_err(error);
            assert_eq!(marked, Err(plain), "{text}");
        }
    }

    #[test]
    fn a_repeated_key_is_found_with_its_place() {
        for (text, place) in [
            (r#"{"a": 1, "b": 2, "a": 1}"#, "`a`"),
            (r#"{"a": [{"b": {}, "b": 1}]}"#, "`b` of value 1 of `a`"),
        ] {
            let MarkedJson(value) = serde_json::from_str(text).unwrap();
            let says = format!("{place} is there twice; rename or remove one of them");
            assert_eq!(twice(&value), Some(says));
        }
    }
}
