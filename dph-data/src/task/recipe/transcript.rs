//! Transcripts of HH-RLHF, "\\n\\nHuman: …\\n\\nAssistant: …".

use crate::chat::{ASSISTANT, Message, SYSTEM, USER};

/// What begins a turn.
const MARKS: [(&str, &str); 2] = [("\n\nHuman:", USER), ("\n\nAssistant:", ASSISTANT)];

/// What may begin the first one as well.
const SYSTEM_MARK: (&str, &str) = ("\n\nSystem:", SYSTEM);

/// The turns of a transcript; `None` for any other text.
///
/// The line ends may be those of Windows. The blank lines before the first turn may be missing, and this turn may be the system message; then
/// another turn must follow, for an answer may begin with such a word.
pub(super) fn transcript(text: &str) -> Option<Vec<Message>> {
    let is_first = |(mark, _): &&(&str, &str)| text.trim_start().starts_with(mark.trim_start());
    let (mark, role) = MARKS.iter().chain([&SYSTEM_MARK]).find(is_first)?;
    let text = text.replace("\r\n", "\n");
    let is_marked = *role != SYSTEM && text.starts_with(mark);
    let mut rest = text.trim_start().strip_prefix(mark.trim_start())?;
    let mut turns = Vec::new();
    let mut role = *role;
    while let Some((end, mark, next)) = next_turn(rest) {
        turns.push(Message::new(role, rest[..end].trim()));
        role = next;
        rest = &rest[end + mark.len()..];
    }
    if turns.is_empty() && !is_marked {
        return None;
    }
    turns.push(Message::new(role, rest.trim()));
    Some(turns)
}

/// The place of the next turn, its mark and its role.
fn next_turn(text: &str) -> Option<(usize, &'static str, &'static str)> {
    text.match_indices('\n').find_map(|(at, _)| {
        let (mark, role) = MARKS.iter().find(|(mark, _)| text[at..].starts_with(mark))?;
        Some((at, *mark, *role))
    })
}

/// The marks of the user and of the answer, as transcripts and instructions are written.
const FORMS: [(&str, &str); 3] =
    [("Human:", "Assistant:"), ("### Human:", "### Assistant:"), ("### Instruction:", "### Response:")];

/// The marks of a text that begins with the one of the user and lacks the one of the answer.
pub(super) fn half(text: &str) -> Option<(&'static str, &'static str)> {
    FORMS.into_iter().find(|(mark, answer)| {
        text.trim_start().starts_with(mark)
            && !text.to_ascii_lowercase().contains(&answer.to_ascii_lowercase())
    })
}
