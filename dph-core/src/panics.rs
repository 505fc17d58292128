//! [`without_panic`]: panics of libraries that read files of other programs become errors.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

thread_local! {
    /// Whether this thread reads a file of another program.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// The result of some work, or the message of its panic. [`hide_guarded_panics`] keeps the message off stderr.
///
/// Some libraries panic on damaged files. The work must not leave anything behind that a panic could damage.
///
/// # Errors
/// The message of the panic.
pub fn without_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    result.map_err(|panic| message(&*panic))
}

/// Prints no panics of work in [`without_panic`] any more. It changes the panic hook of the whole process, so only programs call it.
pub fn hide_guarded_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !GUARDED.get() {
            print(info);
        }
    }));
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it cannot be read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_message() {
        assert_eq!(without_panic(|| 3), Ok(3));
        let index = [1, 2].len() + 1;
        assert_eq!(without_panic(|| panic!("no page {index}")), Err::<(), _>("no page 3".to_owned()));
        assert_eq!(without_panic(|| panic!("no page")), Err::<(), _>("no page".to_owned()));
    }
}
