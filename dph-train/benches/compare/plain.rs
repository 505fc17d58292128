//! The other side: a Python process that is asked for one job at a time.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::job::Work;
use crate::ours::Outcome;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/plain.py");

/// A running `plain.py` with its model loaded.
pub struct Plain {
    /// Versions and threads.
    pub about: String,
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
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

impl Plain {
    /// Starts it and waits until it is ready.
    pub fn start(python: &str, model: &Path, padding: u32) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(python)
            .args([SCRIPT.as_ref(), model.as_os_str()])
            .arg(padding.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{python}` cannot be started: {error}; give --python PROGRAM"))?;
        let requests = process.stdin.take();
        let answers = process.stdout.take().ok_or("it has no stdout")?;
        let mut plain = Self { about: String::new(), process, requests, answers: BufReader::new(answers) };
        match plain.answer()? {
            Hello::Ready { versions, threads } => {
                plain.about = format!("{versions}, {threads} threads");
                Ok(plain)
            }
            Hello::Failed { error } => {
                Err(format!("{error}; give --python PROGRAM that has torch and transformers").into())
            }
        }
    }

    /// Does a job, whose file is given.
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
            return Err("the Python process stopped; what it says about it is above".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Plain {
    /// Without further requests it ends by itself.
    fn drop(&mut self) {
        self.requests.take();
        let _ = self.process.wait();
    }
}
