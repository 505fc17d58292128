//! The run directory: all files of one experiment.
//!
//! ```text
//! runs/<name>/  experiment.toml  the original file     resolved.toml  with all default values
//!               manifest.json    versions, hashes      metrics.jsonl  one line per step
//!               provenance.json  the data of each stage and evaluation
//!               base/            a new model           checkpoints/<stage>/
//!               <stage>/         the exported model    results.json  documents.jsonl  report.md  report.html
//!               evaluations/<stage>/   results.json and documents.jsonl after a stage
//!               events.out.tfevents.*  the metrics for TensorBoard
//! ```
//!
//! A stage writes to a temporary directory, which is renamed when the stage is finished.
//!
//! The directory of a sweep contains a run for each variant and the shared stages:
//!
//! ```text
//! runs/<name>/  experiment.toml  resolved.toml  manifest.json  results.json (of all)  report.md  report.html
//!               <variant>/       a run          shared/<stage>-<hash>/<stage>/
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use dph_eval::{Manifest, RESOLVED_FILE as RESOLVED};

use crate::atomic::write_atomically;
use crate::data::record::DataRecord;
use crate::error::TrainError;
use crate::experiment::Experiment;
use crate::run::provenance::{Artifact, Provenance};

/// A run directory with a lock, so that only this process writes to it.
pub(crate) struct RunDir {
    dir: PathBuf,
    /// Held until the run is finished. `None` if the directory does not exist and is only compared with.
    _lock: Option<File>,
}

/// What a run directory is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// A new run: an existing run is moved to the first free name of the form `<name>.old-<n>`.
    New,
    /// An interrupted run of the same experiment, which is continued, or else a new run.
    Resume,
    /// As for `Resume`, but only to find out whether the run can be continued. Nothing is written.
    Compare,
}

impl RunDir {
    /// Whether a directory contains a run.
    pub fn exists(dir: &Path) -> bool {
        dir.join(RESOLVED).is_file()
    }

    /// Opens the directory of a run.
    pub fn open(
        dir: &Path,
        experiment: &Experiment,
        source: &str,
        access: Access,
    ) -> Result<Self, TrainError> {
        let error = |source| TrainError::io(dir, source);
        let resolved = toml::to_string(experiment)
            .map_err(|source| error(io::Error::new(io::ErrorKind::InvalidData, source)))?;
        if Self::exists(dir) {
            let lock = lock(dir)?;
            if access != Access::New {
                same_experiment(dir, &resolved)?;
                if access == Access::Resume && !experiment.sweep.is_empty() {
                    write_atomically(&dir.join("experiment.toml"), source.as_bytes())?;
                    write_atomically(&dir.join(RESOLVED), resolved.as_bytes())?;
                }
                return Ok(Self { dir: dir.into(), _lock: Some(lock) });
            }
            let aside = (1..).map(|n| PathBuf::from(format!("{}.old-{n}", dir.display())));
            if let Some(aside) = aside.into_iter().find(|aside| !aside.exists()) {
                fs::rename(dir, &aside).map_err(error)?;
                tracing::info!("moved the earlier run to {}", aside.display());
            }
        }
        if access == Access::Compare {
            if dir.exists() {
                refuse_other_files(dir)?;
            }
            return Ok(Self { dir: dir.into(), _lock: None });
        }
        fs::create_dir_all(dir).map_err(|source| TrainError::NotCreated { dir: dir.into(), source })?;
        refuse_other_files(dir)?;
        let lock = lock(dir)?;
        // First the file by which a run is recognised.
        write_atomically(&dir.join(RESOLVED), resolved.as_bytes())?;
        write_atomically(&dir.join("experiment.toml"), source.as_bytes())?;
        Ok(Self { dir: dir.into(), _lock: Some(lock) })
    }

    /// Opens a directory for artifacts that several runs share.
    pub fn shared(dir: &Path, access: Access) -> Result<Self, TrainError> {
        if access == Access::Compare {
            return Ok(Self { dir: dir.into(), _lock: None });
        }
        fs::create_dir_all(dir).map_err(|source| TrainError::io(dir, source))?;
        Ok(Self { dir: dir.into(), _lock: Some(lock(dir)?) })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The experiment with all default values, as TOML.
    pub fn resolved(&self) -> Result<String, TrainError> {
        let path = self.dir.join(RESOLVED);
        fs::read_to_string(&path).map_err(|source| TrainError::io(&path, source))
    }

    /// The checkpoints of a stage.
    pub fn checkpoints(&self, stage: &str) -> PathBuf {
        self.dir.join("checkpoints").join(stage)
    }

    /// The directory `name` in the run, made of `data`. If it is not finished, `make` creates it: `make` writes to a temporary
    /// directory, which is renamed afterwards.
    pub fn once(
        &self,
        name: &str,
        data: &DataRecord,
        make: impl FnOnce(&Path) -> Result<(), TrainError>,
    ) -> Result<PathBuf, TrainError> {
        let path = self.dir.join(name);
        let mut provenance = Provenance::load(&self.dir)?;
        let earlier = provenance.get(name);
        if path.is_dir() {
            match earlier {
                Some(Artifact { finished: true, data: Some(_) }) => tracing::info!("{name}: already done"),
                Some(Artifact { finished: true, data: None }) => tracing::info!(
                    "{name}: already done by an earlier version, which did not record its data; they were not compared"
                ),
                _ => return Err(TrainError::NotAnExport { path }),
            }
            return Ok(path);
        }
        if earlier.is_none() && self.has_checkpoint(name) {
            tracing::info!(
                "{name}: begun by an earlier version, which did not record its data; they were not compared"
            );
        }
        let artifact = |finished| Artifact { finished, data: Some(data.clone()) };
        provenance.set(&self.dir, name, artifact(false))?;
        let partial = self.dir.join(format!("{name}.partial"));
        let error = |source| TrainError::io(&partial, source);
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(error)?;
        }
        fs::create_dir_all(&partial).map_err(error)?;
        make(&partial)?;
        // First the record: a directory without one was not made by this run.
        provenance.set(&self.dir, name, artifact(true))?;
        fs::rename(&partial, &path).map_err(error)?;
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(error)?;
        Ok(path)
    }

    /// Records the data of a file of the run, which is then written.
    pub fn record(&self, name: &str, data: &DataRecord) -> Result<(), TrainError> {
        let artifact = Artifact { finished: true, data: Some(data.clone()) };
        Provenance::load(&self.dir)?.set(&self.dir, name, artifact)
    }

    /// Fails if an artifact exists, complete or as a checkpoint, that used other data.
    pub fn check_data(&self, name: &str, now: &DataRecord) -> Result<(), TrainError> {
        if !self.dir.join(name).exists() && !self.has_checkpoint(name) {
            return Ok(());
        }
        let provenance = Provenance::load(&self.dir)?;
        let then = provenance.get(name).and_then(|artifact| artifact.data.as_ref());
        match then.and_then(|then| then.differences(now)) {
            None => Ok(()),
            Some(differences) => {
                Err(TrainError::OtherData { dir: self.dir.clone(), artifact: name.into(), differences })
            }
        }
    }

    fn has_checkpoint(&self, stage: &str) -> bool {
        fs::read_dir(self.checkpoints(stage)).is_ok_and(|mut entries| entries.next().is_some())
    }
}

/// A manifest with the program's version and the git revision of the working directory.
pub(crate) fn new_manifest() -> Manifest {
    let revision =
        Command::new("git").args(["rev-parse", "HEAD"]).output().ok().filter(|out| out.status.success());
    let git_revision = revision.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_string());
    Manifest { version: env!("CARGO_PKG_VERSION").into(), git_revision, ..Manifest::default() }
}

/// Fails if a directory without a run has files, which a run would overwrite or take for its own stages. What a run leaves that
/// was killed at its very start (hidden files) does not count.
fn refuse_other_files(dir: &Path) -> Result<(), TrainError> {
    let entries = fs::read_dir(dir).map_err(|source| TrainError::io(dir, source))?;
    let is_hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    match entries.flatten().any(|entry| !is_hidden(&entry.file_name())) {
        true => Err(TrainError::NotARun { dir: dir.into() }),
        false => Ok(()),
    }
}

fn lock(dir: &Path) -> Result<File, TrainError> {
    let path = dir.join(".lock");
    let file = File::create(&path).map_err(|source| TrainError::io(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(TrainError::Locked { dir: dir.into() }),
        Err(fs::TryLockError::Error(source)) => Err(TrainError::io(&path, source)),
    }
}

/// Fails if a run has other settings, and names the keys. The device and the root of the data may differ.
fn same_experiment(dir: &Path, resolved: &str) -> Result<(), TrainError> {
    let path = dir.join(RESOLVED);
    let damaged = |message: String| TrainError::Damaged { path: path.clone(), message };
    let earlier = fs::read_to_string(&path).map_err(|source| TrainError::io(&path, source))?;
    let table = |text: &str| text.parse::<toml::Table>().map_err(|error| damaged(error.message().into()));
    let (mut earlier, mut now) = (table(&earlier)?, table(resolved)?);
    if !earlier.contains_key("name") {
        return Err(damaged("the key `name` is missing".into()));
    }
    for run in [&mut earlier, &mut now] {
        run.remove("device");
        run.remove("data");
    }
    // The runs of a sweep are compared individually. The sweep itself may have new values.
    if earlier.contains_key("sweep") && now.contains_key("sweep") {
        return Ok(());
    }
    let mut differing = Vec::new();
    compare("", &toml::Value::Table(earlier), &toml::Value::Table(now), &mut differing);
    match differing.is_empty() {
        true => Ok(()),
        false => Err(TrainError::OtherExperiment { dir: dir.into(), differing }),
    }
}

fn compare(key: &str, a: &toml::Value, b: &toml::Value, differing: &mut Vec<String>) {
    let join = |part: &str| if key.is_empty() { part.to_string() } else { format!("{key}.{part}") };
    match (a, b) {
        (toml::Value::Table(a), toml::Value::Table(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for part in keys {
                match (a.get(part), b.get(part)) {
                    (Some(a), Some(b)) => compare(&join(part), a, b, differing),
                    _ => differing.push(join(part)),
                }
            }
        }
        (toml::Value::Array(a), toml::Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                let name = a.get("name").and_then(toml::Value::as_str);
                compare(&join(name.unwrap_or(&index.to_string())), a, b, differing);
            }
        }
        (a, b) if a == b => {}
        _ => differing.push(key.to_string()),
    }
}
