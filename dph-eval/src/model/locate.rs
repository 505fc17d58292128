//! From the path that a user gives to the one that holds a model.

use std::path::{Path, PathBuf};

use dph_model::ModelFiles;
use dph_model::checkpoint::ADAPTER_CONFIG_FILE;

use crate::model::error::ModelError;
use crate::model::manifest::Manifest;

/// The model or export that `dir` stands for: `dir` itself or, if it is a run, its last stage's export.
pub(crate) fn locate(dir: &Path) -> Result<PathBuf, ModelError> {
    let dir = &*dph_model::checkpoint::locate(dir)?;
    if dph_model::checkpoint::is_gguf(dir) {
        return Ok(dir.to_owned());
    }
    if !dir.is_dir() {
        if dir.exists() {
            // Its error says what is here, and names the directory of a file of a model.
            ModelFiles::open(dir)?;
        }
        return Err(ModelError::NotFound { dir: dir.to_owned() });
    }
    if holds_model(dir) {
        return Ok(dir.to_owned());
    }
    let Some(manifest) = Manifest::load(dir)? else {
        // Its error says what is here instead.
        ModelFiles::open(dir)?.config_json()?;
        return Ok(dir.to_owned());
    };
    let variants = [manifest.variants, manifest.models.into_values().collect()].concat();
    if !variants.is_empty() {
        return Err(ModelError::Sweep { dir: dir.to_owned(), variants });
    }
    let last = manifest.stages.iter().rev().map(|stage| dir.join(stage)).find(|export| holds_model(export));
    last.ok_or_else(|| ModelError::Unfinished { dir: dir.to_owned(), stages: manifest.stages })
}

fn holds_model(dir: &Path) -> bool {
    [dph_core::HEAD_CONFIG_FILE, "config.json", ADAPTER_CONFIG_FILE]
        .iter()
        .any(|file| dir.join(file).is_file())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::files::MANIFEST_FILE;

    #[test]
    fn a_run_stands_for_its_last_export() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path();
        let error =
            |dir: &Path| locate(dir).unwrap_err().to_string().replace(&run.display().to_string(), "RUN");
        assert!(error(&run.join("nowhere")).starts_with("RUN/nowhere: there is no such directory; "));
        assert!(error(run).starts_with("RUN/config.json does not exist; every model directory has one, or "));

        std::fs::write(run.join(MANIFEST_FILE), r#"{"stages": ["sft", "dph", "more"], "seed": 1}"#).unwrap();
        assert!(
            error(run)
                .starts_with("RUN: no stage of this run has been exported yet (looked for sft, dph, more)")
        );

        for (stage, file) in [("sft", "config.json"), ("dph", dph_core::HEAD_CONFIG_FILE)] {
            std::fs::create_dir(run.join(stage)).unwrap();
            std::fs::write(run.join(stage).join(file), "{}").unwrap();
            assert_eq!(locate(run).unwrap(), run.join(stage));
        }
        assert_eq!(locate(&run.join("sft")).unwrap(), run.join("sft"));

        std::fs::write(run.join(MANIFEST_FILE), r#"{"variants": ["form=a", "form=b"]}"#).unwrap();
        assert_eq!(
            error(run),
            "RUN: this is a sweep, which holds many models; name one of its variants: form=a, form=b"
        );
        std::fs::write(run.join(MANIFEST_FILE), r#"{"models": {"cola": "../task=cola"}}"#).unwrap();
        assert!(error(run).ends_with("name one of its variants: ../task=cola"));
        std::fs::write(run.join(MANIFEST_FILE), "{").unwrap();
        assert!(
            error(run).starts_with(
                "RUN/manifest.json: the file is damaged or was not written by this program: EOF"
            )
        );
    }
}
