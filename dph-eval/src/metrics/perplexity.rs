//! Perplexities of whole texts, as in lm-evaluation-harness.

use std::f64::consts::LN_2;

use dph_data::TaskMetric;

use crate::metrics::estimate::Estimate;
use crate::metrics::sample::{Sample, Unit, Weighted};

/// The likelihood of a whole text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextLikelihood {
    /// Sum of the log-probabilities (natural logarithm) of its tokens.
    pub loglik: f64,
    /// Number of words.
    pub words: usize,
    /// Number of UTF-8 bytes.
    pub bytes: usize,
}

impl TextLikelihood {
    /// The length that a metric is by.
    fn length(&self, metric: TaskMetric) -> f64 {
        (if metric == TaskMetric::WordPerplexity { self.words } else { self.bytes }) as f64
    }
}

/// The metric of a rate: nats by word or byte.
fn of_rate(metric: TaskMetric, rate: f64) -> f64 {
    if metric == TaskMetric::BitsPerByte { rate / LN_2 } else { rate.exp() }
}

/// Nats by word or byte: `-Σ loglik / Σ length`.
fn rate(metric: TaskMetric, texts: &Weighted<TextLikelihood>) -> f64 {
    let sum = |of: &dyn Fn(&TextLikelihood) -> f64| -> f64 {
        texts.iter().map(|(text, weight)| weight * of(text)).sum()
    };
    -sum(&|text| text.loglik) / sum(&|text| text.length(metric))
}

/// The metric of texts: `exp(-Σ loglik / Σ words)`, the same by bytes, or `-Σ loglik / Σ bytes / ln 2`.
pub(crate) fn value(metric: TaskMetric, texts: &Weighted<TextLikelihood>) -> f64 {
    of_rate(metric, rate(metric, texts))
}

/// The metric of texts with its standard error. That of the rate `r` is `sqrt(n / (n - 1) · Σ (-loglik - r · length)²) / Σ length` for `n` units
/// (the ratio estimator; Cochran 1977, section 6.4), and that of the metric follows from its derivative.
///
/// `text` is the likelihood of an outcome. `None` without texts; a single text has no standard error.
pub(crate) fn estimate<T: Copy + Ord>(
    metric: TaskMetric,
    sample: &Sample<T>,
    text: impl Fn(&T) -> Option<TextLikelihood>,
) -> Option<Estimate> {
    let counts: Weighted<TextLikelihood> =
        sample.counts().iter().filter_map(|(outcome, weight)| Some((text(outcome)?, *weight))).collect();
    let length: f64 = counts.iter().map(|(text, weight)| weight * text.length(metric)).sum();
    let rate = (length > 0.0).then(|| rate(metric, &counts))?;
    let rest = |unit: &Unit| -> f64 {
        let texts = unit.outcomes.iter().filter_map(|&(outcome, times)| {
            let text = text(&sample.outcomes()[outcome])?;
            Some(f64::from(times) * (-text.loglik - rate * text.length(metric)))
        });
        texts.sum()
    };
    let squares: f64 = sample.units().iter().map(|unit| unit.count as f64 * rest(unit).powi(2)).sum();
    let n = sample.len() as f64;
    let of_rate_error = (n > 1.0).then(|| (n / (n - 1.0) * squares).sqrt() / length);
    let value = of_rate(metric, rate);
    let derivative = if metric == TaskMetric::BitsPerByte { 1.0 / LN_2 } else { value };
    Some(Estimate { value, stderr: of_rate_error.map(|error| error * derivative) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::metrics::jackknife;
    use crate::metrics::measure::{Outcome, measure, value as metric_value};

    fn sample(texts: &[(f64, usize, usize)]) -> Sample<Outcome> {
        let outcome = |&(loglik, words, bytes): &(f64, usize, usize)| {
            Outcome::of_text(TextLikelihood { loglik, words, bytes }).only_for(&[TaskMetric::BitsPerByte])
        };
        Sample::new(texts.iter().map(|text| (outcome(text), None)))
    }

    /// The expected values are those of `weighted_perplexity` and `bits_per_byte` of lm-evaluation-harness, by hand.
    #[test]
    fn the_likelihoods_of_texts_are_added_before_they_are_divided() {
        let texts = sample(&[(-10.0, 4, 20), (-40.0, 6, 30)]);
        let value = |metric| measure(metric, &texts).unwrap().value;
        assert!((value(TaskMetric::WordPerplexity) - 5.0_f64.exp()).abs() < 1e-9);
        assert!((value(TaskMetric::BytePerplexity) - 1.0_f64.exp()).abs() < 1e-12);
        assert!((value(TaskMetric::BitsPerByte) - 1.0 / LN_2).abs() < 1e-12);
        assert_eq!(measure(TaskMetric::BitsPerByte, &sample(&[])), None);
        assert_eq!(measure(TaskMetric::BitsPerByte, &sample(&[(-3.0, 1, 2)])).unwrap().stderr, None);
    }

    /// The jackknife knows nothing of the formula.
    #[test]
    fn the_standard_error_is_that_of_the_jackknife() {
        let texts: Vec<(f64, usize, usize)> = (0..400_usize)
            .map(|i| {
                let bytes = 50 + i * 37 % 91;
                (-(bytes as f64) * (0.6 + 0.001 * (i * 53 % 101) as f64), bytes / 5, bytes)
            })
            .collect();
        let texts = sample(&texts);
        for metric in [TaskMetric::WordPerplexity, TaskMetric::BytePerplexity, TaskMetric::BitsPerByte] {
            let ours = measure(metric, &texts).unwrap();
            let expected = jackknife::estimate(&texts, |outcomes| metric_value(metric, outcomes)).unwrap();
            assert!((ours.value / expected.value - 1.0).abs() < 1e-12);
            let [ours, expected] = [ours, expected].map(|found| found.stderr.unwrap());
            assert!((ours / expected - 1.0).abs() < 0.01, "{metric}: {ours} {expected}");
        }
    }
}
