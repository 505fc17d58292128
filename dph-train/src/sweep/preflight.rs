//! [`check_variants`]: checks every variant of a sweep before the first one runs.

use std::path::Path;

use crate::error::TrainError;
use crate::experiment::sweep::{Sweep, Variant};
use crate::run::preflight::{Preflight, Preflights, Purpose};

/// Checks the variants in order; an error names the variant. `data` is the root of the data sets for experiments without
/// `data`.
pub(super) fn check_variants<'a>(
    sweep: &'a Sweep,
    data: &'a Path,
    purpose: Purpose,
) -> Result<Vec<Preflight>, TrainError> {
    let mut preflights = Preflights::new(data, purpose);
    let mut check = |variant: &'a Variant| {
        preflights
            .check(&variant.experiment)
            .map_err(|source| TrainError::Variant { variant: variant.label.clone(), source: source.into() })
    };
    sweep.variants.iter().map(&mut check).collect()
}
