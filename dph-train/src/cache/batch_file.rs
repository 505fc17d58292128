//! [`BatchFile`]: outputs of a frozen model for many sets. They are computed once, cached on disk and memory-mapped.
//!
//! One pass over the model can fill several files with different values for the same sets. A file contains only f32 values,
//! little-endian, in the order in which the batches are computed. This order depends only on the sets, so an interrupted
//! file is continued after its last complete batch.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use dph_core::{Batch, CandidateSet};
use dph_eval::Pass;
use dph_eval::pass::DEFAULT_TOKEN_BUDGET;
use memmap2::Mmap;
use serde::Serialize;

use crate::error::TrainError;
use crate::progress::StageProgress;

/// Maximum number of tokens in a batch, including padding. It determines the batches, so it is part of the name of a file.
pub(crate) const TOKEN_BUDGET: usize = DEFAULT_TOKEN_BUDGET;

/// A file that a pass over the model fills.
pub(crate) struct BatchFile<'a> {
    /// The path of the file.
    pub path: PathBuf,
    /// The number of values in the file for a row of a batch.
    pub floats: Box<dyn Fn(&CandidateSet) -> usize + 'a>,
}

/// The name of a file: the hash of everything that its values depend on. `content` describes the values; its JSON is hashed,
/// so it must contain a version and keep its serialised form.
pub(crate) fn file_key<'a>(
    content: &impl Serialize,
    model_hash: &str,
    sets: impl IntoIterator<Item = &'a CandidateSet>,
) -> String {
    let mut hash = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(&serde_json::to_vec(content).expect("a key has only fields that JSON can express"));
    part(&(TOKEN_BUDGET as u64).to_le_bytes());
    part(model_hash.as_bytes());
    let bytes = |tokens: &[u32]| tokens.iter().flat_map(|token| token.to_le_bytes()).collect::<Vec<u8>>();
    for set in sets {
        part(&bytes(&set.prompt));
        part(&(set.candidates.len() as u64).to_le_bytes());
        for candidate in &set.candidates {
            part(&bytes(&candidate.tokens));
            // Most candidates have no context of their own. Their key is that of versions without this field.
            if candidate.answer.start > 0 {
                part(&(candidate.answer.start as u64).to_le_bytes());
            }
        }
    }
    hash.finalize().to_hex()[..32].to_string()
}

/// Computes the missing `files` in one pass.
///
/// `compute` takes a batch and the indices of the missing files. It returns the values of the batch for each of these files,
/// row after row.
pub(crate) fn fill(
    pass: &Pass<'_>,
    files: &[BatchFile<'_>],
    label: &str,
    compute: impl Fn(&Batch, &[usize]) -> Result<Vec<Vec<f32>>, TrainError>,
) -> Result<(), TrainError> {
    let missing: Vec<usize> = (0..files.len()).filter(|&file| !files[file].path.is_file()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let partials = missing.iter().map(|&file| Partial::open(&files[file], batch_sizes(pass, &files[file])));
    let mut partials = partials.collect::<Result<Vec<_>, _>>()?;
    // All files continue at the end of the shortest one.
    let done = partials.iter().map(Partial::whole_batches).min().unwrap_or(0);
    partials.iter_mut().try_for_each(|partial| partial.cut(done))?;

    let mut progress = StageProgress::new(label, "tokens");
    let mut tokens = pass.tokens(0..done);
    progress.begin(tokens as u64, pass.tokens(0..pass.batches()) as u64);
    pass.run(done..pass.batches(), |index, batch| -> Result<(), TrainError> {
        for (partial, floats) in partials.iter_mut().zip(compute(batch, &missing)?) {
            partial.append(&floats)?;
        }
        tokens += pass.tokens(index..index + 1);
        progress.advance(tokens as u64);
        Ok(())
    })?;
    progress.finish();
    partials.into_iter().try_for_each(Partial::finish)
}

/// Maps a file that [`fill`] has computed.
pub(crate) fn map(pass: &Pass<'_>, file: &BatchFile<'_>) -> Result<Mmap, TrainError> {
    let error = |source| TrainError::io(&file.path, source);
    let opened = File::open(&file.path).map_err(error)?;
    let (length, expected) =
        (opened.metadata().map_err(error)?.len(), batch_sizes(pass, file).iter().sum::<u64>());
    if length != expected {
        let message = format!("{length} bytes, expected {expected}; delete the file to recompute it");
        return Err(error(io::Error::new(io::ErrorKind::InvalidData, message)));
    }
    // SAFETY: these files are written under a temporary name and never changed after they are renamed. Another
    // program that truncates a mapped file would crash this process; this cannot be prevented.
    unsafe { Mmap::map(&opened) }.map_err(error)
}

/// The size in bytes of every batch in a file.
fn batch_sizes(pass: &Pass<'_>, file: &BatchFile<'_>) -> Vec<u64> {
    let bytes = |batch| pass.rows(batch).map(|row| ((file.floats)(&row.set) * size_of::<f32>()) as u64).sum();
    (0..pass.batches()).map(bytes).collect()
}

/// An incomplete file under its temporary name.
struct Partial {
    whole: PathBuf,
    path: PathBuf,
    writer: BufWriter<File>,
    /// The size in bytes of every batch.
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

    /// The number of complete batches in the file.
    fn whole_batches(&self) -> usize {
        let mut length = self.writer.get_ref().metadata().map_or(0, |metadata| metadata.len());
        let whole = self.sizes.iter().take_while(|&&bytes| {
            let whole = length >= bytes;
            length = length.saturating_sub(bytes);
            whole
        });
        whole.count()
    }

    /// Truncates the file to `batches` batches and continues writing there.
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

/// The value at index `place` of a mapped file.
pub(crate) fn number(map: &Mmap, place: usize) -> f32 {
    let at = place * size_of::<f32>();
    f32::from_le_bytes([map[at], map[at + 1], map[at + 2], map[at + 3]])
}
