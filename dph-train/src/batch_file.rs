//! [`BatchFile`]: numbers that a frozen model gives for many sets, computed once, kept on disk, and mapped into memory.
//!
//! The file holds f32 numbers, little-endian, and nothing else, in the order in which the batches are computed. That
//! order is a function of the sets alone, so a file that was interrupted is gone on with behind its last whole batch.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use dph_core::{Batch, CandidateSet, TargetTokens};
use dph_data::plan_set_batches;
use dph_model::Backbone;
use memmap2::Mmap;

use crate::{StageProgress, TrainError};

/// Padded tokens in a batch.
const TOKEN_BUDGET: usize = 4096;

/// The sets of a file as rows of batches.
pub(crate) struct BatchFile<'a> {
    backbone: &'a Backbone,
    /// Each set or, where the model's numbers depend on the length of a sequence, each candidate.
    pub rows: Cow<'a, [CandidateSet]>,
    /// The rows of every batch.
    pub plan: Vec<Vec<usize>>,
    targets: TargetTokens,
}

impl<'a> BatchFile<'a> {
    /// The rows and batches of `sets` for a model.
    pub fn new(backbone: &'a Backbone, sets: &'a [CandidateSet], targets: TargetTokens) -> Self {
        let rows: Cow<[CandidateSet]> = match backbone.is_packable() {
            true => sets.into(),
            false => sets.iter().flat_map(CandidateSet::one_by_one).collect(),
        };
        let plan = plan_set_batches(&rows, TOKEN_BUDGET);
        Self { backbone, rows, plan, targets }
    }

    /// A name for the file: the hash of everything its numbers depend on. `what` says what they are.
    pub fn key(what: &str, model_hash: &str, sets: &[CandidateSet]) -> String {
        let mut hash = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(what.as_bytes());
        part(&(TOKEN_BUDGET as u64).to_le_bytes());
        part(model_hash.as_bytes());
        let tokens =
            |tokens: &[u32]| tokens.iter().flat_map(|token| token.to_le_bytes()).collect::<Vec<u8>>();
        for set in sets {
            part(&tokens(&set.prompt));
            part(&(set.candidates.len() as u64).to_le_bytes());
            for candidate in &set.candidates {
                part(&tokens(&candidate.tokens));
            }
        }
        hash.finalize().to_hex()[..32].to_string()
    }

    /// The numbers, from the file if it is there, or computed and written to it.
    ///
    /// `floats` says how many a row has; `compute` gives those of the rows of a batch, one row behind the other.
    pub fn map(
        &self,
        path: &Path,
        label: &str,
        floats: impl Fn(&CandidateSet) -> usize,
        compute: impl Fn(&Batch) -> Result<Vec<f32>, TrainError>,
    ) -> Result<Mmap, TrainError> {
        let error = |source| TrainError::io(path, source);
        let bytes = |batch: &Vec<usize>| -> u64 {
            batch.iter().map(|&row| (floats(&self.rows[row]) * size_of::<f32>()) as u64).sum()
        };
        let sizes: Vec<u64> = self.plan.iter().map(bytes).collect();
        if !path.is_file() {
            let dir = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(dir).map_err(|source| TrainError::io(dir, source))?;
            let partial = path.with_extension("partial");
            self.write(&partial, label, &sizes, compute)?;
            fs::rename(&partial, path).map_err(error)?;
        }
        let file = File::open(path).map_err(error)?;
        let (length, expected) = (file.metadata().map_err(error)?.len(), sizes.iter().sum::<u64>());
        if length != expected {
            let message = format!("{length} bytes, expected {expected}; delete the file to compute it again");
            return Err(error(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        // SAFETY: these files are written under another name and never changed after they are renamed. Another
        // program that truncates one while it is mapped would crash this one; nobody can promise that none does.
        unsafe { Mmap::map(&file) }.map_err(error)
    }

    fn write(
        &self,
        partial: &Path,
        label: &str,
        sizes: &[u64],
        compute: impl Fn(&Batch) -> Result<Vec<f32>, TrainError>,
    ) -> Result<(), TrainError> {
        let error = |source| TrainError::io(partial, source);
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(partial).map_err(error)?;
        let done = whole_batches(sizes, file.metadata().map_err(error)?.len());
        let length: u64 = sizes[..done].iter().sum();
        file.set_len(length).map_err(error)?;
        let mut writer = BufWriter::new(&file);
        writer.seek(SeekFrom::Start(length)).map_err(error)?;

        let tokens_of = |batches: Range<usize>| -> u64 {
            self.plan[batches].iter().flatten().map(|&row| self.rows[row].packed_len() as u64).sum()
        };
        let mut progress = StageProgress::new(label, "tokens");
        let mut tokens = tokens_of(0..done);
        progress.begin(tokens, tokens_of(0..self.plan.len()));
        let pad = self.backbone.pad_token();
        std::thread::scope(|scope| -> Result<(), TrainError> {
            let (sender, receiver) = sync_channel(2);
            scope.spawn(move || {
                for batch in &self.plan[done..] {
                    let rows = batch.iter().map(|&row| &self.rows[row]);
                    if sender.send(Batch::pack(rows, self.targets, pad)).is_err() {
                        return;
                    }
                }
            });
            for (index, batch) in receiver.iter().enumerate() {
                let bytes: Vec<u8> = compute(&batch)?.into_iter().flat_map(f32::to_le_bytes).collect();
                writer.write_all(&bytes).and_then(|()| writer.flush()).map_err(error)?;
                tokens += tokens_of(done + index..done + index + 1);
                progress.advance(tokens);
            }
            Ok(())
        })?;
        drop(writer);
        progress.finish();
        file.sync_all().map_err(error)
    }
}

/// How many batches of these sizes a file of this length holds completely.
fn whole_batches(sizes: &[u64], mut length: u64) -> usize {
    sizes
        .iter()
        .take_while(|&&bytes| {
            let whole = length >= bytes;
            length = length.saturating_sub(bytes);
            whole
        })
        .count()
}

/// A number of a mapped file.
pub(crate) fn number(map: &Mmap, place: usize) -> f32 {
    let at = place * size_of::<f32>();
    f32::from_le_bytes([map[at], map[at + 1], map[at + 2], map[at + 3]])
}
