//! Data loaders: the steps of a round for training, fixed batches for validation.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;

/// The training data of a stage, computed from the step. Each call of [`iter`](DataLoader::iter) returns the next round.
pub(crate) struct StepLoader<F> {
    data: Arc<F>,
    steps: usize,
    steps_per_round: usize,
    next_round: Arc<AtomicUsize>,
}

impl<F> StepLoader<F> {
    /// Creates a loader that starts after `rounds_done` rounds.
    pub fn new(data: F, steps: usize, steps_per_round: usize, rounds_done: usize) -> Self {
        Self { data: Arc::new(data), steps, steps_per_round, next_round: Arc::new(rounds_done.into()) }
    }
}

impl<T: Send + 'static, F: Fn(usize) -> T + Send + Sync + 'static> DataLoader<T> for StepLoader<F> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<T> + 'a> {
        let round = self.next_round.fetch_add(1, Ordering::Relaxed);
        let first = round * self.steps_per_round;
        let last = (first + self.steps_per_round).min(self.steps);
        Box::new(Counted {
            items: (first + 1..=last).map(|step| (self.data)(step)),
            done: first,
            total: self.steps,
        })
    }

    fn num_items(&self) -> usize {
        self.steps
    }

    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<T>> {
        // The data are in host memory. A step moves them to the device of its model.
        Arc::new(Self { data: self.data.clone(), next_round: self.next_round.clone(), ..*self })
    }

    fn slice(&self, _start: usize, _end: usize) -> Arc<dyn DataLoader<T>> {
        unimplemented!("a stage runs on one device")
    }
}

/// The batches of every validation.
pub(crate) struct FixedBatches<T> {
    batches: Arc<Vec<T>>,
}

impl<T> FixedBatches<T> {
    pub fn new(batches: Vec<T>) -> Self {
        Self { batches: Arc::new(batches) }
    }
}

impl<T: Clone + Send + Sync + 'static> DataLoader<T> for FixedBatches<T> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<T> + 'a> {
        Box::new(Counted { items: self.batches.iter().cloned(), done: 0, total: self.batches.len() })
    }

    fn num_items(&self) -> usize {
        self.batches.len()
    }

    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<T>> {
        Arc::new(Self { batches: self.batches.clone() })
    }

    fn slice(&self, _start: usize, _end: usize) -> Arc<dyn DataLoader<T>> {
        unimplemented!("a stage runs on one device")
    }
}

struct Counted<I> {
    items: I,
    done: usize,
    total: usize,
}

impl<T, I: Iterator<Item = T>> Iterator for Counted<I> {
    type Item = Result<T, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.items.next()?;
        self.done += 1;
        Some(Ok(item))
    }
}

impl<T, I: Iterator<Item = T>> DataLoaderIterator<T> for Counted<I> {
    fn progress(&self) -> Progress {
        Progress::new(self.done, self.total, Some("steps".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(loader: &dyn DataLoader<usize>) -> Vec<usize> {
        loader.iter().map(|step| step.unwrap()).collect()
    }

    #[test]
    fn rounds_contain_every_step_once_and_resume_after_a_round() {
        let loader = StepLoader::new(|step| step, 7, 3, 0);
        let seen: Vec<_> = (0..3).map(|_| steps(&loader)).collect();
        assert_eq!(seen, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
        assert_eq!(steps(&StepLoader::new(|step| step, 7, 3, 1)), [4, 5, 6]);
        // A copy for a device continues at the round of the original.
        let copy = loader.to_device(&Device::default());
        assert!(steps(copy.as_ref()).is_empty());
    }
}
