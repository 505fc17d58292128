//! Loading needs little more memory than the weights themselves. Alone in its process, whose memory is measured.
#![cfg(all(feature = "flex", target_os = "linux"))]
#![allow(clippy::unwrap_used)]

use std::fs;

use dph_model::Backbone;
use dph_model::checkpoint::{ConvertOptions, Precision, convert};

/// What a device may need beside the weights: 0.3 of them.
const MOST: f64 = 1.3;

/// A line of Linux's account of this process, in bytes.
fn memory(line: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    1024 * value.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<usize>().unwrap()
}

#[test]
fn the_peak_is_below_a_copy_and_a_third() {
    // 43 million weights: what a process needs anyway does not count beside them.
    let config = r#"{"model_type": "llama", "vocab_size": 4096, "hidden_size": 768, "intermediate_size": 2048,
        "num_hidden_layers": 6, "num_attention_heads": 12, "tie_word_embeddings": true}"#;
    let device = dph_core::device("flex").unwrap();
    let place = tempfile::tempdir().unwrap();
    let (whole, half) = (place.path().join("whole"), place.path().join("half"));
    let model = Backbone::init(config, 1, &device).unwrap();
    let weights = 4 * model.config().param_count();
    model.save(&whole).unwrap();
    drop(model);
    convert(&whole, &half, &ConvertOptions { precision: Some(Precision::F16), ..ConvertOptions::default() })
        .unwrap();

    for dir in [whole, half] {
        // The peak so far is forgotten.
        if fs::write("/proc/self/clear_refs", "5").is_err() {
            return;
        }
        let before = memory("VmRSS");
        let model = Backbone::load(&dir, &device).unwrap();
        let peak = (memory("VmHWM") - before) as f64 / weights as f64;
        assert!(peak < MOST, "{peak:.2} times the weights from {}", dir.display());
        // Memory of the first round may be used again in the second, so that only more than one copy tells.
        drop(model);
    }
}
