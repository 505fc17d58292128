//! [`LineEditor`]: lines from a person at the terminal, or from a pipe.

use std::io::{self, BufRead, IsTerminal, Write};

/// Reads lines. With the feature `line-editor` a line can be edited, and earlier ones can be recalled.
pub struct LineEditor {
    #[cfg(feature = "line-editor")]
    editor: Option<rustyline::DefaultEditor>,
}

impl LineEditor {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(feature = "line-editor")]
            editor: match io::stdin().is_terminal() {
                true => Some(rustyline::DefaultEditor::new().map_err(io::Error::other)?),
                false => None,
            },
        })
    }

    /// The next line; `None` at the end of the input.
    pub fn read(&mut self, prompt: &str) -> io::Result<Option<String>> {
        #[cfg(feature = "line-editor")]
        if let Some(editor) = &mut self.editor {
            use rustyline::error::ReadlineError;
            return match editor.readline(prompt) {
                Ok(line) => {
                    editor.add_history_entry(&line).map_err(io::Error::other)?;
                    Ok(Some(line))
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
                Err(error) => Err(io::Error::other(error)),
            };
        }
        if io::stdin().is_terminal() {
            write!(io::stderr(), "{prompt}")?;
        }
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line)?;
        Ok((read > 0).then_some(line))
    }
}
