//! The table of medians.

use std::fmt;

use crate::job::Job;

/// All rounds, by job and device.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

struct Row {
    job: String,
    device: String,
    tokens: usize,
    rounds: Vec<Round>,
}

/// The seconds of one round.
struct Round {
    ours: f64,
    plain: Option<f64>,
}

impl Table {
    /// Adds a round.
    pub fn add(&mut self, job: &Job, device: &str, ours: f64, plain: Option<f64>) {
        let round = Round { ours, plain };
        match self.rows.iter_mut().find(|row| row.job == job.title && row.device == device) {
            Some(row) => row.rounds.push(round),
            None => self.rows.push(Row {
                job: job.title.clone(),
                device: device.into(),
                tokens: job.tokens,
                rounds: vec![round],
            }),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<36} {:<10} {:>9} {:>10} {:>7} {:>13} {:>16} {:>7}",
            "job", "device", "ours, s", "PyTorch, s", "ratio", "ours, tok/s", "PyTorch, tok/s", "rounds"
        )?;
        for row in &self.rows {
            let ours = median(row.rounds.iter().map(|round| round.ours));
            let plain = row.rounds.iter().map(|round| round.plain).collect::<Option<Vec<_>>>();
            let plain = plain.map(|plain| median(plain.into_iter()));
            let speed = |seconds: f64| row.tokens as f64 / seconds;
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            writeln!(
                f,
                "{:<36} {:<10} {ours:>9.2} {:>10} {:>7} {:>13.0} {:>16} {:>7}",
                row.job,
                row.device,
                or_dash(plain.map(|plain| format!("{plain:.2}"))),
                or_dash(plain.map(|plain| format!("{:.2}", plain / ours))),
                speed(ours),
                or_dash(plain.map(|plain| format!("{:.0}", speed(plain)))),
                row.rounds.len(),
            )?;
        }
        Ok(())
    }
}

/// The middle value, or the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}
