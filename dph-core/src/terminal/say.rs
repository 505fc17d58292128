//! [`say`]: messages for people.

use std::io::{self, Write};

/// Prints a line on stderr. That nobody can read it is no reason to stop.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", line.trim_end());
}
