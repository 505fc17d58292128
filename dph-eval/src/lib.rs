//! Scoring, benchmarks and rankings with Direct Preference Heads.
//!
//! ```no_run
//! use dph_data::{Message, Style};
//! use dph_eval::{Model, RankRequest, Ranking, Scoring, ScorerChoice, ranking_order, score};
//!
//! let model = Model::open("runs/smollm2-gpt4all".as_ref(), &dph_core::device("flex")?)?;
//! let request = RankRequest {
//!     id: None,
//!     prompt: vec![Message::user("Would you lie to me?")],
//!     candidates: vec!["Never.".into(), "Of course not, I swear!".into()],
//! };
//! let sets = [request.candidate_set("mine".into(), &model.tokenizer)?];
//! let scores = score(&model, &sets, &Scoring::default(), &mut |_| {})?; // log-likelihoods and rewards
//! let scorers = ranking_order(ScorerChoice::Both.scorers(Style::Chat, model.heads(), &|_| None)?);
//! println!("{}", Ranking::new(&request, &scores[0], &scorers).ranking[0].candidate);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The rooms of the crate, in the order in which data pass through them:
//!
//! - `model`: a [`Model`] is a backbone with its tokenizer and, where there is one, its preference head. [`Model::open`] finds it in
//!   a model directory, a stage's export or a run.
//! - [`pass`]: a [`Pass`] runs many candidate sets through a language model in batches.
//! - `score`: [`score`] computes log-likelihoods and rewards of candidate sets in one pass. Everything below is based on it.
//! - `cache`: the scores of finished batches on disk, so that an evaluation that was killed continues.
//! - `token_rewards`: [`token_rewards`](token_rewards()) computes the reward at every token of candidates.
//! - `bench`: [`bench`](bench()) evaluates a model on the tasks of a [`BenchPlan`], and [`bench_heads`](bench_heads()) many heads on
//!   one model in one pass. A [`Suite`] is a list of tasks whose metrics are averaged.
//! - `metrics`: accuracy, F1 and correlations, with standard errors, and the bootstrap.
//! - `results`: [`Results`], the contents of `results.json`, and [`DocumentScores`], the scores of every document.
//! - `submission`: a [`Submission`] of predictions to the server of GLUE.
//! - `compare`: a [`Comparison`] of two scorers or two runs on the same documents, with intervals, tests and verdicts.
//! - `calibration`: a [`Calibration`] says how well scores agree with what is right, and which are good enough.
//! - `report`: [`Table`], plots and an [`HtmlReport`] of results.
//! - `rank`: a [`Ranking`] sorts the candidate answers to a prompt by a scorer.
//! - `serve` (feature `serve`): a `serve::Service` answers requests over HTTP.
//! - `generate`: [`generate`](generate()) lets answers to prompts grow, with their rewards from the same pass, and chooses the best.

mod agreement;
mod bench;
mod blocks;
mod cache;
mod calibration;
mod compare;
mod disagreement;
mod error_class;
mod file_error;
mod generate;
mod glue_files;
mod metrics;
mod model;
mod outcomes;
pub mod pass;
mod rank;
mod report;
mod request_fields;
mod results;
mod score;
mod scorer_choice;
mod scoring;
#[cfg(feature = "serve")]
pub mod serve;
mod submission;
mod token_rewards;
mod unconditional;

pub use agreement::Agreement;
pub use bench::{
    Bench, BenchError, BenchForecast, BenchOptions, BenchPlan, BenchProgress, BenchStep, HELD_OUT, HeldOut,
    NamedHead, PlanError, PlannedTask, Suite, SuiteTask, TaskForecast, bench, bench_classifier, bench_heads,
};
pub use cache::CACHE_FILE;
pub use calibration::{
    Bin, CALIBRATION_FILE, Calibration, CalibrationError, LengthCorrelation, LengthGroup, Reliability,
    ScorerCalibration, Threshold,
};
pub use compare::{
    CompareError, Compared, Comparison, Figures, Side, SuiteComparison, TaskComparison, Unpaired, Verdict,
};
pub use file_error::FileError;
pub use generate::{
    Answer, AnswerEnd, AnswerSet, BestOf, GenerateRequest, GeneratedToken, Generation, GenerationError,
    GoldMatch, PrefixCache, Rejection, Selection, Stopping, TextStream, Usage, check_prompt, generate,
};
pub use metrics::{
    Estimate, accuracy, chance, f1, matthews, mean, mean_of_metrics, pearson, spearman, weighted_mean,
    wilson_interval,
};
pub use model::{
    BACKBONE_FILE, BackboneReference, BackboneSizes, ClassifierModel, MANIFEST_FILE, Manifest, Model,
    ModelError, ModelOutline, OpenOptions, TaskModels, export_head,
};
pub use pass::{Pass, Progress, ScoreError, Unscorable};
pub use rank::{RankRequest, RankedCandidate, Ranking, ranking_order};
pub use report::{
    BASE, EVALUATIONS_DIR, Evaluation, FinishedRun, HTML_FILE, HtmlReport, METRICS_FILE, REPORT_FILE,
    RESOLVED_FILE, SweepRow, Table, directory_name, means_over_seeds,
};
pub use request_fields::RequestError;
pub use results::{
    DOCUMENTS_FILE, DocumentScores, EXAMPLES_FILE, Example, Measurement, Mixture, RESULTS_FILE,
    RESULTS_FORMAT, Results, ResultsError, ScoredCandidate, SuitePart, SuiteResult, TaskResult, Unscored,
};
pub use score::score;
pub use scorer_choice::{ScorerChoice, ScorerError};
pub use scoring::Scoring;
pub use submission::{SUBMISSION_FILE, Submission};
pub use token_rewards::token_rewards;
