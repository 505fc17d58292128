//! The tokenizer of a model, given by the path of the model.

use std::path::{Path, PathBuf};

use dph_core::HEAD_CONFIG_FILE;
use dph_core::run_files::{BACKBONE_FILE, MANIFEST_FILE};
use dph_core::terminal::Failure;
use dph_data::{ChatFormat, ChatOptions, ChatTokenizer, Style};
use serde::Deserialize;

/// The tokenizer of a model directory, of an export, or of a run, whose last stage's export is used. The format of
/// conversations is `format`, or else the one of the export, or else the default of the tokenizer. In the style `plain` it may
/// have none.
pub(super) fn open(path: &Path, format: Option<ChatFormat>, style: Style) -> Result<ChatTokenizer, Failure> {
    let export = export(path).map_err(Failure::request)?;
    let model = model(&export).map_err(Failure::request)?;
    let format = match format {
        Some(format) => Some(format),
        None => ChatFormat::load(&export).map_err(Failure::request)?,
    };
    let options = ChatOptions { format, text_only: !style.is_chat(), ..ChatOptions::default() };
    ChatTokenizer::from_dir_with(&model, &options).map_err(Failure::request)
}

/// The keys of a run's manifest that lead to its exports.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Manifest {
    stages: Vec<String>,
    variants: Vec<String>,
}

/// The model directory or export that a path stands for: the path or, if it is a run, its last stage's export.
fn export(path: &Path) -> Result<PathBuf, String> {
    check_directory(path)?;
    let holds_model =
        |dir: &Path| [HEAD_CONFIG_FILE, "config.json"].iter().any(|file| dir.join(file).is_file());
    let manifest = match holds_model(path) {
        true => None,
        false => json::<Manifest>(&path.join(MANIFEST_FILE))?,
    };
    let Some(Manifest { stages, variants }) = manifest else { return Ok(path.to_owned()) };
    if !variants.is_empty() {
        let (path, variants) = (path.display(), variants.join(", "));
        return Err(format!(
            "{path}: this is a sweep, which holds many models; name one of its variants: {variants}"
        ));
    }
    let last = stages.iter().rev().map(|stage| path.join(stage)).find(|export| holds_model(export));
    last.ok_or_else(|| format!("{}: no stage of this run has been exported yet", path.display()))
}

/// The directory with the tokenizer of an export: the one of its backbone.
fn model(export: &Path) -> Result<PathBuf, String> {
    #[derive(Deserialize)]
    struct Reference {
        path: PathBuf,
    }
    let Some(Reference { path }) = json(&export.join(BACKBONE_FILE))? else { return Ok(export.to_owned()) };
    // The export may be reached by a symbolic link; `..` starts from its real place.
    let export = export.canonicalize().unwrap_or_else(|_| export.to_owned());
    let model = export.join(path);
    check_directory(&model)?;
    Ok(model)
}

fn check_directory(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let problem = if path.is_dir() {
        return Ok(());
    } else if path.to_string_lossy().starts_with("hf:") {
        "dph-data does not download models; pass the directory of a model that is on this machine".to_owned()
    } else if !path.exists() {
        "there is no such directory".to_owned()
    } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) {
        format!(
            "dph-data does not read GGUF files; write the model with its tokenizer into a directory (dph-model convert {shown} OUT), \
             and pass this directory"
        )
    } else {
        "this is not a directory; pass the directory of a model, an export or a run".to_owned()
    };
    Err(format!("{shown}: {problem}"))
}

/// The contents of a file; `None` if it does not exist.
fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, String> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let parsed = serde_json::from_slice(&bytes);
            parsed.map(Some).map_err(|error| format!("{} is damaged: {error}", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}
