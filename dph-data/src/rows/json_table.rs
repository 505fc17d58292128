//! The rows of a JSON object, in the forms in which pandas and others write tables.

use dph_core::terminal::numbers::counted;
use serde_json::{Map, Value as Json};

use super::fit::{Fit, FitOf};
use super::json_forms::{of_columns, of_keyed_columns, of_lists, row_of_columns, row_of_keyed_columns};
use super::json_keys::is_mark;
use super::json_kind::{is_message, json_kind};
use super::problem::RowProblem;
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

/// Rows, or what is wrong with them.
type Rows = Vec<Result<Json, RowProblem>>;

/// The rows of a value that is no array; the error says what there is. `split` holds the names for the split that is read, and `fit` tells
/// how well an object is a row of the task.
///
/// | form | known from |
/// |---|---|
/// | an object that holds one array of rows | Alpaca, SQuAD, `to_json(orient="table")` of pandas |
/// | splits: an array of rows or a table by columns for each | |
/// | columns: an array of values for each | `to_dict` of datasets |
/// | columns: an object of values for each, by the index of the row | `to_json()` of pandas |
/// | rows by their index | `to_json(orient="index")` |
/// | `columns`, and rows of values in `data` | `to_json(orient="split")` |
/// | one row, whose fields may be messages | |
///
/// Where an object may be several of these, it is the one whose rows are best for the task.
pub(super) fn rows(value: Json, split: &[String], fit: Option<FitOf<'_>>) -> Result<Rows, String> {
    let Json::Object(fields) = value else {
        return Err(NO_ROWS.to_owned());
    };
    if let Some((name, _)) = fields.iter().find(|(_, value)| is_mark(value)) {
        return Err(format!("`{name}` is there twice; rename or remove one of them"));
    }
    if let Some(rows) = of_lists(&fields) {
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
    let fit = |row: &Map<String, Json>| fit.map_or(Fit::Lacks, |fit| fit(row));
    // A single split needs no name to be asked for, but of several one may be an array without rows.
    if (fields.len() == 1 && !is_other_split || !are_splits)
        && arrays.len() == 1
        && arrays.iter().all(|items| items.is_empty() || has_objects(items))
    {
        return Ok(held_rows(fields, &fit));
    }
    if are_splits {
        return rows_of_split(fields, split, &fit);
    }
    let (are_arrays, are_objects) = (arrays.len() == fields.len(), fields.values().all(Json::is_object));
    match fields.is_empty() {
        false if are_arrays => columns(fields, &fit),
        false if are_objects => keyed(fields, &fit),
        false => one_row(fields, &fit),
        true => Err(format!("{FORMS}; this is an object with {}", field_names(&fields))),
    }
}

/// The rows in the only array of an object, unless the object is a row.
fn held_rows(fields: Map<String, Json>, fit: FitOf<'_>) -> Rows {
    let objects = fields.values().filter_map(Json::as_array).flatten().filter_map(Json::as_object);
    let (whole, held) = (fit(&fields), Fit::best(objects, fit));
    if whole > held || whole == held && holds_messages(&fields) {
        return vec![Ok(fields.into())];
    }
    fields.into_iter().filter_map(|(_, value)| array(value)).flatten().map(Ok).collect()
}

/// The rows of the wanted split.
fn rows_of_split(mut fields: Map<String, Json>, split: &[String], fit: FitOf<'_>) -> Result<Rows, String> {
    let mut wanted = split.iter().flat_map(|name| fields.keys().filter(|key| key.eq_ignore_ascii_case(name)));
    let (wanted, other) = (wanted.next().cloned(), wanted.next());
    if let (Some(wanted), Some(other)) = (&wanted, other) {
        return Err(format!("`{wanted}` and `{other}` name the same split; remove one of them"));
    }
    match wanted.and_then(|key| Some((fields.remove(&key)?, key))) {
        Some((Json::Array(rows), _)) => Ok(rows.into_iter().map(Ok).collect()),
        Some((Json::Null, key)) => Err(format!("the split `{key}` is null; write its rows, or leave it out")),
        Some((table, _)) => rows(table, split, Some(fit)),
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

/// A table by columns, or one row whose fields are lists.
fn columns(fields: Map<String, Json>, fit: FitOf<'_>) -> Result<Rows, String> {
    let lengths = || fields.values().filter_map(Json::as_array).map(Vec::len);
    let (shortest, longest) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
    let whole = fit(&fields);
    let table = Fit::best(0..shortest, |row| fit(&row_of_columns(&fields, row)));
    if whole > table || whole == table && (shortest < longest || holds_messages(&fields)) {
        return Ok(vec![Ok(fields.into())]);
    }
    if shortest < longest {
        let lengths: Vec<String> =
            fields.keys().zip(lengths()).map(|(name, length)| format!("`{name}` {length}")).collect();
        return Err(format!("{FORMS}; these columns have different lengths: {}", lengths.join(", ")));
    }
    Ok(of_columns(fields).into_iter().map(Ok).collect())
}

/// Columns of values by their index, rows by their index, or one row whose fields are objects.
fn keyed(fields: Map<String, Json>, fit: FitOf<'_>) -> Result<Rows, String> {
    let is_number = |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let objects = || fields.values().filter_map(Json::as_object);
    let first: Vec<&String> = objects().next().into_iter().flat_map(Map::keys).collect();
    let have_same = objects()
        .all(|object| object.len() == first.len() && first.iter().all(|key| object.contains_key(*key)));
    let are_numbered = objects().all(|column| column.keys().all(is_number));
    let (whole, index) = (fit(&fields), Fit::best(objects(), fit));
    let columns = match have_same || are_numbered {
        true => Fit::best(&first, |key| fit(&row_of_keyed_columns(&fields, key))),
        false => Fit::Lacks,
    };
    let holds_message = fields.values().any(is_message);
    if whole > index.max(columns) || holds_message && whole >= index {
        return Ok(vec![Ok(fields.into())]);
    }
    let are_columns = columns > index || columns == index && are_numbered;
    if are_columns {
        return Ok(of_keyed_columns(fields).into_iter().map(Ok).collect());
    }
    if index > columns || fields.keys().all(is_number) {
        return Ok(fields.into_iter().map(|(_, row)| Ok(row)).collect());
    }
    let which = if index == Fit::Lacks { "neither these nor" } else { "both these and" };
    Err(format!(
        "{FORMS}; this is an object of the objects {}, and {which} their columns may be rows of the task; from pandas, write \
         df.to_json(FILE, orient=\"records\", lines=True)",
        field_names(&fields)
    ))
}

/// One row, unless its lists are columns that lack one.
fn one_row(fields: Map<String, Json>, fit: FitOf<'_>) -> Result<Rows, String> {
    let whole = fit(&fields);
    let mut lists = fields.iter().filter_map(|(name, value)| Some((name, value.as_array()?)));
    if let Some((column, values)) = lists.next()
        && lists.all(|(_, others)| others.len() == values.len())
        && Fit::best(0..values.len(), |row| fit(&row_of_columns(&fields, row))) > whole
        && let Some((name, other)) = fields.iter().find(|(_, value)| !value.is_array())
    {
        return Err(format!(
            "this is a table by columns, but the field `{name}` is {}; it must be a list of {}, as `{column}` is",
            json_kind(other),
            counted(values.len(), "value")
        ));
    }
    let has_objects = fields.values().filter_map(Json::as_array).flatten().any(Json::is_object);
    if whole > Fit::Lacks || !has_objects || holds_messages(&fields) {
        return Ok(vec![Ok(fields.into())]);
    }
    Err(format!("{FORMS}; this is an object with {}", field_names(&fields)))
}

/// Whether a field is a conversation.
fn holds_messages(fields: &Map<String, Json>) -> bool {
    fields.values().filter_map(Json::as_array).any(|items| !items.is_empty() && items.iter().all(is_message))
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

    fn rows(value: Json, split: &[String]) -> Result<Vec<Json>, String> {
        super::rows(value, split, None).map(|rows| rows.into_iter().map(Result::unwrap).collect())
    }

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
        assert!(rows(json!({ "a": [1, 2], "b": [1] }), &[]).is_ok_and(|rows| rows.len() == 1));
        assert!(error(json!({ "a": [{}], "b": [{}], "c": 3 })).contains("an object with `a`, `b`, `c`"));
        assert!(error(json!({ "x": { "a": 1 }, "y": { "a": 2 } })).contains("the objects `x`, `y`"));
        assert!(error(json!({})).contains("no field"));
        assert!(error(json!(3)).contains("an array of rows is needed"));
    }
}
