//! The flags of `dph-train`.

use std::path::PathBuf;

use clap::Parser;

/// Train a preference head (and, if need be, the language model below it) from one TOML file, evaluate it, and print
/// the table.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The experiment, such as experiments/quickstart.toml
    #[arg(required_unless_present = "schema")]
    pub experiment: Option<PathBuf>,
    /// Print the JSON schema of experiment files, for editors, and do nothing
    #[arg(long, exclusive = true)]
    pub schema: bool,
    /// Change a key of the experiment, such as model.path=DIR or stage.dph.steps=100
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Run on this device instead of the experiment's
    #[arg(long)]
    pub device: Option<String>,
    /// Root of the data sets: DIR/TASK/SPLIT.jsonl and so on
    #[arg(long, env = "DPH_DATA", value_name = "DIR", default_value = "data")]
    pub data: PathBuf,
    /// The run directory [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run: it ends with the same weights as one that was not
    #[arg(long)]
    pub resume: bool,
    /// Say what would be done and what it would cost, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the results as JSON instead of a table
    #[arg(long)]
    pub json: bool,
}
