//! [`HubSettings`]: how the hub is reached.

use std::path::PathBuf;

/// The address of the hub, unless `HF_ENDPOINT` is set.
const ENDPOINT: &str = "https://huggingface.co";

/// How the hub is reached.
#[derive(Clone)]
pub struct HubSettings {
    /// The address, without a slash at its end.
    pub endpoint: String,
    /// The token of an account, which is sent to this address only.
    pub token: Option<String>,
    /// Whether requests are forbidden.
    pub offline: bool,
}

impl HubSettings {
    /// The settings in the variables that all tools for the hub use: `HF_ENDPOINT`, `HF_TOKEN` or the token that a login has left in
    /// `HF_TOKEN_PATH` (`token` in `HF_HOME`), and `HF_HUB_OFFLINE`.
    pub fn from_env() -> Self {
        let text = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let of_login = || {
            let path = text("HF_TOKEN_PATH").map(PathBuf::from);
            let path = path.or_else(|| {
                Some(text("HF_HOME").map(PathBuf::from).or_else(|| cache("huggingface"))?.join("token"))
            })?;
            let token = std::fs::read_to_string(path).ok()?;
            Some(token.trim().to_owned()).filter(|token| !token.is_empty())
        };
        let offline = text("HF_HUB_OFFLINE").unwrap_or_default().to_lowercase();
        Self {
            endpoint: text("HF_ENDPOINT")
                .unwrap_or_else(|| ENDPOINT.to_owned())
                .trim_end_matches('/')
                .to_owned(),
            token: text("HF_TOKEN").or_else(of_login),
            offline: matches!(offline.as_str(), "1" | "true" | "yes" | "on"),
        }
    }
}

/// The token is a secret.
impl std::fmt::Debug for HubSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.token.as_ref().map(|_| "…");
        f.debug_struct("HubSettings")
            .field("endpoint", &self.endpoint)
            .field("token", &token)
            .field("offline", &self.offline)
            .finish()
    }
}

/// A folder in the user's cache, `XDG_CACHE_HOME` or `~/.cache`.
pub(super) fn cache(folder: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()).map(PathBuf::from);
    Some(cache.or_else(|| Some(std::env::home_dir()?.join(".cache")))?.join(folder))
}
