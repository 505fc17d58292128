//! [`download_all`]: downloads files, each continued where an earlier download ended, checked, and then put in its place.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use dph_core::hub::Digest;

use super::client::{Answer, Client};
use super::error::HubProblem;
use super::event::FetchEvent;
use super::listing::RemoteFile;
use super::patience::Patience;
use super::plan::Wanted;

const BUFFER: usize = 1 << 16;

/// Downloads the files that are not there.
pub(super) fn download_all(
    client: &Client,
    plan: &[Wanted],
    notify: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), HubProblem> {
    let total = plan.iter().map(|wanted| wanted.remote.size).sum::<Option<u64>>();
    let mut before = 0;
    for Wanted { remote, path } in plan {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(HubProblem::write(folder))?;
        }
        let mut download =
            Download { client, remote, path, size: remote.size, digest: remote.digest.clone() };
        before += download.run(&mut |event| match event {
            FetchEvent::Bytes { done, .. } => notify(FetchEvent::Bytes { done: before + done, total }),
            event => notify(event),
        })?;
    }
    Ok(())
}

/// The download of a file.
struct Download<'a> {
    client: &'a Client,
    remote: &'a RemoteFile,
    /// Where the file belongs.
    path: &'a Path,
    size: Option<u64>,
    digest: Option<Digest>,
}

/// The part of the file that is there, locked against other programs.
struct Part {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Download<'_> {
    /// The number of bytes of the file.
    fn run(&mut self, notify: &mut dyn FnMut(FetchEvent<'_>)) -> Result<u64, HubProblem> {
        let Some(mut part) = self.open(notify)? else {
            let size = fs::metadata(self.path).map_err(HubProblem::write(self.path))?.len();
            return Ok(size);
        };
        let mut again = false;
        loop {
            self.receive(&mut part, notify)?;
            let write = HubProblem::write(&part.path);
            part.file.sync_all().map_err(&write)?;
            match self.fault(&mut part).map_err(&write)? {
                None => break,
                Some(problem) if again => {
                    let _ = fs::remove_file(&part.path);
                    return Err(HubProblem::Damaged { file: self.remote.path.clone(), problem });
                }
                // The part may be that of another file, or damaged.
                Some(problem) => {
                    notify(FetchEvent::Note(&format!(
                        "{}: {problem}; it is downloaded again",
                        self.remote.path
                    )));
                    part.cut().map_err(&write)?;
                    again = true;
                }
            }
        }
        fs::rename(&part.path, self.path).map_err(HubProblem::write(self.path))?;
        Ok(part.length)
    }

    /// The part, if the file is not there. Parts of other versions of the file are removed.
    fn open(&self, notify: &mut dyn FnMut(FetchEvent<'_>)) -> Result<Option<Part>, HubProblem> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = self.path.with_file_name(match &self.digest {
            Some(digest) => format!("{name}.{}.part", digest.tag()),
            None => format!("{name}.part"),
        });
        let write = HubProblem::write(&path);
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(&write)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    notify(FetchEvent::Note(&format!(
                        "another program downloads {}; waiting for it",
                        self.path.display()
                    )));
                    file.lock().map_err(&write)?;
                }
                // Some network file systems have no locks.
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
            if self.path.exists() {
                // The other program has finished. A new part is empty.
                if file.metadata().is_ok_and(|file| file.len() == 0) {
                    let _ = fs::remove_file(&path);
                }
                return Ok(None);
            }
            // The other program may have removed what is open here.
            if path.exists() {
                remove_others(&path, &name);
                let mut part =
                    Part { length: file.metadata().map_err(&write)?.len(), file, path: path.clone() };
                if self.digest.is_none() || self.size.is_some_and(|size| part.length > size) {
                    part.cut().map_err(&write)?;
                }
                return Ok(Some(part));
            }
        }
    }

    /// Downloads the rest.
    fn receive(&mut self, part: &mut Part, notify: &mut dyn FnMut(FetchEvent<'_>)) -> Result<(), HubProblem> {
        let mut patience = Patience::default();
        // What is received again is no progress.
        let mut farthest = part.length;
        let url = self.client.file(&self.remote.path);
        let write = HubProblem::write(&part.path);
        while self.size.is_none_or(|size| part.length < size) {
            let from = Some(part.length).filter(|length| *length > 0);
            let mut answer = self.client.ask(&url, &self.remote.path, from, &mut patience, notify)?;
            if let Some(problem) = self.other_length(&answer) {
                patience.wait(problem, None, &self.client.endpoint, notify)?;
                continue;
            }
            let Some(end) = self.begin(part, &answer)? else {
                part.cut().map_err(&write)?;
                let problem = format!("{} does not continue {}", self.client.endpoint, self.remote.path);
                patience.wait(problem, None, &self.client.endpoint, notify)?;
                continue;
            };
            part.file.seek(SeekFrom::Start(part.length)).map_err(&write)?;
            let mut body = answer.response.body_mut().as_reader();
            let mut buffer = vec![0; BUFFER];
            let cut = loop {
                match body.read(&mut buffer) {
                    Ok(0) => break (part.length < end.unwrap_or(0)).then(|| "it ends early".to_owned()),
                    Ok(read) => {
                        part.file.write_all(&buffer[..read]).map_err(&write)?;
                        part.length += read as u64;
                        if part.length > farthest {
                            farthest = part.length;
                            patience.renew();
                        }
                        notify(FetchEvent::Bytes { done: part.length, total: self.size });
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => break Some(error.to_string()),
                }
            };
            match cut {
                Some(error) => {
                    let problem = format!("the connection to {} breaks off ({error})", self.client.endpoint);
                    patience.wait(problem, None, &self.client.endpoint, notify)?;
                }
                // The whole answer came.
                None => break,
            }
        }
        Ok(())
    }

    /// What is wrong with an answer that is whole and has another length than the file, such as the page of a proxy.
    fn other_length(&self, answer: &Answer) -> Option<String> {
        let headers = answer.response.headers();
        let length = headers.get("content-length")?.to_str().ok()?.parse::<u64>().ok()?;
        let size = self.size.filter(|size| answer.response.status() == 200 && length != *size)?;
        let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.map_or_else(String::new, |kind| format!(" of the type {kind}"));
        let (file, endpoint) = (&self.remote.path, &self.client.endpoint);
        Some(format!(
            "in place of {file} with {size} bytes, {length} bytes{kind} come from {endpoint} or a proxy before it"
        ))
    }

    /// Prepares the part for an answer. The size of the file, if it is known; `None` if the answer does not continue the part.
    fn begin(&mut self, part: &mut Part, answer: &Answer) -> Result<Option<Option<u64>>, HubProblem> {
        self.size = self.size.or(answer.size);
        if self.digest.is_none() {
            self.digest.clone_from(&answer.digest);
        }
        let text = |name: &str| answer.response.headers().get(name)?.to_str().ok();
        match answer.response.status().as_u16() {
            206 => {
                let range =
                    text("content-range").and_then(|range| range.strip_prefix("bytes ")?.split_once('/'));
                let start = range.and_then(|(range, _)| range.split_once('-')?.0.parse::<u64>().ok());
                let size = range.and_then(|(_, size)| size.parse().ok());
                Ok((start == Some(part.length)).then_some(self.size.or(size)))
            }
            200 => {
                // The server has no ranges: it sends the whole file.
                part.cut().map_err(HubProblem::write(&part.path))?;
                Ok(Some(self.size.or_else(|| text("content-length")?.parse().ok())))
            }
            416 => Ok(None),
            status => Err(self.client.no_hub(&format!("status {status} for a file"))),
        }
    }

    /// What is wrong with the whole part.
    fn fault(&self, part: &mut Part) -> io::Result<Option<String>> {
        if let Some(size) = self.size.filter(|size| *size != part.length) {
            return Ok(Some(format!("it has {} bytes instead of {size}", part.length)));
        }
        let Some(digest) = &self.digest else { return Ok(None) };
        part.file.seek(SeekFrom::Start(0))?;
        let found = digest.of(&mut part.file, part.length)?;
        let differs =
            || format!("its content has the digest {} instead of {}", found.as_str(), digest.as_str());
        Ok((found != *digest).then(differs))
    }
}

impl Part {
    /// Begins anew.
    fn cut(&mut self) -> io::Result<()> {
        if self.length > 0 {
            self.file.set_len(0)?;
            self.length = 0;
        }
        Ok(())
    }
}

/// Removes the parts of other versions of a file.
fn remove_others(part: &Path, name: &str) {
    let Some(folder) = part.parent() else { return };
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let tag = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".part"));
        let is_tag = |tag: &str| tag.len() == 16 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
        if path != part && tag.is_some_and(is_tag) {
            let _ = fs::remove_file(&path);
        }
    }
}
