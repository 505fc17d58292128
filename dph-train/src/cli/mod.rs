//! The command line: runs the action that the flags select.

mod arguments;

use std::io::Write;
use std::path::Path;

use dph_core::terminal::numbers::counted;
use dph_core::terminal::{Failure, log_to_stderr, say};
use dph_eval::{Results, Table};
use dph_train::{
    ExperimentFile, Forecast, RunOptions, SweepForecast, TrainError, check_resume, check_sweep_resume, run,
    run_sweep, schema,
};

pub(crate) use arguments::Arguments;

/// The log filter if `RUST_LOG` is not set.
const LOGGED: &str = "warn,dph_train=info";

impl Arguments {
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        log_to_stderr(LOGGED);
        let Some(experiment) = self.experiment else {
            return Ok(writeln!(out, "{:#}", schema())?);
        };
        let mut overrides = self.overrides;
        overrides.extend(self.device.map(|device| format!("device={device:?}")));
        let file = ExperimentFile::read(&experiment, &overrides)?;
        let options = RunOptions {
            out: self.out.unwrap_or_else(|| format!("runs/{}", file.experiment.name).into()),
            data: self.data,
            resume: self.resume,
        };
        if self.dry_run {
            let resumed = if self.resume { compare(&file, &options)? } else { String::new() };
            return Ok(writeln!(out, "{}{resumed}", forecast(&file, &options.data)?)?);
        }
        if file.sweep.is_some() {
            let outcome = run_sweep(&file, &options)?;
            let text = match self.json {
                true => Results::list_to_json(&outcome.results),
                false => outcome.table.for_stdout(),
            };
            writeln!(out, "{}", text.trim_end())?;
            return failures(outcome.failed, outcome.done);
        }
        let benches = run(&file, &options)?;
        let results: Vec<Results> = benches.into_iter().map(|bench| bench.results).collect();
        let text = match (self.json, &results[..]) {
            (true, [results]) => results.to_json(),
            (true, results) => Results::list_to_json(results),
            (false, results) => Table::new(results).for_stdout(),
        };
        Ok(writeln!(out, "{}", text.trim_end())?)
    }
}

/// The forecast of the experiment.
fn forecast(file: &ExperimentFile, data: &Path) -> Result<String, Failure> {
    Ok(match &file.sweep {
        Some(sweep) => SweepForecast::new(sweep, data)?.to_string(),
        None => Forecast::new(&file.experiment, data)?.to_string(),
    })
}

/// Compares an interrupted run with the experiment, as a run with --resume does, and returns a line of the forecast.
fn compare(file: &ExperimentFile, options: &RunOptions) -> Result<String, Failure> {
    match &file.sweep {
        Some(_) => check_sweep_resume(file, options)?,
        None => check_resume(file, options)?,
    }
    let out = options.out.display();
    Ok(match options.has_run() {
        true => format!("\nresume      {out}: the run has these settings, data and models"),
        false => format!("\nwarning     {out}: there is no run to resume; a new one would start"),
    })
}

/// Reports every failed variant and their number.
fn failures(failed: Vec<(String, TrainError)>, done: usize) -> Result<(), Failure> {
    let (count, all) = (failed.len(), failed.len() + done);
    for (label, error) in failed {
        say(&format!("{label}\n{:?}", miette::Report::from(error)));
    }
    match count {
        0 => Ok(()),
        _ => Err(Failure::work(format!(
            "{count} of {} failed; run the failed ones again with --resume",
            counted(all, "variant")
        ))),
    }
}
