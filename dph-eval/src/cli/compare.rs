//! `dph-eval compare`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use dph_core::terminal::Failure;
use dph_eval::{Bench, CompareError, Comparison, Side};

/// Compare two runs, or two scorers of one run, document by document
///
/// Documents are paired by task, split and id. A document that only one side has is left out and counted. The verdict says whether B is
/// better or worse than A, or that the documents show no difference:
///
///   dph-eval compare runs/a runs/b --scorer-a reward:preference
///
///   dph-eval compare runs/a --scorer-a loglik-mean --scorer-b reward:preference
///
/// Accuracies are compared by McNemar's test, exact if fewer than 25 documents are right on one side only, else with continuity correction.
/// Other metrics, suites, and documents in groups (several questions about one passage) are compared by a permutation test. The
/// p-values of the tasks of a suite have Holm's correction. Intervals are 95 % bootstrap intervals.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A, and B unless both are scorers of A: runs, or output directories of `dph-eval bench`, with results.json and documents.jsonl
    #[arg(value_name = "RUN", required = true, num_args = 1..=2)]
    runs: Vec<PathBuf>,

    /// The scorer of A, such as reward:preference [default: that of B, else all that both runs have]
    #[arg(long, value_name = "S")]
    scorer_a: Option<String>,

    /// The scorer of B [default: that of A, else all that both runs have]
    #[arg(long, value_name = "S")]
    scorer_b: Option<String>,

    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
}

impl CompareArgs {
    pub fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        let benches: Vec<Bench> = self
            .runs
            .iter()
            .map(|run| Bench::load(directory(run)))
            .collect::<Result<_, _>>()
            .map_err(CompareError::from)?;
        let names: Vec<String> = self.runs.iter().map(|run| directory(run).display().to_string()).collect();
        let (Some(first), Some(last)) = (benches.first(), benches.last()) else { return Ok(()) };
        let a = Side { name: &names[0], bench: first, scorer: self.scorer_a.as_deref() };
        let b = Side { name: &names[names.len() - 1], bench: last, scorer: self.scorer_b.as_deref() };
        let comparison = Comparison::new(a, b)?;
        let text = match self.json {
            true => serde_json::to_string_pretty(&comparison).map_err(Failure::work)? + "\n",
            false => comparison.to_text(),
        };
        out.write_all(text.as_bytes())?;
        Ok(())
    }
}

/// The directory of a run, also if its `results.json` is named.
fn directory(run: &Path) -> &Path {
    match run.parent() {
        Some(parent) if run.is_file() => parent,
        _ => run,
    }
}
