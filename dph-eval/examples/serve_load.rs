//! Load for a running `dph-eval serve`: first its capacity with some clients that wait for each answer, then requests at twice that rate.
//!
//! `cargo run --release -p dph-eval --example serve_load -- 127.0.0.1:8080 [SECONDS [CLIENTS]]`
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

/// Answers in a request.
const CANDIDATES: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().ok_or("give the address of the service")?.parse()?;
    let seconds: u64 = arguments.next().map_or(Ok(60), |seconds| seconds.parse())?;
    let clients: usize = arguments.next().map_or(Ok(16), |clients| clients.parse())?;

    let time = Duration::from_secs((seconds / 4).max(5));
    let capacity = run(address, clients, time, None);
    println!("{clients} clients that wait: {}", capacity.text(time));
    let rate = 2.0 * capacity.answered() / time.as_secs_f64();
    let time = Duration::from_secs(seconds);
    // Enough clients that none has to wait for another one.
    let load = run(address, 8 * clients, time, Some(rate));
    println!("{rate:.1} requests/s: {}", load.text(time));
    Ok(())
}

/// What happened to requests.
#[derive(Default)]
struct Outcome {
    /// Times of answers with status 200.
    times: Vec<Duration>,
    /// Numbers of answers by status; 0 is none.
    statuses: BTreeMap<u16, usize>,
}

impl Outcome {
    fn answered(&self) -> f64 {
        self.times.len() as f64
    }

    fn text(&self, time: Duration) -> String {
        let mut times = self.times.clone();
        times.sort_unstable();
        let quantile = |share: f64| {
            let place = (times.len() as f64 * share) as usize;
            times
                .get(place.min(times.len().saturating_sub(1)))
                .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
        };
        format!(
            "{:.1} answers/s, p50 {:.0} ms, p95 {:.0} ms, p99 {:.0} ms, statuses {:?}",
            self.answered() / time.as_secs_f64(),
            quantile(0.5),
            quantile(0.95),
            quantile(0.99),
            self.statuses
        )
    }
}

/// Sends requests from several clients for some time: at a rate, or each as soon as the last one is answered.
fn run(address: SocketAddr, clients: usize, time: Duration, rate: Option<f64>) -> Outcome {
    let (start, next) = (Instant::now(), AtomicUsize::new(0));
    let client = || {
        let mut outcome = Outcome::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if let Some(rate) = rate {
                let due = Duration::from_secs_f64(number as f64 / rate);
                thread::sleep(due.saturating_sub(start.elapsed()));
            }
            if start.elapsed() >= time {
                return outcome;
            }
            let sent = Instant::now();
            let status = ask(address, number).unwrap_or(0);
            *outcome.statuses.entry(status).or_default() += 1;
            if status == 200 {
                outcome.times.push(sent.elapsed());
            }
        }
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        running.into_iter().filter_map(|client| client.join().ok()).fold(
            Outcome::default(),
            |mut all, one| {
                all.times.extend(one.times);
                one.statuses
                    .into_iter()
                    .for_each(|(status, count)| *all.statuses.entry(status).or_default() += count);
                all
            },
        )
    })
}

/// Sends a request and returns the status of its answer.
fn ask(address: SocketAddr, number: usize) -> Result<u16, Box<dyn Error>> {
    let texts: Vec<String> = (0..CANDIDATES)
        .map(|candidate| format!("Answer {candidate} to {number}: it is on its way."))
        .collect();
    let body = json!({"query": format!("Where is parcel number {number}?"), "texts": texts}).to_string();
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    write!(
        stream,
        "POST /rerank HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = BufReader::new(stream);
    let mut status = String::new();
    answer.read_line(&mut status)?;
    answer.read_to_end(&mut Vec::new())?;
    Ok(status.split(' ').nth(1).ok_or("no status")?.parse()?)
}
