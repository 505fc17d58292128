//! [`Joined`]: the variants of a sweep that differ only by the task, as one row.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dph_eval::{Bench, BenchPlan, HtmlReport, Manifest, SweepRow, Table};
use toml_edit::Value;

use super::job::Job;
use crate::error::TrainError;
use crate::experiment::sweep::{Sweep, label};
use crate::run::run_dir::new_manifest;

/// Variants that differ only by the task.
pub(super) struct Joined {
    /// The values of the other keys, the number of parameters, and the results of all tasks together.
    pub row: SweepRow,
    /// The name of its directory beside those of the variants: their label, with `all` as the task.
    pub directory: String,
    /// What the means lack, in words.
    pub notes: Vec<String>,
    bench: Bench,
    /// The path to the run of each task, by the name of the task.
    models: BTreeMap<String, String>,
    /// The metrics of each task.
    metrics: Vec<(String, PathBuf)>,
}

/// The task in the names of directories of joined variants.
const ALL: &str = "all";

impl Joined {
    /// Joins the successful variants of a sweep whose axis `at` is the task. `name` is that of the experiment. A variant without readable
    /// results fails.
    pub fn all(name: &str, sweep: &Sweep, at: usize, jobs: &mut [Job<'_>]) -> Result<Vec<Self>, TrainError> {
        let mut groups: Vec<(Vec<String>, Vec<&mut Job<'_>>)> = Vec::new();
        for job in jobs {
            let mut others = job.variant.values.clone();
            others.remove(at);
            match groups.iter_mut().find(|(values, _)| *values == others) {
                Some((_, group)) => group.push(job),
                None => groups.push((others, vec![job])),
            }
        }
        let joined = groups.into_iter().map(|(values, group)| Self::of(name, sweep, at, values, group));
        joined.filter_map(Result::transpose).collect()
    }

    /// Joins the variants with these values of the other keys; `None` if all failed.
    fn of(
        name: &str,
        sweep: &Sweep,
        at: usize,
        values: Vec<String>,
        group: Vec<&mut Job<'_>>,
    ) -> Result<Option<Self>, TrainError> {
        let (mut plan, mut benches, mut metrics) = (BenchPlan::default(), Vec::new(), Vec::new());
        let mut models = BTreeMap::new();
        let (mut suites, mut parameters, mut is_whole) = (Vec::new(), None, true);
        for job in group {
            let Some((row, bench)) = found(job) else {
                is_whole = false;
                continue;
            };
            suites = job.variant.task.as_ref().map(|task| task.suites.clone()).unwrap_or_default();
            let task = &job.variant.values[at];
            metrics.extend(
                job.dirs.metrics(job.context.experiment).into_iter().map(|path| (task.clone(), path)),
            );
            parameters = parameters.or(row.parameters);
            let path = format!("../{}", job.variant.label);
            models.extend(
                job.context.plan.tasks.iter().map(|planned| (planned.task.name.clone(), path.clone())),
            );
            plan.tasks.append(&mut job.context.plan.tasks);
            benches.push(bench);
        }
        if benches.is_empty() {
            return Ok(None);
        }
        // A mean without a task that failed would not be that of the other rows.
        let notes = if is_whole { plan.add_means(&suites)? } else { Vec::new() };
        let label = |with_task: bool| {
            let mut keys: Vec<&str> = sweep.axes.iter().map(|axis| axis.name.as_str()).collect();
            let mut values: Vec<Value> = values.iter().map(Value::from).collect();
            match with_task {
                true => values.insert(at, ALL.into()),
                false => drop(keys.remove(at)),
            }
            label(&keys, &values.iter().collect::<Vec<_>>(), |label| {
                sweep.variants.iter().any(|variant| variant.label == label)
            })
        };
        let name = if values.is_empty() { name.to_owned() } else { label(false) };
        let directory = label(true);
        let bench = Bench::joined(name, benches, &plan);
        let row = SweepRow { values, parameters, results: bench.results.clone() };
        Ok(Some(Self { row, directory, notes, bench, models, metrics }))
    }

    /// Writes results, the scores of all documents, reports and a manifest into its directory in that of the sweep. `notes` are those of the sweep.
    pub fn save(&self, sweep: &Path, notes: &[String]) -> Result<(), TrainError> {
        let dir = sweep.join(&self.directory);
        fs::create_dir_all(&dir).map_err(|source| TrainError::io(&dir, source))?;
        let results = &self.bench.results;
        let notes = [notes, &self.notes].concat();
        let table = Table::new(std::slice::from_ref(results));
        notes.iter().fold(table, Table::with_note).save(&results.name, &dir)?;
        let metrics: Vec<(String, &Path)> =
            self.metrics.iter().map(|(task, path)| (task.clone(), path.as_path())).collect();
        HtmlReport::new(&results.name)
            .benches(std::slice::from_ref(&self.bench))
            .heading("Tasks")
            .notes(&notes)
            .curves(&metrics)
            .save(&dir)?;
        Manifest { models: self.models.clone(), ..new_manifest() }.save(&dir)?;
        Ok(self.bench.save(&dir)?)
    }
}

/// What a variant found; `None` if it failed.
fn found(job: &mut Job<'_>) -> Option<(SweepRow, Bench)> {
    if job.failed.is_some() {
        return None;
    }
    match job.row().and_then(|row| Ok((row, Bench::load(job.dirs.run().path())?))) {
        Ok(found) => Some(found),
        Err(error) => {
            job.fail(error);
            None
        }
    }
}
