//! The first two lines: what runs, what it does, how far it is.

use ratatui::text::Line;

use super::cells::{Cells, simple_bar, upload_bar};
use super::theme::{Role, Sign};
use super::view::View;
use crate::event::{Bottleneck, Phase};
use crate::progress::{Progress, Status};
use crate::report::Watch;
use crate::report::note::counted_entities;
use crate::report::text::{self, count};

/// The header at this width.
pub(crate) fn lines(progress: &Progress, view: &View, width: usize) -> Vec<Line<'static>> {
    vec![first(progress, view, width), second(progress, view, width)]
}

fn first(progress: &Progress, view: &View, width: usize) -> Line<'static> {
    let look = view.look;
    let mut cells = Cells::new(look)
        .gap(1)
        .text("lockgate", Role::Strong)
        .gap(2);
    if let Some(name) = &view.name {
        cells = cells.text(name, Role::Accent).gap(2);
    }
    if let Some(badge) = badge(view) {
        cells = cells.text(&badge, Role::Caution).gap(2);
    }
    let (sign, role) = status_sign(progress, view);
    let mut words = format!("{} {}", look.sign(sign), status_words(progress, view));
    if view.is_held {
        words = format!("{} replay paused", look.sign(Sign::Paused));
    }
    // What is undone takes room.
    let least = if progress.undone().is_some() { 110 } else { 80 };
    if width >= least && view.watch == Watch::Run {
        words += &holdup(progress, view);
    }
    let status = Cells::new(look).text(&words, role).gap(1);
    if let Some(run) = progress.run()
        && width >= 60
    {
        cells = match progress.undone() {
            // The source has no part in it.
            Some(undone) => cells
                .text("undo of ", Role::Dim)
                .text(&undone.to_string(), Role::Text)
                .text(" on ", Role::Dim),
            None => cells
                .text(run.source.as_str(), Role::Text)
                .text(&format!(" {} ", look.sign(Sign::Arrow)), Role::Dim),
        };
        cells = cells.text(run.target.as_str(), Role::Text);
        if run.dry_run {
            cells = cells.gap(2).text("dry run", Role::Caution);
        }
        let id = run.id.to_string();
        if cells.width() + status.width() + id.len() + 4 < width {
            cells = cells.gap(2).text(&id, Role::Dim);
        }
    }
    cells.tail(status, width).line()
}

/// What is on the screen where that is no run that the keys reach: `REPLAY 10x`.
fn badge(view: &View) -> Option<String> {
    match view.watch {
        Watch::Run => None,
        Watch::Attached => Some("WATCHING".to_owned()),
        Watch::Replay { speed } => Some(format!("REPLAY {speed}x")),
    }
}

/// What uploads wait for most, as far as that is known.
fn holdup(progress: &Progress, view: &View) -> String {
    let eta = progress.eta(view.now_ms);
    let uploading = progress.status(view.now_ms) == Status::Uploading;
    match eta.filter(|eta| uploading && eta.by != Bottleneck::Verification) {
        Some(eta) => format!(", bottleneck: {}", eta.by.name()),
        None => String::new(),
    }
}

/// What the run does, in a word or two.
pub(crate) fn status_words(progress: &Progress, view: &View) -> String {
    match progress.status(view.now_ms) {
        Status::Starting => "starting".to_owned(),
        Status::Pulling => "reading".to_owned(),
        Status::Planning => "planning".to_owned(),
        Status::Uploading if progress.undone().is_some() => "undoing".to_owned(),
        Status::Uploading => "uploading".to_owned(),
        Status::Paused => "paused".to_owned(),
        Status::Throttled => {
            let left = progress.throttled_for(view.now_ms).as_secs() + 1;
            format!("throttled for {left} s")
        }
        Status::Draining => {
            let entities = u32::try_from(progress.in_flight().len()).unwrap_or(u32::MAX);
            format!("draining, {} in flight", counted_entities(entities))
        }
        Status::Verifying => "verifying".to_owned(),
        Status::Finished { exit: 0 } => "done".to_owned(),
        Status::Finished { exit } => format!("ended, exit code {exit}"),
    }
}

/// The sign for it.
pub(crate) fn status_sign(progress: &Progress, view: &View) -> (Sign, Role) {
    match progress.status(view.now_ms) {
        Status::Starting => (Sign::Waiting, Role::Dim),
        Status::Pulling | Status::Planning | Status::Uploading | Status::Verifying => {
            (Sign::Running, Role::Accent)
        }
        Status::Paused => (Sign::Paused, Role::Caution),
        Status::Throttled => (Sign::Slowed, Role::Caution),
        Status::Draining => (Sign::Draining, Role::Caution),
        Status::Finished { exit: 0 } => (Sign::Done, Role::Good),
        Status::Finished { .. } => (Sign::Failed, Role::Bad),
    }
}

/// The bar, and right of it columns of a fixed width, so that the bar does not jump.
pub(crate) fn second(progress: &Progress, view: &View, width: usize) -> Line<'static> {
    let look = view.look;
    let far = Far::of(progress);
    let elapsed = text::clock(progress.elapsed(view.now_ms));
    // A difference is worth more than the time that is left.
    let eta = progress.eta(view.now_ms).filter(|_| !far.is_bad);
    let left = eta.map(|eta| format!("{} left", text::eta(&eta, look.sign(Sign::Dash))));
    let words = Cells::new(look)
        .right(&far.percent, 6, Role::Strong)
        .right(&far.words, 18, Role::Text)
        .right(&elapsed, 9, Role::Text)
        .right(&left.unwrap_or(far.remark), 20, Role::Strong)
        .gap(1)
        .line();
    let room = width.saturating_sub(words.width() + 1);
    let bar = match far.bar {
        Some(Bar::Uploads) => upload_bar(look, room, &progress.uploads()),
        Some(Bar::Plain { done, all }) => simple_bar(look, room, done, all),
        None => simple_bar(look, room, 0, 1),
    };
    Cells::new(look).gap(1).spans(bar).spans(words.spans).line()
}

/// How far the present part of the run is.
struct Far {
    percent: String,
    words: String,
    /// What stands in the place of the time left when that is not known.
    remark: String,
    /// Whether the remark reports trouble.
    is_bad: bool,
    /// `None` while it is not known how much there is.
    bar: Option<Bar>,
}

enum Bar {
    Uploads,
    Plain { done: u32, all: u32 },
}

impl Far {
    fn of(progress: &Progress) -> Self {
        match progress.phase() {
            None => Self::words("starting"),
            Some(Phase::Pull) => Self::reads(progress),
            Some(Phase::Plan) => Self::words("planning"),
            Some(Phase::Upload) => Self::uploads(progress),
            Some(Phase::Verify) => Self::verification(progress),
        }
    }

    fn words(words: &str) -> Self {
        Self {
            percent: String::new(),
            words: words.to_owned(),
            remark: String::new(),
            is_bad: false,
            bar: None,
        }
    }

    fn part(done: u32, all: u32, bar: Bar) -> Self {
        Self {
            percent: text::percent(done, all),
            words: format!("{} of {}", count(done), count(all)),
            remark: String::new(),
            is_bad: false,
            bar: Some(bar),
        }
    }

    fn reads(progress: &Progress) -> Self {
        let done: u32 = progress.reads().values().map(|read| read.read).sum();
        let all: Option<u32> = progress.reads().values().map(|read| read.expected).sum();
        match all {
            Some(all) if all > 0 => Self::part(done, all, Bar::Plain { done, all }),
            Some(_) | None => Self::words(&format!("{} read", count(done))),
        }
    }

    fn uploads(progress: &Progress) -> Self {
        let uploads = progress.uploads();
        if uploads.planned == 0 {
            let is_undo = progress.undone().is_some();
            return Self::words(if is_undo {
                "nothing to undo"
            } else {
                "nothing to upload"
            });
        }
        Self::part(uploads.settled.total(), uploads.planned, Bar::Uploads)
    }

    fn verification(progress: &Progress) -> Self {
        let Some(known) = progress.verification() else {
            return Self::words("verifying");
        };
        let (done, all) = (known.checked, known.total);
        let remark = text::counted(known.differences, "difference");
        Self {
            remark,
            is_bad: known.differences > 0,
            ..Self::part(done, all, Bar::Plain { done, all })
        }
    }
}
