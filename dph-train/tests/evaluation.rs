//! The evaluation at the end of a run: its scorers, and the scores that it keeps.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use dph_eval::Results;
use support::{fail, small, succeed};

#[test]
fn the_scorers_of_an_evaluation_can_be_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let scorers = "eval.scorers=['loglik-relative', 'mixture:preference', 'reward']";
    succeed(&mut small(&run, &["--set", scorers, "--set", "eval.after=['sft']"]));
    let names = |results: &Results| -> Vec<String> {
        results.results.iter().map(|result| result.scorer.clone()).collect()
    };
    let results = Results::load(&run).unwrap();
    assert_eq!(names(&results), ["loglik-relative", "mixture:preference", "reward:preference"]);
    assert!(results.mixtures[0].documents > 100, "{:?}", results.mixtures);
    // The model has no head yet.
    let before = Results::load(&run.join("evaluations/sft")).unwrap();
    assert_eq!(names(&before), ["loglik-relative"]);

    // What is finished is not computed again.
    let read = |file: &str| fs::read(run.join(file)).unwrap();
    let (cache, results) = (read("scores.cache"), read("results.json"));
    fs::remove_file(run.join("results.json")).unwrap();
    succeed(small(&run, &["--set", scorers, "--set", "eval.after=['sft']"]).arg("--resume"));
    assert_eq!((read("scores.cache"), read("results.json")), (cache, results));
}

#[test]
fn a_scorer_without_a_head_is_found_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    for (scorer, expected) in [
        ("mixture:preferense", "there is no head `preferense`: did you mean `preference`?"),
        ("reward:0.5*preference+x", "there is no head `x`: the model has preference"),
        ("loglik", "`loglik` is not a scorer"),
    ] {
        let said = fail(&mut small(&run, &["--set", &format!("eval.scorers=['{scorer}']")]), 2);
        assert!(said.contains(expected), "{scorer}: {said}");
        assert!(!run.exists());
    }
}
