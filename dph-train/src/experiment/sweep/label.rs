//! Names for swept keys, values and variants.

use toml_edit::Value;

/// Maximum length of a label in bytes; most file systems allow 255 for the name of a directory.
const LABEL_LENGTH: usize = 120;

/// The shortest suffixes of the keys that distinguish them: `pooling` for `head.pooling`.
pub(super) fn short_names<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<String> {
    let keys: Vec<&str> = keys.collect();
    let end = |key: &'a str, parts: usize| {
        let from = key.rmatch_indices('.').nth(parts - 1).map_or(0, |(at, _)| at + 1);
        &key[from..]
    };
    let name = |(index, key): (usize, &&'a str)| {
        let others = || keys.iter().enumerate().filter(|(other, _)| *other != index);
        let parts = key.split('.').count();
        let fits = |&parts: &usize| others().all(|(_, other)| end(other, parts) != end(key, parts));
        end(key, (1..=parts).find(fits).unwrap_or(parts)).to_string()
    };
    keys.iter().enumerate().map(name).collect()
}

/// A value on one line: a string without quotes, anything else as TOML.
pub(crate) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.value().clone(),
        value => value.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// A name of a variant that can be used as the name of a directory: `pooling=bert,form=separable`.
///
/// A name that is too long or already taken ends with a hash of the values.
pub(crate) fn label(names: &[&str], values: &[&Value], taken: impl Fn(&str) -> bool) -> String {
    let texts: Vec<String> = values.iter().map(|value| value_text(value)).collect();
    let parts = names.iter().zip(&texts).map(|(name, text)| format!("{name}={}", directory_name(text)));
    let label = parts.collect::<Vec<_>>().join(",");
    let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= LABEL_LENGTH;
    let cut: String = label.char_indices().take_while(fits).map(|(_, c)| c).collect();
    match cut == label && !taken(&label) {
        true => label,
        false => format!("{cut}-{}", &blake3::hash(texts.join("\n").as_bytes()).to_hex()[..6]),
    }
}

/// A text in which a dash replaces every run of characters that the name of a directory should not contain.
fn directory_name(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    let parts: Vec<&str> = text.split(|c| !plain(c)).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_shortest_distinct_suffixes() {
        let names = |keys: &[&str]| short_names(keys.iter().copied());
        assert_eq!(
            names(&["head.pooling", "stage.dph.objective.dph.form", "seed"]),
            ["pooling", "form", "seed"]
        );
        assert_eq!(
            names(&["stage.sft.optimiser.lr", "stage.dph.optimiser.lr", "head.dropout"]),
            ["sft.optimiser.lr", "dph.optimiser.lr", "dropout"]
        );
        assert_eq!(names(&["eval.seed", "seed"]), ["eval.seed", "seed"]);
    }

    #[test]
    fn labels_are_valid_directory_names() {
        let label_of = |values: &[&str]| {
            let values: Vec<Value> = values.iter().map(|value| value.parse().unwrap()).collect();
            let values: Vec<&Value> = values.iter().collect();
            label(&["pooling", "lr"][..values.len()], &values, |label| label == "pooling=a-b")
        };
        assert_eq!(label_of(&["\"bert\"", "3e-3"]), "pooling=bert,lr=3e-3");
        assert_eq!(label_of(&["-1"]), "pooling=-1");
        assert_eq!(label_of(&["{ projection = 64 }"]), "pooling=projection-64");
        assert_eq!(label_of(&["[16, \"last\"]"]), "pooling=16-last");
        let (slash, dash) = (label_of(&["\"a/b\""]), label_of(&["\"a-b\""]));
        assert!(slash.starts_with("pooling=a-b-") && slash != dash, "{slash} {dash}");
        let long = label_of(&[&format!("\"{}\"", "ä".repeat(300))]);
        assert!(long.len() <= 127 && long.starts_with("pooling=ää"), "{long}");
    }
}
