//! Load for a running `dph-eval serve`: first its capacity with some clients that wait for each answer, then requests at twice that rate.
//!
//! `cargo run --release -p dph-eval --example serve_load -- 127.0.0.1:8080 kind=chat seconds=300 pid=$(pgrep dph-eval)`
//!
//! - `kind`: `rerank` (default), `chat`, or `mixed`
//! - `seconds`: of the load at twice the capacity (60; 0 for none)
//! - `capacity`: seconds in which the capacity is measured (15)
//! - `clients`: that wait for each answer (16)
//! - `texts`: of a request for scores (4)
//! - `tokens`: of an answer to a chat request (16)
//! - `system`: words of a system prompt that all chat requests share (0)
//! - `pid`: the service, whose memory and time on the processors are printed
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: serve_load ADDRESS [kind=rerank|chat|mixed] [seconds=60] [capacity=15] [clients=16] [texts=4] [tokens=16] [system=0] [pid=PID]";
    let (address, settings) = arguments.split_first().ok_or(usage)?;
    let settings = Settings::new(address.parse()?, settings)?;
    let time = Duration::from_secs(settings.capacity);
    let capacity = settings.run(settings.clients, time, None);
    println!("{} clients that wait: {}", settings.clients, capacity.text());
    if settings.seconds == 0 {
        return Ok(());
    }
    if capacity.times.is_empty() {
        return Err("no request was answered with status 200, so there is no capacity to double".into());
    }
    let rate = 2.0 * capacity.rate();
    let time = Duration::from_secs(settings.seconds);
    // Enough clients that none has to wait for another one.
    let load = settings.run(8 * settings.clients, time, Some(rate));
    println!("{rate:.1} requests/s: {}", load.text());
    Ok(())
}

/// What is asked for.
struct Settings {
    address: SocketAddr,
    kind: String,
    seconds: u64,
    capacity: u64,
    clients: usize,
    texts: usize,
    tokens: usize,
    system: String,
    pid: Option<u32>,
}

impl Settings {
    fn new(address: SocketAddr, settings: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut given: BTreeMap<&str, &str> = BTreeMap::new();
        for setting in settings {
            let (key, value) = setting.split_once('=').ok_or(format!("{setting}: expected KEY=VALUE"))?;
            given.insert(key, value);
        }
        fn take<T: FromStr>(
            given: &mut BTreeMap<&str, &str>,
            key: &str,
            default: T,
        ) -> Result<T, Box<dyn Error>> {
            let parse = |value: &str| value.parse().map_err(|_| format!("{key}={value}: not a value").into());
            given.remove(key).map_or(Ok(default), parse)
        }
        let words = take(&mut given, "system", 0usize)?;
        let settings = Self {
            address,
            kind: take(&mut given, "kind", "rerank".to_string())?,
            seconds: take(&mut given, "seconds", 60)?,
            capacity: take(&mut given, "capacity", 15)?,
            clients: take(&mut given, "clients", 16)?,
            texts: take(&mut given, "texts", 4)?,
            tokens: take(&mut given, "tokens", 16)?,
            system: "You help the customers of a shop, briefly. "
                .split_inclusive(' ')
                .cycle()
                .take(words)
                .collect(),
            pid: take(&mut given, "pid", 0)?.into(),
        };
        match given.first_key_value() {
            Some((key, _)) => Err(format!("{key}: there is no such setting").into()),
            None => Ok(Self { pid: settings.pid.filter(|&pid| pid > 0), ..settings }),
        }
    }

    /// Sends requests from several clients for some time: at a rate, or each as soon as the last one is answered.
    fn run(&self, clients: usize, time: Duration, rate: Option<f64>) -> Outcome {
        let (start, next, is_done) = (Instant::now(), AtomicUsize::new(0), AtomicBool::new(false));
        let client = || {
            let mut outcome = Outcome::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if let Some(rate) = rate {
                    let due = Duration::from_secs_f64(number as f64 / rate).min(time);
                    thread::sleep(due.saturating_sub(start.elapsed()));
                }
                if start.elapsed() >= time {
                    return outcome;
                }
                let sent = Instant::now();
                let (status, tokens) = self.ask(number).unwrap_or_default();
                *outcome.statuses.entry(status).or_default() += 1;
                if status == 200 {
                    outcome.times.push(sent.elapsed());
                    outcome.tokens += tokens;
                }
            }
        };
        let watch = || {
            let mut memory = Vec::new();
            while !is_done.load(Ordering::Relaxed) {
                memory.extend(self.pid.and_then(resident));
                thread::sleep(Duration::from_secs(1));
            }
            memory
        };
        let busy = || self.pid.and_then(processor_seconds).unwrap_or(f64::NAN);
        let before = busy();
        thread::scope(|scope| {
            let watching = scope.spawn(watch);
            let running: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
            let of_clients = running.into_iter().filter_map(|client| client.join().ok());
            let mut all = of_clients.fold(Outcome::default(), Outcome::and);
            all.seconds = start.elapsed().as_secs_f64();
            all.processor_seconds = busy() - before;
            is_done.store(true, Ordering::Relaxed);
            all.memory = watching.join().unwrap_or_default();
            all
        })
    }

    /// Sends a request and returns the status of its answer and the number of generated tokens.
    fn ask(&self, number: usize) -> Result<(u16, u64), Box<dyn Error>> {
        let is_chat = self.kind == "chat" || self.kind == "mixed" && number.is_multiple_of(2);
        let question = format!("Where is parcel number {number}?");
        let (path, body) = if is_chat {
            let system = json!({"role": "system", "content": self.system});
            let user = json!({"role": "user", "content": question});
            let messages = if self.system.is_empty() { vec![user] } else { vec![system, user] };
            ("/v1/chat/completions", json!({"messages": messages, "max_tokens": self.tokens, "seed": number}))
        } else {
            let text = |index| format!("Answer {index} to {number}: it is on its way.");
            let texts: Vec<String> = (0..self.texts).map(text).collect();
            ("/rerank", json!({"query": question, "texts": texts}))
        };
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
        let mut answer = BufReader::new(stream);
        let (mut status, mut rest) = (String::new(), String::new());
        answer.read_line(&mut status)?;
        answer.read_to_string(&mut rest)?;
        let status = status.split(' ').nth(1).ok_or("no status")?.parse()?;
        let body = rest.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Value>(body).ok());
        let tokens = body.and_then(|body| body["usage"]["completion_tokens"].as_u64());
        Ok((status, tokens.unwrap_or(0)))
    }
}

/// Memory of a process in bytes, where the system tells.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Time of a process on all processors, where the system tells and counts in hundredths of a second.
fn processor_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().ok());
    Some(ticks.sum::<Option<f64>>()? / 100.0)
}

/// What happened to requests.
#[derive(Default)]
struct Outcome {
    /// Times of answers with status 200.
    times: Vec<Duration>,
    tokens: u64,
    /// Numbers of answers by status; 0 is none.
    statuses: BTreeMap<u16, usize>,
    /// Of the service, every second.
    memory: Vec<u64>,
    /// From the first request to the last answer.
    seconds: f64,
    /// Time of the service on all processors.
    processor_seconds: f64,
}

impl Outcome {
    /// Answers in a second.
    fn rate(&self) -> f64 {
        self.times.len() as f64 / self.seconds
    }

    fn and(mut self, other: Self) -> Self {
        self.times.extend(other.times);
        self.tokens += other.tokens;
        other
            .statuses
            .into_iter()
            .for_each(|(status, count)| *self.statuses.entry(status).or_default() += count);
        self
    }

    fn text(&self) -> String {
        let mut times = self.times.clone();
        times.sort_unstable();
        let quantile = |share: f64| {
            let place = (times.len() as f64 * share) as usize;
            times
                .get(place.min(times.len().saturating_sub(1)))
                .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
        };
        let largest = |part: &[u64]| part.iter().max().map_or(f64::NAN, |bytes| *bytes as f64 / 1e6);
        let (first, last) = self.memory.split_at(self.memory.len() / 4);
        let last = &last[last.len() - last.len() / 3..];
        format!(
            "{:.2} answers/s, {:.1} tokens/s, p50 {:.0} ms, p95 {:.0} ms, p99 {:.0} ms, statuses {:?}, {:.3} s of processors for an answer, at most {:.0} MB in the first quarter and {:.0} MB in the last",
            self.rate(),
            self.tokens as f64 / self.seconds,
            quantile(0.5),
            quantile(0.95),
            quantile(0.99),
            self.statuses,
            self.processor_seconds / self.times.len() as f64,
            largest(first),
            largest(last),
        )
    }
}
