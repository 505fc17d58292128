//! The table of medians.

use std::fmt;

use crate::job::Job;

/// The times of all rounds, by job and side.
#[derive(Default)]
pub struct Table {
    jobs: Vec<Times>,
}

/// The times of one job.
struct Times {
    job: String,
    tokens: usize,
    /// The time of every round in seconds, by side, with our devices first.
    sides: Vec<(String, Vec<f64>)>,
}

impl Table {
    /// Adds the time of one side in a round.
    pub fn add(&mut self, job: &Job, side: &str, seconds: f64) {
        let place = self.jobs.iter().position(|times| times.job == job.title).unwrap_or_else(|| {
            self.jobs.push(Times { job: job.title.clone(), tokens: job.tokens, sides: Vec::new() });
            self.jobs.len() - 1
        });
        let sides = &mut self.jobs[place].sides;
        match sides.iter_mut().find(|(name, _)| name == side) {
            Some((_, rounds)) => rounds.push(seconds),
            None => sides.push((side.into(), vec![seconds])),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<38} {:<14} {:>10} {:>10} {:>7}   its time over the others'",
            "job", "side", "seconds", "tokens/s", "rounds"
        )?;
        for Times { job, tokens, sides } in &self.jobs {
            for (side, rounds) in sides {
                let seconds = median(rounds);
                let ratio = |(other, rounds): &(String, Vec<f64>)| {
                    (other != side).then(|| format!("{:.2} {other}", seconds / median(rounds)))
                };
                writeln!(
                    f,
                    "{job:<38} {side:<14} {seconds:>10.2} {:>10.0} {:>7}   {}",
                    *tokens as f64 / seconds,
                    rounds.len(),
                    sides.iter().filter_map(ratio).collect::<Vec<_>>().join(", ")
                )?;
            }
        }
        Ok(())
    }
}

/// The median.
fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}
