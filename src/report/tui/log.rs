//! The lines of the log: details have a buffer of their own, so that thousands of them push out nothing else.

use std::collections::VecDeque;

use crate::report::note::{Note, Weight};

/// Lines that each buffer keeps.
pub(crate) const LOG: usize = 2_000;

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    /// When, in milliseconds since the start of the run.
    pub(crate) at_ms: u64,
    /// What happened.
    pub(crate) note: Note,
}

/// A line and how many came before it.
type Numbered = (u64, LogLine);

/// The newest lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    notes: VecDeque<Numbered>,
    details: VecDeque<Numbered>,
    pushed: u64,
    /// Whether what was there before it has not happened.
    is_anew: bool,
}

impl Log {
    /// A log of a run that starts again.
    pub(crate) fn anew() -> Self {
        Self {
            is_anew: true,
            ..Self::default()
        }
    }

    /// Adds a line; the oldest of its buffer goes when there are too many.
    pub(crate) fn push(&mut self, line: LogLine) {
        let lines = match line.note.weight {
            Weight::Detail => &mut self.details,
            Weight::Info | Weight::Good | Weight::Caution | Weight::Bad => &mut self.notes,
        };
        if lines.len() == LOG {
            lines.pop_front();
        }
        lines.push_back((self.pushed, line));
        self.pushed += 1;
    }

    /// Adds the lines of another log, which come after its own, or in their place when the run started again.
    pub(crate) fn append(&mut self, other: Self) {
        if other.is_anew {
            *self = Self::default();
        }
        let mut lines: Vec<Numbered> = other.notes.into_iter().chain(other.details).collect();
        lines.sort_unstable_by_key(|(number, _)| *number);
        for (_, line) in lines {
            self.push(line);
        }
    }

    /// The lines of this weight and above, newest first.
    pub(crate) fn newest_first(&self, lightest: Weight) -> Vec<&LogLine> {
        let mut lines: Vec<&Numbered> = self.notes.iter().collect();
        if lightest == Weight::Detail {
            lines.extend(&self.details);
            lines.sort_unstable_by_key(|(number, _)| *number);
        }
        let newest_first = lines.into_iter().rev().map(|(_, line)| line);
        newest_first
            .filter(|line| line.note.weight >= lightest)
            .collect()
    }
}
