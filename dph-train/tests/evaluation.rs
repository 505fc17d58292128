//! The evaluation at the end of a run: its scorers, and the scores that it keeps.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use dph_eval::{FinishedRun, Results, Table};
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
fn the_model_before_the_first_stage_can_be_evaluated() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let after = ["--set", "eval.after=['base', 'sft']"];
    let table = String::from_utf8(succeed(&mut small(&run, &after)).stdout).unwrap();
    for row in ["base", "sft", "dph"] {
        assert!(table.contains(row), "no row {row}: {table}");
    }
    let scores = |dir: &str| Results::load(&run.join(dir)).unwrap().results;
    // A fresh report has the same rows in the same order.
    let found = FinishedRun::load(&run).unwrap();
    let results: Vec<Results> = found.evaluations.into_iter().map(|evaluation| evaluation.results).collect();
    let names: Vec<&str> = results.iter().map(|results| results.name.as_str()).collect();
    assert_eq!(names, ["base", "sft", "dph"]);
    let report = fs::read_to_string(run.join("report.md")).unwrap();
    assert!(report.ends_with(&Table::new(&results).to_markdown()), "{report}");
    let (base, sft) = (scores("evaluations/base"), scores("evaluations/sft"));
    assert_eq!(base[0].scorer, sft[0].scorer);
    let read = |dir: &str| fs::read(run.join(dir).join("documents.jsonl")).unwrap();
    assert_ne!(read("evaluations/base"), read("evaluations/sft"));
    // The scores are those of the directory of the model itself.
    let alone = dir.path().join("alone");
    let mut stages = ["--set", "stage.pretrain.steps=1", "--set", "stage.sft.steps=1"].to_vec();
    stages.extend(after);
    succeed(&mut small(&alone, &stages));
    assert_eq!(fs::read(alone.join("evaluations/base/documents.jsonl")).unwrap(), read("evaluations/base"));

    let added = ["--set", "stage.pretrain.add_tokens=['<|new|>']", "--set", "eval.after=['base']"];
    let said = fail(&mut small(&dir.path().join("added"), &added), 2);
    assert!(said.contains("no embeddings for the tokens that stage `pretrain` adds"), "{said}");
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
