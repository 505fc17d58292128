//! Scoring, benchmarks and rankings with Direct Preference Heads.
//!
//! ```no_run
//! use dph_data::Message;
//! use dph_eval::{Model, RankRequest, Ranking, Scoring, ScorerChoice, ranking_order, score};
//!
//! let model = Model::open("runs/smollm2-gpt4all".as_ref(), &dph_core::device("flex")?)?;
//! let request = RankRequest {
//!     id: None,
//!     prompt: vec![Message::user("Would you lie to me?")],
//!     candidates: vec!["Never.".into(), "Of course not, I swear!".into()],
//! };
//! let sets = [request.candidate_set("mine".into(), &model.tokenizer)?];
//! let scores = score(&model, &sets, &Scoring::default(), &mut |_| {})?;   // log-likelihoods and rewards in one pass
//! let scorers = ranking_order(ScorerChoice::Both.scorers(model.heads()));
//! println!("{}", Ranking::new(&request, &scores[0], &scorers).ranking[0].candidate);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Model`] is a backbone with its tokenizer and, where there is one, its preference head. [`score`] is the one way
//! from candidate sets to scores; on it stand [`bench`](bench()), which evaluates a model on the tasks of a [`BenchPlan`] and gives
//! [`Results`] (the contents of `results.json`) and a [`Table`] of them, [`bench_heads`](bench_heads()), which does so for many heads on
//! one model at once, and [`Ranking`], which puts the answers to a prompt into the order that a scorer prefers.

mod backbone_reference;
mod bench;
mod bench_heads;
mod bench_plan;
mod bench_results;
mod documents;
#[cfg(feature = "cli")]
mod failure;
mod locate;
mod mean_results;
mod metrics;
mod model;
mod model_error;
pub mod pass;
mod rank;
mod rank_request;
mod report;
mod results;
mod score;
mod scorer_choice;
mod statistics;
mod suite;

pub use backbone_reference::{BACKBONE_FILE, BackboneReference, export_head};
pub use bench::{Bench, BenchError, BenchOptions, BenchProgress, bench};
pub use bench_heads::{NamedHead, bench_heads};
pub use bench_plan::{BenchPlan, HELD_OUT, HeldOut, PlanError, PlannedTask};
pub use documents::{DOCUMENTS_FILE, DocumentScores, ScoredCandidate};
pub use metrics::{f1, matthews, pearson, spearman};
pub use model::{Model, OpenOptions};
pub use model_error::ModelError;
pub use pass::{Pass, Progress, ScoreError, Unscorable};
pub use rank::{RankedCandidate, Ranking, ranking_order};
pub use rank_request::{RankRequest, RequestError};
pub use report::{Curve, HTML_FILE, HtmlReport, REPORT_FILE, SweepRow, Table, line_plot, results_plot};
pub use results::{RESULTS_FILE, RESULTS_FORMAT, Results, ResultsError, SuiteResult, TaskResult};
pub use score::{Scoring, score};
pub use scorer_choice::ScorerChoice;
pub use statistics::{Estimate, accuracy, chance, mean_of_metrics, weighted_mean, wilson_interval};
pub use suite::{Suite, SuiteError, SuiteTask};
