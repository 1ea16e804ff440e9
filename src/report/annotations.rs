//! Failures in the form that a CI system shows beside the log.

use std::io::{self, Write};

use super::text;
use crate::domain::shown_lines;

/// A CI system that marks failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Annotations {
    /// GitHub Actions: `::error` workflow commands (GitHub's reference, "Workflow commands for GitHub Actions"),
    /// which the runner takes from either stream.
    GitHub,
    /// GitLab has no annotations in job logs; lines that begin with a red `ERROR:` look like the runner's own.
    GitLab,
}

/// GitHub shows this many errors of a step and drops the rest.
const GITHUB_MOST: u32 = 10;

impl Annotations {
    /// Writes the annotation of a failure; `earlier` is how many there were before.
    pub(crate) fn write(
        self,
        out: &mut dyn Write,
        title: &str,
        message: &str,
        earlier: u32,
    ) -> io::Result<()> {
        match self {
            Self::GitHub if earlier < GITHUB_MOST => {
                writeln!(out, "::error title={}::{}", property(title), data(message))
            }
            Self::GitHub => Ok(()),
            Self::GitLab => {
                let (title, message) = (text::clean(title), text::clean(message));
                writeln!(out, "\x1b[31;1mERROR: {title}: {message}\x1b[0m")
            }
        }
    }
}

/// The message of a workflow command, escaped as GitHub's toolkit does.
fn data(text: &str) -> String {
    shown_lines(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a workflow command, escaped as GitHub's toolkit does.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(annotations: Annotations, earlier: u32) -> String {
        let mut out = Vec::new();
        annotations
            .write(&mut out, "content:9@en-us", "100% wrong\nreally", earlier)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn github_gets_escaped_commands_up_to_its_limit() {
        let expected = "::error title=content%3A9@en-us::100%25 wrong%0Areally\n";
        assert_eq!(written(Annotations::GitHub, 9), expected);
        assert_eq!(written(Annotations::GitHub, 10), "");
    }

    #[test]
    fn gitlab_gets_red_lines() {
        let expected = "\x1b[31;1mERROR: content:9@en-us: 100% wrong really\x1b[0m\n";
        assert_eq!(written(Annotations::GitLab, 99), expected);
    }
}
