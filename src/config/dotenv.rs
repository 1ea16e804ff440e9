//! The `.env` files that the vendor's tool reads.

use std::io;
use std::path::Path;

use super::{ConfigError, Environment, KEYS};
use crate::domain::read_text;

/// In the order of the vendor's tool, which takes the first one that sets anything to a value.
const FILES: [&str; 4] = [".env", ".env.local", ".env.development", ".env.production"];

/// The variables of the first file in `directory` that gives an official one a value, else of the first that names
/// one, and that file's name. Other variables in it belong to other programs.
pub(super) fn find(directory: &Path) -> Result<Option<(&'static str, Environment)>, ConfigError> {
    let mut blank = None;
    for name in FILES {
        let path = directory.join(name);
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(ConfigError::File { path, source }),
        };
        let found: Environment = parse(&text).filter(|(name, _)| is_official(name)).collect();
        if found.is_any_given() {
            return Ok(Some((name, found)));
        }
        if blank.is_none() && found.is_any_set() {
            blank = Some((name, found));
        }
    }
    Ok(blank)
}

fn is_official(name: &str) -> bool {
    KEYS.iter().any(|info| info.official == Some(name))
}

/// Reads `NAME=value` lines. A value may be quoted; an unquoted one ends at ` #`.
fn parse(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=')?;
        let name = name.trim();
        (!name.starts_with('#')).then(|| (name, unquote(value.trim())))
    })
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote);
        if let Some((inner, _)) = inner.and_then(|inner| inner.split_once(quote)) {
            return inner;
        }
    }
    value
        .split_once(" #")
        .map_or(value, |(value, _)| value)
        .trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_shells_write_them() {
        let text = "# AGILITY_GUID=no\n\nA=1\nexport B = two words \nC=\"x # y\" # z\nD='q'\nE=v # w\nF=\nG=a=b\nnonsense\n";
        let read: Vec<_> = parse(text).collect();
        assert_eq!(
            read,
            [
                ("A", "1"),
                ("B", "two words"),
                ("C", "x # y"),
                ("D", "q"),
                ("E", "v"),
                ("F", ""),
                ("G", "a=b")
            ]
        );
    }
}
