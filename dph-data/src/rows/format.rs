//! [`Format`]: the formats of files of rows.

use std::path::Path;

/// The format of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    JsonLines,
    Json,
    Csv,
    Tsv,
    Parquet,
    Text,
}

/// The formats by the extensions of their files.
pub(crate) const EXTENSIONS: [(&str, Format); 7] = [
    ("jsonl", Format::JsonLines),
    ("ndjson", Format::JsonLines),
    ("json", Format::Json),
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("parquet", Format::Parquet),
    ("txt", Format::Text),
];

/// The end of the name of a compressed file.
const GZIP: &str = ".gz";

/// What the name of a file says, in any case of its letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileName<'a> {
    /// The name without its extension.
    pub stem: &'a str,
    /// The extension, with `.gz`.
    pub extension: &'a str,
    pub format: Format,
    pub is_compressed: bool,
}

impl<'a> FileName<'a> {
    /// `None` if the file is not of a known format.
    pub(crate) fn parse(path: &'a Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let lower = name.to_ascii_lowercase();
        let plain = lower.strip_suffix(GZIP).unwrap_or(&lower);
        let is_compressed = plain.len() < lower.len();
        let (stem, extension) = plain.rsplit_once('.')?;
        let (_, format) = EXTENSIONS.into_iter().find(|(known, _)| *known == extension)?;
        if is_compressed && format == Format::Parquet {
            return None;
        }
        Some(Self { stem: &name[..stem.len()], extension: &name[stem.len() + 1..], format, is_compressed })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        let parse = |name| {
            FileName::parse(Path::new(name))
                .map(|name| (name.stem, name.extension, name.format, name.is_compressed))
        };
        assert_eq!(parse("x/Train.JSONL"), Some(("Train", "JSONL", Format::JsonLines, false)));
        assert_eq!(parse("a.b.csv.GZ"), Some(("a.b", "csv.GZ", Format::Csv, true)));
        for name in ["train", "train.gz", "train.md", "train.parquet.gz", ".."] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
