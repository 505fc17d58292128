//! [`Strict`]: JSON as the description of the service has it.

use std::fmt::{self, Display};

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// A value that is read by the rules of JSON schema: an object is never a list of its fields, and 2.0 is a whole number. Whole numbers
/// beyond those of a field without a sign are its largest one, so that a limit refuses them.
pub(super) struct Strict(pub Value);

/// What is wrong with a value, in the words of JSON.
#[derive(Debug)]
pub(super) struct Mismatch(String);

/// The number, if it is a whole one.
pub(super) fn whole(value: &Value) -> Option<i128> {
    let number = value.as_number()?;
    let is_whole = |float: &f64| float.fract() == 0.0 && *float != BELOW_64_BITS;
    let float = || number.as_f64().filter(is_whole).map(|float| float as i128);
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).or_else(float)
}

/// The whole numbers just below the smallest of 64 bits are read as this float, which is the smallest one itself.
const BELOW_64_BITS: f64 = i64::MIN as f64;

impl Strict {
    fn no<T>(&self, expected: impl Display) -> Result<T, Mismatch> {
        let found = match &self.0 {
            Value::Null => "null".into(),
            Value::Bool(found) => found.to_string(),
            Value::Number(found) => format!("the number {found}"),
            Value::String(_) => "a string".into(),
            Value::Array(_) => "a list".into(),
            Value::Object(_) => "an object".into(),
        };
        Err(Mismatch(format!("expected {expected}, found {found}")))
    }
}

macro_rules! of_kind {
    ($(($deserialize:ident, $is_kind:ident, $expected:literal)),*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            if self.0.$is_kind() { self.deserialize_any(visitor) } else { self.no($expected) }
        })*
    };
}

macro_rules! whole_numbers {
    ($(($deserialize:ident, $visit:ident, $kind:ty, $expected:literal)),*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            let largest = i128::from(<$kind>::MAX);
            let number = whole(&self.0).map(|number| if <$kind>::MIN == 0 { number.min(largest) } else { number });
            match number.map(<$kind>::try_from) {
                Some(Ok(number)) => visitor.$visit(number),
                _ => self.no($expected),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Strict {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(value) => match (value.as_u64(), value.as_i64(), value.as_f64()) {
                (Some(value), ..) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (.., value) => visitor.visit_f64(value.unwrap_or(f64::NAN)),
            },
            Value::String(value) => visitor.visit_string(value),
            Value::Array(list) => visitor.visit_seq(SeqDeserializer::new(list.into_iter().map(Strict))),
            Value::Object(fields) => visitor
                .visit_map(MapDeserializer::new(fields.into_iter().map(|(key, value)| (key, Strict(value))))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    of_kind![
        (deserialize_bool, is_boolean, "true or false"),
        (deserialize_f64, is_number, "a number"),
        (deserialize_str, is_string, "a string"),
        (deserialize_seq, is_array, "a list"),
        (deserialize_map, is_object, "an object")
    ];

    whole_numbers![
        (deserialize_u32, visit_u32, u32, "a whole number of at least 0"),
        (deserialize_u64, visit_u64, u64, "a whole number of at least 0"),
        (deserialize_i64, visit_i64, i64, "a whole number from -9223372036854775808 to 9223372036854775807")
    ];

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::String(variant) => visitor.visit_enum(variant.into_deserializer()),
            _ => self.no(format_args!("one of {}", variants.join(", "))),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Mismatch> for Strict {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

impl Error for Mismatch {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Side {
        Left,
        Right,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        on: bool,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Outer {
        count: Option<usize>,
        seed: Option<i64>,
        share: Option<f64>,
        inner: Option<Inner>,
        side: Option<Side>,
        any: Option<Value>,
    }

    fn read(value: Value) -> Result<Outer, String> {
        Outer::deserialize(Strict(value)).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_those_of_json_schema() {
        let found =
            read(json!({"count": 161.0, "seed": -0.0, "share": 1, "side": "left", "any": [1, {"a": null}]}))
                .unwrap();
        assert_eq!(
            (found.count, found.seed, found.share, found.side),
            (Some(161), Some(0), Some(1.0), Some(Side::Left))
        );
        assert_eq!(found.any, Some(json!([1, {"a": null}])));
        assert_eq!(read(json!({"count": 1e300})).unwrap().count, Some(usize::MAX));
        let seed = |text: &str| read(serde_json::from_str(&format!(r#"{{"seed": {text}}}"#)).unwrap());
        for text in ["-9223372036854775808", "9223372036854775807"] {
            assert_eq!(seed(text).unwrap().seed, text.parse().ok());
        }
        for text in ["-9223372036854775809", "-9223372036854776832", "9223372036854775808", "-1e19"] {
            assert!(seed(text).unwrap_err().contains("to 9223372036854775807"), "{text}");
        }
        for (value, message) in [
            (json!({"count": 1.5}), "expected a whole number of at least 0, found the number 1.5"),
            (json!({"count": -1}), "expected a whole number of at least 0, found the number -1"),
            (
                json!({"seed": 1e300}),
                "expected a whole number from -9223372036854775808 to 9223372036854775807, found the number 1e+300",
            ),
            (json!({"share": "1"}), "expected a number, found a string"),
            (json!({"inner": [true]}), "expected an object, found a list"),
            (json!({"inner": {"on": 1}}), "expected true or false, found the number 1"),
            (json!({"side": 1}), "expected one of left, right, found the number 1"),
            (json!([1, 2, 0.5, null, null, null]), "expected an object, found a list"),
        ] {
            assert_eq!(read(value).unwrap_err(), message);
        }
        assert!(read(json!({"side": "up"})).unwrap_err().contains("unknown variant `up`"));
    }
}
