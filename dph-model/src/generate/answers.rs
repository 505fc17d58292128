//! [`Answers`]: answers that grow together, token by token.

use std::sync::Arc;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::choice::{Choice, Drawn};
use super::error::GenerateError;
use super::finish::Finish;
use super::last_layer::{LastToo, logits, states_at};
use super::prompts::Prompts;
use super::sampling::{Sampler, Sampling};
use crate::backbone::{Backbone, Extension};
use crate::decoder::Cache;

/// Which answer: its random numbers depend on the seed, the tokens of its prompt and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnswerId {
    /// Index of its prompt.
    pub prompt: usize,
    /// Its number among the answers to this prompt.
    pub number: u64,
}

/// Answers that grow together. Their prompts were computed once.
///
/// [`choose`](Self::choose) draws a token for each answer, [`compute`](Self::compute) computes its state, and so on until no
/// answer grows.
#[derive(Debug)]
pub struct Answers<'a> {
    backbone: &'a Backbone,
    /// Tokens that end an answer.
    stop: Vec<u32>,
    layers: LastToo,
    end: Option<u32>,
    cache: Cache,
    /// Rows of the cache.
    cached: usize,
    /// The answers that grow, in the order of their rows.
    rows: Vec<Row>,
    /// Logits of the rows that go on, and of others that were computed together with them.
    logits: Arc<Vec<f32>>,
}

/// The states that a pass computed.
#[derive(Debug, Clone)]
pub struct Computed {
    /// The answer of each row.
    pub answers: Vec<usize>,
    /// Its new token.
    pub tokens: Vec<u32>,
    /// Whether this token ends the answer.
    pub ended: Vec<bool>,
    /// The states of the requested layers, `[rows, 1, d_model]` each: those of the new tokens. With a probe `[rows, 2,
    /// d_model]`, where the second state is that of the end token behind the new one.
    pub states: Vec<Tensor<3>>,
}

#[derive(Debug)]
struct Row {
    answer: usize,
    /// Row of the cache.
    cached: usize,
    /// Row of the logits.
    logits: usize,
    sampler: Sampler,
    /// Tokens that the answer may still grow by.
    left: usize,
    /// Why it ends when nothing is left.
    limit: Finish,
    /// The token to compute next.
    next: u32,
    ended: bool,
}

impl<'a> Prompts<'a> {
    /// Answers that continue these prompts together. The keys and values of a prompt are not copied, see [`Cache::fork`].
    ///
    /// If there is an `end` token, it is computed behind every answer that ends, so that its state is known, whatever the
    /// answer ended with. An answer then has two tokens less than the context holds.
    ///
    /// # Errors
    ///
    /// If a setting is invalid, or a prompt leaves no room for an answer.
    ///
    /// # Panics
    ///
    /// If a prompt does not exist.
    pub fn answers(
        &self,
        ids: &[AnswerId],
        sampling: &Sampling,
        end: Option<u32>,
    ) -> Result<Answers<'a>, GenerateError> {
        Answers::fork(self, ids, sampling, end)
    }
}

impl<'a> Answers<'a> {
    /// See [`Prompts::answers`].
    fn fork(
        prompts: &Prompts<'a>,
        ids: &[AnswerId],
        sampling: &Sampling,
        end: Option<u32>,
    ) -> Result<Self, GenerateError> {
        // The rows of a prompt are neighbours.
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|&answer| ids[answer].prompt);
        let rows: Vec<usize> = order.iter().map(|&answer| ids[answer].prompt).collect();
        Self::new(prompts, prompts.cache.fork(&rows), ids, &order, sampling, end)
    }

    /// One answer to each prompt, which continues in the cache of the prompts.
    pub(super) fn one_each(
        mut prompts: Prompts<'a>,
        sampling: &Sampling,
        end: Option<u32>,
    ) -> Result<Self, GenerateError> {
        let cache = std::mem::take(&mut prompts.cache);
        let order: Vec<usize> = (0..prompts.tokens.len()).collect();
        let ids: Vec<AnswerId> = order.iter().map(|&prompt| AnswerId { prompt, number: 0 }).collect();
        Self::new(&prompts, cache, &ids, &order, sampling, end)
    }

    fn new(
        prompts: &Prompts<'a>,
        cache: Cache,
        ids: &[AnswerId],
        order: &[usize],
        sampling: &Sampling,
        end: Option<u32>,
    ) -> Result<Self, GenerateError> {
        sampling.check()?;
        let context = prompts.backbone.context();
        // An end token, and one behind it where states are probed.
        let reserved = if end.is_some() { 2 } else { 0 };
        let row = |(cached, &answer): (usize, &usize)| {
            let AnswerId { prompt, number } = ids[answer];
            let tokens = &prompts.tokens[prompt];
            let room = context.saturating_sub(tokens.len() + reserved);
            if room == 0 && reserved > 0 {
                return Err(GenerateError::TooLong { prompt, tokens: tokens.len(), context });
            }
            let limit = if sampling.max_tokens <= room { Finish::Length } else { Finish::Context };
            Ok(Row {
                answer,
                cached,
                logits: prompt,
                sampler: Sampler::new(sampling, tokens, number),
                left: sampling.max_tokens.min(room.max(1)),
                limit,
                next: 0,
                ended: false,
            })
        };
        Ok(Self {
            backbone: prompts.backbone,
            stop: sampling.stop.clone(),
            layers: LastToo::new(&prompts.layers),
            end,
            cache,
            cached: ids.len(),
            rows: order.iter().enumerate().map(row).collect::<Result<_, _>>()?,
            logits: prompts.logits.clone(),
        })
    }

    /// The answers that grow, in the order of their rows.
    pub fn growing(&self) -> impl Iterator<Item = usize> + '_ {
        self.rows.iter().map(|row| row.answer)
    }

    /// Drops answers. They do not grow any more.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        self.rows.retain(|row| keep(row.answer));
    }

    /// Draws the next token of every answer, in the order of the rows.
    pub fn choose(&mut self) -> Vec<Choice> {
        let (vocab, end, logits, stop) = (self.backbone.vocab(), self.end, &self.logits, &self.stop);
        let choose = |row: &mut Row| {
            let (answer, limit) = (row.answer, row.limit);
            let nothing = Choice { answer, token: None, drawn: None, finish: Some(limit) };
            if row.left == 0 {
                row.end(end);
                return nothing;
            }
            let logits = &logits[row.logits * vocab..][..vocab];
            let token = row.sampler.next(logits);
            let drawn = Some(Drawn::new(logits, token));
            if stop.contains(&token) {
                row.end(end);
                return Choice { drawn, finish: Some(Finish::Stop), ..nothing };
            }
            (row.next, row.left) = (token, row.left - 1);
            // Without an end token nothing is computed behind the last token.
            let is_last = row.left == 0 && end.is_none();
            row.ended = is_last;
            Choice { answer, token: Some(token), drawn, finish: is_last.then_some(limit) }
        };
        let choices: Vec<Choice> = self.rows.par_iter_mut().map(choose).collect();
        if end.is_none() {
            self.rows.retain(|row| !row.ended);
        }
        choices
    }

    /// Computes the chosen tokens; `None` if no answer grows. Answers whose end was computed do not grow any more.
    ///
    /// With `probe`, and if there is an end token, it is also computed behind every new token and then forgotten: its state
    /// is the one that the answer would end with here.
    ///
    /// # Errors
    ///
    /// If a layer does not exist.
    pub fn compute(&mut self, probe: bool) -> Result<Option<Computed>, GenerateError> {
        Ok(Self::compute_together(vec![(self, probe)])?.pop().flatten())
    }

    /// [`compute`](Self::compute) for several answers to prompts that were computed apart, each with its `probe`, in one pass over the
    /// model.
    ///
    /// # Errors
    ///
    /// If a layer does not exist.
    ///
    /// # Panics
    ///
    /// If they are of different models, or the prompts were computed with other layers.
    pub fn compute_together(mut all: Vec<(&mut Self, bool)>) -> Result<Vec<Option<Computed>>, GenerateError> {
        let Some((first, _)) = all.first() else { return Ok(Vec::new()) };
        let (backbone, layers) = (first.backbone, first.layers.layers.clone());
        let is_alike =
            |answers: &Self| std::ptr::eq(answers.backbone, backbone) && answers.layers.layers == layers;
        assert!(all.iter().all(|(answers, _)| is_alike(answers)), "answers of different models");
        let tokens: Vec<Vec<i32>> = all.iter_mut().map(|(answers, probe)| answers.next(*probe)).collect();
        let growing: Vec<usize> = (0..all.len()).filter(|&index| !tokens[index].is_empty()).collect();
        let mut extensions = Vec::with_capacity(growing.len());
        for ((answers, _), tokens) in all.iter_mut().zip(&tokens) {
            if !tokens.is_empty() {
                extensions.push(Extension { tokens, rows: answers.rows.len(), cache: &mut answers.cache });
            }
        }
        let states = backbone.extend_together(&mut extensions, &layers)?;
        let mut computed: Vec<Option<Computed>> = all.iter().map(|_| None).collect();
        let mut ends = Vec::new();
        for (index, states) in growing.into_iter().zip(states) {
            let (answers, probe) = &mut all[index];
            let (of_answers, end) = answers.computed(states, *probe);
            computed[index] = Some(of_answers);
            ends.extend(end);
        }
        let logits = Arc::new(logits(backbone, ends));
        let mut row = 0;
        for (answers, _) in &mut all {
            answers.go_on(&logits, &mut row);
        }
        Ok(computed)
    }

    /// The tokens to compute, `[rows, seq]`; none if no answer grows.
    fn next(&mut self, probe: bool) -> Vec<i32> {
        if self.rows.len() < self.cached && !self.rows.is_empty() {
            let rows: Vec<usize> = self.rows.iter().map(|row| row.cached).collect();
            self.cache.keep_rows(&rows);
            self.cached = rows.len();
            self.rows.iter_mut().enumerate().for_each(|(place, row)| row.cached = place);
        }
        let probed = self.end.filter(|_| probe);
        let tokens = self.rows.iter().flat_map(|row| std::iter::once(row.next).chain(probed));
        tokens.map(|token| token as i32).collect()
    }

    /// What was computed, from the states of [`next`](Self::next), and the states of the rows that go on, in their order.
    fn computed(&mut self, states: Vec<Tensor<3>>, probe: bool) -> (Computed, Option<Tensor<2>>) {
        if self.end.is_some() && probe {
            self.cache.forget_last(1);
        }
        let (states, last) = self.layers.split(states);
        let seq = last.dims()[1];
        let going = self.rows.iter().enumerate().filter(|(_, row)| row.goes_on());
        let going: Vec<usize> = going.map(|(place, _)| place * seq).collect();
        let computed = Computed {
            answers: self.growing().collect(),
            tokens: self.rows.iter().map(|row| row.next).collect(),
            ended: self.rows.iter().map(|row| row.ended).collect(),
            states,
        };
        (computed, states_at(last, &going))
    }

    /// Takes the logits of the rows that go on, which begin at `row`.
    fn go_on(&mut self, logits: &Arc<Vec<f32>>, row: &mut usize) {
        self.logits = logits.clone();
        self.rows.retain(|row| !row.ended);
        for going in self.rows.iter_mut().filter(|row| row.goes_on()) {
            going.logits = *row;
            *row += 1;
        }
    }
}

impl Row {
    /// Whether another token is drawn after the next one.
    fn goes_on(&self) -> bool {
        !self.ended && self.left > 0
    }

    fn end(&mut self, end: Option<u32>) {
        self.ended = true;
        self.next = end.unwrap_or(self.next);
    }
}
