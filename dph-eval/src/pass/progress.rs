//! [`Progress`]: how much of a pass is done.

use crate::pass::row::PassRow;

/// How far a pass has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Sets that are done.
    pub done: usize,
    /// All sets.
    pub total: usize,
    /// Tokens of the rows that are done, each prompt of a row counted once. The remaining time is estimated from these.
    pub tokens_done: usize,
    /// Tokens of all rows.
    pub tokens_total: usize,
}

/// Counts what is done. A set is done when all of its rows are.
pub(crate) struct ProgressCounter {
    rows_left: Vec<usize>,
    progress: Progress,
}

impl ProgressCounter {
    pub fn new(rows: &[PassRow<'_>]) -> Self {
        let mut rows_left = vec![0; rows.last().map_or(0, |row| row.owner + 1)];
        let mut tokens = 0;
        for row in rows {
            rows_left[row.owner] += 1;
            tokens += row.set.packed_len();
        }
        let progress = Progress { total: rows_left.len(), tokens_total: tokens, ..Progress::default() };
        Self { rows_left, progress }
    }

    /// Counts the rows of a batch as done.
    pub fn add<'a, 'b: 'a>(&mut self, rows: impl Iterator<Item = &'a PassRow<'b>>) -> Progress {
        for row in rows {
            self.rows_left[row.owner] -= 1;
            self.progress.done += usize::from(self.rows_left[row.owner] == 0);
            self.progress.tokens_done += row.set.packed_len();
        }
        self.progress
    }
}
