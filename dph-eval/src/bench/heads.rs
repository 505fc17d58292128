//! [`bench_heads`]: many preference heads on one model.

use dph_core::{PreferenceHead, PreferenceHeadConfig};

use crate::bench::error::BenchError;
use crate::bench::evaluate::{Bench, BenchProgress, Subject, evaluate};
use crate::bench::options::BenchOptions;
use crate::bench::plan::BenchPlan;
use crate::model::{Model, check_head};

/// A preference head with a name for its results.
#[derive(Debug, Clone)]
pub struct NamedHead {
    /// The name in results.
    pub name: String,
    /// The head.
    pub head: PreferenceHead,
    /// Its configuration.
    pub config: PreferenceHeadConfig,
}

/// Evaluates many heads on one model in one pass over it. Returns for each head, in order, what [`bench`](crate::bench()) returns
/// for the model with that head, without [`Results::head`](crate::Results::head). The model's own head is not used.
///
/// The model computes every layer that one of the heads needs.
///
/// # Errors
/// A head for a model of another size; data that is missing or invalid.
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
