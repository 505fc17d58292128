//! `dph-eval bench`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use dph_core::terminal::{Done, Failure, Progress, say};
use dph_core::{PreferenceHeadConfig, Style};
use dph_data::{ChatTokenizer, TextLayout};
use dph_eval::{
    Bench, BenchForecast, BenchOptions, BenchPlan, BenchProgress, BenchStep, CACHE_FILE, MANIFEST_FILE,
    PlannedTask, ScorerChoice, Submission, Table, TaskModels, bench, bench_classifier,
};

use super::bench_parts::{Part, parts, whole};
use super::device::{DeviceArgs, positive};

/// Evaluate a model on benchmark tasks, by log-likelihood and by preference head
///
/// Prints a table with a row for each scorer and a column for each task and suite: accuracies in per cent with standard errors.
/// The row above them shows the accuracy of random choices, the row below them the number of documents.
///
/// Scorers, which --scorer names and the table lists:
///
/// log, reward, both: the mean and the sum of the log-likelihood; the reward of each head; all of these.
///
/// loglik-mean, loglik-sum, loglik-byte, loglik-char: the log-likelihood of the answer by token, in total, by byte, by character.
///
/// loglik-relative: the total minus that after the prompt `Answer:`, without the question.
///
/// reward:HEAD, reward:0.7*HEAD+0.3*HEAD: the reward of one head, or a weighted sum.
///
/// classifier: the class of a model *ForSequenceClassification, or the number of one with one output, in tasks with a table [classify]; it
/// is used alone, and is the default for an encoder such as BERT.
///
/// mixture:HEAD: a reward and the mean log-likelihood, with the weight that has the highest accuracy on the training splits.
///
/// A task of whole texts has its perplexity and its bits per byte, which are not in per cent. Their scorer is `loglik-sum`.
///
/// The style `plain` is that of lm-evaluation-harness, whose `acc` is the accuracy of `loglik-sum` and `acc_norm` that of
/// `loglik-char`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["suite", "task", "submission"])))]
pub struct BenchArgs {
    /// The model, export or run
    dir: PathBuf,

    /// A suite such as gpt4all, or the path of a suite's TOML file; may be given several times
    #[arg(long, value_name = "S")]
    suite: Vec<String>,

    /// A task by name (see `dph-data list`) or by the path of its TOML file; may be given several times
    #[arg(long, value_name = "T")]
    task: Vec<String>,

    /// The split of each --task; may be given several times [default: the split that the suites use for it, otherwise test]
    #[arg(long, value_name = "S", requires = "task")]
    split: Vec<String>,

    /// Evaluate at most N documents of each task: a seeded sample, spread over the split
    #[arg(long, value_name = "N", value_parser = positive)]
    limit: Option<usize>,

    /// Put K answered documents of the train split before each question
    #[arg(long, value_name = "K", default_value_t = 0)]
    few_shot: usize,

    /// Put the same K documents before all questions of a task, instead of others before each. They are computed once
    #[arg(long, requires = "few_shot")]
    same_examples: bool,

    /// The style of the documents: `chat` (the paper's conversations) or `plain` (text that is continued, as in
    /// lm-evaluation-harness) [default: that of the preference head; without one, chat if the tokenizer has a chat format]
    #[arg(long, value_name = "STYLE")]
    style: Option<Style>,

    /// Which scorer to use; may be given several times [default: all usual ones that the model has]
    #[arg(long, value_name = "WHICH")]
    scorer: Vec<ScorerChoice>,

    /// The root of the data sets: DIR/<task>/<split>.{jsonl,json,csv,tsv,parquet,txt}. With hf: or hf:DIR, missing splits are downloaded
    /// into the user's cache or DIR
    #[arg(long, value_name = "DIR", env = "DPH_DATA", default_value = "data")]
    data: PathBuf,

    /// Seed of --limit and --few-shot
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Also write results.json, documents.jsonl (the scores of every document) and report.md into DIR. The scores of finished
    /// batches are kept in DIR/scores.cache, so the same command continues after an interruption
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Also write the files of a submission to the server of GLUE into DIR: CoLA.tsv and so on, and submission.zip of these. The rows
    /// are those of the test splits below --data; tasks without rows are named and left out. With several scorers, each has
    /// a folder in DIR. A classifier answers the tasks of --task, and the files of other tasks in DIR stay
    #[arg(long, value_name = "DIR", conflicts_with = "limit")]
    submission: Option<PathBuf>,

    /// Compute all scores again, also those in DIR/scores.cache
    #[arg(long, requires = "out")]
    fresh: bool,

    /// Only read the data and print the number of documents and tokens, without the weights of the model and without scoring
    #[arg(long)]
    dry_run: bool,

    /// Print results.json instead of the table
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

impl BenchArgs {
    pub fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        let mut plan = BenchPlan::new(&self.suite, &self.task, &self.split)?;
        let models = TaskModels::load(&self.dir)?;
        let classifies = self.classifies(models.as_ref())?;
        if self.submission.is_some() {
            if classifies && models.is_none() && self.task.is_empty() {
                return Err(Failure::request(
                    "a classifier answers the tasks that it was trained for: name them with --task",
                ));
            }
            let is_named = |task: &str| self.task.iter().any(|named| named == task);
            plan.add_submission(&self.data, |task| match &models {
                Some(models) => models.of(task).is_some(),
                None => !classifies || is_named(task),
            })?;
        }
        let parts = parts(&self.dir, models.as_ref(), plan)?;
        if self.dry_run {
            return self.forecast(&parts, classifies, out);
        }
        for (flag, dir) in self.directories() {
            // An invalid directory is reported before the work, not after it.
            if dir.join(MANIFEST_FILE).exists() {
                return Err(Failure::request(format!(
                    "{flag} {}: this is the directory of a run, whose own results would be lost; choose another one",
                    dir.display()
                )));
            }
            std::fs::create_dir_all(dir)
                .map_err(|error| Failure::request(format!("{flag} {}: {error}", dir.display())))?;
        }
        let mut found =
            parts.iter().map(|part| self.evaluate(part, classifies)).collect::<Result<Vec<_>, _>>()?;
        let found = match models {
            Some(_) => Bench::joined(self.dir.display().to_string(), found, &whole(parts)),
            None => found.remove(0),
        };
        found.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));

        let table = Table::new(std::slice::from_ref(&found.results));
        if let Some(dir) = &self.out {
            save(&found, &table, dir)?;
        }
        if let Some(dir) = &self.submission {
            submit(&found, dir, classifies)?;
        }
        let text = if self.json { found.results.to_json() } else { table.for_stdout() };
        out.write_all(text.as_bytes())?;
        Ok(())
    }

    /// Evaluates a model on its tasks.
    fn evaluate(&self, part: &Part, classifies: bool) -> Result<Bench, Failure> {
        let Part { dir, plan } = part;
        let mut line = Progress::new();
        line.prepare("loading the model");
        let mut shown = |progress: BenchProgress<'_>| show(&mut line, progress);
        let found = match classifies {
            true => {
                let model = self.device.open_classifier(dir)?;
                bench_classifier(&model, plan, &self.classifier_options(&model.tokenizer), &mut shown)
            }
            false => {
                let model = self.device.open_with(dir, true)?;
                let head = model.head.as_ref().map(|(_, config)| config);
                let options = self.options(head, model.backbone.has_output(), &model.tokenizer);
                bench(&model, plan, &options, &mut shown)
            }
        };
        line.finish();
        Ok(found?)
    }

    /// Whether the model is evaluated as a classifier: if this is the scorer, or the model is an encoder and no scorer is named.
    fn classifies(&self, models: Option<&TaskModels>) -> Result<bool, Failure> {
        let first = models.and_then(|models| models.of(models.tasks().next()?));
        match self.scorer.is_empty() {
            true => self.device.is_encoder(first.unwrap_or(&self.dir)),
            false => Ok(self.scorer.contains(&ScorerChoice::Classifier)),
        }
    }

    /// The options for a classifier with this tokenizer.
    fn classifier_options(&self, tokenizer: &ChatTokenizer) -> BenchOptions {
        let mut options = self.options(None, false, tokenizer);
        if self.scorer.is_empty() {
            options.scorers = vec![ScorerChoice::Classifier];
        }
        options
    }

    /// The directories that are written to, with their flags.
    fn directories(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let submission = self.submission.as_ref().map(|dir| ("--submission", dir));
        self.out.as_ref().map(|dir| ("--out", dir)).into_iter().chain(submission)
    }

    /// The options for a model with this head and tokenizer.
    fn options(
        &self,
        head: Option<&PreferenceHeadConfig>,
        has_output: bool,
        tokenizer: &ChatTokenizer,
    ) -> BenchOptions {
        let of_head = head.map(|head| head.style);
        let heads = head.map_or(&[][..], |head| &head.rewards);
        BenchOptions {
            data: self.data.clone(),
            style: self.style.or(of_head).unwrap_or_else(|| tokenizer.default_style()),
            classify: None,
            limit: self.limit,
            few_shot: self.few_shot,
            same_examples: self.same_examples,
            scorers: match self.scorer.is_empty() {
                true if !has_output => vec![ScorerChoice::Reward],
                true => vec![ScorerChoice::all(heads)],
                false => self.scorer.clone(),
            },
            token_budget: self.device.token_budget,
            seed: self.seed,
            loaded: Vec::new(),
            cache: self.out.as_ref().map(|dir| dir.join(CACHE_FILE)),
            fresh: self.fresh,
        }
    }

    /// Prints what there is to do.
    fn forecast(&self, parts: &[Part], classifies: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let found =
            parts.iter().map(|part| self.forecast_of(part, classifies)).collect::<Result<Vec<_>, _>>()?;
        let text = match (self.json, &found[..]) {
            (true, [one]) => serde_json::to_string_pretty(one).map_err(Failure::work)? + "\n",
            (true, all) => serde_json::to_string_pretty(all).map_err(Failure::work)? + "\n",
            (false, [one]) => one.to_text(),
            (false, all) => {
                let text = |(part, found): (&Part, &BenchForecast)| {
                    format!("{}\n{}\n", part.dir.display(), found.to_text())
                };
                parts.iter().zip(all).map(text).collect()
            }
        };
        Ok(out.write_all(text.as_bytes())?)
    }

    fn forecast_of(&self, part: &Part, classifies: bool) -> Result<BenchForecast, Failure> {
        let Part { dir, plan } = part;
        let (model, options) = match classifies {
            true => {
                let model = self.device.classifier_outline(dir)?;
                let layout = TextLayout::of_model(model.config.causal);
                let options = self.classifier_options(&model.tokenizer);
                (model, BenchOptions { classify: Some(layout), ..options })
            }
            false => {
                let model = self.device.outline(dir)?;
                let options = self.options(model.head.as_ref(), model.has_output, &model.tokenizer);
                (model, options)
            }
        };
        Ok(BenchForecast::new(plan, &model.tokenizer, &model.config, &options)?)
    }
}

fn show(line: &mut Progress, progress: BenchProgress<'_>) {
    let name = |task: &PlannedTask| format!("{}/{}", task.task.name, task.split);
    let BenchProgress { step, overall } = progress;
    let what = match step {
        BenchStep::Loading(task) => {
            line.prepare(&format!("reading {}", name(task)));
            // Scoring begins when the last task has been read.
            line.start(0);
            return;
        }
        BenchStep::Scoring([task]) => name(task),
        BenchStep::Scoring(tasks) => format!("{} tasks", tasks.len()),
    };
    let share = overall.tokens_done as f64 / overall.tokens_total.max(1) as f64;
    line.update(&Done {
        what: &what,
        count: overall.done as u64,
        total: Some(overall.total as u64),
        unit: "documents",
        share: Some(share),
        note: "",
    });
}

fn save(found: &Bench, table: &Table, out: &Path) -> Result<(), Failure> {
    table.save(&found.results.name, out)?;
    found.save(out)?;
    say(&format!("results are in {}", out.display()));
    Ok(())
}

/// Writes the submission of each scorer. That of a classifier is added to those of the classifiers of other tasks.
fn submit(found: &Bench, dir: &Path, classifies: bool) -> Result<(), Failure> {
    let all = Submission::all(found);
    let several = all.len() > 1;
    for submission in all {
        let dir = if several { dir.join(submission.folder()) } else { dir.to_owned() };
        let submission = if classifies { submission.beside(&dir)? } else { submission };
        submission
            .warnings
            .iter()
            .chain(&submission.missing())
            .for_each(|warning| say(&format!("warning: {warning}")));
        submission.save(&dir)?;
        say(&format!("{}: the files for GLUE are in {}", submission.scorer, dir.display()));
    }
    Ok(())
}
