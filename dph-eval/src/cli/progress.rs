//! [`ProgressLine`]: what is being done, how much of it, how fast, and how long it still takes.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::say;

/// Without a terminal, a line is printed so often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Steps of the bar.
const STEPS: u64 = 1000;

/// A progress bar on stderr or, where that is no terminal, a line now and then.
pub struct ProgressLine {
    bar: Option<ProgressBar>,
    /// When the work at hand began: the first `update`.
    started: Option<Instant>,
    said: Instant,
}

impl ProgressLine {
    /// For work whose output comes at the end.
    pub fn new() -> Self {
        Self::with_bar(io::stderr().is_terminal())
    }

    /// For work whose output comes meanwhile: a bar would stand in its way if both went to the same terminal.
    pub fn beside_output() -> Self {
        Self::with_bar(io::stderr().is_terminal() && !io::stdout().is_terminal())
    }

    fn with_bar(bar: bool) -> Self {
        let bar = bar.then(|| {
            let style = ProgressStyle::with_template("{bar:24} {percent:>3}%  {msg}");
            ProgressBar::new(STEPS).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, started: None, said: Instant::now() }
    }

    /// What is being prepared, before there is a share that is done.
    pub fn prepare(&mut self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => self.line(what),
        }
    }

    /// So many `units` are done, which is such a share of the whole work (0 to 1), where that is known.
    pub fn update(&mut self, what: &str, done: usize, units: &str, share: Option<f64>) {
        let elapsed = self.started.get_or_insert_with(Instant::now).elapsed();
        let text = status(what, done, units, share, elapsed);
        match &self.bar {
            Some(bar) => {
                bar.set_position((share.unwrap_or(0.0) * STEPS as f64) as u64);
                bar.set_message(text);
            }
            None => self.line(&text),
        }
    }

    /// Prints a line for people, without damage to the bar.
    pub fn interrupt(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Starts the clock of the work at hand.
    pub fn start(&mut self) {
        self.started = Some(Instant::now());
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&mut self, text: &str) {
        if self.said.elapsed() >= LINE_EVERY {
            self.said = Instant::now();
            say(text);
        }
    }
}

fn status(what: &str, done: usize, units: &str, share: Option<f64>, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let mut text = format!("{what}: {done} {units}");
    if seconds > 0.0 {
        text.push_str(&format!(", {:.1}/s", done as f64 / seconds));
    }
    if let Some(share) = share {
        text.push_str(&format!(", {:.0} %", 100.0 * share));
        if share > 0.0 && share < 1.0 {
            text.push_str(&format!(", {} left", clock(seconds * (1.0 - share) / share)));
        }
    }
    text
}

fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_how_much_how_fast_and_how_long_still() {
        let after =
            |seconds, share| status("arc_easy/test", 120, "documents", share, Duration::from_secs(seconds));
        assert_eq!(after(60, Some(0.25)), "arc_easy/test: 120 documents, 2.0/s, 25 %, 3:00 left");
        assert_eq!(after(7200, Some(0.5)), "arc_easy/test: 120 documents, 0.0/s, 50 %, 2:00:00 left");
        assert_eq!(after(60, Some(1.0)), "arc_easy/test: 120 documents, 2.0/s, 100 %");
        assert_eq!(after(60, None), "arc_easy/test: 120 documents, 2.0/s");
        assert_eq!(after(0, None), "arc_easy/test: 120 documents");
    }
}
