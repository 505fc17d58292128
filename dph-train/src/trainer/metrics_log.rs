//! `metrics.jsonl`: one line for each training step and one for each validation.
//!
//! ```json
//! {"stage":"dph","step":20,"split":"train","loss":1.31,"accuracy":0.56}
//! ```

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use burn::train::logger::MetricLogger;
use burn::train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};
use serde_json::{Map, Value, json};

use super::tensorboard::EventFile;
use crate::atomic::write_atomically;
use crate::error::TrainError;

/// Removes the lines that an interrupted run wrote after the step from which `stage` continues.
pub(crate) fn truncate(path: &Path, stage: &str, steps_done: usize) -> Result<(), TrainError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(TrainError::io(path, source)),
    };
    let keep = |line: &&str| match serde_json::from_str::<Value>(line) {
        Ok(line) => {
            line["stage"] != stage || line["step"].as_u64().is_some_and(|step| step <= steps_done as u64)
        }
        // The last line of a killed run may be incomplete.
        Err(_) => false,
    };
    let retained: String = text.lines().filter(keep).flat_map(|line| [line, "\n"]).collect();
    if retained != text {
        write_atomically(path, retained.as_bytes())?;
    }
    Ok(())
}

/// Writes the metrics of a stage and provides the validation results of a round.
pub(crate) struct MetricsLog {
    file: File,
    events: EventFile,
    stage: String,
    step: usize,
    names: HashMap<MetricId, String>,
    /// The validation results by round and metric.
    validations: HashMap<(usize, String), f64>,
}

impl MetricsLog {
    /// Opens the file for appending after `steps_done` steps of the stage.
    pub fn open(path: &Path, stage: &str, steps_done: usize) -> Result<Self, TrainError> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            file: file.map_err(|source| TrainError::io(path, source))?,
            events: EventFile::create(path)?,
            stage: stage.into(),
            step: steps_done,
            names: HashMap::new(),
            validations: HashMap::new(),
        })
    }

    fn line(&mut self, split: &Split, values: Vec<(String, f64)>) {
        let mut line = Map::new();
        line.insert("stage".into(), json!(self.stage));
        line.insert("step".into(), json!(self.step));
        line.insert("split".into(), json!(split.to_string()));
        line.extend(values.into_iter().map(|(name, value)| (name, json!(value))));
        // A write error must not stop the training. A full disk is reported when the checkpoint is written.
        let line = Value::Object(line);
        let _ = writeln!(self.file, "{line}");
        let _ = self.events.append(&line);
    }
}

impl MetricLogger for MetricsLog {
    /// burn calls this for each step or batch, and once with the final values of the round.
    fn log(&mut self, update: MetricsUpdate, round: usize, split: &Split) {
        let (mut values, mut finals) = (Vec::new(), Vec::new());
        for update in update.entries_numeric {
            let Some(name) = self.names.get(&update.entry.metric_id).cloned() else { continue };
            match update.numeric_entry {
                // The mean over zero batches is NaN: there is no validation.
                Some(NumericEntry::Final(value)) if value.is_nan() => {}
                Some(NumericEntry::Final(value)) => finals.push((name, value)),
                Some(entry) => values.push((name, entry.current())),
                None => {}
            }
        }
        match split {
            Split::Train if !values.is_empty() => {
                self.step += 1;
                self.line(split, values);
            }
            Split::Valid if !finals.is_empty() => {
                self.validations.extend(finals.iter().map(|(name, value)| ((round, name.clone()), *value)));
                self.line(split, finals);
            }
            _ => {}
        }
    }

    fn read_numeric(&mut self, name: &str, round: usize, split: &Split) -> Result<Vec<NumericEntry>, String> {
        let validation = self.validations.get(&(round, name.to_string())).filter(|_| *split == Split::Valid);
        Ok(validation.map(|&value| NumericEntry::Final(value)).into_iter().collect())
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name.to_string());
    }

    fn log_epoch_summary(&mut self, _summary: EpochSummary) {}
}
