//! Learning-rate schedules.

use std::f64::consts::PI;
use std::sync::Arc;

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
    /// Number of tokens of the stage, with those of the warm-up, after which the learning rate is at its floor: between the warm-up and
    /// this number, the shape follows the tokens instead of the steps. The tokens of a step are those of its sets without padding: each
    /// prompt once, and the candidates that the step uses. The default is the floor at the last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown_tokens: Option<u64>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { warmup: 0, shape: Shape::Cosine, floor: 0.1, cooldown_tokens: None }
    }
}

impl Schedule {
    /// The learning rate of a step as a share of its peak. The floor is reached at step `end`.
    /// The first update of the weights is step 1, as in the reference implementation.
    pub fn ratio(&self, step: usize, end: f64) -> f64 {
        let warmup = self.warmup as f64;
        self.ratio_between(step, step as f64 - warmup, end - warmup)
    }

    /// The same if the progress after the warm-up is measured in tokens: `tokens[n]` is the number of tokens of the first n steps, and
    /// the floor is reached after `end` tokens.
    pub fn ratio_of_tokens(&self, step: usize, tokens: &[u64], end: u64) -> f64 {
        let after = |step: usize| tokens.get(step).or(tokens.last()).copied().unwrap_or(0) as f64;
        let warmup = after(self.warmup);
        self.ratio_between(step, after(step) - warmup, end as f64 - warmup)
    }

    /// `elapsed` of `span` have passed since the warm-up.
    fn ratio_between(&self, step: usize, elapsed: f64, span: f64) -> f64 {
        if step < self.warmup {
            return step as f64 / self.warmup as f64;
        }
        let progress = if elapsed < span { elapsed / span } else { 1.0 };
        match self.shape {
            Shape::Constant => 1.0,
            Shape::Linear => 1.0 - (1.0 - self.floor) * progress,
            Shape::Cosine => self.floor + (1.0 - self.floor) * (1.0 + (PI * progress).cos()) / 2.0,
        }
    }

    /// The scheduler of a stage with `steps` steps. With [`cooldown_tokens`](Self::cooldown_tokens), `tokens[n]` is the number of tokens
    /// of its first n steps.
    pub fn scheduler(&self, peak: f64, steps: usize, tokens: Option<Arc<[u64]>>) -> StepScheduler {
        StepScheduler { schedule: *self, peak, end: steps as f64, tokens, step: 0 }
    }
}

/// A [`Schedule`] as a scheduler of burn, which calls it once before each update.
#[derive(Debug, Clone)]
pub struct StepScheduler {
    schedule: Schedule,
    peak: f64,
    end: f64,
    tokens: Option<Arc<[u64]>>,
    step: usize,
}

impl LrScheduler for StepScheduler {
    fn step(&mut self) -> f64 {
        self.step += 1;
        let ratio = match (&self.tokens, self.schedule.cooldown_tokens) {
            (Some(tokens), Some(end)) => self.schedule.ratio_of_tokens(self.step, tokens, end),
            _ => self.schedule.ratio(self.step, self.end),
        };
        self.peak * ratio
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
