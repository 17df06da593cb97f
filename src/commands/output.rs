//! The output of a command on standard output.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use super::error::CommandError;
use crate::config::LogFormat;
use crate::error::Error;
use crate::escape;

/// Writes to standard output: text, SQL, or one JSON object. On a terminal the remaining control characters, such as those of a
/// revision's own text, are escaped; in a pipe or a file that text is written unchanged.
pub(super) fn answer(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout();
    let outcome = if stdout.is_terminal() { write!(stdout, "{}", escape::lines(text, 0)) } else { stdout.write_all(text.as_bytes()) };
    written(outcome)
}

/// Writes to standard output a text that is escaped already, and may have colors.
pub(super) fn answer_escaped(text: &str) -> Result<(), Error> {
    written(std::io::stdout().write_all(text.as_bytes()))
}

/// Writes a JSON object to standard output, without a copy of it in memory.
pub(super) fn answer_json(value: &impl Serialize) -> Result<(), Error> {
    let mut stdout = std::io::BufWriter::new(std::io::stdout());
    written(
        serde_json::to_writer_pretty(&mut stdout, value)
            .map_err(Into::into)
            .and_then(|()| stdout.write_all(b"\n"))
            .and_then(|()| stdout.flush()),
    )
}

fn written(outcome: std::io::Result<()>) -> Result<(), Error> {
    match outcome {
        // The reader closed the pipe (`pgmarch status | head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| CommandError::Output(error).into()),
    }
}

/// The result of a command that did its work: one line in the format of the log, or, where `--json` asks for it, an object over several
/// lines.
pub(super) fn result(value: &impl Serialize, text: &str, wants_json: bool, format: LogFormat) -> Result<(), Error> {
    match format {
        _ if wants_json => answer(&json(value)?),
        LogFormat::Json => answer(&(serde_json::to_string(value).map_err(|error| CommandError::Output(error.into()))? + "\n")),
        LogFormat::Text => answer(text),
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| CommandError::Output(error.into()).into())
}
