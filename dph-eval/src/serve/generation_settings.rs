//! [`settings`]: how answers are generated, from the fields of a request.

use std::hash::{BuildHasher, Hasher, RandomState};

use dph_model::{GenerateError, Sampling, SamplingError};

use crate::generate::{BestOf, GenerationError, Rejection, Selection, check};
use crate::serve::error::ApiError;
use crate::serve::options::ServeOptions;
use crate::serve::served_model::ServedModel;
use crate::serve::wire::Generating;

/// How the answers of a request are generated.
pub(super) struct GenerationSettings {
    /// Settings for all answers to a prompt.
    pub best_of: BestOf,
    /// Answers to a prompt that are returned.
    pub n: usize,
    pub seed: i64,
}

/// The settings of a request with `prompts` prompts.
///
/// # Errors
/// Status 400 for what is not supported, 422 for values beyond the limits or that the model cannot use.
pub(super) fn settings(
    asked: &Generating<'_>,
    served: &ServedModel,
    options: &ServeOptions,
    prompts: usize,
) -> Result<GenerationSettings, ApiError> {
    refuse_unsupported(asked)?;
    let model = &*served.model;
    let n = asked.n.unwrap_or(1);
    let answers = asked.best_of.unwrap_or(n);
    check_numbers(asked, options, n, answers, prompts)?;
    let has_head = !model.heads().is_empty();
    let default = if has_head { Selection::Reward } else { Selection::Loglik };
    let head = if has_head || asked.head.is_some() { served.head(asked.head)? } else { 0 };
    let seed = asked.seed.unwrap_or_else(random_seed);
    let base = Sampling::default();
    let best_of = BestOf {
        answers,
        sampling: Sampling {
            temperature: asked.temperature.unwrap_or(1.0),
            top_k: asked.top_k.unwrap_or(base.top_k),
            top_p: asked.top_p.unwrap_or(base.top_p),
            repetition_penalty: asked.repetition_penalty.unwrap_or(base.repetition_penalty),
            max_tokens: asked.max_tokens.unwrap_or(options.answer_tokens),
            seed: seed as u64,
            stop: Vec::new(),
        },
        stop_strings: asked.stop.to_vec(),
        selection: asked.selection.unwrap_or(default),
        head,
        loglik_weight: asked.loglik_weight,
        rejection: asked.reject_every.map(|every| rejection(every, n, answers)),
        stopping: None,
        token_rewards: asked.token_rewards,
    };
    match check(model, &best_of) {
        // Clients of others ask for several at a temperature of 0, and get equal ones.
        Ok(()) | Err(GenerationError::Greedy { .. }) => {}
        Err(error) => return Err(of_field(&error)),
    }
    Ok(GenerationSettings { best_of, n, seed })
}

/// The answers that are returned are not dropped, unless all are returned.
fn rejection(every: usize, n: usize, answers: usize) -> Rejection {
    let base = Rejection::default();
    Rejection { every, minimum: if n < answers { n } else { base.minimum }, ..base }
}

/// The error of a field.
pub(super) fn of_field(error: &GenerationError) -> ApiError {
    let field = match error {
        GenerationError::NoHead { .. }
        | GenerationError::NoSuchHead { .. }
        | GenerationError::NoOutput { .. } => "model",
        GenerationError::DependsOnLength { .. } | GenerationError::ReadsConversation { .. } => {
            "token_rewards"
        }
        GenerationError::EmptyPrompt | GenerationError::PromptTooLong { .. } => "prompt",
        GenerationError::Setting { setting: "the weight of the log-likelihood", .. } => "loglik_weight",
        GenerationError::Setting { .. } => "reject_every",
        GenerationError::Generate(GenerateError::Sampling(error)) => match error {
            SamplingError::Temperature(_) => "temperature",
            SamplingError::TopP(_) => "top_p",
            _ => "repetition_penalty",
        },
        _ => "prompt",
    };
    ApiError::field(field, error.to_string())
}

fn refuse_unsupported(asked: &Generating<'_>) -> Result<(), ApiError> {
    let n = asked.n.unwrap_or(1);
    if asked.streams && asked.best_of.is_some_and(|best_of| best_of > n) {
        return Err(ApiError::unsupported(
            "best_of",
            "which of `best_of` answers are the best is known at the end, so a stream cannot have them: set `best_of` to `n`, or `stream` \
             to false",
        ));
    }
    Ok(())
}

fn check_numbers(
    asked: &Generating<'_>,
    options: &ServeOptions,
    n: usize,
    answers: usize,
    prompts: usize,
) -> Result<(), ApiError> {
    let of =
        |field: &'static str, message: String| Err(ApiError::field(field, format!("`{field}` {message}")));
    let field = match asked.best_of {
        _ if answers <= options.answers => "prompt",
        Some(_) => "best_of",
        None => "n",
    };
    match (n, answers) {
        (0, _) => return of("n", "must be at least 1".into()),
        (n, answers) if answers < n => {
            return of("best_of", format!("is {answers}, and must be at least `n`, {n}"));
        }
        _ => {}
    }
    if answers.saturating_mul(prompts) > options.answers {
        let most = options.answers;
        let each = if prompts > 1 { format!(" to each of {prompts} prompts") } else { String::new() };
        return of(
            field,
            format!("asks for {answers} answers{each}, and at most {most} are generated in a request"),
        );
    }
    match asked.max_tokens {
        Some(0) => of(asked.max_tokens_field, "must be at least 1".into()),
        Some(tokens) if tokens > options.answer_tokens => {
            let most = options.answer_tokens;
            of(asked.max_tokens_field, format!("is {tokens}, and at most {most} are generated"))
        }
        _ => Ok(()),
    }
}

/// A number that nobody has chosen. It is small enough for clients whose integers are floating-point numbers.
fn random_seed() -> i64 {
    (RandomState::new().build_hasher().finish() >> 11) as i64
}
