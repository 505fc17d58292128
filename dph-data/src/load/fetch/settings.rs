//! [`HubSettings`]: how the hub is reached.

use dph_core::hub;

use super::error::FetchError;

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
    ///
    /// # Errors
    /// A token that cannot be sent.
    pub fn from_env() -> Result<Self, FetchError> {
        Ok(Self { endpoint: hub::endpoint(), token: hub::token()?, offline: hub::is_offline() })
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
