//! [`PathKind`]: what is at a path.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What is at a path. As text it is the end of a sentence that begins with the path.
#[derive(Debug)]
pub enum PathKind {
    /// A regular file, or a link to one.
    File,
    /// A directory, or a link to one.
    Directory,
    /// A pipe, a socket or a device, whose end may never come.
    Special,
    /// A link to a path that does not exist.
    Dangling(PathBuf),
    /// Nothing.
    Missing,
    /// Something that the system does not show.
    Hidden(io::Error),
}

impl PathKind {
    /// What is at a path, behind all links.
    pub fn of(path: &Path) -> Self {
        match path.metadata() {
            Ok(found) if found.is_file() => Self::File,
            Ok(found) if found.is_dir() => Self::Directory,
            Ok(_) => Self::Special,
            Err(error) => match path.read_link() {
                Ok(target) if error.kind() == io::ErrorKind::NotFound => Self::Dangling(target),
                _ if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    Self::Missing
                }
                _ => Self::Hidden(error),
            },
        }
    }

    /// The error of reading a path: what is there, if it is no file. Why a file cannot be read, only the system knows.
    pub fn explain(path: &Path, error: io::Error) -> io::Error {
        match Self::of(path) {
            Self::File | Self::Special | Self::Hidden(_) => error,
            kind => io::Error::new(error.kind(), kind.to_string()),
        }
    }
}

impl fmt::Display for PathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("this is a file"),
            Self::Directory => f.write_str("this is a directory"),
            Self::Special => f.write_str("this is a pipe or a device, not a regular file"),
            Self::Dangling(target) => {
                write!(f, "this is a link to {}, which does not exist", target.display())
            }
            Self::Missing => f.write_str("there is no such file or directory"),
            Self::Hidden(error) => error.fmt(f),
        }
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_paths() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        std::fs::write(dir.join("file"), "").unwrap();
        for (link, target) in
            [("to_file", "file"), ("to_dir", "."), ("to_nothing", "gone"), ("circle", "circle")]
        {
            std::os::unix::fs::symlink(target, dir.join(link)).unwrap();
        }
        let said = |name: &str| PathKind::of(&dir.join(name)).to_string();
        for (name, expected) in [
            ("file", "this is a file"),
            ("to_file", "this is a file"),
            (".", "this is a directory"),
            ("to_dir", "this is a directory"),
            ("to_nothing", "this is a link to gone, which does not exist"),
            ("gone", "there is no such file or directory"),
            ("file/below", "there is no such file or directory"),
        ] {
            assert_eq!(said(name), expected, "{name}");
        }
        assert!(matches!(PathKind::of(&dir.join("circle")), PathKind::Hidden(_)));
        assert!(PathKind::of(Path::new("/dev/null")).to_string().starts_with("this is a pipe or a device"));
    }
}
