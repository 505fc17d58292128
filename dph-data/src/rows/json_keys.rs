//! JSON whose repeated keys are marked or refused. serde_json keeps the last of them in silence.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value as Json};

use super::json_place::{named, steps_to};

/// The value of a key that an object has twice. No text begins with it.
const TWICE: &str = "\0twice\0";

/// A JSON value in which the keys that are there twice are marked, see [`twice`].
pub(crate) struct MarkedJson(pub Json);

/// A JSON value whose objects have each key once. A second one is an error where its value is.
///
/// ```
/// let found: Result<dph_data::UniqueJson, _> = serde_json::from_str(r#"{"a": {"b": 1, "b": 2}}"#);
/// assert!(found.is_err_and(|error| error.is_data() && error.to_string().contains("a key is there twice")));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UniqueJson(pub Json);

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
        AnyValue { marks: true }.deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for UniqueJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnyValue { marks: false }.deserialize(deserializer).map(Self)
    }
}

/// Reads any value.
#[derive(Clone, Copy)]
struct AnyValue {
    /// Whether a key that is there twice is marked; else it is an error.
    marks: bool,
}

impl<'de> DeserializeSeed<'de> for AnyValue {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

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
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            match fields.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(entries.next_value_seed(self)?);
                }
                Entry::Occupied(mut entry) if self.marks => {
                    entries.next_value_seed(self)?;
                    entry.insert(TWICE.into());
                }
                Entry::Occupied(_) => return entries.next_value_seed(Again),
            }
        }
        Ok(fields.into())
    }
}

/// The value of a key that was there before. The error comes from it, so that its place is that of the key.
struct Again;

impl<'de> DeserializeSeed<'de> for Again {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<Json, D::Error> {
        Err(D::Error::custom("a key is there twice"))
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
        let UniqueJson(unique) = serde_json::from_str(text).unwrap();
        assert_eq!(unique, value);
        assert_eq!((twice(&value), value), (None, serde_json::from_str(text).unwrap()));
        for text in ["{a: 1}", "[1,]", "{\"a\": tru}", "\"\\ud83d\"", "nan", ""] {
            let error = |error: serde_json::Error| error.to_string();
            let plain = serde_json::from_str::<Json>(text).map_err(error).unwrap_err();
            let marked = serde_json::from_str::<MarkedJson>(text).map(|_| ()).map_err(error);
            let unique = serde_json::from_str::<UniqueJson>(text).map(|_| ()).map_err(error);
            assert_eq!((marked, unique), (Err(plain.clone()), Err(plain)), "{text}");
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
            let error = serde_json::from_str::<UniqueJson>(text).unwrap_err();
            assert!(error.is_data() && error.to_string().starts_with("a key is there twice"), "{error}");
        }
    }
}
