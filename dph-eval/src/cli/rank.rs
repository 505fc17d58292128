//! `dph-eval rank`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;

use clap::Args;
use dph_core::Scorer;
use dph_core::terminal::numbers::counted;
use dph_core::terminal::{Done, Failure, Progress, say};
use dph_data::{Message, Style, TokenView};
use dph_eval::{
    Calibration, Model, RankRequest, Ranking, ScoreError, ScorerChoice, Scoring, ranking_order, score,
    token_rewards,
};
use serde_json::{Value, json};

use super::device::DeviceArgs;
use super::requests::{CHUNK, Item, Problem, Source, next_chunk};
use super::token_rewards::SetTokenRewards;

/// Rank candidate answers, the preferred one first
///
/// Candidates are given on the command line, or as lines of JSON:
///
///   {"prompt": "Who wrote it?", "candidates": ["Ann.", "Bob."], "id": 7}
///
/// `prompt` is a string or a list of messages {"role": …, "content": …}. `system`, a system message before it, and `id`, which is returned
/// with the ranking, are optional.
/// Rankings are printed in the order of the lines. An invalid line is reported with its number. The other lines are still ranked, and
/// the exit status is 1.
///
/// Candidates are sorted by the reward of the first head or, for a model without a preference head, by the mean log-likelihood.
#[derive(Debug, Args)]
pub struct RankArgs {
    /// The model, export or run
    dir: PathBuf,

    /// A file with one request a line; `-` is stdin [default: -]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "system", "candidate"])]
    input: Option<PathBuf>,

    /// A single prompt; give its answers with --candidate
    #[arg(long, value_name = "P", requires = "candidate")]
    prompt: Option<String>,

    /// A system message before --prompt
    #[arg(long, value_name = "S", requires = "prompt")]
    system: Option<String>,

    /// An answer to --prompt; may be given several times
    #[arg(long, value_name = "C", requires = "prompt", allow_hyphen_values = true)]
    candidate: Vec<String>,

    /// Which scorer to use, as in `bench`; may be given several times. Candidates are sorted by the first reward [default: reward, or
    /// log for a model without a preference head]
    #[arg(long, value_name = "WHICH")]
    scorer: Vec<ScorerChoice>,

    /// The score from which on a candidate is good enough, or `auto` for the threshold of `dph-eval calibrate` in calibration.json of the
    /// directory. Says how many candidates are, with --json in "accepted"
    #[arg(long, value_name = "X|auto", allow_hyphen_values = true)]
    min_reward: Option<MinReward>,

    /// Print one line of JSON for each request: {"id", "scorer", "ranking": [{"index", "candidate", "score", "scores",
    /// "tokens"}]}, with --per-token also "token_rewards" of each candidate, with --show-tokens also "tokens"; for an invalid line {"line", "error"}
    #[arg(long)]
    json: bool,

    /// Also print the reward at every token of the answers: that of the answer so far, as the head's aggregation reads its tokens. An
    /// end-of-turn aggregation reads the token itself, and only the last reward is that of an answer
    #[arg(long)]
    per_token: bool,

    /// Also print the scored tokens: text, ids and pieces of the prompt, the answers and their ends
    #[arg(long)]
    show_tokens: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

impl RankArgs {
    pub fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        let source = self.source()?;
        let calibration = match self.min_reward {
            Some(MinReward::Auto) => Some(Calibration::load(&self.dir)?),
            _ => None,
        };
        let model = self.device.open(&self.dir)?;
        let scorers = self.scorers(&model)?;
        let min_reward = match (self.min_reward, &calibration, scorers.first()) {
            (Some(MinReward::Least(least)), _, _) => Some(least),
            (_, Some(calibration), Some(by)) => {
                if by.is_likelihood() {
                    calibration.check_style(Style::Chat)?;
                } else {
                    calibration.check_head(&model)?;
                    if calibration.head.is_none() {
                        say(
                            "warning: the calibration does not say which preference head it was made with; make it anew with `dph-eval calibrate`",
                        );
                    }
                }
                Some(calibration.threshold(&by.to_string())?)
            }
            _ => None,
        };
        if self.per_token && model.heads().is_empty() {
            return Err(Failure::request(format!(
                "{} has no preference head, so there are no rewards for --per-token; train one with `dph-train`",
                self.dir.display()
            )));
        }
        let scoring = Scoring {
            token_budget: self.device.token_budget,
            log_likelihood: scorers.iter().any(Scorer::is_likelihood),
            rewards: scorers.iter().any(|scorer| !scorer.is_likelihood()),
            unconditional: scorers.contains(&Scorer::LoglikRelative),
        };
        let (eager, total, name) = (source.eager, source.bytes, source.name.clone());
        let mut line = Progress::beside_output();
        let (mut ranked, mut wrong) = (0, 0);
        let (send, receive) = mpsc::sync_channel(2 * CHUNK);
        let outcome = thread::scope(|scope| {
            // Dropped at the end of this closure, on errors as well, so that the reader stops.
            let receive = receive;
            scope.spawn(|| source.read(&model, send));
            while let Some(chunk) = next_chunk(&receive, eager) {
                let read = chunk.last().map_or(0, |item| item.end);
                for answer in self.rank(&model, chunk, &scoring, &scorers, min_reward)? {
                    match answer {
                        Ok(text) => {
                            ranked += 1;
                            writeln!(out, "{text}")?;
                        }
                        Err(problem) => {
                            wrong += 1;
                            line.interrupt(&format!("{name}:{}: {}", problem.line, problem.message));
                            if self.json {
                                writeln!(out, "{}", json!({"line": problem.line, "error": problem.message}))?;
                            }
                        }
                    }
                }
                out.flush()?;
                let share = total.map(|total| read as f64 / total.max(1) as f64);
                line.update(&Done { what: "ranking", count: ranked, unit: "sets", share, ..Done::default() });
            }
            Ok::<(), Failure>(())
        });
        line.finish();
        outcome?;
        if ranked + wrong == 0 {
            say(&format!("{name}: there are no requests; give one a line, such as {EXAMPLE}"));
        }
        match wrong {
            0 => Ok(()),
            _ => Err(Failure::Partly(format!(
                "{wrong} of {} could not be ranked",
                counted((ranked + wrong) as usize, "request")
            ))),
        }
    }

    /// Where the requests come from. Invalid flags are reported here, before a model is loaded.
    fn source(&self) -> Result<Source, Failure> {
        if let Some(prompt) = &self.prompt {
            let system = self.system.iter().map(Message::system);
            let request = RankRequest {
                id: None,
                prompt: system.chain([Message::user(prompt)]).collect(),
                candidates: self.candidate.clone(),
            };
            return Ok(Source::one(request));
        }
        match self.input.as_deref().filter(|path| path.as_os_str() != "-") {
            Some(path) => Source::file(path)
                .map_err(|error| Failure::request(format!("--input {}: {error}", path.display()))),
            None if self.input.is_none() && io::stdin().is_terminal() => Err(Failure::request(
                "no requests; give --prompt with --candidate, or --input FILE, or pipe requests into stdin",
            )),
            None => Ok(Source::stdin()),
        }
    }

    /// The scorers; candidates are sorted by the first one.
    fn scorers(&self, model: &Model) -> Result<Vec<Scorer>, Failure> {
        let none = model.heads().is_empty();
        let choices = match &self.scorer[..] {
            choices if none && choices.iter().any(ScorerChoice::rewards) => {
                return Err(Failure::request(format!(
                    "{} has no preference head; train one with `dph-train`, or use --scorer log",
                    self.dir.display()
                )));
            }
            choices if !model.backbone.has_output() && choices.iter().any(ScorerChoice::log_likelihood) => {
                return Err(Failure::request(format!("{}: {}", self.dir.display(), ScoreError::NoOutput)));
            }
            choices if choices.iter().any(|choice| choice.mixture().is_some()) => {
                return Err(Failure::request(
                    "a mixture has a weight that `bench` chooses on tasks; rank by `reward:HEAD`, or by a weighted sum of heads",
                ));
            }
            choices if choices.contains(&ScorerChoice::Classifier) => {
                return Err(Failure::request(
                    "a classifier answers the tasks of `bench`; rank by `log`, `reward` or `reward:HEAD`",
                ));
            }
            [] if none => {
                say(&format!("{} has no preference head: ranking by log-likelihood", self.dir.display()));
                vec![ScorerChoice::Log]
            }
            [] => vec![ScorerChoice::Reward],
            choices => choices.to_vec(),
        };
        let of_plain_text = model.head.as_ref().is_some_and(|(_, config)| config.style == Style::Plain);
        if of_plain_text && choices.iter().any(ScorerChoice::rewards) {
            return Err(Failure::request(format!(
                "the preference head of {} was trained on documents in the style `plain`, and rank lays out conversations: the head reads \
                 the state behind an answer, which differs; use --scorer log, or a head that was trained in the style `chat`",
                self.dir.display()
            )));
        }
        let scorers = choices.iter().map(|choice| choice.scorers(Style::Chat, model.heads(), &|_| None));
        let scorers = scorers.collect::<Result<Vec<_>, _>>().map_err(Failure::request)?;
        Ok(ranking_order(scorers.concat()))
    }

    /// The rankings of a chunk of requests, in their order, as they are printed.
    fn rank(
        &self,
        model: &Model,
        chunk: Vec<Item>,
        scoring: &Scoring,
        scorers: &[Scorer],
        min_reward: Option<f64>,
    ) -> Result<Vec<Result<String, Problem>>, Failure> {
        let (mut sets, mut requests) = (Vec::new(), Vec::new());
        for item in chunk {
            requests.push(item.request.map(|(request, set)| {
                sets.push(set);
                request
            }));
        }
        let scores = score(model, &sets, scoring, &mut |_| {})?;
        let mut of_tokens = match self.per_token {
            true => token_rewards(model, &sets, scoring.token_budget)?,
            false => Vec::new(),
        }
        .into_iter();
        let heads: Vec<Scorer> = Scorer::rewards(model.heads()).collect();
        let mut scored = sets.iter().zip(scores);
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            let request = match request {
                Ok(request) => request,
                Err(problem) => {
                    answers.push(Err(problem));
                    continue;
                }
            };
            let Some((set, scores)) = scored.next() else { break };
            let mut ranking = Ranking::new(&request, &scores, scorers);
            if let Some(least) = min_reward {
                ranking = ranking.with_min_reward(least);
            }
            let view = self.show_tokens.then(|| TokenView::new(&model.tokenizer, set)).transpose()?;
            let rewards =
                of_tokens.next().map(|rewards| SetTokenRewards { set, rewards, heads: heads.clone() });
            answers.push(Ok(match self.json {
                true => to_json(&ranking, view.as_ref(), rewards.as_ref())?.to_string(),
                false => {
                    let rewards = rewards.map(|rewards| rewards.to_text(&model.tokenizer)).transpose()?;
                    let view = view.map(|view| view.to_text());
                    let more = rewards.into_iter().chain(view);
                    let texts: Vec<String> =
                        std::iter::once(ranking.to_text(&request, scorers)).chain(more).collect();
                    texts.join("\n")
                }
            }));
        }
        Ok(answers)
    }
}

/// The value of --min-reward.
#[derive(Debug, Clone, Copy, PartialEq)]
enum MinReward {
    Auto,
    Least(f64),
}

impl FromStr for MinReward {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(least) if f64::is_finite(least) => Ok(Self::Least(least)),
            _ => Err("it is a number, or `auto`".into()),
        }
    }
}

const EXAMPLE: &str = r#"{"prompt": "Who wrote it?", "candidates": ["Ann.", "Bob."]}"#;

fn to_json(
    ranking: &Ranking,
    tokens: Option<&TokenView>,
    rewards: Option<&SetTokenRewards<'_>>,
) -> serde_json::Result<Value> {
    let mut line = serde_json::to_value(ranking)?;
    if let (Some(rewards), Some(ranked)) = (rewards, line["ranking"].as_array_mut()) {
        for (value, candidate) in ranked.iter_mut().zip(&ranking.ranking) {
            value["token_rewards"] = rewards.to_json(candidate.index);
        }
    }
    if let Some(tokens) = tokens {
        line["tokens"] = json!(tokens);
    }
    Ok(line)
}
