//! The flags of `dph-train`.

use std::path::PathBuf;

use clap::Parser;

const STATUS: &str = "\
Tables and JSON go to stdout, everything else to stderr. Exit status: 0 success, 1 the work failed, 2 the request was wrong, for \
example a key or a file that it names.";

/// Train a preference head (and optionally the language model) from one TOML file, evaluate it and print the results
/// as a table.
#[derive(Debug, Parser)]
#[command(version, after_help = STATUS)]
pub(crate) struct Arguments {
    /// The experiment file, such as experiments/quickstart.toml
    #[arg(required_unless_present = "schema")]
    pub experiment: Option<PathBuf>,
    /// Print the JSON schema of experiment files for editors and exit
    // `data` may be set in the environment, which contradicts nothing.
    #[arg(long, conflicts_with_all = ["experiment", "overrides", "device", "out", "resume", "dry_run", "json"])]
    pub schema: bool,
    /// Set a key of the experiment, such as model.path=DIR or stage.dph.steps=100; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Run on this device instead of the device in the experiment
    #[arg(long)]
    pub device: Option<String>,
    /// Root directory of the data sets: DIR/TASK/SPLIT.jsonl and so on. With hf: or hf:DIR, missing splits are downloaded into the user's
    /// cache or DIR
    #[arg(long, env = "DPH_DATA", value_name = "DIR", default_value = "data")]
    pub data: PathBuf,
    /// The run directory [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Continue an interrupted run; the result is identical to that of an uninterrupted run. If there is no run, a new one
    /// starts, with a warning. With --dry-run, only check whether the run can be continued
    #[arg(long)]
    pub resume: bool,
    /// Check the experiment, print the expected work and cost, and exit
    #[arg(long)]
    pub dry_run: bool,
    /// Print the results as JSON instead of a table
    #[arg(long)]
    pub json: bool,
}
