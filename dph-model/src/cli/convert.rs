//! `dph-model convert`.

use std::path::PathBuf;

use clap::Args;
use dph_core::terminal::{Failure, say};
use dph_model::ModelFiles;
use dph_model::checkpoint::{ConvertOptions, Precision, convert_files};

/// Bytes in a megabyte.
const MEGABYTE: u64 = 1_000_000;

/// Convert a model of any format to a directory in the layout of Hugging Face
///
/// Writes config.json, the weights as safetensors, and the tokenizer and the preference head, if there are any. A
/// weight that is NaN, infinite or too large for its new type is an error.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The model
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// The directory to write, which must be empty if it exists
    #[arg(value_name = "OUT")]
    out: PathBuf,

    /// The type of all weights: f32, f16 or bf16. By default types are not changed, except that the blocks of a GGUF
    /// file become f16
    #[arg(long, value_name = "TYPE")]
    dtype: Option<Precision>,

    /// Split the weights into files of at most this many megabytes, with an index
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    shard_size: Option<u64>,

    /// The base model of a PEFT adapter, which is merged into it [default: the one that adapter_config.json names]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,

    /// Accept weights that are NaN or infinite
    #[arg(long)]
    allow_nan: bool,
}

impl Convert {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let occupied = std::fs::read_dir(&self.out).is_ok_and(|mut files| files.next().is_some());
        if occupied || self.out.is_file() {
            return Err(Failure::request(format!(
                "{} exists and is not an empty directory; old and new weights would be mixed",
                self.out.display()
            )));
        }
        let options = ConvertOptions {
            precision: self.dtype,
            shard_bytes: self.shard_size.map(|size| size * MEGABYTE),
            allow_non_finite: self.allow_nan,
        };
        let files = ModelFiles::open_on(&self.path, self.base.as_deref())?;
        let files = convert_files(&files, &self.out, &options)?;
        say(&format!("{}: {}", self.out.display(), files.join(", ")));
        Ok(())
    }
}
