//! [`name_apart`]: names that tell the evaluations of several runs apart.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dph_eval::{FinishedRun, directory_name};

/// Names runs and their evaluations apart: by the names in their results or, if two are the same, by their directories or their paths. An
/// evaluation of one of several runs has the name of the run before its own, if the run has several.
pub(super) fn name_apart(runs: &mut [FinishedRun], paths: &[PathBuf]) {
    if runs.len() < 2 {
        return;
    }
    type Name = fn(&FinishedRun, &Path) -> String;
    let forms: [Name; 3] =
        [|run, _| run.name.clone(), |_, path| directory_name(path), |_, path| path.display().to_string()];
    let named =
        |form: Name| -> Vec<String> { runs.iter().zip(paths).map(|(run, path)| form(run, path)).collect() };
    let all = forms.map(named);
    let is_unique = |names: &&Vec<String>| names.iter().collect::<BTreeSet<_>>().len() == names.len();
    let Some(names) = all.iter().find(is_unique).or(all.last()) else { return };
    for (run, name) in runs.iter_mut().zip(names) {
        run.name.clone_from(name);
        let alone = run.evaluations.len() == 1 && !run.is_sweep;
        for evaluation in &mut run.evaluations {
            let own = &evaluation.results.name;
            evaluation.results.name = if alone { name.clone() } else { format!("{name}/{own}") };
        }
    }
}
