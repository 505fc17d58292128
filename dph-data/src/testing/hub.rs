//! [`TestHub`]: a hub with data sets on this machine, which answers as the Hugging Face Hub does.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Entries on a page of a listing.
const PAGE: usize = 3;

/// What goes wrong with an answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status, with these lines in the header.
    Status(u16, &'static str),
    /// The connection ends behind so many bytes of the content.
    Cut(usize),
    /// The content has another first byte.
    Damage,
    /// The whole content, whatever range is asked for.
    NoRange,
    /// A page of HTML with 20 bytes in place of the answer.
    Page,
    /// A list whose next page is itself.
    Endless,
    /// The content stops behind so many bytes, and the connection stays open.
    Stall(usize),
}

/// A hub that answers until the process ends. Large files (parquet) are on another port, as on the storage of the real hub.
pub struct TestHub {
    url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    storage: String,
    url: String,
    repositories: BTreeMap<String, Repository>,
    requests: Mutex<Vec<String>>,
    faults: Mutex<Vec<(String, VecDeque<Fault>)>>,
    /// Bytes after which the storage pauses for a millisecond.
    pace: Mutex<Option<usize>>,
}

/// A data set of a [`TestHub`].
#[derive(Default)]
pub struct Repository {
    /// By revision and path.
    files: BTreeMap<(String, String), Vec<u8>>,
    token: Option<String>,
}

impl Repository {
    /// Adds a file of the branch with the parquet files.
    pub fn converted(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.file("refs/convert/parquet", path, content)
    }

    /// Adds a file.
    pub fn file(mut self, revision: &str, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert((revision.into(), path.into()), content.into());
        self
    }

    /// Requires a token.
    pub fn gated(mut self, token: &str) -> Self {
        self.token = Some(token.into());
        self
    }
}

impl TestHub {
    /// Serves data sets by their names, `owner/name`.
    pub fn serve(repositories: impl IntoIterator<Item = (&'static str, Repository)>) -> Self {
        let [hub, storage] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [url, storage_url] =
            [&hub, &storage].map(|server| format!("http://{}", server.local_addr().unwrap()));
        let state = State {
            url: url.clone(),
            storage: storage_url,
            repositories: repositories.into_iter().map(|(name, files)| (name.to_owned(), files)).collect(),
            ..State::default()
        };
        let state = Arc::new(state);
        for (server, is_storage) in [(hub, false), (storage, true)] {
            let state = state.clone();
            thread::spawn(move || {
                for stream in server.incoming().flatten() {
                    let state = state.clone();
                    // The client may have ended.
                    thread::spawn(move || drop(state.answer(stream, is_storage)));
                }
            });
        }
        Self { url, state }
    }

    /// The address, for `HF_ENDPOINT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Faults of the next answers to requests whose address contains this text, one each.
    pub fn fault(&self, address: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state.faults.lock().unwrap().push((address.into(), faults.into_iter().collect()));
    }

    /// Lets the storage pause for a millisecond behind so many bytes.
    pub fn pace(&self, bytes: Option<usize>) {
        *self.state.pace.lock().unwrap() = bytes;
    }

    /// All requests so far: `hub` or `storage`, the address, the range and the authorization.
    pub fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }
}

struct Request {
    path: String,
    query: String,
    range: Option<usize>,
    authorization: String,
}

/// An answer without a fault.
struct Answer {
    status: u16,
    header: String,
    content: Vec<u8>,
}

impl State {
    fn answer(&self, mut stream: TcpStream, is_storage: bool) -> std::io::Result<()> {
        let Some(request) = Request::read(&stream)? else { return Ok(()) };
        let place = if is_storage { "storage" } else { "hub" };
        let line = format!(
            "{place} {}?{} {:?} {}",
            request.path, request.query, request.range, request.authorization
        );
        self.requests.lock().unwrap().push(line.clone());
        let fault = self.faults.lock().unwrap().iter_mut().find_map(|(address, faults)| {
            line.contains(address.as_str()).then(|| faults.pop_front()).flatten()
        });
        if let Some(Fault::Status(status, header)) = fault {
            return write!(
                stream,
                "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n{header}\r\n"
            );
        }
        if let Some(Fault::Page) = fault {
            return write!(
                stream,
                "HTTP/1.1 200 x\r\nContent-Length: 20\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>Sign in</html>"
            );
        }
        let Answer { mut status, mut header, mut content } = match is_storage {
            true => self.stored(&request),
            false => self.hub(&request),
        };
        if let Some(Fault::Damage) = fault {
            content[0] ^= 1;
        }
        if let Some(Fault::Endless) = fault {
            let (url, path, query) = (&self.url, &request.path, &request.query);
            header = format!("Link: <{url}{path}?{query}>; rel=\"next\"\r\n");
        }
        let size = content.len();
        let from = request.range.filter(|_| status == 200 && !matches!(fault, Some(Fault::NoRange)));
        match from {
            Some(from) if from >= size => {
                (status, content) = (416, Vec::new());
                write!(header, "Content-Range: bytes */{size}\r\n").unwrap();
            }
            Some(from) => {
                status = 206;
                content.drain(..from);
                write!(header, "Content-Range: bytes {from}-{}/{size}\r\n", size - 1).unwrap();
            }
            None => {}
        }
        let length = content.len();
        write!(
            stream,
            "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n{header}\r\n"
        )?;
        let sent = match fault {
            Some(Fault::Cut(bytes) | Fault::Stall(bytes)) => &content[..bytes.min(length)],
            _ => &content[..],
        };
        let pace = *self.pace.lock().unwrap();
        for piece in sent.chunks(pace.filter(|_| is_storage).unwrap_or(usize::MAX)) {
            stream.write_all(piece)?;
            if pace.is_some() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        if let Some(Fault::Stall(_)) = fault {
            // The client ends the connection.
            let _ = BufReader::new(&stream).lines().count();
        }
        Ok(())
    }

    fn hub(&self, request: &Request) -> Answer {
        let parts: Vec<&str> = request.path.split('/').skip(1).collect();
        let (repository, question) = match &parts[..] {
            ["api", "resolve-cache", "datasets", owner, name, rest @ ..]
            | ["api", "datasets", owner, name, rest @ ..]
            | ["datasets", owner, name, "resolve", rest @ ..] => (format!("{owner}/{name}"), rest),
            _ => return refusal(404, "EntryNotFound", "no such page"),
        };
        let Some(files) = self.repositories.get(&repository) else {
            // The hub does not tell strangers which repositories there are.
            return match request.authorization.as_str() {
                "" => refusal(401, "RepoNotFound", "Invalid username or password."),
                _ => refusal(404, "RepoNotFound", "Repository not found"),
            };
        };
        if let Some(token) = &files.token
            && request.authorization != format!("Bearer {token}")
        {
            let status = if request.authorization.is_empty() { 401 } else { 403 };
            return refusal(status, "GatedRepo", "Access to the dataset is restricted.");
        }
        match (parts[0], parts[1], question) {
            ("api", "datasets", ["tree", revision, folder @ ..]) => {
                self.tree(request, files, &decoded(revision), &decoded(&folder.join("/")))
            }
            ("api", "resolve-cache", [revision, path @ ..]) => {
                match files.files.get(&(decoded(revision), decoded(&path.join("/")))) {
                    Some(content) => Answer { status: 200, header: String::new(), content: content.clone() },
                    None => refusal(404, "EntryNotFound", "Entry not found"),
                }
            }
            ("datasets", _, [revision, path @ ..]) => {
                let path = path.join("/");
                let Some(content) = files.files.get(&(decoded(revision), decoded(&path))) else {
                    return refusal(404, "EntryNotFound", "Entry not found");
                };
                let (status, to, digest) = match is_large(&path) {
                    true => (
                        302,
                        format!("{}/{repository}/{revision}/{path}?signature=x", self.storage),
                        sha256(content),
                    ),
                    // A small file is below the same address.
                    false => (
                        307,
                        format!("/api/resolve-cache/datasets/{repository}/{revision}/{path}"),
                        git(content),
                    ),
                };
                let header = format!(
                    "Location: {to}\r\nX-Linked-Size: {}\r\nX-Linked-ETag: \"{digest}\"\r\nX-Repo-Commit: {}\r\n",
                    content.len(),
                    "0".repeat(40)
                );
                Answer { status, header, content: Vec::new() }
            }
            _ => refusal(404, "EntryNotFound", "no such page"),
        }
    }

    fn tree(&self, request: &Request, repository: &Repository, revision: &str, folder: &str) -> Answer {
        let recursive = request.query.contains("recursive=true");
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut folders = BTreeSet::new();
        let mut entries = Vec::new();
        for ((of, path), content) in &repository.files {
            let Some(rest) = path.strip_prefix(&prefix).filter(|_| of == revision) else { continue };
            if let Some((below, _)) = rest.split_once('/') {
                if folders.insert(below.to_owned()) {
                    entries.push(json!({ "type": "directory", "oid": "0", "size": 0, "path": format!("{prefix}{below}") }));
                }
                if !recursive {
                    continue;
                }
            }
            let size = content.len();
            entries.push(match is_large(path) {
                true => json!({
                    "type": "file", "oid": git(b"pointer"), "size": size, "path": path,
                    "lfs": { "oid": sha256(content), "size": size, "pointerSize": 134 },
                }),
                false => json!({ "type": "file", "oid": git(content), "size": size, "path": path }),
            });
        }
        if entries.is_empty() {
            return refusal(404, "EntryNotFound", "does not exist on this revision");
        }
        let start = request.query.split("cursor=").nth(1).map_or(0, |start| start.parse().unwrap());
        let end = (start + PAGE).min(entries.len());
        let mut header = "Content-Type: application/json\r\n".to_owned();
        if end < entries.len() {
            let Self { url, .. } = self;
            let path = &request.path;
            write!(header, "Link: <{url}{path}?recursive={recursive}&cursor={end}>; rel=\"next\"\r\n")
                .unwrap();
        }
        let content = serde_json::to_vec(&entries[start..end]).unwrap();
        Answer { status: 200, header, content }
    }

    /// The storage refuses a request with a token beside its signature.
    fn stored(&self, request: &Request) -> Answer {
        let parts: Vec<&str> = request.path.split('/').skip(1).collect();
        let [owner, name, revision, path @ ..] = &parts[..] else { return refusal(404, "", "") };
        if !request.authorization.is_empty() || request.query != "signature=x" {
            return refusal(400, "", "");
        }
        let content = &self.repositories[&format!("{owner}/{name}")].files
            [&(decoded(revision), decoded(&path.join("/")))];
        Answer { status: 200, header: format!("ETag: \"{}\"\r\n", sha256(content)), content: content.clone() }
    }
}

impl Request {
    fn read(stream: &TcpStream) -> std::io::Result<Option<Self>> {
        let mut lines = BufReader::new(stream).lines();
        let Some(first) = lines.next().transpose()? else { return Ok(None) };
        let address = first.split(' ').nth(1).unwrap_or_default();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let mut request =
            Self { path: path.into(), query: query.into(), range: None, authorization: String::new() };
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(": ") else { break };
            match name.to_lowercase().as_str() {
                "range" => {
                    let from = value.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
                    request.range = from.map(|from| from.parse().unwrap());
                }
                "authorization" => request.authorization = value.into(),
                _ => {}
            }
        }
        Ok(Some(request))
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let header = format!("X-Error-Code: {code}\r\nX-Error-Message: {message}\r\n");
    Answer { status, header, content: Vec::new() }
}

fn is_large(path: &str) -> bool {
    path.ends_with(".parquet")
}

fn sha256(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

fn git(content: &[u8]) -> String {
    let blob = Sha1::new_with_prefix(format!("blob {}\0", content.len()));
    format!("{:x}", blob.chain_update(content).finalize())
}

/// The text of a part of an address.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let byte = u8::from_str_radix(&part[..2], 16).unwrap();
        text + &char::from(byte).to_string() + &part[2..]
    })
}
