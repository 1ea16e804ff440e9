//! An event in words, the same on the screen and in the lines.

use std::time::Duration;

use super::text::{self, count, counted, took};
use crate::domain::{BatchId, EntityKey, Kind, Outcome, shown_name};
use crate::event::{Event, Gate, Lane, Phase, Side, WebhookState};
use crate::progress::{Progress, Reading};

/// A line about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// How much it matters.
    pub(crate) weight: Weight,
    /// What happened.
    pub(crate) text: String,
}

/// How much a note matters, lightest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// For users who ask for everything.
    Detail,
    /// Something expected happened.
    Info,
    /// Something came to a good end.
    Good,
    /// Something that a person should know.
    Caution,
    /// Something went wrong.
    Bad,
}

impl Weight {
    fn says(self, text: impl Into<String>) -> Note {
        Note {
            weight: self,
            text: text.into(),
        }
    }
}

/// What a lane is called: `lane 1 independent-entities`.
pub(crate) fn lane_name(lane: Lane) -> String {
    format!("lane {} {}", lane as usize + 1, lane.name())
}

/// An event in words; `None` for events that are reported in sum, such as those about reading and pace.
pub(crate) fn note(event: &Event, progress: &Progress) -> Option<Note> {
    match event {
        Event::RunStarted { .. } => Some(Weight::Info.says(run_line(progress)?)),
        Event::PhaseStarted { phase } => Some(Weight::Info.says(phase_of(*phase, progress))),
        Event::PlanMade { .. } => Some(Weight::Info.says(plan_line(progress)?)),
        Event::UndoPlanned { .. } => undo_line(event),
        Event::PrunePlanned { delete, kept, .. } => Some(prune_line(*delete, *kept)),
        Event::LaneStarted { lane } => {
            Some(Weight::Info.says(format!("{} started", lane_name(*lane))))
        }
        Event::LaneFinished { lane } => Some(lane_line(*lane, progress)),
        Event::GateOpened { gate, by } => Some(gate_opened(*gate, by.as_ref())),
        Event::GateFailed { gate, by } => {
            Some(Weight::Bad.says(format!("{gate}: incomplete, {by} failed")))
        }
        Event::EntitySettled { .. } => settled_note(event),
        Event::EntityPatched { key } => Some(Weight::Detail.says(format!("patched {key}"))),
        Event::BatchSubmitted { .. } => batch_accepted(event),
        Event::BatchFinished {
            batch,
            succeeded,
            failed,
        } => Some(batch_finished(*batch, *succeeded, *failed)),
        Event::BatchSplit { batch, items } => {
            let text =
                format!("batch {batch} failed as a whole; its {items} items go again in halves");
            Some(Weight::Caution.says(text))
        }
        Event::RetryScheduled { .. } => retry(event),
        Event::Throttled { for_ms } => Some(throttled(*for_ms, progress)),
        Event::FeedBusy { .. } => feed_busy(event),
        Event::EntityHeld { key } => {
            Some(Weight::Detail.says(format!("{key} was not sent; it waits for the next run")))
        }
        Event::EntitiesLeft { entities, .. } => Some(left(*entities)),
        Event::TokenRefused => Some(Weight::Caution.says("the target refuses the token")),
        Event::Paused => Some(Weight::Caution.says("paused; no new requests")),
        Event::Resumed => Some(Weight::Info.says("resumed")),
        Event::DrainStarted { reason, in_flight } => {
            let waits = counted_entities(*in_flight);
            let text = format!("draining ({reason}); {waits} in flight");
            Some(Weight::Caution.says(text))
        }
        Event::InstanceRead { .. } => {
            let last = progress.readings().last();
            last.map(|last| Weight::Info.says(reading(last)))
        }
        Event::Webhooks { state, names } => Some(webhooks(*state, names)),
        Event::Warned { message } => {
            Some(Weight::Caution.says(format!("warning: {}", text::clean(message))))
        }
        Event::DifferenceFound { .. } => difference(event),
        Event::FilesCompared {
            by_digest,
            downloaded,
        } => Some(Weight::Detail.says(compared(*by_digest, *downloaded))),
        Event::VerifyFinished {
            checked,
            differences,
        } => Some(verified(*checked, *differences)),
        Event::PublishRefused { .. } => not_published(event),
        Event::PublishFinished { .. } => published_note(event),
        Event::Rehearsed { .. } => rehearsed(event),
        Event::RowsIgnored { .. } => rows_ignored(event),
        Event::ReadProgressed { .. }
        | Event::EntityStarted { .. }
        | Event::BatchProgressed { .. }
        | Event::PaceSampled { .. }
        | Event::ForecastMade { .. }
        | Event::VerifyProgressed { .. }
        | Event::RunFinished { .. } => None,
    }
}

fn difference(event: &Event) -> Option<Note> {
    let Event::DifferenceFound {
        key,
        difference,
        detail,
        left_alone,
    } = event
    else {
        return None;
    };
    let detail = text::clean(detail);
    let (weight, left) = match left_alone {
        true => (Weight::Caution, ", left alone"),
        false => (Weight::Bad, ""),
    };
    Some(weight.says(format!("difference {difference} {key}: {detail}{left}")))
}

/// How an instance was read, in a sentence.
pub(crate) fn reading(reading: &Reading) -> String {
    let because = text::clean(&reading.because);
    let side = match reading.side {
        Side::Source => "source",
        Side::Target => "target",
    };
    let entities = counted_entities(reading.entities);
    match &reading.since {
        None => format!("the {side} was read in full, {entities}: {because}"),
        Some(since) => {
            let rows = count(reading.rows);
            let also = match &*because {
                "" => String::new(),
                also => format!("; {also}"),
            };
            format!("the {side} was read on from {since}: {rows} rows for {entities}{also}")
        }
    }
}

/// What is reported of webhooks.
fn webhooks(state: WebhookState, names: &[String]) -> Note {
    let count = counted(u32::try_from(names.len()).unwrap_or(u32::MAX), "webhook");
    let list = text::clean(&names.join(", "));
    match state {
        WebhookState::Enabled => Weight::Caution.says(text::webhooks_fire(names.len(), &list)),
        WebhookState::Paused => {
            Weight::Info.says(format!("switched off until the end: {count}, {list}"))
        }
        WebhookState::Resumed => Weight::Info.says(format!("switched on again: {count}, {list}")),
    }
}

/// `1 entity`, `2 entities`.
pub(crate) fn counted_entities(number: u32) -> String {
    if number == 1 {
        "1 entity".to_owned()
    } else {
        format!("{} entities", count(number))
    }
}

/// `1 entity is left`, `2 entities are left`.
pub(crate) fn are_left(number: u32) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb} left", counted_entities(number))
}

fn left(entities: u32) -> Note {
    Weight::Caution.says(format!(
        "{}; the next run goes on there",
        are_left(entities)
    ))
}

fn run_line(progress: &Progress) -> Option<String> {
    let run = progress.run()?;
    let rehearsal = if run.dry_run {
        ", dry run: nothing is written"
    } else {
        ""
    };
    Some(format!(
        "run {}: {} to {}{rehearsal}",
        run.id, run.source, run.target
    ))
}

/// What a part of the run does.
pub(crate) const fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Pull => "reading both instances",
        Phase::Plan => "planning",
        Phase::Upload => "uploading",
        Phase::Verify => "verifying",
    }
}

/// What a part of this run does.
fn phase_of(phase: Phase, progress: &Progress) -> &'static str {
    let is_undo = progress.undone().is_some();
    match phase {
        Phase::Upload if is_undo => "undoing",
        Phase::Pull | Phase::Plan | Phase::Upload | Phase::Verify => phase_words(phase),
    }
}

fn prune_line(delete: u32, kept: u32) -> Note {
    let text = format!(
        "gone from the source: {} to delete on the target, {} left alone",
        count(delete),
        count(kept)
    );
    Weight::Info.says(text)
}

fn undo_line(event: &Event) -> Option<Note> {
    let Event::UndoPlanned {
        undone,
        entities,
        delete,
        restore,
        kept,
        lanes: _,
    } = event
    else {
        return None;
    };
    let written = entities.iter().map(|(_, number)| number).sum();
    let text = format!(
        "undo of run {undone}, which wrote {}: {} to delete, {} to restore, {} left alone",
        counted_entities(written),
        count(*delete),
        count(*restore),
        count(*kept)
    );
    Some(Weight::Info.says(text))
}

fn plan_line(progress: &Progress) -> Option<String> {
    let planned = progress.planned()?;
    let entities: u32 = planned.entities.iter().map(|(_, entities)| entities).sum();
    let uploads = progress.uploads().planned;
    let mut text = format!(
        "plan: {}, {} to upload",
        counted_entities(entities),
        count(uploads)
    );
    if planned.levels > 0 {
        append!(text, ", {} of content", counted(planned.levels, "level"));
    }
    if planned.cycles > 0 {
        let (cycles, cuts) = (
            counted(planned.cycles, "cycle"),
            counted(planned.cuts, "reference"),
        );
        append!(text, ", {cycles} resolved by deferring {cuts}");
    }
    Some(text)
}

fn lane_line(lane: Lane, progress: &Progress) -> Note {
    let row = progress.lane(lane);
    if row.planned == 0 {
        return Weight::Detail.says(format!("{} has nothing to do", lane_name(lane)));
    }
    let (failed, blocked) = (row.settled.failed(), row.settled.blocked());
    let weight = if failed + blocked == 0 {
        Weight::Good
    } else {
        Weight::Caution
    };
    let mut text = format!(
        "{} done: {} processed",
        lane_name(lane),
        count(row.settled.total())
    );
    if failed > 0 {
        append!(text, ", {} failed", count(failed));
    }
    if blocked > 0 {
        append!(text, ", {} blocked", count(blocked));
    }
    if let Some(time) = progress.lane_time(lane, progress.last_at_ms()) {
        append!(text, ", took {}", text::took(time));
    }
    weight.says(text)
}

fn settled_note(event: &Event) -> Option<Note> {
    let Event::EntitySettled {
        key,
        name,
        outcome,
        target,
        because,
        ..
    } = event
    else {
        return None;
    };
    let name = shown_name(name);
    let what = format!("{outcome} {key} \"{name}\"");
    match outcome {
        Outcome::Failed { reason } => {
            Some(Weight::Bad.says(format!("{what}: {}", text::clean(reason))))
        }
        Outcome::Blocked { by } => Some(Weight::Detail.says(format!("{what} by {by}"))),
        Outcome::Conflict | Outcome::LeftAlone | Outcome::Kept { .. } => {
            Some(Weight::Caution.says(format!("{what}: {}", text::clean(because))))
        }
        Outcome::Created
        | Outcome::Adopted
        | Outcome::Updated
        | Outcome::Unchanged
        | Outcome::OutOfScope
        | Outcome::Deleted
        | Outcome::Restored => {
            let target = target.map(|id| format!(" as {id}")).unwrap_or_default();
            let because = text::clean(because);
            Some(Weight::Detail.says(format!("{what}{target}: {because}")))
        }
    }
}

fn batch_accepted(event: &Event) -> Option<Note> {
    let Event::BatchSubmitted {
        batch,
        locale,
        kind,
        items,
    } = event
    else {
        return None;
    };
    let kind = kind.plural();
    Some(Weight::Detail.says(format!(
        "batch {batch} accepted: {items} {kind} of {locale}"
    )))
}

fn batch_finished(batch: BatchId, succeeded: u32, failed: u32) -> Note {
    let text = format!("batch {batch} done: {succeeded} succeeded, {failed} failed");
    let weight = if failed == 0 {
        Weight::Detail
    } else {
        Weight::Caution
    };
    weight.says(text)
}

fn gate_opened(gate: Gate, by: Option<&EntityKey>) -> Note {
    let last = by.map_or_else(
        || "nothing to wait for".to_owned(),
        |key| format!("last: {key}"),
    );
    Weight::Good.says(format!("{gate} ({last})"))
}

/// A wait that the server asks for: a long one with its end.
fn throttled(for_ms: u64, progress: &Progress) -> Note {
    /// From here on a wait is shown with its end.
    const LONG_MS: u64 = 5_000;
    if for_ms < LONG_MS {
        let text = format!("rate limited by the target; nothing leaves for {for_ms} ms");
        return Weight::Detail.says(text);
    }
    let until = progress.clock_at(progress.last_at_ms().saturating_add(for_ms));
    let until = until.map_or_else(String::new, |until| format!(", until {until}"));
    let seconds = for_ms.div_ceil(1000);
    Weight::Caution.says(format!(
        "rate limited by the target; nothing leaves for {seconds} s{until}"
    ))
}

fn retry(event: &Event) -> Option<Note> {
    let Event::RetryScheduled {
        operation,
        attempt,
        delay_ms,
        cause,
    } = event
    else {
        return None;
    };
    let cause = text::clean(cause);
    let text = format!("retry {operation}, attempt {attempt} in {delay_ms} ms: {cause}");
    Some(Weight::Detail.says(text))
}

fn feed_busy(event: &Event) -> Option<Note> {
    let Event::FeedBusy {
        operation,
        at_most_ms,
        ..
    } = event
    else {
        return None;
    };
    let (operation, most) = (text::clean(operation), at_most_ms.div_ceil(1000));
    let text = format!("waiting for {operation}: the feed is busy (at most {most} s)");
    Some(Weight::Info.says(text))
}

fn rows_ignored(event: &Event) -> Option<Note> {
    let Event::RowsIgnored {
        side,
        kind,
        rows,
        example,
    } = event
    else {
        return None;
    };
    let what = match kind {
        Kind::Asset => "folders and deleted files",
        Kind::Page => "nodes of dynamic pages",
        Kind::Gallery | Kind::Template => "deleted ones",
        Kind::Model | Kind::Container | Kind::Content | Kind::Redirection => {
            "built-in and deleted ones"
        }
    };
    let side = match side {
        Side::Source => "source",
        Side::Target => "target",
    };
    let rows = match rows {
        1 => "1 row".to_owned(),
        rows => format!("{} rows", count(*rows)),
    };
    let (kinds, example) = (kind.plural(), text::clean(example));
    let text =
        format!("{side}: {rows} in the list of {kinds} left out ({what}), such as {example}");
    Some(Weight::Info.says(text))
}

fn rehearsed(event: &Event) -> Option<Note> {
    let Event::Rehearsed {
        requests,
        writes,
        estimated_ms,
    } = event
    else {
        return None;
    };
    let text = format!(
        "a real run would send about {} requests to the target, {} of them writes, and take about {}",
        count(*requests),
        count(*writes),
        took(Duration::from_millis(*estimated_ms))
    );
    Some(Weight::Info.says(text))
}

fn not_published(event: &Event) -> Option<Note> {
    let Event::PublishRefused {
        key, name, reason, ..
    } = event
    else {
        return None;
    };
    let (name, reason) = (shown_name(name), text::clean(reason));
    Some(Weight::Bad.says(format!("not published {key} \"{name}\": {reason}")))
}

fn published_note(event: &Event) -> Option<Note> {
    let Event::PublishFinished {
        published,
        refused,
        held_back,
        unpublished,
        drafts,
    } = event
    else {
        return None;
    };
    let mut text = format!("published {}", counted_entities(*published));
    for (number, what) in [
        (unpublished, "unpublished"),
        (refused, "not published"),
        (held_back, "held back with those"),
        (drafts, "published on the source stay drafts"),
    ] {
        if *number > 0 {
            append!(text, ", {} {what}", count(*number));
        }
    }
    let weight = if refused + held_back == 0 {
        Weight::Good
    } else {
        Weight::Caution
    };
    Some(weight.says(text))
}

/// How the bytes of files were compared.
pub(crate) fn compared(by_digest: u32, downloaded: u32) -> String {
    let files = counted(by_digest + downloaded, "file");
    format!(
        "bytes of {files} compared: {} by the digest of the host, {} downloaded",
        count(by_digest),
        count(downloaded)
    )
}

fn verified(checked: u32, differences: u32) -> Note {
    let weight = if differences == 0 {
        Weight::Good
    } else {
        Weight::Bad
    };
    let found = counted(differences, "difference");
    weight.says(format!("verified {}, {found}", counted_entities(checked)))
}
