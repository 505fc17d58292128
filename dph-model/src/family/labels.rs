//! The keys of a `config.json` about the classes of a classifier.

use serde_json::{Map, Value, json};

/// How the names of the classes of transformers with a classification layer end.
pub(crate) const CLASSIFIER: &str = "ForSequenceClassification";

/// The class of transformers for an encoder with a classification layer.
pub(crate) const ENCODER_CLASS: &str = "BertForSequenceClassification";

/// The number of labels that the keys of a configuration state: those of `id2label`, or `num_labels`.
pub(crate) fn label_count(keys: &Map<String, Value>) -> Option<usize> {
    let named = keys.get("id2label").and_then(Value::as_object);
    named.map(Map::len).or_else(|| usize::try_from(keys.get("num_labels")?.as_u64()?).ok())
}

/// A configuration with these classes.
pub(crate) fn labelled(mut keys: Map<String, Value>, labels: &[String]) -> Map<String, Value> {
    let named = || labels.iter().enumerate();
    let ids: Map<String, Value> = named().map(|(id, name)| (id.to_string(), json!(name))).collect();
    let by_name: Map<String, Value> = named().map(|(id, name)| (name.clone(), json!(id))).collect();
    keys.insert("id2label".into(), ids.into());
    keys.insert("label2id".into(), by_name.into());
    keys.remove("num_labels");
    keys.remove("problem_type");
    keys
}
