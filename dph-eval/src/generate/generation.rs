//! [`Generation`]: answers to prompts that grow token by token.

use dph_core::{Ending, PreferenceHead, PreferenceHeadConfig, RewardStream};
use dph_model::{AnswerId, Answers, Computed, Prompts, Sampling};

use crate::generate::answer::{Answer, AnswerSet};
use crate::generate::check::{check, check_prompt};
use crate::generate::error::GenerationError;
use crate::generate::generated_token::GeneratedToken;
use crate::generate::growing_answer::GrowingAnswer;
use crate::generate::prefix_cache::PrefixCache;
use crate::generate::prompt_answers::PromptAnswers;
use crate::generate::rescore::rescore;
use crate::generate::selection::choose;
use crate::generate::settings::BestOf;
use crate::generate::stop_strings::StopStrings;
use crate::generate::wave::{Rules, Wave};
use crate::model::Model;

/// Answers to prompts that grow together, one token at a [`step`](Self::step). [`generate`](crate::generate()) takes all steps.
pub struct Generation<'a> {
    model: &'a Model,
    settings: BestOf,
    sampling: Sampling,
    stops: StopStrings,
    computed: Prompts<'a>,
    /// Rewards of empty answers; `None` if the states of growing answers give none.
    rewards: Option<RewardStream<'a>>,
    all: Vec<PromptAnswers>,
    /// The answers that grow; `None` when all are there.
    wave: Option<Wave<'a>>,
    /// The first answer of the wave to each prompt.
    first: Vec<usize>,
}

impl<'a> Generation<'a> {
    /// Computes the prompts, given in tokens.
    ///
    /// # Errors
    ///
    /// As [`generate`](crate::generate()).
    pub fn new(model: &'a Model, prompts: &[Vec<u32>], settings: &BestOf) -> Result<Self, GenerationError> {
        Self::with_prefixes(model, prompts, settings, &mut PrefixCache::default())
    }

    /// The same, where a single prompt may begin with tokens that the cache has, and is kept in it. The answers are the same up to
    /// floating-point rounding.
    ///
    /// # Errors
    ///
    /// As [`generate`](crate::generate()).
    pub fn with_prefixes(
        model: &'a Model,
        prompts: &[Vec<u32>],
        settings: &BestOf,
        prefixes: &mut PrefixCache,
    ) -> Result<Self, GenerationError> {
        check(model, settings)?;
        let computed = Self::prompts(model, &[prompts], prefixes)?.remove(0);
        Self::start(model, computed, settings)
    }

    /// Computes the prompts of several requests, which may begin with tokens that the cache has and are kept in it, in one pass over the
    /// model.
    pub(crate) fn prompts(
        model: &'a Model,
        requests: &[&[Vec<u32>]],
        prefixes: &mut PrefixCache,
    ) -> Result<Vec<Prompts<'a>>, GenerationError> {
        requests.iter().copied().flatten().try_for_each(|prompt| check_prompt(model, prompt))?;
        let layers = streamed(model).map_or(&[][..], |(_, config)| config.aggregation.layers_needed());
        Ok(prefixes.prompts(&model.backbone, requests, layers)?)
    }

    /// Starts the answers to prompts that were computed by [`prompts`](Self::prompts), by settings that the model can follow.
    pub(crate) fn start(
        model: &'a Model,
        computed: Prompts<'a>,
        settings: &BestOf,
    ) -> Result<Self, GenerationError> {
        let rewards = streamed(model)
            .map(|(head, _)| head.reward_stream(computed.states(), computed.padding(), computed.tokens()));
        let all = computed.tokens().iter().map(|prompt| PromptAnswers::new(prompt.len())).collect();
        let mut generation = Self {
            model,
            settings: settings.clone(),
            sampling: Sampling { stop: stop_tokens(model), ..settings.sampling.clone() },
            stops: StopStrings::new(&settings.stop_strings),
            computed,
            rewards,
            all,
            wave: None,
            first: Vec::new(),
        };
        generation.start_wave()?;
        Ok(generation)
    }

    /// Adds a token to every answer that grows, and calls `on_token` for each. Returns whether answers may grow further.
    ///
    /// # Errors
    ///
    /// A defect of the model or its tokenizer: settings and prompts have been checked.
    pub fn step(&mut self, on_token: &mut dyn FnMut(GeneratedToken)) -> Result<bool, GenerationError> {
        self.draw(on_token)?;
        let computed = Self::compute_together(vec![self])?.pop().flatten();
        self.take(computed)
    }

    /// The first part of a [`step`](Self::step): draws the tokens.
    pub(crate) fn draw(&mut self, on_token: &mut dyn FnMut(GeneratedToken)) -> Result<(), GenerationError> {
        let rules = Rules { stops: &self.stops, tokenizer: &self.model.tokenizer };
        self.wave.as_mut().map_or(Ok(()), |wave| wave.draw(&rules, &mut self.all, on_token))
    }

    /// The second part of the [`step`](Self::step)s of several requests to a model, in one pass over it: computes the drawn tokens.
    pub(crate) fn compute_together(all: Vec<&mut Self>) -> Result<Vec<Option<Computed>>, GenerationError> {
        let mut computed: Vec<Option<Computed>> = all.iter().map(|_| None).collect();
        let (mut growing, mut places) = (Vec::new(), Vec::new());
        for (place, Self { wave, settings, .. }) in all.into_iter().enumerate() {
            if let Some(wave) = wave {
                growing.push(wave.next(settings));
                places.push(place);
            }
        }
        for (place, of_answers) in places.into_iter().zip(Answers::compute_together(growing)?) {
            computed[place] = of_answers;
        }
        Ok(computed)
    }

    /// The last part of a [`step`](Self::step): takes what was computed.
    pub(crate) fn take(&mut self, computed: Option<Computed>) -> Result<bool, GenerationError> {
        let Some(wave) = &mut self.wave else { return Ok(false) };
        if wave.take(computed, &self.settings, &mut self.all) {
            return Ok(true);
        }
        self.end_wave()?;
        self.start_wave()
    }

    /// The rewards of an answer, as far as it has grown; empty where they have not been computed. They are computed at every token only
    /// with [`token_rewards`](BestOf::token_rewards), and otherwise when an answer ends.
    ///
    /// # Panics
    ///
    /// If there is no such prompt.
    pub fn rewards(&self, prompt: usize, answer: usize) -> &[f32] {
        self.all[prompt].answers.get(answer).map_or(&[], |answer| &answer.rewards)
    }

    /// Scores the answers that have ended since the last time and whose scores are not those of growing answers, so that
    /// [`ended`](Self::ended) has them before the others have ended.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn rescore(&mut self) -> Result<(), GenerationError> {
        let (has_rewards, is_streamed) = (self.model.head.is_some(), self.rewards.is_some());
        rescore(self.model, &self.computed, has_rewards, is_streamed, &mut self.all, &self.first)
    }

    /// An answer to a prompt, both by their numbers, that has ended, with the scores that it has in the end; `None` while it grows.
    ///
    /// # Errors
    ///
    /// If its tokens are no text.
    ///
    /// # Panics
    ///
    /// If there is no prompt with this number.
    pub fn ended(&self, prompt: usize, answer: usize) -> Result<Option<Answer>, GenerationError> {
        let growing = self.all[prompt].answers.get(answer).filter(|answer| answer.end.is_some());
        Ok(growing.map(|answer| answer.clone().finish(&self.model.tokenizer)).transpose()?)
    }

    /// Number of tokens that were generated so far.
    pub fn generated(&self) -> usize {
        self.all.iter().map(|answers| answers.usage.generated).sum()
    }

    /// The answers, as far as they have grown, and the choice among them.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn finish(self) -> Result<Vec<AnswerSet>, GenerationError> {
        let Self { model, settings, computed, all, .. } = self;
        let finish = |(prompt, answers): (&Vec<u32>, PromptAnswers)| {
            let usage = answers.usage;
            let finished = answers.answers.into_iter().map(|answer| answer.finish(&model.tokenizer));
            let answers: Vec<_> = finished.collect::<Result<_, _>>()?;
            let chosen = choose(&answers, &settings, prompt);
            Ok(AnswerSet { answers, chosen, usage })
        };
        computed.tokens().iter().zip(all).map(finish).collect()
    }

    /// Starts the next answers of the prompts that are not done. Returns whether there are any.
    fn start_wave(&mut self) -> Result<bool, GenerationError> {
        let ids = next_wave(&self.all, &self.settings);
        if ids.is_empty() {
            return Ok(false);
        }
        self.first = self.all.iter().map(|prompt| prompt.answers.len()).collect();
        let (rewards, end) = (self.rewards.clone(), self.model.tokenizer.end_of_turn_id());
        self.wave = Some(Wave::start(&self.computed, rewards, ids, &self.sampling, end, &mut self.all)?);
        Ok(true)
    }

    fn end_wave(&mut self) -> Result<(), GenerationError> {
        self.wave = None;
        self.rescore()?;
        self.all.iter_mut().flat_map(|prompt| &mut prompt.answers).for_each(GrowingAnswer::take_scores);
        let settings = &self.settings;
        for prompt in &mut self.all {
            prompt.is_done = prompt.answers.len() >= settings.answers
                || settings.stopping.is_some_and(|stopping| stopping.is_enough(&prompt.values(settings)));
        }
        Ok(())
    }
}

/// The head, if the states of growing answers give its rewards: of the model's states, those of whole answers only are the same while answers
/// grow, and a head that reads the end of the conversation needs the tokens behind the answer.
fn streamed(model: &Model) -> Option<&(PreferenceHead, PreferenceHeadConfig)> {
    let is_streamed = model.backbone.is_packable() && model.tokenizer.ending() == Ending::Turn;
    model.head.as_ref().filter(|_| is_streamed)
}

/// The answers to generate next: those of one wave for each prompt that is not done.
fn next_wave(all: &[PromptAnswers], settings: &BestOf) -> Vec<AnswerId> {
    let size = settings.stopping.map_or(settings.answers, |stopping| stopping.wave);
    let of_prompt = |(prompt, answers): (usize, &PromptAnswers)| {
        let first = answers.answers.len();
        let end = if answers.is_done { first } else { settings.answers.min(first + size) };
        (first..end).map(move |number| AnswerId { prompt, number: number as u64 })
    };
    all.iter().enumerate().flat_map(of_prompt).collect()
}

/// The tokens with which the model ends a turn or a text.
fn stop_tokens(model: &Model) -> Vec<u32> {
    let tokenizer = &model.tokenizer;
    [Some(tokenizer.end_of_turn_id()), tokenizer.eos_id()].into_iter().flatten().collect()
}
