//! Speed and memory of generation with a preference head and without: `best_of_speed DIR [PROMPT TOKENS [DEVICE]]`.

use std::time::Instant;

use dph_eval::{BestOf, Model, Selection, generate};
use dph_model::{AnswerId, Sampling};

const REPEATS: usize = 8;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, numbers @ ..] = &args[..] else {
        return Err("usage: best_of_speed DIR [PROMPT TOKENS [DEVICE]]".into());
    };
    let number = |index: usize, default: usize| numbers.get(index).map_or(Ok(default), |text| text.parse());
    let (length, max_tokens) = (number(0, 256)?, number(1, 64)?);
    let device = dph_core::device(numbers.get(2).map_or("flex", String::as_str))?;
    let mut model = Model::open(dir.as_ref(), &device)?;
    let token = |index: usize| (index * 7919 % (model.backbone.vocab() - 1)) as u32;
    let prompt: Vec<u32> = (0..length).map(token).collect();
    let settings = |answers| BestOf {
        answers,
        sampling: Sampling { temperature: 1.0, max_tokens, ..Sampling::default() },
        selection: Selection::Loglik,
        ..BestOf::default()
    };

    // Memory first: it is never given back.
    let layers =
        model.head.as_ref().map_or(Vec::new(), |(_, config)| config.aggregation.layers_needed().to_vec());
    let before = resident();
    let start = Instant::now();
    let prompts = model.backbone.prompts(std::slice::from_ref(&prompt), &layers)?;
    println!(
        "prompt of {length}: {:.1} ms, {:.1} MB",
        1e3 * start.elapsed().as_secs_f64(),
        megabytes(before)
    );
    for answers in [1, 64] {
        let ids: Vec<AnswerId> = (0..answers).map(|number| AnswerId { prompt: 0, number }).collect();
        let sampling = settings(answers as usize).sampling;
        let before = resident();
        let start = Instant::now();
        let growing = prompts.answers(&ids, &sampling, Some(0))?;
        let time = start.elapsed().as_secs_f64();
        println!("{answers} answers begin after {:.2} ms and {:.1} MB more", 1e3 * time, megabytes(before));
        drop(growing);
    }
    drop(prompts);

    for answers in [1, 8, 32] {
        let mut best = [0.0f64; 2];
        let mut losses = [0.0; REPEATS];
        let head = model.head.take();
        for (repeat, loss) in losses.iter_mut().enumerate() {
            // The order alternates, so that a slow minute of the machine does not count against one side.
            let mut speeds = [0.0f64; 2];
            for place in [repeat % 2, 1 - repeat % 2] {
                model.head = head.clone().filter(|_| place == 1);
                let start = Instant::now();
                let sets = generate(&model, std::slice::from_ref(&prompt), &settings(answers), &mut |_| {})?;
                speeds[place] = sets[0].usage.generated as f64 / start.elapsed().as_secs_f64();
                best[place] = best[place].max(speeds[place]);
            }
            *loss = 100.0 * (1.0 - speeds[1] / speeds[0]);
        }
        model.head = head;
        let (mean, error) = mean_and_error(&losses);
        println!(
            "{answers:>2} answers: {:.1} tokens/s without the head, {:.1} with it (loss in {REPEATS} pairs {mean:.1} ± {error:.1} %)",
            best[0], best[1]
        );
    }
    Ok(())
}

/// The mean of these values and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    value.and_then(|value| value.trim().trim_end_matches(" kB").parse::<usize>().ok()).unwrap_or(0) * 1024
}

fn megabytes(before: usize) -> f64 {
    (resident() as f64 - before as f64) / 1e6
}
