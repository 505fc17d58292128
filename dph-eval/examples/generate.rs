//! Generates eight answers and chooses the best: `cargo run --release -p dph-eval --example generate -- DIR`.

use dph_data::Message;
use dph_eval::{BestOf, Model, generate};
use dph_model::Sampling;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("give a model, an export or a run")?;
    let model = Model::open(dir.as_ref(), &dph_core::device("flex")?)?;
    let prompt = model.tokenizer.prompt(&[Message::user("Would you lie to me?")])?;
    let sampling = Sampling { temperature: 1.0, max_tokens: 32, ..Sampling::default() };
    let settings = BestOf { answers: 8, sampling, ..BestOf::default() };
    let sets = generate(&model, &[prompt], &settings, &mut |_| {})?;
    dph_core::terminal::say(&format!("{:?}: {}", sets[0].best().scores.rewards, sets[0].best().text));
    Ok(())
}
