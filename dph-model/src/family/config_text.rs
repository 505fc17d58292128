//! The text of a `config.json`, as programs write it.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::ConfigError;

/// The numbers that Python writes and JSON does not have.
const NOT_JSON: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// A key whose null differs from its absence: without a window, not with the default one.
const NULLABLE: &str = "sliding_window";

/// The keys whose value is an object of settings. serde would also read a list of them.
pub(super) const TABLES: [&str; 2] = ["rope_scaling", "rope_parameters"];

/// The largest whole number below which f64 has every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The text of a `config.json` as JSON: without a byte order mark, and with the numbers that only Python writes (`NaN`, `Infinity`) as texts. So they
/// are an error only if their key is read.
pub fn as_json(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !NOT_JSON.iter().any(|number| text.contains(number)) {
        return Cow::Borrowed(text);
    }
    let (mut json, mut rest, mut in_text) = (String::with_capacity(text.len() + 16), text, false);
    while let Some(next) = rest.chars().next() {
        let number = NOT_JSON.into_iter().find(|number| !in_text && rest.starts_with(number));
        let taken = match (number, next) {
            (Some(number), _) => number.len(),
            (None, '\\') => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            (None, _) => next.len_utf8(),
        };
        in_text ^= next == '"';
        match number {
            Some(number) => json.extend(["\"", number, "\""]),
            None => json.push_str(&rest[..taken]),
        }
        rest = &rest[taken..];
    }
    Cow::Owned(json)
}

/// The keys of the text of a `config.json`.
pub(crate) fn keys(text: &str) -> Result<Map<String, Value>, ConfigError> {
    Ok(serde_json::from_str(&as_json(text))?)
}

/// Reads the keys of a family. A key with the value null counts as absent, and a whole number as an integer, however it is written.
/// Errors name the key.
pub(super) fn read<T: DeserializeOwned>(keys: &Map<String, Value>) -> Result<T, ConfigError> {
    let keys = plain(keys);
    let is_no_object = |key: &&str| keys.get(*key).is_some_and(|value| !value.is_object());
    if let Some(key) = TABLES.into_iter().find(is_no_object) {
        let problem = r#"expected an object, such as {"rope_type": "linear", "factor": 2.0}, or null"#.into();
        return Err(ConfigError::Value { key: key.into(), value: keys[key].to_string(), problem });
    }
    let parse = |keys: Map<String, Value>| serde_json::from_value::<T>(Value::Object(keys));
    parse(keys.clone()).map_err(|error| {
        let problem = error.to_string();
        if problem.starts_with("missing field") {
            return ConfigError::Json { source: error };
        }
        let is_cause = |changed: Map<String, Value>| {
            parse(changed).map_err(|error| error.to_string()).err() != Some(problem.clone())
        };
        match cause(&keys, &is_cause) {
            Some(path) => {
                let value =
                    path.iter().try_fold(Value::Object(keys.clone()), |value, key| value.get(key).cloned());
                let value = value.unwrap_or_default().to_string();
                ConfigError::Value { key: path.join("."), value, problem }
            }
            None => ConfigError::Json { source: error },
        }
    })
}

/// The path of the key without which the error is another one.
fn cause(keys: &Map<String, Value>, is_cause: &dyn Fn(Map<String, Value>) -> bool) -> Option<Vec<String>> {
    let (key, value) = keys.iter().find(|(key, _)| {
        let mut without = keys.clone();
        without.remove(*key);
        is_cause(without)
    })?;
    let inside = value.as_object().and_then(|inner| {
        cause(inner, &|changed| {
            let mut all = keys.clone();
            all.insert(key.clone(), Value::Object(changed));
            is_cause(all)
        })
    });
    Some([vec![key.clone()], inside.unwrap_or_default()].concat())
}

/// The keys without those that are null, and with whole numbers as integers.
fn plain(keys: &Map<String, Value>) -> Map<String, Value> {
    let is_there = |(key, value): &(&String, &Value)| !value.is_null() || *key == NULLABLE;
    keys.iter().filter(is_there).map(|(key, value)| (key.clone(), plain_value(value))).collect()
}

fn plain_value(value: &Value) -> Value {
    match value {
        Value::Object(keys) => Value::Object(plain(keys)),
        Value::Number(number) => {
            match number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < EXACT) {
                Some(whole) => Value::Number(Number::from(whole as i64)),
                None => value.clone(),
            }
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::Family;

    #[test]
    fn numbers_of_python_are_found_outside_texts() {
        for (text, json) in [
            ("{\"a\": 1}", "{\"a\": 1}"),
            ("\u{feff}{}", "{}"),
            (r#"{"a": NaN, "b": [-Infinity, Infinity]}"#, r#"{"a": "NaN", "b": ["-Infinity", "Infinity"]}"#),
            (r#"{"NaN": "a \" NaN", "b": "\\", "c": NaN}"#, r#"{"NaN": "a \" NaN", "b": "\\", "c": "NaN"}"#),
            ("{\"ü\": NaN, \"b\\", "{\"ü\": \"NaN\", \"b\\"),
        ] {
            assert_eq!(as_json(text), json, "{text}");
        }
    }

    #[test]
    fn an_error_names_the_key_and_its_value() {
        let message = |key: &str, value: &str| {
            let config = format!(
                r#"{{"model_type": "qwen2", "vocab_size": 9, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
                    "num_attention_heads": 2, "{key}": {value}}}"#
            );
            Family::parse(&config).unwrap_err().to_string()
        };
        assert!(message("rms_norm_eps", "NaN").starts_with("`rms_norm_eps` = \"NaN\": invalid type: string"));
        assert!(message("rope_theta", "[1]").starts_with("`rope_theta` = [1]: invalid type: sequence"));
        for (table, value) in
            [("rope_parameters", "[]"), ("rope_scaling", r#"["linear"]"#), ("rope_scaling", "2")]
        {
            assert_eq!(
                message(table, value),
                format!(
                    "`{table}` = {value}: expected an object, such as {{\"rope_type\": \"linear\", \"factor\": 2.0}}, or null"
                )
            );
        }
        assert!(message("max_window_layers", "1.5").starts_with("`max_window_layers` = 1.5: invalid type"));
        assert!(
            message("rope_scaling", r#"{"rope_type": "llama3", "factor": "8"}"#)
                .starts_with("`rope_scaling.factor` = \"8\": invalid type: string")
        );
        assert!(message("use_sliding_window", "\"yes\"").starts_with("`use_sliding_window` = \"yes\": "));
    }
}
