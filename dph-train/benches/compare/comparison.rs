//! [`Comparison`]: every side does every job in turn; numbers are compared before times are.

use std::error::Error;
use std::path::Path;

use dph_eval::Model;

use crate::generation::AGREED;
use crate::job::{Job, Work};
use crate::other_side::OtherSide;
use crate::ours::{self, Outcome};
use crate::table::Table;

/// Largest difference between the log-likelihood sums of the two sides, in nats.
const LOGLIK_TOLERANCE: f64 = 1e-2;
/// Largest difference between the weights of the two trained heads, as a share of how far training moved any.
const HEAD_TOLERANCE: f64 = 1e-2;
/// Largest difference between the two losses of a training step.
const LOSS_TOLERANCE: f64 = 1e-3;
/// Candidate sets that are scored before anything is measured.
const WARM_UP: usize = 4;

/// Our side on one device.
pub struct OurModel {
    /// The name of the device.
    pub device: String,
    pub model: Model,
}

/// The measurements so far.
pub struct Comparison<'a> {
    models: Vec<OurModel>,
    others: Vec<OtherSide>,
    /// Where the files of the jobs are.
    work: &'a Path,
    table: Table,
    /// Whether all sides have found the same numbers so far.
    pub all_agree: bool,
}

impl<'a> Comparison<'a> {
    pub fn new(models: Vec<OurModel>, others: Vec<OtherSide>, work: &'a Path) -> Self {
        Self { models, others, work, table: Table::default(), all_agree: true }
    }

    /// Threads, caches and allocators of our side; the others do the same by themselves.
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

    /// Does a job once on every device, and once on every other side that does it.
    pub fn measure(&mut self, job: &Job) -> Result<(), Box<dyn Error>> {
        let mut found = Vec::new();
        for OurModel { device, model } in &self.models {
            let outcome = match &job.work {
                Work::Evaluate(evaluation) => ours::evaluate(model, &evaluation.sets)?,
                Work::Generate(generation) => ours::generate(model, generation)?,
                Work::Train(training) => {
                    // A directory of its own, so that no features are cached in it.
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
            // A side that cannot do a job as it is does a lighter one, and gives no numbers.
            for (device, ours) in found.iter().filter(|_| !outcome.values.is_empty()) {
                self.all_agree &= agrees(job, &format!("{device} and {}", other.name), ours, &outcome);
            }
        }
        Ok(())
    }

    /// What was found, in words.
    pub fn report(&self) -> String {
        let about: String =
            self.others.iter().map(|other| format!("{}: {}\n", other.name, other.about)).collect();
        let verdict = match (self.others.is_empty(), self.all_agree) {
            (true, _) => "Nothing to compare with: only ours was run.".into(),
            (_, true) => "All sides found the same numbers.".into(),
            (_, false) => format!(
                "THE SIDES DISAGREE by more than {LOGLIK_TOLERANCE} in a log-likelihood, {LOSS_TOLERANCE} in a loss or \
                 {HEAD_TOLERANCE} in a head, or in the first {AGREED} tokens of an answer: these times mean nothing."
            ),
        };
        format!("{about}{}{verdict}", self.table)
    }
}

/// Says how far two sides are apart, and whether that is little enough.
fn agrees(job: &Job, sides: &str, ours: &Outcome, other: &Outcome) -> bool {
    let title = &job.title;
    match &job.work {
        Work::Evaluate(_) => {
            let difference = largest_difference(&ours.values, &other.values);
            eprintln!("{title}, {sides}: log-likelihood sums differ by {difference:.1e} at most");
            difference <= LOGLIK_TOLERANCE
        }
        Work::Generate(generation) => {
            let agreeing = generation.agreeing(&ours.values, &other.values);
            let all = agreeing.iter().filter(|&&tokens| tokens == generation.tokens).count();
            eprintln!(
                "{title}, {sides}: {all} answers are the same to the end, the others for {:?} tokens",
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
                "{title}, {sides}: losses differ by {losses:.1e} at most, weights of the head by {share:.1e} of the \
                 largest movement"
            );
            losses <= LOSS_TOLERANCE && share <= HEAD_TOLERANCE
        }
    }
}

/// Infinite where one of them is not a number, or there are not as many.
fn largest_difference(ours: &[f64], other: &[f64]) -> f64 {
    if ours.len() != other.len() {
        return f64::INFINITY;
    }
    let differences = ours.iter().zip(other).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |most, next| if next.is_nan() { f64::INFINITY } else { most.max(next) })
}
