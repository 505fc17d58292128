//! The allocator of the programs.

use libmimalloc_sys::{mi_option_set, mi_option_t};
use mimalloc::MiMalloc;

// Tensors come and go by the megabyte, which glibc's allocator gives back to the system and asks for again.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` in mimalloc's list of options, which the crate does not name.
const PURGE_DELAY: mi_option_t = 15;

/// Keeps memory for a while after it is freed; mimalloc's own 10 ms are shorter than a training step, which then spends
/// as much time on page faults as on numbers.
pub fn keep_freed_memory() {
    // SAFETY: setting an option is a store.
    unsafe { mi_option_set(PURGE_DELAY, 10_000) };
}
