//! Models by the name of their repository on the Hugging Face hub: `hf:owner/name` or `hf:owner/name@revision`.
//!
//! Models in the cache, which is shared by all tools for the hub, are used without a request.

mod cache;
#[cfg(feature = "hub")]
mod download;
mod name;

use std::path::{Path, PathBuf};

use dph_core::hub;
use dph_core::run_files::MANIFEST_FILE;

use super::error::CheckpointError;
use super::file_names::CONFIG_FILE;
use super::gguf::gguf_models;
pub(super) use cache::snapshots;
use name::HubName;

/// The settings of the hub and its cache from the environment.
#[derive(Debug)]
struct Settings {
    /// `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or in `~/.cache/huggingface`.
    cache: PathBuf,
    /// `HF_HUB_OFFLINE`: requests are forbidden.
    offline: bool,
}

/// The local path of a model.
///
/// For `hf:owner/name[@revision]` it is the folder in the cache of the hub, or the GGUF file if the repository has no
/// other weights. A model that is complete in the cache is used without a request. Missing files are downloaded if
/// the feature `hub` is enabled and `HF_HUB_OFFLINE` is not set. `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT` and
/// `HF_TOKEN` are supported. Any other path is returned
/// unchanged, except that of a directory with a single GGUF model and no other, which becomes that of its file, and that of a folder of
/// the cache of the hub with a single snapshot (`models--owner--name`), which becomes that of the snapshot.
///
/// # Errors
///
/// If the repository does not exist, has no model, or cannot be downloaded.
pub fn locate(path: &Path) -> Result<PathBuf, CheckpointError> {
    let Some(name) = HubName::from_path(path)? else { return Ok(in_folder(path)) };
    let settings = Settings::from_env()
        .ok_or_else(|| name.failed("there is no home directory for the cache; set HF_HOME"))?;
    let cached = cache::model(&settings.cache, &name);
    match cached {
        Some(cached) if cached.complete || settings.offline => return Ok(cached.path),
        None if settings.offline => {
            return Err(name.failed(format!(
                "it is not in the cache {}, and HF_HUB_OFFLINE forbids downloads",
                settings.cache.display()
            )));
        }
        _ => {}
    }
    let downloaded = download(&settings, &name);
    // The incomplete model is used. If the tokenizer is needed, its absence is reported later.
    match (downloaded, cached) {
        (Ok(path), _) => Ok(path),
        (Err(_), Some(cached)) => Ok(cached.path),
        (Err(error), None) => Err(error),
    }
}

/// Like [`locate`] without requests: `None` if the path does not exist or the model is not complete.
pub fn locate_here(path: &Path) -> Option<PathBuf> {
    let Some(name) = HubName::from_path(path).ok()? else { return path.exists().then(|| in_folder(path)) };
    Some(cache::model(&Settings::from_env()?.cache, &name)?.path)
}

/// The GGUF model of a folder that has nothing else of a model, the only snapshot of a repository in the cache, or the path itself.
fn in_folder(path: &Path) -> PathBuf {
    if let [snapshot] = &cache::snapshots(path)[..] {
        return in_folder(snapshot);
    }
    let other = [CONFIG_FILE, dph_core::HEAD_CONFIG_FILE, MANIFEST_FILE];
    if other.iter().any(|file| path.join(file).exists()) {
        return path.into();
    }
    match &gguf_models(path)[..] {
        [model] => model.clone(),
        _ => path.into(),
    }
}

#[cfg(feature = "hub")]
fn download(settings: &Settings, name: &HubName) -> Result<PathBuf, CheckpointError> {
    download::model(&settings.cache, name)?;
    let model = cache::model(&settings.cache, name);
    model.map(|model| model.path).ok_or_else(|| {
        name.failed(
            "the downloaded repository is not a model; it needs config.json and weights, or one .gguf file",
        )
    })
}

#[cfg(not(feature = "hub"))]
fn download(settings: &Settings, name: &HubName) -> Result<PathBuf, CheckpointError> {
    Err(name.failed(format!(
        "it is not in the cache {}, and this program was built without the feature `hub`, which downloads models",
        settings.cache.display()
    )))
}

impl Settings {
    fn from_env() -> Option<Self> {
        let cache = hub::path("HF_HUB_CACHE").or_else(|| Some(hub::home()?.join("hub")))?;
        Some(Self { cache, offline: hub::is_offline() })
    }
}
