//! [`plan`]: which files of a repository hold the splits, and where they belong.

use std::collections::hash_map::{Entry, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use super::super::split_names::names_of;
use super::client::Client;
use super::error::HubProblem;
use super::event::FetchEvent;
use super::listing::{RemoteFile, list};
use crate::task::{HubFiles, HubSource, Task, extension};

/// A file to download.
pub(super) struct Wanted {
    pub remote: RemoteFile,
    /// Where it belongs.
    pub path: PathBuf,
}

/// The files of these splits that are not in the folder of the task.
pub(super) fn plan(
    task: &Task,
    source: &HubSource,
    splits: &[String],
    folder: &Path,
    client: &Client,
    notify: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<Vec<Wanted>, HubProblem> {
    let mut plan = Vec::new();
    match &source.files {
        HubFiles::Converted { configuration, .. } => {
            let listed = list(client, configuration, true, notify)?;
            for split in splits {
                let (name, files) = converted(configuration, &names_of(task, split), &listed)?;
                add(&mut plan, folder, &name, "parquet", files)?;
            }
        }
        HubFiles::Named(named) => {
            let mut folders: HashMap<&str, Vec<RemoteFile>> = HashMap::new();
            for split in splits {
                let mut files = Vec::new();
                for path in named.get(split).into_iter().flatten() {
                    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                    let listed = match folders.entry(parent) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(new) => new.insert(list(client, parent, false, notify)?),
                    };
                    let file = listed.iter().find(|file| file.path == *path);
                    files.push(file.cloned().ok_or_else(|| client.not_found(path, None))?);
                }
                let name = names_of(task, split).into_iter().next().unwrap_or_else(|| split.clone());
                let extension =
                    files.first().and_then(|file| extension(&file.path)).unwrap_or_default().to_owned();
                add(&mut plan, folder, &name, &extension, files)?;
            }
        }
    }
    Ok(plan)
}

/// The first of the names for which there are files, and these.
fn converted(
    configuration: &str,
    names: &[String],
    listed: &[RemoteFile],
) -> Result<(String, Vec<RemoteFile>), HubProblem> {
    let below = |split: &str| {
        let folder = format!("{configuration}/{split}/");
        let is_in = |file: &&RemoteFile| file.path.starts_with(&folder) && file.path.ends_with(".parquet");
        listed.iter().filter(is_in).cloned().collect::<Vec<_>>()
    };
    for name in names {
        let mut files = below(name);
        if !files.is_empty() {
            files.sort_by(|a, b| a.path.cmp(&b.path));
            return match gap(&files) {
                Some(file) => Err(HubProblem::MissingShard { split: name.clone(), file }),
                None => Ok((name.clone(), files)),
            };
        }
    }
    if let Some(partial) = names.iter().find(|name| !below(&format!("partial-{name}")).is_empty()) {
        return Err(HubProblem::Partial { split: partial.clone() });
    }
    let split = |file: &RemoteFile| {
        let path = file.path.strip_prefix(configuration)?.strip_prefix('/')?;
        Some(path.rsplit_once('/')?.0.to_owned())
    };
    let mut there: Vec<String> = listed.iter().filter_map(split).collect();
    there.sort();
    there.dedup();
    Err(HubProblem::NoSuchSplit { names: names.to_vec(), there })
}

/// The first file that is missing among files that are numbered from 0.
fn gap(files: &[RemoteFile]) -> Option<String> {
    let number = |file: &RemoteFile| file.path.rsplit('/').next()?.strip_suffix(".parquet")?.parse().ok();
    let numbers: Vec<usize> = files.iter().map(number).collect::<Option<_>>()?;
    let missing = numbers.iter().enumerate().position(|(place, &number)| place != number)?;
    Some(format!("{missing:04}.parquet"))
}

/// Adds the files of a split that are not there: `NAME.EXTENSION`, or shards, as the loader finds them.
fn add(
    plan: &mut Vec<Wanted>,
    folder: &Path,
    name: &str,
    extension: &str,
    files: Vec<RemoteFile>,
) -> Result<(), HubProblem> {
    let total = files.len();
    for (number, remote) in files.into_iter().enumerate() {
        let file = match total {
            1 => format!("{name}.{extension}"),
            _ => format!("{name}-{number:05}-of-{total:05}.{extension}"),
        };
        let path = folder.join(file);
        if path.is_dir() {
            let problem = io::Error::other("a directory is in its place; move it elsewhere");
            return Err(HubProblem::write(&path)(problem));
        }
        if !path.exists() && !plan.iter().any(|other| other.path == path) {
            plan.push(Wanted { remote, path });
        }
    }
    Ok(())
}
