//! Checkpoints: model, optimiser, scheduler and validation history of a round. A checkpoint is always complete.
//!
//! burn writes the three records from three threads. They are written into one temporary directory, which is renamed when all
//! of them are written and synced, so a killed process leaves only complete checkpoints. The directories are named
//! `step-<n>`; only the last one and the best one are kept.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::optim::OptimizerRecord;
use burn::optim::lr_scheduler::LrSchedulerRecord;
use burn::store::ModuleRecord;
use burn::train::checkpoint::{
    Checkpoint, Checkpointer, CheckpointerError, CheckpointingAction, CheckpointingStrategy,
};
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use serde::{Deserialize, Serialize};

use dph_core::{TrainingMetric, best_index};

use crate::error::TrainError;

/// A record of a checkpoint and the name of its file.
pub(crate) trait Part: Checkpoint {
    const FILE: &'static str;
}

impl Part for ModuleRecord {
    const FILE: &'static str = "model.bpk";
}

impl Part for OptimizerRecord {
    const FILE: &'static str = "optimiser.bpk";
}

impl Part for LrSchedulerRecord {
    const FILE: &'static str = "schedule.bpk";
}

/// The number of parts of a complete checkpoint.
const PARTS: usize = 3;
const HISTORY_FILE: &str = "validation.json";

/// The checkpoints of a stage. A clone is another handle to the same directory.
#[derive(Clone)]
pub(crate) struct CheckpointDir {
    dir: PathBuf,
    steps_per_round: usize,
    steps: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Rounds with a complete checkpoint.
    complete: Vec<usize>,
    /// The number of written parts of each incomplete round.
    pending: BTreeMap<usize, usize>,
    history: History,
}

/// The value of every validation so far. Higher is better.
#[derive(Default, Clone, Serialize, Deserialize)]
struct History {
    validations: Vec<(usize, f64)>,
}

impl History {
    /// The round with the best value, the first one if several are equal; `None` if all values are NaN.
    fn best(&self) -> Option<usize> {
        best_index(self.validations.iter().map(|(_, value)| *value)).map(|index| self.validations[index].0)
    }
}

impl CheckpointDir {
    /// Opens a directory, removes incomplete checkpoints of an interrupted run and finds the last checkpoint.
    pub fn open(dir: &Path, steps_per_round: usize, steps: usize) -> Result<Self, TrainError> {
        let error = |source| TrainError::io(dir, source);
        fs::create_dir_all(dir).map_err(error)?;
        let this = Self { dir: dir.into(), steps_per_round, steps, state: Arc::default() };
        let rounds = steps.div_ceil(steps_per_round);
        let mut complete: Vec<usize> =
            (1..=rounds).filter(|&round| this.path(round).join(HISTORY_FILE).is_file()).collect();
        for entry in fs::read_dir(dir).map_err(error)? {
            let path = entry.map_err(error)?.path();
            let is_step = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-"));
            let is_partial = path.extension().is_some_and(|extension| extension == "partial");
            // A killed run leaves checkpoints that are not completely written, or not completely removed.
            if is_partial || (is_step && !path.join(HISTORY_FILE).is_file()) {
                fs::remove_dir_all(&path).map_err(|source| TrainError::io(&path, source))?;
            }
        }
        let history = match complete.last() {
            Some(&round) => {
                let path = this.path(round).join(HISTORY_FILE);
                let json = fs::read(&path).map_err(|source| TrainError::io(&path, source))?;
                serde_json::from_slice(&json).map_err(|error| this.damaged(round, HISTORY_FILE, &error))?
            }
            None => History::default(),
        };
        complete.sort_unstable();
        *this.state() = State { complete, history, ..State::default() };
        Ok(this)
    }

    /// The last round with a complete checkpoint.
    pub fn last_round(&self) -> Option<usize> {
        self.state().complete.last().copied()
    }

    /// The round with the best validation.
    pub fn best_round(&self) -> Option<usize> {
        self.state().history.best()
    }

    /// The last step of a round.
    pub fn step(&self, round: usize) -> usize {
        (round * self.steps_per_round).min(self.steps)
    }

    /// Loads the weights of a round into a module.
    pub fn load_model<M: Module>(&self, module: M, round: usize) -> Result<M, TrainError> {
        let record: ModuleRecord =
            self.read(round).map_err(|error| self.damaged(round, ModuleRecord::FILE, &error))?;
        Ok(module.load_record(record))
    }

    /// Fails if a part of the checkpoint of a round cannot be read. burn would panic.
    pub fn check(&self, round: usize) -> Result<(), TrainError> {
        self.check_part::<ModuleRecord>(round)?;
        self.check_part::<OptimizerRecord>(round)?;
        self.check_part::<LrSchedulerRecord>(round)
    }

    /// Fails if a checkpoint is incomplete.
    pub fn finish(&self) -> Result<(), TrainError> {
        match self.state().pending.first_key_value() {
            None => Ok(()),
            Some((&round, _)) => Err(TrainError::Checkpoint {
                path: self.path(round),
                message: "training ended before the checkpoint was complete; run it again with --resume"
                    .into(),
            }),
        }
    }

    /// The directory of a round's checkpoint.
    pub fn path(&self, round: usize) -> PathBuf {
        self.dir.join(format!("step-{}", self.step(round)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<P: Part>(&self, round: usize) -> Result<P, CheckpointerError> {
        P::load(self.path(round).join(P::FILE))
    }

    fn check_part<P: Part>(&self, round: usize) -> Result<(), TrainError> {
        self.read::<P>(round).map(drop).map_err(|error| self.damaged(round, P::FILE, &error))
    }

    fn damaged(&self, round: usize, file: &str, error: &dyn std::fmt::Display) -> TrainError {
        let message = format!(
            "{file} is damaged ({error}); delete this directory and run again with --resume, which continues from an \
             earlier checkpoint or from the beginning of the stage"
        );
        TrainError::Checkpoint { path: self.path(round), message }
    }

    /// The temporary directory of a checkpoint.
    fn partial(&self, round: usize) -> PathBuf {
        self.path(round).with_extension("partial")
    }

    /// Writes one part of a checkpoint.
    fn write<P: Part>(&self, round: usize, record: P) -> Result<(), CheckpointerError> {
        let partial = self.partial(round);
        let path = partial.join(P::FILE);
        fs::create_dir_all(&partial).map_err(CheckpointerError::IOError)?;
        // Write directly to the file, since a copy of the model and the optimiser's state in memory is large.
        record.save(path.clone())?;
        fs::File::open(path).and_then(|file| file.sync_all()).map_err(CheckpointerError::IOError)
    }

    /// Completes a checkpoint whose parts are all written.
    fn complete(&self, round: usize, history: &History) -> io::Result<()> {
        let partial = self.partial(round);
        let mut file = fs::File::create(partial.join(HISTORY_FILE))?;
        file.write_all(&serde_json::to_vec(history)?)?;
        file.sync_all()?;
        fs::rename(&partial, self.path(round))?;
        fs::File::open(&self.dir)?.sync_all()
    }

    /// Removes all checkpoints except the given one and the best one.
    fn prune(&self, last: usize, state: &mut State) -> io::Result<()> {
        let best = state.history.best();
        for round in std::mem::take(&mut state.complete) {
            if round == last || Some(round) == best {
                state.complete.push(round);
            } else {
                fs::remove_dir_all(self.path(round))?;
            }
        }
        Ok(())
    }
}

impl<P: Part> Checkpointer<P> for CheckpointDir {
    fn save(&self, round: usize, record: P) -> Result<(), CheckpointerError> {
        self.state().pending.entry(round).or_default();
        let failed = |error: &dyn std::fmt::Display| {
            // The usual cause is a full disk, so the message gives the remedy.
            let path = self.path(round);
            CheckpointerError::Unknown(format!(
                "cannot write {}: {error}; free some disk space and continue with --resume, earlier checkpoints are intact",
                path.display()
            ))
        };
        self.write(round, record).map_err(|error| failed(&error))?;
        let mut state = self.state();
        let parts = state.pending.entry(round).or_default();
        *parts += 1;
        if *parts < PARTS {
            return Ok(());
        }
        self.complete(round, &state.history).map_err(|error| failed(&error))?;
        state.pending.remove(&round);
        state.complete.push(round);
        self.prune(round, &mut state).map_err(|error| failed(&error))
    }

    fn delete(&self, _round: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, round: usize) -> Result<P, CheckpointerError> {
        self.read(round)
    }
}

/// Saves a checkpoint after every round and records the validation of the round.
pub(crate) struct SaveEveryRound {
    checkpoints: CheckpointDir,
    best_by: Option<TrainingMetric>,
}

impl SaveEveryRound {
    /// Without `best_by`, no validation is recorded.
    pub fn new(checkpoints: CheckpointDir, best_by: Option<TrainingMetric>) -> Self {
        Self { checkpoints, best_by }
    }
}

impl CheckpointingStrategy for SaveEveryRound {
    fn checkpointing(&mut self, round: usize, store: &EventStoreClient) -> Vec<CheckpointingAction> {
        let value = self.best_by.and_then(|metric| {
            let value = store.find_metric(metric.name, round, Aggregate::Mean, &Split::Valid)?;
            Some(if metric.higher_is_better { value } else { -value })
        });
        if let Some(value) = value {
            self.checkpoints.state().history.validations.push((round, value));
        }
        vec![CheckpointingAction::Save]
    }
}
