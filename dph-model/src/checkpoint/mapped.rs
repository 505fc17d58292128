//! [`Mapped`]: a memory-mapped file.

use std::fs::File;
use std::path::Path;

use dph_core::path_kind::PathKind;
use memmap2::Mmap;

use super::CheckpointError;

/// A memory-mapped file.
#[derive(Debug)]
pub(crate) struct Mapped(Mmap);

impl Mapped {
    /// Maps a file. Errors name `format`.
    pub fn open(path: &Path, format: &'static str) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io { path: path.into(), source };
        CheckpointError::check_pointer(path)?;
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(io(std::io::Error::other(PathKind::of(path).to_string())));
        }
        if metadata.len() == 0 {
            let problem = "the file is empty".into();
            return Err(CheckpointError::Damaged { path: path.into(), format, bytes: 0, problem });
        }
        // SAFETY: another process could change the file while it is mapped, which cannot be prevented. Writers in
        // this workspace replace files by renaming, which does not change a mapped file.
        unsafe { Mmap::map(&file) }.map(Self).map_err(io)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Releases the pages of some bytes of this file after use. Otherwise they count as memory of this process,
    /// although they can be read from the file again.
    pub fn release(&self, bytes: &[u8]) {
        #[cfg(unix)]
        {
            let offset = (bytes.as_ptr() as usize).wrapping_sub(self.0.as_ptr() as usize);
            if offset < self.0.len() {
                // SAFETY: the mapping is backed by a file and never written to, so released pages are read again
                // unchanged. If the system ignores the advice, nothing changes.
                let _ = unsafe {
                    self.0.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, bytes.len())
                };
            }
        }
        #[cfg(not(unix))]
        let _ = bytes;
    }
}
