//! [`Found`]: a problem of an experiment.

/// A problem and the path of the key that it concerns.
pub(crate) struct Found {
    pub path: Vec<String>,
    pub message: String,
    pub help: Option<String>,
}

impl Found {
    /// A problem without a suggestion.
    pub fn new(path: &[&str], message: impl Into<String>) -> Self {
        let path = path.iter().map(|key| key.to_string()).collect();
        Self { path, message: message.into(), help: None }
    }
}
