//! The command line: flags and dispatch.

mod bench;
mod rank;
mod report;
mod requests;

use std::io::Write;
use std::path::Path;

use clap::{Args, Parser, Subcommand};
use dph_core::terminal::Failure;
use dph_data::ChatFormat;
use dph_eval::{Model, OpenOptions};
use dph_model::checkpoint::Precision;

/// Evaluate and use Direct Preference Heads: benchmark a model and its head, rank answers, compare runs.
///
/// DIR is always a model (a directory with a preference head or without, a .gguf file, hf:owner/name), a stage's export, or a
/// run, which stands for the export of its last stage.
///
/// Tables and JSON go to stdout, everything else to stderr. Exit status: 0 done, 1 the work failed, 2 the request was wrong.
#[derive(Debug, Parser)]
#[command(name = "dph-eval", version)]
pub(crate) struct Cli {
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

impl Cli {
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        match self.command {
            Command::Bench(args) => args.run(out),
            Command::Rank(args) => args.run(out),
            Command::Report(args) => args.run(out),
        }
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
