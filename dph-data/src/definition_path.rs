//! [`resolve_path`]: the path of a task or a suite that a file names.

use std::path::{Component, Path, PathBuf};

/// The name or path of a task or a suite that a file in `folder` names. A path, which ends in `.toml`, is relative to this folder
/// or, if there is no such file, to the working directory. The result is relative to the working directory.
pub fn resolve_path(name: &str, folder: &Path) -> String {
    let path = Path::new(name);
    if !is_toml(path) || path.is_absolute() {
        return name.to_owned();
    }
    let joined = folder.join(path);
    let short = without_parents(&joined);
    let found = [short, joined].into_iter().find(|path| path.is_file());
    match found {
        Some(found) if !is_same(&found, path) => found.display().to_string(),
        _ => name.to_owned(),
    }
}

/// Whether a path is that of a file in TOML, by its name in any case.
pub fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// The path without `..`, where a folder before it makes that possible: `a/../b` is `b`, if `a` is no link.
fn without_parents(path: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for part in path.components() {
        let is_below = matches!(short.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::ParentDir if is_below && !short.is_symlink() => drop(short.pop()),
            Component::CurDir => {}
            part => short.push(part),
        }
    }
    short
}

fn is_same(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().is_some_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_to_the_file_that_names_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("experiments");
        std::fs::create_dir_all(folder.join("small")).unwrap();
        std::fs::write(folder.join("mine.toml"), "").unwrap();
        let mine = folder.join("mine.toml").display().to_string();
        assert_eq!(resolve_path("mine.toml", &folder), mine);
        assert_eq!(resolve_path("../mine.toml", &folder.join("small")), mine);
        assert_eq!(resolve_path("./small/../mine.toml", &folder), mine);
        assert_eq!(resolve_path(&mine, Path::new("elsewhere")), mine);
        assert_eq!(resolve_path("nowhere.toml", &folder), "nowhere.toml");
        std::fs::write(folder.join("arc_easy"), "").unwrap();
        assert_eq!(resolve_path("arc_easy", &folder), "arc_easy");
        // The working directory of a test is that of its crate.
        assert_eq!(resolve_path("tasks/piqa.toml", &folder), "tasks/piqa.toml");
        assert_eq!(resolve_path("piqa.toml", Path::new("tasks")), "tasks/piqa.toml");
        assert_eq!(resolve_path("tasks/piqa.toml", Path::new("")), "tasks/piqa.toml");
    }
}
