//! The rows of a JSON object, in the forms in which pandas and others write tables.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};

use super::json_keys::is_mark;
use super::row::field_names;

/// The names of splits that are recognised in every file.
const SPLITS: [&str; 6] = ["train", "validation", "valid", "val", "dev", "test"];

/// Other names of splits, which are recognised where all fields have names of splits. So is a name with something behind `_` or `-`, as in
/// `train_prefs`.
const OTHER_SPLITS: [&str; 5] = ["training", "development", "eval", "evaluation", "testing"];

const FORMS: &str = "rows are an array of objects ([{…}, {…}]), an object that holds one such array, a table by columns \
                     ({\"a\": […], \"b\": […]}) or splits ({\"train\": [{…}], \"test\": [{…}]})";

/// The message about a value that is neither an array nor an object.
pub(super) const NO_ROWS: &str = "an array of rows is needed: [{…}, {…}]";

/// The rows of a value that is no array; the error says what there is. `split` holds the names for the split that is read.
///
/// | form | known from |
/// |---|---|
/// | an object that holds one array of rows | Alpaca, SQuAD, `to_json(orient="table")` of pandas |
/// | splits: an array of rows or a table by columns for each | |
/// | columns: an array of values for each | `to_dict` of datasets |
/// | columns: an object of values for each, by the number of the row | `to_json()` of pandas |
/// | rows by their number | `to_json(orient="index")` |
/// | `columns`, and rows of values in `data` | `to_json(orient="split")` |
/// | one row, without arrays of objects | |
pub(super) fn rows(value: Json, split: &[String]) -> Result<Vec<Json>, String> {
    let Json::Object(fields) = value else {
        return Err(NO_ROWS.to_owned());
    };
    if let Some((name, _)) = fields.iter().find(|(_, value)| is_mark(value)) {
        return Err(format!("`{name}` is there twice; rename or remove one of them"));
    }
    if let Some(rows) = named_and_valued(&fields) {
        return rows;
    }
    let arrays: Vec<&Vec<Json>> = fields.values().filter_map(Json::as_array).collect();
    let has_objects = |items: &&Vec<Json>| items.iter().any(Json::is_object);
    let is_name = |name: &String| is_in(name, split) || is_split(name, fields.len() > 1);
    let are_names = !fields.is_empty() && fields.keys().all(is_name);
    // Of the columns of a table, none holds objects and others.
    let are_splits = are_names
        && (fields.values().all(is_table)
            || arrays.iter().any(has_objects)
                && fields.values().all(|value| value.is_null() || value.is_array()));
    let is_other_split = !split.is_empty() && are_splits && !fields.keys().any(|name| is_in(name, split));
    // A single split needs no name to be asked for, but of several one may be an array without rows.
    if (fields.len() == 1 && !is_other_split || !are_splits)
        && arrays.len() == 1
        && arrays.iter().all(|items| items.is_empty() || has_objects(items))
    {
        return Ok(fields.into_iter().find_map(|(_, value)| array(value)).unwrap_or_default());
    }
    if are_splits {
        return rows_of_split(fields, split);
    }
    if !arrays.is_empty() && arrays.len() == fields.len() {
        return columns(fields);
    }
    if !fields.is_empty() && fields.values().all(Json::is_object) {
        return numbered(fields);
    }
    if !fields.is_empty() && !arrays.iter().any(has_objects) {
        return Ok(vec![fields.into()]);
    }
    Err(format!("{FORMS}; this is an object with {}", field_names(&fields)))
}

/// The rows of the wanted split.
fn rows_of_split(mut fields: Map<String, Json>, split: &[String]) -> Result<Vec<Json>, String> {
    let mut wanted = split.iter().flat_map(|name| fields.keys().filter(|key| key.eq_ignore_ascii_case(name)));
    let (wanted, other) = (wanted.next().cloned(), wanted.next());
    if let (Some(wanted), Some(other)) = (&wanted, other) {
        return Err(format!("`{wanted}` and `{other}` name the same split; remove one of them"));
    }
    match wanted.and_then(|key| Some((fields.remove(&key)?, key))) {
        Some((Json::Array(rows), _)) => Ok(rows),
        Some((Json::Null, key)) => Err(format!("the split `{key}` is null; write its rows, or leave it out")),
        Some((table, _)) => rows(table, split),
        None => {
            let wanted = if split.is_empty() {
                "no split was named".to_owned()
            } else {
                format!("none is {}", split.join(" or "))
            };
            Err(format!("the file holds the splits {}, but {wanted}", field_names(&fields)))
        }
    }
}

/// Whether a field has the name of a split, or with `any` also another usual name of one.
fn is_split(name: &str, any: bool) -> bool {
    let name = name.to_lowercase();
    let begins = |split: &&str| {
        name.strip_prefix(split).is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-']))
    };
    SPLITS.contains(&&*name) || any && SPLITS.iter().chain(&OTHER_SPLITS).any(begins)
}

/// Whether a value may hold the rows of a split: an array of objects, a table, or null for none.
fn is_table(value: &Json) -> bool {
    match value {
        Json::Array(items) => items.iter().all(Json::is_object),
        Json::Object(columns) => columns.values().all(|column| column.is_array() || column.is_object()),
        other => other.is_null(),
    }
}

fn is_in(name: &str, split: &[String]) -> bool {
    split.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A table by columns.
fn columns(fields: Map<String, Json>) -> Result<Vec<Json>, String> {
    let columns: Vec<(String, Vec<Json>)> =
        fields.into_iter().filter_map(|(name, value)| Some((name, array(value)?))).collect();
    let rows = columns.first().map_or(0, |(_, values)| values.len());
    if columns.iter().any(|(_, values)| values.len() != rows) {
        let lengths: Vec<String> =
            columns.iter().map(|(name, values)| format!("`{name}` {}", values.len())).collect();
        return Err(format!("{FORMS}; these columns have different lengths: {}", lengths.join(", ")));
    }
    let mut table = vec![Map::new(); rows];
    for (name, values) in columns {
        for (row, value) in table.iter_mut().zip(values) {
            row.insert(name.clone(), value);
        }
    }
    Ok(table.into_iter().map(Json::Object).collect())
}

/// Columns of numbered values, or numbered rows.
fn numbered(fields: Map<String, Json>) -> Result<Vec<Json>, String> {
    let is_number = |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let are_columns = fields.values().filter_map(Json::as_object).all(|column| column.keys().all(is_number));
    if !are_columns {
        if fields.keys().all(is_number) {
            return Ok(fields.into_iter().map(|(_, row)| row).collect());
        }
        return Err(format!("{FORMS}; this is an object of the objects {}", field_names(&fields)));
    }
    let mut table: Map<String, Json> = Map::new();
    for (name, column) in fields {
        let Json::Object(column) = column else { continue };
        for (number, value) in column {
            let row = table.entry(number).or_insert_with(|| Map::new().into());
            if let Json::Object(row) = row {
                row.insert(name.clone(), value);
            }
        }
    }
    Ok(table.into_iter().map(|(_, row)| row).collect())
}

/// The rows of an object with the names of the columns and arrays of values.
fn named_and_valued(fields: &Map<String, Json>) -> Option<Result<Vec<Json>, String>> {
    let names: Vec<&str> =
        fields.get("columns")?.as_array()?.iter().map(Json::as_str).collect::<Option<_>>()?;
    let rows = fields.get("data")?.as_array()?.iter().map(|row| {
        let values = row.as_array().filter(|values| values.len() == names.len())?;
        Some(names.iter().map(|name| (*name).to_owned()).zip(values.iter().cloned()).collect())
    });
    let rows = rows.collect::<Option<_>>()?;
    let mut known = HashSet::new();
    Some(match names.iter().find(|name| !known.insert(**name)) {
        Some(name) => Err(format!("two columns have the name `{name}`; rename or remove one of them")),
        None => Ok(rows),
    })
}

fn array(value: Json) -> Option<Vec<Json>> {
    match value {
        Json::Array(items) => Some(items),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_forms_of_one_table() {
        let table = json!([{ "a": 1, "b": "x" }, { "a": 2, "b": null }]);
        let forms = [
            json!({ "rows": table }),
            json!({ "version": "1", "data": table, "about": {} }),
            json!({ "Test": table, "train": [{ "a": 3 }] }),
            json!({ "train": { "a": [3] }, "test": { "a": [1, 2], "b": ["x", null] } }),
            json!({ "a": [1, 2], "b": ["x", null] }),
            json!({ "a": { "0": 1, "1": 2 }, "b": { "0": "x", "1": null } }),
            json!({ "0": { "a": 1, "b": "x" }, "7": { "a": 2, "b": null } }),
            json!({ "columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, null]] }),
        ];
        for form in forms {
            let found = rows(form.clone(), &["test".to_owned()]);
            assert_eq!(found.map(Json::Array), Ok(table.clone()), "{form}");
        }
        // One column, objects in a column, and one row.
        assert_eq!(rows(json!({ "text": ["a", "b"] }), &[]).unwrap().len(), 2);
        assert_eq!(
            rows(json!({ "a": [{ "x": 1 }], "b": [{ "x": 2 }] }), &[]).unwrap(),
            [json!({ "a": { "x": 1 }, "b": { "x": 2 } })]
        );
        assert_eq!(rows(json!({ "a": "x", "b": { "c": 1 }, "d": ["y"] }), &[]).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_table() {
        let error = |value| rows(value, &["dev".to_owned()]).unwrap_err();
        assert!(
            error(json!({ "train": [{ "a": 1 }], "test": [{ "a": 1 }] }))
                .contains("the splits `train`, `test`, but none is dev")
        );
        assert!(error(json!({ "train": [{ "a": 1 }] })).contains("the splits `train`, but none is dev"));
        assert!(rows(json!({ "train": [{ "a": 1 }] }), &[]).is_ok());
        // What this one holds is probably all.
        assert!(rows(json!({ "train_data": [{ "a": 1 }] }), &["dev".to_owned()]).is_ok());
        assert!(
            error(json!({ "train_prefs": [{ "a": 1 }], "Test-prefs": [{ "a": 1 }] }))
                .contains("the splits `train_prefs`, `Test-prefs`, but none is dev")
        );
        assert!(error(json!({ "columns": ["a", "b", "a"], "data": [[1, 2, 3]] })).contains("the name `a`"));
        assert!(error(json!({ "a": [1, 2], "b": [1] })).contains("different lengths: `a` 2, `b` 1"));
        assert!(error(json!({ "a": [{}], "b": [{}], "c": 3 })).contains("an object with `a`, `b`, `c`"));
        assert!(error(json!({ "x": { "a": 1 }, "y": { "a": 2 } })).contains("the objects `x`, `y`"));
        assert!(error(json!({})).contains("no field"));
        assert!(error(json!(3)).contains("an array of rows is needed"));
    }
}
