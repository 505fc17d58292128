//! The settings of `dph-eval generate`: flags, and the same keys in a TOML file.

use std::path::Path;

use clap::Args;
use dph_core::terminal::Failure;
use dph_core::text_file::read_text;
use dph_eval::{BestOf, Model, Rejection, Selection, Stopping};
use dph_model::Sampling;
use serde::{Deserialize, Serialize};

use super::device::positive;

/// Each answer needs about 70 KB and its part of the cache of keys and values.
const MOST_ANSWERS: usize = 1 << 14;

/// How answers are generated and one of them is chosen. Flags take precedence over the file.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SettingsArgs {
    /// Generate N answers and choose one of them
    #[arg(long, value_name = "N", value_parser = positive)]
    best_of: Option<usize>,

    /// How one of the answers is chosen: reward, loglik, self-certainty or random [default: reward, or loglik for a model without
    /// a preference head]
    #[arg(long, value_name = "HOW")]
    selection: Option<Selection>,

    /// The reward head that chooses and rejects [default: the first]
    #[arg(long, value_name = "NAME")]
    head: Option<String>,

    /// Add W times the mean log-likelihood of the tokens to the reward that chooses, rejects and stops [default: 0]
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    loglik_weight: Option<f64>,

    /// Divisor of the logits; 0 is greedy [default: 0 for one answer, otherwise 1]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f64>,

    /// Sample only from the K most likely tokens; 0 for all [default: 0]
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,

    /// Sample only from the most likely tokens with a total probability of P [default: 1]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f64>,

    /// Make tokens less likely that have occurred; 1 for no penalty [default: 1]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    repetition_penalty: Option<f64>,

    /// Most tokens of an answer [default: 256]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,

    /// A text that ends an answer and does not belong to it; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Vec<String>,

    /// Random seed. An answer depends on the seed, its prompt and its number [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Drop the answers with the lowest rewards so far every M tokens
    #[arg(long, value_name = "M", value_parser = positive)]
    reject_every: Option<usize>,

    /// The share of the answers that is dropped each time [default: 0.5]
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    reject_fraction: Option<f64>,

    /// The number of answers that are never dropped [default: 1]
    #[arg(long, value_name = "N", value_parser = positive)]
    reject_minimum: Option<usize>,

    /// Generate no further answers where the expected gain in reward by one more answer is below this price, whatever --selection is
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    price: Option<f64>,

    /// Answers that are generated together before the gain is estimated again [default: 4]
    #[arg(long, value_name = "N", value_parser = positive)]
    wave: Option<usize>,

    /// Also print the reward at every token: that of the answer so far. Under an end-of-turn aggregation it is the reward that the answer
    /// would have if its turn ended there, which `rank --per-token` does not compute
    #[arg(long)]
    per_token: bool,
}

impl SettingsArgs {
    /// These flags, and the keys of a file for those that are not given.
    pub fn with_file(self, path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(self) };
        let text = read_text(path)
            .map_err(|error| Failure::request(format!("--settings {}: {error}", path.display())))?;
        let file: Self = toml::from_str(&text)
            .map_err(|error| Failure::request(format!("--settings {}: {error}", path.display())))?;
        file.check_counts().map_err(|key| {
            Failure::request(format!("--settings {}: {key} must be at least 1", path.display()))
        })?;
        Ok(Self {
            best_of: self.best_of.or(file.best_of),
            selection: self.selection.or(file.selection),
            head: self.head.or(file.head),
            loglik_weight: self.loglik_weight.or(file.loglik_weight),
            temperature: self.temperature.or(file.temperature),
            top_k: self.top_k.or(file.top_k),
            top_p: self.top_p.or(file.top_p),
            repetition_penalty: self.repetition_penalty.or(file.repetition_penalty),
            max_tokens: self.max_tokens.or(file.max_tokens),
            stop: if self.stop.is_empty() { file.stop } else { self.stop },
            seed: self.seed.or(file.seed),
            reject_every: self.reject_every.or(file.reject_every),
            reject_fraction: self.reject_fraction.or(file.reject_fraction),
            reject_minimum: self.reject_minimum.or(file.reject_minimum),
            price: self.price.or(file.price),
            wave: self.wave.or(file.wave),
            per_token: self.per_token || file.per_token,
        })
    }

    /// What [`positive`] checks for flags; the key that is 0.
    fn check_counts(&self) -> Result<(), &'static str> {
        let counts = [
            ("best_of", self.best_of),
            ("reject_every", self.reject_every),
            ("reject_minimum", self.reject_minimum),
            ("wave", self.wave),
        ];
        match counts.into_iter().find(|(_, count)| *count == Some(0)) {
            Some((key, _)) => Err(key),
            None => Ok(()),
        }
    }

    /// The settings for a model.
    pub fn best_of(&self, model: &Model) -> Result<BestOf, Failure> {
        let answers = self.best_of.unwrap_or(1);
        self.check_effect(answers)?;
        let default = if model.heads().is_empty() { Selection::Loglik } else { Selection::Reward };
        let base = Sampling::default();
        Ok(BestOf {
            answers,
            sampling: Sampling {
                temperature: self.temperature.unwrap_or(if answers == 1 { 0.0 } else { 1.0 }),
                top_k: self.top_k.unwrap_or(base.top_k),
                top_p: self.top_p.unwrap_or(base.top_p),
                repetition_penalty: self.repetition_penalty.unwrap_or(base.repetition_penalty),
                max_tokens: self.max_tokens.unwrap_or(base.max_tokens),
                seed: self.seed.unwrap_or(base.seed),
                stop: Vec::new(),
            },
            stop_strings: self.stop.clone(),
            selection: self.selection.unwrap_or(default),
            head: self.head_index(model)?,
            loglik_weight: self.loglik_weight.unwrap_or(0.0),
            rejection: self.rejection()?,
            stopping: self.stopping()?,
            token_rewards: self.per_token,
        })
    }

    /// Refuses what would have no effect, and more answers than fit into memory together.
    fn check_effect(&self, answers: usize) -> Result<(), Failure> {
        if answers > MOST_ANSWERS {
            return Err(Failure::request(format!(
                "--best-of {answers}: at most {MOST_ANSWERS} answers grow together; choose fewer"
            )));
        }
        if self.stop.iter().any(String::is_empty) {
            return Err(Failure::request("--stop: an empty text ends no answer; leave it out"));
        }
        let of_several = [(self.reject_every.is_some(), "--reject-every"), (self.price.is_some(), "--price")];
        match of_several.into_iter().find(|(given, _)| *given && answers == 1) {
            Some((_, flag)) => {
                Err(Failure::request(format!("{flag} has no effect on one answer; give --best-of as well")))
            }
            None => Ok(()),
        }
    }

    fn rejection(&self) -> Result<Option<Rejection>, Failure> {
        let base = Rejection::default();
        match self.reject_every {
            Some(every) => Ok(Some(Rejection {
                every,
                fraction: self.reject_fraction.unwrap_or(base.fraction),
                minimum: self.reject_minimum.unwrap_or(base.minimum),
            })),
            None if self.reject_fraction.is_some() || self.reject_minimum.is_some() => Err(Failure::request(
                "--reject-fraction and --reject-minimum need --reject-every, the number of tokens between two rounds",
            )),
            None => Ok(None),
        }
    }

    fn stopping(&self) -> Result<Option<Stopping>, Failure> {
        match (self.price, self.wave) {
            (Some(price), wave) => {
                let base = Stopping::new(price);
                Ok(Some(Stopping { wave: wave.unwrap_or(base.wave), ..base }))
            }
            (None, Some(_)) => Err(Failure::request("--wave needs --price, the price of an answer")),
            (None, None) => Ok(None),
        }
    }

    fn head_index(&self, model: &Model) -> Result<usize, Failure> {
        let Some(name) = &self.head else { return Ok(0) };
        model.heads().iter().position(|head| head == name).ok_or_else(|| {
            let heads = match model.heads() {
                [] => "none".to_owned(),
                heads => heads.join(", "),
            };
            Failure::request(format!("--head {name}: {} has no such reward head; it has {heads}", model.name))
        })
    }
}
