//! Memory that a thread uses again and again.

use std::cell::RefCell;

thread_local! {
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` on `len` floats of unspecified content.
///
/// Fresh memory of some megabytes costs as much as a pass over it; blocks ask for the same sizes time after time.
pub(super) fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    // Taken out rather than borrowed: inside `work` the thread may wait for others and meanwhile do another piece of
    // work that asks for scratch as well.
    let mut memory = SPARE.with_borrow_mut(|spare| spare.pop()).unwrap_or_default();
    if memory.len() < len {
        memory.resize(len, 0.0);
    }
    let result = work(&mut memory[..len]);
    SPARE.with_borrow_mut(|spare| spare.push(memory));
    result
}
