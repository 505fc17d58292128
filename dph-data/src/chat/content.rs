//! [`Content`]: the content of a message.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The content of a message: a text, a list of texts (parts), or nothing. It dereferences to its text, in which the parts
/// stand on lines of their own.
///
/// In JSON it is a string, a list of parts `{"type": "text", "text": "…"}`, or null. A chat template that reads parts sees the
/// list, another one sees the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Content {
    text: String,
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
enum Form {
    #[default]
    Text,
    /// The lengths of the parts in bytes.
    Parts(Vec<usize>),
    Absent,
}

/// Stands between the parts of a content in its text.
const SEPARATOR: &str = "\n";

impl Content {
    /// A list of texts.
    pub fn from_parts<T: AsRef<str>>(parts: &[T]) -> Self {
        let texts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        let lengths = texts.iter().map(|text| text.len()).collect();
        Self { text: texts.join(SEPARATOR), form: Form::Parts(lengths) }
    }

    /// No content, as of a message that only calls tools. A chat template does not see the key `content`.
    pub fn absent() -> Self {
        Self { text: String::new(), form: Form::Absent }
    }

    /// Whether there is no content.
    pub fn is_absent(&self) -> bool {
        self.form == Form::Absent
    }

    /// Whether it is a list of parts.
    pub fn has_parts(&self) -> bool {
        matches!(self.form, Form::Parts(_))
    }

    /// The parts; a text is one part.
    pub fn parts(&self) -> Vec<&str> {
        let Form::Parts(lengths) = &self.form else { return vec![&self.text] };
        let mut start = 0;
        let part = |length: &usize| {
            let part = &self.text[start..start + length];
            start += length + SEPARATOR.len();
            part
        };
        lengths.iter().map(part).collect()
    }

    /// The content with each of its texts changed.
    pub(crate) fn map(&self, mut change: impl FnMut(&str) -> String) -> Self {
        match self.form {
            Form::Text => change(&self.text).into(),
            Form::Parts(_) => Self::from_parts(&self.parts().into_iter().map(change).collect::<Vec<_>>()),
            Form::Absent => Self::absent(),
        }
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }
}

impl Deref for Content {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl<T: Into<String>> From<T> for Content {
    fn from(text: T) -> Self {
        Self { text: text.into(), form: Form::Text }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.form {
            Form::Text => serializer.serialize_str(&self.text),
            Form::Parts(_) => {
                serializer.collect_seq(self.parts().into_iter().map(|text| Part { kind: TEXT, text }))
            }
            Form::Absent => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Json {
            Text(String),
            Parts(Vec<JsonPart>),
            Absent(()),
        }
        #[derive(Deserialize)]
        struct JsonPart {
            #[serde(rename = "type", default)]
            kind: Option<String>,
            #[serde(default)]
            text: Option<String>,
        }
        let expected = "`content` must be text or a list of parts {\"type\": \"text\", \"text\": \"…\"}";
        let json = Json::deserialize(deserializer).map_err(|_| serde::de::Error::custom(expected))?;
        let parts = match json {
            Json::Text(text) => return Ok(text.into()),
            Json::Parts(parts) => parts,
            Json::Absent(()) => return Ok(Self::absent()),
        };
        let texts: Result<Vec<String>, D::Error> = parts
            .into_iter()
            .map(|part| match (part.kind.as_deref(), part.text) {
                (None | Some(TEXT), Some(text)) => Ok(text),
                (Some(kind), _) if kind != TEXT => {
                    let message = format!("a part of type `{kind}` is not supported; {expected}");
                    Err(serde::de::Error::custom(message))
                }
                _ => Err(serde::de::Error::custom(expected)),
            })
            .collect();
        Ok(Self::from_parts(&texts?))
    }
}

/// The type of the parts.
const TEXT: &str = "text";

#[derive(Serialize)]
struct Part<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_a_text_or_parts() {
        for json in
            [r#""a""#, r#"[{"type":"text","text":"a"},{"type":"text","text":""}]"#, "[]", r#""""#, "null"]
        {
            let content: Content = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&content).unwrap(), json);
        }
        let content = Content::from_parts(&["a", "bc"]);
        assert_eq!((&*content, content.parts()), ("a\nbc", vec!["a", "bc"]));
        let error = serde_json::from_str::<Content>(r#"[{"type": "image"}]"#).unwrap_err().to_string();
        assert!(error.contains("type `image` is not supported"), "{error}");
        assert!(serde_json::from_str::<Content>("7").unwrap_err().to_string().contains("must be text"));
    }
}
