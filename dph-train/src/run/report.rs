//! The reports of a run: `report.md` and `report.html`.

use std::path::{Path, PathBuf};

use dph_eval::{Bench, HtmlReport, Results, Table};

use crate::error::TrainError;

/// Writes the reports of a run into its directory. `report.md` contains the table; `report.html` also contains plots of the
/// results, the curves of every stage (from these metrics files) and the experiment.
pub(crate) fn write(
    run: &Path,
    metrics: &[PathBuf],
    experiment: &str,
    name: &str,
    benches: &[Bench],
) -> Result<(), TrainError> {
    let results: Vec<Results> = benches.iter().map(|bench| bench.results.clone()).collect();
    Table::new(&results).save(name, run)?;
    let metrics: Vec<(String, &Path)> = metrics.iter().map(|path| (String::new(), path.as_path())).collect();
    let experiments = [(String::new(), experiment.to_owned())];
    HtmlReport::new(name).benches(benches).curves(&metrics).experiments(&experiments).save(run)?;
    Ok(())
}
