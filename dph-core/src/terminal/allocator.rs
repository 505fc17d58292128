//! The allocator of the programs. A library must not choose one, nor change its settings: both hold for a whole process.

use libmimalloc_sys::{mi_option_set, mi_option_t};

/// The allocator to name with `#[global_allocator]`.
///
/// Tensors come and go by the megabyte, which glibc's allocator gives back to the system and asks for again.
pub use mimalloc::MiMalloc as Allocator;

/// `mi_option_purge_delay` in mimalloc's list of options, which the crate does not name.
const PURGE_DELAY: mi_option_t = 15;

/// Makes [`Allocator`] and, where libtorch is compiled in, the C library keep memory that is freed instead of giving it
/// back to the system.
///
/// mimalloc gives memory back after 10 ms by default. A training step takes longer, and would spend as much time on page
/// faults as on numbers.
pub fn keep_freed_memory() {
    // SAFETY: setting an option is a store.
    unsafe { mi_option_set(PURGE_DELAY, 10_000) };
    keep_freed_memory_of_libtorch();
}

/// libtorch allocates its tensors with `malloc`, which maps large blocks anew each time; every page of every tensor is
/// then a fault. Keeping the memory takes a quarter off the time of a forward pass on two cores.
fn keep_freed_memory_of_libtorch() {
    #[cfg(all(feature = "tch", target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` takes its own lock and only changes when memory is given back.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 256 << 20);
    }
}
