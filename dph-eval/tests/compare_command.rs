//! `dph-eval compare` on runs whose differences are known.
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use command::run;
use dph_data::{Kind, Style};
use dph_eval::{
    Bench, Comparison, DocumentScores, Measurement, ScoredCandidate, Side, SuitePart, SuiteResult,
    TaskResult, Verdict,
};
use serde_json::{Value, json};

/// The documents of a task, each with what the likelihood and the reward say: whether the first candidate, the right one, wins.
fn documents(task: &str, right: impl IntoIterator<Item = (bool, bool)>) -> Vec<DocumentScores> {
    let candidate = |loglik: f64, reward: f32| ScoredCandidate {
        loglik: Some(loglik),
        tokens: 1,
        bytes: 1,
        unconditional: None,
        words: None,
        chars: 1,
        class: None,
        rewards: BTreeMap::from([("preference".into(), Some(reward))]),
    };
    let document = |(index, (loglik, reward)): (usize, (bool, bool))| DocumentScores {
        task: task.into(),
        split: "test".into(),
        id: index.to_string(),
        kind: Kind::Choice,
        group: None,
        gold: Some(0),
        right: Vec::new(),
        score: None,
        predicted: None,
        candidates: vec![
            candidate(if loglik { -1.0 } else { -3.0 }, if reward { 1.0 } else { -1.0 }),
            candidate(-2.0, 0.0),
        ],
    };
    right.into_iter().enumerate().map(document).collect()
}

fn bench(documents: Vec<DocumentScores>) -> Bench {
    let mut bench = Bench::new("made");
    let mut tasks: Vec<String> = documents.iter().map(|document| document.task.clone()).collect();
    tasks.dedup();
    for scorer in ["loglik-mean", "reward:preference"] {
        for task in &tasks {
            bench.results.results.push(TaskResult {
                task: task.clone(),
                split: "test".into(),
                scorer: scorer.into(),
                metric: "accuracy".into(),
                measurement: Measurement::default(),
                documents: 0,
                skipped: BTreeMap::new(),
                truncated: 0,
                chance: None,
                window: None,
            });
        }
        let part = |task: &String| SuitePart {
            task: task.clone(),
            split: "test".into(),
            weight: 1.0 / tasks.len() as f64,
        };
        bench.results.suites.push(SuiteResult {
            suite: "all".into(),
            scorer: scorer.into(),
            measurement: Measurement::default(),
            chance: None,
            parts: tasks.iter().map(part).collect(),
        });
    }
    bench.documents = documents;
    bench
}

/// Saves it with the numbers of its documents.
fn save(bench: &Bench, dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let mut bench = bench.clone();
    for result in &mut bench.results.results {
        let own = |document: &&DocumentScores| document.task == result.task && document.split == result.split;
        result.documents = bench.documents.iter().filter(own).count();
    }
    bench.save(dir).unwrap();
}

/// `both` documents are right on both sides, and so on.
fn pairs(both: usize, only_a: usize, only_b: usize, none: usize) -> Vec<(bool, bool)> {
    let of = |pair, count| std::iter::repeat_n(pair, count);
    let pairs = of((true, true), both).chain(of((true, false), only_a));
    pairs.chain(of((false, true), only_b)).chain(of((false, false), none)).collect()
}

/// Two runs whose rewards are right as the pairs say.
fn two_runs(dir: &Path, pairs: &[(bool, bool)]) {
    let side = |side: fn(&(bool, bool)) -> bool| {
        bench(documents("made", pairs.iter().map(|pair| (true, side(pair)))))
    };
    save(&side(|pair| pair.0), &dir.join("a"));
    save(&side(|pair| pair.1), &dir.join("b"));
}

#[test]
fn a_true_difference_is_shown_and_its_absence_too() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let compare = |a: &str, b: &str| -> Value {
        let args = ["compare", a, b, "--scorer-a", "reward:preference", "--json"];
        serde_json::from_str(&run(dir, &args).ok()).unwrap()
    };
    // Three points at 2,000 documents: 60 % against 63 %.
    two_runs(dir, &pairs(1080, 120, 180, 620));
    let found = compare("a", "b");
    let task = &found["scorers"][0]["tasks"][0];
    assert_eq!(
        (&task["verdict"], &task["documents"], &task["test"]),
        (&"better".into(), &2000.into(), &"McNemar".into())
    );
    let number = |key: &str| task[key].as_f64().unwrap();
    assert!((number("a") - 0.6).abs() < 1e-12 && (number("difference") - 0.03).abs() < 1e-12);
    assert!((number("p") - 0.000_658).abs() < 1e-5, "{task}");
    let interval = [task["interval"][0].as_f64().unwrap(), task["interval"][1].as_f64().unwrap()];
    assert!((interval[0] - 0.013).abs() < 0.002 && (interval[1] - 0.047).abs() < 0.002, "{interval:?}");
    assert!((number("detectable") - 0.0243).abs() < 0.0005, "{task}");
    let suite = &found["scorers"][0]["suites"][0];
    assert_eq!((&suite["suite"], &suite["verdict"]), (&"all".into(), &"better".into()));
    assert_eq!(compare("b", "a")["scorers"][0]["tasks"][0]["verdict"], "worse");

    // As many documents that only one side answers, but the same accuracy.
    two_runs(dir, &pairs(1080, 150, 150, 620));
    let found = compare("a", "b");
    assert_eq!(found["scorers"][0]["tasks"][0]["verdict"], "no difference shown");
    assert_eq!(found["scorers"][0]["suites"][0]["verdict"], "no difference shown");
    // The likelihoods of both runs are the same.
    let text = run(dir, &["compare", "a", "b"]).ok();
    assert_eq!(text.matches("no difference shown").count(), 4, "{text}");
    insta::assert_snapshot!("compare", text);
}

#[test]
fn two_scorers_of_a_run_are_compared() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    save(&bench(documents("made", pairs(50, 5, 40, 5))), &dir.join("run"));
    let args = ["compare", "run", "--scorer-a", "loglik-mean", "--scorer-b", "reward:preference"];
    let text = run(dir, &args).ok();
    assert!(text.contains("B is reward:preference of run") && text.contains("  better\n"), "{text}");
    assert!(text.contains("+35.0"), "{text}");
    let file = run(dir, &[&args[..1], &["run/results.json"], &args[2..]].concat()).ok();
    assert_eq!(file, text);
}

/// The same documents in two splits of a task have no more evidence than in one.
#[test]
fn parts_of_a_suite_that_share_groups_are_not_independent() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let mut bench = bench(documents("made", pairs(50, 6, 16, 18)));
    for document in &mut bench.documents {
        document.group = Some(document.id.clone());
    }
    let hard = |split: &mut String| *split = "hard".into();
    let mut more = bench.clone();
    more.documents.iter_mut().for_each(|document| hard(&mut document.split));
    more.results.results.iter_mut().for_each(|result| hard(&mut result.split));
    bench.documents.extend(more.documents);
    bench.results.results.extend(more.results.results);
    for suite in &mut bench.results.suites {
        suite.parts[0].weight = 0.5;
        suite.parts.push(SuitePart { split: "hard".into(), ..suite.parts[0].clone() });
    }
    save(&bench, &dir.join("run"));
    let args = ["compare", "run", "--scorer-a", "loglik-mean", "--scorer-b", "reward:preference", "--json"];
    let found: Value = serde_json::from_str(&run(dir, &args).ok()).unwrap();
    let (task, suite) = (&found["scorers"][0]["tasks"][0], &found["scorers"][0]["suites"][0]);
    assert_eq!(suite["difference"], task["difference"]);
    let width =
        |figures: &Value| figures["interval"][1].as_f64().unwrap() - figures["interval"][0].as_f64().unwrap();
    assert!((width(suite) / width(task) - 1.0).abs() < 0.05, "{suite} {task}");
    let p = |figures: &Value| figures["p"].as_f64().unwrap();
    assert!((p(suite) - p(task)).abs() < 0.02 && p(task) > 0.01, "{suite} {task}");
}

#[test]
fn documents_of_one_side_are_counted_and_left_out() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    two_runs(dir, &pairs(30, 0, 10, 10));
    let mut bench = Bench::load(&dir.join("b")).unwrap();
    bench.documents.drain(3..5);
    let more = DocumentScores { id: "new".into(), ..bench.documents[0].clone() };
    bench.documents.push(more);
    save(&bench, &dir.join("b"));
    let text = run(dir, &["compare", "a", "b"]).ok();
    let note = "made/test: 2 documents only in A, 1 document only in B, left out (the first: 3, 4, new)\n";
    assert!(text.ends_with(note), "{text}");
    assert!(text.lines().any(|line| line.starts_with("made/test") && line.contains(" 48 ")), "{text}");
}

/// What makes two runs incomparable although their documents have the same names is said.
#[test]
fn other_conditions_and_scores_that_are_missing_are_told() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    two_runs(dir, &pairs(20, 3, 4, 5));
    let mut bench = Bench::load(&dir.join("b")).unwrap();
    bench.results.few_shot = 2;
    bench.results.style = Some(Style::Plain);
    bench.documents[3].candidates[0].rewards.values_mut().for_each(|reward| *reward = None);
    save(&bench, &dir.join("b"));
    let args = ["compare", "a", "b", "--scorer-a", "reward:preference"];
    let text = run(dir, &args).ok();
    for note in [
        "A is in the style chat and B in the style plain: their prompts differ",
        "A has 0 answered documents before each question, and B has 2",
        "made/test: 1 document without a finite score in A or B, left out",
    ] {
        assert!(text.lines().any(|line| line == note), "{text}");
    }
    let found: Value = serde_json::from_str(&run(dir, &[&args[..], &["--json"]].concat()).ok()).unwrap();
    let task = &found["scorers"][0]["tasks"][0];
    assert_eq!((&found["styles"], &found["few_shot"]), (&json!(["chat", "plain"]), &json!([0, 2])));
    assert_eq!((task["documents"].as_u64(), task["unscored"].as_u64()), (Some(31), Some(1)));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    two_runs(dir, &pairs(5, 1, 1, 3));
    let same = ["compare", "a", "--scorer-a", "loglik-mean"];
    assert!(run(dir, &same).failed(2).contains("both sides are loglik-mean of a"));
    assert!(run(dir, &["compare", "a"]).failed(2).contains("choose two scorers"));
    let unknown = run(dir, &["compare", "a", "b", "--scorer-b", "reward:preferense"]).failed(2);
    assert!(unknown.contains("did you mean `reward:preference`?"), "{unknown}");
    assert!(run(dir, &["compare", "a", "nowhere"]).failed(2).contains("no results.json here"));
    fs::create_dir(dir.join("table")).unwrap();
    fs::copy(dir.join("a/results.json"), dir.join("table/results.json")).unwrap();
    assert!(run(dir, &["compare", "a", "table"]).failed(2).contains("table: no documents.jsonl here"));
    let documents = fs::read_to_string(dir.join("a/documents.jsonl")).unwrap();
    for (text, found) in [(String::new(), 0), (documents.repeat(2), 20)] {
        fs::write(dir.join("table/documents.jsonl"), text).unwrap();
        let error = run(dir, &["compare", "a", "table"]).failed(2);
        let expected =
            format!("table/documents.jsonl: {found} documents of made/test, but results.json counts 10");
        assert!(error.contains(&expected), "{error}");
    }

    let change = |change: &dyn Fn(&mut DocumentScores)| {
        let mut bench = Bench::load(&dir.join("a")).unwrap();
        bench.documents.iter_mut().take(4).for_each(change);
        save(&bench, &dir.join("c"));
        run(dir, &["compare", "a", "c"]).failed(2)
    };
    let error = change(&|document| document.gold = Some(1));
    assert!(error.contains("4 of the documents that both sides have differ"), "{error}");
    assert!(error.contains("made/test 0: gold answer 0 in A, 1 in B; made/test 1"), "{error}");
    let error = change(&|document| document.candidates.truncate(1));
    assert!(error.contains("made/test 0: 2 candidates in A, 1 in B"), "{error}");
    let error = change(&|document| document.candidates[1].bytes = 9);
    assert!(error.contains("candidate 1 has 1 bytes in A, 9 in B"), "{error}");
    // In another style the same answers may be worded otherwise.
    let mut bench = Bench::load(&dir.join("c")).unwrap();
    bench.results.style = Some(Style::Plain);
    save(&bench, &dir.join("c"));
    run(dir, &["compare", "a", "c"]).ok();
}

/// Where two scorers are equally good, few of a thousand comparisons say otherwise: of each task, of any task of the suite,
/// and of the suite.
#[test]
fn false_alarms_are_rare() {
    const REPETITIONS: u64 = 1000;
    const TASKS: [(&str, usize, f64); 3] = [("large", 400, 0.5), ("small", 80, 0.5), ("skewed", 200, 0.2)];
    let (mut of_task, mut of_any, mut of_suite) = ([0; 3], 0, 0);
    for repetition in 0..REPETITIONS {
        let mut state = repetition;
        let mut uniform = || {
            // SplitMix64.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let made = TASKS.iter().flat_map(|&(task, count, accuracy)| {
            // A document has its own difficulty, so the scorers agree more often than by chance.
            let right: Vec<(bool, bool)> = (0..count)
                .map(|_| {
                    let level = if uniform() < 0.5 { accuracy * 1.5 } else { accuracy * 0.5 };
                    (uniform() < level, uniform() < level)
                })
                .collect();
            documents(task, right)
        });
        let bench = bench(made.collect());
        let side = |scorer| Side { name: "made", bench: &bench, scorer: Some(scorer) };
        let found = Comparison::new(side("loglik-mean"), side("reward:preference")).unwrap();
        let compared = &found.scorers[0];
        for (alarms, task) in of_task.iter_mut().zip(&compared.tasks) {
            *alarms += u64::from(task.figures.p < 0.05);
        }
        let alarm = |verdict: Verdict| u64::from(verdict != Verdict::NoDifferenceShown);
        of_any += compared.tasks.iter().map(|task| alarm(task.verdict)).max().unwrap();
        of_suite += alarm(compared.suites[0].verdict);
    }
    let limit = REPETITIONS * 6 / 100;
    assert!(of_task.iter().all(|alarms| *alarms <= limit), "{of_task:?}");
    assert!(of_any <= limit && of_suite <= limit, "any task {of_any}, suite {of_suite}");
    // A test that never finds anything is no test.
    assert!(of_suite >= REPETITIONS * 3 / 100, "{of_suite}");
}
