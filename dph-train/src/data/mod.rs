//! The data sets of a run: loaded once, and identified by their content.

pub(crate) mod evaluation_data;
pub(crate) mod record;
pub(crate) mod task_cache;
