//! Figures as text: shares in per cent, and perplexities as they are.

use dph_data::TaskMetric;

use crate::report::spread::Spread;

/// How the figures of a metric are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// A share, in per cent.
    Share,
    /// A perplexity.
    Perplexity,
}

impl Figure {
    /// The form of a metric, by its name.
    pub(crate) fn of_metric(name: &str) -> Self {
        match TaskMetric::named(name).is_some_and(TaskMetric::is_of_texts) {
            true => Self::Perplexity,
            false => Self::Share,
        }
    }

    /// A value with its spread. Without one, it is as wide as with one, so that decimal points are aligned.
    pub(crate) fn with_spread(self, value: f64, spread: Option<Spread>) -> String {
        match (self, spread) {
            (Self::Share, None) => format!("{}      ", self.text(value)),
            (Self::Share, Some(spread)) => format!("{} ±{:>4.1}", self.text(value), 100.0 * spread.value()),
            (Self::Perplexity, None) => self.text(value),
            (Self::Perplexity, Some(spread)) => {
                format!("{} ± {:.*}", self.text(value), decimals(value), spread.value())
            }
        }
    }

    /// A value.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Share => format!("{:.1}", 100.0 * value),
            Self::Perplexity => format!("{value:.*}", decimals(value)),
        }
    }

    /// A difference from `from`, with its sign.
    pub(crate) fn signed(self, difference: f64, from: f64) -> String {
        match self {
            Self::Share => format!("{:+.1}", 100.0 * difference),
            Self::Perplexity => format!("{difference:+.*}", decimals(from)),
        }
    }
}

/// Decimals of a perplexity: four significant digits, but at most three decimals.
fn decimals(value: f64) -> usize {
    [10.0, 100.0, 1000.0].iter().filter(|limit| value.abs() < **limit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_per_cent_and_perplexities_are_not() {
        let spread = Some(Spread::StandardError(0.0345));
        let (share, perplexity) = (Figure::of_metric("f1"), Figure::of_metric("word-perplexity"));
        assert_eq!(share.with_spread(0.5, spread), "50.0 ± 3.5");
        assert_eq!(share.with_spread(0.5, None), "50.0      ");
        assert_eq!(share.signed(-0.021, 0.5), "-2.1");
        let text = |value| perplexity.with_spread(value, spread);
        assert_eq!(
            [text(0.98765), text(34.5678), text(345.678), text(3456.78)],
            ["0.988 ± 0.035", "34.57 ± 0.03", "345.7 ± 0.0", "3457 ± 0"]
        );
        assert_eq!(perplexity.signed(0.25, 12.0), "+0.25");
    }
}
