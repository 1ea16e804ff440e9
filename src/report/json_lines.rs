//! Events for programs: one JSON object a line.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use super::Reporter;
use crate::domain::shown_lines;
use crate::event::Stamped;
use crate::progress::Progress;

/// Writes each event as one line of JSON and flushes it, so that a reader sees it at once.
pub struct JsonLines {
    out: Box<dyn Write + Send>,
    /// The name of the target as the first member of each line, where it is one of several.
    name: Option<String>,
}

impl JsonLines {
    /// Writes to this stream. With a name each line has it as `target_name`.
    pub fn new(out: Box<dyn Write + Send>, name: Option<String>) -> Self {
        Self { out, name }
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").finish_non_exhaustive()
    }
}

impl Reporter for JsonLines {
    fn name(&self) -> &'static str {
        "JSON output"
    }

    fn event(&mut self, event: &Stamped, _: &Progress) -> io::Result<()> {
        match &self.name {
            Some(target_name) => write_json(&mut self.out, &Named { target_name, event })?,
            None => write_line(&mut self.out, event)?,
        }
        self.out.flush()
    }

    fn tick(&mut self, _: &Progress, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &Progress) -> io::Result<()> {
        self.out.flush()
    }
}

/// An event of one of several runs.
#[derive(Serialize)]
struct Named<'a> {
    target_name: &'a str,
    #[serde(flatten)]
    event: &'a Stamped,
}

/// Writes an event as a line, in one piece. Characters that could steer a terminal are JSON escapes in it.
pub(crate) fn write_line(out: &mut dyn Write, event: &Stamped) -> io::Result<()> {
    write_json(out, event)
}

fn write_json(out: &mut dyn Write, event: &impl Serialize) -> io::Result<()> {
    let mut line = shown_lines(&serde_json::to_string(event)?).into_owned();
    line.push('\n');
    out.write_all(line.as_bytes())
}
