//! [`Growing`]: a request whose answers grow.

use std::time::{Duration, Instant};

use dph_model::{Computed, Prompts};
use tokio::sync::mpsc::UnboundedSender;

use super::generate_job::{EndedAnswer, Event, GenerateJob, GrownBy};
use super::score_job::WorkError;
use crate::generate::{AnswerSet, GeneratedToken, Generation, GenerationError, TextStream};
use crate::model::Model;

/// A request whose answers grow, a token at a time: [`draw`](Self::draw), [`compute`](Self::compute) together with others,
/// [`take`](Self::take).
pub struct Growing<'a> {
    job: GenerateJob,
    start: Instant,
    generation: Generation<'a>,
    /// The text of every answer to every prompt, if it is told; `None` once its end is told.
    texts: Vec<Vec<Option<TextStream<'a>>>>,
    drawn: Vec<GeneratedToken>,
}

impl<'a> Growing<'a> {
    /// Starts the answers of a request whose prompts were computed. `None` if that fails, which is told.
    pub fn new(model: &'a Model, job: GenerateJob, computed: Result<Prompts<'a>, WorkError>) -> Option<Self> {
        let start = Instant::now();
        let text = |_| Some(TextStream::new(&model.tokenizer, &job.settings.stop_strings));
        let told = if job.streams { job.prompts.len() } else { 0 };
        let texts = (0..told).map(|_| (0..job.settings.answers).map(text).collect()).collect();
        let refused = |error: GenerationError| WorkError::Refused(error.to_string());
        let start_answers = |computed| Generation::start(model, computed, &job.settings).map_err(refused);
        match computed.and_then(start_answers) {
            Ok(generation) => Some(Self { job, start, generation, texts, drawn: Vec::new() }),
            Err(error) => {
                end(job, Err(error));
                None
            }
        }
    }

    /// Number of tokens that were generated so far.
    pub fn generated(&self) -> usize {
        self.generation.generated()
    }

    /// Takes what happens.
    pub fn events(&self) -> &UnboundedSender<Event> {
        &self.job.events
    }

    /// Draws the next token of every answer.
    pub fn draw(&mut self) -> Result<(), GenerationError> {
        let Self { generation, drawn, .. } = self;
        drawn.clear();
        generation.draw(&mut |token| drawn.push(token))
    }

    /// Computes the tokens that were drawn, in one pass over the model.
    pub fn compute(all: &mut [Self]) -> Result<Vec<Option<Computed>>, GenerationError> {
        Generation::compute_together(all.iter_mut().map(|growing| &mut growing.generation).collect())
    }

    /// Takes what was computed, and tells tokens and ends. Returns whether the answers may grow further.
    pub fn take(&mut self, computed: Option<Computed>) -> Result<bool, GenerationError> {
        let goes_on = self.generation.take(computed)?;
        if !self.job.streams {
            return Ok(goes_on);
        }
        for &GeneratedToken { prompt, answer, token, log_prob } in &self.drawn {
            let Some(text) = &mut self.texts[prompt][answer] else { continue };
            let text = text.push(token)?;
            let rewards = match self.job.settings.token_rewards {
                true => self.generation.rewards(prompt, answer).to_vec(),
                false => Vec::new(),
            };
            // Whoever asked may have left.
            let _ = self.job.events.send(Event::Token(GrownBy {
                prompt,
                answer,
                token,
                text,
                log_prob,
                rewards,
            }));
        }
        if goes_on {
            self.tell_ends()?;
        }
        Ok(goes_on)
    }

    /// Tells which answers have ended while others grow.
    fn tell_ends(&mut self) -> Result<(), GenerationError> {
        self.generation.rescore()?;
        for (prompt, texts) in self.texts.iter_mut().enumerate() {
            for (number, text) in texts.iter_mut().enumerate().filter(|(_, text)| text.is_some()) {
                if let Some(answer) = self.generation.ended(prompt, number)? {
                    *text = None;
                    // Whoever asked may have left.
                    let _ =
                        self.job.events.send(Event::Ended(Box::new(EndedAnswer { prompt, number, answer })));
                }
            }
        }
        Ok(())
    }

    /// Gives the answers to whoever asked. Returns the time since the beginning and the number of generated tokens.
    pub fn finish(self) -> (Duration, usize) {
        let sets = self.generation.finish();
        let tokens = sets.iter().flatten().map(|set| set.usage.generated).sum();
        end(self.job, sets.map_err(|error| WorkError::Refused(error.to_string())));
        (self.start.elapsed(), tokens)
    }

    /// Gives an error to whoever asked.
    pub fn fail(self, error: WorkError) {
        end(self.job, Err(error));
    }
}

/// Gives the outcome to whoever asked.
fn end(job: GenerateJob, outcome: Result<Vec<AnswerSet>, WorkError>) {
    let GenerateJob { events, place, .. } = job;
    drop(place);
    // Whoever asked may have left.
    let _ = events.send(Event::Done(outcome));
}
