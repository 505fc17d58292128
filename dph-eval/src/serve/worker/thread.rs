//! [`start`]: the thread that computes the requests to a model.

use std::fmt::Display;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dph_core::CandidateSet;
use dph_model::Prompts;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::mpsc::UnboundedSender;

use super::generate_job::{Event, GenerateJob};
use super::growing::Growing;
use super::queue::{Queue, Share, Taken};
use super::score_job::{Outcome, ScoreJob, WorkError};
use crate::generate::{Generation, GenerationError, PrefixCache};
use crate::model::Model;
use crate::pass::Progress;
use crate::score::score_with_turns;
use crate::scoring::Scoring;
use crate::serve::metrics::{Metric, Metrics};

/// What the thread of a model needs.
pub struct Worker {
    pub name: String,
    pub model: Arc<Model>,
    pub queue: Arc<Queue>,
    pub metrics: Arc<Metrics>,
    /// Memory for prompts that later ones may begin with.
    pub prefix_bytes: usize,
    pub share: Share,
}

/// Starts the thread of a model. It ends when the queue is closed and all requests are answered.
///
/// # Errors
/// A system that gives no thread.
pub fn start(worker: Worker) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(format!("model {}", worker.name)).spawn(move || {
        let _pool = pool(&worker.name);
        worker.run();
    })
}

/// A thread pool of which this thread is one. A pass has several parallel parts for each layer, and to hand each to a thread of another
/// pool and wait for it took about a tenth of the time of a small model. Without a pool, the one of the process computes.
fn pool(model: &str) -> Option<ThreadPool> {
    let name = format!("model {model}");
    let builder = ThreadPoolBuilder::new().thread_name(move |_| name.clone()).use_current_thread();
    builder.build().inspect_err(|error| tracing::warn!(%error, "no thread pool of its own")).ok()
}

impl Worker {
    fn run(&self) {
        let mut growing: Vec<Growing<'_>> = Vec::new();
        let mut prefixes = PrefixCache::new(self.prefix_bytes);
        loop {
            // Requests for scores do not wait until answers have ended, and new answers join those that grow.
            let share = self.share_beside(&growing);
            match self.queue.next(share, growing.is_empty()) {
                Some(Taken { scores, generations }) => {
                    self.answer(scores, &mut |batch| self.take_turns(batch, &mut growing, &mut prefixes));
                    growing.extend(self.begin(generations, &mut prefixes));
                }
                None if growing.is_empty() => return,
                None => {}
            }
            self.grow(&mut growing);
        }
    }

    /// Computes what waits between two batches of a long request. Answers grow for as long as the first batch took.
    fn take_turns<'a>(&'a self, batch: Duration, growing: &mut Vec<Growing<'a>>, prefixes: &mut PrefixCache) {
        let start = Instant::now();
        loop {
            let Taken { scores, generations } = self.queue.between(self.share_beside(growing));
            self.answer(scores, &mut |_| ());
            growing.extend(self.begin(generations, prefixes));
            self.grow(growing);
            if growing.is_empty() || start.elapsed() >= batch {
                return;
            }
        }
    }

    /// What may be taken beside requests whose answers grow.
    fn share_beside(&self, growing: &[Growing<'_>]) -> Share {
        let scores = self.share.scores.max(1);
        Share { generations: self.share.generations.saturating_sub(growing.len()), scores, ..self.share }
    }

    /// Computes the prompts of some requests for answers together.
    fn begin(&self, mut jobs: Vec<GenerateJob>, prefixes: &mut PrefixCache) -> Vec<Growing<'_>> {
        let (labels, taken) = (&self.labels(), jobs.len());
        jobs.retain(|job| !job.events.is_closed());
        self.metrics.add(Metric::Abandoned, labels, (taken - jobs.len()) as f64);
        if jobs.is_empty() {
            return Vec::new();
        }
        let before = (prefixes.hits(), prefixes.saved());
        let start = Instant::now();
        let computed = self.prompts(&jobs, prefixes);
        let tokens: usize = jobs.iter().map(GenerateJob::tokens).sum();
        let growing = jobs.into_iter().zip(computed).filter_map(|(job, computed)| {
            let events = job.events.clone();
            self.told(&events, || Growing::new(&self.model, job, computed)).flatten()
        });
        let growing = growing.collect();
        self.metrics.add(Metric::Tokens, labels, tokens as f64);
        self.metrics.add(Metric::ComputeSeconds, labels, start.elapsed().as_secs_f64());
        self.metrics.add(Metric::PrefixHits, labels, (prefixes.hits() - before.0) as f64);
        self.metrics.add(Metric::PrefixTokens, labels, (prefixes.saved() - before.1) as f64);
        self.metrics.set(Metric::PrefixBytes, labels, prefixes.bytes() as f64);
        growing
    }

    /// The computed prompts of each request. If they cannot be computed together, each is computed alone, so that one does not spoil
    /// others.
    fn prompts(
        &self,
        jobs: &[GenerateJob],
        prefixes: &mut PrefixCache,
    ) -> Vec<Result<Prompts<'_>, WorkError>> {
        let prompts: Vec<&[Vec<u32>]> = jobs.iter().map(|job| &job.prompts[..]).collect();
        match self.tried(|| Generation::prompts(&self.model, &prompts, prefixes)) {
            Ok(all) => all.into_iter().map(Ok).collect(),
            Err(error) if jobs.len() == 1 => vec![Err(error)],
            Err(_) => jobs.iter().flat_map(|job| self.prompts(slice::from_ref(job), prefixes)).collect(),
        }
    }

    /// Adds a token to the answers of all requests, in one pass over the model, and answers those that have ended.
    fn grow(&self, all: &mut Vec<Growing<'_>>) {
        let labels = &self.labels();
        let (left, wanted): (Vec<_>, Vec<_>) =
            all.drain(..).partition(|growing| growing.events().is_closed());
        let generated: usize = left.iter().map(Growing::generated).sum();
        self.metrics.add(Metric::Abandoned, labels, left.len() as f64);
        self.metrics.add(Metric::GeneratedTokens, labels, generated as f64);
        drop(left);
        let start = Instant::now();
        let draw = |growing| self.unless_it_fails(growing, Growing::draw);
        let mut drawn: Vec<Growing<'_>> =
            wanted.into_iter().filter_map(draw).map(|(growing, ())| growing).collect();
        if drawn.is_empty() {
            return;
        }
        let requests = drawn.len();
        self.metrics.observe(Metric::PassRequests, labels, requests as f64);
        match self.tried(|| Growing::compute(&mut drawn)) {
            Err(error) => drawn.into_iter().for_each(|growing| growing.fail(error.clone())),
            Ok(computed) => {
                for (growing, computed) in drawn.into_iter().zip(computed) {
                    match self.unless_it_fails(growing, |growing| growing.take(computed)) {
                        Some((growing, true)) => all.push(growing),
                        Some((growing, false)) => self.finish(growing, requests),
                        None => {}
                    }
                }
            }
        }
        self.metrics.add(Metric::ComputeSeconds, labels, start.elapsed().as_secs_f64());
    }

    /// Does something for a request. If it fails, which is told, the request ends.
    fn unless_it_fails<'a, T>(
        &self,
        mut growing: Growing<'a>,
        run: impl FnOnce(&mut Growing<'a>) -> Result<T, GenerationError>,
    ) -> Option<(Growing<'a>, T)> {
        match self.tried(|| run(&mut growing)) {
            Ok(done) => Some((growing, done)),
            Err(error) => {
                growing.fail(error);
                None
            }
        }
    }

    /// Answers a request whose answers have ended, and which grew beside others.
    fn finish(&self, growing: Growing<'_>, requests: usize) {
        let events = growing.events().clone();
        if let Some((time, tokens)) = self.told(&events, || growing.finish()) {
            self.queue.took(requests, time);
            self.metrics.add(Metric::GeneratedTokens, &self.labels(), tokens as f64);
        }
    }

    /// Computes some requests together and answers them. `between` is called between two batches, with the time of the first of them.
    fn answer(&self, mut jobs: Vec<ScoreJob>, between: &mut dyn FnMut(Duration)) {
        let labels = &self.labels();
        let taken = jobs.len();
        jobs.retain(|job| !job.reply.is_closed());
        self.metrics.add(Metric::Abandoned, labels, (taken - jobs.len()) as f64);
        if jobs.is_empty() {
            return;
        }
        let tokens: usize = jobs.iter().map(|job| job.tokens).sum();
        let start = Instant::now();
        let (sets, owners) = split(&mut jobs);
        let outcomes = self.outcomes(&jobs, &sets, &owners, between);
        let time = start.elapsed();
        self.queue.took(jobs.len(), time);
        self.metrics.observe(Metric::BatchRequests, labels, jobs.len() as f64);
        self.metrics.observe(Metric::BatchTokens, labels, tokens as f64);
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
            if reply.send(outcome).is_err() {
                self.metrics.add(Metric::Abandoned, labels, 1.0);
            }
        }
    }

    /// The scores of each request, whose sets are in these ranges. If they cannot be computed together, each is computed alone, so that
    /// one does not spoil others.
    fn outcomes(
        &self,
        jobs: &[ScoreJob],
        sets: &[CandidateSet],
        owners: &[Range<usize>],
        between: &mut dyn FnMut(Duration),
    ) -> Vec<Outcome> {
        match self.scores(jobs, sets, owners, between) {
            Ok(mut scores) => {
                let of_job = |sets: &Range<usize>| Ok(scores.drain(..sets.len()).collect());
                owners.iter().map(of_job).collect()
            }
            Err(error) if owners.len() == 1 => vec![Err(error)],
            Err(_) => {
                let alone = |(job, owned): (&ScoreJob, &Range<usize>)| {
                    self.scores(
                        slice::from_ref(job),
                        &sets[owned.clone()],
                        slice::from_ref(&(0..owned.len())),
                        between,
                    )
                };
                jobs.iter().zip(owners).map(alone).collect()
            }
        }
    }

    /// The scores of sets that are computed together. Those of requests that nobody waits for any more mean nothing.
    fn scores(
        &self,
        jobs: &[ScoreJob],
        sets: &[CandidateSet],
        owners: &[Range<usize>],
        between: &mut dyn FnMut(Duration),
    ) -> Outcome {
        let scoring = Scoring {
            token_budget: self.share.tokens,
            log_likelihood: false,
            rewards: true,
            unconditional: false,
        };
        let mut begun: Option<Instant> = None;
        let mut wanted = |mut of_batch: &mut dyn Iterator<Item = usize>| {
            if let Some(begun) = begun {
                between(begun.elapsed());
            }
            begun = Some(Instant::now());
            Iterator::any(&mut of_batch, |set| {
                let job = owners.partition_point(|owned| owned.end <= set);
                jobs.get(job).is_some_and(|job| !job.reply.is_closed())
            })
        };
        let mut counted = 0;
        let mut count = |progress: Progress| {
            self.metrics.add(Metric::Tokens, &self.labels(), (progress.tokens_done - counted) as f64);
            counted = progress.tokens_done;
        };
        self.tried(|| score_with_turns(&self.model, sets, &scoring, &mut wanted, &mut count))
    }

    /// Runs something that may fail and must not end the thread.
    fn tried<T, E: Display>(&self, run: impl FnOnce() -> Result<T, E>) -> Result<T, WorkError> {
        self.guarded(run)?.map_err(|error| WorkError::Refused(error.to_string()))
    }

    /// Runs something that must not end the thread. Whoever waits for `events` is told if it panics.
    fn told<T>(&self, events: &UnboundedSender<Event>, run: impl FnOnce() -> T) -> Option<T> {
        let tell = |panic| drop(events.send(Event::Done(Err(panic))));
        self.guarded(run).map_err(tell).ok()
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
