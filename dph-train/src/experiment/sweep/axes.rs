//! Reads `[sweep]`: the swept keys and their values.

use std::ops::Range;

use dph_data::TomlProblem;
use toml_edit::{Array, Document, Item, TableLike, Value};

use super::label::{short_names, value_text};
use super::variants::Axis;

/// The swept keys of an experiment file, given its text, in the order of the file. Empty if there is no `[sweep]`.
pub(crate) fn axes(text: &str) -> Result<Vec<Axis>, Vec<TomlProblem>> {
    // A syntax error is reported when the experiment is parsed.
    let Ok(document) = Document::parse(text) else { return Ok(Vec::new()) };
    let Some(sweep) = document.as_item().get("sweep") else { return Ok(Vec::new()) };
    let Some(table) = sweep.as_table_like() else {
        let message = "`sweep` must be a table of keys with lists of values: \"head.pooling\" = [\"identity\", \"bert\"]";
        return Err(vec![TomlProblem::new(sweep.span().unwrap_or_default(), message)]);
    };
    let mut reader = Reader { text, axes: Vec::new(), problems: Vec::new() };
    reader.table(None, table);
    let Reader { mut axes, problems, .. } = reader;
    let names = short_names(axes.iter().map(|axis| axis.key.as_str()));
    axes.iter_mut().zip(names).for_each(|(axis, name)| axis.name = name);
    match problems.is_empty() {
        true => Ok(axes),
        false => Err(problems),
    }
}

/// Fails with a message if an override sets a swept key.
pub(crate) fn not_swept(given: &str, axes: &[Axis]) -> Result<(), String> {
    let key = given.split('=').next().unwrap_or_default().trim().replace(['"', '\''], "");
    let inside = |axis: &&Axis| {
        key.strip_prefix(&axis.key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match axes.iter().find(inside) {
        Some(Axis { key, .. }) => Err(format!(
            "`{key}` is swept; change its values with --set sweep.{key}=[…], or disable the sweep with --set sweep={{}}"
        )),
        None => Ok(()),
    }
}

struct Reader<'a> {
    text: &'a str,
    axes: Vec<Axis>,
    problems: Vec<TomlProblem>,
}

impl Reader<'_> {
    /// Reads `[sweep]` itself, or the table inside it that an unquoted key such as `head.pooling` creates.
    fn table(&mut self, above: Option<&str>, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let span = table.get_key_value(name).and_then(|(key, _)| key.span()).unwrap_or_default();
            let key = above.map_or_else(|| name.to_string(), |above| format!("{above}.{name}"));
            match item {
                Item::Value(Value::Array(values)) => self.axis(key, span, values),
                _ => match item.as_table_like() {
                    Some(table) => self.table(Some(&key), table),
                    None => self.problem(
                        &span,
                        format!("`{key}` needs a list of values: [{}]", self.slice(item.span())),
                    ),
                },
            }
        }
    }

    fn axis(&mut self, key: String, span: Range<usize>, values: &Array) {
        let parts: Vec<&str> = key.split('.').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return self.problem(&span, format!("`{key}`: a part of the key is empty"));
        }
        if parts[0] == "sweep" {
            return self.problem(&span, "a sweep cannot be swept".into());
        }
        if self.axes.iter().any(|axis| axis.key == key) {
            return self.problem(&span, format!("`{key}` is swept twice"));
        }
        if values.is_empty() {
            return self.problem(&span, format!("the list of values of `{key}` is empty"));
        }
        // A value that is parsed again from its text has no line breaks and comments around it.
        let read = values.iter().map(|value| self.slice(value.span()).parse());
        let values: Vec<Value> = match read.collect() {
            Ok(values) => values,
            Err(error) => {
                let error: toml_edit::TomlError = error;
                return self.problem(&span, format!("`{key}`: {}", error.message()));
            }
        };
        let texts: Vec<String> = values.iter().map(value_text).collect();
        if let Some(twice) = (1..texts.len()).find(|&index| texts[..index].contains(&texts[index])) {
            return self.problem(&span, format!("`{key}` has the value {} twice", texts[twice]));
        }
        self.axes.push(Axis { key, name: String::new(), values, span });
    }

    fn slice(&self, span: Option<Range<usize>>) -> &str {
        span.and_then(|span| self.text.get(span)).unwrap_or_default()
    }

    fn problem(&mut self, span: &Range<usize>, message: String) {
        self.problems.push(TomlProblem::new(span.clone(), message));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let problems = axes(text).unwrap_err();
        assert!(problems.iter().all(|problem| !problem.span.is_empty()));
        problems.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn keys_are_read_in_their_order_quoted_or_not() {
        let text = "x = 1\n[sweep]\nseed = [\n  3, # first\n  1,\n]\n\"stage.dph.steps\" = [5]\nhead.pooling = [\"bert\", { projection = 4 }]\n";
        let axes = axes(text).unwrap();
        let found: Vec<(&str, &str, Vec<String>)> = axes
            .iter()
            .map(|axis| (&*axis.key, &*axis.name, axis.values.iter().map(value_text).collect()))
            .collect();
        let values =
            |values: &[&str]| -> Vec<String> { values.iter().map(|value| value.to_string()).collect() };
        assert_eq!(
            found,
            [
                ("seed", "seed", values(&["3", "1"])),
                ("stage.dph.steps", "steps", values(&["5"])),
                ("head.pooling", "pooling", values(&["bert", "{ projection = 4 }"])),
            ]
        );
        assert_eq!(&text[axes[1].span.clone()], "\"stage.dph.steps\"");
        assert!(super::axes("seed = 1").unwrap().is_empty() && super::axes("[sweep]").unwrap().is_empty());
    }

    #[test]
    fn anything_but_a_list_of_different_values_is_rejected() {
        for (sweep, message) in [
            ("seed = 3", "`seed` needs a list of values: [3]"),
            ("seed = []", "the list of values of `seed` is empty"),
            ("seed = [1, 2, 1]", "`seed` has the value 1 twice"),
            ("head.dropout = [0.1]\n\"head.dropout\" = [0.2]", "`head.dropout` is swept twice"),
            ("\"head..x\" = [1]", "`head..x`: a part of the key is empty"),
            ("\"sweep.x\" = [1]", "a sweep cannot be swept"),
        ] {
            assert_eq!(messages(&format!("[sweep]\n{sweep}\n")), [message]);
        }
        assert!(messages("sweep = 3")[0].starts_with("`sweep` must be a table of keys"));
        assert_eq!(messages("[sweep]\nseed = []\nname = \"x\"\n").len(), 2);
    }

    #[test]
    fn an_override_of_a_swept_key_is_rejected() {
        let axes = axes("[sweep]\nseed = [1, 2]\n\"head.pooling\" = [\"bert\"]").unwrap();
        assert_eq!(not_swept("seeds=1", &axes), Ok(()));
        assert_eq!(not_swept("head.dropout=1", &axes), Ok(()));
        assert_eq!(not_swept("sweep.seed=[3]", &axes), Ok(()));
        let message = not_swept("head.pooling=t5", &axes).unwrap_err();
        assert!(message.starts_with("`head.pooling` is swept; change its values"), "{message}");
        assert!(not_swept("head.pooling.projection=3", &axes).is_err());
    }
}
