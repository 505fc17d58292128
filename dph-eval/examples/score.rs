//! Scores two answers: `cargo run --release -p dph-eval --example score -- DIR`.

use dph_data::Message;
use dph_eval::{Model, Scoring, score};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("give a model, an export or a run")?;
    let model = Model::open(dir.as_ref(), &dph_core::device("flex")?)?;
    let prompt = [Message::user("Would you lie to me?")];
    let set = model.tokenizer.candidate_set("question", &prompt, &["No.", "Yes."], None)?;
    for scores in &score(&model, &[set], &Scoring::default(), &mut |_| {})?[0] {
        dph_core::terminal::say(&format!("log-likelihood {}, rewards {:?}", scores.loglik, scores.rewards));
    }
    Ok(())
}
