//! [`start`]: the thread that computes the requests to a model.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use dph_core::CandidateSet;

use super::generate_job::{Event, GenerateJob};
use super::growing::Growing;
use super::queue::{Queue, Share, Taken};
use super::score_job::{Outcome, ScoreJob, WorkError};
use crate::model::Model;
use crate::score::score;
use crate::scoring::Scoring;
use crate::serve::metrics::{Metric, Metrics};

/// What the thread of a model needs.
pub struct Worker {
    pub name: String,
    pub model: Arc<Model>,
    pub queue: Arc<Queue>,
    pub metrics: Arc<Metrics>,
    pub share: Share,
}

/// Starts the thread of a model. It ends when the queue is closed and all requests are answered.
///
/// # Errors
/// A system that gives no thread.
pub fn start(worker: Worker) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(format!("model {}", worker.name)).spawn(move || worker.run())
}

impl Worker {
    fn run(&self) {
        let mut growing: VecDeque<Growing<'_>> = VecDeque::new();
        loop {
            // Requests for scores do not wait until answers have ended, and new answers join those that grow.
            let share = Share { generations: self.share.generations - growing.len(), ..self.share };
            let Some(Taken { scores, generations }) = self.queue.next(share, growing.is_empty()) else {
                if growing.is_empty() {
                    return;
                }
                self.grow(&mut growing);
                continue;
            };
            if !scores.is_empty() {
                self.answer(scores);
            }
            growing.extend(generations.into_iter().filter_map(|job| self.begin(job)));
            self.grow(&mut growing);
        }
    }

    /// Computes the prompts of a request for answers.
    fn begin(&self, job: GenerateJob) -> Option<Growing<'_>> {
        let tokens = job.prompts.iter().map(Vec::len).sum::<usize>();
        self.metrics.add(Metric::Tokens, &self.labels(), tokens as f64);
        let events = job.events.clone();
        self.guarded(|| Growing::new(&self.model, job)).unwrap_or_else(|panic| {
            let _ = events.send(Event::Done(Err(panic)));
            None
        })
    }

    /// Adds a token to the answers of every request, and answers those that have ended.
    fn grow(&self, all: &mut VecDeque<Growing<'_>>) {
        for _ in 0..all.len() {
            let Some(mut growing) = all.pop_front() else { return };
            if growing.is_abandoned() {
                self.metrics.add(Metric::Abandoned, &self.labels(), 1.0);
                continue;
            }
            let start = Instant::now();
            match self.guarded(|| growing.step()) {
                Ok(Ok(true)) => all.push_back(growing),
                Ok(Ok(false)) => {
                    let (time, tokens) = growing.finish();
                    self.queue.took(1, time);
                    self.metrics.add(Metric::GeneratedTokens, &self.labels(), tokens as f64);
                }
                Ok(Err(error)) => growing.fail(WorkError::Refused(error.to_string())),
                Err(panic) => growing.fail(panic),
            }
            self.metrics.add(Metric::ComputeSeconds, &self.labels(), start.elapsed().as_secs_f64());
        }
    }

    /// Computes some requests together and answers them.
    fn answer(&self, jobs: Vec<ScoreJob>) {
        let labels = &self.labels();
        let taken = jobs.len();
        let mut jobs: Vec<ScoreJob> = jobs.into_iter().filter(|job| !job.reply.is_closed()).collect();
        if jobs.len() < taken {
            self.metrics.add(Metric::Abandoned, labels, (taken - jobs.len()) as f64);
        }
        if jobs.is_empty() {
            return;
        }
        let tokens: usize = jobs.iter().map(|job| job.tokens).sum();
        let start = Instant::now();
        let (sets, owners) = split(&mut jobs);
        let outcomes = self.outcomes(&sets, &owners);
        let time = start.elapsed();
        self.queue.took(jobs.len(), time);
        self.metrics.observe(Metric::BatchRequests, labels, jobs.len() as f64);
        self.metrics.observe(Metric::BatchTokens, labels, tokens as f64);
        self.metrics.add(Metric::Tokens, labels, tokens as f64);
        self.metrics.add(Metric::ComputeSeconds, labels, time.as_secs_f64());
        tracing::debug!(
            model = self.name,
            requests = jobs.len(),
            tokens,
            seconds = time.as_secs_f64(),
            "batch"
        );
        for (ScoreJob { reply, place, .. }, outcome) in jobs.into_iter().zip(outcomes) {
            drop(place);
            // Whoever asked may have left meanwhile.
            let _ = reply.send(outcome);
        }
    }

    /// The scores of each request, whose sets are in these ranges. If they cannot be computed together, each is computed alone, so that
    /// one does not spoil others.
    fn outcomes(&self, sets: &[CandidateSet], owners: &[Range<usize>]) -> Vec<Outcome> {
        match self.scores(sets) {
            Ok(mut scores) => {
                let of_job = |sets: &Range<usize>| Ok(scores.drain(..sets.len()).collect());
                owners.iter().map(of_job).collect()
            }
            Err(error) if owners.len() == 1 => vec![Err(error)],
            Err(_) => owners.iter().map(|owned| self.scores(&sets[owned.clone()])).collect(),
        }
    }

    /// The scores of sets that are computed together.
    fn scores(&self, sets: &[CandidateSet]) -> Outcome {
        let scoring = Scoring {
            token_budget: self.share.tokens,
            log_likelihood: false,
            rewards: true,
            unconditional: false,
        };
        let scores = self.guarded(|| score(&self.model, sets, &scoring, &mut |_| {}))?;
        scores.map_err(|error| WorkError::Refused(error.to_string()))
    }

    /// Runs something that must not end the thread.
    fn guarded<T>(&self, run: impl FnOnce() -> T) -> Result<T, WorkError> {
        catch_unwind(AssertUnwindSafe(run)).map_err(|_| {
            self.metrics.add(Metric::Panics, &self.labels(), 1.0);
            WorkError::Panic
        })
    }

    fn labels(&self) -> [(&'static str, &str); 1] {
        [("model", &self.name)]
    }
}

/// The sets of all jobs, and which of them each job has.
fn split(jobs: &mut [ScoreJob]) -> (Vec<CandidateSet>, Vec<Range<usize>>) {
    let mut all = Vec::new();
    let owners = jobs.iter_mut().map(|job| {
        let first = all.len();
        all.append(&mut job.sets);
        first..all.len()
    });
    let owners = owners.collect();
    (all, owners)
}
