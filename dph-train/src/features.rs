//! Features: the aggregated vectors of a frozen backbone, computed once, kept on disk, and mapped into memory.
//!
//! A feature file holds nothing but f32 vectors, little-endian, one for each candidate, in the order in which the
//! batches were computed. That order is a function of the sets alone, so a file that was interrupted is gone on with
//! behind its last whole batch. Its name is a hash of everything the numbers depend on: the backbone's files, the
//! tokens of every set, the aggregation and the layout of the batches.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use burn::tensor::Tensor;
use dph_core::{Aggregation, Batch, CandidateSet, TargetTokens};
use dph_data::plan_set_batches;
use dph_model::Backbone;
use memmap2::Mmap;

use crate::{StageProgress, TrainError};

/// Padded tokens in a batch.
const TOKEN_BUDGET: usize = 4096;
/// Raised when the meaning of a feature file changes.
const FORMAT: u32 = 1;

/// The features of a list of candidate sets. A clone is another handle on the same file.
#[derive(Clone)]
pub struct Features {
    map: Arc<Mmap>,
    d_model: usize,
    /// The number of candidates before each set.
    firsts: Arc<Vec<usize>>,
    /// The place of every candidate's vector in the file.
    places: Arc<Vec<usize>>,
}

impl Features {
    /// The features of `sets`, from the file in `dir` that holds them, or computed and written there.
    ///
    /// `model_hash` stands for the contents of the backbone's files.
    pub fn compute(
        dir: &Path,
        backbone: &Backbone,
        model_hash: &str,
        aggregation: &Aggregation,
        sets: &[CandidateSet],
        label: &str,
    ) -> Result<Self, TrainError> {
        let firsts = sets.iter().scan(0, |count, set| {
            let first = *count;
            *count += set.candidates.len();
            Some(first)
        });
        let firsts = firsts.collect();
        let path = dir.join(format!("{}.f32", key(model_hash, aggregation, sets)));
        let rows: Cow<[CandidateSet]> = match backbone.is_packable() {
            true => sets.into(),
            false => sets.iter().flat_map(CandidateSet::one_by_one).collect(),
        };
        let plan = plan_set_batches(&rows, TOKEN_BUDGET);
        let d_model = backbone.d_model();
        if !path.is_file() {
            fs::create_dir_all(dir).map_err(|source| TrainError::io(dir, source))?;
            let partial = path.with_extension("partial");
            let job = Job { backbone, aggregation, rows: &rows, plan: &plan, d_model };
            job.run(&partial, label)?;
            fs::rename(&partial, &path).map_err(|source| TrainError::io(&path, source))?;
        }
        Self::open(&path, d_model, firsts, places(&rows, &plan))
    }

    fn open(path: &Path, d_model: usize, firsts: Vec<usize>, places: Vec<usize>) -> Result<Self, TrainError> {
        let error = |source| TrainError::io(path, source);
        let file = File::open(path).map_err(error)?;
        let expected = (places.len() * d_model * size_of::<f32>()) as u64;
        let length = file.metadata().map_err(error)?.len();
        if length != expected {
            let message = format!("{length} bytes, expected {expected}; delete the file to compute it again");
            return Err(error(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        // SAFETY: feature files are written under another name and never changed after they are renamed. Another
        // program that truncates one while it is mapped would crash this one; nobody can promise that none does.
        let map = unsafe { Mmap::map(&file) }.map_err(error)?;
        Ok(Self { map: Arc::new(map), d_model, firsts: Arc::new(firsts), places: Arc::new(places) })
    }

    /// Size of a vector.
    pub fn d_model(&self) -> usize {
        self.d_model
    }

    /// Appends the vector of a candidate to `out`.
    pub fn read(&self, set: usize, candidate: usize, out: &mut Vec<f32>) {
        let width = self.d_model * size_of::<f32>();
        let start = self.places[self.firsts[set] + candidate] * width;
        let bytes = self.map[start..start + width].chunks_exact(4);
        out.extend(bytes.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    }
}

/// The place of every candidate of `rows`, in their order, in a file that is written batch by batch.
fn places(rows: &[CandidateSet], plan: &[Vec<usize>]) -> Vec<usize> {
    let mut starts = vec![0; rows.len()];
    let mut written = 0;
    for &row in plan.iter().flatten() {
        starts[row] = written;
        written += rows[row].candidates.len();
    }
    rows.iter().zip(starts).flat_map(|(row, start)| start..start + row.candidates.len()).collect()
}

/// The hash that names a feature file.
fn key(model_hash: &str, aggregation: &Aggregation, sets: &[CandidateSet]) -> String {
    let mut hash = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(&FORMAT.to_le_bytes());
    part(&(TOKEN_BUDGET as u64).to_le_bytes());
    part(model_hash.as_bytes());
    part(format!("{aggregation:?}").as_bytes());
    let tokens = |tokens: &[u32]| tokens.iter().flat_map(|token| token.to_le_bytes()).collect::<Vec<u8>>();
    for set in sets {
        part(&tokens(&set.prompt));
        part(&(set.candidates.len() as u64).to_le_bytes());
        for candidate in &set.candidates {
            part(&tokens(&candidate.tokens));
        }
    }
    hash.finalize().to_hex()[..32].to_string()
}

/// The computation of a feature file.
struct Job<'a> {
    backbone: &'a Backbone,
    aggregation: &'a Aggregation,
    rows: &'a [CandidateSet],
    plan: &'a [Vec<usize>],
    d_model: usize,
}

impl Job<'_> {
    fn run(&self, partial: &Path, label: &str) -> Result<(), TrainError> {
        let error = |source| TrainError::io(partial, source);
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(partial).map_err(error)?;
        let done = self.whole_batches(file.metadata().map_err(error)?.len());
        let length: u64 = self.plan[..done].iter().map(|batch| self.bytes(batch)).sum();
        file.set_len(length).map_err(error)?;
        let mut writer = BufWriter::new(&file);
        writer.seek(SeekFrom::Start(length)).map_err(error)?;

        let candidates = |batches: Range<usize>| -> u64 {
            self.plan[batches].iter().flatten().map(|&row| self.rows[row].packed_len() as u64).sum()
        };
        let mut progress = StageProgress::new(label, "tokens");
        let mut tokens = candidates(0..done);
        progress.begin(tokens, candidates(0..self.plan.len()));
        std::thread::scope(|scope| -> Result<(), TrainError> {
            let (sender, receiver) = sync_channel(2);
            scope.spawn(move || {
                for batch in &self.plan[done..] {
                    let rows = batch.iter().map(|&row| &self.rows[row]);
                    let packed = Batch::pack(rows, TargetTokens::None, self.backbone.pad_token());
                    if sender.send(packed).is_err() {
                        return;
                    }
                }
            });
            for (index, batch) in receiver.iter().enumerate() {
                let vectors = self.vectors(&batch)?;
                let bytes: Vec<u8> = vectors.into_data().iter::<f32>().flat_map(f32::to_le_bytes).collect();
                writer.write_all(&bytes).and_then(|()| writer.flush()).map_err(error)?;
                tokens += candidates(done + index..done + index + 1);
                progress.advance(tokens);
            }
            Ok(())
        })?;
        drop(writer);
        progress.finish();
        file.sync_all().map_err(error)
    }

    fn vectors(&self, batch: &Batch) -> Result<Tensor<2>, TrainError> {
        let mut states = self.backbone.hidden_states(batch, &[self.aggregation.layers])?;
        let states = states.pop().expect("one layer was asked for");
        Ok(self.aggregation.tokens.forward(states, batch))
    }

    fn bytes(&self, batch: &[usize]) -> u64 {
        let candidates: usize = batch.iter().map(|&row| self.rows[row].candidates.len()).sum();
        (candidates * self.d_model * size_of::<f32>()) as u64
    }

    /// How many batches a file of this length holds completely.
    fn whole_batches(&self, mut length: u64) -> usize {
        self.plan
            .iter()
            .take_while(|batch| {
                let bytes = self.bytes(batch);
                let whole = length >= bytes;
                length = length.saturating_sub(bytes);
                whole
            })
            .count()
    }
}
