//! Real data and real models, where they are.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::say::say;

/// The root of the real data sets: `DPH_DATA`, without it `shared/data` beside the workspace.
pub fn data_root() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    found(std::env::var_os("DPH_DATA").map_or_else(beside, PathBuf::from), "REAL DATA", "DPH_DATA")
}

/// A file of the real data sets.
pub fn data_file(name: &str) -> Option<PathBuf> {
    found(data_root()?.join(name), "REAL DATA", "DPH_DATA")
}

/// A folder of the inputs that other tools choke on: below `DPH_CASE_FILES`, without it `../shared/cases`.
pub fn case_folder(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases");
    let root = std::env::var_os("DPH_CASE_FILES").map_or_else(beside, PathBuf::from);
    found(root.join(name), "CASE FILES", "DPH_CASE_FILES")
}

/// SmolLM2-135M-Instruct: `DPH_SMOLLM2`, without it `~/.cache/dph/models/SmolLM2-135M-Instruct`.
pub fn smollm2() -> Option<PathBuf> {
    let cached = || std::env::home_dir().unwrap_or_default().join(".cache/dph/models/SmolLM2-135M-Instruct");
    found(std::env::var_os("DPH_SMOLLM2").map_or_else(cached, PathBuf::from), "REAL MODEL", "DPH_SMOLLM2")
}

/// SmolLM2-135M-Instruct as a GGUF file in Q4_1: `DPH_SMOLLM2_GGUF`.
pub fn smollm2_gguf() -> Option<PathBuf> {
    let file: OsString = std::env::var_os("DPH_SMOLLM2_GGUF").unwrap_or_default();
    found(file.into(), "REAL MODEL", "DPH_SMOLLM2_GGUF")
}

/// Chromium, for tests of pages: `DPH_CHROMIUM`, without it a program of this name in `PATH`.
pub fn chromium() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let in_path = |name: &str| {
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
    };
    let installed = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(in_path);
    let browser = std::env::var_os("DPH_CHROMIUM").map(PathBuf::from).or_else(installed);
    found(browser.unwrap_or_else(|| "chromium".into()), "BROWSER", "DPH_CHROMIUM")
}

/// A folder with the files of one of the real tokenizers, unpacked where necessary.
pub fn tokenizer_folder(name: &str) -> Option<TempDir> {
    unpack(&data_root()?.join("tokenizers").join(name))
}

/// As [`tokenizer_folder`], with the tokenizers in another folder that has this one.
pub fn tokenizer_folder_in(folder: &Path, name: &str) -> Option<TempDir> {
    match folder.join(name) {
        source if source.is_dir() => unpack(&source),
        _ => tokenizer_folder(name),
    }
}

fn unpack(source: &Path) -> Option<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        match file.strip_suffix(".gz") {
            Some(unpacked) => {
                let mut reader = flate2::read::GzDecoder::new(File::open(&path).unwrap());
                let mut writer = File::create(folder.path().join(unpacked)).unwrap();
                std::io::copy(&mut reader, &mut writer).unwrap();
            }
            None => drop(fs::copy(&path, folder.path().join(file)).unwrap()),
        }
    }
    Some(folder)
}

/// The path, if there is something.
fn found(path: PathBuf, what: &str, variable: &str) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    let message = format!("{what}: {:?} is not there; set {variable}", path.display().to_string());
    assert!(std::env::var_os("CI").is_none(), "{message}");
    say(&format!("{message}. The test is left out"));
    None
}
