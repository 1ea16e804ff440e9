//! Lines of several runs on one stream, each under the name of its target.
//!
//! A line goes out whole, however many pieces it is written in, so that those of two runs never mix.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::patient::Patient;

/// A stream that several runs write to.
type Common = Arc<Mutex<Patient>>;

/// The name under which one of several runs is shown, and where it writes.
#[derive(Clone)]
pub struct Label {
    /// The name.
    pub name: String,
    /// What its lines begin with.
    lead: String,
    out: Common,
    err: Common,
}

/// A label for each name, all on the same two streams. A stream whose reader takes nothing for as long as `patience` is given
/// up.
///
/// # Errors
/// When there is no thread for a stream.
pub fn labels<'n>(
    names: impl Iterator<Item = &'n str>,
    patience: Duration,
) -> io::Result<Vec<Label>> {
    let common = |stream: Box<dyn Write + Send>| {
        Ok::<_, io::Error>(Arc::new(Mutex::new(Patient::new(stream, patience)?)))
    };
    let out = common(Box::new(io::stdout()))?;
    let err = common(Box::new(io::stderr()))?;
    let names: Vec<&str> = names.collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let label = |name: &str| Label {
        name: name.to_owned(),
        lead: format!("{name:width$} | "),
        out: Arc::clone(&out),
        err: Arc::clone(&err),
    };
    Ok(names.into_iter().map(label).collect())
}

impl Label {
    /// Standard output for lines that carry the name themselves.
    pub(super) fn stdout(&self) -> Lines {
        Lines::new(String::new(), &self.out)
    }

    /// Standard error for lines that begin with the name.
    pub(super) fn stderr(&self) -> Lines {
        Lines::new(self.lead.clone(), &self.err)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Label").field(&self.name).finish()
    }
}

/// Writes whole lines to a stream that others write to as well.
pub(super) struct Lines {
    lead: String,
    line: Vec<u8>,
    stream: Common,
}

impl Lines {
    fn new(lead: String, stream: &Common) -> Self {
        Self {
            lead,
            line: Vec::new(),
            stream: Arc::clone(stream),
        }
    }

    fn led(&self, line: &[u8]) -> Vec<u8> {
        // A CI system recognises its commands by their beginning.
        let is_command = line.starts_with(b"::") || line.starts_with(b"##");
        let lead = if is_command { "" } else { &self.lead };
        let mut whole = lead.as_bytes().to_vec();
        if line.trim_ascii().is_empty() {
            whole.truncate(lead.trim_end().len());
            whole.push(b'\n');
        } else {
            whole.extend_from_slice(line);
        }
        whole
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(bytes.len());
        };
        let rest = self.line.split_off(end + 1);
        let whole = std::mem::replace(&mut self.line, rest);
        let lines = whole.split_inclusive(|byte| *byte == b'\n');
        let led: Vec<u8> = lines.flat_map(|line| self.led(line)).collect();
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.write_all(&led)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_of_two_runs_do_not_mix_and_begin_with_their_names() {
        let kept = Kept::default();
        let patient = Patient::new(Box::new(kept.clone()), Duration::from_secs(5)).unwrap();
        let stream: Common = Arc::new(Mutex::new(patient));
        let mut qa = Lines::new("qa   | ".to_owned(), &stream);
        let mut prod = Lines::new("prod | ".to_owned(), &stream);
        write!(qa, "be").unwrap();
        write!(prod, "one\ntw").unwrap();
        writeln!(qa, "gins\n\n::error::of the system").unwrap();
        writeln!(prod, "o").unwrap();
        drop((qa, prod, stream));
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        insta::assert_snapshot!(text, @r"
        prod | one
        qa   | begins
        qa   |
        ::error::of the system
        prod | two
        ");
    }
}
