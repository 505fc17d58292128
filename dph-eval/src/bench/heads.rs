//! [`bench_heads`]: many preference heads on one model.

use dph_core::{PreferenceHead, PreferenceHeadConfig};

use crate::bench::evaluate::{Bench, BenchError, BenchOptions, BenchProgress, Subject, evaluate};
use crate::bench::plan::BenchPlan;
use crate::model::{Model, check_head};

/// A preference head that results are to call by a name.
#[derive(Debug, Clone)]
pub struct NamedHead {
    /// What results call it.
    pub name: String,
    /// The head.
    pub head: PreferenceHead,
    /// Its configuration.
    pub config: PreferenceHeadConfig,
}

/// Evaluates many heads on one model, in one pass over it, and gives for each what [`bench`](crate::bench()) gives for the
/// model with that head alone, in their order. The model's own head, if it has one, is left out.
///
/// The model computes the layers that any of the heads needs.
///
/// # Errors
/// A head that was made for another model; data that is missing or broken.
pub fn bench_heads(
    model: &Model,
    heads: &[NamedHead],
    plan: &BenchPlan,
    options: &BenchOptions,
    progress: &mut dyn FnMut(BenchProgress<'_>),
) -> Result<Vec<Bench>, BenchError> {
    for NamedHead { name, config, .. } in heads {
        check_head(config, model.backbone.d_model(), model.backbone.n_layers())
            .map_err(|source| BenchError::Head { name: name.clone(), source: Box::new(source) })?;
    }
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let subjects: Vec<Subject> = heads
        .iter()
        .map(|head| Subject { name: &head.name, head: Some((&head.head, &head.config)) })
        .collect();
    evaluate(model, &subjects, plan, options, progress)
}
