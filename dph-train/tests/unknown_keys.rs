//! A misspelt or superfluous key in any table of an experiment is an error that points at its line.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;

use dph_train::{ExperimentError, ExperimentFile};
use support::{fail, said, small, succeed};
use toml_edit::{DocumentMut, Item, TableLike, value};

/// An experiment with every table that an experiment can have.
const EVERY_TABLE: &str = r#"
name = "x"
[model]
tokenizer = { task = "text", vocab = 300 }
[model.new]
model_type = "llama"
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 1
num_attention_heads = 2
[model.new.rope_parameters]
rope_type = "default"
rope_theta = 10000.0
[model.lora]
rank = 2
alpha = 4.0
[head]
standardise = false
[head.aggregation]
opening = 1
[head.aggregation.layers]
mean = [0, 1]
[head.aggregation.tokens.attention]
layers = ["self", "pool"]
repeats = 1
adapters = { rank = 1, alpha = 2.0 }
messages = { marked = { start = 1, end = 2, newline = 3, headers = true } }
[[stage]]
name = "dph"
trainable = "all"
steps = 2
[stage.mix]
world = 1.0
[stage.validation]
every = 1
limit = 5
[stage.schedule]
warmup = 1
floor = 0.5
[stage.optimiser]
lr = 1.0
betas = [0.1, 0.2]
[stage.optimiser.head]
lr_factor = 1.0
[stage.optimiser.pooler]
lr_factor = 1.0
[stage.batch_growth]
from = 1
steps = 1
[stage.objective]
dph = { form = "separable", label_smoothing = 0.1 }
dpo = { beta = 0.1, log_probs = "sum" }
orpo = { weight = 1.0 }
kl = { weight = 1.0, chosen_share = 0.5 }
sft = { weight = 1.0 }
simctg = { weight = 1.0, margin = 0.5 }
steer = { weight = 1.0 }
orthogonality = { weight = 1.0 }
[eval]
tasks = ["world"]
limit = 5
[sweep]
"head.dropout" = [0.1]
"#;

/// Tables whose keys are chosen by the user.
const OWN_KEYS: [&str; 2] = ["mix", "sweep"];

/// Tables with one key, the name of a choice.
const CHOICES: [&str; 2] = ["tokens", "messages"];

#[test]
fn a_key_that_is_misspelt_in_any_table_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.toml");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        ExperimentFile::read(&file, &[])
    };
    read(EVERY_TABLE).unwrap();
    let document: DocumentMut = EVERY_TABLE.parse().unwrap();
    let mut tables = Vec::new();
    list_tables(document.as_item(), &mut Vec::new(), &mut tables);
    assert!(tables.len() > 25, "{tables:?}");
    for path in tables {
        let mut changed = document.clone();
        let table = table_at(changed.as_item_mut(), &path);
        table.insert("zzz", value(1));
        let text = changed.to_string();
        let error = read(&text).expect_err(&text);
        let ExperimentError::Invalid(invalid) = &error else { panic!("{path:?}: {error}") };
        if path.last().is_some_and(|name| CHOICES.contains(&name.as_str())) {
            assert!(error.to_string().contains("must have exactly one key"), "{path:?}: {error}");
            continue;
        }
        let found = invalid.problems.iter().find(|problem| problem.message.contains("`zzz`"));
        let line = 1 + text.lines().position(|line| line.contains("zzz")).unwrap();
        assert_eq!(found.map(|problem| problem.line), Some(line), "{path:?}: {error}\n{text}");
    }
}

#[test]
fn the_nearest_key_is_suggested() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.toml");
    for (key, wrong) in [
        ("num_hidden_layers", "num_hiden_layers"),
        ("rope_theta", "rope_teta"),
        ("vocab", "vocb"),
        ("alpha", "alfa"),
        ("standardise", "standardize"),
        ("opening", "openin"),
        ("mean", "means"),
        ("repeats", "repeat"),
        ("newline", "new_line"),
        ("label_smoothing", "label-smoothing"),
        ("chosen_share", "chosenshare"),
        ("betas", "beta"),
        ("warmup", "warm_up"),
    ] {
        std::fs::write(&file, EVERY_TABLE.replacen(key, wrong, 1)).unwrap();
        let error = ExperimentFile::read(&file, &[]).unwrap_err().to_string();
        assert!(error.contains(&format!("did you mean `{key}`?")), "{error}");
    }
}

/// The paths of all tables below an item whose keys are fixed.
fn list_tables(item: &Item, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    if let Some(tables) = item.as_array_of_tables() {
        path.push("0".into());
        let first = Item::Table(tables.get(0).unwrap().clone());
        list_tables(&first, path, found);
        path.pop();
    }
    let Some(table) = item.as_table_like() else { return };
    if path.last().is_some_and(|name| OWN_KEYS.contains(&name.as_str())) {
        return;
    }
    found.push(path.clone());
    for (key, item) in table.iter() {
        path.push(key.into());
        list_tables(item, path, found);
        path.pop();
    }
}

fn table_at<'a>(item: &'a mut Item, path: &[String]) -> &'a mut dyn TableLike {
    let Some((key, rest)) = path.split_first() else { return item.as_table_like_mut().unwrap() };
    match item {
        Item::ArrayOfTables(tables) => {
            let table = tables.get_mut(key.parse().unwrap()).unwrap();
            match rest.split_first() {
                None => table,
                Some((key, rest)) => table_at(table.get_mut(key).unwrap(), rest),
            }
        }
        item => table_at(item.as_table_like_mut().unwrap().get_mut(key).unwrap(), rest),
    }
}

#[test]
fn a_new_model_has_only_keys_of_its_family() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    for dry_run in [&[][..], &["--dry-run"]] {
        let said = fail(small(&run, &["--set", "model.new.n_layer=3"]).args(dry_run), 2);
        assert!(said.contains("unknown field `n_layer` in `[model.new]`"), "{said}");
        assert!(said.contains("did you mean `n_layers`?"), "{said}");
        let said = fail(small(&run, &["--set", "model.new.n_layers=many"]).args(dry_run), 2);
        assert!(said.contains("invalid type: string \"many\", expected usize"), "{said}");
        assert!(!said.contains("at line"), "{said}");
        let said = fail(small(&run, &["--set", "model.new.model_type=lstw"]).args(dry_run), 2);
        assert!(said.contains("model_type `lstw` is not supported"), "{said}");
    }
    assert!(!run.exists());
}

#[test]
fn a_path_and_a_new_model_must_describe_the_same_model() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    succeed(&mut small(&made, &[]));
    let file = dir.path().join("both.toml");
    let train = |path: &Path, layers: usize, arguments: &[&str]| {
        let text = format!(
            "name = \"x\"\n[model]\npath = {path:?}\n[model.new]\nmodel_type = \"lswt\"\nvocab_size = 300\nd_vocab = 16\n\
             d_model = 32\nd_ffn = 64\nn_layers = {layers}\nn_heads = 2\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
        command.arg(&file).arg("--out").arg(dir.path().join("run")).args(arguments);
        command
    };
    let sft = made.join("sft");
    for dry_run in [&[][..], &["--dry-run"]] {
        let said = fail(&mut train(&sft, 2, dry_run), 2);
        assert!(said.contains("`path` and `new` describe different models (1 layer,"), "{said}");
        assert!(said.contains("both.toml:4:"), "{said}");
    }
    let output = said(&succeed(&mut train(&sft, 1, &["--dry-run"])));
    assert!(output.contains("not checked the values of the weights of"), "{output}");
    let nowhere = dir.path().join("nowhere");
    let output = said(&succeed(&mut train(&nowhere, 2, &["--dry-run"])));
    let message = format!("not checked there is no model {}: the forecast is", nowhere.display());
    assert!(output.contains(&message), "{output}");
    fail(&mut train(&nowhere, 2, &[]), 2);
}
