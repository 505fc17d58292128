//! [`Layout`]: splits a conversation into the tokens of the format and the contents of the messages.

use std::path::PathBuf;

use tokenizers::Tokenizer;

use super::error::ChatError;
use super::files::TokenizerFiles;
use super::format::ChatFormat;
use super::message::check_role;
use super::options::ChatOptions;
use super::template::{ChatTemplate, Part};
use super::trim::Trim;

pub(super) const IM_START: &str = "<|im_start|>";
pub(super) const IM_END: &str = "<|im_end|>";

/// The layout of conversations.
pub(super) enum Layout {
    ChatMl,
    Template(Box<ChatTemplate>),
    /// No format; the folder of the tokenizer. Conversations are an error.
    None(PathBuf),
}

/// A part of a conversation in tokens.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Tokens of the format. The first `end_of_turn` of them, up to the end-of-turn token, belong to the previous turn.
    Control { ids: Vec<u32>, end_of_turn: usize },
    /// The content of the message with this index.
    Content { message: usize, trim: (Trim, Trim) },
}

impl Layout {
    /// The layout of the options or, by default, of the files.
    pub(super) fn choose(
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
        let has_chatml = [IM_START, IM_END].iter().all(|token| vocabulary.token_to_id(token).is_some());
        let no_format = || ChatError::NoFormat { path: files.folder.clone() };
        match (options.format.or(files.chat_format), template) {
            (None | Some(ChatFormat::Template), Some(source)) => {
                ChatTemplate::new(source, files.tokens.clone(), options.date)
                    .map(|template| Layout::Template(Box::new(template)))
            }
            (Some(ChatFormat::Template), None) => Err(no_format()),
            (Some(ChatFormat::ChatMl), _) if options.text_only && !has_chatml => {
                Ok(Layout::None(files.folder.clone()))
            }
            (Some(ChatFormat::ChatMl), _) => {
                needed(IM_START, "ChatML")?;
                needed(IM_END, "ChatML")?;
                Ok(Layout::ChatMl)
            }
            (None, None) => has_chatml
                .then_some(Layout::ChatMl)
                .or_else(|| options.text_only.then(|| Layout::None(files.folder.clone())))
                .ok_or_else(no_format),
        }
    }

    /// The pieces of every conversation with these roles. `start` is the first token of a ChatML conversation; `control`
    /// tokenises the text of the format.
    pub(super) fn pieces(
        &self,
        roles: &[&str],
        start: Option<u32>,
        control: impl Fn(&str) -> Result<Piece, ChatError>,
    ) -> Result<Vec<Piece>, ChatError> {
        roles.iter().try_for_each(|role| check_role(role))?;
        match self {
            Layout::ChatMl => {
                let start = Piece::Control { ids: start.into_iter().collect(), end_of_turn: 0 };
                let mut pieces = vec![start];
                for (message, role) in roles.iter().enumerate() {
                    pieces.push(control(&format!("{IM_START}{role}\n"))?);
                    pieces.push(Piece::Content { message, trim: (Trim::Nothing, Trim::Nothing) });
                    pieces.push(control(&format!("{IM_END}\n"))?);
                }
                Ok(pieces)
            }
            Layout::None(folder) => Err(ChatError::NoFormat { path: folder.clone() }),
            Layout::Template(template) => template
                .parts(roles)?
                .into_iter()
                .map(|part| match part {
                    Part::Template(text) => control(&text),
                    Part::Content { message, trim } => Ok(Piece::Content { message, trim }),
                })
                .collect(),
        }
    }
}
