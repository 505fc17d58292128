//! A page in Chromium.
#![allow(dead_code)]

use std::path::Path;
use std::process::Command;

use dph_core::testing::Run;
use serde_json::Value;

/// A page with a script that runs when it is loaded: the body of an asynchronous function, whose result [`probe`] returns.
///
/// The script can wait for timers and for the server, but not for frames: the page's own time does not wait for them, so a busy
/// machine would end the page before its first frame. What it reads of the layout is always up to date.
pub fn with_probe(page: &str, script: &str) -> String {
    let probe = "<script>addEventListener('load', async () => { const out = document.createElement('output'); out.id = 'probe'; \
                 let found; try { found = await (async () => { SCRIPT })(); } catch (error) { found = String(error); } \
                 out.textContent = 'PROBE' + btoa(unescape(encodeURIComponent(JSON.stringify(found)))) + 'END'; document.body.append(out); });</script>";
    page.replace("</body>", &format!("{}</body>", probe.replace("SCRIPT", script)))
}

/// Opens a page with a probe for some milliseconds of its own time, and returns what the probe found.
pub fn probe(chromium: &Path, address: &str, milliseconds: u32) -> Value {
    let printed = open(chromium, address, milliseconds, &["--dump-dom"]);
    let found = printed.split("PROBE").last().unwrap().split("END").next().unwrap();
    serde_json::from_slice(&decode(found)).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// Opens a page with further arguments, and returns what Chromium printed.
pub fn open(chromium: &Path, address: &str, milliseconds: u32, more: &[&str]) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(chromium);
    command.args(["--headless", "--no-sandbox", "--disable-gpu"]).args(more);
    command.arg(format!("--virtual-time-budget={milliseconds}"));
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    Run::new(command.arg(address)).ok()
}

/// Base64, in which no text of the page can be taken for the result.
fn decode(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| alphabet.iter().position(|known| *known == byte));
    let digits: Vec<u32> = digits.map(|digit| digit as u32).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits = four.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - four.len()));
        [16, 8, 0].map(|shift| (bits >> shift) as u8).into_iter().take(four.len() - 1).collect::<Vec<_>>()
    });
    bytes.collect()
}
