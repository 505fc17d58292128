//! The files of a split in a folder: their names, and whether they are one set of files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use dph_core::terminal::numbers::listed;

use super::natural_order::natural_order;
use super::saved::is_saved;
use crate::rows::FileName;

/// Folders below that of a data set that may hold its files, as in repositories of the Hugging Face hub.
const INNER_FOLDERS: [&str; 2] = ["data", "default"];

/// A file of rows by its name.
struct SplitFile<'a> {
    /// The name of the split: `train` for `train-00000-of-00002-a09b74b3ef9c3b56.parquet`.
    name: &'a str,
    /// For a shard, its number and that of all shards.
    shard: Option<(usize, usize)>,
    extension: &'a str,
}

/// Files that belong together: their folder, extension and, if they are shards, what is known of their number.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SetKey {
    folder: PathBuf,
    extension: String,
    shards: Shards,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shards {
    None,
    Known(usize),
    /// `0000.parquet`, `0001.parquet` and so on.
    Numbered,
    /// Files of any names in the folder of a split, in the order of these.
    Named,
}

/// Why the files of a split are not clear.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    /// Two files or sets of shards.
    Several([String; 2]),
    /// Shards of one set that have different formats.
    Formats([String; 2]),
    /// A shard whose number is not below that of all shards.
    Beyond { path: PathBuf, number: usize, of: usize },
    /// The names of the shards that there are, and the number of one that is missing.
    Missing { there: Vec<PathBuf>, number: usize, of: Option<usize> },
}

/// The folders in which the files of a data set are looked for: the folder itself and the inner ones that there are.
pub(super) fn searched(folder: &Path) -> Vec<PathBuf> {
    let inner = INNER_FOLDERS.into_iter().flat_map(|inner| folders_named(folder, inner));
    std::iter::once(folder.to_owned()).chain(inner).collect()
}

/// The folders at a path below another one. Capitals and small letters are the same.
pub(super) fn folders_named(root: &Path, path: &str) -> Vec<PathBuf> {
    path.split('/').fold(vec![root.to_owned()], |found, name| {
        let inside = |folder: &PathBuf| {
            let named = |path: &PathBuf| {
                let own = path.file_name().and_then(|own| own.to_str());
                own.is_some_and(|own| own.eq_ignore_ascii_case(name)) && path.is_dir()
            };
            let mut inside: Vec<_> = entries(folder).into_iter().filter(named).collect();
            // The very name first.
            inside.sort_by_key(|path| (path.file_name() != Some(OsStr::new(name)), path.clone()));
            inside
        };
        match name {
            "" | "." => found,
            ".." => found.iter().map(|folder| folder.join(name)).collect(),
            _ => found.iter().flat_map(inside).collect(),
        }
    })
}

/// The name of the split that a file holds, without regard to the folder that it is in.
pub(super) fn split_name(file: &Path) -> Option<&str> {
    let parsed = SplitFile::parse(file)?;
    if is_number(parsed.name) { file.parent()?.file_name()?.to_str() } else { Some(parsed.name) }
}

/// The files of the split `name` in a folder, in their order; empty if there are none. Capitals and small letters are the same.
pub(super) fn split_files(folder: &Path, name: &str) -> Result<Vec<PathBuf>, Unclear> {
    let mut sets: BTreeMap<SetKey, Vec<(usize, PathBuf)>> = BTreeMap::new();
    // A task may name a file in a folder, as in `Adversarial/Manual`.
    let (folder, name) = match name.rsplit_once('/') {
        Some((inner, name)) => (folder.join(inner), name),
        None => (folder.to_owned(), name),
    };
    for folder in searched(&folder) {
        for path in entries(&folder) {
            let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if file_name.eq_ignore_ascii_case(name) && path.is_dir() && !is_saved(&path) {
                add_folder(&mut sets, &path);
            } else if let Some(file) = SplitFile::parse(&path)
                && file.name.eq_ignore_ascii_case(name)
                && path.is_file()
            {
                let (number, shards) = match file.shard {
                    Some((number, all)) => (number, Shards::Known(all)),
                    None => (0, Shards::None),
                };
                add(&mut sets, &path, number, file.extension, shards);
            }
        }
    }
    let mut sets = sets.into_iter().map(|(key, mut files)| {
        files.sort();
        (key, files)
    });
    match (sets.next(), sets.next()) {
        (Some((key, files)), None) => one_set(&key, files),
        (Some(first), Some(second)) => {
            let are_parts = are_parts(&first, &second);
            let both = [first, second].map(|(_, files)| described(&files));
            Err(if are_parts { Unclear::Formats(both) } else { Unclear::Several(both) })
        }
        (None, _) => Ok(Vec::new()),
    }
}

/// Adds the files in the folder of a split: those with numbers as their names or, if there are none, all.
fn add_folder(sets: &mut BTreeMap<SetKey, Vec<(usize, PathBuf)>>, folder: &Path) {
    let mut paths = entries(folder);
    // Names of hidden files, and of those that other programs leave beside their output.
    paths.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        !name.starts_with(['.', '_']) && path.is_file()
    });
    let name =
        |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    paths.sort_by(|one, other| natural_order(&name(one), &name(other)));
    let files: Vec<_> = paths.iter().filter_map(|path| Some((path, SplitFile::parse(path)?))).collect();
    let number = |file: &SplitFile<'_>| {
        file.name.parse::<usize>().ok().filter(|_| is_number(file.name) && file.shard.is_none())
    };
    let are_numbered = files.iter().any(|(_, file)| number(file).is_some());
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (path, file) in files {
        match (number(&file), file.shard) {
            (Some(number), _) => add(sets, path, number, file.extension, Shards::Numbered),
            _ if are_numbered => {}
            (None, Some((number, all))) => add(sets, path, number, file.extension, Shards::Known(all)),
            (None, None) => {
                let place = names.entry(file.extension.to_ascii_lowercase()).or_default();
                add(sets, path, *place, file.extension, Shards::Named);
                *place += 1;
            }
        }
    }
}

fn add(
    sets: &mut BTreeMap<SetKey, Vec<(usize, PathBuf)>>,
    path: &Path,
    number: usize,
    extension: &str,
    shards: Shards,
) {
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let key = SetKey { folder, extension: extension.to_ascii_lowercase(), shards };
    sets.entry(key).or_default().push((number, path.to_owned()));
}

/// The files of a set, if it is complete and has each file once.
fn one_set(key: &SetKey, files: Vec<(usize, PathBuf)>) -> Result<Vec<PathBuf>, Unclear> {
    let all = match key.shards {
        Shards::None => 1,
        Shards::Known(all) => all,
        Shards::Numbered => files.last().map_or(0, |(last, _)| last + 1),
        Shards::Named => files.len(),
    };
    if let Some([(_, first), (_, second)]) = files.array_windows().find(|[first, second]| first.0 == second.0)
    {
        return Err(Unclear::Several([first, second].map(|path| path.display().to_string())));
    }
    let of = matches!(key.shards, Shards::Known(_)).then_some(all);
    if let (Some(of), Some((number, path))) = (of, files.iter().find(|(number, _)| *number >= all)) {
        return Err(Unclear::Beyond { path: path.clone(), number: *number, of });
    }
    let missing = (0..all).find(|number| files.binary_search_by_key(number, |(number, _)| *number).is_err());
    let files: Vec<PathBuf> = files.into_iter().map(|(_, path)| path).collect();
    match missing {
        Some(number) => Err(Unclear::Missing { there: files, number, of }),
        None => Ok(files),
    }
}

/// Whether two sets are parts of one that differ in their format, not the same files in two formats.
fn are_parts(
    (key, files): &(SetKey, Vec<(usize, PathBuf)>),
    (other, others): &(SetKey, Vec<(usize, PathBuf)>),
) -> bool {
    let stem = |path: &PathBuf| FileName::parse(path).map(|name| name.stem.to_ascii_lowercase());
    let is_same = |(number, path): &(usize, PathBuf), (of_other, other): &(usize, PathBuf)| match key.shards {
        Shards::Named => stem(path) == stem(other),
        _ => number == of_other,
    };
    let is_twice = |file: &(usize, PathBuf)| others.iter().any(|other| is_same(file, other));
    key.shards != Shards::None
        && (&key.folder, &key.shards) == (&other.folder, &other.shards)
        && !files.iter().any(is_twice)
}

fn described(files: &[(usize, PathBuf)]) -> String {
    listed(files.iter().map(|(_, path)| path.display()), 1)
}

pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn is_number(name: &str) -> bool {
    name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_digit())
}

impl<'a> SplitFile<'a> {
    fn parse(path: &'a Path) -> Option<Self> {
        let FileName { stem, extension, .. } = FileName::parse(path)?;
        let (name, shard) = match Self::shard(stem) {
            Some((name, number, all)) => (name, Some((number, all))),
            None => (stem, None),
        };
        Some(Self { name, shard, extension })
    }

    /// The parts of `train-00000-of-00002` and `train-00000-of-00002-a09b74b3ef9c3b56`.
    fn shard(stem: &str) -> Option<(&str, usize, usize)> {
        const OF: &str = "-of-";
        let at = stem.to_ascii_lowercase().rfind(OF)?;
        let (number, all) = (&stem[..at], &stem[at + OF.len()..]);
        let (name, number) = number.rsplit_once('-')?;
        let all = match all.split_once('-') {
            Some((all, hash)) if hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => all,
            Some(_) => return None,
            None => all,
        };
        Some((name, number.parse().ok()?, all.parse().ok()?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_split_of_a_file() {
        for (file, split) in [
            ("x/train.jsonl", "train"),
            ("x/Dev.CSV", "Dev"),
            ("x/train-00000-of-00002-a09b74b3ef9c3b56.parquet", "train"),
            ("x/part-one-00001-of-00002.jsonl.gz", "part-one"),
            ("x/train/0000.parquet", "train"),
            ("x/one-of-two.jsonl", "one-of-two"),
            ("x/train-00000-of-00002-old.jsonl", "train-00000-of-00002-old"),
        ] {
            assert_eq!(split_name(Path::new(file)), Some(split), "{file}");
        }
        assert_eq!(split_name(Path::new("x/train.md")), None);
    }

    #[test]
    fn the_files_of_a_split() {
        let found = |files: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            for file in files {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            let text = |path: &Path| path.strip_prefix(folder.path()).unwrap().display().to_string();
            let prefix = format!("{}/", folder.path().display());
            match split_files(folder.path(), "train") {
                Ok(files) => files.iter().map(|path| text(path)).collect::<Vec<_>>().join(" "),
                Err(Unclear::Several(both)) => format!("both {}", both.join(", ").replace(&prefix, "")),
                Err(Unclear::Formats(both)) => format!("formats {}", both.join(", ").replace(&prefix, "")),
                Err(Unclear::Beyond { path, number, of }) => format!("{} is {number} of {of}", text(&path)),
                Err(Unclear::Missing { number, of, .. }) => format!("without {number} of {of:?}"),
            }
        };
        assert_eq!(found(&["train.md", "trains.jsonl", "test.jsonl", "train/x.md", "train/.x.jsonl"]), "");
        assert_eq!(found(&["TRAIN-00000-OF-00001.JSONL"]), "TRAIN-00000-OF-00001.JSONL");
        assert_eq!(
            found(&["train/part-b.jsonl", "train/part-a.jsonl", "train/_SUCCESS"]),
            "train/part-a.jsonl train/part-b.jsonl"
        );
        let numbered = ["train/10.csv", "train/0.csv", "train/9.csv"];
        assert_eq!(found(&numbered), "train/0.csv train/9.csv train/10.csv");
        assert_eq!(found(&["train/0000.parquet", "train/readme.txt"]), "train/0000.parquet");
        assert_eq!(found(&["train/x-1-of-2.csv"]), "without 0 of Some(2)");
        assert_eq!(found(&["train/a.jsonl", "train/b.csv"]), "formats train/b.csv, train/a.jsonl");
        assert_eq!(found(&["train/a.jsonl", "train/A.csv"]), "both train/A.csv, train/a.jsonl");
        assert_eq!(found(&["train/0000.csv", "train/0001.txt"]), "formats train/0000.csv, train/0001.txt");
        assert_eq!(
            found(&["train-0-of-2.csv", "train-1-of-2.txt"]),
            "formats train-0-of-2.csv, train-1-of-2.txt"
        );
        assert_eq!(
            found(&["train-0-of-1.csv", "train-0-of-1.txt"]),
            "both train-0-of-1.csv, train-0-of-1.txt"
        );
        assert_eq!(found(&["train-0-of-1.csv", "train-1-of-1.csv"]), "train-1-of-1.csv is 1 of 1");
        assert_eq!(found(&["train/x-7-of-3.csv"]), "train/x-7-of-3.csv is 7 of 3");
        assert_eq!(found(&["train-0-of-0.csv"]), "train-0-of-0.csv is 0 of 0");
        assert_eq!(found(&["TRAIN.Jsonl.gz"]), "TRAIN.Jsonl.gz");
        assert_eq!(
            found(&["data/train-1-of-2-ab.csv", "data/train-0-of-2-cd.csv"]),
            "data/train-0-of-2-cd.csv data/train-1-of-2-ab.csv"
        );
        assert_eq!(
            found(&["default/train/0001.parquet", "default/train/0000.parquet"]),
            "default/train/0000.parquet default/train/0001.parquet"
        );
        assert_eq!(found(&["Data/Train.JSONL"]), "Data/Train.JSONL");
        assert_eq!(found(&["DEFAULT/Train/0000.parquet"]), "DEFAULT/Train/0000.parquet");
        assert_eq!(found(&["Data/train.csv", "data/train.csv"]), "both Data/train.csv, data/train.csv");
        assert_eq!(found(&["train/0001.parquet"]), "without 0 of None");
        assert_eq!(found(&["train-00000-of-00003.tsv", "train-00002-of-00003.tsv"]), "without 1 of Some(3)");
        assert_eq!(found(&["train.json", "train.ndjson"]), "both train.json, train.ndjson");
        assert_eq!(found(&["train.json", "Train.json"]), "both Train.json, train.json");
        assert_eq!(found(&["train.csv", "data/train.csv"]), "both train.csv, data/train.csv");
        assert_eq!(
            found(&["train-0-of-1-aa.csv", "train-0-of-1-bb.csv"]),
            "both train-0-of-1-aa.csv, train-0-of-1-bb.csv"
        );
        assert_eq!(
            found(&["train-0-of-1.csv", "train-0-of-2.csv", "train-1-of-2.csv"]),
            "both train-0-of-1.csv, train-0-of-2.csv and 1 more"
        );
    }
}
