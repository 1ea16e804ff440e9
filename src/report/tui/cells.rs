//! Lines of aligned cells, bars and sparklines.

use ratatui::text::{Line, Span};

use super::theme::{Look, Role, Sign};
use crate::domain::shown_lines;
use crate::progress::Row;
use crate::report::text::clean;

/// A line that is made of cells from left to right.
#[derive(Debug)]
pub(crate) struct Cells {
    look: Look,
    spans: Vec<Span<'static>>,
}

impl Cells {
    /// An empty line.
    pub(crate) fn new(look: Look) -> Self {
        Self {
            look,
            spans: Vec::new(),
        }
    }

    /// A cell whose text stands to the left; what is too long is cut. Foreign text is made fit to be shown.
    pub(crate) fn left(mut self, text: &str, width: usize, role: Role) -> Self {
        let fitted = fit(text, width, self.look);
        let padding = width - Span::raw(fitted.as_str()).width();
        self.push(fitted + &" ".repeat(padding), role);
        self
    }

    /// A cell whose text stands to the right; what is too long is cut.
    pub(crate) fn right(mut self, text: &str, width: usize, role: Role) -> Self {
        let fitted = fit(text, width, self.look);
        let padding = width - Span::raw(fitted.as_str()).width();
        self.push(" ".repeat(padding) + &fitted, role);
        self
    }

    /// A cell as wide as its text.
    pub(crate) fn text(mut self, text: &str, role: Role) -> Self {
        self.push(clean_edges(text), role);
        self
    }

    /// Empty columns.
    pub(crate) fn gap(mut self, width: usize) -> Self {
        self.push(" ".repeat(width), Role::Text);
        self
    }

    /// Other spans.
    pub(crate) fn spans(mut self, spans: Vec<Span<'static>>) -> Self {
        self.spans.extend(spans);
        self
    }

    /// A count, or the sign for nothing, to the right.
    pub(crate) fn number(self, number: u32, width: usize, role: Role) -> Self {
        let nothing = self.look.sign(Sign::Nothing);
        match number {
            0 => self.right(nothing, width, Role::Dim),
            more => self.right(&crate::report::text::count(more), width, role),
        }
    }

    /// The columns so far.
    pub(crate) fn width(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }

    /// Empty columns up to this one, so that `tail` ends there; too long a tail follows after one space.
    pub(crate) fn tail(self, tail: Self, width: usize) -> Self {
        let gap = width.saturating_sub(self.width() + tail.width()).max(1);
        self.gap(gap).spans(tail.spans)
    }

    /// The line.
    pub(crate) fn line(self) -> Line<'static> {
        Line::from(self.spans)
    }

    fn push(&mut self, text: String, role: Role) {
        self.spans.push(Span::styled(text, self.look.style(role)));
    }
}

/// Clean text that keeps the spaces at its ends.
fn clean_edges(text: &str) -> String {
    shown_lines(&text.replace(['\n', '\t'], " ")).into_owned()
}

/// The text, cut to this many columns with an ellipsis at its end.
pub(crate) fn fit(text: &str, width: usize, look: Look) -> String {
    let mut text = clean(text);
    if look.ascii {
        text = text.replace('…', "...");
    }
    if Span::raw(text.as_str()).width() <= width {
        return text;
    }
    let mut kept = String::new();
    let mut columns = 0;
    let mut buffer = [0; 4];
    for char in text.chars() {
        columns += Span::raw(&*char.encode_utf8(&mut buffer)).width();
        if columns >= width {
            break;
        }
        kept.push(char);
    }
    if width > 0 {
        kept.push_str(look.sign(Sign::Ellipsis));
    }
    kept
}

/// The text on lines of at most this many columns, broken between words, and inside one that is longer than a line.
pub(crate) fn wrapped(text: &str, width: usize, look: Look) -> Vec<String> {
    let mut text = clean(text);
    if look.ascii {
        text = text.replace('…', "...");
    }
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let columns = |text: &str| Span::raw(text).width();
        let mut line = lines.pop().unwrap_or_default();
        if columns(&line) + columns(word.trim_end()) > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for char in word.chars() {
            line.push(char);
            if columns(line.trim_end()) > width && line.chars().count() > 1 {
                line.pop();
                lines.push(std::mem::take(&mut line));
                line.push(char);
            }
        }
        lines.push(line);
    }
    lines
}

/// A bar of uploads: settled, then failed or blocked, then in flight, then what is left.
pub(crate) fn upload_bar(look: Look, width: usize, row: &Row) -> Vec<Span<'static>> {
    let settled = row.settled.total();
    let bad = row.settled.failed() + row.settled.blocked();
    let parts = [
        (settled - bad, Sign::BarDone, Role::Good),
        (bad, Sign::BarDone, Role::Bad),
        (row.in_flight, Sign::BarFlight, Role::Accent),
    ];
    bar(look, width, row.planned, &parts)
}

/// A bar of something that is simply done or not.
pub(crate) fn simple_bar(look: Look, width: usize, done: u32, all: u32) -> Vec<Span<'static>> {
    bar(look, width, all, &[(done, Sign::BarDone, Role::Accent)])
}

/// A bar of parts. It is full only when everything is done, and no part that exists is invisible as long as
/// there is room.
fn bar(look: Look, width: usize, all: u32, parts: &[(u32, Sign, Role)]) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut used = 0;
    let mut sum = 0;
    for (part, sign, role) in parts {
        sum += part;
        let end = width * sum as usize / all.max(1) as usize;
        let end = if *part > 0 {
            end.max(used + 1)
        } else {
            used.max(end)
        };
        let end = end.min(width);
        spans.push(Span::styled(
            look.sign(*sign).repeat(end - used),
            look.style(*role),
        ));
        used = end;
    }
    let rest = look.sign(Sign::BarRest).repeat(width - used);
    spans.push(Span::styled(rest, look.style(Role::Dim)));
    spans
}

/// The last values as a sparkline of at most `width` columns, scaled from 0 to `top` or the largest value.
pub(crate) fn spark(look: Look, values: &[f64], width: usize, top: Option<f64>) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let largest = shown.iter().copied().fold(top.unwrap_or(0.0), f64::max);
    let levels = look.levels();
    let level = |value: &f64| {
        let share = if largest > 0.0 { value / largest } else { 0.0 };
        let wanted = (1..levels.len()).rev().find(|level| {
            let bound = u8::try_from(*level).map_or(0.0, f64::from);
            share * 8.0 >= bound + 0.5
        });
        levels[wanted.unwrap_or(0)]
    };
    shown.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::super::theme::Theme;
    use super::*;

    const LOOK: Look = Look {
        theme: Theme::Mono,
        ascii: true,
    };

    fn text(spans: &[Span<'_>]) -> String {
        spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn bars_are_full_only_when_everything_is_done() {
        assert_eq!(text(&simple_bar(LOOK, 10, 0, 10)), "----------");
        assert_eq!(text(&simple_bar(LOOK, 10, 1, 1_000)), "=---------");
        assert_eq!(text(&simple_bar(LOOK, 10, 999, 1_000)), "=========-");
        assert_eq!(text(&simple_bar(LOOK, 10, 10, 10)), "==========");
        assert_eq!(text(&simple_bar(LOOK, 4, 5, 0)), "====");
    }

    #[test]
    fn bars_show_what_is_in_flight() {
        let row = Row {
            planned: 100,
            waiting: 60,
            in_flight: 20,
            ..Row::default()
        };
        assert_eq!(text(&upload_bar(LOOK, 10, &row)), ">>--------");
    }

    #[test]
    fn cells_keep_their_width_whatever_is_in_them() {
        for (content, expected) in [
            ("abc", "abc  |"),
            ("abcdefg", "abcd~|"),
            ("日本語", "日本~|"),
            ("a\u{1b}[2Jb", "a\\u0~|"),
        ] {
            let cells = Cells::new(LOOK)
                .left(content, 5, Role::Text)
                .text("|", Role::Text);
            assert_eq!(text(&cells.spans), expected);
        }
        assert_eq!(fit("abc", 0, LOOK), "");
    }

    #[test]
    fn lines_break_between_words_and_inside_long_ones() {
        assert_eq!(wrapped("", 9, LOOK), [""]);
        assert_eq!(wrapped("one two three", 9, LOOK), ["one two ", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4, LOOK), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("日本語", 4, LOOK), ["日本", "語"]);
        assert_eq!(wrapped("ab", 0, LOOK), ["a", "b"]);
    }

    #[test]
    fn sparklines_go_from_nothing_to_the_top() {
        assert_eq!(spark(LOOK, &[0.0, 5.0, 10.0], 9, Some(10.0)), "_-#");
        assert_eq!(spark(LOOK, &[9.0, 0.0, 1.0], 2, None), "_#");
        assert_eq!(spark(LOOK, &[0.0], 2, None), "_");
        assert_eq!(spark(LOOK, &[], 2, None), "");
    }
}
