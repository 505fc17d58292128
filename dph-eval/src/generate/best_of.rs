//! [`generate`]: answers to prompts, and the best of them.

use dph_core::Ending;
use dph_model::{AnswerId, Sampling};

use crate::generate::answer::AnswerSet;
use crate::generate::check::{check, check_prompt};
use crate::generate::error::GenerationError;
use crate::generate::generated_token::GeneratedToken;
use crate::generate::prompt_answers::PromptAnswers;
use crate::generate::rescore::rescore;
use crate::generate::selection::choose;
use crate::generate::settings::BestOf;
use crate::generate::stop_strings::StopStrings;
use crate::generate::wave::Wave;
use crate::model::Model;

/// Generates answers to prompts and chooses one for each prompt.
///
/// A prompt is given in tokens, see [`ChatTokenizer::prompt`](dph_data::ChatTokenizer::prompt). It is computed once, and all
/// answers to all prompts grow together. The rewards come from the states that generation computes: they are those of
/// [`score`](crate::score()) for the tokens of the prompt, of the answer and of the end of the turn. Only an answer that a
/// stop string cut, or a model whose states depend on the length of the sequence, is scored after its generation.
///
/// An answer depends on the seed, the tokens of its prompt and its number, and on what else is generated only through
/// floating-point rounding. `on_token` is called for every token.
///
/// # Errors
///
/// If the settings contradict each other or need a head that the model does not have, or a prompt is empty or leaves no room
/// for an answer.
pub fn generate(
    model: &Model,
    prompts: &[Vec<u32>],
    settings: &BestOf,
    on_token: &mut dyn FnMut(GeneratedToken),
) -> Result<Vec<AnswerSet>, GenerationError> {
    check(model, settings)?;
    prompts.iter().try_for_each(|prompt| check_prompt(model, prompt))?;
    let tokenizer = &*model.tokenizer;
    let sampling = Sampling { stop: stop_tokens(model), ..settings.sampling.clone() };
    let head = model.head.as_ref();
    // Of the model's states, those of whole answers only are the same while answers grow.
    // A head that reads the end of the conversation needs the tokens behind the answer.
    let streamed = head.filter(|_| model.backbone.is_packable() && tokenizer.ending() == Ending::Turn);
    let layers = streamed.map_or(&[][..], |(_, config)| config.aggregation.layers_needed());
    let computed = model.backbone.prompts(prompts, layers)?;
    let rewards =
        streamed.map(|(head, _)| head.reward_stream(computed.states(), computed.padding(), prompts));
    let wave = Wave {
        computed: &computed,
        rewards,
        sampling: &sampling,
        settings,
        stops: StopStrings::new(&settings.stop_strings),
        tokenizer,
        end: tokenizer.end_of_turn_id(),
    };
    let mut all: Vec<PromptAnswers> = prompts.iter().map(|prompt| PromptAnswers::new(prompt.len())).collect();
    loop {
        let ids = next_wave(&all, settings);
        if ids.is_empty() {
            break;
        }
        let first: Vec<usize> = all.iter().map(|prompt| prompt.answers.len()).collect();
        wave.run(&ids, &mut all, on_token)?;
        rescore(model, &computed, head.is_some(), streamed.is_some(), &mut all, &first)?;
        for prompt in &mut all {
            prompt.is_done = prompt.answers.len() >= settings.answers
                || settings.stopping.is_some_and(|stopping| stopping.is_enough(&prompt.values(settings)));
        }
    }
    let finish = |(prompt, answers): (&Vec<u32>, PromptAnswers)| {
        let usage = answers.usage;
        let answers: Vec<_> =
            answers.answers.into_iter().map(|answer| answer.finish(tokenizer)).collect::<Result<_, _>>()?;
        let chosen = choose(&answers, settings, prompt);
        Ok(AnswerSet { answers, chosen, usage })
    };
    prompts.iter().zip(all).map(finish).collect()
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
