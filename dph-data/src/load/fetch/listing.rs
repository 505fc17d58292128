//! [`list`]: the files of a folder of a repository, with their sizes and digests.

use std::collections::HashSet;

use dph_core::hub::Digest;
use serde::Deserialize;

use super::client::{Client, encoded};
use super::error::HubProblem;
use super::event::FetchEvent;

/// A file of a repository.
#[derive(Debug, Clone)]
pub(super) struct RemoteFile {
    /// Its path in the repository.
    pub path: String,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// The digest of its content.
    pub digest: Option<Digest>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    size: Option<u64>,
    oid: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    size: Option<u64>,
    oid: Option<String>,
}

/// The files of a folder, `""` for that of the repository; all below it if `recursive`.
pub(super) fn list(
    client: &Client,
    folder: &str,
    recursive: bool,
    notify: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<Vec<RemoteFile>, HubProblem> {
    let place = match folder {
        "" => String::new(),
        folder => format!("/{}", encoded(folder)),
    };
    let mut next =
        Some(client.api(&format!("tree/{}{place}?recursive={recursive}", encoded(&client.revision))));
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    while let Some(url) = next {
        if !seen.insert(url.clone()) {
            return Err(client.no_hub(&"its list of files begins again"));
        }
        let (entries, following) = client.json::<Vec<Entry>>(&url, folder, notify)?;
        next = following;
        files.extend(entries.into_iter().filter(|entry| entry.kind == "file").map(Entry::into_file));
    }
    Ok(files)
}

impl Entry {
    fn into_file(self) -> RemoteFile {
        // The oid of a large file is its sha256, that of any other one its name in git.
        let (size, oid) = match self.lfs {
            Some(LargeFile { size, oid }) => (size.or(self.size), oid),
            None => (self.size, self.oid),
        };
        RemoteFile { path: self.path, size, digest: oid.as_deref().and_then(Digest::parse) }
    }
}
