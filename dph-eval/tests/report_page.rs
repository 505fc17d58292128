//! The page of `dph-eval report --html`, opened in Chromium.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/command.rs"]
mod command;
mod support;

use std::fs;
use std::path::Path;

use command::run;
use dph_core::testing::chromium;
use serde_json::{Value, json};
use support::{lswt, write_model_with_head, write_rows};

/// A text that ends a page whose texts are not escaped, and an image that runs a script.
const EVIL: &str =
    "</script></pre><script>document.title = 'evil'</script><img src=x onerror=\"document.title = 'evil'\">";

/// An evaluation of BoolQ and PIQA with a head, and the metrics of a stage.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let config = lswt().replace("\"rope_positions\": 256", "\"rope_positions\": 1024");
    write_model_with_head(&dir.join("model"), &config, &["preference"]);
    let boolq = (0..40).map(
        |i| json!({"passage": format!("Old Ann lives in house {i}. {EVIL}"), "question": format!("is it {i}"), "answer": i % 3 == 0}),
    );
    write_rows(&dir.join("data/boolq/validation.jsonl"), boolq);
    let piqa = (0..40).map(|i| json!({"goal": format!("Make bread {i}"), "sol1": "Bake it.", "sol2": format!("Eat it raw {i}."), "label": i % 2}));
    write_rows(&dir.join("data/piqa/validation.jsonl"), piqa);
    run(dir, &["bench", "model", "--task", "boolq", "--task", "piqa", "--out", "out"]).ok();
    let metrics = (1..50).map(|step| {
        let loss = 1.0 / f64::from(step);
        json!({"stage": "dph", "step": step, "split": "train", "loss": loss, "sft/loss": loss, "dph/margin": -loss})
    });
    write_rows(&dir.join("out/metrics.jsonl"), metrics);
    place
}

/// Opens a page, runs a script in it, and returns the JSON that the script evaluates to.
fn in_browser(chromium: &Path, page: &str, script: &str) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.html");
    fs::write(&path, browser::with_probe(page, script)).unwrap();
    browser::probe(chromium, &format!("file://{}", path.display()), 2000)
}

#[test]
fn the_page_has_all_parts_and_can_be_clicked() {
    let place = place();
    let dir = place.path();
    // A page is overwritten, and nothing else.
    let results = fs::read(dir.join("out/results.json")).unwrap();
    let refused = run(dir, &["report", "out", "--html", "out/results.json"]).failed(2);
    assert!(
        refused.contains("--html out/results.json: this file is no page of `dph-eval report`"),
        "{refused}"
    );
    assert_eq!(fs::read(dir.join("out/results.json")).unwrap(), results);
    let refused = run(dir, &["report", "out", "--html", "out"]).failed(2);
    assert!(refused.contains("--html out: this is a directory; choose another file"), "{refused}");
    run(dir, &["report", "out", "--html", "page.html"]).ok();
    run(dir, &["report", "out", "--html", "page.html"]).ok();
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    // It loads nothing, and has each curve once.
    for outside in ["http://", "https://", "<link", "@import", "src=\""] {
        let allowed = page.matches("http://www.w3.org/2000/svg").count();
        let found = page.matches(outside).count() - if outside == "http://" { allowed } else { 0 };
        assert_eq!(found, 0, "{outside}");
    }
    assert_eq!(page.matches("<figcaption>loss = sft/loss</figcaption>").count(), 1);
    assert!(!page.contains("<figcaption>sft/loss") && page.contains("<figcaption>dph/margin"));
    assert!(page.len() < 600_000, "{}", page.len());
    let Some(browser) = chromium() else { return };
    let found = in_browser(
        &browser,
        &page,
        "const texts = (selector, root) => [...(root ?? document).querySelectorAll(selector)].map(one => one.textContent);
         const table = document.querySelector('#results');
         const order = () => texts('tbody tr:not([data-sort=no]) th:first-child', table);
         const figure = column => [...table.querySelectorAll('tbody tr:not([data-sort=no])')].map(row => +row.cells[column].dataset.value);
         const button = table.querySelectorAll('th button')[1];
         button.focus(); const focus = document.activeElement === button;
         button.click(); const down = figure(1); button.click(); const up = figure(1);
         const list = document.querySelector('.disagreements');
         const shown = () => [...list.querySelectorAll('details')].filter(one => !one.hidden).length;
         const all = shown(); const counts = ['head', 'likelihood', 'none'].map(value => { list.querySelector(`button[value=${value}]`).click(); return shown(); });
         list.querySelector('button[value=all]').click();
         const first = list.querySelector('details'); const closed = first.open; first.querySelector('summary').click();
         // No legend is over a picture, and no picture is wider than its frame.
         const clear = [...document.querySelectorAll('figure')].every(one => {
           const [legend, svg] = [one.querySelector('.legend'), one.querySelector('svg')].map(part => part?.getBoundingClientRect());
           return (!legend || legend.bottom <= svg.top + 1) && svg.right <= one.getBoundingClientRect().right;
         });
         // A scorer has the same colour in all pictures.
         const colours = {};
         for (const key of document.querySelectorAll('.legend li')) {
           const name = key.textContent.replace(/ \\(mean distance .*/, '');
           (colours[name] ??= new Set()).add(key.querySelector('i').className);
         }
         const scorers = Object.entries(colours).filter(([name]) => /^(loglik|reward)/.test(name)).map(([name, all]) => [name, all.size]);
         return { title: document.title, scorers, sections: texts('h2'), captions: texts('figcaption'), rows: order(), focus, down, up, all, counts,
           closed, opened: first.open, prompt: texts('pre', list), clear, published: texts('tr.published th'),
           scripts: document.querySelectorAll('script').length, images: document.querySelectorAll('img').length,
           wide: document.documentElement.scrollWidth <= innerWidth };",
    );
    assert_eq!(found["title"], "model", "{found:#}");
    assert_eq!((&found["images"], &found["scripts"]), (&json!(0), &json!(2)));
    assert_eq!(found["sections"], json!(["Results", "Scores", "Disagreements", "Learning curves"]));
    let captions: Vec<&str> =
        found["captions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(
        captions,
        [
            "model",
            "Rewards of preference",
            "Reliability",
            "Accuracy by length",
            "loss = sft/loss",
            "dph/margin"
        ]
    );
    let numbers =
        |key: &str| -> Vec<f64> { found[key].as_array().unwrap().iter().filter_map(Value::as_f64).collect() };
    assert_eq!(found["scorers"], json!([["loglik-mean", 1], ["loglik-sum", 1], ["reward:preference", 1]]));
    assert_eq!(numbers("down").len(), 3, "{found:#}");
    assert!(numbers("down").is_sorted_by(|a, b| a >= b) && numbers("up").is_sorted(), "{found:#}");
    let (all, counts) = (found["all"].as_f64().unwrap(), numbers("counts"));
    assert!(all > 0.0 && all <= 20.0 && counts.iter().sum::<f64>() == all, "{found:#}");
    for (key, expected) in
        [("focus", true), ("closed", false), ("opened", true), ("clear", true), ("wide", true)]
    {
        assert_eq!(found[key], expected, "{key}: {found:#}");
    }
    let prompts = found["prompt"].as_array().unwrap();
    let has = |part: &str| prompts.iter().any(|prompt| prompt.as_str().unwrap().contains(part));
    assert!(has("Make bread") || has("Old Ann lives in house"), "{found:#}");
    assert!(!has("Old Ann") || has("</script>"), "{found:#}");
    assert_eq!(found["published"].as_array().unwrap().len(), 7, "{found:#}");
}

#[test]
fn several_runs_stand_side_by_side() {
    let place = place();
    let dir = place.path();
    run(dir, &["bench", "model", "--task", "boolq", "--scorer", "log", "--out", "other"]).ok();
    run(dir, &["report", "out", "other", "--html", "page.html"]).ok();
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    assert!(page.contains("<h1>2 evaluations</h1>"), "{page}");
    // Both results have the name of the model.
    for name in ["out", "other"] {
        assert_eq!(page.matches(&format!("<figcaption>{name}</figcaption>")).count(), 1, "{name}");
    }
    assert_eq!(page.matches("<figcaption>Reliability</figcaption>").count(), 2);
    assert!(!page.contains("onerror=\"") && !page.contains("<img"), "{EVIL}");
}

#[test]
fn what_all_runs_have_in_common_is_said_once() {
    let place = place();
    let dir = place.path();
    run(dir, &["bench", "model", "--task", "boolq", "--task", "piqa", "--out", "other"]).ok();
    run(dir, &["report", "out", "other", "--html", "page.html"]).ok();
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    for title in ["chance", "documents"] {
        assert_eq!(page.matches(&format!(">{title}</th>")).count(), 1, "{title}");
    }
    run(dir, &["bench", "model", "--task", "boolq", "--limit", "20", "--out", "part"]).ok();
    run(dir, &["report", "out", "part", "--html", "page.html"]).ok();
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    assert_eq!(page.matches(">documents</th>").count(), 2);
}

/// Results on a task: its split, the scorer, the value.
fn results(name: &str, rows: &[(&str, &str, &str, f64)]) -> Value {
    let result = |(task, split, scorer, value): &(&str, &str, &str, f64)| {
        json!({"task": task, "split": split, "scorer": scorer, "metric": "accuracy", "value": value, "stderr": 0.1,
               "interval": [value - 0.1, value + 0.1], "documents": 20, "skipped": {}, "chance": 0.5})
    };
    json!({"format": 2, "name": name, "results": rows.iter().map(result).collect::<Vec<_>>(), "suites": []})
}

fn write(path: &Path, value: &Value) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, value.to_string()).unwrap();
}

/// The first word of each row of a table that begins with a name.
fn rows_of(table: &str) -> Vec<String> {
    let lines = table.lines().skip(2).take_while(|line| !line.is_empty());
    let mut names: Vec<String> = lines
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split("  ").next().map(String::from))
        .collect();
    names.dedup();
    names
}

#[test]
fn a_run_shows_its_evaluations_after_stages_and_its_experiment() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let row = [("boolq", "validation", "loglik-mean", 0.6)];
    for (path, name) in [("run", "paper"), ("run/evaluations/base", "base"), ("run/evaluations/sft", "sft")] {
        write(&dir.join(path).join("results.json"), &results(name, &row));
    }
    write(&dir.join("run/manifest.json"), &json!({"version": "0.1.0", "stages": ["sft", "../shared/x/dph"]}));
    fs::write(dir.join("run/resolved.toml"), "name = \"paper\"\n").unwrap();
    let metric = |stage: &str| json!({"stage": stage, "step": 1, "split": "train", "loss": 1.0});
    write(&dir.join("run/metrics.jsonl"), &metric("sft"));
    write(&dir.join("shared/x/metrics.jsonl"), &metric("dph"));
    let table = run(dir, &["report", "run", "--html", "page.html"]).ok();
    assert_eq!(rows_of(&table), ["base", "sft", "dph"], "{table}");
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    for part in [
        "<h1>paper</h1>",
        "<h2>Experiment</h2>",
        "name = &quot;paper&quot;",
        "Stage sft</h3>",
        "Stage dph</h3>",
    ] {
        assert_eq!(page.matches(part).count(), 1, "{part}");
    }
    let places = ["base", "sft", "dph"].map(|name| page.find(&format!("data-value=\"{name}\"")).unwrap());
    assert!(places.is_sorted(), "{places:?}");
    // The file itself has no others beside it, and runs of the same name are told apart.
    let alone = run(dir, &["report", "run/results.json", "--json"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&alone).unwrap().as_array().unwrap().len(), 1);
    write(&dir.join("again/results.json"), &results("paper", &row));
    let table = run(dir, &["report", "run", "again"]).ok();
    assert_eq!(rows_of(&table), ["run/base", "run/sft", "run/dph", "again"], "{table}");
}

#[test]
fn runs_of_a_sweep_have_their_names_and_a_mean() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let of_seed = |name: &str, value: f64| results(name, &[("boolq", "validation", "loglik-mean", value)]);
    let list = json!([of_seed("seed=1", 0.5), of_seed("seed=2", 0.7)]);
    write(&dir.join("sweep/results.json"), &list);
    write(&dir.join("sweep/seed=1/results.json"), &of_seed("lw", 0.5));
    write(&dir.join("sweep/seed=2/results.json"), &of_seed("lw", 0.7));
    let table = run(dir, &["report", "sweep/seed=1", "sweep/seed=2"]).ok();
    assert_eq!(rows_of(&table), ["seed=1", "seed=2"], "{table}");
    let table = run(dir, &["report", "sweep"]).ok();
    assert_eq!(rows_of(&table), ["seed=1", "seed=2", "mean over 2 seeds"], "{table}");
    let mean = table.lines().find(|line| line.starts_with("mean over 2 seeds  ")).unwrap();
    assert!(mean.ends_with("60.0 ±14.1"), "{table}");
    assert!(table.contains("mean over 2 seeds: ± is the standard deviation over 2 seeds"), "{table}");
    run(dir, &["report", "sweep", "--html", "page.html"]).ok();
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    let deviation = "± standard deviation over 2 seeds; the thin line is chance";
    assert_eq!((page.matches(deviation).count(), page.matches("with 95 % interval;").count()), (1, 2));
    assert!(page.contains("<li>mean over 2 seeds: ± is the standard deviation over 2 seeds</li>"), "{page}");
    // The list has what the files have.
    let json: Value = serde_json::from_str(&run(dir, &["report", "sweep", "--json"]).ok()).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 2);
    // Runs with the same names of folders have their paths.
    write(&dir.join("other/seed=1/results.json"), &of_seed("lw", 0.5));
    let table = run(dir, &["report", "sweep/seed=1", "other/seed=1"]).ok();
    assert_eq!(rows_of(&table), ["sweep/seed=1", "other/seed=1"], "{table}");
}

#[test]
fn every_split_and_suite_has_a_row_of_the_picture() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let splits = ["validation", "validation_mismatched"];
    let rows = splits.map(|split| ("mnli", split, "classifier", 0.004));
    write(&dir.join("run/results.json"), &results("glue", &rows));
    run(dir, &["report", "run", "--html", "page.html"]).ok();
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    for split in splits {
        let name = format!("mnli/{split}");
        assert_eq!(page.matches(&format!("\n{name}\n</text>")).count(), 1, "{name}: {page}");
    }
    assert!(page.contains("with 95 % interval; the thin line is chance"), "{page}");
    assert!(page.contains("\n0.0\n</text>") && !page.contains("\n-0.0\n</text>"), "{page}");
}

/// A run of a classifier or, with scores, of a regressor.
fn classified(dir: &Path, has_score: bool) -> String {
    let rows = [("stsb", "validation", "classifier", 0.5)];
    write(&dir.join("run/results.json"), &results("encoder", &rows));
    let documents = (0..20).map(|id| {
        let class = |value: f64| json!({"loglik": null, "tokens": 0, "bytes": 0, "chars": 0, "class": value, "rewards": {}});
        let mut document = json!({"task": "stsb", "split": "validation", "id": id.to_string(), "gold": id % 2,
               "candidates": [class(-0.2), class(-f64::from(id) / 5.0)]});
        if has_score {
            document["score"] = json!(2.5);
            document["predicted"] = json!(1.5);
        }
        document
    });
    write_rows(&dir.join("run/documents.jsonl"), documents);
    run(dir, &["report", "run", "--html", "page.html"]).ok();
    fs::read_to_string(dir.join("page.html")).unwrap()
}

#[test]
fn classifiers_have_no_lengths_and_regressors_no_reliability() {
    let place = tempfile::tempdir().unwrap();
    let (of_classifier, of_regressor) = (classified(place.path(), false), classified(place.path(), true));
    assert!(
        of_classifier.contains("<figcaption>Reliability") && of_regressor.contains("<figcaption>encoder")
    );
    assert!(!of_classifier.contains("<figcaption>Accuracy by length"), "{of_classifier}");
    assert!(!of_regressor.contains("<figcaption>Reliability"), "{of_regressor}");
    assert!(!of_regressor.contains("<figcaption>Accuracy by length"), "{of_regressor}");
}

#[test]
fn a_wide_table_scrolls_under_its_first_column() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let tasks: Vec<String> = (0..40).map(|place| format!("a_task_with_a_name_{place}")).collect();
    let rows: Vec<_> = tasks.iter().map(|task| (task.as_str(), "test", "loglik-mean", 0.6)).collect();
    write(&dir.join("run/results.json"), &results("wide", &rows));
    run(dir, &["report", "run", "--html", "page.html"]).ok();
    let Some(browser) = chromium() else { return };
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    let found = in_browser(
        &browser,
        &page,
        "const frame = document.querySelector('.scroll');
         frame.scrollLeft = 900;
         const left = frame.getBoundingClientRect().left + 1;
         const first = [...frame.querySelectorAll('tr > :first-child')];
         const on_top = one => { one.scrollIntoView({block: 'center', inline: 'nearest'});
           const now = one.getBoundingClientRect(); return one === document.elementFromPoint(now.left + 5, now.top + now.height / 2)?.closest('th, td'); };
         return { scrolled: frame.scrollLeft, page: document.documentElement.scrollWidth <= innerWidth, rows: first.length,
           stays: first.every(one => Math.abs(one.getBoundingClientRect().left - left) < 1.5),
           covers: first.every(on_top),
           opaque: first.every(one => /^rgb\\(/.test(getComputedStyle(one).backgroundColor)) };",
    );
    assert_eq!(found["scrolled"], 900, "{found:#}");
    for key in ["page", "stays", "covers", "opaque"] {
        assert_eq!(found[key], true, "{key}: {found:#}");
    }
    assert!(found["rows"].as_u64().unwrap() >= 4, "{found:#}");
}
