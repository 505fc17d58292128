//! [`generate`]: answers to prompts, and the best of them.

use crate::generate::answer::AnswerSet;
use crate::generate::error::GenerationError;
use crate::generate::generated_token::GeneratedToken;
use crate::generate::generation::Generation;
use crate::generate::settings::BestOf;
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
    let mut generation = Generation::new(model, prompts, settings)?;
    while generation.step(on_token)? {}
    generation.finish()
}
