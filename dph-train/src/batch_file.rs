//! [`BatchFile`]: numbers that a frozen model gives for many sets, computed once, kept on disk, and mapped into memory.
//!
//! One pass over the model can fill several files, each with other numbers for the same sets. A file holds f32 numbers,
//! little-endian, and nothing else, in the order in which the batches are computed. That order is a function of the sets
//! alone, so files that were interrupted are gone on with behind their last whole batch.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use dph_core::{Batch, CandidateSet, TargetTokens};
use dph_data::plan_set_batches;
use dph_model::Backbone;
use memmap2::Mmap;

use crate::{StageProgress, TrainError};

/// Padded tokens in a batch.
const TOKEN_BUDGET: usize = 4096;

/// The sets of a pass over a model as rows of batches.
pub(crate) struct BatchPass<'a> {
    backbone: &'a Backbone,
    /// Each set or, where the model's numbers depend on the length of a sequence, each candidate.
    pub rows: Cow<'a, [CandidateSet]>,
    /// The rows of every batch.
    pub plan: Vec<Vec<usize>>,
    targets: TargetTokens,
}

/// A file of such a pass.
pub(crate) struct BatchFile<'a> {
    /// Where it is.
    pub path: PathBuf,
    /// How many numbers a row has in it.
    pub floats: Box<dyn Fn(&CandidateSet) -> usize + 'a>,
}

impl<'a> BatchPass<'a> {
    /// The rows and batches of `sets` for a model.
    pub fn new(backbone: &'a Backbone, sets: &'a [CandidateSet], targets: TargetTokens) -> Self {
        let rows: Cow<[CandidateSet]> = match backbone.is_packable() {
            true => sets.into(),
            false => sets.iter().flat_map(CandidateSet::one_by_one).collect(),
        };
        let plan = plan_set_batches(&rows, TOKEN_BUDGET);
        Self { backbone, rows, plan, targets }
    }

    /// A name for a file: the hash of everything its numbers depend on. `what` says what they are.
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

    /// Computes those of `files` that are not there, in one pass.
    ///
    /// `compute` gives the numbers of a batch for every file in `missing`, places in `files`: one row behind the other.
    pub fn fill(
        &self,
        files: &[BatchFile<'_>],
        label: &str,
        compute: impl Fn(&Batch, &[usize]) -> Result<Vec<Vec<f32>>, TrainError>,
    ) -> Result<(), TrainError> {
        let missing: Vec<usize> = (0..files.len()).filter(|&file| !files[file].path.is_file()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let partials = missing.iter().map(|&file| Partial::open(&files[file], self.sizes(&files[file])));
        let mut partials = partials.collect::<Result<Vec<_>, _>>()?;
        // All of them go on where the shortest one ends.
        let done = partials.iter().map(Partial::whole_batches).min().unwrap_or(0);
        partials.iter_mut().try_for_each(|partial| partial.cut(done))?;

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
                for (partial, floats) in partials.iter_mut().zip(compute(&batch, &missing)?) {
                    partial.append(&floats)?;
                }
                tokens += tokens_of(done + index..done + index + 1);
                progress.advance(tokens);
            }
            Ok(())
        })?;
        progress.finish();
        partials.into_iter().try_for_each(Partial::finish)
    }

    /// Maps a file that [`fill`](Self::fill) has computed.
    pub fn map(&self, file: &BatchFile<'_>) -> Result<Mmap, TrainError> {
        let error = |source| TrainError::io(&file.path, source);
        let opened = File::open(&file.path).map_err(error)?;
        let (length, expected) =
            (opened.metadata().map_err(error)?.len(), self.sizes(file).iter().sum::<u64>());
        if length != expected {
            let message = format!("{length} bytes, expected {expected}; delete the file to compute it again");
            return Err(error(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        // SAFETY: these files are written under another name and never changed after they are renamed. Another
        // program that truncates one while it is mapped would crash this one; nobody can promise that none does.
        unsafe { Mmap::map(&opened) }.map_err(error)
    }

    /// Bytes of every batch in a file.
    fn sizes(&self, file: &BatchFile<'_>) -> Vec<u64> {
        let bytes = |batch: &Vec<usize>| -> u64 {
            batch.iter().map(|&row| ((file.floats)(&self.rows[row]) * size_of::<f32>()) as u64).sum()
        };
        self.plan.iter().map(bytes).collect()
    }
}

/// A file under the name that it has until it is whole.
struct Partial {
    whole: PathBuf,
    path: PathBuf,
    writer: BufWriter<File>,
    /// Bytes of every batch.
    sizes: Vec<u64>,
}

impl Partial {
    fn open(file: &BatchFile<'_>, sizes: Vec<u64>) -> Result<Self, TrainError> {
        let dir = file.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir).map_err(|source| TrainError::io(dir, source))?;
        let path = file.path.with_extension("partial");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let writer = BufWriter::new(opened.map_err(|source| TrainError::io(&path, source))?);
        Ok(Self { whole: file.path.clone(), path, writer, sizes })
    }

    /// How many batches it holds completely.
    fn whole_batches(&self) -> usize {
        let mut length = self.writer.get_ref().metadata().map_or(0, |metadata| metadata.len());
        let whole = self.sizes.iter().take_while(|&&bytes| {
            let whole = length >= bytes;
            length = length.saturating_sub(bytes);
            whole
        });
        whole.count()
    }

    /// Leaves so many batches in it, to write on behind them.
    fn cut(&mut self, batches: usize) -> Result<(), TrainError> {
        let length = self.sizes[..batches].iter().sum();
        let cut = self.writer.get_ref().set_len(length);
        cut.and_then(|()| self.writer.seek(SeekFrom::Start(length)).map(drop))
            .map_err(|error| self.error(error))
    }

    fn append(&mut self, floats: &[f32]) -> Result<(), TrainError> {
        let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
        self.writer.write_all(&bytes).and_then(|()| self.writer.flush()).map_err(|error| self.error(error))
    }

    fn finish(self) -> Result<(), TrainError> {
        let synced = self.writer.get_ref().sync_all().and_then(|()| fs::rename(&self.path, &self.whole));
        synced.map_err(|error| self.error(error))
    }

    fn error(&self, source: io::Error) -> TrainError {
        TrainError::io(&self.path, source)
    }
}

/// A number of a mapped file.
pub(crate) fn number(map: &Mmap, place: usize) -> f32 {
    let at = place * size_of::<f32>();
    f32::from_le_bytes([map[at], map[at + 1], map[at + 2], map[at + 3]])
}
