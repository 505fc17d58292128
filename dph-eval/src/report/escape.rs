//! Text in HTML.

/// The text with the characters that HTML gives a meaning replaced by references.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
