//! [`Sample`]: the outcomes of documents, as units that are independent of one another.

use std::collections::{BTreeMap, HashMap};

/// The outcomes of some documents. Documents of one group are one unit, every other document is a unit of its own.
///
/// Equal outcomes and equal units are counted, not repeated, so that the time of a computation depends on the number of distinct
/// ones.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample<T> {
    outcomes: Vec<T>,
    units: Vec<Unit>,
}

/// Units with the same outcomes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unit {
    /// Index of each distinct outcome, and how many documents of the unit have it.
    pub outcomes: Vec<(usize, u32)>,
    /// The number of such units.
    pub count: usize,
}

/// Distinct outcomes with their weights.
pub(crate) type Weighted<T> = Vec<(T, f64)>;

impl<T: Copy + Ord> Sample<T> {
    /// The sample of these outcomes, each with the group of its document, if it has one.
    pub(crate) fn new<'a>(documents: impl IntoIterator<Item = (T, Option<&'a str>)>) -> Self {
        let documents: Vec<(T, Option<&str>)> = documents.into_iter().collect();
        let mut outcomes: Vec<T> = documents.iter().map(|(outcome, _)| *outcome).collect();
        outcomes.sort_unstable();
        outcomes.dedup();
        let mut groups: HashMap<&str, BTreeMap<usize, u32>> = HashMap::new();
        let mut units: BTreeMap<Vec<(usize, u32)>, usize> = BTreeMap::new();
        for (outcome, group) in &documents {
            let index = outcomes.partition_point(|other| other < outcome);
            match group {
                Some(group) => *groups.entry(group).or_default().entry(index).or_default() += 1,
                None => *units.entry(vec![(index, 1)]).or_default() += 1,
            }
        }
        for group in groups.into_values() {
            *units.entry(group.into_iter().collect()).or_default() += 1;
        }
        let units = units.into_iter().map(|(outcomes, count)| Unit { outcomes, count }).collect();
        Self { outcomes, units }
    }

    /// The distinct outcomes, in order.
    pub(crate) fn outcomes(&self) -> &[T] {
        &self.outcomes
    }

    /// The distinct units.
    pub(crate) fn units(&self) -> &[Unit] {
        &self.units
    }

    /// The number of units.
    pub(crate) fn len(&self) -> usize {
        self.units.iter().map(|unit| unit.count).sum()
    }

    /// The number of documents.
    pub(crate) fn documents(&self) -> usize {
        let of_unit = |unit: &Unit| unit.outcomes.iter().map(|(_, times)| *times as usize).sum::<usize>();
        self.units.iter().map(|unit| unit.count * of_unit(unit)).sum()
    }

    /// Whether every unit is one document.
    pub(crate) fn is_ungrouped(&self) -> bool {
        self.documents() == self.len()
    }

    /// The distinct outcomes, each with the number of documents that have it.
    pub(crate) fn counts(&self) -> Weighted<T> {
        self.weighted(|unit| self.units[unit].count as f64)
    }

    /// The outcomes of units that occur as often as `times` says; outcomes that do not occur are left out.
    pub(crate) fn weighted(&self, times: impl Fn(usize) -> f64) -> Weighted<T> {
        let mut weights = vec![0.0; self.outcomes.len()];
        for (index, unit) in self.units.iter().enumerate() {
            let times = times(index);
            if times > 0.0 {
                unit.outcomes
                    .iter()
                    .for_each(|&(outcome, number)| weights[outcome] += times * f64::from(number));
            }
        }
        self.outcomes.iter().copied().zip(weights).filter(|(_, weight)| *weight > 0.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_a_group_are_one_unit() {
        let documents =
            [(1, None), (0, Some("a")), (1, Some("a")), (1, Some("b")), (0, Some("b")), (1, None)];
        let sample = Sample::new(documents);
        assert_eq!(sample.outcomes(), [0, 1]);
        assert_eq!((sample.len(), sample.documents(), sample.is_ungrouped()), (4, 6, false));
        // Two units with both outcomes, and two single documents.
        let units: Vec<(usize, usize)> =
            sample.units().iter().map(|unit| (unit.outcomes.len(), unit.count)).collect();
        assert_eq!(units, [(2, 2), (1, 2)]);
        assert_eq!(sample.counts(), [(0, 2.0), (1, 4.0)]);
        assert_eq!(sample.weighted(|unit| if unit == 1 { 3.0 } else { 0.0 }), [(1, 3.0)]);
        assert!(Sample::new([(1, None), (1, None)]).is_ungrouped());
    }
}
