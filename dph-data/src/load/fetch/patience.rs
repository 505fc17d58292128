//! [`Patience`]: how often and how long a failure is waited for.

use std::thread;
use std::time::Duration;

use dph_core::terminal::numbers::duration;

use super::error::HubProblem;
use super::event::FetchEvent;

/// Failures in a row after which the work is given up.
const ATTEMPTS: u32 = 5;
/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that a hub may ask for.
const LONGEST: Duration = Duration::from_secs(300);
/// Pauses from this length on are reported.
const REPORTED: Duration = Duration::from_secs(2);

/// Counts failures in a row, and waits after each.
#[derive(Default)]
pub(super) struct Patience {
    failures: u32,
}

impl Patience {
    /// Forgets the failures, since something came.
    pub fn renew(&mut self) {
        self.failures = 0;
    }

    /// Waits after a failure, as long as the hub asks for.
    pub fn wait(
        &mut self,
        problem: String,
        asked: Option<Duration>,
        endpoint: &str,
        notify: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<(), HubProblem> {
        if let Some(asked) = asked.filter(|asked| *asked > LONGEST) {
            return Err(HubProblem::Busy { endpoint: endpoint.to_owned(), seconds: asked.as_secs() });
        }
        self.failures += 1;
        if self.failures >= ATTEMPTS {
            return Err(HubProblem::GaveUp { problem, attempts: self.failures });
        }
        let pause = asked.unwrap_or(FIRST_PAUSE * 2_u32.pow(self.failures - 1));
        if pause >= REPORTED {
            notify(FetchEvent::Note(&format!(
                "{problem}; the next attempt is in {}",
                duration(pause.as_secs_f64())
            )));
        }
        thread::sleep(pause);
        Ok(())
    }
}
