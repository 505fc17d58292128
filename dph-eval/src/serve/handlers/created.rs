//! [`Created`]: what every answer in the forms of OpenAI says of itself.

use crate::serve::app::App;
use crate::serve::served_model::ServedModel;
use crate::serve::time::seconds_since_1970;

/// What an answer, and each part of a stream, says of itself.
pub struct Created {
    pub id: String,
    /// Seconds since 1970.
    pub at: u64,
    /// The seed that gives the same answers again.
    pub seed: i64,
    /// The name of the model.
    pub model: String,
}

impl Created {
    /// Of an answer by a model. `kind` is the beginning of its id.
    pub fn by(app: &App, served: &ServedModel, kind: &str, seed: i64) -> Self {
        Self { id: app.new_id(kind), at: seconds_since_1970(), seed, model: served.name.clone() }
    }
}
