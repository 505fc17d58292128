//! [`Comparison`]: every side runs every job in turn; results are compared before times.

use std::error::Error;
use std::path::Path;

use dph_eval::Model;

use crate::generation::AGREED;
use crate::job::{Job, Work};
use crate::other_side::OtherSide;
use crate::ours::{self, Outcome};
use crate::table::Table;

/// Maximum difference between the log-likelihood sums of the two sides, in nats.
const LOGLIK_TOLERANCE: f64 = 1e-2;
/// Maximum difference between the weights of the two trained heads, as a share of the largest change of a weight in training.
const HEAD_TOLERANCE: f64 = 1e-2;
/// Maximum difference between the two losses of a training step.
const LOSS_TOLERANCE: f64 = 1e-3;
/// Number of candidate sets that are scored for warm-up.
const WARM_UP: usize = 4;

/// Our side on one device.
pub struct OurModel {
    /// The name of the device.
    pub device: String,
    pub model: Model,
}

/// The jobs, the sides and their measurements.
pub struct Comparison<'a> {
    models: Vec<OurModel>,
    others: Vec<OtherSide>,
    /// The directory of the job files.
    work: &'a Path,
    table: Table,
    /// Whether all sides have the same results so far.
    pub all_agree: bool,
}

impl<'a> Comparison<'a> {
    pub fn new(models: Vec<OurModel>, others: Vec<OtherSide>, work: &'a Path) -> Self {
        Self { models, others, work, table: Table::default(), all_agree: true }
    }

    /// Warms up threads, caches and allocators of our side. The other sides do this themselves.
    pub fn warm_up(&self, jobs: &[Job]) -> Result<(), Box<dyn Error>> {
        for job in jobs {
            for OurModel { model, .. } in &self.models {
                match &job.work {
                    Work::Evaluate(evaluation) => {
                        ours::evaluate(model, &evaluation.sets[..evaluation.sets.len().min(WARM_UP)])?;
                    }
                    Work::Generate(generation) => {
                        ours::generate(model, &generation.beginning())?;
                    }
                    Work::Train(_) => {}
                }
            }
        }
        Ok(())
    }

    /// Runs a job once on every device and once on every other side that supports it.
    pub fn measure(&mut self, job: &Job) -> Result<(), Box<dyn Error>> {
        let mut found = Vec::new();
        for OurModel { device, model } in &self.models {
            let outcome = match &job.work {
                Work::Evaluate(evaluation) => ours::evaluate(model, &evaluation.sets)?,
                Work::Generate(generation) => ours::generate(model, generation)?,
                Work::Train(training) => {
                    // A new directory, so that it contains no cached features.
                    let dir = tempfile::tempdir_in(self.work)?;
                    ours::train(training, &model.backbone.device(), device, dir.path())?
                }
            };
            found.push((device.clone(), outcome));
        }
        let file = self.work.join(job.file());
        for (device, ours) in &found {
            self.table.add(job, device, ours.seconds);
        }
        for other in self.others.iter_mut().filter(|other| other.does(&job.work)) {
            let outcome = other.run(&job.work, &file)?;
            self.table.add(job, other.name, outcome.seconds);
            // A side that does not support the exact job runs a lighter one and returns no results.
            for (device, ours) in found.iter().filter(|_| !outcome.values.is_empty()) {
                self.all_agree &= agrees(job, &format!("{device} and {}", other.name), ours, &outcome);
            }
        }
        Ok(())
    }

    /// A summary of the comparison.
    pub fn report(&self) -> String {
        let about: String =
            self.others.iter().map(|other| format!("{}: {}\n", other.name, other.about)).collect();
        let verdict = match (self.others.is_empty(), self.all_agree) {
            (true, _) => "No comparison: only our side was run.".into(),
            (_, true) => "All sides have the same results.".into(),
            (_, false) => format!(
                "THE SIDES DISAGREE by more than {LOGLIK_TOLERANCE} in a log-likelihood, {LOSS_TOLERANCE} in a loss or \
                 {HEAD_TOLERANCE} in a head, or in the first {AGREED} tokens of an answer: these times are not comparable."
            ),
        };
        format!("{about}{}{verdict}", self.table)
    }
}

/// Prints the difference between two sides and returns whether it is within the tolerance.
fn agrees(job: &Job, sides: &str, ours: &Outcome, other: &Outcome) -> bool {
    let title = &job.title;
    match &job.work {
        Work::Evaluate(_) => {
            let difference = largest_difference(&ours.values, &other.values);
            eprintln!("{title}, {sides}: log-likelihood sums differ by at most {difference:.1e}");
            difference <= LOGLIK_TOLERANCE
        }
        Work::Generate(generation) => {
            let agreeing = generation.agreeing(&ours.values, &other.values);
            let all = agreeing.iter().filter(|&&tokens| tokens == generation.tokens).count();
            eprintln!(
                "{title}, {sides}: {all} answers are equal, the others are equal in the first {:?} tokens",
                agreeing.iter().filter(|&&tokens| tokens < generation.tokens).collect::<Vec<_>>()
            );
            agreeing.iter().all(|&tokens| tokens >= AGREED.min(generation.tokens))
        }
        Work::Train(training) => {
            let steps = ours.values.len().saturating_sub(training.initial.len());
            let losses = largest_difference(&ours.values[..steps], other.values.get(..steps).unwrap_or(&[]));
            let weights = &ours.values[steps..];
            let share = largest_difference(weights, other.values.get(steps..).unwrap_or(&[]))
                / largest_difference(&training.initial, weights);
            eprintln!(
                "{title}, {sides}: losses differ by at most {losses:.1e}, weights of the head by at most {share:.1e} of the \
                largest change"
            );
            losses <= LOSS_TOLERANCE && share <= HEAD_TOLERANCE
        }
    }
}

/// The largest difference; infinite if a value is NaN or if the lengths differ.
fn largest_difference(ours: &[f64], other: &[f64]) -> f64 {
    if ours.len() != other.len() {
        return f64::INFINITY;
    }
    let differences = ours.iter().zip(other).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |most, next| if next.is_nan() { f64::INFINITY } else { most.max(next) })
}
