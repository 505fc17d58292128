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
            "Rewards of `preference`",
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
    assert_eq!(page.matches("<figcaption>model</figcaption>").count(), 2);
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
