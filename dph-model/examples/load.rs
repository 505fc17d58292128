//! How long a model takes to load, and how much memory at most: `load PATH [DEVICE]`.

use std::time::Instant;

use dph_model::Backbone;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, rest @ ..] = &args[..] else {
        return Err("usage: load PATH [DEVICE]".into());
    };
    let device = dph_core::device(rest.first().map_or("flex", String::as_str))?;
    let before = memory("VmRSS");
    let start = Instant::now();
    let model = Backbone::load(path, &device)?;
    device.sync()?;
    let (seconds, peak) = (start.elapsed().as_secs_f64(), memory("VmHWM"));
    let weights = 4 * model.config().param_count();
    println!("loaded in {seconds:.2} s, weights of {} MB", weights / 1_000_000);
    if let (Some(before), Some(peak), Some(now)) = (before, peak, memory("VmRSS")) {
        let times = |bytes: usize| bytes.saturating_sub(before) as f64 / weights as f64;
        println!("memory: {:.2} times the weights at most, {:.2} times now", times(peak), times(now));
    }
    Ok(())
}

/// A line of Linux's account of this process, in bytes.
fn memory(line: &str) -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|text| text.strip_prefix(line))?;
    Some(1024 * value.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<usize>().ok()?)
}
