//! A hub for repositories that are folders, as far as downloads need one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dph_core::hub::Digest;

/// The commit that every repository is at.
pub const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// A hub that answers until the test process ends.
pub struct Hub {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    /// The file whose last byte is sent as another one.
    damaged: Arc<Mutex<Option<String>>>,
}

impl Hub {
    /// Serves folders under the names of repositories; a folder that is called as a status gives that status.
    pub fn serve(repositories: &[(&str, &Path)]) -> Self {
        let repositories: BTreeMap<String, PathBuf> =
            repositories.iter().map(|(name, folder)| ((*name).to_string(), folder.to_path_buf())).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let damaged = Arc::<Mutex<Option<String>>>::default();
        let (log, damage) = (Arc::clone(&requests), Arc::clone(&damaged));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(stream, &repositories, &log, damage.lock().unwrap().as_deref());
            }
        });
        Self { url, requests, damaged }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on, the content of this file differs from its digest.
    pub fn damage(&self, file: Option<&str>) {
        *self.damaged.lock().unwrap() = file.map(String::from);
    }

    /// The requests so far: path and authorisation.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    repositories: &BTreeMap<String, PathBuf>,
    log: &Mutex<Vec<String>>,
    damaged: Option<&str>,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let found = headers.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_string())
        });
        found.unwrap_or_default()
    };
    let path = first.split(' ').nth(1).unwrap_or_default().to_string();
    log.lock().unwrap().push(format!("{path} {}", header("authorization")));
    let (status, extra, body) = response(&path, &header("range"), repositories, damaged);
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{extra}\r\n", body.len());
    // A client may have seen enough.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
}

fn response(
    path: &str,
    range: &str,
    repositories: &BTreeMap<String, PathBuf>,
    damaged: Option<&str>,
) -> (String, String, Vec<u8>) {
    let status = |status: &str| (format!("{status} x"), String::new(), Vec::new());
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (name, file) = match parts[..] {
        ["api", "models", owner, name, "revision", "main"] => (format!("{owner}/{name}"), None),
        [owner, name, "resolve", "main", file] => (format!("{owner}/{name}"), Some(file)),
        _ => return status("404"),
    };
    let Some(folder) = repositories.get(&name) else { return status("404") };
    if let Some("403") = folder.to_str() {
        return status("403");
    }
    let Some(file) = file else {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let siblings: Vec<_> = names.iter().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let body = serde_json::json!({ "sha": COMMIT, "siblings": siblings }).to_string();
        return ("200 OK".into(), String::new(), body.into_bytes());
    };
    let Ok(mut bytes) = std::fs::read(folder.join(file)) else { return status("404") };
    let digest = digest(&bytes);
    if let (true, Some(last)) = (damaged == Some(file), bytes.last_mut()) {
        *last ^= 1;
    }
    let (start, end) = range.trim_start_matches("bytes=").split_once('-').unwrap_or(("0", ""));
    let start: usize = start.parse().unwrap_or(0);
    let end = end.parse().map_or(bytes.len(), |last: usize| (last + 1).min(bytes.len()));
    let extra = format!(
        "ETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\nContent-Range: bytes {start}-{}/{}\r\n",
        digest,
        end.saturating_sub(1),
        bytes.len()
    );
    ("206 Partial Content".into(), extra, bytes[start.min(end)..end].to_vec())
}

/// The SHA-256 of a content, which is the tag of a large file.
pub fn digest(bytes: &[u8]) -> String {
    let kind = Digest::parse(&"0".repeat(64)).unwrap();
    kind.of(&mut &bytes[..], bytes.len() as u64).unwrap().as_str().to_owned()
}
