//! Whether two copies of a language model have the same tokens, and write conversations in the same way.

use dph_data::{ChatTokenizer, Message};

/// The difference between the tokens of a model and those of another one, in words; `None` if ids that both have stand for the same
/// tokens. A file in another format may lack the last ones, or have more of them to fill its matrices.
pub(super) fn token_difference(own: &ChatTokenizer, other: &ChatTokenizer) -> Option<String> {
    let last = own.vocab_size().max(other.vocab_size());
    let pairs = (0..u32::try_from(last).ok()?).filter_map(|id| Some((id, own.piece(id)?, other.piece(id)?)));
    let mut different = pairs.filter(|(_, own, other)| own != other);
    let (id, own, other) = different.next()?;
    let more = match different.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("token {id}{more} is {own:?}, not {other:?}"))
}

/// Whether two models write the same conversation with the same tokens.
pub(super) fn have_same_chat(own: &ChatTokenizer, other: &ChatTokenizer) -> bool {
    let conversations = [
        vec![Message::user("a")],
        vec![
            Message::new("system", "a"),
            Message::user("b"),
            Message::new("assistant", "c"),
            Message::user("d"),
        ],
    ];
    conversations.iter().all(|messages| own.prompt(messages).ok() == other.prompt(messages).ok())
}
