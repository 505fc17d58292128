//! Checks of `[model.new]`, the `config.json` of a new model.

use std::path::Path;

use dph_core::suggestion::did_you_mean;
use dph_core::terminal::numbers::counted;
use dph_model::checkpoint::locate_here;
use dph_model::family::{UnknownKey, unknown_keys};
use dph_model::{ConfigError, DecoderConfig, Family, ModelFiles};
use serde_json::{Map, Value};

use crate::experiment::found::Found;

const NEW: [&str; 2] = ["model", "new"];

/// The problems of `[model.new]`. If there is a model at `path`, its configuration must be the same.
pub(super) fn check_new_model(new: &toml::Table, path: Option<&Path>) -> Vec<Found> {
    let Ok(Value::Object(config)) = serde_json::to_value(new) else { return Vec::new() };
    let mut found: Vec<Found> = unknown_keys(&config).iter().map(unknown).collect();
    match (parsed(&config), path.and_then(config_at)) {
        (Err(problem), _) => found.push(problem),
        (Ok(_), Some(given)) => found.extend(difference(&config, &given)),
        (Ok(_), None) => {}
    }
    found
}

fn unknown(key: &UnknownKey) -> Found {
    let (name, parents) = key.path.split_last().map_or(("", &[][..]), |(name, parents)| (name, parents));
    let table = NEW.into_iter().chain(parents.iter().map(String::as_str)).collect::<Vec<_>>().join(".");
    let path: Vec<&str> = NEW.into_iter().chain(key.path.iter().map(String::as_str)).collect();
    let known = || format!("known are {}", key.known.join(", "));
    let help = did_you_mean(name, key.known.iter().copied()).unwrap_or_else(known);
    Found { help: Some(help), ..Found::new(&path, format!("unknown field `{name}` in `[{table}]`")) }
}

/// The family of a configuration. The tokenizer, which is not loaded yet, may provide the size of the vocabulary.
fn parsed(config: &Map<String, Value>) -> Result<Family, Found> {
    let mut config = config.clone();
    config.entry("vocab_size").or_insert(1.into());
    Family::parse(&Value::Object(config).to_string()).map_err(|error| match error {
        ConfigError::UnknownModelType { .. } => {
            Found::new(&["model", "new", "model_type"], error.to_string())
        }
        // The position is that in the JSON above.
        ConfigError::Json { .. } => {
            let message = error.to_string();
            Found::new(&NEW, message.split(" at line ").next().unwrap_or_default())
        }
        _ => Found::new(&NEW, error.to_string()),
    })
}

/// The configuration of the model at a path on this machine; `None` if there is none. Its errors are reported where it is used.
fn config_at(path: &Path) -> Option<DecoderConfig> {
    let files = ModelFiles::open(locate_here(path)?).ok()?;
    Family::parse(&files.config_json().ok()?).ok()?.decoder().ok()
}

/// A problem if `[model.new]` describes another model than the given one. Its vocabulary may be smaller: stages add tokens.
fn difference(config: &Map<String, Value>, given: &DecoderConfig) -> Option<Found> {
    let mut config = config.clone();
    config.insert("vocab_size".into(), given.vocab.into());
    let new = Family::parse(&Value::Object(config).to_string()).ok()?.decoder().ok()?;
    let sizes = |config: &DecoderConfig| [config.n_layers, config.d_model, config.param_count()];
    let in_words = |[layers, d_model, parameters]: [usize; 3]| {
        format!("{}, hidden size {d_model}, {parameters} parameters", counted(layers, "layer"))
    };
    (sizes(&new) != sizes(given)).then(|| {
        let (new, given) = (in_words(sizes(&new)), in_words(sizes(given)));
        Found::new(
            &NEW,
            format!(
                "`path` and `new` describe different models ({given}; {new}): remove one of them. Beside a `path`, \
                 `new` is only the configuration for --dry-run where `path` does not exist"
            ),
        )
    })
}
