//! [`TemplateFormat`]: conversations in tokens, with the chat template of a tokenizer.

use std::ops::Range;

use super::answer_place::{Frame, SENTINELS, common_prefix};
use super::control::{Placeholders, RenderedText};
use super::encoder::{Encoder, PlacedToken};
use super::error::ChatError;
use super::message::{ASSISTANT, Message};
use super::sequence::{AnswerTokens, TokenSequence};
use super::template::{ChatTemplate, PART_SEPARATOR, TemplateMessage};

/// A chat template with the tokenizer of its text. The template renders the real messages, and its text is tokenised as a
/// whole.
pub(super) struct TemplateFormat<'a> {
    pub template: &'a ChatTemplate,
    pub encoder: &'a Encoder,
}

impl TemplateFormat<'_> {
    /// The tokens of a conversation that waits for an answer.
    pub(super) fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, ChatError> {
        let placeholders = self.encoder.control().placeholders(contents(messages));
        let text = self.template.render(&template_messages(messages, &placeholders), true)?;
        let text = placeholders.remove(&text, &mut (0..0));
        Ok(self.encoder.encode(&text)?.into_iter().map(|token| token.id).collect())
    }

    /// The conversations with each of these answers. Their last answer is the given one; the first of them has the earlier
    /// ones too.
    pub(super) fn sequences<A: AsRef<str>>(
        &self,
        messages: &[Message],
        answers: &[A],
    ) -> Result<Vec<TokenSequence>, ChatError> {
        let all = contents(messages).chain(answers.iter().map(AsRef::as_ref));
        let placeholders = self.encoder.control().placeholders(all);
        let mut conversation =
            Conversation { template: self.template, messages: template_messages(messages, &placeholders) };
        conversation.messages.push(answer_message(""));
        let last = messages.len();
        let frame = conversation
            .frame(last)?
            .ok_or_else(|| unusable(messages, "it leaves out the assistant's last message"))?;
        let mut texts = Vec::with_capacity(answers.len());
        for answer in answers {
            let (text, mut place) = conversation.find(&frame, last, &placeholders.insert(answer.as_ref()))?;
            texts.push((placeholders.remove(&text, &mut place), place));
        }
        let tokens = self.encode_together(texts.iter().map(|(text, _)| text))?;
        let mut sequences = Vec::with_capacity(answers.len());
        for (tokens, (_, place)) in tokens.iter().zip(&texts) {
            let answer = self.answer(tokens, place, messages)?;
            let tokens = tokens.iter().map(|token| token.id).collect();
            sequences.push(TokenSequence { tokens, answers: vec![answer] });
        }
        if let (Some(answer), Some(tokens)) = (answers.first(), tokens.first()) {
            conversation.messages[last].content = vec![placeholders.insert(answer.as_ref()).into_owned()];
            let earlier = self.earlier_answers(&mut conversation, last, &placeholders, tokens)?;
            sequences[0].answers.splice(0..0, earlier);
        }
        Ok(sequences)
    }

    /// A whole conversation.
    pub(super) fn whole(&self, messages: &[Message]) -> Result<TokenSequence, ChatError> {
        let placeholders = self.encoder.control().placeholders(contents(messages));
        let mut conversation =
            Conversation { template: self.template, messages: template_messages(messages, &placeholders) };
        let text = self.template.render(&conversation.messages, false)?;
        let tokens = self.encoder.encode(&placeholders.remove(&text, &mut (0..0)))?;
        let answers = self.earlier_answers(&mut conversation, messages.len(), &placeholders, &tokens)?;
        Ok(TokenSequence { tokens: tokens.iter().map(|token| token.id).collect(), answers })
    }

    /// The answers among the first `count` messages, in the tokens of the whole conversation.
    fn earlier_answers(
        &self,
        conversation: &mut Conversation<'_>,
        count: usize,
        placeholders: &Placeholders<'_>,
        tokens: &[PlacedToken],
    ) -> Result<Vec<AnswerTokens>, ChatError> {
        let mut answers = Vec::new();
        for index in
            (0..count).filter(|&index| conversation.messages[index].role == ASSISTANT).collect::<Vec<_>>()
        {
            let content = conversation.messages[index].content.clone();
            let frame = conversation.frame(index)?;
            let joined = content.join(PART_SEPARATOR);
            conversation.messages[index].content = content;
            // The template leaves out this answer.
            let Some(frame) = frame else { continue };
            let text = self.template.render(&conversation.messages, false)?;
            let mut place = frame.find(&text, &joined);
            placeholders.remove(&text, &mut place);
            answers.extend(AnswerTokens::find(tokens, &place, self.encoder.control()));
        }
        Ok(answers)
    }

    fn answer(
        &self,
        tokens: &[PlacedToken],
        place: &Range<usize>,
        messages: &[Message],
    ) -> Result<AnswerTokens, ChatError> {
        AnswerTokens::find(tokens, place, self.encoder.control()).ok_or_else(|| {
            let message = "it does not end the assistant's turn with a special token; write one, such as {{ eos_token }}, \
                           behind the content";
            unusable(messages, message)
        })
    }

    /// The tokens of texts that begin alike. What is before the last control token in their common beginning is tokenised
    /// once.
    fn encode_together<'a>(
        &self,
        mut texts: impl Iterator<Item = &'a RenderedText> + Clone,
    ) -> Result<Vec<Vec<PlacedToken>>, ChatError> {
        let shared = texts.clone();
        let Some(first) = texts.next() else { return Ok(Vec::new()) };
        let tokens = self.encoder.encode(first)?;
        let common = shared.map(|text| shared_beginning(first, text)).min().unwrap_or(0);
        let cut = self.encoder.cut(&tokens, common);
        let head = &tokens[..cut.unwrap_or(0)];
        let start = cut.map_or(0, |cut| tokens[cut].start);
        let mut all = vec![tokens.clone()];
        for text in texts {
            let tail = self.encoder.encode(&text.tail(start))?;
            let moved = tail.into_iter().map(|token| PlacedToken {
                start: token.start + start,
                end: token.end + start,
                ..token
            });
            all.push(head.iter().copied().chain(moved).collect());
        }
        Ok(all)
    }
}

/// Length in bytes of the common beginning of two texts, in which they spell the same control tokens.
fn shared_beginning(a: &RenderedText, b: &RenderedText) -> usize {
    let equal = common_prefix(&a.text, &b.text);
    let differing = a.spelled.iter().zip(&b.spelled).find(|(a, b)| a != b);
    let differing = differing.map(|(a, b)| a.start.min(b.start));
    let longer = a.spelled.len().min(b.spelled.len());
    let next = [&a.spelled, &b.spelled]
        .into_iter()
        .filter_map(|spelled| spelled.get(longer))
        .map(|range| range.start);
    next.chain(differing).fold(equal, usize::min)
}

/// A conversation whose messages are replaced while answers are searched.
struct Conversation<'a> {
    template: &'a ChatTemplate,
    messages: Vec<TemplateMessage>,
}

impl Conversation<'_> {
    /// The text with this content in the place of a message.
    fn render(&mut self, index: usize, content: &str) -> Result<String, ChatError> {
        let message = &mut self.messages[index];
        message.content = vec![content.to_owned()];
        let parts = std::mem::replace(&mut message.has_parts, false);
        let text = self.template.render(&self.messages, false);
        self.messages[index].has_parts = parts;
        text
    }

    /// The frame of a message. `None` if the template leaves out the message.
    fn frame(&mut self, index: usize) -> Result<Option<Frame>, ChatError> {
        let [first, second] = SENTINELS;
        Ok(Frame::new([&self.render(index, first)?, &self.render(index, second)?]))
    }

    /// The text with this answer, and the bytes of the answer.
    fn find(
        &mut self,
        frame: &Frame,
        index: usize,
        answer: &str,
    ) -> Result<(String, Range<usize>), ChatError> {
        let text = self.render(index, answer)?;
        let place = frame.find(&text, answer);
        Ok((text, place))
    }
}

fn unusable(messages: &[Message], message: &str) -> ChatError {
    let roles = messages.iter().map(|message| message.role.clone()).chain([ASSISTANT.to_owned()]).collect();
    ChatError::Template { what: "cannot be used", roles, message: message.to_owned() }
}

fn contents(messages: &[Message]) -> impl Iterator<Item = &str> + Clone {
    messages.iter().map(|message| message.content.as_str())
}

fn template_messages(messages: &[Message], placeholders: &Placeholders<'_>) -> Vec<TemplateMessage> {
    let message = |message: &Message| TemplateMessage {
        role: message.role.clone(),
        content: vec![placeholders.insert(&message.content).into_owned()],
        has_parts: false,
    };
    messages.iter().map(message).collect()
}

fn answer_message(content: &str) -> TemplateMessage {
    TemplateMessage { role: ASSISTANT.to_owned(), content: vec![content.to_owned()], has_parts: false }
}
