//! [`Bars`]: the bars around the dots of a picture of results.

use std::fmt;

use crate::results::Measurement;

/// What the bars of all values of a picture are.
pub(super) enum Bars {
    /// 95 % intervals.
    Intervals,
    /// The spread, with its meaning.
    Spread(String),
    /// There are none.
    None,
}

impl Bars {
    /// Those of these values: their intervals or, if no value has one, their spread, so that all bars of a picture mean the same.
    pub fn of(values: impl Iterator<Item = Measurement>) -> Self {
        let mut meanings: Vec<String> = Vec::new();
        for value in values {
            if value.interval.is_some() {
                return Self::Intervals;
            }
            let meaning = value.spread().map(|spread| spread.to_string());
            meanings.extend(meaning.filter(|meaning| !meanings.contains(meaning)));
        }
        if meanings.is_empty() { Self::None } else { Self::Spread(meanings.join(" or ")) }
    }

    /// The ends of the bar of a value, in per cent.
    pub fn ends(&self, value: &Measurement) -> Option<(f64, f64)> {
        let [low, high] = match self {
            Self::Intervals => value.interval?,
            Self::Spread(_) => {
                let spread = value.spread()?.value();
                [value.value - spread, value.value + spread]
            }
            Self::None => return None,
        };
        Some((100.0 * low, 100.0 * high))
    }
}

/// The end of the title of an axis.
impl fmt::Display for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intervals => f.write_str(", with 95 % interval"),
            Self::Spread(meaning) => write!(f, ", ± {meaning}"),
            Self::None => Ok(()),
        }
    }
}
