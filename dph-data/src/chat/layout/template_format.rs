//! [`TemplateFormat`]: conversations in tokens, with the chat template of a tokenizer.

use crate::chat::content::Content;
use crate::chat::encode::control::{Placeholders, RenderedText};
use crate::chat::encode::cuts::Cut;
use crate::chat::encode::encoder::Encoder;
use crate::chat::encode::placed_token::PlacedToken;
use crate::chat::error::ChatError;
use crate::chat::layout::answer_place::{Frame, SENTINELS, common_prefix};
use crate::chat::layout::sequence::{AnswerTokens, Conversations, Tail, TokenSequence};
use crate::chat::message::{ASSISTANT, Message};
use crate::chat::template::chat_template::{ChatTemplate, MessageValue};

/// A chat template with the tokenizer of its text. The template renders the real messages, and its text is tokenised as a
/// whole.
pub(crate) struct TemplateFormat<'a> {
    pub template: &'a ChatTemplate,
    pub encoder: &'a Encoder,
}

impl TemplateFormat<'_> {
    /// The tokens of a conversation that waits for an answer.
    pub(crate) fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, ChatError> {
        let placeholders = self.encoder.control().placeholders(contents(messages));
        let text = self.rendering(messages, &placeholders).render(true)?;
        let text = placeholders.remove(&text, &mut (0..0));
        Ok(ids(&self.encoder.encode(&text)?))
    }

    /// The conversations with each of these answers.
    pub(crate) fn conversations<A: AsRef<str>>(
        &self,
        messages: &[Message],
        answers: &[A],
    ) -> Result<Conversations, ChatError> {
        let all = contents(messages).chain(answers.iter().map(AsRef::as_ref));
        let placeholders = self.encoder.control().placeholders(all);
        let mut rendering = self.rendering(messages, &placeholders);
        let last = messages.len();
        rendering.messages.push(self.template.message(ASSISTANT, &Content::default()));
        let frame = rendering.frame(last)?;
        let frame = frame.ok_or_else(|| unusable(messages, "it leaves out the assistant's last message"))?;
        let mut texts = Vec::with_capacity(answers.len());
        // The text of the first conversation, with placeholders.
        let mut rendered = None;
        for answer in answers {
            let answer = placeholders.insert(answer.as_ref());
            let text = rendering.render_with(last, &(&*answer).into())?;
            let mut place = frame.find(&text, &answer);
            texts.push((placeholders.remove(&text, &mut place), place));
            rendered.get_or_insert(text);
        }
        let (Some((first, _)), Some(rendered)) = (texts.first(), rendered) else {
            return Ok(Conversations::default());
        };

        // The common beginning is tokenised once, up to the last place at which it can be cut.
        let tokens = self.encoder.encode(first)?;
        let common = texts.iter().map(|(text, place)| shared_beginning(first, text).min(place.start)).min();
        let cut = self.encoder.cut(first, &tokens, common.unwrap_or(0)).unwrap_or(Cut::START);
        let (head, first_tail) = tokens.split_at(cut.tokens);
        let mut tails = Vec::with_capacity(texts.len());
        for (index, (text, place)) in texts.iter().enumerate() {
            let tail = match index {
                0 => first_tail.to_vec(),
                _ => self.encoder.encode_behind(text, cut)?,
            };
            let last = AnswerTokens::find(&tail, place, self.encoder.control())
                .ok_or_else(|| unusable(messages, NO_END))?;
            tails.push(Tail { tokens: ids(&tail), last });
        }
        if let Some(answer) = answers.first() {
            let answer = placeholders.insert(answer.as_ref());
            rendering.messages[last] = self.template.message(ASSISTANT, &(&*answer).into());
        }
        let earlier = self.earlier_answers(&mut rendering, &rendered, messages, &placeholders, &tokens)?;
        Ok(Conversations { head: ids(head), earlier, tails })
    }

    /// A whole conversation.
    pub(crate) fn whole(&self, messages: &[Message]) -> Result<TokenSequence, ChatError> {
        let placeholders = self.encoder.control().placeholders(contents(messages));
        let mut rendering = self.rendering(messages, &placeholders);
        let text = rendering.render(false)?;
        let tokens = self.encoder.encode(&placeholders.remove(&text, &mut (0..0)))?;
        let answers = self.earlier_answers(&mut rendering, &text, messages, &placeholders, &tokens)?;
        Ok(TokenSequence { tokens: ids(&tokens), answers })
    }

    fn rendering(&self, messages: &[Message], placeholders: &Placeholders<'_>) -> Rendering<'_> {
        let message = |message: &Message| {
            self.template.message(&message.role, &with_placeholders(&message.content, placeholders))
        };
        Rendering { template: self.template, messages: messages.iter().map(message).collect() }
    }

    /// The answers among these messages, in the tokens of a conversation that begins with them. `text` is its text with
    /// placeholders.
    fn earlier_answers(
        &self,
        rendering: &mut Rendering<'_>,
        text: &str,
        messages: &[Message],
        placeholders: &Placeholders<'_>,
        tokens: &[PlacedToken],
    ) -> Result<Vec<AnswerTokens>, ChatError> {
        let mut answers = Vec::new();
        let earlier = messages.iter().enumerate().filter(|(_, message)| message.role == ASSISTANT);
        for (index, message) in earlier {
            // The template may leave out this answer.
            let Some(frame) = rendering.frame(index)? else { continue };
            let mut place = frame.find(text, &with_placeholders(&message.content, placeholders));
            // Without a control token behind the answer, its turn must not reach into the next message.
            let next = messages.get(index + 1).map(|next| with_placeholders(&next.content, placeholders));
            let next = next.filter(|next| !next.is_empty()).and_then(|next| text[place.end..].find(&*next));
            let next = next.map_or(text.len(), |at| place.end + at);
            let mut next = next..next;
            placeholders.remove(text, &mut next);
            placeholders.remove(text, &mut place);
            if let Some(mut found) = AnswerTokens::find(tokens, &place, self.encoder.control()) {
                if tokens[found.end - 1].start > next.start {
                    found.end = found.answer.end;
                }
                answers.push(found);
            }
        }
        Ok(answers)
    }
}

/// What is wrong with a template without an end of the turn.
const NO_END: &str = "it does not end the assistant's turn with a special token; write one, such as {{ eos_token }}, behind the \
                      content";

/// Length in bytes of the common beginning of two texts, in which they spell the same control tokens.
fn shared_beginning(a: &RenderedText, b: &RenderedText) -> usize {
    let equal = common_prefix(&a.text, &b.text);
    let spelled = a.spelled.iter().zip(&b.spelled).take_while(|(a, b)| a == b).count();
    let next = [&a.spelled, &b.spelled].into_iter().filter_map(|places| places.get(spelled));
    next.map(|place| place.start).fold(equal, usize::min)
}

/// A conversation to render. Single messages are replaced while answers are searched.
struct Rendering<'a> {
    template: &'a ChatTemplate,
    messages: Vec<MessageValue>,
}

impl Rendering<'_> {
    fn render(&self, add_generation_prompt: bool) -> Result<String, ChatError> {
        self.template.render(&self.messages, add_generation_prompt)
    }

    /// The text with another content of one message.
    fn render_with(&mut self, index: usize, content: &Content) -> Result<String, ChatError> {
        let message = self.template.message(self.messages[index].role(), content);
        let original = std::mem::replace(&mut self.messages[index], message);
        let text = self.render(false);
        self.messages[index] = original;
        text
    }

    /// The frame of a message. `None` if the template leaves out the message.
    fn frame(&mut self, index: usize) -> Result<Option<Frame>, ChatError> {
        let [first, second] = SENTINELS;
        let texts = [self.render_with(index, &first.into())?, self.render_with(index, &second.into())?];
        Ok(Frame::new([&texts[0], &texts[1]]))
    }
}

fn unusable(messages: &[Message], message: &str) -> ChatError {
    let roles = messages.iter().map(|message| message.role.clone()).chain([ASSISTANT.to_owned()]).collect();
    ChatError::Template { what: "cannot be used", roles, message: message.to_owned() }
}

fn with_placeholders(content: &Content, placeholders: &Placeholders<'_>) -> Content {
    match content.has_parts() {
        true => Content::from_parts(
            &content.parts().into_iter().map(|part| placeholders.insert(part)).collect::<Vec<_>>(),
        ),
        false => placeholders.insert(content).into(),
    }
}

fn contents(messages: &[Message]) -> impl Iterator<Item = &str> + Clone {
    messages.iter().flat_map(|message| message.content.parts())
}

fn ids(tokens: &[PlacedToken]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}
