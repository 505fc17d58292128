//! [`Layout`]: conversations in tokens, in one of two formats, and where their answers are.

mod answer_place;
pub(crate) mod chatml;
pub(crate) mod plain_text;
pub(crate) mod sequence;
mod template_format;
pub(crate) mod text_pair;

use std::path::PathBuf;

use dph_core::Ending;
use tokenizers::Tokenizer;

use crate::chat::encode::encoder::Encoder;
use crate::chat::error::ChatError;
use crate::chat::files::tokenizer_files::TokenizerFiles;
use crate::chat::format::ChatFormat;
use crate::chat::layout::chatml::{ChatMl, IM_END, IM_START};
use crate::chat::layout::sequence::{Conversations, TokenSequence};
use crate::chat::layout::template_format::TemplateFormat;
use crate::chat::message::{Message, check_role};
use crate::chat::options::ChatOptions;
use crate::chat::template::chat_template::ChatTemplate;

/// The layout of conversations.
pub(crate) enum Layout {
    ChatMl(ChatMl),
    Template(Box<ChatTemplate>),
    /// No format; the folder of the tokenizer. Conversations are an error.
    None(PathBuf),
}

impl Layout {
    /// The layout of the options or, by default, of the files.
    pub(crate) fn choose(
        files: &TokenizerFiles,
        vocabulary: &Tokenizer,
        options: &ChatOptions,
    ) -> Result<Self, ChatError> {
        let template = options.template.as_ref().or(files.chat_template.as_ref());
        let needed = |token: &str, needed_by| {
            vocabulary
                .token_to_id(token)
                .ok_or_else(|| ChatError::NoToken { token: token.to_owned(), needed_by })
        };
        let chat_ml = || Layout::ChatMl(ChatMl::default());
        let has_chatml = [IM_START, IM_END].iter().all(|token| vocabulary.token_to_id(token).is_some());
        let no_format = || ChatError::NoFormat { path: files.folder.clone() };
        match (options.format.or(files.chat_format), template) {
            (None | Some(ChatFormat::Template), Some(source)) => {
                ChatTemplate::new(source, &files.tokens, options.date)
                    .map(|template| Layout::Template(Box::new(template)))
            }
            (Some(ChatFormat::Template), None) => Err(no_format()),
            (Some(ChatFormat::ChatMl), _) if options.text_only && !has_chatml => {
                Ok(Layout::None(files.folder.clone()))
            }
            (Some(ChatFormat::ChatMl), _) => {
                needed(IM_START, "ChatML")?;
                needed(IM_END, "ChatML")?;
                Ok(chat_ml())
            }
            (None, None) => has_chatml
                .then(chat_ml)
                .or_else(|| options.text_only.then(|| Layout::None(files.folder.clone())))
                .ok_or_else(no_format),
        }
    }

    /// The tokens of a conversation that waits for an answer. `start` is the first token of a ChatML conversation.
    pub(crate) fn prompt(
        &self,
        encoder: &Encoder,
        start: Option<u32>,
        messages: &[Message],
    ) -> Result<Vec<u32>, ChatError> {
        check_roles(messages)?;
        match self {
            Layout::ChatMl(format) => Ok(format.prompt(encoder, start, messages)?.tokens),
            Layout::Template(template) => TemplateFormat { template, encoder }.prompt(messages),
            Layout::None(folder) => Err(ChatError::NoFormat { path: folder.clone() }),
        }
    }

    /// The conversations with each of these answers, up to their `ending`.
    pub(crate) fn conversations(
        &self,
        encoder: &Encoder,
        start: Option<u32>,
        messages: &[Message],
        answers: &[Message],
        ending: Ending,
    ) -> Result<Conversations, ChatError> {
        check_roles(messages)?;
        let conversations = match self {
            Layout::ChatMl(format) => format.conversations(encoder, start, messages, answers, ending),
            Layout::Template(template) => {
                TemplateFormat { template, encoder }.conversations(messages, answers, ending)
            }
            Layout::None(folder) => Err(ChatError::NoFormat { path: folder.clone() }),
        }?;
        Ok(match ending {
            Ending::Unpadded(pad) => conversations.without_padding(pad),
            Ending::Turn | Ending::Conversation => conversations,
        })
    }

    /// A whole conversation.
    pub(crate) fn whole(
        &self,
        encoder: &Encoder,
        start: Option<u32>,
        messages: &[Message],
    ) -> Result<TokenSequence, ChatError> {
        check_roles(messages)?;
        match self {
            Layout::ChatMl(format) => format.whole(encoder, start, messages),
            Layout::Template(template) => TemplateFormat { template, encoder }.whole(messages),
            Layout::None(folder) => Err(ChatError::NoFormat { path: folder.clone() }),
        }
    }
}

fn check_roles(messages: &[Message]) -> Result<(), ChatError> {
    messages.iter().try_for_each(|message| check_role(&message.role))
}
