//! `dph-eval`: benchmarks, rankings and reports. All the work is in the library; here are flags and glue.

mod cli;

use std::process::ExitCode;

// Tensors come and go by the megabyte, which glibc's allocator gives back to the system and asks for again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
