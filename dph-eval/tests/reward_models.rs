//! Reward models of transformers rank conversations as transformers does, and heads of ours become such models.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

mod support;

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::run;
use dph_core::testing::{python, say, tokenizer_folder};
use dph_core::{
    Aggregation, Candidate, CandidateSet, Ending, Layer, PoolingKind, PreferenceHead, PreferenceHeadConfig,
};
use dph_data::Message;
use dph_eval::{BestOf, Model, RankRequest, Ranking, Rejection, Scoring, Selection, generate, score};
use dph_model::checkpoint::{ConvertOptions, ScoreLayer, convert, convert_with_score};
use dph_model::{Backbone, ModelFiles, Sampling};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use support::{D_MODEL, noisy, write_rows};
use tempfile::TempDir;

/// Ten conversations with two answers each, as requests.
fn requests() -> Vec<Value> {
    let user = |text: &str| json!({"role": "user", "content": text});
    let system = |text: &str| json!({"role": "system", "content": text});
    let answer = |text: &str| json!({"role": "assistant", "content": text});
    let turns = [user("Who wrote it?"), answer("Ann."), user("And when?")];
    let prompts = [
        json!("Who wrote it?"),
        json!([user("2 + 2 = ?")]),
        json!([system("Be brief."), user("Name a colour.")]),
        json!(turns),
        json!([system("You are a pirate."), turns[0], turns[1], turns[2]]),
        json!("Übersetze: „Grüße aus Köln“ 🙂"),
        json!("Write\n\ntwo lines."),
        json!([user(" blanks at both ends ")]),
        json!([user("def f(x):\n    return x")]),
        json!([user("a"), answer("b"), user("c"), answer("d"), user("e")]),
    ];
    let request = |(index, prompt): (usize, Value)| {
        let long = "word ".repeat(1 + index).trim_end().to_string();
        json!({"prompt": prompt, "candidates": [format!("Answer {index}."), long], "id": index})
    };
    prompts.into_iter().enumerate().map(request).collect()
}

fn write_requests(dir: &Path) {
    write_rows(&dir.join("sets.jsonl"), requests().into_iter());
}

/// A directory with a tiny Llama and the tokenizer and chat template of SmolLM2.
fn llama(config: &Value) -> Option<TempDir> {
    let dir = tokenizer_folder("smollm2")?;
    let mut all = json!({
        "model_type": "llama", "vocab_size": 49_152, "hidden_size": D_MODEL, "intermediate_size": 48, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "max_position_embeddings": 512,
        "rope_theta": 10000.0, "initializer_range": 0.2, "bos_token_id": 1, "eos_token_id": 2,
    });
    all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let device = dph_core::device("flex").unwrap();
    Backbone::init(&all.to_string(), 5, &device).unwrap().save(dir.path()).unwrap();
    write_requests(dir.path());
    Some(dir)
}

/// Changes the tensors of a model.
fn change_tensors(dir: &Path, change: impl FnOnce(&mut Vec<(String, Vec<usize>, Vec<u8>)>)) {
    let path = dir.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .map(|(name, view)| (name.to_string(), view.shape().to_vec(), view.data().to_vec()))
        .collect();
    change(&mut tensors);
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// The rewards of all candidates by `dph-eval rank`.
fn ranked(dir: &Path) -> Vec<Vec<f64>> {
    let lines = run(dir, &["rank", ".", "--input", "sets.jsonl", "--json"]).ok();
    let rewards = |line: &str| {
        let ranking: Ranking = serde_json::from_str(line).unwrap();
        let mut rewards: Vec<(usize, f64)> =
            ranking.ranking.iter().map(|ranked| (ranked.index, ranked.score.unwrap())).collect();
        rewards.sort_by_key(|(index, _)| *index);
        rewards.into_iter().map(|(_, reward)| reward).collect()
    };
    lines.lines().map(rewards).collect()
}

/// The first logits of all candidates by transformers, on what `apply_chat_template` gives.
fn transformers(dir: &Path) -> Option<Vec<Vec<f64>>> {
    let program = r#"
import json, os
from transformers import AutoModelForSequenceClassification, AutoTokenizer
folder = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
rewards = []
for line in open(os.path.join(folder, "sets.jsonl"), encoding="utf-8"):
    request = json.loads(line)
    prompt = request["prompt"]
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    rows = []
    for candidate in request["candidates"]:
        messages = prompt + [{"role": "assistant", "content": candidate}]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        with torch.no_grad():
            rows.append(model(ids).logits[0, 0].item())
    rewards.append(rows)
print(json.dumps(rewards))
"#;
    let printed = python(program, &[dir])?;
    Some(serde_json::from_str(printed.trim()).unwrap())
}

#[track_caller]
fn assert_near(what: &str, found: &[Vec<f64>], expected: &[Vec<f64>], limit: f64) {
    let apart = found.iter().flatten().zip(expected.iter().flatten()).map(|(a, b)| (a - b).abs());
    let worst = apart.fold(0.0, f64::max);
    assert_eq!(found.len(), expected.len());
    assert!(worst < limit, "{what}: {worst}");
    let spread =
        found.iter().flatten().fold(0.0_f64, |spread, reward| spread.max((reward - found[0][0]).abs()));
    assert!(spread > 0.01, "{what}: all rewards are equal");
    say(&format!("{what}: {} rewards, off by {worst:.1e} at most", found.len() * found[0].len()));
}

#[test]
fn a_reward_model_ranks_conversations_as_transformers_does() {
    let config = json!({
        "architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
        "tie_word_embeddings": false,
    });
    let Some(dir) = llama(&config) else { return };
    let dir = dir.path();
    add_score_layer(dir);
    let model = Model::open(dir, &dph_core::device("flex").unwrap()).unwrap();
    let (_, head) = model.head.as_ref().unwrap();
    assert_eq!((head.ending, &head.rewards[..]), (Ending::Conversation, &["preference".to_string()][..]));
    // The last token is the line break behind the end of the turn.
    let request = RankRequest::parse(&requests()[0].to_string()).unwrap();
    let set = request.candidate_set("0".into(), &model.tokenizer).unwrap();
    let last = &set.candidates[0].tokens;
    assert_eq!(model.tokenizer.decode(&last[last.len() - 2..]).unwrap(), "<|im_end|>\n");
    assert_eq!(model.tokenizer.decode(&[model.tokenizer.end_of_turn_id()]).unwrap(), "<|im_end|>");
    assert_eq!(model.tokenizer.decode(&model.tokenizer.ended(&[])).unwrap(), "<|im_end|>\n");

    let found = ranked(dir);
    if let Some(expected) = transformers(dir) {
        assert_near("a reward model", &found, &expected, 5e-5);
    }

    // It has no output matrix.
    for arguments in [
        &["rank", ".", "--input", "sets.jsonl", "--scorer", "both"][..],
        &["generate", ".", "--prompt", "Hi"],
    ] {
        let said = run(dir, arguments).failed(2);
        assert!(said.contains("is a reward model without an output matrix"), "{said}");
    }
}

/// Makes a model one of a class `*ForSequenceClassification`.
fn add_score_layer(dir: &Path) {
    change_tensors(dir, |tensors| {
        tensors.retain(|(name, ..)| name != "lm_head.weight");
        let score = (0..D_MODEL).flat_map(|i| ((i as f32 * 1.7).sin() / 3.0).to_le_bytes()).collect();
        tensors.push(("score.weight".into(), vec![1, D_MODEL], score));
    });
}

/// An adapter of PEFT for a classifier names no class: the language model that it was trained on is of another one.
#[test]
fn an_adapter_of_a_reward_model_is_one_of_transformers_when_it_is_merged() {
    let Some(dir) = llama(&json!({"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": false}))
    else {
        return;
    };
    let (base, adapter) = (dir.path(), dir.path().join("adapter"));
    fs::create_dir(&adapter).unwrap();
    let config = json!({
        "peft_type": "LORA", "base_model_name_or_path": "..", "task_type": "SEQ_CLS", "r": 2, "lora_alpha": 8, "target_modules": ["q_proj"],
        "modules_to_save": ["classifier", "score"],
    });
    fs::write(adapter.join("adapter_config.json"), config.to_string()).unwrap();
    let values = |len: usize, step: f32| -> Vec<u8> {
        (0..len).flat_map(|i| ((i as f32 * step).sin() / 3.0).to_le_bytes()).collect()
    };
    let query = "base_model.model.model.layers.1.self_attn.q_proj";
    let tensors = [
        (format!("{query}.lora_A.weight"), vec![2, D_MODEL], values(2 * D_MODEL, 0.7)),
        (format!("{query}.lora_B.weight"), vec![D_MODEL, 2], values(2 * D_MODEL, 1.1)),
        ("base_model.model.score.weight".into(), vec![1, D_MODEL], values(D_MODEL, 1.7)),
    ];
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    fs::write(adapter.join("adapter_model.safetensors"), safetensors::serialize(views, None).unwrap())
        .unwrap();
    write_requests(&adapter);
    let found = ranked(&adapter);

    let merged = base.join("merged");
    convert(&adapter, &merged, &ConvertOptions::default()).unwrap();
    write_requests(&merged);
    assert_near("a merged adapter", &ranked(&merged), &found, 1e-6);
    if let Some(expected) = transformers(&merged) {
        assert_near("a merged adapter in transformers", &found, &expected, 5e-5);
    }
}

/// transformers reads the last token that is not the padding token, also where the conversation itself ends with this token.
#[test]
fn a_reward_model_leaves_out_padding_at_the_end_as_transformers_does() {
    let template = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>{% endfor %}";
    // `<|im_end|>`, with which the template ends, and the line break, with which that of SmolLM2 does.
    for (pad, template) in [(2, Some(template)), (198, None), (198, Some(template))] {
        let config = json!({
            "architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
            "tie_word_embeddings": false, "pad_token_id": pad,
        });
        let Some(dir) = llama(&config) else { return };
        let dir = dir.path();
        add_score_layer(dir);
        if let Some(template) = template {
            fs::write(dir.join("chat_template.jinja"), template).unwrap();
        }
        // An answer of nothing, and one that ends with line breaks.
        let more = json!({"prompt": "Hi\n", "candidates": ["", "Two\n\n", "\n"], "id": 10});
        write_rows(&dir.join("sets.jsonl"), requests().into_iter().chain([more]));
        let found = ranked(dir);
        if let Some(expected) = transformers(dir) {
            assert_near("a reward model that pads", &found, &expected, 5e-5);
        }

        // The same layer as a head of ours keeps the token.
        let device = dph_core::device("flex").unwrap();
        let files = ModelFiles::open(dir).unwrap();
        let (head, config) = dph_model::stored_head(&files, &device).unwrap().unwrap();
        assert_eq!(config.ending, Ending::Unpadded(pad));
        let layer = ScoreLayer::new(&head, &config).unwrap();
        let out = dir.join("out");
        convert_with_score(&files, &layer, &out, &ConvertOptions::default()).unwrap();
        fs::copy(dir.join("sets.jsonl"), out.join("sets.jsonl")).unwrap();
        assert_near("written again", &ranked(&out), &found, 1e-6);
    }
}

/// A directory with a tiny Llama and a head that is one linear layer.
fn with_head(standardise: bool) -> Option<TempDir> {
    let dir = llama(&json!({"tie_word_embeddings": true, "pad_token_id": 2}))?;
    let device = dph_core::device("flex").unwrap();
    let config = PreferenceHeadConfig { standardise, ..PreferenceHeadConfig::new(D_MODEL, 48) };
    let statistics =
        (0..4).map(|row| (0..D_MODEL).map(|i| ((row * 31 + i) as f32).sin() + 0.3).collect::<Vec<f32>>());
    let head = noisy(config.init(7, &device)).with_statistics(statistics);
    head.save(&config, dir.path()).unwrap();
    Some(dir)
}

#[test]
fn a_linear_head_is_a_reward_model_of_transformers() {
    for standardise in [false, true] {
        let Some(dir) = with_head(standardise) else { return };
        let device = dph_core::device("flex").unwrap();
        let ours = ranked(dir.path());
        let (head, config) = PreferenceHead::load(dir.path(), &device).unwrap();
        let layer = ScoreLayer::new(&head, &config).unwrap();
        let out = dir.path().join("out");
        let files = ModelFiles::open(dir.path()).unwrap();
        convert_with_score(&files, &layer, &out, &ConvertOptions::default()).unwrap();
        write_requests(&out);
        assert!(!out.join("preference_head.json").exists());
        let json: Value = serde_json::from_slice(&fs::read(out.join("config.json")).unwrap()).unwrap();
        assert_eq!(json["architectures"], json!(["LlamaForSequenceClassification"]));
        assert_eq!(json["id2label"], json!({"0": "preference"}));
        // The end-of-turn token, with which SmolLM2 pads, must be read.
        assert_ne!(json["pad_token_id"], json!(2));
        let offset = layer.offsets().next().unwrap().1;
        assert_eq!(offset != 0.0, standardise);

        assert_near("our own reading", &ranked(&out), &ours, 1e-5);
        if let Some(expected) = transformers(&out) {
            let with_offset: Vec<Vec<f64>> = expected
                .iter()
                .map(|rewards| rewards.iter().map(|reward| reward + f64::from(offset)).collect())
                .collect();
            assert_near("a head of ours in transformers", &ours, &with_offset, 1e-4);
        }
    }
}

#[test]
fn what_is_not_linear_is_refused_with_the_reason() {
    let device = dph_core::device("flex").unwrap();
    let reason = |config: PreferenceHeadConfig| {
        ScoreLayer::new(&config.init(1, &device), &config).unwrap_err().to_string()
    };
    let config = PreferenceHeadConfig::new(D_MODEL, 48);
    let pooled = PreferenceHeadConfig { pooling: PoolingKind::SwigluBert, ..config.clone() };
    assert!(reason(pooled).contains("its pooling is \"swiglu-bert\""));
    let layer = Aggregation { layers: Layer::At(2).into(), ..Aggregation::default() };
    assert!(reason(PreferenceHeadConfig { aggregation: layer, ..config }).contains("it reads the layers 2"));
}

#[test]
fn generated_answers_have_the_rewards_of_the_whole_conversation() {
    // A language model with a value head, as TRL writes it.
    let Some(dir) = llama(&json!({"tie_word_embeddings": true})) else { return };
    let dir = dir.path();
    change_tensors(dir, |tensors| {
        let weight = (0..D_MODEL).flat_map(|i| ((i as f32 * 0.9).cos() / 2.0).to_le_bytes()).collect();
        tensors.push(("v_head.summary.weight".into(), vec![1, D_MODEL], weight));
        tensors.push(("v_head.summary.bias".into(), vec![1], 0.25_f32.to_le_bytes().to_vec()));
    });
    let model = Model::open(dir, &dph_core::device("flex").unwrap()).unwrap();
    let prompt = model.tokenizer.prompt(&[Message::user("Hi")]).unwrap();
    let sampling = Sampling { temperature: 1.0, max_tokens: 4, ..Sampling::default() };
    let settings = BestOf { answers: 3, sampling, selection: Selection::Reward, ..BestOf::default() };
    let found = generate(&model, std::slice::from_ref(&prompt), &settings, &mut |_| {}).unwrap().remove(0);
    for answer in found.answers {
        let behind = model
            .tokenizer
            .token_id("<|im_end|>")
            .into_iter()
            .chain(model.tokenizer.encode_text("\n").unwrap());
        let tokens: Vec<u32> = answer.tokens.iter().copied().chain(behind).collect();
        let set = CandidateSet {
            prompt: prompt.clone(),
            candidates: vec![Candidate::new(tokens, 0)],
            ..CandidateSet::default()
        };
        let expected = score(&model, &[set], &Scoring::default(), &mut |_| {}).unwrap()[0][0].rewards[0];
        assert!((expected - answer.scores.rewards[0]).abs() < 1e-5, "{expected}, {:?}", answer.scores);
    }
    let rejecting = BestOf { rejection: Some(Rejection { every: 1, ..Rejection::default() }), ..settings };
    let error = generate(&model, &[prompt], &rejecting, &mut |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("reads the last token of the whole conversation, so rejection is not possible"),
        "{error}"
    );
}
