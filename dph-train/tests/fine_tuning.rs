//! Stages that train the language model, with the real binary.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use support::{metrics, set, small, succeed};

#[test]
fn dpo_and_head_are_trained_together_and_start_at_the_reference() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let changes = set(&[
        "head.standardise=false",
        "stage.dph.trainable=all",
        "stage.dph.objective={ dpo = {}, dph = {}, orpo = { weight = 0.1 }, kl = { weight = 0.1 } }",
        "stage.dph.optimiser={ lr = 1e-3, head = { lr_factor = 3.0 } }",
        "stage.dph.micro_batch=100",
    ]);
    succeed(&mut small(&run, &changes));
    let first = &metrics(&run, "dph", "train")[0];
    // Before the first update, the model equals the reference model, and all rewards of the head are equal.
    let ln_2 = std::f64::consts::LN_2;
    for (name, expected) in
        [("dpo/loss", ln_2), ("dpo/margin", 0.0), ("kl/loss", 0.0), ("dph/loss", 2.0 * ln_2)]
    {
        let value = first[name].as_f64().unwrap();
        assert!((value - expected).abs() < 1e-4, "{name} is {value}, not {expected}");
    }
    let last = metrics(&run, "dph", "train").pop().unwrap();
    assert!(last["dpo/margin"].as_f64().unwrap() > 0.0, "{last}");
    assert!(last["kl/loss"].as_f64().unwrap() > 0.0, "{last}");
    // The export contains model and head, and both are evaluated.
    for file in ["dph/model.safetensors", "dph/preference_head.safetensors", "results.json"] {
        assert!(run.join(file).is_file(), "{file}");
    }
}

#[test]
fn the_reference_is_computed_for_the_sets_that_the_steps_use() {
    let dir = tempfile::tempdir().unwrap();
    let run = |steps: usize| {
        let run = dir.path().join(format!("{steps}/run"));
        let steps = format!("stage.dph.steps={steps}");
        let changes = [
            "head.standardise=false",
            "stage.dph.trainable=all",
            "stage.dph.objective={ dpo = {}, dph = {} }",
            "stage.dph.batch=4",
            "stage.dph.validation.limit=0",
            "eval.after=[]",
            &steps,
        ];
        succeed(&mut small(&run, &set(&changes)));
        // One value for each candidate.
        let files =
            std::fs::read_dir(dir.path().join(steps.trim_start_matches("stage.dph.steps=")).join("features"));
        let values = files.unwrap().map(|file| file.unwrap().metadata().unwrap().len() / 4).sum::<u64>();
        (values, metrics(&run, "dph", "train"))
    };
    let (few, short) = run(2);
    let (more, long) = run(6);
    assert!(few > 0 && few <= 2 * 4 * 4, "{few} values for eight sets");
    assert!(few < more, "{few} and {more} values");
    assert_eq!(short.len(), 2);
    for (short, long) in short.iter().zip(&long) {
        assert_eq!(short["dpo/loss"], long["dpo/loss"]);
    }
}

#[test]
fn the_size_of_micro_batches_does_not_change_the_losses() {
    let dir = tempfile::tempdir().unwrap();
    let mut losses = Vec::new();
    for micro_batch in ["60", "100000"] {
        let run = dir.path().join(micro_batch);
        let micro_batch = format!("stage.dph.micro_batch={micro_batch}");
        let changes = [
            "head.standardise=false",
            "stage.dph.trainable=all",
            "stage.dph.objective={ dpo = {}, dph = {}, sft = {} }",
            &micro_batch,
        ];
        let changes = set(&changes);
        succeed(&mut small(&run, &changes));
        let steps = metrics(&run, "dph", "train");
        losses.push(steps.iter().map(|step| step["loss"].as_f64().unwrap()).collect::<Vec<_>>());
    }
    assert_eq!(losses[0].len(), losses[1].len());
    for (a, b) in losses[0].iter().zip(&losses[1]).take(5) {
        assert!((a - b).abs() < 1e-3 * a.abs(), "{a} and {b}");
    }
}

#[test]
fn regularisers_are_added_to_the_other_objectives() {
    let dir = tempfile::tempdir().unwrap();
    let run = |weight: f64| {
        let run = dir.path().join(weight.to_string());
        let sft = format!("stage.sft.objective={{ sft = {{}}, simctg = {{ weight = {weight} }} }}");
        let dph = format!("stage.dph.objective={{ dph = {{}}, orthogonality = {{ weight = {weight} }} }}");
        succeed(&mut small(&run, &set(&["stage.sft.micro_batch=200", &sft, &dph])));
        run
    };
    let (strong, weak) = (run(20.0), run(1e-6));
    let read = |run: &Path, stage: &str, name: &str| -> Vec<f64> {
        metrics(run, stage, "train").iter().map(|step| step[name].as_f64().unwrap()).collect()
    };
    for (stage, other, penalty) in
        [("sft", "sft/loss", "simctg/loss"), ("dph", "dph/loss", "orthogonality/loss")]
    {
        let [loss, other, of_strong] = ["loss", other, penalty].map(|name| read(&strong, stage, name));
        assert!((loss[0] - other[0] - 20.0 * of_strong[0]).abs() < 1e-4 * loss[0], "{stage}: {loss:?}");
        let of_weak = read(&weak, stage, penalty);
        assert!(of_strong.last() < of_weak.last(), "{penalty}: {of_strong:?} and {of_weak:?}");
    }
}

#[test]
fn a_penalty_keeps_the_rewards_near_the_likelihood() {
    let dir = tempfile::tempdir().unwrap();
    for trainable in ["none", "all"] {
        let read = |weight: f64, name: &str| {
            let run = dir.path().join(format!("{trainable}-{weight}"));
            let objective =
                format!("stage.dph.objective={{ dph = {{}}, likelihood = {{ weight = {weight} }} }}");
            let trainable = format!("stage.dph.trainable={trainable}");
            if !run.exists() {
                let changes =
                    [&objective, &trainable, "head.standardise=false", "stage.dph.optimiser={ lr = 1e-2 }"];
                succeed(&mut small(&run, &set(&changes)));
            }
            metrics(&run, "dph", "train").iter().map(|step| step[name].as_f64().unwrap()).collect::<Vec<_>>()
        };
        let [total, dph, penalty] = ["loss", "dph/loss", "likelihood/loss"].map(|name| read(20.0, name));
        // A new head has no rewards, so the penalty is the square of the differences of log-likelihoods.
        assert!(penalty[0] > 0.0 && (total[0] - dph[0] - 20.0 * penalty[0]).abs() < 1e-4 * total[0]);
        assert!(penalty.last() < read(1e-6, "likelihood/loss").last(), "{trainable}: {penalty:?}");
        let agreement = read(20.0, "likelihood/agreement");
        assert!(agreement.last() > agreement.first(), "{trainable}: {agreement:?}");
    }
}

/// A task with answers whose number of words and number of "yes" are known.
fn rated_task(dir: &Path) -> String {
    let row = |index: usize| {
        let (yes, words) = (index % 2, index % 3);
        let answer = [vec!["yes"; yes], vec!["word"; words], vec!["."]].concat().join(" ");
        serde_json::json!({ "prompt": format!("Question {index}?"), "answer": answer, "yes": yes, "words": words })
    };
    let rows: Vec<String> = (0..60).map(|index| row(index).to_string()).collect();
    std::fs::write(dir.join("rated.jsonl"), rows.join("\n")).unwrap();
    let task = dir.join("rated.toml");
    let text = "name = \"rated\"\nkind = \"instruction\"\nuser = \"{{ prompt }}\"\ntarget = \"{{ answer }}\"\n\
                attributes = { positive = \"yes\", wordy = \"words\" }\nfiles = { train = \"rated.jsonl\" }\n";
    std::fs::write(&task, text).unwrap();
    task.display().to_string()
}

#[test]
fn reward_heads_learn_the_attributes_with_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let mix = format!("stage.dph.mix={{ \"{}\" = 1.0 }}", rated_task(dir.path()));
    let common = [
        &mix,
        "stage.dph.steps=60",
        "stage.dph.optimiser={ lr = 1e-2 }",
        "stage.dph.objective={ steer = {} }",
        "head.standardise=false",
        "head.aggregation={ layers = \"last\", tokens = \"mean\" }",
        "head.pooling=swiglu-bert",
    ];
    for trainable in ["none", "all"] {
        let run = dir.path().join(trainable);
        let trainable = format!("stage.dph.trainable={trainable}");
        let changes = [&common[..], &[&trainable, "head.rewards=['positive', 'wordy']"]].concat();
        succeed(&mut small(&run, &set(&changes)));
        let losses: Vec<f64> =
            metrics(&run, "dph", "train").iter().map(|step| step["steer/loss"].as_f64().unwrap()).collect();
        assert!(losses.last().unwrap() < &(0.5 * losses[0]), "{trainable}: {losses:?}");
        let results = std::fs::read_to_string(run.join("results.json")).unwrap();
        assert!(results.contains("reward:positive") && results.contains("reward:wordy"));
    }
    let changes = [&common[..], &["head.rewards=['negative']"]].concat();
    let said = support::fail(&mut small(&dir.path().join("wrong"), &set(&changes)), 2);
    assert!(said.contains("`steer` needs the attributes negative"), "{said}");
}

#[test]
fn new_tokens_embeddings_adapters_and_frozen_parts() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let changes = set(&[
        "stage.sft.trainable=embeddings",
        "stage.sft.add_tokens=['<|hm|>']",
        "stage.dph.trainable=lora",
        "head.standardise=false",
        "stage.dph.objective={ dpo = {}, dph = {} }",
        "model.lora={ rank = 2, targets = ['att.proj'] }",
    ]);
    succeed(&mut small(&run, &changes));
    let tensors = |stage: &str| {
        let bytes = std::fs::read(run.join(stage).join("model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.iter()
            .map(|(name, view)| (name.to_string(), view.data().to_vec()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let (pretrain, sft, dph) = (tensors("pretrain"), tensors("sft"), tensors("dph"));
    let embedding = "model.input_embedding.embedding.weight";
    assert!(sft[embedding].len() > pretrain[embedding].len());
    assert!(std::fs::read_to_string(run.join("sft/tokenizer.json")).unwrap().contains("<|hm|>"));
    let is_embedding =
        |name: &str| name == embedding || name == "model.input_proj.weight" || name == "head_proj.weight";
    for (name, before) in &pretrain {
        assert_eq!(sft[name] != *before, is_embedding(name), "{name} after `sft`");
    }
    for (name, before) in &sft {
        let adapted = name.contains("att.proj_") && name.ends_with("weight");
        assert_eq!(dph[name] != *before, adapted, "{name} after `dph`");
    }
}
