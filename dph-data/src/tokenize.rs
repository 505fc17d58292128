//! [`ChatTokenizer`]: from messages to tokens.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use dph_core::{Candidate, CandidateSet};
use tokenizers::Tokenizer;

use crate::chat::{ChatError, ChatFormat, Message, Supervise, TokenData, check_role};
use crate::chat_template::{ChatTemplate, Part, Trim, trimmed};
use crate::content::ContentEncoder;
use crate::tokenizer_files::TokenizerFiles;

const IM_START: &str = "<|im_start|>";
const IM_END: &str = "<|im_end|>";
const ASSISTANT: &str = "assistant";

/// Choices that a tokenizer's files leave open.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatOptions {
    /// The format of conversations. `None` takes what `chat.json` says; without it the tokenizer's own chat template, or
    /// without one ChatML if the vocabulary has its two tokens.
    pub format: Option<ChatFormat>,
    /// A chat template (Jinja) to use in place of the tokenizer's own.
    pub template: Option<String>,
    /// The token that starts a ChatML conversation and plain text. `None` takes the beginning-of-text token or, where that
    /// is `<|im_start|>` or missing, the end-of-text token (the paper's tokenizer has one token for both).
    pub start: Option<String>,
    /// Today, for templates that ask (`strftime_now`), as year, month, day. It is fixed, for otherwise the same
    /// prompt would have other tokens tomorrow; the default is the date that Llama's templates fall back on.
    pub date: [u16; 3],
    /// Whether a tokenizer without any chat format will do, as long as only plain text is tokenised.
    pub text_only: bool,
}

impl Default for ChatOptions {
    fn default() -> Self {
        Self { format: None, template: None, start: None, date: [2024, 7, 26], text_only: false }
    }
}

/// A tokenizer that knows how conversations look.
///
/// Built once and shared between threads by reference: encoding takes `&self`, a copy would be expensive. Contents are
/// always encoded as text: an answer that says `<|im_end|>` does not end its turn.
///
/// Template and contents are tokenised piece by piece and never merged, so a prompt has the same tokens whatever
/// answer follows. (A normaliser that puts a blank before a text does so for each piece.)
pub struct ChatTokenizer {
    vocabulary: Tokenizer,
    content: ContentEncoder,
    layout: Layout,
    ids: Ids,
    /// The layouts met so far, by the roles of the conversation.
    pieces: RwLock<HashMap<Vec<String>, Arc<[Piece]>>>,
}

enum Layout {
    ChatMl,
    Template(Box<ChatTemplate>),
    /// None, in this folder: conversations are refused.
    None(PathBuf),
}

#[derive(Debug, Clone, Copy, Default)]
struct Ids {
    bos: Option<u32>,
    eos: Option<u32>,
    pad: Option<u32>,
    start: Option<u32>,
    end_of_turn: u32,
}

/// A part of a conversation in tokens.
#[derive(Debug, Clone)]
enum Piece {
    /// The format's own tokens, and how many of them belong to the turn before: up to its end-of-turn token.
    Control { ids: Vec<u32>, end_of_turn: usize },
    /// The content of the message with this index.
    Content { message: usize, trim: (Trim, Trim) },
}

impl ChatTokenizer {
    /// The tokenizer in a folder, with the default options.
    ///
    /// Reads `tokenizer.json` and, where they are there, `tokenizer_config.json`, `special_tokens_map.json`,
    /// `chat_template.jinja`, `generation_config.json`, `config.json` and [`chat.json`](crate::CHAT_FILE).
    ///
    /// # Errors
    /// As [`from_dir_with`](Self::from_dir_with).
    pub fn from_dir(folder: &Path) -> Result<Self, ChatError> {
        Self::from_dir_with(folder, &ChatOptions::default())
    }

    /// The tokenizer in a folder.
    ///
    /// # Errors
    /// A file that cannot be read or parsed, a token that is not in the vocabulary, a tokenizer that has no chat format, a
    /// template that refuses a plain conversation or never ends the assistant's turn.
    pub fn from_dir_with(folder: &Path, options: &ChatOptions) -> Result<Self, ChatError> {
        Self::from_files(folder, &|name| std::fs::read(folder.join(name)), options)
    }

    /// The tokenizer of files that need not lie in a folder: `read` gives the contents of each by its name, and the error
    /// [`NotFound`](std::io::ErrorKind::NotFound) for one that is not there. Messages place the files in `folder`.
    ///
    /// # Errors
    /// As [`from_dir_with`](Self::from_dir_with).
    pub fn from_files(
        folder: &Path,
        read: &dyn Fn(&str) -> std::io::Result<Vec<u8>>,
        options: &ChatOptions,
    ) -> Result<Self, ChatError> {
        let files = TokenizerFiles::read(folder, read)?;
        let invalid = |message: String| ChatError::Invalid {
            path: folder.join("tokenizer.json"),
            what: "tokenizer",
            message,
        };
        let vocabulary: Tokenizer =
            serde_json::from_value(files.tokenizer.clone()).map_err(|error| invalid(error.to_string()))?;
        let content = ContentEncoder::new(files.tokenizer.clone()).map_err(invalid)?;
        let layout = layout(&files, &vocabulary, options)?;
        let ids = ids(&files, &vocabulary, options)?;
        let mut tokenizer = Self { vocabulary, content, layout, ids, pieces: RwLock::default() };
        tokenizer.ids.end_of_turn = match tokenizer.layout {
            Layout::None(_) => tokenizer.ids.eos.unwrap_or_default(),
            _ => tokenizer.find_end_of_turn()?,
        };
        Ok(tokenizer)
    }

    /// A whole conversation, with the masks for training and testing.
    ///
    /// # Errors
    /// A role that is no role, a conversation that the template refuses, text that cannot be tokenised.
    pub fn conversation(&self, messages: &[Message], supervise: Supervise) -> Result<TokenData, ChatError> {
        let pieces = self.pieces(messages.iter().map(|message| message.role.as_str()))?;
        let mut tokens = Vec::new();
        // Aligned with `tokens` here, and with `targets`, one to the left, in the end.
        let (mut train_mask, mut test_mask) = (Vec::new(), Vec::new());
        let mut trained = false;
        for piece in pieces.iter() {
            match piece {
                Piece::Control { ids, end_of_turn } => {
                    train_mask.extend((0..ids.len()).map(|index| trained && index < *end_of_turn));
                    test_mask.extend(ids.iter().map(|_| false));
                    tokens.extend_from_slice(ids);
                    trained = false;
                }
                Piece::Content { message, trim } => {
                    let last = *message + 1 == messages.len();
                    trained = messages[*message].role == ASSISTANT && (last || supervise == Supervise::All);
                    let ids = self.content.encode(trimmed(&messages[*message].content, *trim))?;
                    train_mask.extend(ids.iter().map(|_| trained));
                    test_mask.extend(ids.iter().map(|_| trained));
                    tokens.extend(ids);
                }
            }
        }
        let end = self.ids.eos.unwrap_or(self.ids.end_of_turn);
        let targets = shifted(&tokens, end);
        Ok(TokenData {
            targets,
            train_mask: shifted(&train_mask, false),
            test_mask: shifted(&test_mask, false),
            tokens,
        })
    }

    /// The tokens up to and including the opening of the assistant's turn.
    ///
    /// # Errors
    /// As [`conversation`](Self::conversation); a conversation without messages.
    pub fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, ChatError> {
        self.open_turn(messages).map(|turn| turn.prompt)
    }

    /// A prompt with candidate answers to it.
    ///
    /// The prompt ends with the opening of the assistant's turn; each candidate is its answer and the end-of-turn token.
    /// Prompt and candidate together are the tokens of the [`conversation`](Self::conversation) up to that token.
    ///
    /// # Errors
    /// As [`prompt`](Self::prompt).
    pub fn candidate_set<A: AsRef<str>>(
        &self,
        id: impl Into<String>,
        prompt: &[Message],
        answers: &[A],
        gold: Option<usize>,
    ) -> Result<CandidateSet, ChatError> {
        let turn = self.open_turn(prompt)?;
        let candidates = answers.iter().map(|answer| {
            let answer = trimmed(answer.as_ref(), turn.trim);
            let mut tokens = self.content.encode(answer)?;
            tokens.extend_from_slice(&turn.end);
            Ok(Candidate { tokens, bytes: answer.len() })
        });
        Ok(CandidateSet {
            id: id.into(),
            candidates: candidates.collect::<Result<_, ChatError>>()?,
            prompt: turn.prompt,
            gold,
            earlier_answers: turn.earlier_answers,
            ..CandidateSet::default()
        })
    }

    /// The tokens of plain text, without start or end. Control tokens in it stay text.
    ///
    /// # Errors
    /// Text that cannot be tokenised.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        self.content.encode(text)
    }

    /// The text of tokens, control tokens included.
    ///
    /// # Errors
    /// What the tokenizer's decoder cannot decode.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ChatError> {
        self.vocabulary.decode(ids, false).map_err(|error| ChatError::Tokenise { message: error.to_string() })
    }

    /// The id of a token given by its text.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.vocabulary.token_to_id(token)
    }

    /// Number of tokens, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.get_vocab_size(true)
    }

    /// How conversations are laid out.
    pub fn format(&self) -> ChatFormat {
        match self.layout {
            Layout::ChatMl => ChatFormat::ChatMl,
            Layout::Template(_) | Layout::None(_) => ChatFormat::Template,
        }
    }

    /// The token that starts plain text and, in ChatML, a conversation. A template starts a conversation itself.
    pub fn start_id(&self) -> Option<u32> {
        self.ids.start
    }

    /// The token that ends the assistant's turn.
    pub fn end_of_turn_id(&self) -> u32 {
        self.ids.end_of_turn
    }

    /// The beginning-of-text token.
    pub fn bos_id(&self) -> Option<u32> {
        self.ids.bos
    }

    /// The end-of-text token.
    pub fn eos_id(&self) -> Option<u32> {
        self.ids.eos
    }

    /// The padding token.
    pub fn pad_id(&self) -> Option<u32> {
        self.ids.pad
    }

    fn open_turn(&self, messages: &[Message]) -> Result<OpenTurn, ChatError> {
        if messages.is_empty() {
            return Err(ChatError::Empty);
        }
        let roles = messages.iter().map(|message| message.role.as_str()).chain([ASSISTANT]);
        let pieces = self.pieces(roles)?;
        let mut turn = OpenTurn {
            prompt: Vec::new(),
            earlier_answers: Vec::new(),
            trim: (Trim::Nothing, Trim::Nothing),
            end: Vec::new(),
        };
        let mut answered = false;
        let mut earlier = None;
        for piece in pieces.iter() {
            match piece {
                Piece::Control { ids, end_of_turn } if answered => {
                    turn.end.extend_from_slice(&ids[..*end_of_turn]);
                    return Ok(turn);
                }
                Piece::Control { ids, end_of_turn } => {
                    let end = turn.prompt.len() + end_of_turn;
                    turn.earlier_answers.extend(earlier.take().map(|start| start..end));
                    turn.prompt.extend_from_slice(ids);
                }
                Piece::Content { message, trim } if *message == messages.len() => {
                    turn.trim = *trim;
                    answered = true;
                }
                Piece::Content { message, trim } => {
                    earlier = (messages[*message].role == ASSISTANT).then_some(turn.prompt.len());
                    let content = trimmed(&messages[*message].content, *trim);
                    turn.prompt.extend(self.content.encode(content)?);
                }
            }
        }
        Ok(turn)
    }

    /// The pieces of every conversation with these roles.
    fn pieces<'a>(&self, roles: impl Iterator<Item = &'a str>) -> Result<Arc<[Piece]>, ChatError> {
        let roles: Vec<&str> = roles.collect();
        let key: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let known = self.pieces.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(pieces) = known.get(&key) {
            return Ok(Arc::clone(pieces));
        }
        drop(known);
        let pieces: Arc<[Piece]> = self.lay_out(&roles)?.into();
        let mut known = self.pieces.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(key).or_insert(pieces)))
    }

    fn lay_out(&self, roles: &[&str]) -> Result<Vec<Piece>, ChatError> {
        roles.iter().try_for_each(|role| check_role(role))?;
        match &self.layout {
            Layout::ChatMl => {
                let start = Piece::Control { ids: self.ids.start.into_iter().collect(), end_of_turn: 0 };
                let mut pieces = vec![start];
                for (message, role) in roles.iter().enumerate() {
                    pieces.push(self.control(&format!("{IM_START}{role}\n"))?);
                    pieces.push(Piece::Content { message, trim: (Trim::Nothing, Trim::Nothing) });
                    pieces.push(self.control(&format!("{IM_END}\n"))?);
                }
                Ok(pieces)
            }
            Layout::None(folder) => Err(ChatError::NoFormat { path: folder.clone() }),
            Layout::Template(template) => template
                .parts(roles)?
                .into_iter()
                .map(|part| match part {
                    Part::Template(text) => self.control(&text),
                    Part::Content { message, trim } => Ok(Piece::Content { message, trim }),
                })
                .collect(),
        }
    }

    /// The format's own words: the only place where control tokens are read.
    fn control(&self, text: &str) -> Result<Piece, ChatError> {
        let encoding = self
            .vocabulary
            .encode_fast(text, false)
            .map_err(|error| ChatError::Tokenise { message: error.to_string() })?;
        let ids = encoding.get_ids().to_vec();
        let first = ids.iter().position(|id| self.content.control().contains_key(id));
        Ok(Piece::Control { end_of_turn: first.map_or(0, |first| first + 1), ids })
    }

    fn find_end_of_turn(&self) -> Result<u32, ChatError> {
        let turn = self.open_turn(&[Message::user("?")])?;
        turn.end.last().copied().ok_or_else(|| ChatError::Template {
            what: "cannot be used",
            roles: vec!["user".to_owned(), ASSISTANT.to_owned()],
            message: "it does not end the assistant's turn with a special token; write one, such as {{ eos_token }}, \
                      behind the content"
                .to_owned(),
        })
    }
}

impl fmt::Debug for ChatTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTokenizer")
            .field("format", &self.format())
            .field("vocab_size", &self.vocab_size())
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}

/// Everything before an answer, and everything behind it that belongs to the turn.
struct OpenTurn {
    prompt: Vec<u32>,
    /// The answers in the prompt, each with its end-of-turn token.
    earlier_answers: Vec<Range<usize>>,
    trim: (Trim, Trim),
    end: Vec<u32>,
}

fn shifted<T: Copy>(values: &[T], last: T) -> Vec<T> {
    values.iter().skip(1).copied().chain(values.first().map(|_| last)).collect()
}

fn layout(
    files: &TokenizerFiles,
    vocabulary: &Tokenizer,
    options: &ChatOptions,
) -> Result<Layout, ChatError> {
    let template = options.template.as_ref().or(files.chat_template.as_ref());
    let needed = |token: &str, needed_by| {
        vocabulary.token_to_id(token).ok_or_else(|| ChatError::NoToken { token: token.to_owned(), needed_by })
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

fn ids(files: &TokenizerFiles, vocabulary: &Tokenizer, options: &ChatOptions) -> Result<Ids, ChatError> {
    let named = |token: &Option<String>| token.as_ref().and_then(|token| vocabulary.token_to_id(token));
    // Names that tokenizers without a configuration commonly use.
    let usual = |names: &[&str]| names.iter().find_map(|name| vocabulary.token_to_id(name));
    let eos = named(&files.tokens.eos)
        .or_else(|| files.id("eos_token_id"))
        .or_else(|| usual(&["</s>", "<|endoftext|>", "<eos>"]));
    let bos =
        named(&files.tokens.bos).or_else(|| files.id("bos_token_id")).or_else(|| usual(&["<s>", "<bos>"]));
    let pad = named(&files.tokens.pad).or_else(|| files.id("pad_token_id")).or_else(|| usual(&["<pad>"]));
    let turns = [IM_START, IM_END].map(|token| vocabulary.token_to_id(token));
    let start =
        match &options.start {
            Some(token) => Some(vocabulary.token_to_id(token).ok_or_else(|| ChatError::NoToken {
                token: token.clone(),
                needed_by: "the option `start`",
            })?),
            None => [bos, eos].into_iter().flatten().find(|id| !turns.contains(&Some(*id))),
        };
    Ok(Ids { bos, eos, pad, start, end_of_turn: 0 })
}
