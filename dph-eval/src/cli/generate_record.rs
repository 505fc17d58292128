//! The result of a request of `dph-eval generate` as a line of JSON.

use dph_core::Candidate;
use dph_eval::{Answer, AnswerSet, BestOf, GenerateRequest, Model, Selection};
use serde_json::{Map, Value, json};

/// `{"id", "answer", "chosen", "selection", "answers": […], "usage"}`, and whether the answer is right if that is known.
pub fn record(request: &GenerateRequest, set: &AnswerSet, settings: &BestOf, model: &Model) -> Value {
    let mut fields = Map::new();
    if let Some(id) = &request.id {
        fields.insert("id".into(), id.clone());
    }
    fields.insert("answer".into(), set.best().text.as_str().into());
    if let Some(right) = request.is_right(&set.best().text) {
        fields.insert("right".into(), right.into());
    }
    fields.insert("chosen".into(), set.chosen.into());
    fields.insert("selection".into(), selection_name(settings, model).into());
    let same_tokens = same_tokens(request, set, model);
    let answers = set.answers.iter().enumerate().map(|(index, answer)| {
        let mut value = of_answer(answer, request, model.heads(), settings);
        value["same_tokens"] = same_tokens.as_ref().map_or(Value::Null, |same| same[index].into());
        value
    });
    fields.insert("answers".into(), answers.collect());
    fields.insert("usage".into(), json!(set.usage));
    Value::Object(fields)
}

/// The selection, with the name of the head if it is by reward.
pub fn selection_name(settings: &BestOf, model: &Model) -> String {
    match (settings.selection, model.heads().get(settings.head)) {
        (Selection::Reward, Some(head)) if settings.loglik_weight == 0.0 => format!("reward:{head}"),
        (Selection::Reward, Some(head)) => format!("reward:{head} + {} loglik-mean", settings.loglik_weight),
        (selection, _) => selection.to_string(),
    }
}

/// Whether the text of each answer is tokenised to the tokens that were generated. `None` for a text that the format of
/// conversations rejects.
fn same_tokens(request: &GenerateRequest, set: &AnswerSet, model: &Model) -> Option<Vec<bool>> {
    let prompt = request.tokens(&model.tokenizer).ok()?;
    let texts: Vec<&str> = set.answers.iter().map(|answer| answer.text.as_str()).collect();
    let anew = model.tokenizer.candidate_set("", &request.prompt, &texts, None).ok()?;
    let is_same = |(candidate, answer): (&Candidate, &Answer)| {
        let anew = anew.prompt.iter().chain(&candidate.tokens[..candidate.answer.end]);
        anew.eq(prompt.iter().chain(&answer.tokens))
    };
    Some(anew.candidates.iter().zip(&set.answers).map(is_same).collect())
}

fn of_answer(answer: &Answer, request: &GenerateRequest, heads: &[String], settings: &BestOf) -> Value {
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let rewards: Map<String, Value> = heads
        .iter()
        .zip(&answer.scores.rewards)
        .map(|(head, &reward)| (head.clone(), json!(finite(reward.into()))))
        .collect();
    let mut value = json!({
        "text": answer.text,
        "end": answer.end,
        "tokens": answer.tokens.len(),
        "loglik": finite(answer.scores.loglik),
        "self_certainty": finite(answer.self_certainty),
        "rewards": rewards,
    });
    if let Some(right) = request.is_right(&answer.text) {
        value["right"] = right.into();
    }
    if settings.token_rewards {
        let of_head = |index: usize| -> Vec<Option<f32>> {
            answer.token_rewards.iter().map(|rewards| rewards.get(index).copied()).collect()
        };
        let rewards: Map<String, Value> =
            heads.iter().enumerate().map(|(index, head)| (head.clone(), json!(of_head(index)))).collect();
        value["token_rewards"] = Value::Object(rewards);
    }
    value
}
