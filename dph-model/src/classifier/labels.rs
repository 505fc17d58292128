//! The classes of a classifier: their names, and their order.

use serde_json::Value;

use crate::family::{CLASSIFIER, keys, label_count};

/// The names of the classes of a model, from the text of its `config.json`; `None` if the model has no classification layer.
/// A class without a name is `LABEL_<index>`. Without `id2label` and `num_labels` there are two classes, as in transformers.
pub fn stored_labels(json: &str) -> Option<Vec<String>> {
    let keys = keys(json).unwrap_or_default();
    let class = keys.get("architectures")?.get(0)?.as_str()?;
    if !class.ends_with(CLASSIFIER) {
        return None;
    }
    let named = keys.get("id2label").and_then(Value::as_object);
    let name = |index: usize| {
        let name = named.and_then(|names| names.get(&index.to_string())).and_then(Value::as_str);
        name.map_or_else(|| format!("LABEL_{index}"), str::to_owned)
    };
    Some((0..label_count(&keys).unwrap_or(2)).map(name).collect())
}

/// For each class of a task, its place among the classes of a model. The names decide if those of the model are those of the task, in any
/// order; case, `-`, `_` and blanks do not count. Otherwise, as with `LABEL_0`, the order of the task is that of the model.
///
/// ```
/// let names = |names: [&str; 3]| names.map(String::from);
/// let task = names(["entailment", "neutral", "contradiction"]);
/// assert_eq!(dph_model::class_order(&task, &names(["CONTRADICTION", "NEUTRAL", "ENTAILMENT"])), [2, 1, 0]);
/// assert_eq!(dph_model::class_order(&task, &names(["LABEL_0", "LABEL_1", "LABEL_2"])), [0, 1, 2]);
/// ```
pub fn class_order(task: &[String], model: &[String]) -> Vec<usize> {
    let places: Option<Vec<usize>> = places(task, model).into_iter().collect();
    places.filter(|_| task.len() == model.len()).unwrap_or_else(|| (0..task.len()).collect())
}

/// How the names of the classes of a task and of a model compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassNames {
    /// The names are the same, in any order.
    Same,
    /// The model has no names of its own, but `LABEL_0` and so on.
    Unnamed,
    /// Some of the names are the same.
    Partly,
    /// No name is the same.
    Other,
}

impl ClassNames {
    /// Compares names as [`class_order`] does.
    pub fn compare(task: &[String], model: &[String]) -> Self {
        let is_default = |(index, name): (usize, &String)| *name == format!("LABEL_{index}");
        match places(task, model).iter().flatten().count() {
            _ if model.iter().enumerate().all(is_default) => Self::Unnamed,
            shared if shared == task.len() && task.len() == model.len() => Self::Same,
            0 => Self::Other,
            _ => Self::Partly,
        }
    }
}

/// For each class of a task, the place of its name among those of a model.
fn places(task: &[String], model: &[String]) -> Vec<Option<usize>> {
    let plain = |name: &String| -> String {
        name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
    };
    let model: Vec<String> = model.iter().map(plain).collect();
    task.iter().map(|name| model.iter().position(|other| *other == plain(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::labelled;
    use serde_json::json;

    #[test]
    fn the_classes_of_a_configuration() {
        let labels = |json: Value| stored_labels(&json.to_string());
        let class = json!(["GPT2ForSequenceClassification"]);
        assert_eq!(labels(json!({ "architectures": ["BertModel"] })), None);
        assert_eq!(labels(json!({})), None);
        assert_eq!(labels(json!({ "architectures": class })).unwrap(), ["LABEL_0", "LABEL_1"]);
        assert_eq!(labels(json!({ "architectures": class, "num_labels": 1 })).unwrap(), ["LABEL_0"]);
        let named = json!({ "architectures": class, "id2label": { "0": "no", "1": "yes", "2": 7 } });
        assert_eq!(labels(named.clone()).unwrap(), ["no", "yes", "LABEL_2"]);
        let Value::Object(keys) = named else { unreachable!() };
        let others = Value::Object(labelled(keys, &["a".into(), "b".into()])).to_string();
        assert_eq!(stored_labels(&others).unwrap(), ["a", "b"]);
    }

    #[test]
    fn names_decide_only_if_all_are_the_same() {
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let task = names(&["not_entailment", "entailment"]);
        assert_eq!(class_order(&task, &names(&["Entailment", "not-entailment"])), [1, 0]);
        assert_eq!(class_order(&task, &names(&["entailment", "neutral"])), [0, 1]);
        for (model, expected) in [
            (["Entailment", "not-entailment"], ClassNames::Same),
            (["entailment", "neutral"], ClassNames::Partly),
            (["no", "yes"], ClassNames::Other),
            (["LABEL_0", "LABEL_1"], ClassNames::Unnamed),
        ] {
            assert_eq!(ClassNames::compare(&task, &names(&model)), expected);
        }
    }
}
