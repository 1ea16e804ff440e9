//! Long texts as the lines that change, with the words that do.

use similar::{ChangeTag, TextDiff};

/// Texts up to here stand beside each other in one line.
const SHORT: usize = 60;
/// Of words that stay, so many characters are shown on either side of those that change.
const AROUND: usize = 40;

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// `-` what goes, `+` what comes, a blank for what stays.
    pub(super) sign: char,
    /// Its words, and whether they change.
    pub(super) parts: Vec<(bool, String)>,
}

/// Whether two texts are better read as a difference than beside each other.
pub(super) fn is_long(was: &str, becomes: &str) -> bool {
    [was, becomes]
        .iter()
        .any(|text| text.contains('\n') || text.chars().count() > SHORT)
}

/// The lines that differ, with one line that stays around them.
pub(super) fn lines(was: &str, becomes: &str) -> Vec<Line> {
    let (was, becomes) = (split(was), split(becomes));
    let diff = TextDiff::from_slices(&was, &becomes);
    let groups = diff.grouped_ops(1).into_iter().flatten();
    let changes = groups.flat_map(|op| diff.iter_inline_changes(&op).collect::<Vec<_>>());
    changes
        .map(|change| {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let parts = change.iter_strings_lossy();
            let parts =
                parts.map(|(changed, text)| (changed, text.trim_end_matches('\n').to_owned()));
            let mut parts: Vec<(bool, String)> =
                parts.filter(|(_, text)| !text.is_empty()).collect();
            shorten(&mut parts);
            Line { sign, parts }
        })
        .collect()
}

/// The lines of a text; markup has one wherever two tags meet.
fn split(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut from = 0;
    let ends = text
        .char_indices()
        .filter(|(at, char)| *char == '\n' || (*char == '>' && text[at + 1..].starts_with('<')));
    for (at, _) in ends {
        lines.push(&text[from..=at]);
        from = at + 1;
    }
    if from < text.len() {
        lines.push(&text[from..]);
    }
    lines
}

/// Cuts what stays in a line down to what stands around the change.
fn shorten(parts: &mut [(bool, String)]) {
    let last = parts.len().saturating_sub(1);
    for (at, (changed, text)) in parts.iter_mut().enumerate() {
        if *changed || text.chars().count() <= 2 * AROUND {
            continue;
        }
        let start = || text.chars().take(AROUND).collect::<String>();
        let end = || {
            let skipped = text.chars().count() - AROUND;
            text.chars().skip(skipped).collect::<String>()
        };
        *text = match (at == 0, at == last) {
            (true, false) => format!("…{}", end()),
            (false, true) => format!("{}…", start()),
            (true, true) | (false, false) => format!("{}…{}", start(), end()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(was: &str, becomes: &str) -> Vec<String> {
        let lines = lines(was, becomes).into_iter();
        let line = |line: Line| {
            let parts = line.parts.iter().map(|(changed, text)| match changed {
                true => format!("[{text}]"),
                false => text.clone(),
            });
            format!("{}{}", line.sign, parts.collect::<String>())
        };
        lines.map(line).collect()
    }

    #[test]
    fn the_words_that_change_are_marked_in_the_lines_that_do() {
        let was = "<p>one stays</p><p>the tram leaves at nine</p><p>two</p><p>three</p>";
        let becomes = "<p>one stays</p><p>the tram leaves at ten</p><p>two</p><p>three</p>";
        assert_eq!(
            shown(was, becomes),
            [
                " <p>one stays</p>",
                "-<p>the tram leaves at [nine</p>]",
                "+<p>the tram leaves at [ten</p>]",
                " <p>two</p>",
            ]
        );
    }

    #[test]
    fn what_stays_in_a_long_line_is_cut() {
        let words = "lorem ipsum ".repeat(20);
        let found = shown(
            &format!("{words}old {words}"),
            &format!("{words}new {words}"),
        );
        assert_eq!(found.len(), 2);
        assert!(found[0].chars().count() < 120, "{}", found[0]);
        assert!(found[0].contains("[old]"), "{}", found[0]);
    }

    #[test]
    fn long_is_what_does_not_fit_beside_another() {
        assert!(!is_long("a", "b"));
        assert!(is_long("a\nb", "c"));
        assert!(is_long("", &"x".repeat(61)));
    }
}
