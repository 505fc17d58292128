//! [`PlacedToken`]: a token and its place in a text.

/// A token and the bytes of the text that it stands for, as transformers gives them (`offset_mapping`). The bytes of some
/// byte-level tokenizers leave out blanks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlacedToken {
    pub id: u32,
    pub start: usize,
    pub end: usize,
}
