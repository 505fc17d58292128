//! [`check_variants`]: every variant of a sweep is checked before any of them runs.

use std::path::Path;

use crate::error::TrainError;
use crate::experiment::sweep::{Sweep, Variant};
use crate::run::preflight::{Preflight, Preflights, Purpose};

/// Checks every variant, in their order; an error names the variant. `data` is the root of the data sets where an
/// experiment does not say.
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
