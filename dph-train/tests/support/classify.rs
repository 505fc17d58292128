//! Tiny classifiers, tasks for them, and the same training by transformers.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use dph_core::testing::{Golden, python};
use dph_data::Mixture;
use serde_json::{Value, json};

/// A tokenizer with 96 tokens: letters, digits and some marks, which continue a word with `##`, between the special tokens of BERT.
pub fn write_tokenizer(dir: &Path) {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from);
    let letters = || ('a'..='z').chain('0'..='9').map(String::from);
    let vocab = special.into_iter().chain(letters()).chain(letters().map(|letter| format!("##{letter}")));
    let vocab: Vec<String> = vocab.chain([".", ",", "!", "?", "'", "-"].map(String::from)).collect();
    assert!(vocab.len() <= 96);
    let added: Vec<Value> = (0..5)
        .map(|id| {
            json!({ "id": id, "content": vocab[id], "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
        })
        .collect();
    let part = |text: &str, kind: u32| match text {
        "A" | "B" => json!({ "Sequence": { "id": text, "type_id": kind } }),
        _ => json!({ "SpecialToken": { "id": text, "type_id": kind } }),
    };
    let one = vec![part("[CLS]", 0), part("A", 0), part("[SEP]", 0)];
    let two = [one.clone(), vec![part("B", 1), part("[SEP]", 1)]].concat();
    let token = |name: &str, id: usize| json!({ "id": name, "ids": [id], "tokens": [name] });
    let ids: serde_json::Map<String, Value> =
        vocab.iter().enumerate().map(|(id, token)| (token.clone(), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0",
        // As published models have them; a classifier has its own.
        "truncation": { "direction": "Right", "max_length": 12, "strategy": "LongestFirst", "stride": 0 },
        "padding": null, "added_tokens": added,
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": true },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": { "type": "TemplateProcessing", "single": one, "pair": two,
            "special_tokens": { "[CLS]": token("[CLS]", 2), "[SEP]": token("[SEP]", 3) } },
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": ids },
    });
    std::fs::write(dir.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let config = json!({ "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]",
        "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]" });
    std::fs::write(dir.join("tokenizer_config.json"), config.to_string()).unwrap();
}

/// A golden classifier of transformers with the tokenizer, in a folder; `None` if the golden vectors lack it.
pub fn golden_classifier(name: &str, dir: &Path) -> Option<()> {
    let golden = Golden::open();
    let source = golden.path(&format!("reward_models/{name}"))?;
    std::fs::create_dir_all(dir).unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::write(dir.join(file), std::fs::read(source.join(file)).unwrap()).unwrap();
    }
    write_tokenizer(dir);
    Some(())
}

/// The configuration of a tiny BERT of a class of transformers.
pub fn bert(class: &str) -> Value {
    json!({ "model_type": "bert", "architectures": [class], "vocab_size": 96, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.3 })
}

/// A new tiny model with the tokenizer, in a folder.
pub fn write_model(dir: &Path, config: &Value) {
    std::fs::create_dir_all(dir).unwrap();
    let device = dph_core::device("flex").unwrap();
    let json = config.to_string();
    match config["model_type"] == "bert" {
        true => dph_model::Encoder::init(&json, 3, &device).unwrap().save(dir).unwrap(),
        false => dph_model::Backbone::init(&json, 3, &device).unwrap().save(dir).unwrap(),
    }
    write_tokenizer(dir);
}

/// Rows of two texts with a class below `classes` and a number; the texts of some are longer than the context.
pub fn rows(count: usize, classes: usize) -> Vec<Value> {
    let words =
        ["red", "blue", "no", "yes", "7 up", "it's", "far away", "x", "the sea?", "CATS", "[SEP]", "naïve"];
    let text = |seed: usize, length: usize| -> String {
        (0..length)
            .map(|word| words[(seed * 7 + word * word + word) % words.len()])
            .collect::<Vec<_>>()
            .join(" ")
    };
    let row = |index: usize| {
        let label = (index * index + index / 3) % classes;
        let lengths = if index % 9 == 4 { (40, 9) } else { (1 + index % 6, 1 + (index + label) % 5) };
        json!({ "first": text(index + label, lengths.0), "second": text(index * 3 + label, lengths.1), "label": label,
            "number": label as f64 + (index % 4) as f64 / 4.0 })
    };
    (0..count).map(row).collect()
}

/// A data root with the task `mine.toml`: `train` and `validation` rows with this many classes. The table `[classify]` is given.
pub fn write_task(dir: &Path, classes: usize, classify: &str) {
    let candidates: Vec<String> = (0..classes).map(|class| format!("{class}")).collect();
    let task = format!(
        "name = 'mine'\nkind = 'choice'\nmetric = {}\nuser = '{{{{ first }}}}'\ncandidates = {candidates:?}\ngold = 'label'\nscore = 'number'\n{classify}",
        if classify.contains("number =") { "['pearson', 'spearman']" } else { "'accuracy'" }
    );
    std::fs::write(dir.join("mine.toml"), task).unwrap();
    std::fs::create_dir_all(dir.join("data/mine")).unwrap();
    for (split, count) in [("train", 60), ("validation", 24), ("test", 10)] {
        let lines: String = rows(count, classes).iter().map(|row| format!("{row}\n")).collect();
        std::fs::write(dir.join(format!("data/mine/{split}.jsonl")), lines).unwrap();
    }
}

/// An experiment that trains the classifier in `model` on the task for some steps, and evaluates it.
pub fn write_experiment(dir: &Path, stage: &str) {
    let text = format!(
        r#"
name = "tiny"
seed = 5
model = {{ path = "model", trainable = "all" }}

[[stage]]
name      = "classify"
steps     = 10
batch     = 8
mix       = {{ "mine.toml" = 1.0 }}
schedule  = {{ shape = "constant" }}
optimiser = {{ name = "adamw", lr = 2e-3, betas = [0.9, 0.999] }}
keep      = "last"
validation = {{ every = 5 }}
{stage}

[eval]
tasks = ["mine.toml"]
split = "validation"
"#
    );
    std::fs::write(dir.join("experiment.toml"), text).unwrap();
}

/// `dph-train` on the experiment in a folder.
pub fn train(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    command.current_dir(dir).env_remove("DPH_DATA").args(["experiment.toml", "--out", "run"]).args(arguments);
    command
}

/// The losses of the training steps of a run.
pub fn losses(run: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["split"] == "train").map(|line| line["loss"].as_f64().unwrap()).collect()
}

/// The rows of each step of a stage with this seed and batch.
pub fn steps(rows: &[Value], steps: usize, batch: usize, seed: u64) -> Vec<Vec<&Value>> {
    let mixture = Mixture::new(&[(1.0, rows.len())], seed).unwrap();
    let row = |item: usize| &rows[mixture.item(item as u64).row];
    (0..steps).map(|step| (step * batch..(step + 1) * batch).map(row).collect()).collect()
}

/// Trains the model in a folder by transformers on the rows of each step, and returns the losses, and then the outputs for `shown`.
///
/// The settings are those of its `Trainer` for AdamW, with a constant learning rate and without dropout, which is random. `None` if
/// transformers is not there.
pub fn transformers(model: &Path, spec: &Value) -> Option<Value> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), spec.to_string()).unwrap();
    let printed = python(TRANSFORMERS, &[model, file.path()])?;
    Some(serde_json::from_str(printed.lines().last().unwrap()).unwrap())
}

const TRANSFORMERS: &str = r#"
import json
from transformers import AutoModelForSequenceClassification, AutoTokenizer
folder, spec = sys.argv[1], json.load(open(sys.argv[2]))
dropout = {k: 0.0 for k in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout") if spec["pairs"]}
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager", **dropout)
context = model.config.max_position_embeddings
optimiser = torch.optim.AdamW(model.parameters(), lr=spec["lr"], betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)

def outputs(rows):
    first = [row["first"] for row in rows]
    second = [row["second"] for row in rows] if "second" in rows[0] else None
    # Control tokens that a text spells stay text here, which tokenizers do for texts that are split into words first.
    if spec["pairs"]:
        encoded = tokenizer(first, second, truncation=True, max_length=context, padding=True, return_tensors="pt",
                            return_token_type_ids=True, split_special_tokens=True)
    else:
        lines = [a + "\n" + b for a, b in zip(first, second)]
        encoded = tokenizer(lines, truncation=True, max_length=context, padding=True, return_tensors="pt",
                            return_token_type_ids=False, split_special_tokens=True)
    return model(**encoded).logits

losses = []
model.train()
for rows in spec["steps"]:
    logits = outputs(rows)
    if spec["numbers"]:
        loss = torch.nn.functional.mse_loss(logits.squeeze(1), torch.tensor([row["number"] for row in rows]))
    else:
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([row["label"] for row in rows]))
    losses.append(loss.item())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
model.eval()
with torch.no_grad():
    shown = [outputs([row])[0].tolist() for row in spec["shown"]]
print(json.dumps({"losses": losses, "shown": shown}))
"#;
