//! Files that are replaced atomically.

use std::fs::Permissions;
use std::io::{self, Write};
use std::path::Path;

/// Writes a file under a temporary name beside `path`, syncs it and renames it.
///
/// A reader of `path` sees either the old bytes or the new ones, even if this process is killed, the machine loses
/// power or the disk is full. After an error the old file is unchanged and the temporary file is removed; a killed
/// process may leave the temporary file. The directory is not synced: after a power failure shortly after the return,
/// `path` may still be the old file.
///
/// The bytes are synced to the disk, which takes milliseconds, and there must be space for both files. `path` becomes
/// a new file with the permissions that the umask gives to new files: a symbolic link is replaced, not followed, and
/// a hard link is broken.
///
/// # Errors
///
/// If the directory of `path` does not exist or is not writable, the disk is full, or `path` is a directory.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = check_directory_of(path)?;
    let mut builder = tempfile::Builder::new();
    if let Some(permissions) = for_everybody() {
        builder.permissions(permissions);
    }
    // The error names the temporary file, which nobody knows.
    let mut file = builder.tempfile_in(dir).map_err(|error| io::Error::from(error.kind()))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// The directory that a file is to be written into.
///
/// # Errors
///
/// If it does not exist.
pub fn check_directory_of(path: &Path) -> io::Result<&Path> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if dir.is_dir() {
        return Ok(dir);
    }
    let message = format!("there is no directory {}; create it", dir.display());
    Err(io::Error::new(io::ErrorKind::NotFound, message))
}

/// Temporary files are private by default. The final file has the permissions that the umask allows.
#[cfg(unix)]
fn for_everybody() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn for_everybody() -> Option<Permissions> {
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.json");
        write_atomically(&path, b"old and long").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn who_has_the_old_file_open_goes_on_reading_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.json");
        write_atomically(&path, b"old").unwrap();
        let open = fs::File::open(&path).unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(io::read_to_string(open).unwrap(), "old");
    }

    #[test]
    fn an_error_does_not_name_the_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let error = write_atomically(&missing.join("results.json"), b"new").unwrap_err();
        assert_eq!(error.to_string(), format!("there is no directory {}; create it", missing.display()));
    }

    #[test]
    fn a_failed_write_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        // A directory stands in the way, so the last step, the rename, fails.
        let path = dir.path().join("results.json");
        fs::create_dir(&path).unwrap();
        assert!(write_atomically(&path, b"new").is_err());
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_the_umask_lets_them() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (plain, atomic) = (dir.path().join("plain"), dir.path().join("atomic"));
        fs::write(&plain, b"x").unwrap();
        write_atomically(&atomic, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&atomic), mode(&plain));
    }
}
