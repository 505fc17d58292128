//! A running `dph-eval serve`, and a client that can misbehave.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{llama, lswt, write_model, write_model_with_head};

/// A service on a free port. It is killed when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// A directory with the models `first` and `second`, which have heads, and `plain`, which has none.
pub fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_model_with_head(&dir.join("first"), &llama(), &["preference", "helpfulness"]);
    write_model_with_head(&dir.join("second"), &lswt(), &["preference"]);
    write_model(&dir.join("plain"), &lswt());
    place
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Server {
    /// Starts `dph-eval serve` in a directory, and waits until it listens.
    pub fn start(dir: &Path, args: &[&str]) -> Self {
        Self::start_with(dir, args, &[])
    }

    /// The same with variables in its environment.
    pub fn start_with(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dph-eval"))
            .current_dir(dir)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .env("RUST_LOG", "dph_eval=debug")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut log = String::new();
        let address = loop {
            let Some(line) = lines.next() else { panic!("the service ended: {log}") };
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.parse().unwrap();
            }
            log += &(line + "\n");
        };
        let log = Arc::new(Mutex::new(log));
        let kept = log.clone();
        let reader = thread::spawn(move || lines.for_each(|line| *kept.lock().unwrap() += &(line + "\n")));
        Self { address, child, log, reader: Some(reader) }
    }

    /// What it has written on stderr.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Asks it to end, as a supervisor does.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits until it has ended and its log is whole, and returns its status.
    pub fn wait(&mut self) -> Option<i32> {
        let mut status = None;
        let (child, log) = (&mut self.child, &self.log);
        until("the service does not end", log, || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        self.reader.take().into_iter().for_each(|reader| reader.join().unwrap());
        status.unwrap().code()
    }

    /// Waits until something is so, however long this machine takes. `otherwise` says what is wrong if it never is.
    #[track_caller]
    pub fn until(&self, otherwise: &str, is_so: impl FnMut() -> bool) {
        until(otherwise, &self.log, is_so);
    }

    /// Begins a stream, and waits for its first event.
    pub fn begin_stream(&self, path: &str, body: &Value) -> TcpStream {
        let head = [("Content-Type", "application/json")];
        let mut stream = self.connect().unwrap();
        stream.write_all(&request("POST", path, &head, body.to_string().as_bytes())).unwrap();
        let (mut seen, mut part) = (Vec::new(), [0; 4096]);
        while !seen.windows(7).any(|seven| seven == b"data: {") {
            let read = stream.read(&mut part).unwrap();
            assert!(read > 0, "no stream: {}", String::from_utf8_lossy(&seen));
            seen.extend(&part[..read]);
        }
        stream
    }

    /// Memory that it has, in bytes.
    pub fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    /// Posts JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, body.to_string().as_bytes())
    }

    /// Posts something as JSON.
    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Answer {
        self.send(&request("POST", path, &[("Content-Type", "application/json")], body))
    }

    /// Gets a path.
    pub fn get(&self, path: &str) -> Answer {
        self.send(&request("GET", path, &[], b""))
    }

    /// Sends bytes and reads the answer.
    pub fn send(&self, bytes: &[u8]) -> Answer {
        self.try_send(bytes).unwrap()
    }

    /// The same, if there is an answer.
    pub fn try_send(&self, bytes: &[u8]) -> std::io::Result<Answer> {
        let mut stream = self.connect()?;
        // A request may be refused before it is read.
        let _ = stream.write_all(bytes);
        answer(&mut stream)
    }

    /// A connection.
    pub fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(NEVER))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// The value of a metric with these labels.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

/// Far longer than anything takes on a machine that is busy.
const NEVER: Duration = Duration::from_secs(300);

#[track_caller]
fn until(otherwise: &str, log: &Mutex<String>, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < NEVER, "{otherwise}: {}", log.lock().unwrap());
        thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON of an answer with status 200.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The field and the message of an error with this status.
    #[track_caller]
    pub fn failed(&self, status: u16) -> (Value, String) {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        let error = self.json()["error"].clone();
        (error["param"].clone(), error["message"].as_str().unwrap().to_owned())
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// The bytes of a request, after which the connection is closed.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Reads an answer to the end of the connection.
pub fn answer(stream: &mut TcpStream) -> std::io::Result<Answer> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let _ = stream.shutdown(Shutdown::Both);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(end) = end else {
        read?;
        return Err(std::io::Error::other(format!("no answer: {:?}", String::from_utf8_lossy(&bytes))));
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no status: {head}")))?;
    let mut body = bytes[end + 4..].to_vec();
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body = dechunked(&body);
    }
    Ok(Answer { status, head, body })
}

/// The content of chunks.
fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 || rest.len() < end + 2 + size {
            break;
        }
        all.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[(end + 4 + size).min(rest.len())..];
    }
    all
}
