//! What a real program did, for the tests of every program: its status, and all that it said if it was not as expected.
#![allow(dead_code, clippy::unwrap_used)]

use std::process::Output;

use assert_cmd::Command;

/// What a command did.
#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { status: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Its stdout, if it went well.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.status, 0, "{self:#?}");
        self.stdout
    }

    /// Its stderr, if it failed with this status.
    #[track_caller]
    pub fn failed(self, status: i32) -> String {
        assert_eq!(self.status, status, "{self:#?}");
        self.stderr
    }
}
