//! `dph-eval agree`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use dph_core::terminal::{Failure, print_table};
use dph_core::text_file::read_text;
use dph_eval::{Agreement, Model, RankRequest, Scoring, score};

use super::device::DeviceArgs;

/// Show how far the rewards of a head agree on two copies of its backbone
///
/// A head fits the model that it was trained on. A copy of this model, such as a quantised GGUF file, gives slightly other rewards. This
/// command scores the candidates of a file with both, and prints for each head the differences, the correlation, and for how many prompts
/// the best candidate is the same:
///
///   dph-eval agree runs/a --backbone model.Q4_1.gguf --input sets.jsonl
#[derive(Debug, Args)]
pub struct AgreeArgs {
    /// The export or run
    dir: PathBuf,

    /// A file with one request a line, as for `rank`: {"prompt": …, "candidates": […]}
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

impl AgreeArgs {
    pub fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        if !self.device.has_backbone() {
            return Err(Failure::request("name the other copy of the backbone with --backbone"));
        }
        let requests = self.requests()?;
        let own = self.device.open_own(&self.dir)?;
        if own.heads().is_empty() {
            return Err(Failure::request(format!(
                "{} has no preference head; train one with `dph-train`",
                self.dir.display()
            )));
        }
        let heads = own.heads().to_vec();
        let first = self.rewards(&own, &requests)?;
        drop(own);
        let second = self.rewards(&self.device.open_copy(&self.dir, false)?, &requests)?;
        let found = Agreement::of_heads(&heads, &first, &second);
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &found)?;
            writeln!(out)?;
            return Ok(());
        }
        let row = |of_head: &Agreement| {
            vec![
                of_head.head.clone(),
                of_head.candidates.to_string(),
                format!("{:.2e}", of_head.mean_difference),
                format!("{:.2e}", of_head.largest_difference),
                of_head.correlation.map_or_else(|| "–".into(), |correlation| format!("{correlation:.5}")),
                format!("{} of {}", of_head.same_best, of_head.choices),
            ]
        };
        let titles = ["head", "candidates", "mean difference", "largest", "correlation", "same best"];
        print_table(out, &titles, &found.iter().map(row).collect::<Vec<_>>())?;
        Ok(())
    }

    fn requests(&self) -> Result<Vec<RankRequest>, Failure> {
        let name = self.input.display();
        let text =
            read_text(&self.input).map_err(|error| Failure::request(format!("--input {name}: {error}")))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let request = |(index, line): (usize, &str)| {
            RankRequest::parse(line)
                .map_err(|error| Failure::request(format!("{name}:{}: {error}", index + 1)))
        };
        let requests: Vec<RankRequest> = lines.map(request).collect::<Result<_, _>>()?;
        match requests.is_empty() {
            true => Err(Failure::request(format!("{name}: there are no requests"))),
            false => Ok(requests),
        }
    }

    fn rewards(
        &self,
        model: &Model,
        requests: &[RankRequest],
    ) -> Result<Vec<Vec<dph_core::CandidateScores>>, Failure> {
        let set = |(index, request): (usize, &RankRequest)| {
            request.candidate_set((index + 1).to_string(), &model.tokenizer)
        };
        let sets = requests.iter().enumerate().map(set).collect::<Result<Vec<_>, _>>()?;
        let scoring =
            Scoring { token_budget: self.device.token_budget, log_likelihood: false, ..Scoring::default() };
        Ok(score(model, &sets, &scoring, &mut |_| {})?)
    }
}
