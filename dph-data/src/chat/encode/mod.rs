//! From text to tokens, with control tokens in their places only.

pub(crate) mod content_tokens;
pub(crate) mod control;
pub(crate) mod cuts;
pub(crate) mod encoder;
mod placed_encoding;
pub(crate) mod placed_token;
