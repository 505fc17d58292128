//! The style `plain` through the real program, against log-likelihoods and accuracies of lm-evaluation-harness 0.4.13.
//!
//! `golden/lm_eval/make.py` made the numbers. Rows are read from the real data sets; two of the models are made of numbers here.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use command::run;
use dph_core::testing::{data_root, smollm2, tokenizer_folder_in};
use dph_eval::{DocumentScores, Results};
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use serde_json::Value;

/// What one model got.
#[derive(Deserialize)]
struct Golden {
    config: Option<Value>,
    /// Shape of each tensor, and the number that is added to its values.
    #[serde(default)]
    tensors: BTreeMap<String, (Vec<usize>, f32)>,
    tasks: BTreeMap<String, GoldenTask>,
}

#[derive(Deserialize)]
struct GoldenTask {
    split: String,
    acc: f64,
    acc_norm: Option<f64>,
    /// The log-likelihood of each candidate of the first rows.
    logliks: Vec<Vec<f64>>,
}

/// Log-likelihoods must agree to this.
const TOLERANCE: f64 = 1e-3;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lm_eval").join(name)
}

fn read(name: &str) -> Golden {
    serde_json::from_slice(&fs::read(golden(&format!("{name}.json"))).unwrap()).unwrap()
}

/// Evaluates a model on the rows of the golden numbers, and compares. Both programs must agree on the whole.
fn compare(golden: &Golden, model: &Path, rows: &Path) {
    let place = tempfile::tempdir().unwrap();
    let mut args = vec!["bench".to_owned(), model.display().to_string(), "--style".into(), "plain".into()];
    args.extend(["--data", "data", "--out", "out", "--json"].map(String::from));
    for (name, task) in &golden.tasks {
        let text = fs::read_to_string(rows.join(format!("{name}/{}.jsonl", task.split))).unwrap();
        let first: String = text.split_inclusive('\n').take(task.logliks.len()).collect();
        let folder = place.path().join("data").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{}.jsonl", task.split)), first).unwrap();
        args.extend(["--task".to_owned(), name.clone()]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let results: Results = serde_json::from_str(&run(place.path(), &args).ok()).unwrap();
    let documents = DocumentScores::load_all(&place.path().join("out")).unwrap();
    for (name, task) in &golden.tasks {
        let of_task: Vec<_> = documents.iter().filter(|document| document.task == *name).collect();
        assert_eq!(of_task.len(), task.logliks.len(), "{name}");
        let mut near = false;
        for (document, expected) in of_task.iter().zip(&task.logliks) {
            let found: Vec<f64> =
                document.candidates.iter().map(|candidate| candidate.loglik.unwrap()).collect();
            assert_eq!(found.len(), expected.len(), "{name} {}", document.id);
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() < TOLERANCE,
                    "{name} {}: {found}, not {expected}",
                    document.id
                );
            }
            let chars = |index: usize| document.candidates[index].chars as f64;
            for by in [|_: f64| 1.0, |chars: f64| chars] {
                let mut values: Vec<f64> = (0..expected.len()).map(|i| expected[i] / by(chars(i))).collect();
                values.sort_by(f64::total_cmp);
                near |= values.windows(2).any(|pair| pair[1] - pair[0] < TOLERANCE);
            }
        }
        let value = |scorer: &str| {
            let is = |result: &&dph_eval::TaskResult| result.task == *name && result.scorer == scorer;
            results.results.iter().find(is).unwrap().measurement.value
        };
        // Two candidates that are as likely may be chosen differently.
        if !near {
            assert!(
                (value("loglik-sum") - task.acc).abs() < 1e-9,
                "{name}: {} {}",
                value("loglik-sum"),
                task.acc
            );
            if let Some(acc_norm) = task.acc_norm {
                assert!((value("loglik-char") - acc_norm).abs() < 1e-9, "{name}");
            }
        }
    }
}

/// The values of a made tensor: a hash of its name and of the place, from -0.25 to 0.25, plus `base`.
fn numbers(name: &str, count: usize, base: f32) -> Vec<u8> {
    let seed =
        name.bytes().fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    let value = |index: u32| {
        let mut x = index.wrapping_mul(2_654_435_761).wrapping_add(seed);
        x ^= x >> 16;
        x = x.wrapping_mul(2_246_822_507);
        x ^= x >> 13;
        x = x.wrapping_mul(3_266_489_909);
        x ^= x >> 16;
        (x >> 8) as f32 / 33_554_432.0 - 0.25 + base
    };
    (0..count as u32).flat_map(|index| value(index).to_le_bytes()).collect()
}

/// Writes the model of golden numbers.
fn write_model(golden: &Golden, folder: &Path) {
    fs::write(folder.join("config.json"), golden.config.as_ref().unwrap().to_string()).unwrap();
    let bytes: BTreeMap<&String, Vec<u8>> = golden
        .tensors
        .iter()
        .map(|(name, (shape, base))| (name, numbers(name, shape.iter().product(), *base)))
        .collect();
    let views = golden
        .tensors
        .iter()
        .map(|(name, (shape, _))| (name, TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap()));
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
}

#[test]
fn golden_lm_eval_gpt_neox() {
    let Some(data) = data_root() else { return };
    let golden = read("gpt_neox");
    let folder = tokenizer_folder_in(&data.join("tokenizers"), "pythia-gpt-neox-20b").unwrap();
    write_model(&golden, folder.path());
    compare(&golden, folder.path(), &data);
}

#[test]
fn golden_lm_eval_gpt() {
    let Some(data) = data_root() else { return };
    let numbers = read("gpt");
    let folder = tempfile::tempdir().unwrap();
    fs::copy(golden("gpt_tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    write_model(&numbers, folder.path());
    compare(&numbers, folder.path(), &data);
}

#[test]
fn golden_lm_eval_stories() {
    let Some(data) = data_root() else { return };
    compare(&read("stories260K"), &data.join("models/stories260K"), &data);
}

#[test]
fn golden_lm_eval_smollm2() {
    let (Some(data), Some(model)) = (data_root(), smollm2()) else { return };
    compare(&read("smollm2"), &model, &data);
}

/// What one model got on whole texts.
#[derive(Deserialize)]
struct GoldenTexts {
    tasks: BTreeMap<String, GoldenText>,
}

#[derive(Deserialize)]
struct GoldenText {
    metrics: BTreeMap<String, f64>,
    /// The log-likelihood of each text.
    logliks: Vec<f64>,
}

/// The articles of a raw file of WikiText, divided as the document-level data set divides them.
fn pages(raw: &str) -> Vec<String> {
    let mut pages = vec![Vec::new()];
    for line in raw.split('\n') {
        let heading = line.replace("= = =", "===").replace("= =", "==");
        let heading = heading.trim();
        if heading.starts_with("= ") && heading.ends_with(" =") {
            pages.push(Vec::new());
        }
        pages.last_mut().unwrap().push(line);
    }
    pages.iter().map(|lines| lines.join("\n")).filter(|page| !page.trim().is_empty()).collect()
}

#[test]
fn golden_lm_eval_whole_texts() {
    let Some(data) = data_root() else { return };
    let json = fs::read(golden("stories260K_texts.json")).unwrap();
    let expected: GoldenTexts = serde_json::from_slice(&json).unwrap();
    let place = tempfile::tempdir().unwrap();
    let write = |task: &str, rows: String| {
        fs::create_dir_all(place.path().join("data").join(task)).unwrap();
        fs::write(place.path().join(format!("data/{task}/test.jsonl")), rows).unwrap();
    };
    let count = |task: &str| expected.tasks[task].logliks.len();
    let raw = fs::read_to_string(data.join("text/wikitext-2/wiki.valid.raw")).unwrap();
    // A control token for the tokenizer of the harness.
    let pages = pages(&raw.replace("<unk>", "unknown")).into_iter().take(count("wikitext"));
    write("wikitext", pages.map(|page| format!("{}\n", serde_json::json!({ "page": page }))).collect());
    let rows = fs::read_to_string(data.join("text/c4_demo.jsonl")).unwrap();
    write("text", rows.split_inclusive('\n').take(count("text")).collect());

    let model = data.join("models/stories260K").display().to_string();
    let args = ["bench", &model, "--task", "wikitext", "--task", "text", "--data", "data", "--out", "out"];
    let results: Results =
        serde_json::from_str(&run(place.path(), &[&args[..], &["--json"]].concat()).ok()).unwrap();
    let documents = DocumentScores::load_all(&place.path().join("out")).unwrap();
    for (name, expected) in &expected.tasks {
        let of_task: Vec<_> = documents.iter().filter(|document| document.task == *name).collect();
        assert_eq!(of_task.len(), expected.logliks.len(), "{name}");
        for (document, expected) in of_task.iter().zip(&expected.logliks) {
            let found = document.candidates[0].loglik.unwrap();
            assert!((found - expected).abs() < TOLERANCE, "{name} {}: {found}, not {expected}", document.id);
        }
        let of_task: Vec<_> = results.results.iter().filter(|result| result.task == *name).collect();
        assert_eq!(of_task.len(), expected.metrics.len());
        for result in of_task {
            let expected = expected.metrics[&result.metric];
            let found = result.measurement.value;
            assert!(
                (found / expected - 1.0).abs() < 1e-5,
                "{name} {}: {found}, not {expected}",
                result.metric
            );
            assert_eq!((result.scorer.as_str(), result.window), ("loglik-sum", Some(512)));
        }
    }
}
