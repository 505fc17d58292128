//! The requests of `dph-eval rank`, read and tokenised ahead of the model.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender};

use dph_core::CandidateSet;
use dph_core::encoding::not_utf8;
use dph_core::path_kind::PathKind;
use dph_data::what_instead_of_text;
use dph_eval::{Model, RankRequest};

/// Requests that are scored together.
pub const CHUNK: usize = 64;

/// Where requests come from.
pub struct Source {
    /// Its name in messages.
    pub name: String,
    /// Whether to rank the requests that have arrived without waiting for a whole chunk: a process may wait for the answer.
    pub eager: bool,
    /// Its size, if known.
    pub bytes: Option<u64>,
    requests: Requests,
}

enum Requests {
    One(Box<RankRequest>),
    Lines(Box<dyn BufRead + Send>),
}

/// A request that was read, and the end of its line in bytes.
pub struct Item {
    pub end: u64,
    pub request: Result<(RankRequest, CandidateSet), Problem>,
}

/// A line that cannot be ranked.
pub struct Problem {
    pub line: usize,
    pub message: String,
}

impl Source {
    /// A single request.
    pub fn one(request: RankRequest) -> Self {
        let requests = Requests::One(Box::new(request));
        Self { name: "--prompt".into(), eager: false, bytes: None, requests }
    }

    /// The lines of a file.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = File::open(path).map_err(|error| PathKind::explain(path, error))?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::other("this is a directory; give a file with one request a line"));
        }
        Ok(Self {
            name: path.display().to_string(),
            eager: !metadata.is_file(),
            bytes: metadata.is_file().then_some(metadata.len()),
            requests: Requests::Lines(Box::new(BufReader::new(file))),
        })
    }

    /// The lines of stdin.
    pub fn stdin() -> Self {
        let requests = Requests::Lines(Box::new(BufReader::new(io::stdin())));
        Self { name: "stdin".into(), eager: true, bytes: None, requests }
    }

    /// Reads and tokenises all requests until the end, or until the receiver is dropped. Blank lines are skipped.
    pub fn read(self, model: &Model, send: SyncSender<Item>) {
        let mut lines = match self.requests {
            Requests::One(request) => {
                let request = tokenise(*request, 1, model);
                // A send fails only if the receiver was dropped, which has its own error.
                let _ = send.send(Item { end: 0, request });
                return;
            }
            Requests::Lines(lines) => lines,
        };
        let (mut end, mut bytes) = (0, Vec::new());
        for line in 1.. {
            bytes.clear();
            let problem = |message: String| Problem { line, message };
            let request = match lines.read_until(b'\n', &mut bytes) {
                Ok(0) => return,
                Ok(read) => {
                    end += read as u64;
                    if let Some(what) = what_instead_of_text(&bytes).filter(|_| line == 1) {
                        // There are no lines in it.
                        let _ = send.send(Item { end, request: Err(problem(what)) });
                        return;
                    }
                    match std::str::from_utf8(&bytes) {
                        Ok(text) if text.trim().is_empty() => continue,
                        Ok(text) => RankRequest::parse(text.trim_start_matches('\u{feff}'))
                            .map_err(|error| problem(error.to_string()))
                            .and_then(|request| tokenise(request, line, model)),
                        Err(_) => Err(problem(format!("the line {}", not_utf8(&bytes)))),
                    }
                }
                Err(error) => {
                    let _ =
                        send.send(Item { end, request: Err(problem(format!("cannot be read: {error}"))) });
                    return;
                }
            };
            if send.send(Item { end, request }).is_err() {
                return;
            }
        }
    }
}

fn tokenise(
    request: RankRequest,
    line: usize,
    model: &Model,
) -> Result<(RankRequest, CandidateSet), Problem> {
    let problem = |message: String| Problem { line, message };
    let set = request
        .candidate_set(line.to_string(), &model.tokenizer)
        .map_err(|error| problem(error.to_string()))?;
    model.check(&set).map_err(|error| problem(error.to_string()))?;
    Ok((request, set))
}

/// The next requests: a whole chunk or, if `eager`, those that have arrived. `None` at the end.
pub fn next_chunk(receive: &Receiver<Item>, eager: bool) -> Option<Vec<Item>> {
    let mut chunk = vec![receive.recv().ok()?];
    while chunk.len() < CHUNK {
        let next = if eager { receive.try_recv().ok() } else { receive.recv().ok() };
        match next {
            Some(item) => chunk.push(item),
            None => break,
        }
    }
    Some(chunk)
}
