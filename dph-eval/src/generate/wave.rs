//! [`Wave`]: answers that grow together until all have ended.

use burn::tensor::Tensor;
use dph_core::RewardStream;
use dph_data::ChatTokenizer;
use dph_model::{AnswerId, Answers, Computed, Prompts, Sampling};

use crate::generate::answer::AnswerEnd;
use crate::generate::error::GenerationError;
use crate::generate::generated_token::GeneratedToken;
use crate::generate::growing_answer::GrowingAnswer;
use crate::generate::prompt_answers::PromptAnswers;
use crate::generate::rejection::Contender;
use crate::generate::settings::BestOf;
use crate::generate::stop_strings::StopStrings;

/// What all waves of answers to some prompts have in common.
pub(crate) struct Rules<'a> {
    pub stops: &'a StopStrings,
    pub tokenizer: &'a ChatTokenizer,
}

/// Answers that grow together until all have ended.
pub(crate) struct Wave<'a> {
    answers: Answers<'a>,
    /// `None` if the states of growing answers give no rewards.
    rewards: Option<Rewards<'a>>,
    ids: Vec<AnswerId>,
    /// The end-of-turn token.
    end: u32,
    /// Number of tokens that the answers have grown by.
    tokens: usize,
}

impl<'a> Wave<'a> {
    /// Starts these answers, which are the next ones of their prompts. `rewards` are those of empty answers; `None` if the states of
    /// growing answers give none.
    pub fn start(
        computed: &Prompts<'a>,
        rewards: Option<RewardStream<'a>>,
        ids: Vec<AnswerId>,
        sampling: &Sampling,
        end: u32,
        all: &mut [PromptAnswers],
    ) -> Result<Self, GenerationError> {
        for id in &ids {
            all[id.prompt].answers.push(GrowingAnswer::default());
        }
        let answers = computed.answers(&ids, sampling, rewards.is_some().then_some(end))?;
        let rewards = rewards.map(|stream| Rewards::new(stream, &answers, &ids));
        Ok(Self { answers, rewards, ids, end, tokens: 0 })
    }

    /// What is computed next: the drawn tokens, and whether the end of the turn behind each of them.
    pub fn next(&mut self, settings: &BestOf) -> (&mut Answers<'a>, bool) {
        let probe = self.probes(settings);
        (&mut self.answers, probe)
    }

    /// Takes what was computed. Returns whether there was something.
    pub fn take(&mut self, computed: Option<Computed>, settings: &BestOf, all: &mut [PromptAnswers]) -> bool {
        let Some(computed) = computed else { return false };
        let (is_round, probe) = (self.is_round(settings), self.probes(settings));
        if probe {
            for &answer in &computed.answers {
                all[self.ids[answer].prompt].usage.branches += 1;
            }
        }
        let Some(rewards) = &mut self.rewards else { return true };
        let so_far = is_round || settings.token_rewards;
        rewards.push(&computed, probe.then_some(self.end), so_far, &self.ids, all, settings.token_rewards);
        if is_round {
            self.reject(settings, all);
        }
        true
    }

    /// Whether answers are dropped after this token.
    fn is_round(&self, settings: &BestOf) -> bool {
        settings.rejection.is_some_and(|rejection| rejection.is_due(self.tokens))
    }

    /// Whether the rewards so far need the end of the turn behind this token.
    fn probes(&self, settings: &BestOf) -> bool {
        let so_far = self.is_round(settings) || settings.token_rewards;
        so_far && self.rewards.as_ref().is_some_and(|rewards| rewards.stream.reads_end_only())
    }

    /// Draws the next token of every answer that grows.
    pub fn draw(
        &mut self,
        rules: &Rules<'_>,
        all: &mut [PromptAnswers],
        on_token: &mut dyn FnMut(GeneratedToken),
    ) -> Result<(), GenerationError> {
        self.tokens += 1;
        let mut cut = Vec::new();
        for choice in self.answers.choose() {
            let AnswerId { prompt, number } = self.ids[choice.answer];
            let prompt_answers = &mut all[prompt];
            match choice.drawn {
                Some(_) => prompt_answers.usage.generated += 1,
                // An end that was not drawn.
                None => prompt_answers.usage.branches += usize::from(self.rewards.is_some()),
            }
            let growing = &mut prompt_answers.answers[number as usize];
            growing.add(&choice, rules.stops, rules.tokenizer)?;
            if growing.is_cut() {
                cut.push(choice.answer);
            }
            if let (Some(token), Some(drawn)) = (choice.token, choice.drawn) {
                let log_prob = drawn.log_prob;
                on_token(GeneratedToken { prompt, answer: number as usize, token, log_prob });
            }
        }
        self.answers.retain(|answer| !cut.contains(&answer));
        Ok(())
    }

    /// Drops the answers with the lowest values so far.
    fn reject(&mut self, settings: &BestOf, all: &mut [PromptAnswers]) {
        let Some(rejection) = settings.rejection else { return };
        let growing: Vec<usize> = self.answers.growing().collect();
        let mut dropped = Vec::new();
        for (prompt, prompt_answers) in all.iter_mut().enumerate() {
            let mut contenders = Vec::new();
            for (number, answer) in prompt_answers.answers.iter().enumerate() {
                if answer.end == Some(AnswerEnd::Rejected) {
                    continue;
                }
                let id = AnswerId { prompt, number: number as u64 };
                let grows = growing.iter().any(|&answer| self.ids[answer] == id);
                contenders.push(Contender { answer: number, value: answer.value(settings), grows });
            }
            for number in rejection.rejected(&contenders) {
                prompt_answers.answers[number].end = Some(AnswerEnd::Rejected);
                dropped.push(AnswerId { prompt, number: number as u64 });
            }
        }
        let ids = &self.ids;
        self.answers.retain(|answer| !dropped.contains(&ids[answer]));
    }
}

/// The rewards of the answers that grow.
struct Rewards<'a> {
    stream: RewardStream<'a>,
    /// The answer of each row of the stream.
    rows: Vec<usize>,
}

impl<'a> Rewards<'a> {
    fn new(mut stream: RewardStream<'a>, answers: &Answers<'_>, ids: &[AnswerId]) -> Self {
        let rows: Vec<usize> = answers.growing().collect();
        let prompts: Vec<usize> = rows.iter().map(|&answer| ids[answer].prompt).collect();
        stream.select(&prompts);
        Self { stream, rows }
    }

    /// Adds the computed tokens. The rewards of answers that ended are kept, and all others if they are wanted: with the end
    /// token behind the answers where it was computed.
    fn push(
        &mut self,
        computed: &Computed,
        probe: Option<u32>,
        so_far: bool,
        ids: &[AnswerId],
        all: &mut [PromptAnswers],
        each_token: bool,
    ) {
        if self.rows != computed.answers {
            let place = |answer: &usize| self.rows.iter().position(|row| row == answer);
            let kept: Vec<usize> = computed.answers.iter().filter_map(place).collect();
            self.stream.select(&kept);
            self.rows.clone_from(&computed.answers);
        }
        let column = |column: usize| -> Vec<Tensor<2>> {
            computed.states.iter().map(|states| states.clone().narrow(1, column, 1).squeeze_dim(1)).collect()
        };
        self.stream.push(&column(0), &computed.tokens);
        let any_ended = computed.ended.iter().any(|&ended| ended);
        let ended = (any_ended || so_far && probe.is_none()).then(|| rewards_of(&self.stream));
        let probed = probe.map(|end| {
            let mut stream = self.stream.clone();
            stream.push(&column(1), &vec![end; computed.answers.len()]);
            rewards_of(&stream)
        });
        for (row, (&answer, &has_ended)) in computed.answers.iter().zip(&computed.ended).enumerate() {
            let AnswerId { prompt, number } = ids[answer];
            let answer = &mut all[prompt].answers[number as usize];
            let rewards = match (has_ended, so_far) {
                (true, _) => &ended,
                (false, true) => probed.as_ref().map_or(&ended, |_| &probed),
                (false, false) => continue,
            };
            let Some(rewards) = rewards else { continue };
            answer.rewards.clone_from(&rewards[row]);
            if each_token && !has_ended {
                answer.token_rewards.push(answer.rewards.clone());
            }
        }
    }
}

/// The rewards of all rows, `[rows][heads]`.
fn rewards_of(stream: &RewardStream<'_>) -> Vec<Vec<f32>> {
    let rewards = stream.rewards();
    let heads = rewards.dims()[1];
    let rewards: Vec<f32> = rewards.into_data().iter::<f32>().collect();
    rewards.chunks(heads).map(<[f32]>::to_vec).collect()
}
