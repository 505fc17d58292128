//! [`StageProgress`]: progress of a stage or a computation, on stderr.

use burn::train::LearnerSummary;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining,
};
use dph_core::terminal::{Done, Progress};

/// Shows the progress of a stage or a computation: count, speed, remaining time and the latest metrics.
pub struct StageProgress {
    label: String,
    unit: &'static str,
    shown: Progress,
    done: u64,
    total: u64,
    names: Vec<(String, String)>,
    training: Vec<(String, f64)>,
    validation: Vec<(String, f64)>,
    validating: bool,
}

impl StageProgress {
    /// Creates the progress of a task with a label, counted in `unit`.
    pub fn new(label: impl Into<String>, unit: &'static str) -> Self {
        Self {
            label: label.into(),
            unit,
            shown: Progress::new(),
            done: 0,
            total: 0,
            names: Vec::new(),
            training: Vec::new(),
            validation: Vec::new(),
            validating: false,
        }
    }

    /// Starts with `done` of `total` units.
    pub fn begin(&mut self, done: u64, total: u64) {
        (self.done, self.total) = (done, total);
        self.shown.start(done);
    }

    /// Sets the total number of units if it was not known at the beginning.
    pub fn set_total(&mut self, total: u64) {
        self.total = total;
    }

    /// Updates the number of units that are done.
    pub fn advance(&mut self, done: u64) {
        self.done = done;
        self.show(Progress::update);
    }

    /// Finishes and prints a last line with the elapsed time.
    pub fn finish(&mut self) {
        self.show(Progress::finish_with);
    }

    fn show(&mut self, how: impl FnOnce(&mut Progress, &Done<'_>)) {
        let note = self.numbers();
        let done = Done {
            what: &self.label,
            count: self.done,
            total: Some(self.total),
            unit: self.unit,
            share: None,
            note: &note,
        };
        how(&mut self.shown, &done);
    }

    fn numbers(&self) -> String {
        // The other metrics are only in the metrics file.
        let worth_watching =
            |name: &str| !["/loss", "/chosen", "/rejected"].iter().any(|end| name.ends_with(end));
        let list = |values: &[(String, f64)]| -> String {
            let shown = values.iter().filter(|(name, _)| worth_watching(name));
            shown.map(|(name, value)| format!(" {name} {value:.3}")).collect()
        };
        match (self.training.is_empty(), self.validation.is_empty()) {
            (true, _) => String::new(),
            (false, true) => format!(",{}", list(&self.training)),
            (false, false) => format!(",{}, validation{}", list(&self.training), list(&self.validation)),
        }
    }

    fn update(&mut self, state: MetricState, validation: bool) {
        let MetricState::Numeric(entry, Some(number)) = state else { return };
        let Some((_, name)) = self.names.iter().find(|(id, _)| *id == format!("{:?}", entry.metric_id))
        else {
            return;
        };
        // Validation shows the mean over all batches, training shows every step.
        let is_final = matches!(number, NumericEntry::Final(_));
        if is_final != validation || (is_final && number.current().is_nan()) {
            return;
        }
        let values = if validation { &mut self.validation } else { &mut self.training };
        match values.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = number.current(),
            None => values.push((name.clone(), number.current())),
        }
    }
}

impl MetricsRendererTraining for StageProgress {
    fn update_train(&mut self, state: MetricState) {
        self.update(state, false);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.update(state, true);
    }

    fn on_train_end(&mut self, _summary: Option<LearnerSummary>) -> Result<(), Box<dyn std::error::Error>> {
        Ok(())
    }
}

impl TrainingProgressLogger for StageProgress {
    fn start(&mut self, _rounds: usize, _first: usize, _items: Option<usize>, _label: Option<&str>) {}

    fn update_epoch(&mut self, _round: usize) {}

    fn start_split(&mut self, split: &str, items: usize) {
        self.validating = split != "train";
        if !self.validating && self.total == 0 {
            self.begin(0, items as u64);
        }
    }

    fn update_split(&mut self, done: usize) {
        if !self.validating {
            if self.done == 0 {
                // A resumed stage starts in the middle.
                self.begin(done as u64 - 1, self.total);
            }
            self.advance(done as u64);
        }
    }

    fn end_split(&mut self) {}

    fn end(&mut self) {
        self.finish();
    }

    fn log_event_training(&mut self, _event: String) {}
}

impl MetricsRenderer for StageProgress {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names.push((format!("{:?}", definition.metric_id), definition.name.to_string()));
    }
}

// burn requires these traits of every renderer; they are not used here.
impl MetricsRendererEvaluation for StageProgress {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl EvaluationProgressLogger for StageProgress {
    fn start_global_progress(&mut self, _tests: usize) {}

    fn start_test(&mut self, _name: &str, _items: usize) {}

    fn update_test_progress(&mut self, _done: usize) {}

    fn end_test(&mut self) {}

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _event: String) {}
}
