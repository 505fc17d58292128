//! `dph-eval calibrate`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use dph_core::terminal::{Failure, say};
use dph_eval::{CALIBRATION_FILE, Calibration};

/// Compare the scores of a run with what is right: as probabilities, and as a threshold
///
/// Reads documents.jsonl of a run. Prints, for each scorer, the reliability curve, the calibration error and the Brier score of its values as
/// probabilities, the accuracy by the length of the right answer, and the correlation of value and length. Writes them with a threshold for
/// candidates that are good enough to calibration.json, which `dph-eval rank --min-reward auto` reads. The file says which preference
/// head it was made with, and is refused with another one.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// A run, or an output directory of `dph-eval bench`
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// A scorer, such as reward:preference; may be given several times [default: all]
    #[arg(long, value_name = "S")]
    scorer: Vec<String>,

    /// A task whose documents are used; may be given several times [default: all]
    #[arg(long, value_name = "T")]
    task: Vec<String>,

    /// Write calibration.json into DIR, such as the model's directory [default: RUN]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Print calibration.json instead of the tables
    #[arg(long)]
    json: bool,
}

impl CalibrateArgs {
    pub fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        let calibration = Calibration::of_run(&self.run, &self.scorer, &self.task)?;
        let dir = self.out.unwrap_or(self.run);
        if !dir.is_dir() {
            return Err(Failure::request(format!("--out {}: there is no such directory", dir.display())));
        }
        calibration.save(&dir)?;
        say(&format!("the calibration is in {}", dir.join(CALIBRATION_FILE).display()));
        let text = match self.json {
            true => serde_json::to_string_pretty(&calibration).map_err(Failure::work)? + "\n",
            false => calibration.to_text(),
        };
        out.write_all(text.as_bytes())?;
        Ok(())
    }
}
