//! `dph-train`: see [`dph_train::Arguments`].

#[path = "../../dph-eval/src/allocator.rs"]
mod allocator;
#[path = "../../dph-model/src/cli/terminal.rs"]
mod terminal;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use dph_eval::{Results, Table};
use dph_train::{
    Arguments, ExperimentFile, Forecast, RunOptions, SweepForecast, TrainError, run, run_sweep, schema,
};

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    terminal::install_hook();
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,dph_train=info")),
        )
        .init();
    match work(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err((report, code)) => {
            terminal::say(&format!("{report:?}"));
            ExitCode::from(code)
        }
    }
}

fn work(arguments: Arguments) -> Result<(), (miette::Report, u8)> {
    let Some(experiment) = arguments.experiment else {
        let _ = writeln!(std::io::stdout(), "{:#}", schema());
        return Ok(());
    };
    let mut overrides = arguments.overrides;
    overrides.extend(arguments.device.map(|device| format!("device={device:?}")));
    let file = ExperimentFile::read(&experiment, &overrides).map_err(|error| (error.into(), 2))?;
    if arguments.dry_run {
        let forecast = forecast(&file, &arguments.data).map_err(|report| (report, 2))?;
        let _ = writeln!(std::io::stdout(), "{forecast}");
        return Ok(());
    }
    let options = RunOptions {
        out: arguments.out.unwrap_or_else(|| format!("runs/{}", file.experiment.name).into()),
        data: arguments.data,
        resume: arguments.resume,
    };
    let stopped = |error: TrainError| {
        let code = if error.is_request() { 2 } else { 1 };
        (error.into(), code)
    };
    if file.sweep.is_some() {
        let outcome = run_sweep(&file, &options).map_err(stopped)?;
        print(&match arguments.json {
            true => Results::list_to_json(&outcome.results),
            false => outcome.table.to_text(),
        });
        return failures(outcome.failed, outcome.results.len());
    }
    let benches = run(&file, &options).map_err(stopped)?;
    let results: Vec<Results> = benches.into_iter().map(|bench| bench.results).collect();
    print(&match (arguments.json, &results[..]) {
        (true, [results]) => results.to_json(),
        (true, results) => Results::list_to_json(results),
        (false, results) => Table::new(results).to_text(),
    });
    Ok(())
}

fn forecast(file: &ExperimentFile, data: &Path) -> miette::Result<String> {
    Ok(match &file.sweep {
        Some(sweep) => SweepForecast::new(sweep, data)?.to_string(),
        None => Forecast::new(&file.experiment, data)?.to_string(),
    })
}

fn print(text: &str) {
    // A reader that has gone away has read enough.
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

/// Tells of every variant that failed, and how many there are.
fn failures(failed: Vec<(String, TrainError)>, done: usize) -> Result<(), (miette::Report, u8)> {
    let (count, all) = (failed.len(), failed.len() + done);
    for (label, error) in failed {
        terminal::say(&format!("{label}\n{:?}", miette::Report::from(error)));
    }
    match count {
        0 => Ok(()),
        _ => Err((miette::miette!("{count} of {all} variants failed; --resume tries them again"), 1)),
    }
}
