//! [`means_over_seeds`]: the means of the results of a sweep.

use dph_core::terminal::numbers::counted;

use crate::results::Results;

/// The means of the results of a sweep that differ only in the seed, by their names (`seed=1`, `lr=1e-3,seed=1`); none for results of a
/// single seed.
pub fn means_over_seeds(sweep: &[Results]) -> Vec<Results> {
    let mut groups: Vec<(String, Vec<Results>)> = Vec::new();
    for results in sweep {
        let (seed, others): (Vec<&str>, Vec<&str>) =
            results.name.split(',').partition(|part| part.starts_with("seed="));
        if seed.len() != 1 {
            continue;
        }
        let others = others.join(",");
        match groups.iter_mut().find(|(known, _)| *known == others) {
            Some((_, group)) => group.push(results.clone()),
            None => groups.push((others, vec![results.clone()])),
        }
    }
    groups.retain(|(_, group)| group.len() > 1);
    let mean = |(others, group): (String, Vec<Results>)| {
        let of = if others.is_empty() { others } else { format!("{others}: ") };
        Results::mean(format!("{of}mean over {}", counted(group.len(), "seed")), &group)
    };
    groups.into_iter().map(mean).collect()
}
