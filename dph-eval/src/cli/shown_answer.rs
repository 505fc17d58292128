//! [`answer`]: answers to one prompt, shown while they are generated.

use dph_core::terminal::Failure;
use dph_eval::{
    AnswerSet, BestOf, GenerateRequest, GeneratedToken, Model, TextStream, check_prompt, generate,
};

/// Shows a token and the text that it completes.
pub type Show<'a> = dyn FnMut(GeneratedToken, &str) -> Result<(), Failure> + 'a;

/// Generates the answers to a prompt. Returns them with the text of the best one that is still to be shown: all of it without `show`.
///
/// `show` is called with every token and the text that the token completes. Its first error is returned when the answers have ended.
pub fn answer(
    model: &Model,
    settings: &BestOf,
    request: &GenerateRequest,
    mut show: Option<&mut Show<'_>>,
) -> Result<(AnswerSet, String), Failure> {
    let prompt = request.tokens(&model.tokenizer)?;
    check_prompt(model, &prompt)?;
    let new_text = || TextStream::new(&model.tokenizer, &settings.stop_strings);
    let mut texts: Vec<TextStream<'_>> = (0..settings.answers).map(|_| new_text()).collect();
    let mut failed = None;
    let mut sets = generate(model, &[prompt], settings, &mut |token| {
        if let (Some(show), None) = (&mut show, &failed) {
            let text = texts[token.answer].push(token.token).map_err(Failure::from);
            failed = text.and_then(|text| show(token, &text)).err();
        }
    })?;
    if let Some(failure) = failed {
        return Err(failure);
    }
    let set = sets.remove(0);
    let rest = texts[set.chosen].rest(&set.best().text).to_owned();
    Ok((set, rest))
}
