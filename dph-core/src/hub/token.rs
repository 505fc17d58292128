//! The token of an account on the hub.

use super::{home, path, text};

/// The variable with a token.
const VARIABLE: &str = "HF_TOKEN";

/// The token cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{place} is not a token: it holds {held}; write the token alone, without quotation marks or other lines"
)]
pub struct TokenError {
    /// The variable or the file that holds it.
    pub place: String,
    /// What a token does not hold.
    pub held: &'static str,
}

/// The token in `HF_TOKEN`, else the one that a login has left in `HF_TOKEN_PATH` (`token` in `HF_HOME`), without blanks and line breaks
/// around it; `None` if there is none.
///
/// # Errors
/// Something that is not one word of ASCII characters, which cannot be sent.
pub fn token() -> Result<Option<String>, TokenError> {
    if let Some(token) = text(VARIABLE) {
        return checked(token, || VARIABLE.to_owned()).map(Some);
    }
    let Some(path) = path("HF_TOKEN_PATH").or_else(|| Some(home()?.join("token"))) else { return Ok(None) };
    let token = std::fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
    match token.is_empty() {
        true => Ok(None),
        false => checked(token, || path.display().to_string()).map(Some),
    }
}

fn checked(token: String, place: impl FnOnce() -> String) -> Result<String, TokenError> {
    let held = |held| Err(TokenError { place: place(), held });
    match token.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\'')) {
        None => Ok(token),
        Some('\n' | '\r') => held("a line break"),
        Some(c) if c.is_whitespace() => held("a blank"),
        Some('"' | '\'') => held("a quotation mark"),
        Some(_) => held("a character that is not ASCII"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word() {
        let held =
            |text: &str| checked(text.to_owned(), || "HF_TOKEN".to_owned()).map_err(|error| error.held);
        assert_eq!(held("hf_AbC123"), Ok("hf_AbC123".to_owned()));
        for (text, expected) in [
            ("hf_a\nhf_b", "a line break"),
            ("hf_a\r\nb", "a line break"),
            ("hf_a b", "a blank"),
            ("\"hf_a\"", "a quotation mark"),
            ("hf_ä", "a character that is not ASCII"),
        ] {
            assert_eq!(held(text), Err(expected), "{text:?}");
        }
    }
}
