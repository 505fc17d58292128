//! A preference head on disk: what is written is read back, and what is damaged is named.
#![allow(clippy::unwrap_used)]

use std::fs;

use burn::tensor::{Device, Distribution, Tensor};
use dph_core::*;

fn config() -> PreferenceHeadConfig {
    PreferenceHeadConfig {
        pooling: PoolingKind::SwigluT5,
        standardise: true,
        dropout: 0.3,
        rewards: vec!["helpful".into(), "honest".into()],
        bias: true,
        ..PreferenceHeadConfig::new(8, 12)
    }
}

/// Gives the reward heads of a file weights other than 0.
fn fill_rewards(dir: &std::path::Path) {
    let path = dir.join(HEAD_WEIGHTS_FILE);
    let mut bytes = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let json: serde_json::Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    for (index, name) in ["helpful", "honest"].iter().enumerate() {
        let start = json[format!("reward_heads.{name}.weight")]["data_offsets"][0].as_u64().unwrap() as usize;
        for i in 0..8 {
            let at = header + start + 4 * i;
            bytes[at..at + 4].copy_from_slice(&(i as f32 - 3.5 + index as f32).to_le_bytes());
        }
    }
    fs::write(&path, bytes).unwrap();
}

#[test]
fn a_saved_head_gives_the_same_rewards() {
    let device = Device::flex();
    let dir = tempfile::tempdir().unwrap();
    let vectors = [[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [0.0, 1.0, 0.0, 2.0, 9.0, 9.0, 1.0, 0.5]];
    let head = config().init(3, &device).with_statistics(vectors.iter());
    head.save(&config(), dir.path()).unwrap();
    fill_rewards(dir.path());
    let (head, _) = PreferenceHead::load(dir.path(), &device).unwrap();
    head.save(&config(), dir.path()).unwrap();
    let (loaded, loaded_config) = PreferenceHead::load(dir.path(), &device).unwrap();
    assert_eq!(loaded_config, config());
    let input = Tensor::<2>::random([5, 8], Distribution::Default, &device);
    let rewards = loaded.forward(input.clone()).into_data();
    assert!(rewards.iter::<f32>().any(|reward| reward != 0.0));
    assert_eq!(rewards, head.forward(input).into_data());

    // Saving what was loaded gives the same bytes.
    let again = tempfile::tempdir().unwrap();
    loaded.save(&loaded_config, again.path()).unwrap();
    for file in [HEAD_WEIGHTS_FILE, HEAD_CONFIG_FILE] {
        assert!(
            fs::read(dir.path().join(file)).unwrap() == fs::read(again.path().join(file)).unwrap(),
            "{file}"
        );
    }
}

#[test]
fn a_new_head_prefers_nothing() {
    let device = Device::flex();
    let input = Tensor::<2>::random([5, 8], Distribution::Default, &device);
    let rewards = config().init(1, &device).forward(input).into_data();
    assert!(rewards.iter::<f32>().all(|reward| reward == 0.0), "{rewards}");
}

#[test]
fn damaged_heads_are_named_with_file_and_tensor() {
    let device = Device::flex();
    let dir = tempfile::tempdir().unwrap();
    let error = |what: &str| {
        let error = PreferenceHead::load(dir.path(), &device).err().unwrap().to_string();
        assert!(error.contains(what), "expected {what:?} in {error:?}");
    };
    error("there is no preference head");

    config().init(1, &device).save(&config(), dir.path()).unwrap();
    let weights = dir.path().join(HEAD_WEIGHTS_FILE);
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() - 1]).unwrap();
    error("copy it again from its source");
    fs::write(&weights, &bytes).unwrap();

    let change = |from: &str, to: &str| {
        config().init(1, &device).save(&config(), dir.path()).unwrap();
        let path = dir.path().join(HEAD_CONFIG_FILE);
        let json = fs::read_to_string(&path).unwrap();
        assert!(json.contains(from), "{json}");
        fs::write(&path, json.replacen(from, to, 1)).unwrap();
    };
    change("\"d_ffn\": 12", "\"d_ffn\": 10");
    error("tensor `pooling.up_gate.weight` is F32 [24, 8], expected F32 [20, 8]");
    change("\"honest\"", "\"modest\"");
    error("tensor `reward_heads.modest.weight` is missing");
    change("\"bias\": true", "\"bias\": false");
    error("unexpected tensor");
    change("\"dropout\"", "\"drop_out\"");
    error("unknown field `drop_out`");
}
