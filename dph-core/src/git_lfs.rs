//! Pointers of Git LFS: the small text files that stand for large files in a repository that was cloned without them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The beginning of every pointer.
const START: &[u8] = b"version https://git-lfs";

/// What a pointer is, and the remedy; the end of a sentence that begins with the file.
pub const POINTER: &str =
    "this is a pointer of Git LFS, not the file itself; run `git lfs pull` in its repository";

/// Whether the contents of a file are a pointer.
pub fn is_pointer(contents: &[u8]) -> bool {
    contents.starts_with(START)
}

/// Whether a file is a pointer. A file that cannot be read is none.
pub fn is_pointer_file(path: &Path) -> bool {
    let mut start = [0; START.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && is_pointer(&start)
}
