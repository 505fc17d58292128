//! [`Metadata`]: the key/value pairs of a GGUF file.

use std::collections::BTreeMap;
use std::ops::Range;

use super::MAKE_ANEW;
use super::cursor::{Cursor, Malformed};

/// Most pairs that are read; files of language models have fewer than a hundred.
const MOST_PAIRS: u64 = 1 << 16;
/// Deepest nesting of arrays.
const DEEPEST: usize = 4;

/// The metadata of a GGUF file. Strings and arrays are stored as positions in the file.
#[derive(Debug)]
pub(crate) struct Metadata(BTreeMap<String, Value>);

#[derive(Debug)]
enum Value {
    Whole(i128),
    Real(f64),
    Truth(bool),
    /// A boolean that is neither 0 nor 1.
    Odd(u8),
    Text(Range<usize>),
    Array {
        kind: u32,
        len: usize,
        bytes: Range<usize>,
    },
}

/// The type ids of the format.
mod kind {
    pub const U8: u32 = 0;
    pub const I8: u32 = 1;
    pub const U16: u32 = 2;
    pub const I16: u32 = 3;
    pub const U32: u32 = 4;
    pub const I32: u32 = 5;
    pub const F32: u32 = 6;
    pub const BOOL: u32 = 7;
    pub const TEXT: u32 = 8;
    pub const ARRAY: u32 = 9;
    pub const U64: u32 = 10;
    pub const I64: u32 = 11;
    pub const F64: u32 = 12;
}

impl Metadata {
    /// Reads `pairs` pairs.
    pub fn read(cursor: &mut Cursor<'_>, pairs: u64) -> Result<Self, Malformed> {
        if pairs > MOST_PAIRS {
            return Err(cursor.malformed(format!("it claims {pairs} keys")));
        }
        let mut values = BTreeMap::new();
        for _ in 0..pairs {
            let key = cursor.text("a key")?.to_string();
            let kind = cursor.u32(&key)?;
            let value = Value::read(cursor, kind, &key)?;
            if values.insert(key.clone(), value).is_some() {
                return Err(Malformed::unusual(format!("the key {key} is there twice"), MAKE_ANEW));
            }
        }
        Ok(Self(values))
    }

    /// An integer. As for all kinds of values, a value of another kind is an error: it would stand for the default of the key.
    pub fn whole(&self, key: &str) -> Result<Option<i128>, Malformed> {
        self.value(key, "a whole number", |value| match value {
            Value::Whole(number) => Some(*number),
            _ => None,
        })
    }

    /// An unsigned integer.
    pub fn count(&self, key: &str) -> Result<Option<usize>, Malformed> {
        let Some(number) = self.whole(key)? else { return Ok(None) };
        let negative = |_| Malformed::damaged(format!("the key {key} is {number}, but must not be negative"));
        usize::try_from(number).map(Some).map_err(negative)
    }

    /// Whether a key has an array.
    pub fn is_array(&self, key: &str) -> bool {
        matches!(self.0.get(key), Some(Value::Array { .. }))
    }

    /// A number, which no key has below 0.
    pub fn number(&self, key: &str) -> Result<Option<f64>, Malformed> {
        self.value(key, "a finite number, and not negative", |value| match value {
            Value::Real(number) => Some(*number).filter(|number| number.is_finite() && *number >= 0.0),
            Value::Whole(number) => Some(*number as f64).filter(|number| *number >= 0.0),
            _ => None,
        })
    }

    /// A boolean.
    pub fn truth(&self, key: &str) -> Result<Option<bool>, Malformed> {
        self.value(key, "a boolean", |value| match value {
            Value::Truth(truth) => Some(*truth),
            _ => None,
        })
    }

    /// A string in the bytes of the file.
    pub fn text<'a>(&self, key: &str, file: &'a [u8]) -> Result<Option<&'a str>, Malformed> {
        self.value(key, "a text in UTF-8", |value| match value {
            Value::Text(place) => std::str::from_utf8(file.get(place.clone())?).ok(),
            _ => None,
        })
    }

    /// An array of strings in the bytes of the file.
    pub fn texts<'a>(&self, key: &str, file: &'a [u8]) -> Result<Option<Vec<&'a str>>, Malformed> {
        self.value(key, "an array of texts in UTF-8", |value| match value {
            Value::Array { kind: kind::TEXT, len, bytes } => {
                let mut cursor = Cursor::new(file.get(bytes.clone())?);
                (0..*len).map(|_| cursor.text(key).ok()).collect()
            }
            _ => None,
        })
    }

    /// An array of numbers in the bytes of the file.
    pub fn numbers(&self, key: &str, file: &[u8]) -> Result<Option<Vec<f64>>, Malformed> {
        self.value(key, "an array of finite numbers", |value| match value {
            Value::Array { kind, len, bytes } => {
                let mut cursor = Cursor::new(file.get(bytes.clone())?);
                let number = |_| match Value::read(&mut cursor, *kind, key).ok()? {
                    Value::Whole(number) => Some(number as f64),
                    Value::Real(number) => Some(number).filter(|number| number.is_finite()),
                    _ => None,
                };
                (0..*len).map(number).collect()
            }
            _ => None,
        })
    }

    /// The value of a key, if there is one, as `read` reads it.
    fn value<'a, T>(
        &'a self,
        key: &str,
        needed: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => {
                let problem = format!("the key {key} is {}, but must be {needed}", value.described());
                Err(Malformed::damaged(problem))
            }
        }
    }
}

impl Value {
    /// The value in words, for messages.
    fn described(&self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::Odd(byte) => format!("a boolean with the byte {byte}, not 0 or 1"),
            Self::Text(place) => format!("a text of {} bytes", place.len()),
            Self::Array { len, .. } => format!("an array of {len}"),
        }
    }

    fn read(cursor: &mut Cursor<'_>, kind: u32, key: &str) -> Result<Self, Malformed> {
        Ok(match kind {
            kind::U8 => Self::Whole(u8::from_le_bytes(cursor.array(key)?).into()),
            kind::I8 => Self::Whole(i8::from_le_bytes(cursor.array(key)?).into()),
            kind::U16 => Self::Whole(u16::from_le_bytes(cursor.array(key)?).into()),
            kind::I16 => Self::Whole(i16::from_le_bytes(cursor.array(key)?).into()),
            kind::U32 => Self::Whole(cursor.u32(key)?.into()),
            kind::I32 => Self::Whole(i32::from_le_bytes(cursor.array(key)?).into()),
            kind::U64 => Self::Whole(cursor.u64(key)?.into()),
            kind::I64 => Self::Whole(i64::from_le_bytes(cursor.array(key)?).into()),
            kind::F32 => Self::Real(shortest(f32::from_le_bytes(cursor.array(key)?))),
            kind::F64 => Self::Real(f64::from_le_bytes(cursor.array(key)?)),
            kind::BOOL => match cursor.array(key)? {
                [0] => Self::Truth(false),
                [1] => Self::Truth(true),
                [byte] => Self::Odd(byte),
            },
            kind::TEXT => Self::Text(cursor.long_bytes(key)?),
            kind::ARRAY => {
                let (kind, len) = (cursor.u32(key)?, cursor.u64(key)?);
                let start = cursor.position();
                skip_items(cursor, kind, len, key, DEEPEST)?;
                // Every item takes at least one byte, so the number of items fits.
                Self::Array { kind, len: len as usize, bytes: start..cursor.position() }
            }
            _ => return Err(cursor.malformed(format!("the value of {key} has the unknown kind {kind}"))),
        })
    }
}

/// The shortest decimal number with the same f32: 1e-5 in f32 is 9.99999974e-6 in f64.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(number.into())
}

fn skip_items(
    cursor: &mut Cursor<'_>,
    kind: u32,
    len: u64,
    key: &str,
    deeper: usize,
) -> Result<(), Malformed> {
    let width: u64 = match kind {
        kind::U8 | kind::I8 | kind::BOOL => 1,
        kind::U16 | kind::I16 => 2,
        kind::U32 | kind::I32 | kind::F32 => 4,
        kind::U64 | kind::I64 | kind::F64 => 8,
        kind::TEXT => {
            for _ in 0..len {
                cursor.long_bytes(key)?;
            }
            return Ok(());
        }
        kind::ARRAY if deeper > 0 => {
            for _ in 0..len {
                let (kind, len) = (cursor.u32(key)?, cursor.u64(key)?);
                skip_items(cursor, kind, len, key, deeper - 1)?;
            }
            return Ok(());
        }
        _ => return Err(cursor.malformed(format!("the array {key} has the unknown kind {kind}"))),
    };
    cursor.skip(len.saturating_mul(width), key)
}
