//! The classes of models of others: those that adapters give to their base, and those that are not known.

use std::fs;
use std::path::Path;

use dph_model::{ModelFiles, Text, TextClassifier, stored_head};
use serde_json::{Value, json};

use super::command::run;
use super::{adapter, config, device, model, numbers, open, states};

const SCORE: &str = "base_model.model.score.weight";

/// An adapter of the task SEQ_CLS with a layer of so many rows.
fn classifier(dir: &Path, rows: usize) {
    adapter(dir, |config, tensors| {
        config["task_type"] = "SEQ_CLS".into();
        config["modules_to_save"] = json!(["classifier", "score"]);
        tensors.push((SCORE.into(), vec![rows, 8], numbers(rows * 8, 5.0)));
    });
}

fn config_of(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("config.json")).unwrap()).unwrap()
}

fn head(dir: &Path) -> (Vec<String>, Vec<u8>) {
    let (head, config) = stored_head(&open(dir), &device()).unwrap().unwrap();
    (config.rewards.clone(), head.to_safetensors(&config))
}

#[test]
fn an_adapter_of_a_classifier_becomes_one() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let (adapted, merged) = (dir.join("adapter"), dir.join("merged"));
    for (rows, names) in [(1, vec!["preference"]), (3, vec!["LABEL_0", "LABEL_1", "LABEL_2"])] {
        model(&dir.join("base"), "LlamaForCausalLM", |_| ());
        classifier(&adapted, rows);
        let said = run(dir, &["inspect", "adapter"]).ok();
        assert!(said.contains("with its base: a reward model (*ForSequenceClassification)"), "{said}");
        assert!(
            said.lines().any(|line| line.starts_with("output matrix") && line.ends_with("none")),
            "{said}"
        );
        run(dir, &["convert", "adapter", "merged"]).ok();
        let json = config_of(&merged);
        assert_eq!(json["architectures"], json!(["LlamaForSequenceClassification"]));
        assert_eq!(json["id2label"].as_object().unwrap().len(), rows);
        assert_eq!(json["label2id"]["LABEL_0"], 0);
        assert_eq!(head(&merged), head(&adapted));
        assert_eq!(head(&merged).0, names);
        assert_eq!(states(&open(&merged)), states(&open(&adapted)));
        assert!(!open(&merged).tensors().unwrap().contains_key("lm_head.weight"));
        let text = [Text::single(vec![5, 9, 2])];
        let logits = |dir: &Path| -> Vec<f32> {
            let model = TextClassifier::load(&open(dir), &device()).unwrap();
            model.logits(&text).unwrap().into_data().try_to_vec().unwrap()
        };
        assert_eq!(logits(&adapted).len(), rows);
        assert_eq!(logits(&adapted), logits(&merged));
        fs::remove_dir_all(&merged).unwrap();
    }

    // So does one with the layer whose configuration names another task, or none.
    for task in [json!("CAUSAL_LM"), json!(null)] {
        classifier(&adapted, 1);
        let path = adapted.join("adapter_config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config["task_type"] = task;
        fs::write(&path, config.to_string()).unwrap();
        run(dir, &["convert", "adapter", "merged"]).ok();
        assert_eq!(config_of(&merged)["architectures"], json!(["LlamaForSequenceClassification"]));
        assert_eq!(head(&merged), head(&adapted));
        assert!(!open(&merged).tensors().unwrap().contains_key("lm_head.weight"));
        fs::remove_dir_all(&merged).unwrap();
    }

    // A base that is a classifier keeps its class and, for as many rows, its names.
    model(&dir.join("base"), "LlamaForSequenceClassification", |tensors| {
        tensors.retain(|(name, ..)| name != "lm_head.weight");
        tensors.push(("score.weight".into(), vec![2, 8], numbers(16, 0.0)));
    });
    let mut named = config("LlamaForSequenceClassification");
    named["id2label"] = json!({"0": "bad", "1": "good"});
    fs::write(dir.join("base/config.json"), named.to_string()).unwrap();
    classifier(&adapted, 2);
    assert_eq!(head(&adapted).0, ["bad", "good"]);
    classifier(&adapted, 3);
    assert_eq!(head(&adapted).0, ["LABEL_0", "LABEL_1", "LABEL_2"]);
    // Its own layer remains where the adapter has none.
    adapter(&adapted, |config, _| config["task_type"] = "SEQ_CLS".into());
    assert_eq!(head(&adapted).0, ["bad", "good"]);

    // Without any, transformers would make one of random numbers.
    model(&dir.join("base"), "LlamaForCausalLM", |_| ());
    let said = run(dir, &["convert", "adapter", "out"]).failed(2);
    assert!(
        said.contains("(`task_type` = \"SEQ_CLS\"), but neither it nor its base has the layer `score`"),
        "{said}"
    );
    assert!(
        said.contains("transformers would fill with random numbers; fetch the adapter again, or save"),
        "{said}"
    );
}

#[test]
fn an_adapter_of_an_encoder_becomes_a_classifier() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let bert = json!({
        "architectures": ["BertModel"], "model_type": "bert", "vocab_size": 20, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.3,
    });
    dph_model::Encoder::init(&bert.to_string(), 3, &device()).unwrap().save(dir.join("base")).unwrap();
    adapter(&dir.join("adapter"), |config, tensors| {
        config["task_type"] = "SEQ_CLS".into();
        config["target_modules"] = json!(["query"]);
        for (name, ..) in tensors.iter_mut() {
            *name = name
                .replace("model.model.layers.", "model.bert.encoder.layer.")
                .replace("self_attn.q_proj", "attention.self.query");
        }
        tensors.push(("base_model.model.classifier.weight".into(), vec![3, 8], numbers(24, 5.0)));
        tensors.push(("base_model.model.classifier.bias".into(), vec![3], numbers(3, 6.0)));
    });
    run(dir, &["convert", "adapter", "merged"]).ok();
    assert_eq!(config_of(&dir.join("merged"))["architectures"], json!(["BertForSequenceClassification"]));
    let logits = |name: &str| -> Vec<f32> {
        let model = TextClassifier::load(&ModelFiles::open(dir.join(name)).unwrap(), &device()).unwrap();
        model.logits(&[Text::single(vec![5, 9, 2])]).unwrap().into_data().try_to_vec().unwrap()
    };
    assert_eq!(logits("adapter").len(), 3);
    assert_eq!(logits("adapter"), logits("merged"));
}

/// As transformers, whose layers `score` have no bias.
#[test]
fn what_is_not_read_of_a_reward_layer_is_said() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let score = |class: &str, bias: bool| {
        model(&dir.join("score"), class, |tensors| {
            tensors.retain(|(name, ..)| name != "lm_head.weight");
            tensors.push(("score.weight".into(), vec![1, 8], numbers(8, 0.0)));
            if bias {
                tensors.push(("score.bias".into(), vec![1], vec![7.0]));
            }
        });
    };
    score("LlamaForSequenceClassification", false);
    let expected = head(&dir.join("score"));
    assert_eq!(run(dir, &["convert", "score", "plain"]).stderr, "plain: model.safetensors\n");
    score("LlamaForSequenceClassification", true);
    assert_eq!(head(&dir.join("score")), expected);
    let said = run(dir, &["convert", "score", "biased"]).stderr;
    assert!(
        said.contains("warning: score: the tensor score.bias is left out, as transformers leaves it out"),
        "{said}"
    );
    let written = fs::read(dir.join("biased/model.safetensors")).unwrap();
    assert!(written == fs::read(dir.join("plain/model.safetensors")).unwrap(), "score.bias was written");

    score("LlamaForRewardModelWithGating", false);
    assert_eq!(head(&dir.join("score")), expected);
    let said = run(dir, &["convert", "score", "gated"]).stderr;
    assert!(
        said.contains("warning: score: config.json names the class LlamaForRewardModelWithGating, which this program does not know"),
        "{said}"
    );
    let said = run(dir, &["inspect", "score"]).ok();
    assert!(
        said.contains(
            "a reward model (LlamaForRewardModelWithGating, a class that this program does not know)"
        ),
        "{said}"
    );

    score("LlamaForTokenClassification", true);
    let error = stored_head(&open(&dir.join("score")), &device()).unwrap_err().to_string();
    assert!(
        error.contains("the class LlamaForTokenClassification, whose layer has labels for each token"),
        "{error}"
    );
    let said = run(dir, &["inspect", "score"]).ok();
    assert!(
        said.contains("a classifier of tokens (LlamaForTokenClassification), which has no rewards"),
        "{said}"
    );
}
