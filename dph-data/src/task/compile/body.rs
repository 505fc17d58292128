//! Compiles the keys of a task file that depend on the task's kind.

use super::compiler::Compiler;
use crate::task::kind::Kind;
use crate::task::recipe::{Body, Choice, Instruction, Preference, ScoredAnswer, Target};

pub(super) fn body(c: &mut Compiler<'_>, kind: Kind) -> Option<Body> {
    match kind {
        Kind::Choice => choice(c),
        Kind::Preference if c.file.score.is_some() => scored_answer(c),
        Kind::Preference => preference(c),
        Kind::Instruction if c.file.messages.is_some() => conversation(c),
        Kind::Instruction => instruction(c),
        Kind::Text => {
            let text = c.file.text.take();
            let text = c.needed("text", text, Compiler::template);
            let original = c.file.original.take().and_then(|key| c.template("original", &key));
            Some(Body::Text { text: text?, original })
        }
    }
}

fn choice(c: &mut Compiler<'_>) -> Option<Body> {
    let user = c.file.user.take();
    let user = c.needed("user", user, Compiler::template);
    let candidates = c.file.candidates.take();
    let candidates = c.needed("candidates", candidates, Compiler::list);
    let answer = c.file.answer.take().and_then(|key| c.template("answer", &key));
    let labels = c.file.labels.take().and_then(|key| c.list("labels", &key));
    let gold = c.file.gold.take();
    let gold = c.needed("gold", gold, Compiler::expression);
    let score = c.file.score.take().and_then(|key| c.expression("score", &key));
    Some(Body::Choice(Box::new(Choice {
        user: user?,
        candidates: candidates?,
        answer,
        labels,
        gold: gold?,
        score,
    })))
}

fn preference(c: &mut Compiler<'_>) -> Option<Body> {
    if let Some(answer) = c.file.answer.take() {
        c.problem(
            answer.span(),
            "`answer` is for rows with one answer, which need `score`; a pair has `chosen` and `rejected`",
        );
    }
    let user = c.file.user.take().and_then(|key| c.template("user", &key));
    let prompt = c.file.prompt.take();
    let prompt = c.field("prompt", prompt);
    let chosen = c.file.chosen.take();
    let chosen = c.field("chosen", chosen);
    let rejected = c.file.rejected.take();
    let rejected = c.field("rejected", rejected);
    Some(Body::Preference {
        user,
        layout: Preference { prompt: prompt?, chosen: chosen?, rejected: rejected? },
    })
}

fn scored_answer(c: &mut Compiler<'_>) -> Option<Body> {
    for key in [c.file.chosen.take(), c.file.rejected.take()].into_iter().flatten() {
        c.problem(key.span(), "`score` pairs rows with one `answer` each; remove it, or remove this key");
    }
    let user = c.file.user.take().and_then(|key| c.template("user", &key));
    let prompt = c.file.prompt.take();
    let prompt = c.field("prompt", prompt);
    let answer = c.file.answer.take();
    let answer = c.needed("answer", answer, Compiler::template);
    let score = c.file.score.take().and_then(|key| c.expression("score", &key));
    Some(Body::Scored(ScoredAnswer { user, prompt: prompt?, answer: answer?, score: score? }))
}

fn conversation(c: &mut Compiler<'_>) -> Option<Body> {
    let f = &mut c.file;
    let others = [f.user.take(), f.target.take(), f.targets.take(), f.distractors.take(), f.turns.take()];
    for key in others.into_iter().flatten() {
        c.problem(key.span(), "`messages` holds the whole conversation; remove it, or remove this key");
    }
    let messages = c.file.messages.take();
    let messages = c.needed("messages", messages, Compiler::expression);
    Some(Body::Conversation { messages: messages? })
}

fn instruction(c: &mut Compiler<'_>) -> Option<Body> {
    let user = c.file.user.take();
    let user = c.needed("user", user, Compiler::template);
    let turns = c.file.turns.take().and_then(|key| c.expression("turns", &key));
    let targets = c.file.targets.take();
    if let (Some(targets), Some(_)) = (&targets, &turns) {
        c.problem(targets.span(), "a turn has one answer: use `target` with `turns`");
    }
    if let (Some(targets), Some(_)) = (&targets, &c.file.target) {
        c.problem(targets.span(), "`target` and `targets` both give the answer to learn; remove one of them");
    }
    let target = match targets {
        Some(targets) => c.expression("targets", &targets).map(Target::List),
        None => {
            let target = c.file.target.take();
            c.needed("target", target, Compiler::template).map(Target::Template)
        }
    };
    let distractors = c.file.distractors.take().and_then(|key| c.expression("distractors", &key));
    Some(Body::Instruction(Box::new(Instruction { turns, user: user?, target: target?, distractors })))
}
