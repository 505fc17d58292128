//! [`Progress`]: how much of a pass is done.

use crate::pass::row::PassRow;

/// How far a pass has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Sets that are done.
    pub done: usize,
    /// All sets.
    pub total: usize,
    /// Tokens of the batches that are done, see [`Pass::tokens`](crate::Pass::tokens). The remaining time is estimated from these.
    pub tokens_done: usize,
    /// Tokens of all batches.
    pub tokens_total: usize,
}

/// Counts what is done. A set is done when all of its rows are.
pub(crate) struct ProgressCounter {
    rows_left: Vec<usize>,
    progress: Progress,
}

impl ProgressCounter {
    /// `tokens` are all tokens of the rows.
    pub fn new(rows: &[PassRow<'_>], tokens: usize) -> Self {
        let mut rows_left = vec![0; rows.last().map_or(0, |row| row.owner + 1)];
        for row in rows {
            rows_left[row.owner] += 1;
        }
        let progress = Progress { total: rows_left.len(), tokens_total: tokens, ..Progress::default() };
        Self { rows_left, progress }
    }

    /// Counts the rows of a batch, which has this number of tokens, as done.
    pub fn add<'a, 'b: 'a>(
        &mut self,
        rows: impl Iterator<Item = &'a PassRow<'b>>,
        tokens: usize,
    ) -> Progress {
        for row in rows {
            self.rows_left[row.owner] -= 1;
            self.progress.done += usize::from(self.rows_left[row.owner] == 0);
        }
        self.progress.tokens_done += tokens;
        self.progress
    }
}
