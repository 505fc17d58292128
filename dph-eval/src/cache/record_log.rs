//! [`RecordLog`]: a file of records that only grows and survives a kill at any moment.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The first bytes of a file.
const MAGIC: &[u8; 16] = b"dph score log 1\n";
/// Length of a key in bytes.
pub const KEY: usize = 32;
/// Length of a checksum in bytes.
const CHECKSUM: usize = 16;

/// The name of a record: a hash of everything that its content depends on.
pub type Key = [u8; KEY];

/// Records by key, in memory and in a file.
///
/// ```text
/// file     magic, then records
/// record   key (32 bytes)   length of the content (4 bytes, little-endian)   content   checksum (16 bytes)
/// ```
///
/// The checksum is the start of the BLAKE3 hash of everything before it in the record. A record is written with one call, so a
/// process that is killed leaves at most one incomplete record at the end, which is cut off when the file is opened again. Records
/// behind a damaged one are lost.
#[derive(Debug)]
pub struct RecordLog {
    file: File,
    records: HashMap<Key, Vec<u8>>,
}

/// Why a file is not used, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operating system reports an error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another process writes to the file.
    #[error("another process is using it")]
    Locked,
    /// The file begins with other bytes.
    #[error("it is not a file of scores")]
    Foreign,
}

impl RecordLog {
    /// Opens or creates a file, and locks it as long as this value exists. With `fresh`, its records are removed first.
    ///
    /// Returns also how many bytes of damaged records were dropped; 0 for an intact file and after a kill.
    ///
    /// # Errors
    /// See [`LogError`]. The file is then unchanged.
    pub fn open(path: &Path, fresh: bool) -> Result<(Self, usize), LogError> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LogError::Locked),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let Some(rest) = bytes.strip_prefix(MAGIC).filter(|_| !fresh) else {
            // A process that was killed at its start may have written a part of the magic.
            if !fresh && !MAGIC.starts_with(&bytes) {
                return Err(LogError::Foreign);
            }
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(MAGIC)?;
            return Ok((Self { file, records: HashMap::new() }, 0));
        };
        let mut log = Self { file, records: HashMap::new() };
        let mut left = rest;
        let damaged = loop {
            match read(left) {
                Found::Record { key, content, rest } => {
                    log.records.insert(key, content.to_vec());
                    left = rest;
                }
                Found::Incomplete => break 0,
                Found::Damaged => break left.len(),
            }
        };
        let end = (bytes.len() - left.len()) as u64;
        log.file.set_len(end)?;
        log.file.seek(SeekFrom::Start(end))?;
        Ok((log, damaged))
    }

    /// The content of a record.
    pub fn get(&self, key: &Key) -> Option<&[u8]> {
        self.records.get(key).map(Vec::as_slice)
    }

    /// Adds a record. It is not synced to the disk: after a power failure it may be missing or damaged, which the checksum shows.
    ///
    /// # Errors
    /// An error of the operating system.
    pub fn append(&mut self, key: Key, content: Vec<u8>) -> io::Result<()> {
        let mut record = Vec::with_capacity(KEY + 4 + content.len() + CHECKSUM);
        record.extend(key);
        record.extend((content.len() as u32).to_le_bytes());
        record.extend(&content);
        let checksum = checksum(&record);
        record.extend(checksum);
        self.file.write_all(&record)?;
        self.records.insert(key, content);
        Ok(())
    }
}

/// What stands at the start of some bytes.
enum Found<'a> {
    Record {
        key: Key,
        content: &'a [u8],
        rest: &'a [u8],
    },
    /// Nothing, or a record that was not written to its end.
    Incomplete,
    Damaged,
}

fn read(bytes: &[u8]) -> Found<'_> {
    let Some((key, rest)) = bytes.split_first_chunk::<KEY>() else { return Found::Incomplete };
    let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Found::Incomplete };
    let length = u32::from_le_bytes(*length) as usize;
    let Some((content, rest)) = rest.split_at_checked(length) else { return Found::Incomplete };
    let Some((found, rest)) = rest.split_at_checked(CHECKSUM) else { return Found::Incomplete };
    match checksum(&bytes[..KEY + 4 + length]) == found {
        true => Found::Record { key: *key, content, rest },
        false => Found::Damaged,
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let mut checksum = [0; CHECKSUM];
    checksum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECKSUM]);
    checksum
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn key(index: usize) -> Key {
        [index as u8; KEY]
    }

    fn write(path: &Path, contents: &[Vec<u8>]) {
        let (mut log, _) = RecordLog::open(path, false).unwrap();
        for (index, content) in contents.iter().enumerate() {
            log.append(key(index), content.clone()).unwrap();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// What is read is what was written, up to the place where the file was cut.
        #[test]
        fn a_cut_file_has_its_whole_records_and_goes_on(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
            cut in 0.0..=1.0_f64,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log");
            write(&path, &contents);
            let whole = fs::read(&path).unwrap();
            let length = (cut * whole.len() as f64) as usize;
            fs::write(&path, &whole[..length]).unwrap();
            let (mut log, damaged) = RecordLog::open(&path, false).unwrap();
            prop_assert_eq!(damaged, 0);
            let mut end = MAGIC.len();
            for (index, content) in contents.iter().enumerate() {
                end += KEY + 4 + content.len() + CHECKSUM;
                prop_assert_eq!(log.get(&key(index)), (end <= length).then_some(&content[..]));
                if end > length {
                    log.append(key(index), content.clone()).unwrap();
                }
            }
            drop(log);
            prop_assert_eq!(fs::read(&path).unwrap(), whole);
        }

        /// A flipped bit never gives another content.
        #[test]
        fn a_damaged_file_has_no_wrong_record(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
            place in 0.0..1.0_f64,
            bit in 0..8_u8,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log");
            write(&path, &contents);
            let mut bytes = fs::read(&path).unwrap();
            let at = (place * bytes.len() as f64) as usize;
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            match RecordLog::open(&path, false) {
                Ok((log, _)) => {
                    prop_assert!(log.records.len() < contents.len());
                    for (index, content) in contents.iter().enumerate() {
                        prop_assert!(log.get(&key(index)).is_none_or(|found| found == content));
                    }
                }
                Err(error) => prop_assert!(at < MAGIC.len() && matches!(error, LogError::Foreign)),
            }
        }
    }

    #[test]
    fn a_file_has_one_writer_and_can_be_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        write(&path, &[vec![1, 2]]);
        let (log, _) = RecordLog::open(&path, false).unwrap();
        assert_eq!(log.get(&key(0)), Some(&[1, 2][..]));
        assert!(matches!(RecordLog::open(&path, false), Err(LogError::Locked)));
        drop(log);
        assert_eq!(RecordLog::open(&path, true).unwrap().0.records.len(), 0);
        assert_eq!(fs::read(&path).unwrap(), MAGIC);
        fs::write(&path, "a letter to Ann").unwrap();
        assert!(matches!(RecordLog::open(&path, false), Err(LogError::Foreign)));
        assert_eq!(fs::read(&path).unwrap(), b"a letter to Ann");
    }
}
