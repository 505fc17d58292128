//! [`FetchEvent`]: what happens in a download.

/// What happens in a download.
#[derive(Debug, Clone, Copy)]
pub enum FetchEvent<'a> {
    /// So many bytes of all missing files are there.
    Bytes {
        /// Bytes on this machine.
        done: u64,
        /// Bytes of all files, if the hub says it.
        total: Option<u64>,
    },
    /// A line for people, such as the reason of a pause.
    Note(&'a str),
}
