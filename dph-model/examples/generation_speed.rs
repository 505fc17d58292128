//! How long the parts of generation take: `generation_speed MODEL_DIR [ROWS PROMPT [DEVICE]]`.

use std::time::Instant;

use dph_model::{Backbone, Sampling};

/// New tokens a prompt.
const TOKENS: usize = 65;
const REPEATS: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, numbers @ ..] = &args[..] else {
        return Err("usage: generation_speed MODEL_DIR [ROWS PROMPT [DEVICE]]".into());
    };
    let number = |index: usize, default: usize| numbers.get(index).map_or(Ok(default), |text| text.parse());
    let (rows, prompt) = (number(0, 8)?, number(1, 256)?);
    let model = Backbone::load(dir, &dph_core::device(numbers.get(2).map_or("flex", String::as_str))?)?;

    // Of different lengths, so that all but one are padded.
    let token = |index: usize| (index * 7919 % (model.vocab() - 1)) as u32;
    let prompts: Vec<Vec<u32>> = (0..rows)
        .map(|row| (0..prompt - prompt * row / (2 * rows)).map(|index| token(row + index)).collect())
        .collect();
    let (mut prefill, mut step) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..REPEATS {
        let sampling = Sampling { max_tokens: TOKENS, ..Sampling::default() };
        let start = Instant::now();
        let mut first = None;
        model.generate(&prompts, &sampling, |_, _| {
            first.get_or_insert_with(|| start.elapsed());
        })?;
        let first = first.ok_or("no token was generated")?;
        prefill = prefill.min(first.as_secs_f64());
        step = step.min((start.elapsed() - first).as_secs_f64() / (TOKENS - 1) as f64);
    }
    report(&format!("{rows} x {prompt}: until the first tokens"), prefill);
    report(&format!("{rows} x {prompt}: every further token of all"), step);
    Ok(())
}

#[allow(clippy::print_stdout)]
fn report(what: &str, seconds: f64) {
    println!("{:>9.1} ms  {what}", seconds * 1e3);
}
