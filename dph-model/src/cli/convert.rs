//! `dph-model convert`.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use dph_core::run_files::BACKBONE_FILE;
use dph_core::terminal::{Failure, say};
use dph_core::text_file::read_text;
use dph_core::{HeadFileError, PreferenceHead};
use dph_model::checkpoint::{ConvertOptions, Precision, ScoreLayer, convert_files, convert_with_score};
use dph_model::{ModelFiles, stored_head_config, stored_head_warnings};
use serde::Deserialize;

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

    /// Write the preference head as the layer `score` of a ...ForSequenceClassification of transformers, which then gives the same
    /// rewards. The head must read the last state of the last token, without a pooling function. OUT is read by this program as well
    #[arg(long)]
    sequence_classification: bool,

    /// With --sequence-classification: the language model of the head [default: the one of its training]
    #[arg(long, value_name = "DIR", requires = "sequence_classification")]
    backbone: Option<PathBuf>,

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
        let files = match self.sequence_classification {
            true => self.convert_head(&options)?,
            false => {
                let files = ModelFiles::open_on(&self.path, self.base.as_deref())?;
                let written = convert_files(&files, &self.out, &options)?;
                // A head that cannot be read is written all the same.
                let warnings = stored_head_warnings(&files).unwrap_or_default();
                warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
                written
            }
        };
        say(&format!("{}: {}", self.out.display(), files.join(", ")));
        Ok(())
    }

    /// Writes the model with its head as the layer `score`.
    fn convert_head(&self, options: &ConvertOptions) -> Result<Vec<String>, Failure> {
        let device = dph_core::device("flex")?;
        let (head, config) =
            PreferenceHead::load(&self.path, &device).map_err(|error| self.no_head(error))?;
        let score = ScoreLayer::new(&head, &config).map_err(|error| {
            Failure::request(format!("{}: {error}; rank with `dph-eval rank`", self.path.display()))
        })?;
        let (backbone, hash) = match &self.backbone {
            Some(backbone) => (backbone.clone(), None),
            None => backbone(&self.path)?,
        };
        let files = ModelFiles::open_on(&backbone, self.base.as_deref())?;
        if let Some(hash) = hash
            && files.content_hash()? != hash
        {
            return Err(Failure::request(format!(
                "{}: the model at {} has changed since the head was trained on it; name a copy of that model with --backbone",
                self.path.display(),
                backbone.display()
            )));
        }
        let written = convert_with_score(&files, &score, &self.out, options)?;
        for (name, offset) in score.offsets().filter(|(_, offset)| *offset != 0.0) {
            let side = if offset > 0.0 { "lower" } else { "higher" };
            say(&format!(
                "the rewards `{name}` of transformers are {side} by {}, as its layer has no bias; the order of answers is the same",
                offset.abs()
            ));
        }
        Ok(written)
    }

    /// The failure of a model whose head is in no files of its own.
    fn no_head(&self, error: HeadFileError) -> Failure {
        let files = ModelFiles::open_on(&self.path, self.base.as_deref());
        let other = files.ok().and_then(|files| stored_head_config(&files).ok()?);
        match (&error, other) {
            (HeadFileError::Missing { .. }, Some(_)) => Failure::request(format!(
                "{}: the head of this model is a layer of another trainer; `dph-model convert` without --sequence-classification writes the model with it",
                self.path.display()
            )),
            _ => error.into(),
        }
    }
}

/// The language model that the export of a head refers to, with its hash, or the directory itself.
fn backbone(dir: &Path) -> Result<(PathBuf, Option<String>), Failure> {
    #[derive(Deserialize)]
    struct Reference {
        path: PathBuf,
        hash: String,
    }
    let file = dir.join(BACKBONE_FILE);
    let failed = |error: &dyn std::error::Error| Failure::request(format!("{}: {error}", file.display()));
    let json = match read_text(&file) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((dir.into(), None)),
        Err(error) => return Err(failed(&error)),
    };
    let Reference { path, hash } = serde_json::from_str(&json).map_err(|error| failed(&error))?;
    Ok((dir.canonicalize().unwrap_or_else(|_| dir.into()).join(path), Some(hash)))
}
