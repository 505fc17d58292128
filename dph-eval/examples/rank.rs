//! Ranks two answers: `cargo run --release -p dph-eval --example rank -- DIR`.

use dph_core::Scorer;
use dph_eval::{Model, RankRequest, Ranking, Scoring, ranking_order, score};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("give a model, an export or a run")?;
    let model = Model::open(dir.as_ref(), &dph_core::device("flex")?)?;
    let request = RankRequest::parse(r#"{"prompt": "Would you lie to me?", "candidates": ["No.", "Yes."]}"#)?;
    let set = request.candidate_set("question".into(), &model.tokenizer)?;
    let scores = score(&model, &[set], &Scoring::default(), &mut |_| {})?;
    let scorers = ranking_order(Scorer::all(model.heads()));
    dph_core::terminal::say(&Ranking::new(&request, &scores[0], &scorers).to_text(&request, &scorers));
    Ok(())
}
