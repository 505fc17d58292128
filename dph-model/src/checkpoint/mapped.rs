//! [`Mapped`]: a file in memory without having been read.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use super::CheckpointError;

/// A memory-mapped file.
#[derive(Debug)]
pub(crate) struct Mapped(Mmap);

impl Mapped {
    /// Maps a file, which is said to be of this format where it is empty.
    pub fn open(path: &Path, format: &'static str) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io { path: path.into(), source };
        let file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.len() == 0 {
            let problem = "the file is empty".into();
            return Err(CheckpointError::Damaged { path: path.into(), format, bytes: 0, problem });
        }
        // SAFETY: nobody can promise that no other process changes the file while it is mapped. Writers in this
        // workspace replace files by renaming, which leaves the mapped one as it was.
        unsafe { Mmap::map(&file) }.map(Self).map_err(io)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lets go of the pages of some bytes of this file, which have been used: they would count as memory of this process
    /// although they can be had from the file again.
    pub fn release(&self, bytes: &[u8]) {
        #[cfg(unix)]
        {
            let offset = (bytes.as_ptr() as usize).wrapping_sub(self.0.as_ptr() as usize);
            if offset < self.0.len() {
                // SAFETY: the mapping is of a file and never written to, so that dropped pages come back as they were.
                // It is advice: where it is not taken, nothing changes.
                let _ = unsafe {
                    self.0.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, bytes.len())
                };
            }
        }
        #[cfg(not(unix))]
        let _ = bytes;
    }
}
