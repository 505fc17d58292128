//! Compiles the keys of a task file that depend on the task's kind.

use crate::choice::Choice;
use crate::document::Body;
use crate::instruction::{Instruction, Target};
use crate::preference::Preference;
use crate::scored::ScoredAnswer;
use crate::task::Kind;
use crate::task_builder::Builder;

impl Builder<'_> {
    pub(crate) fn body(&mut self, kind: Kind) -> Option<Body> {
        match kind {
            Kind::Choice => self.choice(),
            Kind::Preference if self.file.score.is_some() => self.scored_answer(),
            Kind::Preference => self.preference(),
            Kind::Instruction if self.file.messages.is_some() => self.conversation(),
            Kind::Instruction => self.instruction(),
            Kind::Text => {
                let text = self.file.text.take();
                Some(Body::Text { text: self.needed("text", text, Self::template)? })
            }
        }
    }

    fn choice(&mut self) -> Option<Body> {
        let user = self.file.user.take();
        let user = self.needed("user", user, Self::template);
        let candidates = self.file.candidates.take();
        let candidates = self.needed("candidates", candidates, Self::list);
        let answer = self.file.answer.take().and_then(|key| self.template("answer", &key));
        let labels = self.file.labels.take().and_then(|key| self.list("labels", &key));
        let gold = self.file.gold.take();
        let gold = self.needed("gold", gold, Self::expression);
        let score = self.file.score.take().and_then(|key| self.expression("score", &key));
        Some(Body::Choice(Box::new(Choice {
            user: user?,
            candidates: candidates?,
            answer,
            labels,
            gold: gold?,
            score,
        })))
    }

    fn preference(&mut self) -> Option<Body> {
        if let Some(answer) = self.file.answer.take() {
            self.problem(
                answer.span(),
                "`answer` is for rows with one answer, which need `score`; a pair has `chosen` and `rejected`",
            );
        }
        let user = self.file.user.take().and_then(|key| self.template("user", &key));
        let prompt = self.file.prompt.take();
        let prompt = self.field("prompt", prompt);
        let chosen = self.file.chosen.take();
        let chosen = self.field("chosen", chosen);
        let rejected = self.file.rejected.take();
        let rejected = self.field("rejected", rejected);
        Some(Body::Preference {
            user,
            layout: Preference { prompt: prompt?, chosen: chosen?, rejected: rejected? },
        })
    }

    fn scored_answer(&mut self) -> Option<Body> {
        for key in [self.file.chosen.take(), self.file.rejected.take()].into_iter().flatten() {
            self.problem(key.span(), "`score` pairs rows with one `answer` each; drop it, or drop this key");
        }
        let user = self.file.user.take().and_then(|key| self.template("user", &key));
        let prompt = self.file.prompt.take();
        let prompt = self.field("prompt", prompt);
        let answer = self.file.answer.take();
        let answer = self.needed("answer", answer, Self::template);
        let score = self.file.score.take().and_then(|key| self.expression("score", &key));
        Some(Body::Scored(ScoredAnswer { user, prompt: prompt?, answer: answer?, score: score? }))
    }

    fn conversation(&mut self) -> Option<Body> {
        let f = &mut self.file;
        let others = [f.user.take(), f.target.take(), f.targets.take(), f.distractors.take(), f.turns.take()];
        for key in others.into_iter().flatten() {
            self.problem(key.span(), "`messages` holds the whole conversation; drop it, or drop this key");
        }
        let messages = self.file.messages.take();
        let messages = self.needed("messages", messages, Self::expression);
        Some(Body::Conversation { messages: messages? })
    }

    fn instruction(&mut self) -> Option<Body> {
        let user = self.file.user.take();
        let user = self.needed("user", user, Self::template);
        let turns = self.file.turns.take().and_then(|key| self.expression("turns", &key));
        let targets = self.file.targets.take();
        if let (Some(targets), Some(_)) = (&targets, &turns) {
            self.problem(targets.span(), "a turn has one answer: use `target` with `turns`");
        }
        if let (Some(targets), Some(_)) = (&targets, &self.file.target) {
            self.problem(targets.span(), "`target` and `targets` both say what is learnt; keep one");
        }
        let target = match targets {
            Some(targets) => self.expression("targets", &targets).map(Target::List),
            None => {
                let target = self.file.target.take();
                self.needed("target", target, Self::template).map(Target::Template)
            }
        };
        let distractors = self.file.distractors.take().and_then(|key| self.expression("distractors", &key));
        Some(Body::Instruction(Box::new(Instruction { turns, user: user?, target: target?, distractors })))
    }
}
