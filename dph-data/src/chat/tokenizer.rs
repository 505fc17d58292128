//! [`ChatTokenizer`]: from messages to tokens.

use std::fmt;
use std::path::Path;

use dph_core::panics::without_panic;
use dph_core::{CandidateSet, Ending, Style};

use crate::chat::encode::encoder::Encoder;
use crate::chat::error::ChatError;
use crate::chat::files::tokenizer_files::TokenizerFiles;
use crate::chat::files::vocabulary::{control_tokens, vocabulary};
use crate::chat::format::ChatFormat;
use crate::chat::layout::Layout;
use crate::chat::layout::plain_text::{Continuation, PlainText};
use crate::chat::layout::sequence::{AnswerTokens, Conversations, TextLength, TokenSequence};
use crate::chat::layout::text_pair::{SpecialTokens, TextLayout, TextTokens};
use crate::chat::message::{ASSISTANT, Message};
use crate::chat::options::ChatOptions;
use crate::chat::special_ids::SpecialIds;
use crate::chat::token_data::{Supervise, TokenData};
use crate::document::{ClassifiedText, PlainPrompt};

/// The length that a sequence may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthLimit {
    /// Number of tokens that are computed.
    pub tokens: usize,
    /// Whether the last token of an answer may have no place, because only its likelihood is needed, see
    /// [`Candidate::next`](crate::Candidate::next).
    pub likelihood_only: bool,
}

/// A tokenizer with a conversation format.
///
/// Build it once and share it between threads by reference: encoding takes `&self`.
///
/// A chat template renders the real messages, and its text is tokenised as a whole, as transformers does. One thing differs:
/// content is always text. An answer that contains `<|im_end|>` does not end its turn, also if the template changes it. In the ChatML format of the paper, the
/// texts of the format and the contents are tokenised separately and never merged.
pub struct ChatTokenizer {
    encoder: Encoder,
    layout: Layout,
    plain: PlainText,
    special: SpecialTokens,
    ids: SpecialIds,
    ending: Ending,
    /// The tokens of a conversation behind its last end-of-turn token.
    closing: Vec<u32>,
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
        // The library panics on some damaged files.
        let vocabulary = without_panic(|| vocabulary(&files)).flatten().map_err(invalid)?;
        let layout = Layout::choose(&files, &vocabulary, options)?;
        let ids = SpecialIds::find(&files, &vocabulary, options)?;
        let control = control_tokens(&files, &vocabulary).map_err(invalid)?;
        let encoder = Encoder::new(vocabulary, control).map_err(invalid)?;
        let plain = PlainText::new(encoder.tokenizer())?;
        let special = SpecialTokens::find(encoder.tokenizer())?;
        let mut tokenizer =
            Self { encoder, layout, plain, special, ids, ending: Ending::Turn, closing: Vec::new() };
        let eos = tokenizer.ids.eos.unwrap_or_default();
        tokenizer.ids.end_of_turn = match (&tokenizer.layout, options.ending) {
            (Layout::None(_), _) => eos,
            (_, Ending::Turn) => tokenizer.probe_turn(Ending::Turn)?.last().copied().unwrap_or(eos),
            (_, ending @ (Ending::Conversation | Ending::Unpadded(_))) => {
                let whole = tokenizer.probe_turn(ending)?;
                // Some templates of reward models do not end a turn.
                let turn = tokenizer.probe_turn(Ending::Turn).unwrap_or_default();
                tokenizer.closing =
                    whole.get(turn.len()..).filter(|_| !turn.is_empty()).unwrap_or_default().to_vec();
                turn.last().copied().unwrap_or(eos)
            }
        };
        tokenizer.ending = options.ending;
        Ok(tokenizer)
    }

    /// A whole conversation, with the masks for training and testing.
    ///
    /// # Errors
    /// An invalid role, a conversation that the template rejects, text that cannot be tokenised.
    pub fn conversation(&self, messages: &[Message], supervise: Supervise) -> Result<TokenData, ChatError> {
        let TokenSequence { tokens, answers } = self.layout.whole(&self.encoder, self.ids.start, messages)?;
        let answers = match (supervise, messages.last()) {
            (Supervise::All, _) => answers.as_slice(),
            (Supervise::Last, Some(last)) if last.role == ASSISTANT => {
                answers.last().map_or(&[][..], std::slice::from_ref)
            }
            (Supervise::Last, _) => &[],
        };
        let (mut train_mask, mut test_mask) = (vec![false; tokens.len()], vec![false; tokens.len()]);
        for AnswerTokens { answer, end } in answers {
            train_mask[answer.start..*end].fill(true);
            test_mask[answer.clone()].fill(true);
        }
        let end = self.ids.eos.unwrap_or(self.ids.end_of_turn);
        Ok(TokenData {
            targets: shifted(&tokens, end),
            train_mask: shifted(&train_mask, false),
            test_mask: shifted(&test_mask, false),
            tokens,
        })
    }

    /// The tokens of a conversation that waits for the assistant's answer: a chat template renders it with
    /// `add_generation_prompt`.
    ///
    /// These tokens need not be the beginning of the conversation with an answer. To score answers, use
    /// [`candidate_set`](Self::candidate_set).
    ///
    /// # Errors
    /// As [`conversation`](Self::conversation); a conversation without messages.
    pub fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, ChatError> {
        if messages.is_empty() {
            return Err(ChatError::Empty);
        }
        self.layout.prompt(&self.encoder, self.ids.start, messages)
    }

    /// A prompt with candidate answers to it.
    ///
    /// Prompt and candidate together are the tokens of the [`conversation`](Self::conversation) with this answer, up to the
    /// end of its turn, or with another [`Ending`] up to that. A conversation that begins with its answer has the beginning-of-text token, or else the end-of-text
    /// token, before it. The prompt is the beginning that all these conversations have in common; without answers it is the
    /// [`prompt`](Self::prompt).
    ///
    /// # Errors
    /// As [`prompt`](Self::prompt); a conversation without a special token behind the answer; a conversation that begins with
    /// its answer if there is no token to begin with.
    pub fn candidate_set<A: AsRef<str>>(
        &self,
        id: impl Into<String>,
        prompt: &[Message],
        answers: &[A],
        gold: Option<usize>,
    ) -> Result<CandidateSet, ChatError> {
        let answers: Vec<Message> =
            answers.iter().map(|answer| Message::assistant(answer.as_ref())).collect();
        self.candidate_messages(id, prompt, &answers, gold)
    }

    /// A prompt with candidate answers to it, which may have other keys than their content. The role of an answer is
    /// `assistant`, whatever it says.
    ///
    /// # Errors
    /// As [`candidate_set`](Self::candidate_set).
    pub fn candidate_messages(
        &self,
        id: impl Into<String>,
        prompt: &[Message],
        answers: &[Message],
        gold: Option<usize>,
    ) -> Result<CandidateSet, ChatError> {
        if prompt.is_empty() {
            return Err(ChatError::Empty);
        }
        if answers.is_empty() {
            let prompt = self.prompt(prompt)?;
            return Ok(CandidateSet { id: id.into(), prompt, ..CandidateSet::default() });
        }
        let conversations =
            self.layout.conversations(&self.encoder, self.ids.start, prompt, answers, self.ending)?;
        let lengths = answers.iter().map(|answer| TextLength::new(&answer.content));
        let start = self.ids.bos.or(self.ids.eos);
        Ok(CandidateSet { id: id.into(), gold, ..conversations.candidate_set(lengths, start)? })
    }

    /// Candidates that continue plain text, with the tokens that lm-evaluation-harness gives them. Returns the set, and whether
    /// one of its sequences had more than `limit` allows and lost the first of its tokens.
    ///
    /// Blanks at the end of a context are moved to the candidate. Context and candidate are tokenised together, with the special
    /// tokens that the post-processor of the tokenizer adds, and the candidate has the tokens behind those that the context has
    /// alone. There is no end of the turn: the last token of a candidate is its last. An empty context is the beginning-of-text
    /// token, or else the end-of-text token. Unlike in the harness, control tokens that the texts spell stay text.
    ///
    /// # Errors
    /// A candidate without tokens, or with so many that no context is left; text that cannot be tokenised; an empty context if
    /// there is no token to begin with.
    pub fn plain_set(
        &self,
        id: impl Into<String>,
        prompt: &PlainPrompt,
        candidates: &[String],
        gold: Option<usize>,
        limit: Option<LengthLimit>,
    ) -> Result<(CandidateSet, bool), ChatError> {
        let start = self.ids.bos.or(self.ids.eos);
        let contexts: Vec<&str> = prompt.contexts.iter().map(String::as_str).collect();
        let continuations: Vec<String> =
            candidates.iter().map(|candidate| [&*prompt.delimiter, candidate].concat()).collect();
        let mut found = self.plain.continuations(&self.encoder, &contexts, &continuations, start)?;
        let mut is_cut = false;
        for (candidate, found) in found.iter_mut().enumerate() {
            if found.tokens.is_empty() {
                return Err(ChatError::NoAnswer { candidate });
            }
            let Some(limit) = limit else { continue };
            let max_len = limit.tokens + usize::from(limit.likelihood_only);
            is_cut |= found.cut(max_len);
            if found.context.is_empty() {
                return Err(ChatError::LongAnswer { candidate, tokens: found.tokens.len(), max_len });
            }
        }
        let max_len = limit.map_or(usize::MAX, |limit| limit.tokens);
        let tails = found.into_iter().map(|found| found.into_tail(max_len)).collect();
        let sequences = Conversations { tails, ..Conversations::default() };
        let sequences = match self.ending {
            Ending::Unpadded(pad) => sequences.without_padding(pad),
            Ending::Turn | Ending::Conversation => sequences,
        };
        let lengths = candidates.iter().map(|candidate| TextLength::new(candidate));
        let set = sequences.candidate_set(lengths, None)?;
        Ok((CandidateSet { id: id.into(), gold, ..set }, is_cut))
    }

    /// A text as sets with one candidate whose likelihoods add up to that of the text: windows of `window` computed tokens, at least 2,
    /// as lm-evaluation-harness has them for perplexities.
    ///
    /// The text has the special tokens that the post-processor of the tokenizer adds. Its first token is predicted from the
    /// beginning-of-text token, or else from the end-of-text token. Unlike in the harness, control tokens that the text spells stay
    /// text. There are no sets for a text without tokens. Lengths of texts are 0.
    ///
    /// # Errors
    /// A tokenizer without such a token; text that cannot be tokenised.
    pub fn text_windows(&self, text: &str, window: usize) -> Result<Vec<CandidateSet>, ChatError> {
        let start = self.ids.bos.or(self.ids.eos).ok_or(ChatError::NoPrompt)?;
        let window = window.max(2);
        let windows = self.plain.windows(&self.encoder, text, start, window)?;
        let set = |found: Continuation| {
            let tails = vec![found.into_tail(window)];
            let sequences = Conversations { tails, ..Conversations::default() };
            sequences.candidate_set(std::iter::once(TextLength::new("")), None)
        };
        windows.into_iter().map(set).collect()
    }

    /// A text, or two, as a classifier reads them, and whether it was longer than `max_len` tokens. It has the tokens of
    /// `tokenizer(first, second, truncation=True)` in transformers, except that control tokens that the texts spell stay text.
    ///
    /// # Errors
    /// Text that cannot be tokenised, a limit without room for it, or no token at all.
    pub fn classified_text(
        &self,
        text: &ClassifiedText,
        layout: TextLayout,
        max_len: Option<usize>,
    ) -> Result<(TextTokens, bool), ChatError> {
        self.special.encode(&self.encoder, text, layout, max_len)
    }

    /// Whether the tokenizer has a conversation format. Without one, only plain text can be tokenised.
    pub fn has_chat(&self) -> bool {
        !matches!(self.layout, Layout::None(_))
    }

    /// The style of documents, unless another one is asked for: a conversation where the tokenizer has a format of conversations.
    pub fn default_style(&self) -> Style {
        if self.has_chat() { Style::Chat } else { Style::Plain }
    }

    /// The tokens of plain text, without start or end. Control tokens in it stay text.
    ///
    /// # Errors
    /// Text that cannot be tokenised.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        self.encoder.encode_content(text)
    }

    /// The text of tokens, control tokens included.
    ///
    /// # Errors
    /// Tokens that the decoder of the tokenizer rejects.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ChatError> {
        self.encoder.tokenizer().decode(ids, false).map_err(ChatError::tokenise)
    }

    /// The id of a token given by its text.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.encoder.tokenizer().token_to_id(token)
    }

    /// The entry of the vocabulary with this id.
    pub fn piece(&self, id: u32) -> Option<String> {
        self.encoder.tokenizer().id_to_token(id)
    }

    /// Number of tokens, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.encoder.tokenizer().get_vocab_size(true)
    }

    /// The format of conversations.
    pub fn format(&self) -> ChatFormat {
        match self.layout {
            Layout::ChatMl(_) => ChatFormat::ChatMl,
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

    /// Where the tokens of a candidate end.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// The tokens of a candidate with this answer: the answer, its end-of-turn token and, unless the ending is [`Ending::Turn`], what
    /// the format writes behind the last turn. At least one token is left if the rest is padding.
    pub fn ended(&self, answer: &[u32]) -> Vec<u32> {
        let end = [self.ids.end_of_turn];
        let mut tokens = [answer, &end, &self.closing].concat();
        if let Ending::Unpadded(pad) = self.ending {
            let last = tokens.iter().rposition(|token| *token != pad).unwrap_or(0);
            tokens.truncate(last + 1);
        }
        tokens
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

    /// The tokens of an answer in a plain conversation, up to this ending. A template may require a system message or earlier turns.
    fn probe_turn(&self, ending: Ending) -> Result<Vec<u32>, ChatError> {
        let (system, user) = (Message::system("Answer."), Message::user("Who?"));
        let turns = [user.clone(), Message::assistant("Ann."), user.clone()];
        let conversations = [
            vec![user.clone()],
            vec![system.clone(), user],
            turns.to_vec(),
            [&[system], &turns[..]].concat(),
        ];
        let mut first = None;
        for conversation in conversations {
            let answer = [Message::assistant("This is an answer.")];
            let found =
                self.layout.conversations(&self.encoder, self.ids.start, &conversation, &answer, ending);
            let last = found.and_then(|found| {
                let set = found.candidate_set(std::iter::once(TextLength::new("")), Some(0))?;
                Ok(set
                    .candidates
                    .into_iter()
                    .next_back()
                    .map(|candidate| candidate.tokens)
                    .unwrap_or_default())
            });
            match last {
                Ok(tokens) => return Ok(tokens),
                Err(error) => first.get_or_insert(error),
            };
        }
        Err(first.unwrap_or(ChatError::Empty))
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
