//! [`Progress`]: what is being done, how much of it, how fast, and how long it still takes.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

#[cfg(feature = "cli")]
use indicatif::{ProgressBar, ProgressStyle};

use super::numbers::duration;
use super::say::say;

/// How often a line is printed where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How long some work lasts before its speed is said. Over less time it is chance.
const LEAST: Duration = Duration::from_millis(500);
/// Steps of the bar.
#[cfg(feature = "cli")]
const STEPS: u64 = 1000;

/// A progress bar on stderr or, where that is no terminal, a line now and then.
pub struct Progress {
    #[cfg(feature = "cli")]
    bar: Option<ProgressBar>,
    /// The start of the work at hand: the first [`update`](Self::update), if nothing says otherwise.
    start: Option<Start>,
    printed: Instant,
}

/// When some work began.
#[derive(Debug, Clone, Copy)]
struct Start {
    at: Instant,
    /// How much was done by then.
    count: u64,
    /// The share of the whole that was done by then, from 0 to 1.
    share: f64,
}

/// How much of some work is done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Done<'a> {
    /// The work, in words.
    pub what: &'a str,
    /// How much is done.
    pub count: u64,
    /// How much there is, where that is known.
    pub total: Option<u64>,
    /// What is counted.
    pub unit: &'a str,
    /// The share of the whole work that is done, from 0 to 1, where that is known and not the count's share of the total.
    pub share: Option<f64>,
    /// What else to say, such as the latest numbers.
    pub note: &'a str,
}

impl Progress {
    /// For work whose output comes at its end.
    pub fn new() -> Self {
        Self::with_bar(io::stderr().is_terminal())
    }

    /// For work whose output comes meanwhile: a bar would be in its way if both went to the same terminal.
    pub fn beside_output() -> Self {
        Self::with_bar(io::stderr().is_terminal() && !io::stdout().is_terminal())
    }

    #[cfg_attr(not(feature = "cli"), expect(unused_variables, reason = "a bar needs the feature `cli`"))]
    fn with_bar(bar: bool) -> Self {
        Self {
            #[cfg(feature = "cli")]
            bar: bar.then(|| {
                let style = ProgressStyle::with_template("{bar:24} {percent:>3}%  {msg}");
                ProgressBar::new(STEPS).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            }),
            start: None,
            printed: Instant::now(),
        }
    }

    /// Shows what is being prepared, before anything can be counted.
    pub fn prepare(&mut self, what: &str) {
        self.show(what.to_owned(), None);
    }

    /// Starts the clock of the work at hand, of which so much is done already.
    pub fn start(&mut self, done: u64) {
        let at = Instant::now();
        (self.start, self.printed) = (Some(Start { at, count: done, share: 0.0 }), at);
    }

    /// Shows how much is done.
    pub fn update(&mut self, done: &Done<'_>) {
        let text = self.line(done, Instant::now(), false);
        self.show(text, done.share());
    }

    /// Prints a line for people, without damage to the bar.
    pub fn interrupt(&self, text: &str) {
        #[cfg(feature = "cli")]
        if let Some(bar) = &self.bar {
            return bar.suspend(|| say(text));
        }
        say(text);
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        #[cfg(feature = "cli")]
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Takes the bar away and prints a closing line, which says how long the work took.
    pub fn finish_with(&mut self, done: &Done<'_>) {
        self.finish();
        say(&self.line(done, Instant::now(), true));
    }

    /// The line about what is done by now. What was done before the clock started counts for nothing.
    fn line(&mut self, done: &Done<'_>, now: Instant, finished: bool) -> String {
        let (count, share) = (done.count, done.share.unwrap_or(0.0));
        let start = *self.start.get_or_insert(Start { at: now, count, share });
        done.line(start, now.duration_since(start.at), finished)
    }

    fn show(&mut self, text: String, share: Option<f64>) {
        #[cfg(feature = "cli")]
        if let Some(bar) = &self.bar {
            bar.set_position((share.unwrap_or(0.0) * STEPS as f64) as u64);
            return bar.set_message(text);
        }
        if is_due(self.printed.elapsed(), share) {
            self.printed = Instant::now();
            say(&text);
        }
    }
}

/// Whether a line is printed. The end of the work has its own line, or is followed by the output.
fn is_due(since_last: Duration, share: Option<f64>) -> bool {
    since_last >= LINE_EVERY && share.is_none_or(|share| share < 1.0)
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Done<'_> {
    fn share(&self) -> Option<f64> {
        self.share.or_else(|| Some(self.count as f64 / self.total?.max(1) as f64))
    }

    /// All of it in one line, for work that started so long ago.
    fn line(&self, start: Start, elapsed: Duration, finished: bool) -> String {
        let Self { what, count, unit, note, .. } = self;
        let seconds = elapsed.as_secs_f64();
        let total = self.total.map_or(String::new(), |total| format!("/{total}"));
        let mut text = format!("{what}: {count}{total} {unit}");
        let since = count.saturating_sub(start.count);
        let is_measured = elapsed >= LEAST || finished && !elapsed.is_zero();
        if is_measured && since > 0 {
            text += &format!(", {:.1}/s", since as f64 / seconds);
        }
        if let Some(share) = self.share {
            text += &format!(", {:.0} %", 100.0 * share);
        }
        match self.left(start, seconds) {
            _ if finished => text += &format!(", in {}", duration(seconds)),
            Some(left) if is_measured => text += &format!(", {} left", duration(left)),
            _ => {}
        }
        text + note
    }

    /// Seconds that the rest takes, as far as can be told.
    fn left(&self, start: Start, seconds: f64) -> Option<f64> {
        let (done, rest) = match (self.share, self.total) {
            (Some(share), _) => (share - start.share, 1.0 - share),
            (None, Some(total)) => {
                (self.count.saturating_sub(start.count) as f64, total.saturating_sub(self.count) as f64)
            }
            (None, None) => return None,
        };
        (done > 0.0 && rest > 0.0).then(|| seconds * rest / done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(count: u64) -> Start {
        Start { at: Instant::now(), count, share: 0.0 }
    }

    /// Nothing has been counted before the first update, so that says no speed, and a moment says none either.
    #[test]
    fn a_speed_is_measured_over_some_time() {
        let mut progress = Progress::with_bar(false);
        let tokens = |count, share| Done { what: "pass", count, unit: "tokens", share, ..Done::default() };
        let start = Instant::now();
        let mut after = |millis, count, share| {
            progress.line(&tokens(count, share), start + Duration::from_millis(millis), false)
        };
        assert_eq!(after(0, 1000, Some(0.5)), "pass: 1000 tokens, 50 %");
        assert_eq!(after(1, 1100, Some(0.55)), "pass: 1100 tokens, 55 %");
        assert_eq!(after(2000, 1500, Some(0.75)), "pass: 1500 tokens, 250.0/s, 75 %, 2.0 s left");
        assert_eq!(after(2000, 1000, Some(0.5)), "pass: 1000 tokens, 50 %");
        // The whole of short work is a measurement.
        let done = Done { total: Some(6), ..tokens(6, None) };
        assert_eq!(done.line(from(0), LEAST / 2, true), "pass: 6/6 tokens, 24.0/s, in 0.2 s");
    }

    #[test]
    fn a_line_says_what_how_much_how_fast_and_how_long_still() {
        let sets = Done { what: "ranking", count: 120, unit: "sets", ..Done::default() };
        let after = |done: &Done, seconds| done.line(from(0), Duration::from_secs(seconds), false);
        assert_eq!(after(&sets, 0), "ranking: 120 sets");
        assert_eq!(after(&sets, 60), "ranking: 120 sets, 2.0/s");
        let by_share = Done { share: Some(0.25), ..sets };
        assert_eq!(after(&by_share, 60), "ranking: 120 sets, 2.0/s, 25 %, 3:00 min left");
        let all = Done { share: Some(1.0), ..sets };
        assert_eq!(after(&all, 60), "ranking: 120 sets, 2.0/s, 100 %");
        let of_total = Done { total: Some(360), ..sets };
        assert_eq!(after(&of_total, 60), "ranking: 120/360 sets, 2.0/s, 2:00 min left");
    }

    #[test]
    fn the_last_line_is_the_closing_line() {
        assert!(is_due(LINE_EVERY, None) && is_due(LINE_EVERY, Some(0.99)));
        assert!(!is_due(LINE_EVERY / 2, Some(0.5)), "a line now and then");
        assert!(!is_due(10 * LINE_EVERY, Some(1.0)), "the closing line follows");
    }

    #[test]
    fn what_was_done_before_counts_for_nothing() {
        let steps = Done {
            what: "stage",
            count: 60,
            total: Some(120),
            unit: "steps",
            note: ", loss 0.5",
            ..Done::default()
        };
        assert_eq!(
            steps.line(from(40), Duration::from_secs(10), false),
            "stage: 60/120 steps, 2.0/s, 30.0 s left, loss 0.5"
        );
        assert_eq!(
            steps.line(from(40), Duration::from_secs(10), true),
            "stage: 60/120 steps, 2.0/s, in 10.0 s, loss 0.5"
        );
    }
}
