//! [`Run`]: what a real program did.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::thread;

/// What a program did: its status, and all that it printed, which a failed assertion shows.
#[derive(Debug)]
pub struct Run {
    /// The exit status.
    pub status: i32,
    /// All that it printed on stdout.
    pub stdout: String,
    /// All that it printed on stderr.
    pub stderr: String,
}

impl Run {
    /// Runs a program to its end, without input.
    pub fn new(command: &mut Command) -> Self {
        Self::with_stdin(command, "")
    }

    /// Runs a program to its end, with this input.
    pub fn with_stdin(command: &mut Command, stdin: &str) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let Output { status, stdout, stderr } = thread::scope(|scope| {
            // A program may end without having read it all.
            scope.spawn(move || drop(input.write_all(stdin.as_bytes())));
            child.wait_with_output().unwrap()
        });
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { status: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Its stdout, if it succeeded.
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
