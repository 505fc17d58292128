//! A calibration as text.

use dph_core::terminal::numbers::counted;

use crate::calibration::calibrate::{Calibration, ScorerCalibration};
use crate::report::{Bold, Cell, Columns};

impl Calibration {
    /// The figures of each scorer, with the reliability curve and the accuracy by length.
    pub fn to_text(&self) -> String {
        let scorers: Vec<String> = self.scorers.iter().map(ScorerCalibration::to_text).collect();
        let notes = "The probability of a candidate is the softmax of the values of its document; for a pair, the sigmoid of their difference.\n\
                     Bins have about equally many documents. A candidate is good enough if its value reaches the threshold.\n";
        format!("{}\n{notes}", scorers.join("\n"))
    }
}

impl ScorerCalibration {
    fn to_text(&self) -> String {
        let mut text = format!("{} on {}", self.scorer, counted(self.documents, "document"));
        if self.without_value > 0 {
            text.push_str(&format!(" ({} without a finite value left out)", self.without_value));
        }
        text.push('\n');
        if let Some(found) = &self.reliability {
            text.push_str(&format!(
                "accuracy {}, Brier score {:.3}, expected calibration error {}\n",
                percent(found.accuracy),
                found.brier,
                percent(found.ece)
            ));
        }
        text.push_str(&match &self.threshold {
            Some(found) => format!(
                "threshold {:.4}, with a balanced accuracy of {} for {} right and {} wrong candidates\n",
                found.value,
                percent(found.balanced_accuracy),
                found.right,
                found.wrong
            ),
            None => "no threshold: no value separates right and wrong candidates\n".into(),
        });
        let correlation = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.2}"));
        text.push_str(&format!(
            "correlation of value and tokens: {} (Pearson), {} (Spearman)\n\n",
            correlation(self.length_correlation.pearson),
            correlation(self.length_correlation.spearman)
        ));
        let curve = self.reliability.iter().flat_map(|found| &found.curve);
        let curve =
            curve.map(|bin| [percent(bin.confidence), percent(bin.accuracy), bin.documents.to_string()]);
        text.push_str(&table(["confidence", "accuracy", "documents"], curve));
        let lengths = self.lengths.iter().map(|group| {
            let tokens = if group.from == group.to {
                group.from.to_string()
            } else {
                format!("{} to {}", group.from, group.to)
            };
            [tokens, percent(group.accuracy), group.documents.to_string()]
        });
        text.push('\n');
        text + &table(["tokens of the right answer", "accuracy", "documents"], lengths)
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

fn table(heading: [&str; 3], rows: impl Iterator<Item = [String; 3]>) -> String {
    let rows =
        std::iter::once(heading.map(Cell::from).to_vec()).chain(rows.map(|row| row.map(Cell::from).to_vec()));
    Columns { left: 0, rows: rows.collect() }.to_text(Bold::Star)
}
