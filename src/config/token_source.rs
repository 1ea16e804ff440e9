//! A file or a command that gives a token: read once at the start, and again when the token is refused.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::hidden::shown;
use crate::domain::{Secret, read_text};

/// How long a command may take; it may ask for a password.
const LIMIT: Duration = Duration::from_mins(2);

/// How much of what a command says is read, in bytes.
const SAID_MAX: u64 = 64 << 10;

/// Where a token is read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenSource {
    pub(super) key: &'static str,
    /// The layer that names it.
    pub(super) origin: String,
    pub(super) from: ReadFrom,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ReadFrom {
    File(PathBuf),
    /// A command for the shell, and the folder in which it is run.
    Command {
        command: String,
        directory: PathBuf,
    },
}

/// Whether a command may ask on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terminal {
    Shared,
    /// A run shows something there.
    Taken,
}

impl TokenSource {
    /// The token that is there now.
    ///
    /// # Errors
    /// What is wrong; never what was read.
    pub(super) fn read(&self, terminal: Terminal) -> Result<Secret, String> {
        match &self.from {
            ReadFrom::File(path) => {
                let text = read_text(path).map_err(|error| error.to_string())?;
                one_line(&text)
            }
            ReadFrom::Command { command, directory } => {
                one_line(&printed(command, directory, (terminal, LIMIT))?)
            }
        }
    }

    /// Another token than `old`.
    ///
    /// # Errors
    /// What is wrong; never what was read.
    pub(super) fn read_again(&self, old: &Secret) -> Result<Secret, String> {
        let named = |reason: String| format!("{} ({}): {reason}", self.key, self.origin);
        let token = self.read(Terminal::Taken).map_err(named)?;
        if token == *old {
            return Err(named("it gives the refused token again".to_owned()));
        }
        Ok(token)
    }
}

/// A text that is one token.
fn one_line(text: &str) -> Result<Secret, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.contains(char::is_whitespace) {
        return Err("it holds more than one word".to_owned());
    }
    Ok(Secret::new(text))
}

/// What a command prints. What it says besides is kept back and shown only where it fails: a shell repeats what it cannot run.
fn printed(
    command: &str,
    directory: &Path,
    (terminal, limit): (Terminal, Duration),
) -> Result<String, String> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    let stdin = match terminal {
        Terminal::Shared => Stdio::inherit(),
        Terminal::Taken => Stdio::null(),
    };
    let mut child = shell(command)
        .current_dir(directory)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (out, said) = (text_of(child.stdout.take()), text_of(child.stderr.take()));
    let (Ok(out), Ok(said)) = (out.recv_timeout(limit), said.recv_timeout(limit)) else {
        end(&mut child);
        return Err(format!(
            "the command did not end within {} s",
            limit.as_secs()
        ));
    };
    // Both ends are closed, so it is about to end.
    let status = child.wait().map_err(|error| error.to_string())?;
    if !status.success() {
        let said = shown(said.lines().next().unwrap_or_default());
        return Err(format!("the command ended with {status}: {said:?}"));
    }
    Ok(out)
}

/// Reads a pipe to its end beside other work. What a command started may hold it open for good, so nothing waits for the
/// thread itself.
fn text_of(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    // One text is sent.
    let (done, text) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What was read before a failure may be all there is.
            drop(pipe.take(SAID_MAX).read_to_end(&mut bytes));
        }
        // After the limit nothing waits any more.
        drop(done.send(String::from_utf8_lossy(&bytes).into_owned()));
    });
    text
}

fn end(child: &mut Child) {
    // It may have ended by itself meanwhile.
    drop(child.kill());
    drop(child.wait());
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    shell
}

#[cfg(not(unix))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.args(["/C", command]);
    shell
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn of(command: &str, limit: Duration) -> Result<String, String> {
        printed(command, Path::new(""), (Terminal::Taken, limit))
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let limit = Duration::from_millis(300);
        let refused = of("echo a-token-of-a-command; exec sleep 60", limit).unwrap_err();
        assert_eq!(refused, "the command did not end within 0 s");
    }

    #[test]
    fn what_a_failed_command_says_is_shown_without_what_looks_like_a_token() {
        let said = "echo no access for lgpat-8Qv3-needle-Zk41xWt0 here >&2; exit 3";
        let refused = of(said, LIMIT).unwrap_err();
        assert!(refused.contains("exit status: 3"), "{refused}");
        assert!(
            refused.contains("no access for [redacted] here"),
            "{refused}"
        );
    }

    #[test]
    fn the_second_time_another_token_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "the-first-token-1\n").unwrap();
        let source = TokenSource {
            key: "token_file",
            origin: "environment variable LOCKGATE_TOKEN_FILE".to_owned(),
            from: ReadFrom::File(path.clone()),
        };
        let first = source.read(Terminal::Taken).unwrap();
        assert_eq!(
            source.read_again(&first).unwrap_err(),
            "token_file (environment variable LOCKGATE_TOKEN_FILE): it gives the refused token again"
        );
        std::fs::write(&path, "the-second-token-2\n").unwrap();
        assert_eq!(
            source.read_again(&first).unwrap().expose(),
            "the-second-token-2"
        );
    }
}
