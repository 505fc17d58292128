//! The command line: what can be asked, and how the answer ends.

mod bench;
mod failure;
mod progress;
mod rank;
mod report;
mod requests;
#[path = "../../../dph-model/src/cli/terminal.rs"]
mod terminal;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use dph_data::ChatFormat;
use dph_eval::{Model, OpenOptions};
use dph_model::checkpoint::Precision;

use failure::Failure;

/// Evaluate and use Direct Preference Heads: benchmark a model and its head, rank answers, compare runs.
///
/// DIR is always a model (a directory with a preference head or without, a .gguf file, hf:owner/name), a stage's export, or a
/// run, which stands for the export of its last stage.
///
/// Tables and JSON go to stdout, everything else to stderr. Exit status: 0 done, 1 the work failed, 2 the request was wrong.
#[derive(Debug, Parser)]
#[command(name = "dph-eval", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::BenchArgs),
    Rank(rank::RankArgs),
    Report(report::ReportArgs),
}

/// How a model is opened, and where and in what portions it is computed.
#[derive(Debug, Args)]
struct DeviceArgs {
    /// The device: flex, libtorch, libtorch:cuda:0, wgpu, vulkan or cuda:0, as far as they are built in
    #[arg(long, value_name = "D", default_value = "flex")]
    device: String,

    /// Tokens in a batch, padding included: more use the device better and need more memory
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = positive)]
    token_budget: usize,

    /// How conversations look: `template`, the tokenizer's own, or `chatml`, the paper's; by default what the directory says
    #[arg(long, value_name = "FORMAT")]
    chat: Option<ChatFormat>,

    /// In which type the language model's matrices are kept and multiplied with: f32, bf16 or f16; by default as the head was
    /// trained
    #[arg(long, value_name = "TYPE")]
    precision: Option<Precision>,
}

impl DeviceArgs {
    fn open(&self, dir: &Path) -> Result<Model, Failure> {
        let device = dph_core::device(&self.device)?;
        Ok(Model::open_with(dir, &device, &OpenOptions { chat: self.chat, precision: self.precision })?)
    }
}

/// Runs the program and decides its exit status, here and nowhere else.
pub fn main() -> ExitCode {
    terminal::install_hook();
    let outcome = match Cli::parse().command {
        Command::Bench(args) => args.run(),
        Command::Rank(args) => args.run(),
        Command::Report(args) => args.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("needs to be at least 1".into()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
