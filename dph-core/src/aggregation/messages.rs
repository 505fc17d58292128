//! Messages: how a conversation is split for the attention layers of a head.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What counts as a message for the attention layers of a head.
///
/// In TOML `"answer"`, `"whole"`, or `{ marked = { start = 1, end = 2, newline = 198, headers = true } }` with the ids of the
/// tokens around messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Messages {
    /// The prompt is one message, the answer another one.
    #[default]
    Answer,
    /// Prompt and answer are one message.
    Whole,
    /// Every turn of the conversation is one, found by its tokens.
    Marked(MessageMarks),
}

/// The tokens around the messages of a conversation, as in ChatML: `<start>role<newline>content<end><newline>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageMarks {
    /// Id of the token that opens a message, such as `<|im_start|>`.
    pub start: u32,
    /// Id of the token that closes a message, such as `<|im_end|>`.
    pub end: u32,
    /// Id of the newline between role and content.
    pub newline: u32,
    /// Whether the role and the newlines belong to the message. If false, only the content and the end token do.
    #[serde(default)]
    pub headers: bool,
}

/// The place of a token in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageToken {
    /// Number of the message, from 0; tokens before the first one belong to number 0.
    pub message: i32,
    /// Whether the token takes part in the attention within its message. A token that does not take part attends only
    /// to itself.
    pub inside: bool,
    /// Whether later messages attend to this token as the representative of its message.
    pub end: bool,
}

/// The part of a message that a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessagePart {
    /// Between messages.
    #[default]
    Outside,
    /// The start token and the role.
    Header,
    /// The newline after the role.
    HeaderEnd,
    /// The content.
    Content,
    /// The end token, and everything between it and its newline.
    End,
}

impl Messages {
    /// The message tokens of a sequence. Its first `prompt` tokens are the prompt.
    pub fn split(&self, tokens: &[i32], prompt: usize) -> Vec<MessageToken> {
        let count = tokens.len();
        let ours = |at: usize| match self {
            Messages::Answer if at < prompt => {
                MessageToken { message: 0, inside: true, end: at + 1 == prompt }
            }
            Messages::Answer => MessageToken { message: 1, inside: true, end: at + 1 == count },
            _ => MessageToken { message: 0, inside: true, end: at + 1 == count },
        };
        match self {
            Messages::Answer | Messages::Whole => (0..count).map(ours).collect(),
            Messages::Marked(marks) => marks.split(tokens),
        }
    }
}

impl MessageMarks {
    fn split(&self, tokens: &[i32]) -> Vec<MessageToken> {
        let mut message = 0;
        let inside = |part| self.headers || matches!(part, MessagePart::Content | MessagePart::End);
        tokens
            .iter()
            .zip(self.parts(tokens))
            .map(|(&token, part)| {
                message += i32::from(token == self.start as i32);
                MessageToken { message, inside: inside(part), end: token == self.end as i32 }
            })
            .collect()
    }

    /// The part of its message that each token of a conversation belongs to.
    pub fn parts(&self, tokens: &[i32]) -> Vec<MessagePart> {
        use MessagePart::*;
        let mut part = Outside;
        tokens
            .iter()
            .map(|&token| {
                let [start, end, newline] = [self.start, self.end, self.newline].map(|id| id as i32 == token);
                part = match part {
                    End if newline => Outside,
                    Content if end => End,
                    HeaderEnd => Content,
                    Header if newline => HeaderEnd,
                    Outside if start => Header,
                    part => part,
                };
                part
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: MessageMarks = MessageMarks { start: 1, end: 2, newline: 3, headers: false };

    #[test]
    fn messages_have_names_or_marks() {
        for (text, messages) in [
            ("\"answer\"", Messages::Answer),
            ("\"whole\"", Messages::Whole),
            (r#"{"marked":{"start":1,"end":2,"newline":3,"headers":false}}"#, Messages::Marked(MARKS)),
        ] {
            assert_eq!(serde_json::from_str::<Messages>(text).unwrap(), messages);
            assert_eq!(serde_json::to_string(&messages).unwrap(), text);
        }
        let error = serde_json::from_str::<Messages>("\"turns\"").unwrap_err().to_string();
        assert!(error.contains("expected one of `answer`, `whole`, `marked`"), "{error}");
    }

    #[test]
    fn prompt_and_answer_are_two_messages_or_one() {
        let split = |messages: Messages| -> Vec<(i32, bool)> {
            messages.split(&[9, 9, 8, 8, 2], 2).iter().map(|token| (token.message, token.end)).collect()
        };
        assert_eq!(split(Messages::Answer), [(0, false), (0, true), (1, false), (1, false), (1, true)]);
        assert_eq!(split(Messages::Whole), [(0, false), (0, false), (0, false), (0, false), (0, true)]);
    }

    #[test]
    fn marks_tell_content_from_headers() {
        let tokens = [1, 7, 3, 9, 2, 3, 1, 8, 3, 9, 2];
        let inside = |headers| -> Vec<u8> {
            let split = Messages::Marked(MessageMarks { headers, ..MARKS }).split(&tokens, 0);
            split.iter().map(|token| u8::from(token.inside)).collect()
        };
        assert_eq!(inside(false), [0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1]);
        assert_eq!(inside(true), [1; 11]);
        let split = Messages::Marked(MARKS).split(&tokens, 0);
        assert_eq!(
            split.iter().map(|token| token.message).collect::<Vec<_>>(),
            [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]
        );
    }
}
