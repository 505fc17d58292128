//! [`Metrics`]: what the service has done, as text for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// The kind, the name and the description of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    Requests,
    RequestSeconds,
    Queue,
    BatchRequests,
    BatchTokens,
    PassRequests,
    Tokens,
    GeneratedTokens,
    PrefixHits,
    PrefixTokens,
    PrefixBytes,
    ComputeSeconds,
    Abandoned,
    Panics,
}

/// Upper bounds of the buckets of times in seconds.
const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper bounds of the buckets of numbers of requests.
const REQUESTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
/// Upper bounds of the buckets of numbers of tokens.
const TOKENS: &[f64] = &[64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0];

enum Kind {
    Counter,
    Gauge,
    Histogram(&'static [f64]),
}

impl Metric {
    fn describe(self) -> (&'static str, Kind, &'static str) {
        use Kind::{Counter, Gauge, Histogram};
        match self {
            Self::Requests => (
                "dph_requests_total",
                Counter,
                "Requests by route and status: 499 if the client left, and for a stream that of its error.",
            ),
            Self::RequestSeconds => (
                "dph_request_seconds",
                Histogram(SECONDS),
                "Time from the head of a request to its answer, or the end of its stream.",
            ),
            Self::Queue => ("dph_queue_requests", Gauge, "Requests that wait or are computed."),
            Self::BatchRequests => {
                ("dph_batch_requests", Histogram(REQUESTS), "Requests that were computed together.")
            }
            Self::BatchTokens => {
                ("dph_batch_tokens", Histogram(TOKENS), "Tokens that were computed together.")
            }
            Self::PassRequests => (
                "dph_pass_requests",
                Histogram(REQUESTS),
                "Requests whose answers grew by a token in one pass.",
            ),
            Self::Tokens => {
                ("dph_tokens_total", Counter, "Tokens of prompts and of scored answers that were computed.")
            }
            Self::GeneratedTokens => ("dph_generated_tokens_total", Counter, "Tokens that were generated."),
            Self::PrefixHits => (
                "dph_prefix_hits_total",
                Counter,
                "Prompts whose first tokens were kept of an earlier prompt.",
            ),
            Self::PrefixTokens => {
                ("dph_prefix_tokens_total", Counter, "Tokens of prompts that were not computed again.")
            }
            Self::PrefixBytes => {
                ("dph_prefix_bytes", Gauge, "Memory of prompts that are kept for later ones.")
            }
            Self::ComputeSeconds => {
                ("dph_compute_seconds_total", Counter, "Time in which the model computed.")
            }
            Self::Abandoned => {
                ("dph_abandoned_total", Counter, "Requests that were dropped because nobody waited any more.")
            }
            Self::Panics => ("dph_panics_total", Counter, "Defects of the program that a request met."),
        }
    }
}

/// Values of all metrics, by their labels as text.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<BTreeMap<Metric, BTreeMap<String, Value>>>);

#[derive(Debug, Default)]
struct Value {
    sum: f64,
    count: u64,
    /// Observations up to each bound.
    buckets: Vec<u64>,
}

/// Names and values of labels.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Metrics {
    /// Adds to a counter.
    pub fn add(&self, metric: Metric, labels: Labels<'_>, amount: f64) {
        self.change(metric, labels, |value| value.sum += amount);
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, labels: Labels<'_>, to: f64) {
        self.change(metric, labels, |value| value.sum = to);
    }

    /// Adds an observation to a histogram.
    pub fn observe(&self, metric: Metric, labels: Labels<'_>, observed: f64) {
        let Kind::Histogram(bounds) = metric.describe().1 else { return };
        self.change(metric, labels, |value| {
            value.sum += observed;
            value.count += 1;
            value.buckets.resize(bounds.len(), 0);
            for (bucket, bound) in value.buckets.iter_mut().zip(bounds) {
                *bucket += u64::from(observed <= *bound);
            }
        });
    }

    fn change(&self, metric: Metric, labels: Labels<'_>, change: impl FnOnce(&mut Value)) {
        let labels = text_of(labels);
        let mut metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(metrics.entry(metric).or_default().entry(labels).or_default());
    }

    /// All metrics in the text format of Prometheus, version 0.0.4.
    pub fn to_text(&self) -> String {
        let metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (metric, values) in &*metrics {
            // Writing to a string does not fail.
            let _ = write_metric(&mut text, *metric, values);
        }
        text
    }
}

fn write_metric(text: &mut String, metric: Metric, values: &BTreeMap<String, Value>) -> std::fmt::Result {
    let (name, kind, help) = metric.describe();
    let kind_name = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind_name}")?;
    for (labels, Value { sum, count, buckets }) in values {
        let Kind::Histogram(bounds) = kind else {
            writeln!(text, "{name}{} {sum}", braced(labels, ""))?;
            continue;
        };
        let bounds = bounds.iter().map(f64::to_string).chain(["+Inf".into()]);
        for (bound, bucket) in bounds.zip(buckets.iter().chain([count])) {
            writeln!(text, "{name}_bucket{} {bucket}", braced(labels, &format!("le=\"{bound}\"")))?;
        }
        writeln!(text, "{name}_sum{0} {sum}\n{name}_count{0} {count}", braced(labels, ""))?;
    }
    Ok(())
}

fn braced(labels: &str, more: &str) -> String {
    let parts: Vec<&str> = [labels, more].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { format!("{{{}}}", parts.join(",")) }
}

fn text_of(labels: Labels<'_>) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
    labels.iter().map(label).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_histograms_are_text() {
        let metrics = Metrics::default();
        metrics.add(Metric::Requests, &[("route", "/a\"b"), ("status", "200")], 1.0);
        metrics.add(Metric::Requests, &[("route", "/a\"b"), ("status", "200")], 1.0);
        metrics.set(Metric::Queue, &[], 3.0);
        for requests in [1.0, 3.0, 100.0] {
            metrics.observe(Metric::BatchRequests, &[("model", "m")], requests);
        }
        let text = metrics.to_text();
        for line in [
            "# TYPE dph_requests_total counter",
            "dph_requests_total{route=\"/a\\\"b\",status=\"200\"} 2",
            "dph_queue_requests 3",
            "# TYPE dph_batch_requests histogram",
            "dph_batch_requests_bucket{model=\"m\",le=\"1\"} 1",
            "dph_batch_requests_bucket{model=\"m\",le=\"4\"} 2",
            "dph_batch_requests_bucket{model=\"m\",le=\"64\"} 2",
            "dph_batch_requests_bucket{model=\"m\",le=\"+Inf\"} 3",
            "dph_batch_requests_sum{model=\"m\"} 104",
            "dph_batch_requests_count{model=\"m\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
