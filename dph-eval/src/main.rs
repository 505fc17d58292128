//! `dph-eval`: benchmarks, rankings and reports. All the work is in the library; here are flags and glue.

mod allocator;
mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    cli::main()
}
