//! [`run_sweep`]: runs a sweep.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dph_core::StateSelection;
use dph_eval::Manifest;

use super::job::Job;
use super::outcome::SweepOutcome;
use super::preflight::check_variants;
use super::report;
use super::rows::TasksThere;
use super::runs::SweepRuns;
use crate::cache::features::FeatureCache;
use crate::error::TrainError;
use crate::experiment::file::ExperimentFile;
use crate::experiment::sweep::{Sweep, Variant};
use crate::run::evaluation::evaluate;
use crate::run::preflight::{Purpose, RunData};
use crate::run::run_dir::new_manifest;
use crate::run::{RunContext, RunOptions, features_dir};

/// Runs every variant of an experiment's `[sweep]` in its own directory `<out>/<label>` and writes `results.json` (a list of the
/// results of all variants), `report.md` and `report.html` into `<out>`.
///
/// Work that several variants have in common is done once. A failed variant does not stop the others. Variants that differ only by the task
/// that they are trained on are one entry of the results, and have a directory of their own with the scores of all their documents.
///
/// # Errors
/// An error that concerns all variants, such as an invalid request or a directory that cannot be written.
pub fn run_sweep(file: &ExperimentFile, options: &RunOptions) -> Result<SweepOutcome, TrainError> {
    let none = TrainError::Sweep("this experiment has no [sweep]; run it with `run`");
    let sweep = file.sweep.as_ref().ok_or(none)?;
    let TasksThere { sweep, notes, .. } = &TasksThere::required(sweep, &options.data)?;
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    let contexts = contexts(sweep, &options.data)?;
    let runs = SweepRuns::open(file, sweep, options, options.access())?;
    write_manifest(sweep, runs.dir.path())?;
    let mut jobs = runs.jobs(sweep, contexts);
    jobs.iter().try_for_each(Job::check_resumed)?;
    let features = FeatureCache { dir: features_dir(&options.out), selections: selections(&sweep.variants) };
    train(&mut jobs, &features);
    evaluate_all(&mut jobs, runs.dir.path());
    report::write(file, sweep, notes, jobs, runs.dir.path())
}

/// The contexts of all variants. This is called before an earlier sweep is renamed.
pub(super) fn contexts<'a>(sweep: &'a Sweep, data: &'a Path) -> Result<Vec<RunContext<'a>>, TrainError> {
    let checked = check_variants(sweep, data, Purpose::Run)?;
    let variants = sweep.variants.iter().zip(checked);
    Ok(variants.map(|(variant, checked)| RunContext::new(&variant.experiment, data, checked)).collect())
}

/// The hidden states that the aggregations of all variants need, without duplicates.
fn selections(variants: &[Variant]) -> Vec<StateSelection> {
    let mut all = Vec::new();
    for variant in variants {
        let aggregation = &variant.experiment.head.aggregation;
        let last = variant.experiment.stages.last();
        let selection =
            last.map_or_else(|| aggregation.selection(), |stage| stage.objective.selection(aggregation));
        if !all.contains(&selection) {
            all.push(selection);
        }
    }
    all
}

fn write_manifest(sweep: &Sweep, dir: &Path) -> Result<(), TrainError> {
    let variants = sweep.variants.iter().map(|variant| variant.label.clone()).collect();
    Ok(Manifest { variants, ..new_manifest() }.save(dir)?)
}

/// Trains the variants that are not done.
fn train(jobs: &mut [Job<'_>], features: &FeatureCache) {
    // A failed artifact would fail again for every variant that needs it.
    let mut broken: HashMap<String, (String, String)> = HashMap::new();
    let count = jobs.len();
    for (index, job) in jobs.iter_mut().enumerate() {
        let label = &job.variant.label;
        if job.done {
            tracing::info!("variant {} of {count}: {label}: already done", index + 1);
            job.context.loaded = RunData::default();
            continue;
        }
        tracing::info!("variant {} of {count}: {label}", index + 1);
        if let Some((variant, message)) = job.artifacts.iter().find_map(|artifact| broken.get(&artifact.key))
        {
            job.fail(TrainError::AsAnother { variant: variant.clone(), message: message.clone() });
        } else if let Err(error) = job.context.train(&job.dirs, features) {
            if let Some(artifact) = job.first_missing() {
                broken.insert(artifact.key.clone(), (label.clone(), error.to_string()));
            }
            job.fail(error);
        }
    }
}

/// Evaluates the trained variants. All heads on the same frozen model are evaluated in one pass. The scores of finished batches are
/// kept in the directory `dir` of the sweep.
fn evaluate_all(jobs: &mut [Job<'_>], dir: &Path) {
    let mut groups: Vec<(String, Vec<&mut Job<'_>>)> = Vec::new();
    for job in jobs.iter_mut().filter(|job| !job.done && job.failed.is_none()) {
        match job.evaluated_with() {
            Err(error) => job.fail(error),
            Ok(key) => match groups.iter_mut().find(|(other, _)| *other == key) {
                Some((_, group)) => group.push(job),
                None => groups.push((key, vec![job])),
            },
        }
    }
    for (_, mut group) in groups {
        let dirs: Vec<PathBuf> = group.iter().map(|job| job.model_dir()).collect();
        let dirs: Vec<&Path> = dirs.iter().map(PathBuf::as_path).collect();
        match evaluate(&group[0].context, &group[0].context.loaded.last, &dirs, dir) {
            Ok(benches) => {
                for (job, bench) in group.iter_mut().zip(&benches) {
                    if let Err(error) = job.context.finish(&job.dirs, std::slice::from_ref(bench)) {
                        job.fail(error);
                    }
                }
            }
            Err(error) => {
                let (variant, message) = (group[0].variant.label.clone(), error.to_string());
                for job in group.iter_mut().skip(1) {
                    let (variant, message) = (variant.clone(), message.clone());
                    job.fail(TrainError::AsAnother { variant, message });
                }
                group[0].fail(error);
            }
        }
    }
}
