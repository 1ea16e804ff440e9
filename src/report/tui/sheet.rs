//! What was opened over the lists: one thing in full, from which others can be opened.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::cells::{Cells, wrapped};
use super::details;
use super::draw::{put, title};
use super::lists::{self, marked};
use super::theme::Role;
use super::view::View;
use crate::domain::{BatchId, EntityKey, Exchange, FailureCause};
use crate::event::{Gate, Lane};
use crate::progress::Progress;
use crate::report::lookup::{Answer, Found, Question};

/// After so many milliseconds of the run, what is known of something is asked again.
const STALE_MS: u64 = 1_000;

/// Something that can be opened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Open {
    /// Failures of one cause.
    Cause(FailureCause),
    /// A batch.
    Batch(BatchId),
    /// A gate.
    Gate(Gate),
    /// A lane.
    Lane(Lane),
    /// An entity.
    Entity(EntityKey),
    /// A line of the log.
    Note(String),
    /// A request.
    Request(Box<Exchange>),
}

impl Open {
    fn question(&self) -> Option<Question> {
        match self {
            Self::Batch(batch) => Some(Question::Batch(*batch)),
            Self::Entity(key) => Some(Question::Entity(key.clone())),
            Self::Cause(_) | Self::Gate(_) | Self::Lane(_) | Self::Note(_) | Self::Request(_) => {
                None
            }
        }
    }

    fn title(&self) -> String {
        match self {
            Self::Cause(_) => "Failure".to_owned(),
            Self::Batch(batch) => format!("Batch {batch}"),
            Self::Gate(gate) => format!("Gate {gate}"),
            Self::Lane(lane) => format!("Lane {} {}", *lane as usize + 1, lane.name()),
            Self::Entity(key) => format!("Entity {key}"),
            Self::Note(_) => "Log".to_owned(),
            Self::Request(_) => "Request".to_owned(),
        }
    }
}

/// One thing that was opened.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    /// What it shows.
    pub(crate) of: Open,
    /// The selected row.
    pub(crate) row: usize,
    /// What the records say of it, and as of which moment of the run.
    pub(crate) found: Option<(Found, u64)>,
}

/// A row of a sheet, as long as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Detail {
    /// Its words.
    pub(crate) text: String,
    /// What they are there for.
    pub(crate) role: Role,
    /// What it opens.
    pub(crate) open: Option<Open>,
    /// The address that a terminal opens, which stands at the end of the words.
    pub(crate) url: Option<String>,
}

impl Detail {
    /// A row that opens nothing.
    pub(crate) fn new(text: impl Into<String>, role: Role) -> Self {
        Self {
            text: text.into(),
            role,
            open: None,
            url: None,
        }
    }

    /// The same row, which opens something.
    #[must_use]
    pub(crate) fn opens(mut self, open: Open) -> Self {
        self.open = Some(open);
        self
    }
}

/// What was opened, the last on top.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheets {
    stack: Vec<Sheet>,
}

impl Sheets {
    /// The one that is seen; `None` when the lists are.
    pub(crate) fn top(&self) -> Option<&Sheet> {
        self.stack.last()
    }

    /// The same, to be changed.
    pub(crate) fn top_mut(&mut self) -> Option<&mut Sheet> {
        self.stack.last_mut()
    }

    /// Puts something on top.
    pub(crate) fn open(&mut self, of: Open) {
        self.stack.push(Sheet {
            of,
            row: 0,
            found: None,
        });
    }

    /// Takes away what is on top.
    pub(crate) fn close(&mut self) {
        self.stack.pop();
    }

    /// Shows a match of the search in the place of the one before.
    pub(crate) fn show_hit(&mut self, key: Option<EntityKey>) {
        let Some(key) = key else {
            return;
        };
        if matches!(self.top(), Some(sheet) if matches!(sheet.of, Open::Entity(_))) {
            self.close();
        }
        self.open(Open::Entity(key));
    }

    /// The question to ask for the sheet on top.
    pub(crate) fn question(&self, now_ms: u64) -> Option<Question> {
        let top = self.top()?;
        let is_known = |(_, at_ms): &(Found, u64)| now_ms.abs_diff(*at_ms) < STALE_MS;
        if top.found.as_ref().is_some_and(is_known) {
            return None;
        }
        top.of.question()
    }

    /// Takes an answer for every sheet that asked for it.
    pub(crate) fn learn(&mut self, question: &Question, found: &Found, now_ms: u64) {
        for sheet in &mut self.stack {
            if sheet.of.question().as_ref() == Some(question) {
                sheet.found = Some((found.clone(), now_ms));
            }
        }
    }

    /// How many rows the one on top has.
    pub(crate) fn rows(&self, progress: &Progress, view: &View) -> usize {
        self.top()
            .map_or(0, |sheet| details::of(sheet, progress, view).len())
    }

    /// What the selected row opens.
    pub(crate) fn selected(&self, progress: &Progress, view: &View) -> Option<Open> {
        let sheet = self.top()?;
        let mut rows = details::of(sheet, progress, view);
        let row = sheet.row.min(rows.len().checked_sub(1)?);
        rows.swap_remove(row).open
    }
}

/// An address on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// Column and row of its first character.
    pub(crate) at: (u16, u16),
    /// The address, which is all that stands there.
    pub(crate) url: String,
}

/// The lines of a sheet that are in sight, each with the number of its row.
struct Seen {
    lines: Vec<(usize, Line<'static>)>,
    /// Lines below the title, counted from 0, that end with an address.
    urls: Vec<(usize, usize, String)>,
}

/// Draws the sheet on top.
pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, progress: &Progress, view: &View) {
    let Some(sheet) = view.sheets.top() else {
        return;
    };
    let mut lines = vec![title(
        view,
        &sheet.of.title(),
        "Esc back",
        None,
        area.width.into(),
    )];
    let seen = seen(sheet, area, progress, view);
    lines.extend(seen.lines.into_iter().map(|(_, line)| line));
    put(frame, area, lines);
}

/// The addresses that are in sight whole.
pub(crate) fn anchors(area: Rect, progress: &Progress, view: &View) -> Vec<Anchor> {
    let Some(sheet) = view.sheets.top() else {
        return Vec::new();
    };
    let anchor = |(line, column, url): (usize, usize, String)| {
        let column = area.x + u16::try_from(column).ok()?;
        let row = area.y + 1 + u16::try_from(line).ok()?;
        let at = (column, row);
        Some(Anchor { at, url })
    };
    let urls = seen(sheet, area, progress, view).urls;
    urls.into_iter().filter_map(anchor).collect()
}

/// The row of the sheet that stands in a line of the screen, counted from the first below the title.
pub(crate) fn row_at(line: usize, area: Rect, progress: &Progress, view: &View) -> Option<usize> {
    let sheet = view.sheets.top()?;
    let seen = seen(sheet, area, progress, view);
    seen.lines.get(line).map(|(row, _)| *row)
}

fn seen(sheet: &Sheet, area: Rect, progress: &Progress, view: &View) -> Seen {
    let details = details::of(sheet, progress, view);
    let selected = sheet.row.min(details.len().saturating_sub(1));
    let width = usize::from(area.width);
    let room = width.saturating_sub(INDENT + 1);
    let mut lines = Vec::new();
    let mut urls = Vec::new();
    for (row, detail) in details.iter().enumerate() {
        let indent = detail.text.len() - detail.text.trim_start_matches(' ').len();
        let parts = wrapped(
            detail.text.trim_start_matches(' '),
            room.saturating_sub(indent),
            view.look,
        );
        for part in parts {
            let cells = Cells::new(view.look)
                .gap(INDENT + indent)
                .text(&part, detail.role);
            if let Some(url) = detail.url.as_ref().filter(|url| part.ends_with(*url)) {
                urls.push((lines.len(), cells.width() - url.len(), url.clone()));
            }
            lines.push((row, marked(cells.line(), row == selected, view.look)));
        }
    }
    let first = lines.iter().position(|(row, _)| *row == selected);
    let height = usize::from(area.height.saturating_sub(1));
    let shown = lists::around(first.unwrap_or(0), lines.len(), height);
    let urls = urls
        .into_iter()
        .filter(|(line, _, _)| shown.contains(line))
        .map(|(line, column, url)| (line - shown.start, column, url));
    Seen {
        urls: urls.collect(),
        lines: lines.drain(shown).collect(),
    }
}

/// Columns before the words of a row.
const INDENT: usize = 1;

impl View {
    /// Takes an answer to what was asked.
    pub(crate) fn learn(&mut self, question: &Question, answer: Answer) {
        match answer {
            Answer::Entities(entities) => self.search.learn(entities),
            Answer::Found(found) => self.sheets.learn(question, &found, self.now_ms),
        }
    }
}
