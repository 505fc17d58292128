//! The flags, frozen: whoever changes one sees it here.
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::path::Path;

#[test]
fn help_texts() {
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help_bench", &["bench", "--help"]),
        ("help_calibrate", &["calibrate", "--help"]),
        ("help_compare", &["compare", "--help"]),
        ("help_generate", &["generate", "--help"]),
        ("help_rank", &["rank", "--help"]),
        ("help_report", &["report", "--help"]),
        ("help_serve", &["serve", "--help"]),
    ] {
        insta::assert_snapshot!(name, command::run(Path::new("."), args).ok());
    }
}
