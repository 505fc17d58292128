//! `dph-data list`.

use std::io::Write;

use dph_core::terminal::{Failure, print_table};
use dph_data::Task;
use serde_json::json;

use super::Data;

pub(crate) fn list(data: &Data, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let root = data.directory()?;
    let mut rows = Vec::new();
    let mut values = Vec::new();
    for name in Task::names() {
        let task = Task::find(name)?;
        let splits = task.splits(&root);
        if json {
            values.push(json!({ "task": task.name, "kind": task.kind, "metrics": task.metrics, "splits": splits, "about": task.about }));
        } else {
            let splits = if splits.is_empty() { "-".to_owned() } else { splits.join(" ") };
            rows.push(vec![task.name, task.kind.to_string(), splits, task.about]);
        }
    }
    if json {
        serde_json::to_writer_pretty(&mut *out, &values)?;
        writeln!(out)?;
    } else {
        print_table(out, &["task", "kind", "splits here", "about"], &rows)?;
    }
    Ok(())
}
