//! The rows of what was opened: from the progress, and for entities and batches from the records of the run.

use std::time::Duration;

use super::lanes;
use super::sheet::{Detail, Open, Sheet};
use super::theme::Role;
use super::view::View;
use crate::domain::{BatchId, EntityKey, Exchange, FailureCause, Kind, shown_name};
use crate::event::{Gate, Lane};
use crate::progress::{GateProgress, GateState, Progress};
use crate::report::advice;
use crate::report::lookup::Found;
use crate::report::note::{counted_entities, lane_name};
use crate::report::text::{clock, count, took};

/// Entities in flight that are listed.
const LISTED: usize = 500;

/// The rows of a sheet.
pub(crate) fn of(sheet: &Sheet, progress: &Progress, view: &View) -> Vec<Detail> {
    let found = sheet.found.as_ref().map(|(found, _)| found);
    match &sheet.of {
        Open::Cause(cause) => failure(*cause, progress),
        Open::Batch(id) => batch(*id, found, progress, view),
        Open::Gate(of) => match progress.gates().iter().find(|gate| gate.plan.gate == *of) {
            Some(gate) => gate_rows(gate, progress, view),
            None => vec![dim("not in the plan")],
        },
        Open::Lane(lane) => lane_rows(*lane, progress, view),
        Open::Entity(key) => entity(key, found, progress, view),
        Open::Note(text) => vec![line_of(text, None)],
        Open::Request(exchange) => request(exchange),
    }
}

fn plain(text: impl Into<String>) -> Detail {
    Detail::new(text, Role::Text)
}

fn dim(text: impl Into<String>) -> Detail {
    Detail::new(text, Role::Dim)
}

fn head(text: impl Into<String>) -> Detail {
    Detail::new(text, Role::Strong)
}

fn at(ms: u64) -> String {
    clock(Duration::from_millis(ms))
}

fn failure(of: FailureCause, progress: &Progress) -> Vec<Detail> {
    let causes = advice::failures(progress);
    let Some(told) = causes.iter().find(|told| told.cause.cause == of) else {
        return vec![dim("no failure of this kind")];
    };
    let mut rows = vec![
        Detail::new(format!("{} {}", told.code, told.title), Role::Bad),
        plain(told.count()),
        plain(format!("next: {}", told.next)),
        dim(format!("see `lockgate explain {}`", told.code)),
        plain(""),
    ];
    for example in &told.cause.examples {
        let (key, name) = (&example.key, shown_name(&example.name));
        let blocked = progress.blocked_by().get(key).copied().unwrap_or(0);
        let row = plain(format!("{key} {name:?}: {}", example.reason));
        rows.push(row.opens(Open::Entity(key.clone())));
        if blocked > 0 {
            rows.push(dim(format!("  blocks {}", counted_entities(blocked))));
        }
    }
    let listed = u32::try_from(told.cause.examples.len()).unwrap_or(u32::MAX);
    let more = told.cause.count.saturating_sub(listed);
    if more > 0 {
        let text = format!("and {} more, all of them in report.html", count(more));
        rows.push(dim(text));
    }
    rows
}

fn batch(id: BatchId, found: Option<&Found>, progress: &Progress, view: &View) -> Vec<Detail> {
    let mut rows = match progress.batches().get(&id) {
        Some(batch) => vec![
            plain(format!("{} in {}", batch.kind.plural(), batch.locale)),
            plain(format!(
                "{} of {} items processed",
                count(batch.processed),
                count(batch.items)
            )),
            plain(format!(
                "accepted at {}, {} ago",
                at(batch.since_ms),
                took(Duration::from_millis(
                    view.now_ms.saturating_sub(batch.since_ms)
                ))
            )),
        ],
        None => vec![plain("no longer running on the target")],
    };
    rows.push(plain(""));
    rows.extend(lines_of(found, None));
    rows
}

fn gate_rows(gate: &GateProgress, progress: &Progress, view: &View) -> Vec<Detail> {
    let all = counted_entities(gate.plan.entities);
    let mut rows = vec![match &gate.state {
        GateState::Closed { arrived } => {
            plain(format!("not complete: {} of {all}", count(*arrived)))
        }
        GateState::Open { at_ms, by: None } => plain(format!("complete since {}", at(*at_ms))),
        GateState::Open {
            at_ms,
            by: Some(by),
        } => plain(format!("complete since {}, last: {by}", at(*at_ms)))
            .opens(Open::Entity(by.clone())),
        GateState::Failed { at_ms, by } => Detail::new(
            format!("incomplete since {}, because {by} failed", at(*at_ms)),
            Role::Bad,
        )
        .opens(Open::Entity(by.clone())),
    }];
    let own = gate.plan.lane;
    rows.push(dim(format!("work of {}", lane_name(own))).opens(Open::Lane(own)));
    for lane in &gate.plan.waited_for_by {
        let row = dim(format!("{} waits for it", lane_name(*lane)));
        rows.push(row.opens(Open::Lane(*lane)));
    }
    let covers = |kind: Kind, lane: Lane| gate.covers(kind, lane);
    rows.extend(in_flight(progress, view, covers));
    rows.extend(failed(progress, |kind| {
        Lane::ALL.into_iter().any(|lane| covers(kind, lane))
    }));
    rows
}

fn lane_rows(lane: Lane, progress: &Progress, view: &View) -> Vec<Detail> {
    let row = progress.lane(lane);
    let mut rows = vec![plain(lanes::state(progress, view, lane))];
    let sum = format!(
        "{} of {} processed, {} in flight, {} failed, {} blocked",
        count(row.settled.total()),
        count(row.planned),
        count(row.in_flight),
        count(row.settled.failed()),
        count(row.settled.blocked())
    );
    rows.push(plain(sum));
    if let Some(left) = progress.lane_left(lane, view.now_ms) {
        rows.push(plain(format!("about {} left", took(left))));
    }
    for kind in Kind::ALL {
        let row = progress.lane_kind(lane, kind);
        if row.planned > 0 {
            let done = format!("{} of {}", count(row.settled.total()), count(row.planned));
            rows.push(dim(format!("  {:<13} {done}", kind.plural())));
        }
    }
    rows.push(plain(""));
    rows.push(head("Gates"));
    let own = progress
        .gates()
        .iter()
        .filter(|gate| gate.plan.lane == lane);
    rows.extend(own.map(|gate| gate_link("  ", gate)));
    let waits: Vec<_> = progress.closed_gates_before(lane).collect();
    if !waits.is_empty() {
        rows.push(head("Waits for"));
        rows.extend(waits.into_iter().map(|gate| gate_link("  ", gate)));
    }
    rows.extend(in_flight(progress, view, |_, of| of == lane));
    rows.extend(failed(progress, |kind| {
        progress.lane_kind(lane, kind).settled.failed() > 0
    }));
    rows
}

fn gate_link(indent: &str, gate: &GateProgress) -> Detail {
    let state = match &gate.state {
        GateState::Closed { arrived } => {
            format!("{} of {}", count(*arrived), count(gate.plan.entities))
        }
        GateState::Open { at_ms, .. } => format!("complete at {}", at(*at_ms)),
        GateState::Failed { at_ms, .. } => format!("incomplete at {}", at(*at_ms)),
    };
    let gate = gate.plan.gate;
    dim(format!("{indent}{gate}  {state}")).opens(Open::Gate(gate))
}

/// The entities in flight that are meant, those longest on their way first.
fn in_flight(
    progress: &Progress,
    view: &View,
    is_meant: impl Fn(Kind, Lane) -> bool,
) -> Vec<Detail> {
    let mut flying: Vec<_> = progress
        .in_flight()
        .iter()
        .filter(|(key, flight)| is_meant(key.kind, flight.row.lane))
        .collect();
    if flying.is_empty() {
        return Vec::new();
    }
    flying.sort_by_key(|(_, flight)| flight.since_ms);
    let number = u32::try_from(flying.len()).unwrap_or(u32::MAX);
    let mut rows = vec![plain(""), head(format!("In flight: {}", count(number)))];
    rows.extend(flying.into_iter().take(LISTED).map(|(key, flight)| {
        let since = view.now_ms.saturating_sub(flight.since_ms);
        let text = format!("  {key}  for {}", took(Duration::from_millis(since)));
        dim(text).opens(Open::Entity(key.clone()))
    }));
    rows
}

/// The failures of kinds, by cause.
fn failed(progress: &Progress, is_meant: impl Fn(Kind) -> bool) -> Vec<Detail> {
    let causes = advice::failures(progress);
    let meant = causes.iter().filter(|told| {
        let mut examples = told.cause.examples.iter();
        examples.any(|example| is_meant(example.key.kind))
    });
    let rows: Vec<_> = meant
        .map(|told| {
            let row = Detail::new(format!("  {} {}", told.code, told.title), Role::Bad);
            row.opens(Open::Cause(told.cause.cause))
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    [vec![plain(""), head("Failed")], rows].concat()
}

fn entity(key: &EntityKey, found: Option<&Found>, progress: &Progress, view: &View) -> Vec<Detail> {
    let mut rows = Vec::new();
    if let Some(flight) = progress.in_flight().get(key) {
        let since = took(Duration::from_millis(
            view.now_ms.saturating_sub(flight.since_ms),
        ));
        rows.push(Detail::new(format!("in flight for {since}"), Role::Accent));
    }
    for link in found.iter().flat_map(|found| &found.links) {
        let mut row = dim(format!("{}: {}", link.name, link.url));
        row.url = Some(link.url.clone());
        rows.push(row);
    }
    rows.extend(lines_of(found, Some(key)));
    rows
}

fn request(exchange: &Exchange) -> Vec<Detail> {
    let status = exchange
        .status
        .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let mut rows = vec![
        head(format!("{} -> {status}", exchange.endpoint)),
        plain(format!("instance {}", exchange.guid)),
        line_of(&exchange.operation, None),
        plain(format!("took {} ms", exchange.took.as_millis())),
        dim(exchange.at.to_string()),
    ];
    if let Some(error) = &exchange.error {
        rows.push(Detail::new(error.clone(), Role::Bad));
    }
    rows
}

/// The lines of an answer. One that names another entity opens it.
fn lines_of(found: Option<&Found>, own: Option<&EntityKey>) -> Vec<Detail> {
    match found {
        Some(found) => found.text.lines().map(|text| line_of(text, own)).collect(),
        None => vec![dim("reading the records of the run")],
    }
}

fn line_of(text: &str, own: Option<&EntityKey>) -> Detail {
    let row = plain(text);
    match key_in(text, own) {
        Some(key) => row.opens(Open::Entity(key)),
        None => row,
    }
}

/// The first entity that a line names by its key, other than this one.
pub(crate) fn key_in(text: &str, own: Option<&EntityKey>) -> Option<EntityKey> {
    let mut words = text.split_whitespace().map(|word| {
        let word = word.trim_matches(|sign: char| "(),;.\"'".contains(sign));
        word.trim_end_matches(':')
    });
    words.find_map(|word| {
        let key = word.parse().ok()?;
        (Some(&key) != own).then_some(key)
    })
}

/// The gate of a row.
pub(crate) fn gate_of(progress: &Progress, row: usize) -> Option<Gate> {
    progress.gates().get(row).map(|gate| gate.plan.gate)
}
