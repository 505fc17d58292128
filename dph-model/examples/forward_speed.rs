//! How long the parts of a forward pass take: `forward_speed MODEL_DIR [ROWS SEQ [DEVICE]]`.
//!
//! `--compose` runs operations that every backend has instead of fused kernels, by way of automatic differentiation.

use std::time::{Duration, Instant};

use dph_core::{Batch, Candidate, CandidateSet, Layer, TargetTokens};
use dph_model::Backbone;

const REPEATS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let compose = args.iter().position(|arg| arg == "--compose").map(|place| args.remove(place)).is_some();
    let [dir, numbers @ ..] = &args[..] else {
        return Err("usage: forward_speed MODEL_DIR [ROWS SEQ [DEVICE]]".into());
    };
    let number = |index: usize, default: usize| numbers.get(index).map_or(Ok(default), |text| text.parse());
    let (rows, seq) = (number(0, 4)?, number(1, 512)?);
    let device = dph_core::device(numbers.get(2).map_or("flex", String::as_str))?;
    let device = if compose { device.autodiff() } else { device };

    let start = Instant::now();
    let model = Backbone::load(dir, &device)?;
    device.sync()?;
    report("load", start.elapsed());

    let start = Instant::now();
    let hash = dph_model::content_hash(dir)?;
    report(&format!("content hash {}…", &hash[..8]), start.elapsed());

    // Half prompt, and half the four answers that share it.
    let token = |index: usize| (index * 7919 % (model.vocab() - 1)) as u32;
    let answer = |first: usize| Candidate::new((0..seq / 8).map(|index| token(first + index)).collect(), 0);
    let packed = CandidateSet {
        prompt: (0..seq - 4 * (seq / 8)).map(token).collect(),
        candidates: (0..4).map(answer).collect(),
        ..CandidateSet::default()
    };
    let plain = CandidateSet {
        prompt: (0..seq - 1).map(token).collect(),
        candidates: vec![Candidate::new(vec![token(0)], 0)],
        ..CandidateSet::default()
    };

    for (name, set) in [("plain", &plain), ("packed", &packed)] {
        let batch = Batch::pack(vec![set; rows], TargetTokens::Turn, model.pad_token());
        let mut best = [Duration::MAX; 3];
        for _ in 0..REPEATS {
            let start = Instant::now();
            let embedding = model.hidden_states(&batch, &[Layer::At(0)])?.remove(0);
            embedding.into_data();
            best[0] = best[0].min(start.elapsed());
            let start = Instant::now();
            let last = model.hidden_states(&batch, &[Layer::Last])?.remove(0);
            last.clone().narrow(1, 0, 1).into_data();
            best[1] = best[1].min(start.elapsed());
            let start = Instant::now();
            model.log_probs(last, &batch.targets).into_data();
            best[2] = best[2].min(start.elapsed());
        }
        report(&format!("{name} {rows} x {seq}: embedding"), best[0]);
        report(&format!("{name} {rows} x {seq}: hidden states"), best[1]);
        report(&format!("{name} {rows} x {seq}: {} log-probabilities", batch.targets.len()), best[2]);
    }
    Ok(())
}

#[allow(clippy::print_stdout)]
fn report(what: &str, time: Duration) {
    println!("{:>9.1} ms  {what}", time.as_secs_f64() * 1e3);
}
