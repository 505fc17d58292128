//! Bad input gives a clear message with file, line and remedy, and the right exit status.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;

use support::{fail, quickstart, small, succeed};

/// `dph-train` on an experiment file with the given text.
fn train(dir: &Path, text: &str) -> Command {
    let file = dir.join("experiment.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    command.arg(&file).arg("--out").arg(dir.join("run"));
    command
}

/// The quickstart with one replaced text.
fn changed(from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(quickstart()).unwrap();
    assert!(text.contains(from), "the quickstart does not contain {from:?}");
    text.replacen(from, to, 1)
}

/// The number of the first line that contains a text.
fn line_of(text: &str, part: &str) -> usize {
    1 + text.lines().position(|line| line.contains(part)).unwrap()
}

#[test]
fn an_unknown_key_points_at_its_line_and_suggests_the_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let text = changed("pooling     = ", "poling      = ");
    let said = fail(&mut train(dir.path(), &text), 2);
    let place = format!("experiment.toml:{}:", line_of(&text, "poling"));
    assert!(said.contains("unknown field `poling`"), "{said}");
    assert!(said.contains("did you mean `pooling`?"), "{said}");
    assert!(said.contains(&place), "expected {place} in {said}");
    assert!(!dir.path().join("run").exists());
}

#[test]
fn a_wrong_type_points_at_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let text = changed("steps     = 300", "steps     = \"many\"");
    let said = fail(&mut train(dir.path(), &text), 2);
    let place = format!("experiment.toml:{}:", line_of(&text, "\"many\""));
    assert!(said.contains("invalid type: string \"many\", expected usize"), "{said}");
    assert!(said.contains(&place), "expected {place} in {said}");
}

#[test]
fn all_contradictions_are_reported_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let text = changed("label_smoothing = 0.1", "label_smoothing = 0.7");
    let text = text.replacen("mix       = { world = 1.0 }", "mix       = { word = 1.0 }", 1);
    let text = text.replacen("tasks = [\"world\"]", "tasks = [\"world\"]\nsuites = [\"gpt4al\"]", 1);
    let said = fail(&mut train(dir.path(), &text), 2);
    for (message, line) in [
        ("`label_smoothing` must be between 0 and 0.5", "label_smoothing"),
        ("there is no task `word`", "{ word = 1.0 }"),
        ("gpt4al", "gpt4al"),
    ] {
        let place = format!("experiment.toml:{}:", line_of(&text, line));
        assert!(said.contains(message) && said.contains(&place), "expected {message:?} at {place} in {said}");
    }
}

#[test]
fn overrides_are_checked_like_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    for (change, message) in [
        ("stage.dpo.steps=3", "there is no stage `dpo`; known: pretrain, sft, dph"),
        ("steps", "expected key=value"),
        ("head.poling=bert", "unknown field `poling`"),
        ("name.first=x", "`name` is not a table"),
    ] {
        let said = fail(&mut small(&run, &["--set", change]), 2);
        assert!(said.contains(message), "--set {change}: expected {message:?} in {said}");
    }
    let said = fail(&mut small(&run, &["--device", "gpu"]), 2);
    assert!(said.contains("unknown device `gpu`: this build knows flex"), "{said}");
}

#[test]
fn a_missing_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut nowhere = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    nowhere.arg("no/such/experiment.toml");
    assert!(fail(&mut nowhere, 2).contains("no/such/experiment.toml"));

    let text = "name = \"x\"\n[model]\npath = \"no/such/model\"\n";
    let said = fail(&mut train(dir.path(), text), 2);
    assert!(said.contains("no/such/model"), "{said}");
}

#[test]
fn damaged_models_are_named_with_file_and_tensor() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("made");
    succeed(&mut small(&run, &[]));
    let base = run.join("base");
    let experiment =
        |model: &Path| format!("name = \"x\"\n[model]\npath = {:?}\n[eval]\ntasks = [\"world\"]\n", model);
    let copy = |name: &str| {
        let to = dir.path().join(name);
        std::fs::create_dir(&to).unwrap();
        for file in std::fs::read_dir(&base).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
        to
    };

    let truncated = copy("truncated");
    let weights = truncated.join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 100]).unwrap();
    let said = fail(&mut train(dir.path(), &experiment(&truncated)), 1);
    assert!(said.contains("truncated/model.safetensors"), "{said}");

    let misshapen = copy("misshapen");
    let config = misshapen.join("config.json");
    let json = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, json.replace("\"d_ffn\": 64", "\"d_ffn\": 96")).unwrap();
    let said = fail(&mut train(dir.path(), &experiment(&misshapen)), 1);
    assert!(said.contains("ffn.fc1.weight"), "{said}");

    let missing = copy("missing");
    std::fs::remove_file(missing.join("model.safetensors")).unwrap();
    let said = fail(&mut train(dir.path(), &experiment(&missing)), 1);
    assert!(said.contains("model.safetensors"), "{said}");
}

#[test]
fn a_changed_backbone_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    succeed(&mut small(&run, &[]));
    let weights = run.join("sft/model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let error = match dph_eval::Model::open(&run, &dph_core::device("flex").unwrap()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("the changed backbone was accepted"),
    };
    assert!(error.contains("changed"), "{error}");
}

#[test]
fn invalid_data_stops_the_run_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let data = dir.path().join("data/arc_easy");
    std::fs::create_dir_all(&data).unwrap();
    let mix =
        ["--set", "stage.dph.mix={ arc_easy = 1.0 }", "--data", dir.path().join("data").to_str().unwrap()]
            .map(String::from);
    let mix: Vec<&str> = mix.iter().map(String::as_str).collect();

    let said = fail(&mut small(&run, &mix), 2);
    assert!(said.contains("arc_easy") && said.contains("train"), "{said}");
    for (rows, message) in
        [("", "empty"), ("{\"question\": \"Why?\"}\n", "train.jsonl:1"), ("not json\n", "train.jsonl:1")]
    {
        std::fs::write(data.join("train.jsonl"), rows).unwrap();
        let said = fail(small(&run, &mix).arg("--resume"), 2);
        assert!(said.contains(message) && said.contains("train.jsonl"), "{rows:?}: {said}");
    }
}

#[test]
fn a_dry_run_prints_a_forecast_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let output = succeed(&mut small(&run, &["--dry-run"]));
    let said = String::from_utf8_lossy(&output.stdout);
    for part in [
        "model ",
        "stage pretrain",
        "stage dph",
        "trains 32 parameters",
        "evaluation  20 questions",
        "memory ",
    ] {
        assert!(said.contains(part), "expected {part:?} in {said}");
    }
    assert!(!run.exists());
}

#[test]
fn a_forecast_needs_only_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(quickstart()).unwrap();
    let start = text.find("[model.new]").unwrap();
    let end = start + text[start..].find("\n[head]").unwrap();
    let text =
        (text[..start].to_string() + &text[end..]).replacen("tokenizer = \"world\"", "path = \"model\"", 1);
    let forecast = |config: &str| {
        std::fs::create_dir_all(dir.path().join("model")).unwrap();
        std::fs::write(dir.path().join("model/config.json"), config).unwrap();
        let mut command = train(dir.path(), &text);
        command.current_dir(dir.path()).arg("--dry-run");
        command
    };
    // The published configurations of Pythia-1.4B, LLaMA-13B and GPT-1.
    for (config, parameters) in [
        (
            r#"{"model_type": "gpt_neox", "vocab_size": 50304, "hidden_size": 2048, "intermediate_size": 8192,
                "num_hidden_layers": 24, "num_attention_heads": 16, "tie_word_embeddings": false}"#,
            "1,414,647,808 parameters",
        ),
        (
            r#"{"model_type": "llama", "vocab_size": 32000, "hidden_size": 5120, "intermediate_size": 13824,
                "num_hidden_layers": 40, "num_attention_heads": 40, "tie_word_embeddings": false}"#,
            "13,015,864,320 parameters",
        ),
        (r#"{"model_type": "openai-gpt", "vocab_size": 40478}"#, "116,534,784 parameters"),
    ] {
        let output = succeed(&mut forecast(config));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(parameters) && said.contains("data or tokenizer not found"), "{said}");
    }
    // BERT-large cannot be a backbone.
    let bert = r#"{"model_type": "bert", "vocab_size": 30522, "hidden_size": 1024, "intermediate_size": 4096,
        "num_hidden_layers": 24, "num_attention_heads": 16, "architectures": ["BertForMaskedLM"]}"#;
    let said = fail(&mut forecast(bert), 2);
    assert!(
        said.contains("an encoder of 335141888 parameters") && said.contains("cannot be a backbone"),
        "{said}"
    );
}

#[test]
fn help_is_stable() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
    let output = succeed(command.arg("--help").env_remove("DPH_DATA"));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_names_the_last_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    // The learning rate of `sft` is far too high.
    let changes = ["stage.sft.optimiser.lr=1e30", "stage.sft.schedule={ warmup = 0 }", "stage.sft.clip=0"];
    let changes: Vec<&str> = changes.iter().flat_map(|change| ["--set", change]).collect();
    let said = fail(&mut small(&run, &changes), 1);
    assert!(said.contains("stage `sft`: the loss of step"), "{said}");
    assert!(said.contains("is not finite") && said.contains("Its batch contains the sets"), "{said}");
    assert!(said.contains("a lower `lr`"), "{said}");
    // The earlier stage is complete, and the failed stage exports nothing.
    assert!(run.join("pretrain/model.safetensors").is_file());
    assert!(!run.join("sft").exists());
}

#[test]
fn a_stage_that_may_not_fit_is_a_warning_and_runs() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let output = succeed(&mut small(&run, &["--set", "stage.sft.micro_batch=100000000000"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("stage `sft` may need about"), "{said}");
    assert!(said.contains("a smaller `micro_batch`"), "{said}");
    assert!(run.join("results.json").is_file());
    let forecast = succeed(&mut small(&run, &["--set", "stage.sft.micro_batch=100000000000", "--dry-run"]));
    let said = String::from_utf8_lossy(&forecast.stdout);
    assert!(said.contains("warning     stage `sft` may need about"), "{said}");
}

#[test]
fn weights_that_do_not_fit_into_memory_are_rejected_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let large = ["model.new.d_model=65536", "model.new.n_heads=64", "model.new.n_layers=4000"];
    let large: Vec<&str> = large.iter().flat_map(|change| ["--set", change]).collect();
    let said = fail(&mut small(&run, &large), 2);
    assert!(said.contains("the weights of the model need"), "{said}");
    assert!(!run.exists());
    // A forecast still prints the cost.
    let forecast = succeed(small(&run, &large).arg("--dry-run"));
    let said = String::from_utf8_lossy(&forecast.stdout);
    assert!(said.contains("warning     the weights of the model need"), "{said}");
}

#[test]
fn a_head_that_does_not_fit_its_model_is_rejected_before_the_first_stage() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let wrong = [
        (
            "head.aggregation.layers=77",
            "there is no layer 77: the layers of this model are 0 (the embedding) to 1",
        ),
        (
            "head.aggregation.layers={ weighted = [1, 9] }",
            "there is no layer 9: the layers of this model are 0 (the embedding) to 1",
        ),
        (
            "head.aggregation.tokens={ attention = { layers = [\"pool\"], heads = 7 } }",
            "7 attention `heads` do not divide hidden states of size 32",
        ),
    ];
    let frozen = &["--set", "head.standardise=false"][..];
    let all = &["--set", "head.standardise=false", "--set", "stage.dph.trainable=all"];
    let lora = &["--set", "head.standardise=false", "--set", "stage.dph.trainable=lora"];
    for (change, message) in wrong {
        for stage in [frozen, all, lora] {
            for dry_run in [&[][..], &["--dry-run"]] {
                let said = fail(small(&run, &["--set", change]).args(stage).args(dry_run), 2);
                assert!(said.contains(message), "{change} {stage:?} {dry_run:?}: {said}");
            }
        }
    }
    assert!(!run.exists());
}

#[test]
fn patterns_and_data_of_later_stages_are_checked_before_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    for (changes, message) in [
        (&["--set", "stage.sft.freeze=[\"layers.99.\"]"][..], "no tensor name matches `layers.99.`"),
        (
            &["--set", "stage.sft.trainable=lora", "--set", "model.lora.targets=[\"norm\"]"],
            "cannot have an adapter",
        ),
        (&["--set", "stage.dph.mix={ arc_easy = 1.0 }"], "found no rows of `arc_easy`, split `train`"),
        (&["--set", "eval.split=tset"], "the synthetic task `world` has no split `tset`"),
        (
            &["--set", "stage.dph.mix={ world_chat = 1.0 }"],
            "has no set in `train` that this objective can use",
        ),
        (&["--set", "head.pooling={ projection = 0 }"], "`projection` must be between 1 and 65536"),
        (&["--set", "head.pooling={ projection = 1000000000000 }"], "`projection` must be between 1 and"),
        (&["--set", "eval.tasks=[\"piqa\"]"], "found no rows of `piqa`, split `test`"),
    ] {
        let said = fail(&mut small(&run, changes), 2);
        assert!(said.contains(message), "{changes:?}: {said}");
        assert!(!run.exists(), "{changes:?} created a run directory");
    }
}

#[test]
fn a_tokenizer_or_context_that_does_not_fit_the_model_is_rejected_before_the_first_stage() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    for (change, message) in [
        ("model.new.vocab_size=20", "the tokenizer belongs to another model"),
        ("model.new.rope_positions=2", "has no room for an answer"),
    ] {
        for dry_run in [&[][..], &["--dry-run"]] {
            let said = fail(small(&run, &["--set", change]).args(dry_run), 2);
            assert!(said.contains(message), "{change} {dry_run:?}: {said}");
        }
    }
    assert!(!run.exists());
}

/// Runs `--dry-run` on every experiment of the repository, without model and data.
#[test]
fn every_experiment_has_a_dry_run_without_model_and_data() {
    let dir = tempfile::tempdir().unwrap();
    // Some experiments name a task by its path from the root of the repository.
    let root = dir.path().join("experiments");
    let experiments = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments");
    std::os::unix::fs::symlink(experiments, &root).unwrap();
    let mut count = 0;
    for folder in ["", "paper", "small"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            count += 1;
            let mut command = Command::new(env!("CARGO_BIN_EXE_dph-train"));
            command.arg(&file).arg("--dry-run").current_dir(dir.path()).env_remove("DPH_DATA");
            let output = succeed(&mut command);
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("model ") && said.contains("stage "), "{}: {said}", file.display());
            let is_whole = file.ends_with("quickstart.toml");
            assert_eq!(said.contains("not checked"), !is_whole, "{}: {said}", file.display());
        }
    }
    assert!(count >= 12, "only {count} experiments were found");
}

#[test]
fn contradictions_of_objective_and_trainable_are_reported_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(quickstart()).unwrap();
    let text = text.replacen("objective = { dph = {", "objective = { dpo = { beta = 0 }, dph = {", 1);
    let text = text.replacen("name      = \"sft\"\n", "name      = \"sft\"\nadd_tokens = [\"<|x|>\"]\n", 1);
    let text = text.replacen(
        "trainable = \"all\"\nobjective = { sft = {} }\nsteps     = 100",
        "trainable = \"lora\"\nobjective = { sft = {} }\nsteps     = 100",
        1,
    );
    let text = text.replacen(
        "objective = { sft = {} }",
        "objective = { sft = {}, orthogonality = {}, likelihood = {} }",
        1,
    );
    let said = fail(&mut train(dir.path(), &text), 2);
    for part in [
        "`orthogonality` regularises the matrices of a head",
        "`likelihood` is a penalty on the rewards of `dph`",
        "`dpo` trains the language model, which is frozen in this stage",
        "`beta` must be greater than 0",
        "adapters do not change the embeddings",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn a_directory_with_other_files_is_refused_and_left_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    std::fs::create_dir_all(run.join("dph")).unwrap();
    std::fs::write(run.join("report.md"), "mine").unwrap();
    let said = fail(&mut small(&run, &[]), 2);
    assert!(said.contains("is not empty and contains no run"), "{said}");
    assert_eq!(std::fs::read_to_string(run.join("report.md")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(&run).unwrap().count(), 2);
}

#[test]
fn a_model_without_a_tokenizer_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("made");
    succeed(&mut small(&run, &[]));
    let model = run.join("sft");
    std::fs::remove_file(model.join("tokenizer.json")).unwrap();
    let text = format!("name = \"x\"\n[model]\npath = {model:?}\n[eval]\ntasks = [\"world\"]\n");
    let said = fail(&mut train(dir.path(), &text), 2);
    assert!(said.contains("sft/tokenizer.json"), "{said}");
}
