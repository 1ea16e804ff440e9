//! `report.md`: the outcome of a run, for people.

use std::time::Duration;

use super::super::advice::{self, CauseSummary};
use super::super::table::{self, Results};
use super::super::text::{self, count, counted, took};
use super::super::{closing, lists, note};
use crate::domain::WorkClass;
use crate::event::Lane;
use crate::progress::{GateState, List, Progress, Row};

/// Rows of a list that are written; the summary has the rest.
const ROWS: usize = 50;

/// Characters of the report. A comment on a pull request takes 65,536.
const LENGTH: usize = 59_000;

/// Characters of foreign text in a list.
const TEXT: usize = 300;

/// A part of the report. What needs a person comes first, and is cut where it is too long for a comment.
enum Part {
    Whole(String),
    Cut(String),
}

/// The report of a run that is over.
pub(crate) fn report(progress: &Progress) -> String {
    let lists = List::ALL.map(|list| Part::Cut(named(progress, list)));
    let [
        failed,
        conflicts,
        left_alone,
        kept,
        _,
        remaining,
        updated,
        created,
    ] = lists;
    joined([
        Part::Whole(head(progress)),
        Part::Whole(outcomes(progress)),
        Part::Cut(failures(progress)),
        failed,
        Part::Cut(blocked(progress)),
        conflicts,
        left_alone,
        kept,
        Part::Cut(publishing(progress)),
        remaining,
        Part::Cut(verification(progress)),
        Part::Cut(warnings(progress)),
        updated,
        created,
        Part::Whole(lanes(progress)),
        Part::Whole(times(progress)),
        Part::Whole(gates(progress)),
    ])
}

/// The parts in one text that is short enough.
fn joined(parts: impl IntoIterator<Item = Part>) -> String {
    let parts: Vec<_> = parts.into_iter().collect();
    let whole = parts.iter().map(|part| match part {
        Part::Whole(text) => text.chars().count(),
        Part::Cut(_) => 0,
    });
    let mut room = LENGTH.saturating_sub(whole.sum());
    let mut report = String::new();
    for part in parts {
        match part {
            Part::Whole(text) => report += &text,
            Part::Cut(text) => report += &cut(text, &mut room),
        }
    }
    report
}

/// As many lines as there is room for.
fn cut(text: String, room: &mut usize) -> String {
    const REST: &str = "- and more, see report.html\n";
    let length = text.chars().count();
    if length <= *room {
        *room -= length;
        return text;
    }
    let mut left = std::mem::take(room).saturating_sub(REST.len());
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        let length = line.chars().count();
        if length > left {
            break;
        }
        left -= length;
        kept += line;
    }
    if !kept.is_empty() {
        kept += REST;
    }
    kept
}

/// The first entities of a list, by name.
fn named(progress: &Progress, list: List) -> String {
    let entities = lists::named(progress, list);
    if entities.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for entity in entities {
        let reason = lists::reason(entity, list).map(|why| format!(": {}", inline(&why)));
        let (key, name) = (&entity.key, inline(&entity.name));
        line(
            &mut text,
            &format!("`{key}` {name}{}", reason.unwrap_or_default()),
        );
    }
    if let Some(more) = lists::more(progress, list) {
        line(&mut text, &more);
    }
    section(lists::title(list), &text)
}

fn head(progress: &Progress) -> String {
    let mut text = String::new();
    let title = progress.run().map_or_else(
        || "# Migration\n".to_owned(),
        |run| format!("# Migration of {} to {}\n", run.source, run.target),
    );
    text += &title;
    append!(text, "\n{}.\n", upper_first(&closing::line(progress)));
    if let Some(run) = progress.run() {
        let rehearsal = if run.dry_run {
            " It was a dry run: nothing was written to the target."
        } else {
            ""
        };
        append!(
            text,
            "\nRun `{}`, started {}.{rehearsal}\n",
            run.id,
            run.started_at
        );
    }
    if let Some(next) = advice::after(progress) {
        append!(text, "\n**Next:** {next}.\n");
    }
    text
}

fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

fn outcomes(progress: &Progress) -> String {
    let Some(results) = Results::of(progress) else {
        return String::new();
    };
    let mut head = vec!["kind"];
    head.extend(&results.columns);
    head.push("success");
    let row = |row: &table::Row, name: String| {
        let mut cells = vec![name];
        cells.extend(row.counts.iter().map(|number| count(*number)));
        let rate = row.standing.rate();
        cells.push(rate.map_or_else(|| "-".to_owned(), text::share));
        cells
    };
    let kinds = results.kinds.iter();
    let mut rows: Vec<_> = kinds.map(|kind| row(kind, kind.name.to_owned())).collect();
    rows.push(row(&results.all, format!("**{}**", results.all.name)));
    section("Results by entity type", &grid(&head, &rows))
}

fn lanes(progress: &Progress) -> String {
    if progress.rows().is_empty() {
        return String::new();
    }
    let now_ms = progress.last_at_ms();
    let head = [
        "uploads",
        "planned",
        "processed",
        "failed",
        "blocked",
        "remaining",
        "sent",
        "took",
    ];
    let row = |name: String, row: &Row, took: String| {
        let left = row.waiting + row.in_flight;
        let numbers = [
            row.planned,
            row.settled.total(),
            row.settled.failed(),
            row.settled.blocked(),
            left,
        ];
        let mut cells = vec![name];
        cells.extend(numbers.map(count));
        cells.extend([text::bytes(row.bytes), took]);
        cells
    };
    let mut rows: Vec<_> = Lane::ALL
        .into_iter()
        .map(|lane| {
            let time = progress.lane_time(lane, now_ms);
            let time = time.map_or_else(|| "-".to_owned(), took);
            row(note::lane_name(lane), &progress.lane(lane), time)
        })
        .collect();
    for (class, name) in [
        (WorkClass::Sequential, "sequential"),
        (WorkClass::Parallel, "parallel"),
    ] {
        let name = format!("total, {name}");
        rows.push(row(name, &progress.class(class), "-".to_owned()));
    }
    section("Lanes", &grid(&head, &rows))
}

fn times(progress: &Progress) -> String {
    let now_ms = progress.last_at_ms();
    let mut lines = String::new();
    for time in progress.phase_times(now_ms) {
        line(
            &mut lines,
            &format!("{}: {}", note::phase_words(time.phase), took(time.took)),
        );
    }
    for one in progress.readings() {
        line(&mut lines, &inline(&note::reading(one)));
    }
    if progress.paused(now_ms) > Duration::ZERO {
        line(
            &mut lines,
            &format!("paused: {}", took(progress.paused(now_ms))),
        );
    }
    if let Some(rate) = progress.average_per_second(now_ms) {
        let bytes = text::bytes(progress.uploads().bytes);
        line(
            &mut lines,
            &format!(
                "throughput: {} entities per second, {bytes} sent",
                text::rate(rate)
            ),
        );
    }
    let (sent, refused) = (count(progress.requests()), count(progress.refused()));
    let (again, slow) = (
        count(progress.retries()),
        counted(progress.throttlings(), "time"),
    );
    let requests = format!("requests: {sent} sent, {refused} refused, {again} sent again");
    line(&mut lines, &format!("{requests}; rate limited {slow}"));
    if progress.batches_finished() > 0 {
        let (finished, split) = (progress.batches_finished(), progress.batches_split());
        let finished = count(finished);
        line(
            &mut lines,
            &format!("batches: {finished} processed by the target, {split} split"),
        );
    }
    section("Times and rates", &lines)
}

fn gates(progress: &Progress) -> String {
    let mut rows = Vec::new();
    for gate in progress.gates().iter().take(ROWS) {
        let at = |ms: u64| text::clock(Duration::from_millis(ms));
        let (state, when, by) = match &gate.state {
            GateState::Closed { .. } => ("closed", String::new(), String::new()),
            GateState::Open { at_ms, by } => {
                let by = by.as_ref().map(ToString::to_string);
                ("open", at(*at_ms), by.unwrap_or_default())
            }
            GateState::Failed { at_ms, by } => ("**failed**", at(*at_ms), by.to_string()),
        };
        let (name, entities) = (gate.plan.gate.to_string(), count(gate.plan.entities));
        rows.push(vec![name, entities, state.to_owned(), when, by]);
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "gate",
        "entities",
        "state",
        "at",
        "last to arrive, or cause",
    ];
    section("Gates", &grid(&head, &rows))
}

fn failures(progress: &Progress) -> String {
    if progress.causes().is_empty() {
        return String::new();
    }
    section("Failures by cause", &by_cause(&advice::failures(progress)))
}

fn publishing(progress: &Progress) -> String {
    let Some(all) = progress.publishing() else {
        return String::new();
    };
    let mut text = String::new();
    let published = note::counted_entities(all.published);
    line(
        &mut text,
        &format!(
            "{published} published, {} not published, {} held back, {} unpublished",
            count(all.refused),
            count(all.held_back),
            count(all.unpublished)
        ),
    );
    if let Some(drafts) = closing::drafts(progress) {
        line(&mut text, &drafts);
    }
    text += &by_cause(&advice::unpublished(progress));
    section("Publishing", &text)
}

fn by_cause(causes: &[CauseSummary<'_>]) -> String {
    let mut text = String::new();
    for told in causes {
        let (entities, title, code) = (told.count(), &told.title, told.code);
        line(&mut text, &format!("{entities}: {title} ({code})"));
        let example = &told.cause.examples[0];
        let (name, reason) = (inline(&example.name), inline(&example.reason));
        append!(text, "  - `{}` {name}: {reason}\n", example.key);
        if let Some(more) = told.more() {
            append!(text, "  - {more}\n");
        }
        append!(text, "  - Next step: {}.\n", told.next);
    }
    text
}

fn blocked(progress: &Progress) -> String {
    let mut roots: Vec<_> = progress.blocked_by().iter().collect();
    if roots.is_empty() {
        return String::new();
    }
    roots.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
    let mut text = String::new();
    for (root, number) in roots.iter().take(ROWS) {
        line(
            &mut text,
            &format!("{} by `{root}`", note::counted_entities(**number)),
        );
    }
    more(&mut text, roots.len());
    section("Blocked by failed dependencies", &text)
}

fn verification(progress: &Progress) -> String {
    let Some(verification) = progress.verification() else {
        return section("Verification", "- There was none.\n");
    };
    let mut text = String::new();
    let (checked, total) = (count(verification.checked), count(verification.total));
    let found = counted(verification.differences, "difference");
    line(
        &mut text,
        &format!("{checked} of {total} entities compared, {found}"),
    );
    if let Some((by_digest, downloaded)) = verification.files {
        line(&mut text, &note::compared(by_digest, downloaded));
    }
    for found in progress.differences().iter().take(ROWS) {
        let detail = inline(&text::short(&found.detail, TEXT));
        line(
            &mut text,
            &format!("`{}` {}: {detail}", found.key, inline(&found.difference)),
        );
    }
    more(&mut text, progress.differences().len());
    section("Verification", &text)
}

fn warnings(progress: &Progress) -> String {
    if progress.warnings().is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for warning in progress.warnings() {
        line(&mut text, &inline(&text::short(warning, TEXT)));
    }
    section("Warnings", &text)
}

fn section(title: &str, body: &str) -> String {
    format!("\n## {title}\n\n{body}")
}

fn line(text: &mut String, line: &str) {
    append!(*text, "- {line}\n");
}

fn more(text: &mut String, all: usize) {
    if all > ROWS {
        line(text, &format!("and {} more", all - ROWS));
    }
}

/// A table whose columns but the first stand to the right.
pub(crate) fn grid<S: AsRef<str>>(head: &[S], rows: &[Vec<String>]) -> String {
    let head: Vec<_> = head.iter().map(AsRef::as_ref).collect();
    let mut text = format!(
        "| {} |\n|---|{}\n",
        head.join(" | "),
        "---:|".repeat(head.len() - 1)
    );
    for row in rows {
        let cells: Vec<_> = row.iter().map(|cell| inline(cell)).collect();
        append!(text, "| {} |\n", cells.join(" | "));
    }
    text
}

/// Foreign text inside a line: on one line, and nothing in it opens a table cell, HTML or a link.
pub(crate) fn inline(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text::clean(text).chars() {
        if matches!(char, '|' | '<' | '[' | '`' | '\\') {
            safe.push('\\');
        }
        safe.push(char);
    }
    safe
}
