//! `dph-eval generate --input`: many prompts, with results that a later run continues.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use dph_core::encoding::BYTE_ORDER_MARK;
use dph_core::path_kind::PathKind;
use dph_core::terminal::numbers::{counted, grouped};
use dph_core::terminal::{Done, Failure, Progress, say};
use dph_core::text_file::read_text;
use dph_eval::{BestOf, Estimate, GenerateRequest, Model, check_prompt, generate, mean};
use serde_json::{Map, Value, json};

use super::generate_record::record;

/// Most answers that grow together.
const ROWS: usize = 32;

/// A line of the input.
struct Item {
    line: usize,
    /// Determined by the settings, the model and the text of the line.
    key: String,
    request: Result<(GenerateRequest, Vec<u32>), String>,
}

impl Item {
    /// The first fields of its line in the output.
    fn place(&self) -> Map<String, Value> {
        Map::from_iter([("line".into(), self.line.into()), ("key".into(), self.key.as_str().into())])
    }

    /// Whether a text without an end can be its line in the output, which was being written when the program was killed.
    fn may_begin(&self, text: &[u8]) -> bool {
        let place = Value::Object(self.place()).to_string();
        let start = place.trim_end_matches('}').as_bytes();
        text.starts_with(start) || start.starts_with(text)
    }
}

/// Generates answers to all prompts of a file and writes a line of JSON for each. A file of an earlier run with the same
/// settings is continued.
pub fn generate_all(
    model: &Model,
    settings: &BestOf,
    input: &Path,
    output: Option<&Path>,
    system: Option<&str>,
    token_budget: usize,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let name = input.display().to_string();
    let text = read(input).map_err(|error| Failure::request(format!("--input {name}: {error}")))?;
    let items = items(&text, model, settings, system);
    if items.is_empty() {
        say(&format!(
            "{name}: there are no prompts; give one a line, such as {{\"prompt\": \"Who wrote it?\"}}"
        ));
    }
    let groups = groups(&items, settings.answers, token_budget);
    let mut summary = Summary::default();
    let (mut file, mut done) = (None, 0);
    if let Some(path) = output {
        let lines = earlier_lines(path, &items)?;
        // Answers that grow together are generated together again, so that the rest has the same floats.
        done = groups.iter().map(|group| group.end).take_while(|&end| end <= lines.len()).last().unwrap_or(0);
        for line in &lines[..done] {
            summary.add(&line.record);
        }
        let end = lines[..done].last().map_or(0, |line| line.end);
        let opened = continued(path, end);
        file = Some(opened.map_err(|error| Failure::request(format!("--out {}: {error}", path.display())))?);
        if done > 0 {
            say(&format!("{}: continuing after {}", path.display(), counted(done, "line")));
        }
    }
    let mut line = if output.is_some() { Progress::new() } else { Progress::beside_output() };
    line.start(done as u64);
    for group in groups.iter().filter(|group| group.start >= done) {
        let mut text = String::new();
        for record in of_group(model, settings, &items[group.clone()])? {
            if let Some(error) = record["error"].as_str() {
                line.interrupt(&format!("{name}:{}: {error}", record["line"]));
            }
            summary.add(&record);
            text += &format!("{record}\n");
        }
        match &mut file {
            Some(file) => {
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
                written.map_err(|error| io_failure(output.unwrap_or(input), &error))?;
            }
            None => {
                out.write_all(text.as_bytes())?;
                out.flush()?;
            }
        }
        let (count, total) = (group.end as u64, Some(items.len() as u64));
        line.update(&Done { what: "generating", count, total, unit: "prompts", ..Done::default() });
    }
    line.finish();
    summary.report();
    match summary.wrong {
        0 => Ok(()),
        wrong => Err(Failure::Partly(format!(
            "{wrong} of {} got no answer",
            counted(summary.wrong + summary.prompts, "prompt")
        ))),
    }
}

fn read(input: &Path) -> io::Result<String> {
    if input.as_os_str() == "-" {
        return io::read_to_string(io::stdin());
    }
    if input.is_dir() {
        return Err(io::Error::other("this is a directory; give a file with one prompt a line"));
    }
    read_text(input)
}

fn items(text: &str, model: &Model, settings: &BestOf, system: Option<&str>) -> Vec<Item> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty());
    let item = |(index, text): (usize, &str)| {
        let request = GenerateRequest::parse(text).map_err(|error| error.to_string()).and_then(|request| {
            let request = request.with_system(system);
            let tokens = request.tokens(&model.tokenizer).map_err(|error| error.to_string())?;
            check_prompt(model, &tokens).map_err(|error| error.to_string())?;
            Ok((request, tokens))
        });
        let key = blake3::hash(format!("{settings:?}\n{}\n{system:?}\n{text}", model.name).as_bytes());
        Item { line: index + 1, key: key.to_hex()[..16].to_owned(), request }
    };
    lines.map(item).collect()
}

/// The items that are generated together: neighbours with a limited number of answers, and of tokens of padded prompts.
fn groups(items: &[Item], answers: usize, token_budget: usize) -> Vec<std::ops::Range<usize>> {
    let most = (ROWS / answers).max(1);
    let mut groups = Vec::new();
    let (mut start, mut longest) = (0, 0);
    for (index, item) in items.iter().enumerate() {
        let length = item.request.as_ref().map_or(0, |(_, tokens)| tokens.len());
        let count = index - start;
        if count > 0 && (count == most || longest.max(length) * (count + 1) > token_budget) {
            groups.push(start..index);
            (start, longest) = (index, 0);
        }
        longest = longest.max(length);
    }
    if start < items.len() {
        groups.push(start..items.len());
    }
    groups
}

/// The records of a group, in its order.
fn of_group(model: &Model, settings: &BestOf, items: &[Item]) -> Result<Vec<Value>, Failure> {
    let valid = items.iter().filter_map(|item| item.request.as_ref().ok());
    let prompts: Vec<Vec<u32>> = valid.map(|(_, tokens)| tokens.clone()).collect();
    let mut sets = match prompts.is_empty() {
        true => Vec::new(),
        false => generate(model, &prompts, settings, &mut |_| {})?,
    }
    .into_iter();
    let records = items.iter().map(|item| {
        let mut found = match &item.request {
            Err(error) => json!({ "error": error }),
            Ok((request, _)) => match sets.next() {
                Some(set) => record(request, &set, settings, model),
                None => json!({ "error": "no answer" }),
            },
        };
        let Value::Object(fields) = &mut found else { return found };
        let mut line = item.place();
        line.append(fields);
        Value::Object(line)
    });
    Ok(records.collect())
}

/// A whole line that an earlier run wrote.
struct EarlierLine {
    record: Value,
    /// The end of the line in bytes.
    end: u64,
}

/// The whole lines that an earlier run wrote.
fn earlier_lines(path: &Path, items: &[Item]) -> Result<Vec<EarlierLine>, Failure> {
    match PathKind::of(path) {
        PathKind::File | PathKind::Missing => {}
        kind => return Err(Failure::request(format!("--out {}: {kind}; choose a file", path.display()))),
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::request(format!("--out {}: {error}", path.display()))),
    };
    let other = |line: usize, why: &str| {
        Failure::request(format!(
            "--out {}:{line}: {why}; choose another file, or delete this one",
            path.display()
        ))
    };
    let no_result = |line: usize| other(line, "this is no result of `generate`");
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    let (mut lines, mut end) = (Vec::new(), (bytes.len() - text.len()) as u64);
    for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if !line.ends_with(b"\n") {
            match items.get(index).is_some_and(|item| item.may_begin(line)) {
                true => break,
                false => return Err(no_result(index + 1)),
            }
        }
        let record: Value = serde_json::from_slice(line).map_err(|_| no_result(index + 1))?;
        let Some(item) = items.get(index) else {
            return Err(other(index + 1, "the input has fewer prompts than this file has results"));
        };
        if record["key"].as_str() != Some(&item.key) {
            return Err(other(index + 1, "this is the result of other settings or of another prompt"));
        }
        end += line.len() as u64;
        lines.push(EarlierLine { record, end });
    }
    Ok(lines)
}

/// The file with its first `end` bytes, open for more.
fn continued(path: &Path, end: u64) -> io::Result<File> {
    dph_core::check_directory_of(path)?;
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    file.set_len(end)?;
    Ok(file)
}

fn io_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::work(format!("{}: {error}", path.display()))
}

/// What all answers cost and reached.
#[derive(Default)]
struct Summary {
    prompts: usize,
    wrong: usize,
    answers: usize,
    rewards: Vec<f64>,
    right: Vec<f64>,
    generated: u64,
    branches: u64,
    rescored: u64,
    /// Answers that have other tokens when their text is tokenised again.
    other_tokens: usize,
}

impl Summary {
    fn add(&mut self, record: &Value) {
        if record.get("error").is_some() {
            self.wrong += 1;
            return;
        }
        self.prompts += 1;
        let answers = record["answers"].as_array().map_or(&[][..], Vec::as_slice);
        self.answers += answers.len();
        self.other_tokens += answers.iter().filter(|answer| answer["same_tokens"] == false).count();
        let best = &record["answers"][record["chosen"].as_u64().unwrap_or(0) as usize];
        let head = record["selection"].as_str().and_then(|name| name.strip_prefix("reward:"));
        let rewards = best["rewards"].as_object();
        let reward = rewards.and_then(|rewards| match head {
            Some(head) => rewards.get(head),
            None => rewards.values().next(),
        });
        self.rewards.extend(reward.and_then(Value::as_f64));
        self.right.extend(record["right"].as_bool().map(|right| f64::from(u8::from(right))));
        let usage = |part: &str| record["usage"][part].as_u64().unwrap_or(0);
        self.generated += usage("generated");
        self.branches += usage("branches");
        self.rescored += usage("rescored");
    }

    fn report(&self) {
        if self.prompts == 0 {
            return;
        }
        let mut parts =
            vec![format!("{}, {}", counted(self.prompts, "prompt"), counted(self.answers, "answer"))];
        parts.extend(estimate(&self.rewards).map(|text| format!("reward of the chosen ones {text}")));
        parts.extend(estimate(&self.right).map(|text| format!("accuracy {text}")));
        let tokens = self.generated + self.branches + self.rescored;
        parts.push(format!(
            "{} tokens after the prompts (generated {}, branches {}, scored again {})",
            grouped(tokens as usize),
            grouped(self.generated as usize),
            grouped(self.branches as usize),
            grouped(self.rescored as usize)
        ));
        if self.other_tokens > 0 {
            let count = counted(self.other_tokens, "answer");
            parts.push(format!("{count} with other tokens when the text is tokenised again"));
        }
        say(&parts.join("; "));
    }
}

/// Mean and standard error.
fn estimate(values: &[f64]) -> Option<String> {
    let Estimate { value, stderr } = mean(values)?;
    Some(format!("{value:.4} ± {:.4}", stderr.unwrap_or(0.0)))
}
