//! Scripts that start a server for tests. One prints in a line where its server is, and ends it with its standard input, and so
//! with the process of the tests.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// Starts a script, and gives what it printed: nothing where it could not start its server.
pub(crate) fn start(script: &str) -> Option<(String, Child)> {
    let mut child = Command::new("sh")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .ok()?;
    let mut printed = String::new();
    let output = child.stdout.take()?;
    BufReader::new(output).read_line(&mut printed).ok()?;
    Some((printed.trim().to_owned(), child))
}
