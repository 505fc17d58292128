//! [`ChatTokenizer`]: from messages to tokens.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use dph_core::{Candidate, CandidateSet};
use tokenizers::Tokenizer;

use super::content::ContentEncoder;
use super::error::ChatError;
use super::files::TokenizerFiles;
use super::format::ChatFormat;
use super::layout::{Layout, Piece};
use super::message::{ASSISTANT, Message};
use super::open_turn::OpenTurn;
use super::options::ChatOptions;
use super::special_ids::SpecialIds;
use super::token_data::{Supervise, TokenData};
use super::trim::trimmed;

/// A tokenizer with a conversation format.
///
/// Build it once and share it between threads by reference: encoding takes `&self`. Content is always encoded as text: an
/// answer that contains `<|im_end|>` does not end its turn.
///
/// The parts of the template and the contents are tokenised separately and never merged, so the tokens of a prompt do not
/// depend on the answer. (A normaliser that adds a leading space adds it to each part.)
pub struct ChatTokenizer {
    vocabulary: Tokenizer,
    content: ContentEncoder,
    layout: Layout,
    ids: SpecialIds,
    /// The pieces of conversations seen so far, by their roles.
    pieces: RwLock<HashMap<Vec<String>, Arc<[Piece]>>>,
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
    /// template that rejects a plain conversation or never ends the assistant's turn.
    pub fn from_dir_with(folder: &Path, options: &ChatOptions) -> Result<Self, ChatError> {
        Self::from_files(folder, &|name| std::fs::read(folder.join(name)), options)
    }

    /// The tokenizer of files that are not in a folder. `read(name)` returns the contents of a file, or the error
    /// [`NotFound`](std::io::ErrorKind::NotFound). Error messages name the files as if they were in `folder`.
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
        let layout = Layout::choose(&files, &vocabulary, options)?;
        let ids = SpecialIds::find(&files, &vocabulary, options)?;
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
    /// An invalid role, a conversation that the template rejects, text that cannot be tokenised.
    pub fn conversation(&self, messages: &[Message], supervise: Supervise) -> Result<TokenData, ChatError> {
        let pieces = self.pieces(messages.iter().map(|message| message.role.as_str()))?;
        let mut tokens = Vec::new();
        // Aligned with `tokens` here; shifted by one at the end, they are aligned with `targets`.
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
    /// Tokens that the decoder of the tokenizer rejects.
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

    /// The format of conversations.
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
        OpenTurn::new(&self.pieces(roles)?, messages, &self.content)
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
        let pieces: Arc<[Piece]> =
            self.layout.pieces(&roles, self.ids.start, |text| self.control(text))?.into();
        let mut known = self.pieces.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(key).or_insert(pieces)))
    }

    /// The text of the format itself. Only here are control tokens recognised.
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

fn shifted<T: Copy>(values: &[T], last: T) -> Vec<T> {
    values.iter().skip(1).copied().chain(values.first().map(|_| last)).collect()
}
