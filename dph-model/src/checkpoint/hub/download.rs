//! Downloads into the cache with the crate `hf-hub`.

use std::fs::File;
use std::path::{Path, PathBuf};

use dph_core::hub::{self, Digest};
use dph_core::text_file::read_text;
use dph_core::tokenizer_files::VOCABULARY_FILES;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};

use super::name::HubName;
use crate::checkpoint::weight_files::shard_names;
use crate::checkpoint::{
    COMPANION_FILES, CONFIG_FILE, CheckpointError, INDEX_FILE, TOKENIZER_FILE, WEIGHTS_FILE,
};

/// Names of weight files and indices, in order of preference.
const WEIGHTS: [&str; 4] = [WEIGHTS_FILE, INDEX_FILE, "pytorch_model.bin", "pytorch_model.bin.index.json"];

/// Downloads the missing files of a model.
pub(super) fn model(cache: &Path, name: &HubName) -> Result<(), CheckpointError> {
    let endpoint = hub::endpoint();
    let failed = |error: ApiError| name.failed(explain(&error, &endpoint));
    let cache = Cache::new(cache.to_owned());
    // With a progress bar on a terminal.
    let mut builder =
        ApiBuilder::from_cache(cache.clone()).with_endpoint(endpoint.clone()).with_progress(true);
    if let Some(token) = hub::token().map_err(|error| name.failed(error.to_string()))? {
        builder = builder.with_token(Some(token));
    }
    let repo = Repo::with_revision(name.repository.clone(), RepoType::Model, name.revision.clone());
    let remote = builder.build().map_err(failed)?.repo(repo.clone());
    let info = remote.info().map_err(failed)?;
    if info.sha.is_empty() || !info.sha.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(name.failed(format!("{endpoint} does not answer as a hub does; check HF_ENDPOINT")));
    }
    let listed: Vec<String> = info.siblings.into_iter().map(|file| file.rfilename).collect();
    let local = cache.repo(repo);
    let snapshot = local.pointer_path(&info.sha);
    let fetch = |file: &str| -> Result<PathBuf, CheckpointError> {
        let here = snapshot.join(file);
        if here.exists() {
            return Ok(here);
        }
        let path = remote.download(file).map_err(failed)?;
        check_content(&path).map_err(|problem| name.failed(format!("{file}: {problem}")))?;
        Ok(path)
    };
    let has = |file: &str| listed.iter().any(|listed| listed == file);
    match WEIGHTS.into_iter().find(|file| has(file)) {
        None => {
            fetch(only_gguf(&listed, name)?)?;
        }
        Some(_) if !has(CONFIG_FILE) => {
            return Err(name.failed(format!("this repository has no {CONFIG_FILE}")));
        }
        Some(weights) => {
            // `tokenizer.json` is made of these files if a repository has none.
            let vocabulary = VOCABULARY_FILES.into_iter().filter(|_| !has(TOKENIZER_FILE));
            let files = std::iter::once(CONFIG_FILE).chain(COMPANION_FILES).chain(vocabulary);
            for file in files.filter(|file| has(file)) {
                fetch(file)?;
            }
            let path = fetch(weights)?;
            if weights.ends_with(".index.json") {
                let text =
                    read_text(&path).map_err(|source| CheckpointError::Io { path: path.clone(), source })?;
                for shard in shard_names(&path, &text)? {
                    fetch(&shard)?;
                }
            }
        }
    }
    local.create_ref(&info.sha).map_err(|error| failed(error.into()))
}

/// Removes a downloaded file and fails if its content is not what the hub announced. The cache names the content of a file by the tag of
/// the hub: its digest.
fn check_content(path: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("the downloaded file cannot be read: {error}");
    let content = path.canonicalize().map_err(failed)?;
    let tag = content.file_name().unwrap_or_default().to_string_lossy();
    let Some(expected) = Digest::parse(&tag) else { return Ok(()) };
    let mut file = File::open(&content).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let found = expected.of(&mut file, length).map_err(failed)?;
    if found == expected {
        return Ok(());
    }
    for path in [path, &content] {
        std::fs::remove_file(path).map_err(failed)?;
    }
    Err(format!(
        "the downloaded content ({length} bytes) has the digest {} instead of {}, so it was removed; try again",
        found.as_str(),
        expected.as_str()
    ))
}

fn only_gguf<'a>(listed: &'a [String], name: &HubName) -> Result<&'a str, CheckpointError> {
    // A file in a folder is one of several variants.
    let ggufs: Vec<_> = listed.iter().filter(|file| file.ends_with(".gguf")).map(String::as_str).collect();
    match ggufs[..] {
        [only] if !only.contains('/') => Ok(only),
        [] => Err(name.failed("this repository has no weights in safetensors, PyTorch or GGUF files")),
        _ => Err(name.failed(format!(
            "this repository has several models ({}); download one and give its path",
            ggufs.join(", ")
        ))),
    }
}

/// The cause and a remedy.
fn explain(error: &ApiError, endpoint: &str) -> String {
    let inner = match error {
        ApiError::TooManyRetries(inner) => inner,
        error => error,
    };
    match inner {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(401 | 403) => format!(
                "{endpoint} refuses access: there is no such repository, or it is private or gated; \
                 check the name, accept its conditions on the web, and set HF_TOKEN"
            ),
            ureq::Error::StatusCode(404) => format!(
                "{endpoint} has no such repository, revision or file; check the name and the revision"
            ),
            ureq::Error::StatusCode(status) => {
                format!("{endpoint} answered with status {status}; try again later")
            }
            ref error => format!(
                "{endpoint} cannot be reached ({error}); check the network and HF_ENDPOINT, or put the model into the cache \
                 on a machine that has network"
            ),
        },
        ApiError::MissingHeader(_) | ApiError::InvalidHeader(_) | ApiError::ParseIntError(_) => {
            format!("{endpoint} does not answer as a hub does ({inner}); check HF_ENDPOINT")
        }
        ApiError::LockAcquisition(path) => {
            format!("another program downloads the same file; if none does, remove {}.lock", path.display())
        }
        ApiError::InvalidResume => {
            "an earlier download was interrupted and cannot be continued; remove the .part file from the cache"
                .into()
        }
        error => format!("{error}; check the space and the permissions of the cache"),
    }
}
