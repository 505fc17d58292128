//! [`Comparison`]: two scorers on the same documents, task by task and suite by suite.

use std::fmt;

use dph_core::{Scorer, Style};
use dph_data::TaskMetric;
use serde::{Serialize, Serializer};

use crate::bench::{Bench, Suite};
use crate::blocks::{PartGroups, blocks};
use crate::compare::difference::{
    Difference, Part, SIGNIFICANT, TaskSample, suite_difference, task_difference,
};
use crate::compare::error::CompareError;
use crate::compare::holm::holm;
use crate::compare::pairing::{PairedTask, Unpaired, pair};
use crate::metrics::seed;
use crate::outcomes::{heads, is_scored, paired_sample, scorer_named};
use crate::report::Figure;
use crate::results::{DocumentScores, SuitePart, SuiteResult, TaskResult};

/// Two scorers, or the scorers of two runs, on the same documents. Values are fractions or perplexities; a difference is B minus A.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The name of the first run.
    pub a: String,
    /// The name of the second run.
    pub b: String,
    /// The pairs of scorers.
    pub scorers: Vec<Compared>,
    /// The documents that only one side has; they are left out.
    pub unpaired: Vec<Unpaired>,
    /// The styles of the documents of A and B, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub styles: Option<[Style; 2]>,
    /// The numbers of answered documents before each question in A and B, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub few_shot: Option<[usize; 2]>,
}

/// A pair of scorers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The scorer of A.
    pub scorer_a: String,
    /// The scorer of B.
    pub scorer_b: String,
    /// Every metric of every task.
    pub tasks: Vec<TaskComparison>,
    /// The suites whose tasks are all among them.
    pub suites: Vec<SuiteComparison>,
}

/// A metric of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskComparison {
    /// The task.
    pub task: String,
    /// The split.
    pub split: String,
    /// The metric.
    pub metric: String,
    /// The number of documents that both sides have, and could score.
    pub documents: usize,
    /// The number of documents that both sides have and one could not score; they are left out.
    #[serde(skip_serializing_if = "crate::results::is_zero")]
    pub unscored: usize,
    /// The number of groups, where documents share something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<usize>,
    /// The windows of perplexities, where A and B have different ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<[usize; 2]>,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// The p-value after Holm's correction over the tasks of its suite.
    pub p_holm: f64,
    /// By `p_holm`.
    pub verdict: Verdict,
}

/// A suite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SuiteComparison {
    /// The suite.
    pub suite: String,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// By `p`.
    pub verdict: Verdict,
}

/// Two values and their difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// The value of A.
    pub a: f64,
    /// The value of B.
    pub b: f64,
    /// B minus A.
    pub difference: f64,
    /// The 95 % interval of the difference: the bootstrap over documents, by group where they share something.
    pub interval: Option<[f64; 2]>,
    /// The two-sided p-value.
    pub p: f64,
    /// The test: McNemar's (exact below 25 documents that only one side answers correctly, else with continuity correction), or a permutation test.
    pub test: &'static str,
    /// The smallest difference that so many documents show with a probability of 80 % at the level 5 %.
    pub detectable: Option<f64>,
}

/// Whether B differs from A.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// B is better.
    Better,
    /// B is worse.
    Worse,
    /// The documents do not show a difference.
    NoDifferenceShown,
}

/// A run in a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Its name in messages.
    pub name: &'a str,
    /// Its results and documents.
    pub bench: &'a Bench,
    /// The scorer; `None` for that of the other side or, without one, for all that both have.
    pub scorer: Option<&'a str>,
}

impl Comparison {
    /// Compares two runs, or two scorers of one run.
    ///
    /// # Errors
    /// An unknown scorer, nothing in common, or documents of the same name that differ.
    pub fn new(a: Side<'_>, b: Side<'_>) -> Result<Self, CompareError> {
        let scorers = scorers(a, b)?;
        let [style_a, style_b] = [a, b].map(|side| side.bench.results.style.unwrap_or_default());
        let tasks = pair(&a.bench.documents, &b.bench.documents, style_a == style_b)?;
        let compared: Vec<Compared> =
            scorers.iter().map(|scorers| compare(a, b, scorers, &tasks)).collect::<Result<_, _>>()?;
        if compared.iter().all(|compared| compared.tasks.is_empty()) {
            return Err(CompareError::NothingCommon { a: a.name.into(), b: b.name.into() });
        }
        let unpaired = tasks.into_iter().map(|task| task.unpaired);
        let unpaired = unpaired.filter(|unpaired| unpaired.only_a + unpaired.only_b > 0).collect();
        let styles = [style_a, style_b];
        let few_shot = [a, b].map(|side| side.bench.results.few_shot);
        Ok(Self {
            a: a.name.into(),
            b: b.name.into(),
            scorers: compared,
            unpaired,
            styles: (style_a != style_b).then_some(styles),
            few_shot: (few_shot[0] != few_shot[1]).then_some(few_shot),
        })
    }
}

impl Verdict {
    /// `gain` is positive where B is better.
    fn new(gain: f64, p: f64) -> Self {
        match p < SIGNIFICANT {
            true if gain > 0.0 => Self::Better,
            true if gain < 0.0 => Self::Worse,
            _ => Self::NoDifferenceShown,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NoDifferenceShown => "no difference shown",
        })
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<Difference> for Figures {
    fn from(Difference { a, b, interval, p, test, detectable }: Difference) -> Self {
        Self { a, b, difference: b - a, interval, p, test, detectable }
    }
}

/// The pairs of scorers to compare.
fn scorers(a: Side<'_>, b: Side<'_>) -> Result<Vec<[String; 2]>, CompareError> {
    if let (Some(of_a), Some(of_b)) = (a.scorer.or(b.scorer), b.scorer.or(a.scorer)) {
        if of_a == of_b && std::ptr::eq(a.bench, b.bench) {
            return Err(CompareError::SameSide { run: a.name.into(), scorer: of_a.into() });
        }
        return Ok(vec![[of_a.into(), of_b.into()]]);
    }
    let [of_a, of_b] = [a, b].map(known_scorers);
    if std::ptr::eq(a.bench, b.bench) {
        return Err(CompareError::SameSide { run: a.name.into(), scorer: of_a.join(", ") });
    }
    let common: Vec<_> =
        of_a.iter().filter(|name| of_b.contains(name)).map(|name| [name.clone(), name.clone()]).collect();
    match common.is_empty() {
        true => Err(CompareError::NoCommonScorer {
            a: a.name.into(),
            b: b.name.into(),
            of_a: of_a.join(", "),
            of_b: of_b.join(", "),
        }),
        false => Ok(common),
    }
}

/// The scorers of a run in the order of its results.
fn known_scorers(side: Side<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for result in &side.bench.results.results {
        if !names.contains(&result.scorer) {
            names.push(result.scorer.clone());
        }
    }
    names
}

fn compare(
    a: Side<'_>,
    b: Side<'_>,
    [scorer_a, scorer_b]: &[String; 2],
    tasks: &[PairedTask<'_>],
) -> Result<Compared, CompareError> {
    let (heads_a, of_a) = resolve(a, scorer_a)?;
    let (heads_b, of_b) = resolve(b, scorer_b)?;
    let mut samples: Vec<(&PairedTask, TaskSample)> = Vec::new();
    for task in tasks.iter().filter(|task| !task.pairs.is_empty()) {
        let metrics = common_metrics([(a, scorer_a), (b, scorer_b)], task);
        if !metrics.is_empty() {
            let sides = [(heads_a.as_slice(), &of_a), (heads_b.as_slice(), &of_b)];
            let sample = paired_sample(&[&task.pairs], sides, &metrics);
            let seed = seed(&format!("{}/{}", task.task, task.split));
            samples.push((task, TaskSample { metrics, sample, seed }));
        }
    }
    let suites: Vec<(&SuiteResult, Vec<SuitePart>)> = suites(a, b, scorer_a, scorer_b);
    let mut compared: Vec<TaskComparison> = Vec::new();
    for (task, sample) in &samples {
        let is_unscored = |[of_task_a, of_task_b]: &&[&DocumentScores; 2]| {
            !(is_scored(of_task_a, &heads_a, &of_a) && is_scored(of_task_b, &heads_b, &of_b))
        };
        let unscored = task.pairs.iter().filter(is_unscored).count();
        for metric in &sample.metrics {
            let figures = Figures::from(task_difference(sample, *metric));
            compared.push(TaskComparison {
                task: task.task.into(),
                split: task.split.into(),
                metric: metric.to_string(),
                documents: sample.sample.documents(),
                unscored,
                groups: (!sample.sample.is_ungrouped()).then(|| sample.sample.len()),
                windows: windows([(a, scorer_a), (b, scorer_b)], task),
                p_holm: figures.p,
                verdict: Verdict::NoDifferenceShown,
                figures,
            });
        }
    }
    correct(&mut compared, &suites);
    let find = |part: &SuitePart| {
        samples.iter().position(|(task, _)| task.task == part.task && task.split == part.split)
    };
    let suites = suites.iter().filter_map(|(suite, parts)| {
        let places: Vec<usize> = parts.iter().map(find).collect::<Option<_>>()?;
        let groups: Vec<PartGroups> = places.iter().map(|&place| samples[place].0.groups()).collect();
        // Each block with its weights and, if it has several parts, its sample.
        let blocks: Vec<(usize, Vec<f64>, Option<TaskSample>)> = blocks(&groups)
            .into_iter()
            .map(|block| {
                let (first, weights) = (places[block[0]], block.iter().map(|&part| parts[part].weight));
                let pairs: Vec<&[[&DocumentScores; 2]]> =
                    block.iter().map(|&part| &samples[places[part]].0.pairs[..]).collect();
                let sides = [(heads_a.as_slice(), &of_a), (heads_b.as_slice(), &of_b)];
                let TaskSample { metrics, seed, .. } = &samples[first].1;
                let merged = (block.len() > 1).then(|| TaskSample {
                    metrics: metrics.clone(),
                    sample: paired_sample(&pairs, sides, metrics),
                    seed: *seed,
                });
                (first, weights.collect(), merged)
            })
            .collect();
        let parts: Vec<Part> = blocks
            .iter()
            .map(|(first, weights, merged)| Part {
                task: merged.as_ref().unwrap_or(&samples[*first].1),
                weights: weights.clone(),
            })
            .collect();
        let figures = Figures::from(suite_difference(&parts));
        let verdict = Verdict::new(figures.difference, figures.p);
        Some(SuiteComparison { suite: suite.suite.clone(), figures, verdict })
    });
    let suites = suites.collect();
    Ok(Compared { scorer_a: scorer_a.clone(), scorer_b: scorer_b.clone(), tasks: compared, suites })
}

/// Corrects the p-values over the tasks of each suite, and over the tasks that belong to none. A task of several suites has its
/// largest one.
fn correct(tasks: &mut [TaskComparison], suites: &[(&SuiteResult, Vec<SuitePart>)]) {
    let has = |parts: &[SuitePart], task: &TaskComparison| {
        parts.iter().any(|part| part.task == task.task && part.split == task.split)
    };
    let mut families: Vec<Vec<usize>> = suites
        .iter()
        .map(|(_, parts)| (0..tasks.len()).filter(|&index| has(parts, &tasks[index])).collect())
        .collect();
    let alone = |task: &TaskComparison| !suites.iter().any(|(_, parts)| has(parts, task));
    families.push((0..tasks.len()).filter(|&index| alone(&tasks[index])).collect());
    for family in families {
        let p_values: Vec<f64> = family.iter().map(|&index| tasks[index].figures.p).collect();
        for (index, p) in family.into_iter().zip(holm(&p_values)) {
            tasks[index].p_holm = tasks[index].p_holm.max(p);
        }
    }
    for task in tasks {
        // A lower perplexity is better.
        let is_share = Figure::of_metric(&task.metric) == Figure::Share;
        let gain = if is_share { task.figures.difference } else { -task.figures.difference };
        task.verdict = Verdict::new(gain, task.p_holm);
    }
}

/// The names of the rewards of a run, and its scorer of this name.
fn resolve(side: Side<'_>, name: &str) -> Result<(Vec<String>, Scorer), CompareError> {
    let heads = heads(&side.bench.documents);
    let known = known_scorers(side);
    match scorer_named(name, &side.bench.results, &heads).filter(|_| known.iter().any(|known| known == name))
    {
        Some(scorer) => Ok((heads, scorer)),
        None => {
            let all = || format!("it has {}", known.join(", "));
            let help = dph_core::suggestion::did_you_mean(name, known.iter().map(String::as_str));
            Err(CompareError::Scorer {
                run: side.name.into(),
                scorer: name.into(),
                help: help.unwrap_or_else(all),
            })
        }
    }
}

/// The metrics of a task that both scorers have.
fn common_metrics(sides: [(Side<'_>, &str); 2], task: &PairedTask<'_>) -> Vec<TaskMetric> {
    let [of_a, of_b] = sides.map(|(side, scorer)| -> Vec<TaskMetric> {
        let found = of_task(side, scorer, task);
        found.filter_map(|result| TaskMetric::named(&result.metric)).collect()
    });
    let mut metrics = Vec::new();
    for metric in of_a {
        if of_b.contains(&metric) && !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    metrics
}

/// The windows of perplexities, if they differ.
fn windows(sides: [(Side<'_>, &str); 2], task: &PairedTask<'_>) -> Option<[usize; 2]> {
    let [a, b] = sides.map(|(side, scorer)| of_task(side, scorer, task).find_map(|result| result.window));
    a.zip(b).filter(|(a, b)| a != b).map(<[usize; 2]>::from)
}

/// The results of a scorer on a task.
fn of_task<'a>(side: Side<'a>, scorer: &str, task: &PairedTask<'_>) -> impl Iterator<Item = &'a TaskResult> {
    let is = move |result: &&TaskResult| {
        result.task == task.task && result.split == task.split && result.scorer == scorer
    };
    side.bench.results.results.iter().filter(is)
}

/// The suites that both runs have with the same tasks.
fn suites<'a>(
    a: Side<'a>,
    b: Side<'_>,
    scorer_a: &str,
    scorer_b: &str,
) -> Vec<(&'a SuiteResult, Vec<SuitePart>)> {
    let of_b = |name: &str| {
        b.bench.results.suites.iter().find(|suite| suite.suite == name && suite.scorer == scorer_b)
    };
    let of_a = a.bench.results.suites.iter().filter(|suite| suite.scorer == scorer_a);
    of_a.filter_map(|suite| {
        let (parts, others) = (parts(suite), parts(of_b(&suite.suite)?));
        (parts == others && !parts.is_empty()).then_some((suite, parts))
    })
    .collect()
}

/// The tasks of a suite; those of the embedded suite for a file of an earlier version.
fn parts(suite: &SuiteResult) -> Vec<SuitePart> {
    match suite.parts.is_empty() {
        true => Suite::find(&suite.suite).map(|suite| suite.parts(|task| Some(task.task.clone()))),
        false => return suite.parts.clone(),
    }
    .ok()
    .flatten()
    .unwrap_or_default()
}
