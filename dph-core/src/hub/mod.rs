//! The settings of the Hugging Face Hub in the environment, by the variables that all tools for the hub use.

#[cfg(feature = "hub")]
mod digest;
mod token;

use std::path::PathBuf;

#[cfg(feature = "hub")]
pub use digest::Digest;
pub use token::{TokenError, token};

/// The address of the hub, unless `HF_ENDPOINT` is set.
const ENDPOINT: &str = "https://huggingface.co";

/// The prefix of what is on the hub, in the place of a path.
pub const HUB_PREFIX: &str = "hf:";

/// The address of the hub, without a slash at its end: `HF_ENDPOINT` or that of the public one.
pub fn endpoint() -> String {
    text("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()).trim_end_matches('/').to_owned()
}

/// Whether `HF_HUB_OFFLINE` forbids requests.
pub fn is_offline() -> bool {
    let offline = text("HF_HUB_OFFLINE").unwrap_or_default().to_lowercase();
    matches!(offline.as_str(), "1" | "true" | "yes" | "on")
}

/// The folder of all tools for the hub: `HF_HOME`, or `huggingface` in the user's cache.
pub fn home() -> Option<PathBuf> {
    path("HF_HOME").or_else(|| Some(user_cache()?.join("huggingface")))
}

/// The user's cache: `XDG_CACHE_HOME` or `~/.cache`.
pub fn user_cache() -> Option<PathBuf> {
    path("XDG_CACHE_HOME").or_else(|| Some(std::env::home_dir()?.join(".cache")))
}

/// A path in a variable; `None` if it is not set or empty.
pub fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The text of a variable without blanks around it; `None` if nothing is left.
pub fn text(name: &str) -> Option<String> {
    let text = std::env::var(name).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
