//! [`Queue`]: the requests that wait for a model.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::generate_job::GenerateJob;
use super::score_job::ScoreJob;

/// Requests that wait for a model, in their order. Places are limited by the permits that jobs hold, not here.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    scores: VecDeque<ScoreJob>,
    generations: VecDeque<GenerateJob>,
    is_closed: bool,
    /// Moving average of the time that a request takes.
    seconds_each: f64,
}

/// What is computed next.
#[derive(Default)]
pub struct Taken {
    /// Requests for scores, which are computed together.
    pub scores: Vec<ScoreJob>,
    /// Requests for answers.
    pub generations: Vec<GenerateJob>,
}

/// How much is taken at a time.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// Most tokens of requests for scores, and of the prompts of requests for answers.
    pub tokens: usize,
    /// Most requests for scores.
    pub scores: usize,
    /// Most requests for answers.
    pub generations: usize,
}

/// Weight of the newest batch in the moving average.
const NEWEST: f64 = 0.2;
/// Bounds of the time after which a refused client may try again, in seconds.
const RETRY: (f64, f64) = (1.0, 60.0);

impl Queue {
    /// Adds a request for scores at the end. It is dropped if the queue is closed.
    pub fn push_score(&self, job: ScoreJob) {
        self.push(|state| state.scores.push_back(job));
    }

    /// Adds a request for answers at the end. It is dropped if the queue is closed.
    pub fn push_generation(&self, job: GenerateJob) {
        self.push(|state| state.generations.push_back(job));
    }

    fn push(&self, push: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        if !state.is_closed {
            push(&mut state);
            self.arrived.notify_one();
        }
    }

    /// Takes what is computed next: the first requests for scores and for answers whose tokens fit, at least one if there may be one. With
    /// `waits` it waits until there is something. `None` once the queue is closed and empty.
    pub fn next(&self, share: Share, waits: bool) -> Option<Taken> {
        let mut state = self.lock();
        while state.scores.is_empty() && state.generations.is_empty() {
            if state.is_closed {
                return None;
            }
            if !waits {
                return Some(Taken::default());
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Some(state.take(share))
    }

    /// Takes what is computed between two batches of a request for scores: as [`next`](Self::next), but no request for scores that has
    /// several batches itself.
    pub fn between(&self, share: Share) -> Taken {
        let mut state = self.lock();
        let is_long = state.scores.front().is_some_and(|job| job.tokens > share.tokens);
        state.take(if is_long { Share { scores: 0, ..share } } else { share })
    }

    /// Ends the queue: jobs that wait are still taken, further ones are dropped.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_all();
    }

    /// Notes how long some requests took together.
    pub fn took(&self, requests: usize, time: Duration) {
        let each = time.as_secs_f64() / requests.max(1) as f64;
        let mut state = self.lock();
        state.seconds_each = match state.seconds_each {
            0.0 => each,
            before => before + NEWEST * (each - before),
        };
    }

    /// After how many seconds a client may try again that found `waiting` requests before it.
    pub fn retry_after(&self, waiting: usize) -> u64 {
        self.seconds(waiting).clamp(RETRY.0, RETRY.1).ceil() as u64
    }

    /// Whether `waiting` requests may take longer than this, going by the last ones.
    pub fn exceeds(&self, waiting: usize, time: Duration) -> bool {
        self.seconds(waiting) > time.as_secs_f64()
    }

    fn seconds(&self, waiting: usize) -> f64 {
        self.lock().seconds_each * waiting as f64
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, share: Share) -> Taken {
        Taken {
            scores: first(&mut self.scores, |job| job.tokens, share.tokens, share.scores),
            generations: first(&mut self.generations, GenerateJob::tokens, share.tokens, share.generations),
        }
    }
}

/// Takes the first jobs, at most `count`, whose tokens fit together; a single one always fits.
fn first<T>(jobs: &mut VecDeque<T>, tokens_of: impl Fn(&T) -> usize, tokens: usize, count: usize) -> Vec<T> {
    let mut taken = Vec::new();
    let mut left = tokens;
    while let Some(job) = jobs.front() {
        let tokens = tokens_of(job);
        if taken.len() == count || tokens > left && !taken.is_empty() {
            break;
        }
        left = left.saturating_sub(tokens);
        taken.extend(jobs.pop_front());
    }
    taken
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc::unbounded_channel;
    use tokio::sync::{Semaphore, oneshot};

    use crate::generate::BestOf;

    use super::*;

    fn job(tokens: usize) -> ScoreJob {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        ScoreJob { sets: Vec::new(), tokens, reply: oneshot::channel().0, place }
    }

    fn taken(queue: &Queue, tokens: usize, scores: usize) -> Option<Vec<usize>> {
        let taken = queue.next(Share { tokens, scores, generations: 1 }, true)?;
        Some(taken.scores.iter().map(|job| job.tokens).collect())
    }

    #[test]
    fn prompts_that_fit_are_computed_together() {
        let queue = Queue::default();
        for tokens in [3, 4, 9, 1, 1] {
            let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
            let (events, settings) = (unbounded_channel().0, BestOf::default());
            let prompts = vec![vec![0; tokens - 1], vec![0]];
            queue.push_generation(GenerateJob { prompts, settings, streams: false, events, place });
        }
        let taken = |generations| {
            let taken = queue.next(Share { tokens: 8, scores: 1, generations }, false).unwrap();
            taken.generations.iter().map(GenerateJob::tokens).collect::<Vec<_>>()
        };
        assert_eq!(taken(0), [0; 0]);
        assert_eq!(taken(9), [3, 4]);
        assert_eq!(taken(9), [9], "one is always taken");
        assert_eq!(taken(1), [1]);
    }

    #[test]
    fn the_first_jobs_that_fit_are_taken_together() {
        let queue = Queue::default();
        for tokens in [60, 30, 50, 500, 1, 1, 1] {
            queue.push_score(job(tokens));
        }
        assert_eq!(taken(&queue, 100, 9), Some(vec![60, 30]));
        assert_eq!(taken(&queue, 100, 9), Some(vec![50]), "a later one does not overtake");
        assert_eq!(taken(&queue, 100, 9), Some(vec![500]), "one is always taken");
        assert_eq!(taken(&queue, 100, 2), Some(vec![1, 1]));
        queue.close();
        queue.push_score(job(7));
        assert_eq!(taken(&queue, 100, 2), Some(vec![1]));
        assert_eq!(taken(&queue, 100, 2), None);
    }

    #[test]
    fn between_batches_nothing_long_is_taken() {
        let queue = Queue::default();
        let between = |tokens| {
            let taken = queue.between(Share { tokens, scores: 9, generations: 1 });
            taken.scores.iter().map(|job| job.tokens).collect::<Vec<_>>()
        };
        assert_eq!(between(100), [0; 0], "it does not wait");
        for tokens in [60, 30, 500, 1] {
            queue.push_score(job(tokens));
        }
        assert_eq!(between(100), [60, 30]);
        assert_eq!(between(100), [0; 0]);
        assert_eq!(between(500), [500]);
        assert_eq!(between(100), [1]);
    }

    #[test]
    fn a_refused_client_waits_for_those_before_it() {
        let queue = Queue::default();
        assert_eq!(queue.retry_after(64), 1);
        queue.took(2, Duration::from_secs(1));
        assert_eq!(queue.retry_after(10), 5);
        queue.took(1, Duration::from_secs(1));
        assert_eq!(queue.retry_after(10), 6);
        assert_eq!(queue.retry_after(10_000), 60);
        let minute = Duration::from_secs(60);
        assert_eq!([0, 99, 101].map(|waiting| queue.exceeds(waiting, minute)), [false, false, true]);
    }
}
