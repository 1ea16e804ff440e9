//! Turns typographic dashes and quotes in arguments into plain ones: commands are pasted from tickets and
//! word processors, which "improve" them.

use std::ffi::OsString;

/// The argument in plain characters; one that is not Unicode stays as it is.
///
/// Word processors join `--` into one long dash, so a long dash before a name counts as two. Quotes that a
/// shell would have removed are removed.
pub(super) fn plain(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if text.contains(is_typographic) => plain_text(text).into(),
        Some(_) | None => argument,
    }
}

fn is_typographic(letter: char) -> bool {
    plain_letter(letter) != letter
}

fn plain_letter(letter: char) -> char {
    match letter {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => '"',
        other => other,
    }
}

fn plain_text(text: &str) -> String {
    let quoted: String = text.chars().map(plain_letter).collect();
    let name = quoted.trim_start_matches('-');
    let dashes = text
        .chars()
        .take_while(|letter| plain_letter(*letter) == '-')
        .count();
    let starts_typographic = text.starts_with(is_typographic) && dashes > 0;
    let long = name.chars().nth(1).is_some_and(|second| second != '=');
    let prefix = match (starts_typographic, long) {
        (true, true) => "--",
        (true, false) => "-",
        (false, _) => &quoted[..dashes],
    };
    format!("{prefix}{}", without_quotes(name))
}

/// Drops quotes around the whole text, or around what follows `=`.
fn without_quotes(text: &str) -> String {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (format!("{name}="), value),
        None => (String::new(), text),
    };
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    name + inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_arguments_become_plain() {
        for (pasted, typed) in [
            ("\u{2014}source", "--source"),
            ("\u{2013}source", "--source"),
            ("\u{2013}\u{2013}source", "--source"),
            ("\u{2013}h", "-h"),
            ("1a2b3c4d\u{2011}u", "1a2b3c4d-u"),
            ("\u{201c}en-us,fr-ca\u{201d}", "en-us,fr-ca"),
            ("\u{2014}locale=\u{201e}en-us\u{201c}", "--locale=en-us"),
            ("--channel=\u{2018}Main site\u{2019}", "--channel=Main site"),
            ("--source", "--source"),
            ("\"kept\"", "\"kept\""),
        ] {
            assert_eq!(plain(pasted.into()), OsString::from(typed), "{pasted}");
        }
    }
}
