//! Models of Hugging Face transformers.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use dph_core::{Batch, Candidate, CandidateSet, Layer, TargetTokens, best_index};
use dph_model::{Backbone, Cache, Classifier, Encoder, Text};
use serde_json::Value;

use crate::model::{devices, rows, tensors_as_stored, values};
use dph_core::testing::{Golden, GoldenTensor, assert_close, entries, list, number};

/// Runs `check` for every model whose class is one of causal models, or of encoders, on every way to compute.
fn for_every_model(causal: bool, check: impl Fn(&Case)) {
    let golden = Golden::open();
    let Some(json) = golden.json("hf/hf.json") else { return };
    let is_wanted = |about: &Value| about["class"].as_str().unwrap().starts_with("Bert") != causal;
    let models: Vec<_> = entries(&json["models"]).iter().filter(|(_, about)| is_wanted(about)).collect();
    if models.is_empty() {
        golden.lacks(if causal { "hf: a causal model" } else { "hf: an encoder" });
    }
    for (name, about) in models {
        let weights =
            if about.get("shards").is_some() { "model.safetensors.index.json" } else { "model.safetensors" };
        let path = |file: &str| golden.path(&format!("hf/{name}/{file}"));
        let (Some(_), Some(config), Some(io)) =
            (path(weights), path("config.json"), golden.tensors(&format!("hf/{name}/io.safetensors")))
        else {
            continue;
        };
        let tolerance = match name.ends_with("bf16") {
            true => number(&json["tolerance_bf16_checkpoint"]["logits"]),
            false => number(&json["tolerance_float32"]["logits"]),
        };
        let lengths = list(&about["lengths"]).iter().map(|n| n.as_u64().unwrap() as usize);
        for (way, device) in devices() {
            check(&Case {
                name: format!("{name} ({way})"),
                about,
                dir: config.parent().unwrap().to_path_buf(),
                io: &io,
                lengths: lengths.clone().collect(),
                tolerance,
                device,
            });
        }
    }
}

struct Case<'a> {
    name: String,
    about: &'a Value,
    dir: PathBuf,
    io: &'a std::collections::BTreeMap<String, GoldenTensor>,
    lengths: Vec<usize>,
    tolerance: f64,
    device: Device,
}

impl Case<'_> {
    /// Compares all but padding.
    fn assert_states(&self, what: &str, actual: &Tensor<3>) {
        let (what, expected) = (format!("{}: {what}", self.name), &self.io[what]);
        assert_eq!(actual.dims().to_vec(), expected.shape, "{what}");
        let (seq, width) = (expected.shape[1], expected.shape[2]);
        let actual = values(actual.clone());
        for (row, length) in self.lengths.iter().enumerate() {
            let range = row * seq * width..(row * seq + length) * width;
            assert_close(&what, &actual[range.clone()], &expected.values[range], self.tolerance, 0.0);
        }
    }

    fn assert_rows(&self, what: &str, actual: Tensor<2>) {
        let expected = &self.io[what];
        assert_eq!(actual.dims().to_vec(), expected.shape, "{}: {what}", self.name);
        let what = format!("{}: {what}", self.name);
        assert_close(&what, &values(actual), &expected.values, self.tolerance, 0.0);
    }

    /// The last of Hugging Face's states is that of [`Layer::Last`].
    fn layers(&self, n_layers: usize) -> Vec<Layer> {
        let layers: Vec<_> = (0..n_layers).map(Layer::At).chain([Layer::Last]).collect();
        assert_eq!(layers.len() as u64, self.about["n_hidden_states"].as_u64().unwrap());
        layers
    }

    fn assert_param_count(&self, count: usize) {
        assert_eq!(count as u64, self.about["parameters"].as_u64().unwrap(), "{}", self.name);
    }

    fn texts(&self) -> Vec<Text> {
        let row = |tensor: &GoldenTensor, row: usize| -> Vec<u32> {
            let start = row * tensor.shape[1];
            tensor.values[start..start + self.lengths[row]].iter().map(|&id| id as u32).collect()
        };
        let text = |index| Text {
            tokens: row(&self.io["input_ids"], index),
            token_types: row(&self.io["token_type_ids"], index),
        };
        (0..self.lengths.len()).map(text).collect()
    }
}

#[test]
fn golden_hf_models() {
    for_every_model(true, |case| {
        let model = Backbone::load(&case.dir, &case.device).unwrap();
        case.assert_param_count(model.config().param_count());
        let batch = rows(&case.io["input_ids"], &case.lengths);
        let states = model.hidden_states(&batch, &case.layers(model.n_layers())).unwrap();
        let (last, others) = states.split_last().unwrap();
        for (index, state) in others.iter().enumerate() {
            case.assert_states(&format!("hidden_states.{index}"), state);
        }
        // Of a model with a factored embedding theirs is the state that meets the embedding.
        let [rows, seq, d_model] = last.dims();
        let expected = &case.io[&format!("hidden_states.{}", others.len())];
        let comparable = match expected.shape[2] == d_model {
            true => last.clone(),
            false => model.decoder.head.project(last.clone().reshape([rows * seq, d_model])).reshape([
                rows,
                seq,
                expected.shape[2],
            ]),
        };
        case.assert_states(&format!("hidden_states.{}", others.len()), &comparable);
        case.assert_states("logits", &model.logits(last.clone()));
    });
}

#[test]
fn golden_hf_greedy_continuations() {
    let tried = Cell::new(0);
    for_every_model(true, |case| {
        // The case of GPT-1 has none.
        let Some(greedy) = case.io.get("greedy") else { return };
        tried.set(tried.get() + 1);
        let model = Backbone::load(&case.dir, &case.device).unwrap();
        let expected: Vec<i32> = greedy.values.iter().map(|&id| id as i32).collect();
        assert_eq!(
            continue_greedily(&model, &expected[..16], expected.len() - 16),
            expected[16..],
            "{}",
            case.name
        );
    });
    if tried.get() == 0 {
        Golden::open().lacks("hf: a greedy continuation");
    }
}

#[test]
fn golden_hf_packed_equals_separate() {
    for_every_model(true, |case| {
        let model = Backbone::load(&case.dir, &case.device).unwrap();
        assert!(model.is_packable(), "{}", case.name);
        let ids: Vec<u32> = case.io["input_ids"].values.iter().map(|&id| id as u32).collect();
        let candidate = |tokens: &[u32]| Candidate::new(tokens.to_vec(), 0);
        let set = CandidateSet {
            prompt: ids[..9].to_vec(),
            candidates: vec![candidate(&ids[9..14]), candidate(&ids[14..15]), candidate(&ids[15..24])],
            ..CandidateSet::default()
        };
        let alone: Vec<_> = set
            .candidates
            .iter()
            .map(|candidate| CandidateSet { candidates: vec![candidate.clone()], ..set.clone() })
            .collect();
        let score = |batch: Batch| {
            let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
            values(model.log_probs(last, &batch.targets))
        };
        let packed = score(Batch::pack([&set], TargetTokens::Answer, 0));
        let separate = score(Batch::pack(&alone, TargetTokens::Answer, 0));
        assert_close(&case.name, &packed, &separate, 1e-5, 0.0);
    });
}

#[test]
fn golden_hf_shards_equal_one_file() {
    let golden = Golden::open();
    let (Some(shards), Some(single)) = (golden.path("hf/llama_sharded"), golden.path("hf/llama_gqa_untied"))
    else {
        return;
    };
    let device = devices()[0].1.clone();
    let saved = |dir: &Path| {
        let out = tempfile::tempdir().unwrap();
        Backbone::load(dir, &device).unwrap().save(out.path()).unwrap();
        tensors_as_stored(&out.path().join("model.safetensors"))
    };
    assert!(saved(&shards) == saved(&single));
}

#[test]
fn golden_hf_saved_files_hold_the_same_tensors() {
    let check = |case: &Case, save: &dyn Fn(&Path)| {
        let weights = case.dir.join("model.safetensors");
        if !weights.exists() || case.about["note"].as_str().is_some_and(|note| note.contains("bf16")) {
            return;
        }
        let out = tempfile::tempdir().unwrap();
        save(out.path());
        let (before, after) =
            (tensors_as_stored(&weights), tensors_as_stored(&out.path().join("model.safetensors")));
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "{}", case.name);
        assert!(before == after, "{}", case.name);
    };
    for_every_model(true, |case| {
        check(case, &|out| Backbone::load(&case.dir, &case.device).unwrap().save(out).unwrap());
    });
    for_every_model(false, |case| {
        check(case, &|out| Encoder::load(&case.dir, &case.device).unwrap().save(out).unwrap());
    });
}

#[test]
fn golden_hf_encoders() {
    for_every_model(false, |case| {
        let model = Encoder::load(&case.dir, &case.device).unwrap();
        case.assert_param_count(model.config().param_count());
        let states = model.hidden_states(&case.texts(), &case.layers(model.config().n_layers)).unwrap();
        for (index, state) in states.iter().enumerate() {
            case.assert_states(&format!("hidden_states.{index}"), state);
        }
        let last = states.last().unwrap().clone();
        if case.io.contains_key("pooler_output") {
            case.assert_states("last_hidden_state", &last);
            case.assert_rows("pooler_output", model.pool(last).unwrap());
        }
    });
}

#[test]
fn golden_hf_classifiers() {
    for_every_model(false, |case| {
        if case.about["class"] != "BertForSequenceClassification" {
            let error = Classifier::load(&case.dir, &case.device).unwrap_err().to_string();
            assert!(error.contains("there is no classification head"), "{error}");
            return;
        }
        let model = Classifier::load(&case.dir, &case.device).unwrap();
        assert_eq!(model.labels(), ["LABEL_0", "LABEL_1", "LABEL_2"]);
        case.assert_rows("logits", model.logits(&case.texts()).unwrap());
    });
}

fn continue_greedily(model: &Backbone, prompt: &[i32], count: usize) -> Vec<i32> {
    let mut cache = Cache::default();
    let mut fed = prompt.to_vec();
    let mut tokens = Vec::new();
    for _ in 0..count {
        let states = model.extend(&fed, 1, &mut cache, &[Layer::Last]).unwrap().remove(0);
        let last = states.narrow(1, fed.len() - 1, 1);
        let logits = values(model.logits(last));
        let best = best_index(logits).unwrap();
        tokens.push(best as i32);
        fed = vec![best as i32];
    }
    tokens
}
