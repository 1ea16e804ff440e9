//! Values that look like credentials, in a place where none belongs.

use crate::domain::{REDACTED, redact_message};

/// From this length on, letters and digits together look like a credential.
const MIXED_MIN: usize = 20;

/// From this length on, so do letters alone.
const LETTERS_MIN: usize = 32;

/// A value as a message may show it. Besides known credentials, words that look like one are hidden, because a token
/// that was put into the wrong setting is not known as a token.
pub fn shown(value: &str) -> String {
    let value = redact_message(value);
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-+=~./\\:".contains(c);
    let mut shown = String::with_capacity(value.len());
    let mut rest = value.as_str();
    while let Some(c) = rest.chars().next() {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            shown.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (word, others) = rest.split_at(length);
        shown.push_str(if is_credential(word) { REDACTED } else { word });
        rest = others;
    }
    shown
}

fn is_credential(word: &str) -> bool {
    if is_path(word) {
        return false;
    }
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_mixed = letters > 0 && digits > 0 && word.len() >= MIXED_MIN;
    is_mixed || (letters == word.len() && letters >= LETTERS_MIN)
}

/// Whether a word is written as a path or a URL, or ends in the extension of a file.
fn is_path(word: &str) -> bool {
    let begins = ["/", "./", "../", "~/", ".\\", "..\\", "sqlite:"];
    let is_drive = word
        .get(1..3)
        .is_some_and(|start| start == ":\\" || start == ":/");
    let extension = word.rsplit_once('.').map(|(_, extension)| extension);
    let is_file = extension.is_some_and(|extension| {
        (1..=6).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_alphabetic())
    });
    begins.iter().any(|start| word.starts_with(start))
        || is_drive
        || is_file
        || word.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_look_like_credentials_are_hidden() {
        for token in [
            "lgpat-8Qv3-needle-Zk41xWt0",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r",
            "abcdefghijklmnopqrstuvwxyzabcdefgh",
            "Zm9vYmFyMTIzNDU2/Nzg5MGFiY2Rl+A==",
        ] {
            assert_eq!(shown(token), REDACTED);
            assert_eq!(shown(&format!("\"{token}\"")), format!("\"{REDACTED}\""));
            assert_eq!(
                shown(&format!("[\"a\", {token}]")),
                format!("[\"a\", {REDACTED}]")
            );
        }
    }

    #[test]
    fn what_is_usual_is_shown() {
        for value in [
            "16",
            "99999999999999999999999",
            "pipelined",
            "\"1a2b3c4d-u\"",
            "[\"BlogPost\", \"Kategorie Übersicht\"]",
            "/home/ann/migration-2026-q3-final-2/state.db",
            "migration-2026-q3-final-2.toml",
            "C:\\work\\migration-2026-q3-final-2",
            "http://127.0.0.1:8080/some-long-path-12345",
        ] {
            assert_eq!(shown(value), value);
        }
    }
}
