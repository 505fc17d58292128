//! Compares the speed with PyTorch and transformers, and with candle: the same jobs on the same token ids, in one run on one machine.
//!
//! `cargo bench -p dph-train --bench compare -- --help`; benches/README.md describes the jobs.
//!
//! The other side uses the usual implementation: every candidate is a separate padded row, and training runs the frozen model
//! in every epoch. Evaluation is also compared with PyTorch where the candidates of a prompt share its keys and values. The results of both sides are compared before their times.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod comparison;
mod generation;
mod job;
mod kind;
mod other_side;
mod ours;
mod table;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dph_core::terminal;

use comparison::{Comparison, OurModel};
use kind::JobKind;
use other_side::OtherSide;

#[global_allocator]
static ALLOCATOR: terminal::Allocator = terminal::Allocator;

/// Compare the speed of evaluation, training and generation with PyTorch and transformers, and of generation also with candle.
#[derive(Debug, Parser)]
struct Arguments {
    /// The model directory [default: ~/.cache/dph/models/SmolLM2-135M-Instruct]
    #[arg(long, env = "DPH_SMOLLM2", value_name = "DIR")]
    model: Option<PathBuf>,
    /// Root directory of the data sets
    #[arg(long, env = "DPH_DATA", value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"))]
    data: PathBuf,
    /// A Python interpreter with torch and transformers
    #[arg(long, env = "DPH_PYTHON", value_name = "PROGRAM", default_value = "python3")]
    python: String,
    /// The program that `cargo build --release` builds in benches/compare/candle [default: without candle]
    #[arg(long, env = "DPH_CANDLE", value_name = "PROGRAM")]
    candle: Option<PathBuf>,
    /// Run only on these devices [default: flex and, if it is compiled in, libtorch]
    #[arg(long = "device", value_name = "DEVICE")]
    devices: Vec<String>,
    /// Run only these jobs
    #[arg(long = "job", value_name = "JOB", value_enum, default_values_t = JobKind::ALL)]
    jobs: Vec<JobKind>,
    /// Number of rounds for the median; in each round, every side runs every job once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Divide the size of every job by N
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    part: u32,
    /// Run one round of 1/25 of every job, as a check that everything works and not as a measurement
    #[arg(long, conflicts_with_all = ["part", "rounds"])]
    quick: bool,
    /// Set by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    terminal::keep_freed_memory();
    let arguments = Arguments::parse();
    if !arguments.bench {
        // `cargo test --all-targets` also starts benchmarks.
        println!("compare: nothing measured; run `cargo bench -p dph-train --bench compare`");
        return ExitCode::SUCCESS;
    }
    match compare(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the comparison and returns whether all sides have the same results.
fn compare(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let (part, rounds) = if arguments.quick { (25, 1) } else { (arguments.part as usize, arguments.rounds) };
    let model_dir = arguments.model.clone().map_or_else(default_model, Ok)?;
    let mut models = Vec::new();
    for device in devices(&arguments.devices) {
        models.push(OurModel { model: ours::open(&model_dir, &dph_core::device(&device)?)?, device });
    }
    let [OurModel { model, .. }, ..] = &models[..] else {
        return Err("there is no device; give --device DEVICE".into());
    };

    let work = tempfile::tempdir()?;
    let mut jobs = Vec::new();
    for kind in &arguments.jobs {
        for job in kind.load(part, &arguments.data, &model_dir, model)? {
            job.save(&work.path().join(job.file()))?;
            jobs.push(job);
        }
    }
    let mut others = Vec::new();
    match OtherSide::pytorch(&arguments.python, &model_dir, model.backbone.pad_token()) {
        Ok(pytorch) => {
            others.push(pytorch);
            let padding = model.backbone.pad_token();
            others.push(OtherSide::pytorch_shared(&arguments.python, &model_dir, padding)?);
        }
        Err(error) => eprintln!("\ncompare: WITHOUT PyTorch: {error}\n"),
    }
    if let Some(program) = &arguments.candle {
        others.push(OtherSide::candle(program, &model_dir)?);
    }

    let mut comparison = Comparison::new(models, others, work.path());
    comparison.warm_up(&jobs)?;
    for _ in 0..rounds {
        for job in &jobs {
            comparison.measure(job)?;
        }
    }
    println!("{}", comparison.report());
    Ok(comparison.all_agree)
}

fn default_model() -> Result<PathBuf, String> {
    let home =
        std::env::var_os("HOME").ok_or("HOME is not set, so the model cannot be found; give --model DIR")?;
    Ok(PathBuf::from(home).join(".cache/dph/models/SmolLM2-135M-Instruct"))
}

fn devices(asked: &[String]) -> Vec<String> {
    match asked {
        [] => {
            let known = dph_core::known_devices();
            ["flex", "libtorch"].into_iter().filter(|name| known.contains(name)).map(String::from).collect()
        }
        asked => asked.to_vec(),
    }
}
