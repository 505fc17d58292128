//! [`OtherSide`]: a process that runs one job at a time.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::job::Work;
use crate::ours::Outcome;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/plain.py");

/// A running program with its model loaded.
pub struct OtherSide {
    /// The name in the table.
    pub name: &'static str,
    /// Versions and threads.
    pub about: String,
    abilities: Abilities,
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The jobs that a side supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Abilities {
    All,
    Evaluation,
    Generation,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Hello {
    Ready { versions: String, threads: usize },
    Failed { error: String },
}

#[derive(Deserialize)]
struct Answer {
    seconds: f64,
    values: Vec<f64>,
}

impl OtherSide {
    /// Starts PyTorch and transformers with `plain.py`: every candidate is a row of its own.
    pub fn pytorch(python: &str, model: &Path, padding: u32) -> Result<Self, Box<dyn Error>> {
        let command = Self::script(python, model, padding);
        let help = "give --python PROGRAM with torch and transformers installed";
        Self::start("PyTorch", command, Abilities::All).map_err(|error| format!("{error}; {help}").into())
    }

    /// Starts PyTorch and transformers with `plain.py`: the candidates of a prompt share its keys and values.
    pub fn pytorch_shared(python: &str, model: &Path, padding: u32) -> Result<Self, Box<dyn Error>> {
        let mut command = Self::script(python, model, padding);
        command.arg("shared");
        Self::start("PyTorch shared", command, Abilities::Evaluation)
    }

    fn script(python: &str, model: &Path, padding: u32) -> Command {
        let mut command = Command::new(python);
        command.args([SCRIPT.as_ref(), model.as_os_str()]).arg(padding.to_string());
        command
    }

    /// Starts candle with the program in `candle/`.
    pub fn candle(program: &Path, model: &Path) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(program);
        command.arg(model);
        Self::start("candle", command, Abilities::Generation)
    }

    /// Starts the process and waits until it is ready.
    fn start(name: &'static str, mut command: Command, abilities: Abilities) -> Result<Self, Box<dyn Error>> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{:?} cannot be started: {error}", command.get_program()))?;
        let requests = process.stdin.take();
        let answers = process.stdout.take().ok_or("it has no stdout")?;
        let answers = BufReader::new(answers);
        let mut side = Self { name, about: String::new(), abilities, process, requests, answers };
        match side.answer()? {
            Hello::Ready { versions, threads } => {
                side.about = format!("{versions}, {threads} threads");
                Ok(side)
            }
            Hello::Failed { error } => Err(error.into()),
        }
    }

    /// Whether it supports this job.
    pub fn does(&self, work: &Work) -> bool {
        match self.abilities {
            Abilities::All => true,
            Abilities::Evaluation => matches!(work, Work::Evaluate(_)),
            Abilities::Generation => matches!(work, Work::Generate(_)),
        }
    }

    /// Runs the job in a file.
    pub fn run(&mut self, work: &Work, file: &Path) -> Result<Outcome, Box<dyn Error>> {
        self.ask(match work {
            Work::Evaluate(_) => json!({ "kind": "evaluate", "sets": file }),
            Work::Train(_) => json!({ "kind": "train", "training": file }),
            Work::Generate(_) => json!({ "kind": "generate", "generation": file }),
        })
    }

    fn ask(&mut self, request: Value) -> Result<Outcome, Box<dyn Error>> {
        let requests = self.requests.as_mut().ok_or("it has no stdin")?;
        writeln!(requests, "{request}")?;
        let Answer { seconds, values } = self.answer()?;
        Ok(Outcome { seconds, values })
    }

    fn answer<T: for<'a> Deserialize<'a>>(&mut self) -> Result<T, Box<dyn Error>> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(format!("{} stopped; its error message is above", self.name).into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for OtherSide {
    /// Closes stdin, so that the process ends.
    fn drop(&mut self) {
        self.requests.take();
        let _ = self.process.wait();
    }
}
