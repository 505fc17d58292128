//! Reusable memory of a thread.

use std::cell::RefCell;

thread_local! {
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` on `len` floats of unspecified content.
///
/// Allocating some megabytes costs as much as a pass over them, and blocks need the same sizes every time.
pub(super) fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    // Removed instead of borrowed: inside `work` the thread may run another task of rayon that needs scratch memory
    // as well.
    let mut memory = SPARE.with_borrow_mut(|spare| spare.pop()).unwrap_or_default();
    if memory.len() < len {
        memory.resize(len, 0.0);
    }
    let result = work(&mut memory[..len]);
    SPARE.with_borrow_mut(|spare| spare.push(memory));
    result
}
