//! Learning-rate schedules.

use std::f64::consts::PI;

use burn::optim::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The shape of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Half a cosine wave from the peak to the floor.
    #[default]
    Cosine,
    /// A linear decrease from the peak to the floor.
    Linear,
    /// The peak in every step.
    Constant,
}

/// The learning rate of each optimiser step as a share of its peak.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Number of steps in which the learning rate increases linearly from 0 to its peak.
    pub warmup: usize,
    /// The shape after the warm-up: `"cosine"`, `"linear"` or `"constant"`.
    pub shape: Shape,
    /// The final learning rate as a share of the peak.
    pub floor: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { warmup: 0, shape: Shape::Cosine, floor: 0.1 }
    }
}

impl Schedule {
    /// The learning rate of a step as a share of its peak. The floor is reached at step `end`.
    /// The first update of the weights is step 1, as in the reference implementation.
    pub fn ratio(&self, step: usize, end: f64) -> f64 {
        if step < self.warmup {
            return step as f64 / self.warmup as f64;
        }
        let (elapsed, span) = ((step - self.warmup) as f64, end - self.warmup as f64);
        let progress = if elapsed < span { elapsed / span } else { 1.0 };
        match self.shape {
            Shape::Constant => 1.0,
            Shape::Linear => 1.0 - (1.0 - self.floor) * progress,
            Shape::Cosine => self.floor + (1.0 - self.floor) * (1.0 + (PI * progress).cos()) / 2.0,
        }
    }

    /// The scheduler of a stage with `steps` steps.
    pub fn scheduler(&self, peak: f64, steps: usize) -> StepScheduler {
        StepScheduler { schedule: *self, peak, end: steps as f64, step: 0 }
    }
}

/// A [`Schedule`] as a scheduler of burn, which calls it once before each update.
#[derive(Debug, Clone)]
pub struct StepScheduler {
    schedule: Schedule,
    peak: f64,
    end: f64,
    step: usize,
}

impl LrScheduler for StepScheduler {
    fn step(&mut self) -> f64 {
        self.step += 1;
        self.peak * self.schedule.ratio(self.step, self.end)
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar(STEP, self.step as u64)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(step) = record.scalar::<u64>(STEP) {
            self.step = step as usize;
        }
    }
}

const STEP: &str = "step";
