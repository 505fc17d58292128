//! Finds the artifacts that several variants of a sweep share.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dph_eval::BASE;
use serde::Serialize;

use crate::error::TrainError;
use crate::experiment::sweep::Variant;
use crate::experiment::{Experiment, Trainable};

/// A new model or a stage of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Artifact {
    /// `base`, or the stage's name.
    pub name: String,
    /// A hash of all settings that affect the artifact. Artifacts with the same key are identical.
    pub key: String,
}

impl Artifact {
    /// The name of the artifact's directory in `shared/`.
    pub fn directory(&self) -> String {
        format!("{}-{}", self.name, &self.key[..12])
    }
}

/// The artifacts of every variant, in the order in which they are created. `data` is the root of the data sets for experiments
/// without `data`. `hash` returns the hash of the model at a path, for an adapter on this base; it is called once for each.
pub(super) fn artifacts(
    variants: &[Variant],
    data: &Path,
    hash: impl Fn(&Path, Option<&Path>) -> Result<String, TrainError>,
) -> Result<Vec<Vec<Artifact>>, TrainError> {
    let mut hashes: HashMap<(PathBuf, Option<PathBuf>), String> = HashMap::new();
    let mut hash = |path: &Path, base: Option<&Path>| {
        let key = (path.to_owned(), base.map(Path::to_owned));
        if let Some(hash) = hashes.get(&key) {
            return Ok(hash.clone());
        }
        let hash = hash(path, base)?;
        hashes.insert(key, hash.clone());
        Ok(hash)
    };
    variants.iter().map(|variant| of_experiment(&variant.experiment, data, &mut hash)).collect()
}

/// The artifacts that several variants have, without duplicates.
pub(super) fn shared(artifacts: &[Vec<Artifact>]) -> Vec<&Artifact> {
    let mut counts: Vec<(&Artifact, usize)> = Vec::new();
    for artifact in artifacts.iter().flatten() {
        match counts.iter_mut().find(|(other, _)| *other == artifact) {
            Some((_, count)) => *count += 1,
            None => counts.push((artifact, 1)),
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(artifact, _)| artifact).collect()
}

fn of_experiment(
    experiment: &Experiment,
    data: &Path,
    mut hash: impl FnMut(&Path, Option<&Path>) -> Result<String, TrainError>,
) -> Result<Vec<Artifact>, TrainError> {
    let model = &experiment.model;
    let mut chain = Chain::default();
    chain.add(&experiment.seed).add(&experiment.device).add(&experiment.data.as_deref().unwrap_or(data));
    chain.add(&model.chat).add(&model.precision);
    let mut artifacts = Vec::new();
    match &model.path {
        Some(path) => chain.add(&hash(path, model.base.as_deref())?),
        None => chain.add(&model.new).add(&model.tokenizer),
    };
    // A new model, and an adapter that is merged into its base, are directories of the run.
    if model.path.is_none() || model.base.is_some() {
        artifacts.push(Artifact { name: BASE.into(), key: chain.key() });
    }
    for stage in &experiment.stages {
        let trainable = experiment.trainable(stage);
        chain.add(stage).add(&trainable);
        if trainable == Trainable::Lora {
            chain.add(&model.lora);
        }
        if stage.objective.trains_head() {
            chain.add(&experiment.head);
        }
        artifacts.push(Artifact { name: stage.name.clone(), key: chain.key() });
    }
    Ok(artifacts)
}

/// An incremental hash of settings.
#[derive(Default)]
struct Chain(blake3::Hasher);

impl Chain {
    fn add(&mut self, setting: &impl Serialize) -> &mut Self {
        // Settings that were parsed from a file can always be serialised.
        let json = serde_json::to_vec(setting).unwrap_or_default();
        self.0.update(&(json.len() as u64).to_le_bytes()).update(&json);
        self
    }

    fn key(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::experiment::sweep::{axes, expand};

    /// The names of the artifacts of each variant. The same artifact has the same number.
    fn numbered(sweep: &str) -> Vec<Vec<String>> {
        numbered_of(include_str!("../../../experiments/quickstart.toml"), sweep)
    }

    fn numbered_of(experiment: &str, sweep: &str) -> Vec<Vec<String>> {
        let text = format!("{experiment}\n[sweep]\n{sweep}\n");
        let sweep = expand(&text, Path::new(""), axes(&text).unwrap()).unwrap();
        let artifacts =
            artifacts(&sweep.variants, Path::new("data"), |_, _| unreachable!("the model is new")).unwrap();
        let mut known: Vec<Artifact> = Vec::new();
        let mut number = |artifact: &Artifact| {
            let at =
                known.iter().filter(|other| other.name == artifact.name).position(|other| other == artifact);
            let at = at.unwrap_or_else(|| {
                known.push(artifact.clone());
                known.iter().filter(|other| other.name == artifact.name).count() - 1
            });
            format!("{}{at}", artifact.name)
        };
        artifacts.iter().map(|artifacts| artifacts.iter().map(&mut number).collect()).collect()
    }

    #[test]
    fn stages_are_shared_if_all_their_predecessors_are() {
        assert_eq!(
            numbered("\"head.pooling\" = [\"identity\", \"bert\"]"),
            [["base0", "pretrain0", "sft0", "dph0"], ["base0", "pretrain0", "sft0", "dph1"]]
        );
        assert_eq!(
            numbered("\"stage.sft.steps\" = [1, 2]"),
            [["base0", "pretrain0", "sft0", "dph0"], ["base0", "pretrain0", "sft1", "dph1"]]
        );
        let frozen = r#"
            name  = "frozen"
            model = { new = { model_type = "lswt" }, tokenizer = "world" }
            stage = [{ name = "dph", objective = { dph = {} }, steps = 1, batch = 1, mix = { world = 1.0 } }]
        "#;
        let precisions = numbered_of(frozen, "\"model.precision\" = [\"f32\", \"bf16\"]");
        assert_ne!(precisions[0][1], precisions[1][1]);
        let seeds = numbered("seed = [1, 2]\n\"head.bias\" = [false, true]");
        assert_eq!(seeds[1], ["base0", "pretrain0", "sft0", "dph1"]);
        assert_eq!(seeds[2], ["base1", "pretrain1", "sft1", "dph2"]);
        // Settings of the evaluation do not affect artifacts.
        assert_eq!(numbered("\"eval.limit\" = [1, 2]")[1], ["base0", "pretrain0", "sft0", "dph0"]);
        // Settings of adapters only affect stages that train adapters.
        assert_eq!(numbered("\"model.lora.rank\" = [4, 8]")[1], ["base0", "pretrain0", "sft0", "dph0"]);
        assert_eq!(
            numbered("\"model.lora.rank\" = [4, 8]\n\"stage.sft.trainable\" = [\"lora\"]")[1],
            ["base0", "pretrain0", "sft1", "dph1"]
        );
    }
}
