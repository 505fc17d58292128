//! `dph-train`: see [`dph_train::Arguments`].

#[path = "../../dph-eval/src/allocator.rs"]
mod allocator;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use dph_eval::{Results, Table};
use dph_train::{Arguments, ExperimentFile, Forecast, RunOptions, run, schema};

fn main() -> ExitCode {
    allocator::keep_freed_memory();
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
            let _ = writeln!(std::io::stderr(), "{report:?}");
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
        let forecast = Forecast::new(&file.experiment, &arguments.data).map_err(|error| (error.into(), 2))?;
        let _ = writeln!(std::io::stdout(), "{forecast}");
        return Ok(());
    }
    let options = RunOptions {
        out: arguments.out.unwrap_or_else(|| format!("runs/{}", file.experiment.name).into()),
        data: arguments.data,
        resume: arguments.resume,
    };
    let benches = run(&file, &options).map_err(|error| {
        let code = if error.is_request() { 2 } else { 1 };
        (error.into(), code)
    })?;
    let results: Vec<Results> = benches.into_iter().map(|bench| bench.results).collect();
    let text = match (arguments.json, &results[..]) {
        (true, [results]) => results.to_json(),
        (true, results) => {
            serde_json::to_string_pretty(results).map_err(|error| (miette::miette!("{error}"), 1))?
        }
        (false, results) => Table::new(results).to_text(),
    };
    // A reader that has gone away has read enough.
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
    Ok(())
}
