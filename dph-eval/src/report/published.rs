//! [`published`]: the results that the authors of the method published.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::report::cells::Column;

/// A row of the published tables.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishedRow {
    /// The system.
    pub system: String,
    #[serde(default)]
    gpt4all: BTreeMap<String, f64>,
    #[serde(default)]
    race: BTreeMap<String, f64>,
    #[serde(default)]
    glue: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishedFile {
    row: Vec<PublishedRow>,
}

/// The published rows, see `published.toml`.
pub(super) fn published() -> Vec<PublishedRow> {
    // A test reads the file.
    toml::from_str::<PublishedFile>(include_str!("published.toml")).map(|file| file.row).unwrap_or_default()
}

impl PublishedRow {
    /// Its figure for a column, in per cent.
    pub fn value(&self, column: &Column) -> Option<f64> {
        let names = match column {
            Column::Suite(suite) => vec![suite.clone()],
            Column::Task { split, .. } if split == "train" || split == crate::bench::HELD_OUT => return None,
            Column::Task { task, split, metric } => {
                vec![format!("{task}/{metric}"), format!("{task}/{split}"), task.clone()]
            }
        };
        let tables = [&self.gpt4all, &self.race, &self.glue];
        names.iter().find_map(|name| tables.iter().find_map(|table| table.get(name)).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_means_of_the_authors_follow_from_their_figures() {
        let rows = published();
        assert_eq!(rows.len(), 12);
        let task = |task: &str, split: &str, metric: &str| Column::Task {
            task: task.into(),
            split: split.into(),
            metric: metric.into(),
        };
        for row in rows.iter().filter(|row| !row.gpt4all.is_empty()) {
            let tasks: Vec<f64> =
                row.gpt4all.iter().filter(|(name, _)| *name != "gpt4all").map(|(_, value)| *value).collect();
            let mean = tasks.iter().sum::<f64>() / 7.0;
            let published = row.value(&Column::Suite("gpt4all".into())).unwrap_or(0.0);
            assert!(tasks.len() == 7 && (mean - published).abs() < 0.02, "{row:?}: {mean}");
        }
        let dph = &rows[3];
        assert_eq!(dph.system, "DPH 551M");
        assert_eq!(dph.value(&task("mnli", "validation_mismatched", "accuracy")), Some(80.6));
        assert_eq!(dph.value(&task("mrpc", "validation", "f1")), Some(85.5));
        assert_eq!(dph.value(&task("mrpc", "held-out", "f1")), None);
        assert_eq!(dph.value(&task("world", "test", "accuracy")), None);
    }
}
