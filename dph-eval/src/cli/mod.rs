//! The command line: flags and dispatch.

mod agree;
mod bench;
mod bench_parts;
mod calibrate;
mod chat;
mod compare;
mod device;
mod generate;
mod generate_input;
mod generate_record;
mod generate_settings;
mod line_editor;
mod rank;
mod report;
mod report_names;
mod requests;
mod serve;
mod shown_answer;
mod token_rewards;

use std::io::Write;

use clap::{Parser, Subcommand};
use dph_core::terminal::Failure;

/// Evaluate and use Direct Preference Heads: benchmark a model and its head, rank answers, compare runs.
///
/// DIR is a model (a directory with or without a preference head, a .gguf file, or hf:owner/name), a stage's export, or a run. For
/// a run, the export of its last stage is used.
///
/// Tables and JSON go to stdout, everything else to stderr. Exit status: 0 success, 1 the work failed, 2 the request was wrong, for
/// example a flag or a file that it names.
#[derive(Debug, Parser)]
#[command(name = "dph-eval", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::BenchArgs),
    Generate(Box<generate::GenerateArgs>),
    Rank(rank::RankArgs),
    Serve(Box<serve::ServeArgs>),
    Agree(agree::AgreeArgs),
    Calibrate(calibrate::CalibrateArgs),
    Compare(compare::CompareArgs),
    Report(report::ReportArgs),
}

impl Cli {
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        match self.command {
            Command::Bench(args) => args.run(out),
            Command::Generate(args) => args.run(out),
            Command::Rank(args) => args.run(out),
            Command::Serve(args) => args.run(),
            Command::Agree(args) => args.run(out),
            Command::Calibrate(args) => args.run(out),
            Command::Compare(args) => args.run(out),
            Command::Report(args) => args.run(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        let mut cli = Cli::command();
        // Without debug assertions clap does not look for arguments that are there twice.
        cli.build();
        for command in cli.get_subcommands() {
            let mut names: Vec<&str> = command.get_arguments().map(|arg| arg.get_id().as_str()).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}: an argument is there twice", command.get_name());
        }
        cli.debug_assert();
    }
}
