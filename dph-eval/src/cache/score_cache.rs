//! [`ScoreCache`]: the scores of finished batches, so that an evaluation that was killed continues.

use std::path::{Path, PathBuf};

use dph_core::{Batch, CandidateScores};

use super::record_log::{Key, LogError, RecordLog};
use crate::model::{Model, ModelError};
use crate::scoring::{HeadRef, Scoring};

/// File name of the scores of finished batches, beside `results.json`.
pub const CACHE_FILE: &str = "scores.cache";

/// Version of keys and contents. Increase it when the meaning of either changes.
const FORMAT: u32 = 1;

/// The scores of batches that are finished, in a file. Each is stored under a hash of all that it depends on, so a file never
/// gives the scores of another model, head, text or version of the program.
///
/// A file that cannot be used is never an error: the scores are then computed, and [`problems`](Self::problems) says why.
#[derive(Debug)]
pub struct ScoreCache {
    path: PathBuf,
    log: Option<RecordLog>,
    problems: Vec<String>,
}

impl ScoreCache {
    /// Opens or creates a file. With `fresh`, what it contains is removed first.
    pub fn open(path: &Path, fresh: bool) -> Self {
        let mut cache = Self { path: path.to_owned(), log: None, problems: Vec::new() };
        match RecordLog::open(path, fresh) {
            Ok((log, damaged)) => {
                cache.log = Some(log);
                if damaged > 0 {
                    cache.problem(format!(
                        "{damaged} bytes are damaged and were dropped; their scores are computed again"
                    ));
                }
            }
            Err(LogError::Foreign) => {
                cache
                    .problem("it is not a file of scores, so none are kept; remove it or use --fresh".into());
            }
            Err(error) => cache.problem(format!("{error}; the scores of this evaluation are not kept")),
        }
        cache
    }

    /// Why scores were not read or not kept; empty if all is well.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The scores of a batch, if they are in the file.
    pub(crate) fn get(&self, key: &ScoreKey, batch: &Batch) -> Option<Vec<CandidateScores>> {
        key.decode(self.log.as_ref()?.get(&key.batch(batch))?, batch.candidates())
    }

    /// Adds the scores of a batch. An error of the disk ends the keeping of scores, not the evaluation.
    pub(crate) fn insert(&mut self, key: &ScoreKey, batch: &Batch, scores: &[CandidateScores]) {
        let Some(log) = &mut self.log else { return };
        if let Err(error) = log.append(key.batch(batch), encode(scores)) {
            self.log = None;
            self.problem(format!("{error}; the scores of this evaluation are no longer kept"));
        }
    }

    fn problem(&mut self, message: String) {
        self.problems.push(format!("{}: {message}", self.path.display()));
    }
}

/// The part of a record's key that all batches of an evaluation share.
#[derive(Debug)]
pub(crate) struct ScoreKey {
    hash: blake3::Hasher,
    /// Number of rewards of a candidate.
    rewards: usize,
}

impl ScoreKey {
    /// The key of an evaluation; `None` for a model that is only in memory.
    ///
    /// # Errors
    /// The files of the model cannot be read.
    pub fn new(model: &Model, heads: &[HeadRef<'_>], scoring: &Scoring) -> Result<Option<Self>, ModelError> {
        let Some(content) = model.content_hash()? else { return Ok(None) };
        let mut key = Self { hash: blake3::Hasher::new(), rewards: 0 };
        let device = format!("{:?}", model.backbone.device());
        key.part(&FORMAT.to_le_bytes());
        for text in
            [env!("CARGO_PKG_VERSION"), &content, &device, &format!("{:?}", model.backbone.precision())]
        {
            key.part(text.as_bytes());
        }
        key.part(&[u8::from(scoring.log_likelihood), u8::from(scoring.rewards)]);
        for (head, config) in heads.iter().filter(|_| scoring.rewards) {
            key.rewards += config.rewards.len();
            key.part(&serde_json::to_vec(config).unwrap_or_default());
            key.part(&head.to_safetensors(config));
        }
        Ok(Some(key))
    }

    /// The key of a batch.
    fn batch(&self, batch: &Batch) -> Key {
        let mut key = Self { hash: self.hash.clone(), rewards: 0 };
        key.numbers([batch.rows, batch.seq]);
        for numbers in [&batch.tokens, &batch.positions, &batch.segments] {
            key.part(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
        }
        key.numbers(
            batch.targets.iter().flat_map(|target| [target.state, target.token as usize, target.candidate]),
        );
        key.numbers(batch.answers.iter().copied());
        key.numbers(batch.ends.iter().copied());
        key.hash.finalize().into()
    }

    /// The scores in a record; `None` if it does not have this number of candidates.
    fn decode(&self, content: &[u8], candidates: usize) -> Option<Vec<CandidateScores>> {
        let width = size_of::<f64>() + self.rewards * size_of::<f32>();
        let scores = |bytes: &[u8]| {
            let (loglik, rewards) = bytes.split_first_chunk()?;
            let rewards = rewards.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            Some(CandidateScores {
                loglik: f64::from_le_bytes(*loglik),
                rewards,
                ..CandidateScores::default()
            })
        };
        (content.len() == candidates * width).then(|| content.chunks_exact(width).map(scores).collect())?
    }

    fn numbers(&mut self, numbers: impl IntoIterator<Item = usize>) {
        let bytes: Vec<u8> = numbers.into_iter().flat_map(|number| (number as u64).to_le_bytes()).collect();
        self.part(&bytes);
    }

    fn part(&mut self, bytes: &[u8]) {
        self.hash.update(&(bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }
}

/// Log-likelihood and rewards of each candidate, little-endian.
fn encode(scores: &[CandidateScores]) -> Vec<u8> {
    let mut content = Vec::new();
    for scores in scores {
        content.extend(scores.loglik.to_le_bytes());
        content.extend(scores.rewards.iter().flat_map(|reward| reward.to_le_bytes()));
    }
    content
}
