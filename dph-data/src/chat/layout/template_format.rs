//! [`TemplateFormat`]: conversations in tokens, with the chat template of a tokenizer.

use std::ops::Range;

use dph_core::Ending;
use serde_json::{Map, Value as Json};

use crate::chat::content::Content;
use crate::chat::encode::content_tokens;
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
        self.with_placeholders(texts(messages), |placeholders| self.prompt_with(messages, placeholders))
    }

    /// The conversations with each of these answers.
    pub(crate) fn conversations(
        &self,
        messages: &[Message],
        answers: &[Message],
        ending: Ending,
    ) -> Result<Conversations, ChatError> {
        let all = texts(messages).chain(texts(answers));
        self.with_placeholders(all, |placeholders| {
            self.conversations_with(messages, answers, ending, placeholders)
        })
    }

    /// A whole conversation.
    pub(crate) fn whole(&self, messages: &[Message]) -> Result<TokenSequence, ChatError> {
        self.with_placeholders(texts(messages), |placeholders| self.whole_with(messages, placeholders))
    }

    /// Works with the texts as they are. If the template does more than to change single characters of texts that spell
    /// control tokens, it works with placeholders for these.
    fn with_placeholders<'t, T>(
        &self,
        texts: impl Iterator<Item = &'t str> + Clone,
        work: impl Fn(&Placeholders<'_>) -> Result<T, ChatError>,
    ) -> Result<T, ChatError> {
        let control = self.encoder.control();
        let placeholders = control.placeholders(texts);
        match placeholders.is_empty() {
            true => work(&placeholders),
            false => work(&Placeholders::none(control)).or_else(|_| work(&placeholders)),
        }
    }

    fn prompt_with(
        &self,
        messages: &[Message],
        placeholders: &Placeholders<'_>,
    ) -> Result<Vec<u32>, ChatError> {
        let rendering = self.rendering(messages, placeholders);
        let (_, tokens) = self.render_tokens(&rendering, messages, placeholders, true)?;
        Ok(ids(&tokens))
    }

    fn conversations_with(
        &self,
        messages: &[Message],
        answers: &[Message],
        ending: Ending,
        placeholders: &Placeholders<'_>,
    ) -> Result<Conversations, ChatError> {
        let insert = |text: &str| placeholders.insert(text).into();
        let with_answer = [messages, answers.get(..1).unwrap_or_default()].concat();
        let mut rendering = self.rendering(&with_answer, placeholders);
        let mut neutral = self.neutral(&with_answer, placeholders);
        let last = messages.len();
        let mut texts: Vec<(RenderedText, Range<usize>)> = Vec::with_capacity(answers.len());
        // The text of the first conversation, with placeholders.
        let mut rendered = None;
        let mut frames: Option<(&Message, AnswerFrame)> = None;
        for answer in answers {
            let same = frames.take().filter(|(other, _)| other.extra == answer.extra);
            let (_, frame) = match same {
                Some(same) => frames.insert(same),
                None => {
                    let answer_with_placeholders = changed(answer, insert);
                    rendering.replace(last, &answer_with_placeholders);
                    neutral.replace(last, &self.neutral_message(&answer_with_placeholders));
                    let frame = self.answer_frame(&rendering, &neutral, last)?;
                    let frame = frame
                        .ok_or_else(|| unusable(messages, "it leaves out the assistant's last message"))?;
                    frames.insert((answer, frame))
                }
            };
            let content = answer.content.map(insert);
            let text = rendering.render_with(last, &content)?;
            let spelled = match frame.frame.holds(&text, &content) {
                // The answer can complete a control token of the text around it.
                true => content_tokens::characters_in_tokens(
                    self.encoder.control(),
                    &text,
                    std::slice::from_ref(&(frame.frame.front_len()..frame.frame.front_len() + content.len())),
                    frame.spelled_around(content.len()),
                ),
                false => self.tokens_of_contents(
                    &text,
                    neutral.render_with(last, &content.map(content_tokens::neutral)),
                )?,
            };
            let mut place = frame.frame.find(&text, &content, self.encoder.control());
            texts.push((placeholders.remove(&text, &spelled, &mut place), place));
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
            let control = self.encoder.control();
            let last = match ending {
                Ending::Turn => {
                    AnswerTokens::find(&tail, place, control).ok_or_else(|| unusable(messages, NO_END))?
                }
                Ending::Conversation | Ending::Unpadded(_) => {
                    AnswerTokens::find_in_whole(&tail, place, control)
                }
            };
            tails.push(Tail { tokens: ids(&tail), last, next: None });
        }
        let rendering = self.rendering(&with_answer, placeholders);
        let earlier = self.earlier_answers(rendering, &rendered, messages, placeholders, &tokens)?;
        Ok(Conversations { head: ids(head), earlier, tails })
    }

    fn whole_with(
        &self,
        messages: &[Message],
        placeholders: &Placeholders<'_>,
    ) -> Result<TokenSequence, ChatError> {
        let rendering = self.rendering(messages, placeholders);
        let (text, tokens) = self.render_tokens(&rendering, messages, placeholders, false)?;
        let answers = self.earlier_answers(rendering, &text, messages, placeholders, &tokens)?;
        Ok(TokenSequence { tokens: ids(&tokens), answers })
    }

    fn rendering(&self, messages: &[Message], placeholders: &Placeholders<'_>) -> Rendering<'_> {
        Rendering::new(self.template, messages, |text| placeholders.insert(text).into())
    }

    /// The rendered text with placeholders, and its tokens.
    fn render_tokens(
        &self,
        rendering: &Rendering<'_>,
        messages: &[Message],
        placeholders: &Placeholders<'_>,
        add_generation_prompt: bool,
    ) -> Result<(String, Vec<PlacedToken>), ChatError> {
        let text = rendering.render(add_generation_prompt)?;
        let neutral = self.neutral(messages, placeholders).render(add_generation_prompt);
        let spelled = self.tokens_of_contents(&text, neutral)?;
        let tokens = self.encoder.encode(&placeholders.remove(&text, &spelled, &mut (0..0)))?;
        Ok((text, tokens))
    }

    /// The same conversation with texts of which no control token can be made. They have the lengths of texts with
    /// placeholders.
    fn neutral(&self, messages: &[Message], placeholders: &Placeholders<'_>) -> Rendering<'_> {
        let insert = |text: &str| placeholders.insert(text).into();
        let message = |message| self.template.message(&self.neutral_message(&changed(message, insert)));
        Rendering { template: self.template, messages: messages.iter().map(message).collect() }
    }

    /// A message with neutral texts. Texts that the template compares with stay.
    fn neutral_message(&self, message: &Message) -> Message {
        let extra = |text: &str| match self.template.names(text) {
            true => text.to_owned(),
            false => content_tokens::neutral(text),
        };
        Message { content: message.content.map(content_tokens::neutral), ..changed(message, extra) }
    }

    /// The places of control tokens that a rendered text has from contents.
    fn tokens_of_contents(
        &self,
        text: &str,
        neutral: Result<String, ChatError>,
    ) -> Result<Vec<Range<usize>>, ChatError> {
        let neutral = neutral?;
        content_tokens::tokens_of_contents(self.encoder.control(), text, &neutral).map_err(|token| {
            let message = format!(
                "the special tokens in its text depend on the words of the contents, the first of them `{token}`; \
                 contents must not write special tokens"
            );
            ChatError::Template { what: "cannot be used", roles: Vec::new(), message }
        })
    }

    /// The frame of a message. `None` if the template leaves out the message.
    fn answer_frame(
        &self,
        rendering: &Rendering<'_>,
        neutral: &Rendering<'_>,
        index: usize,
    ) -> Result<Option<AnswerFrame>, ChatError> {
        let texts = rendering.with_sentinels(index)?;
        let Some(frame) = Frame::new([&texts[0], &texts[1]]) else { return Ok(None) };
        let neutral = neutral.render_with(index, &SENTINELS[0].into());
        let spelled = self.tokens_of_contents(&texts[0], neutral)?;
        Ok(Some(AnswerFrame { frame, spelled }))
    }

    /// The answers among these messages, in the tokens of a conversation that begins with them. `text` is its text with
    /// placeholders.
    fn earlier_answers(
        &self,
        rendering: Rendering<'_>,
        text: &str,
        messages: &[Message],
        placeholders: &Placeholders<'_>,
        tokens: &[PlacedToken],
    ) -> Result<Vec<AnswerTokens>, ChatError> {
        let mut answers = Vec::new();
        let with_placeholders = |content: &Content| content.map(|text| placeholders.insert(text).into());
        let earlier = messages.iter().enumerate().filter(|(_, message)| message.role == ASSISTANT);
        for (index, message) in earlier {
            // The template may leave out this answer.
            let [first, second] = rendering.with_sentinels(index)?;
            let Some(frame) = Frame::new([&first, &second]) else { continue };
            let mut place = frame.find(text, &with_placeholders(&message.content), self.encoder.control());
            // Without a control token behind the answer, its turn must not reach into the next message.
            let next = messages.get(index + 1).map(|next| with_placeholders(&next.content));
            let next = next.filter(|next| !next.is_empty()).and_then(|next| text[place.end..].find(&*next));
            let next = next.map_or(text.len(), |at| place.end + at);
            let mut next = next..next;
            placeholders.remove(text, &[], &mut next);
            placeholders.remove(text, &[], &mut place);
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

/// The text around an answer.
struct AnswerFrame {
    frame: Frame,
    /// The places of control tokens that the text has from contents, with the first sentinel as the answer.
    spelled: Vec<Range<usize>>,
}

impl AnswerFrame {
    /// The places with an answer of this length.
    fn spelled_around(&self, length: usize) -> Vec<Range<usize>> {
        let front = self.frame.front_len();
        let place = |place: usize| if place <= front { place } else { place - SENTINELS[0].len() + length };
        self.spelled.iter().map(|range| place(range.start)..place(range.end)).collect()
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

/// A conversation to render.
struct Rendering<'a> {
    template: &'a ChatTemplate,
    messages: Vec<MessageValue>,
}

impl<'a> Rendering<'a> {
    /// The conversation with changed texts.
    fn new(template: &'a ChatTemplate, messages: &[Message], change: impl Fn(&str) -> String) -> Self {
        let messages = messages.iter().map(|message| template.message(&changed(message, &change)));
        Self { template, messages: messages.collect() }
    }

    fn render(&self, add_generation_prompt: bool) -> Result<String, ChatError> {
        self.template.render(&self.messages, add_generation_prompt)
    }

    /// Replaces a message.
    fn replace(&mut self, index: usize, message: &Message) {
        self.messages[index] = self.template.message(message);
    }

    /// The text with another content of one message.
    fn render_with(&self, index: usize, content: &Content) -> Result<String, ChatError> {
        let mut messages = self.messages.clone();
        messages[index] = self.template.with_content(&messages[index], content);
        self.template.render(&messages, false)
    }

    /// The texts with each of the [`SENTINELS`] as the content of one message.
    fn with_sentinels(&self, index: usize) -> Result<[String; 2], ChatError> {
        let [first, second] = SENTINELS;
        Ok([self.render_with(index, &first.into())?, self.render_with(index, &second.into())?])
    }
}

fn unusable(messages: &[Message], message: &str) -> ChatError {
    let roles = messages.iter().map(|message| message.role.clone()).chain([ASSISTANT.to_owned()]).collect();
    ChatError::Template { what: "cannot be used", roles, message: message.to_owned() }
}

/// A message with all its texts changed.
fn changed(message: &Message, change: impl Fn(&str) -> String) -> Message {
    Message {
        role: message.role.clone(),
        content: message.content.map(&change),
        extra: changed_fields(&message.extra, &change),
    }
}

/// Fields with all their texts changed. Keys that are plain words stay: templates read values by them.
fn changed_fields(fields: &Map<String, Json>, change: &dyn Fn(&str) -> String) -> Map<String, Json> {
    let is_word = |key: &str| key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    let key = |key: &String| if is_word(key) { key.clone() } else { change(key) };
    fields.iter().map(|(name, value)| (key(name), changed_json(value, change))).collect()
}

fn changed_json(value: &Json, change: &dyn Fn(&str) -> String) -> Json {
    match value {
        Json::String(text) => change(text).into(),
        Json::Array(items) => items.iter().map(|item| changed_json(item, change)).collect(),
        Json::Object(fields) => changed_fields(fields, change).into(),
        other => other.clone(),
    }
}

/// All texts of messages, in which contents and other values may spell control tokens.
fn texts(messages: &[Message]) -> impl Iterator<Item = &str> + Clone {
    messages.iter().flat_map(|message| {
        let mut texts = message.content.parts();
        push_fields(&message.extra, &mut texts);
        texts
    })
}

fn push_fields<'a>(fields: &'a Map<String, Json>, texts: &mut Vec<&'a str>) {
    for (key, value) in fields {
        texts.push(key);
        push_json(value, texts);
    }
}

fn push_json<'a>(value: &'a Json, texts: &mut Vec<&'a str>) {
    match value {
        Json::String(text) => texts.push(text),
        Json::Array(items) => items.iter().for_each(|item| push_json(item, texts)),
        Json::Object(fields) => push_fields(fields, texts),
        _ => {}
    }
}

fn ids(tokens: &[PlacedToken]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}
