//! Whether a model can generate by some settings.

use dph_core::{Ending, Style};

use crate::generate::error::GenerationError;
use crate::generate::settings::{BestOf, Selection};
use crate::model::Model;

/// Whether a prompt leaves room for an answer of one token and its end.
///
/// # Errors
///
/// A prompt that is empty or too long.
pub fn check_prompt(model: &Model, prompt: &[u32]) -> Result<(), GenerationError> {
    let (tokens, context) = (prompt.len(), model.backbone.context());
    match tokens {
        0 => Err(GenerationError::EmptyPrompt),
        // An end token, and the place of one that is computed behind a token for its reward so far.
        tokens if tokens + 3 > context => Err(GenerationError::PromptTooLong { tokens, context }),
        _ => Ok(()),
    }
}

/// Checks settings before anything is computed. What only wastes work is checked last.
pub(crate) fn check(model: &Model, settings: &BestOf) -> Result<(), GenerationError> {
    let BestOf { answers, sampling, .. } = settings;
    if *answers == 0 {
        return Err(GenerationError::NoAnswers);
    }
    sampling.check().map_err(dph_model::GenerateError::from)?;
    if !model.backbone.has_output() {
        return Err(GenerationError::NoOutput { model: model.name.clone() });
    }
    let needs = [
        (settings.selection == Selection::Reward && *answers > 1, "a choice by reward"),
        (settings.rejection.is_some(), "rejection"),
        (settings.stopping.is_some(), "stopping by expected gain"),
        (settings.token_rewards, "a reward at every token"),
    ];
    let needed_by = needs.iter().find(|(needed, _)| *needed).map(|(_, by)| *by);
    let heads = model.heads().len();
    if let Some(needed_by) = needed_by {
        let name = || model.name.clone();
        if heads == 0 {
            return Err(GenerationError::NoHead { model: name(), needed_by });
        }
        if settings.head >= heads {
            return Err(GenerationError::NoSuchHead { model: name(), index: settings.head, heads });
        }
        if model.head.as_ref().is_some_and(|(_, config)| config.style == Style::Plain) {
            return Err(GenerationError::PlainHead { model: name(), needed_by });
        }
        let while_growing = settings.rejection.is_some() || settings.token_rewards;
        let needed_by = if settings.rejection.is_some() { "rejection" } else { "a reward at every token" };
        if while_growing && !model.backbone.is_packable() {
            return Err(GenerationError::DependsOnLength { model: name(), needed_by });
        }
        if while_growing && model.tokenizer.ending() != Ending::Turn {
            return Err(GenerationError::ReadsConversation { model: name(), needed_by });
        }
    }
    let wrong = |setting, value: f64, expected| {
        Err(GenerationError::Setting { setting, value: value.to_string(), expected })
    };
    if settings.loglik_weight != 0.0 {
        let is_used = settings.selection == Selection::Reward
            || settings.rejection.is_some()
            || settings.stopping.is_some();
        if !(settings.loglik_weight.is_finite() && settings.loglik_weight > 0.0) {
            return wrong(
                "the weight of the log-likelihood",
                settings.loglik_weight,
                "a number of at least 0",
            );
        }
        if !is_used {
            let expected = "0, because nothing is chosen or dropped by reward";
            return wrong("the weight of the log-likelihood", settings.loglik_weight, expected);
        }
    }
    if let Some(rejection) = &settings.rejection {
        if rejection.every == 0 {
            return wrong("the number of tokens between rejections", 0.0, "at least 1");
        }
        if !(rejection.fraction > 0.0 && rejection.fraction <= 1.0) {
            return wrong("the rejected fraction", rejection.fraction, "greater than 0 and at most 1");
        }
    }
    if let Some(stopping) = &settings.stopping {
        if !(stopping.price.is_finite() && stopping.price >= 0.0) {
            return wrong("the price of an answer", stopping.price, "a number of at least 0");
        }
        if stopping.wave < 2 {
            return wrong("the number of answers in a wave", stopping.wave as f64, "at least 2");
        }
    }
    if *answers > 1 && sampling.is_greedy() {
        return Err(GenerationError::Greedy { answers: *answers });
    }
    Ok(())
}
