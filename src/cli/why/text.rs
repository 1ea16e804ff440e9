//! The story for people.

use super::story::{Attempt, Chapter, Planned, Story};
use crate::domain::{EntityKey, Outcome, shown};
use crate::report::count_of;
use crate::report::graph::{Included, Neighbour};

/// Neighbours and blocked entities that are named; the rest is counted.
const NAMED: usize = 12;

/// The story, ending with a line end.
pub(super) fn text(story: &Story) -> String {
    let mut text = String::new();
    let name = story.name.as_ref().map(|name| format!(" {name:?}"));
    line(
        &mut text,
        0,
        &format!("{}{}", story.key, name.unwrap_or_default()),
    );
    let there = story.counterpart.as_ref().map_or_else(
        || "unknown (no mapping in the local state)".to_owned(),
        |there| {
            let (kind, target) = (story.key.kind, there.target);
            let evidence = there.evidence.as_ref().map(|why| format!(": {why}"));
            let (origin, run) = (there.origin, &there.run);
            format!(
                "{kind} {target}, {origin} by run {run}{}",
                evidence.unwrap_or_default()
            )
        },
    );
    field(&mut text, "target", &there);
    for chapter in &story.runs {
        write_run(&mut text, chapter);
    }
    if let Some(planned) = &story.plan {
        write_plan(&mut text, planned);
    }
    text
}

/// Why a selection includes an entity, ending with a line end.
pub(super) fn included(chain: &[Included]) -> String {
    let mut text = String::new();
    for (depth, one) in chain.iter().enumerate() {
        let why = match (&one.by, one.action.as_str()) {
            (Some(_), _) => "is needed by",
            (None, "out-of-scope") => "is not in the selection",
            (None, _) => "was asked for",
        };
        line(
            &mut text,
            2 * depth,
            &format!("{} {:?} {why}", one.key, one.name),
        );
    }
    text
}

fn write_run(text: &mut String, chapter: &Chapter) {
    let ending = match chapter.exit {
        Some(code) => format!("exit {code}"),
        None => "no end recorded".to_owned(),
    };
    let head = format!("run {} ({}, {ending})", chapter.run, chapter.command);
    line(text, 0, "");
    line(text, 0, &head);
    match &chapter.outcome {
        Some(Outcome::Failed { reason }) => field(text, "failed", reason),
        Some(Outcome::Blocked { by }) => {
            let cause = chapter.root_cause.as_ref();
            let cause = cause.map(|cause| format!(", which failed: {cause}"));
            field(
                text,
                "blocked",
                &format!("by {by}{}", cause.unwrap_or_default()),
            );
        }
        Some(outcome) => field(
            text,
            outcome.name(),
            chapter.because.as_deref().unwrap_or_default(),
        ),
        None if chapter.publication.is_some() => {}
        None => field(
            text,
            "no outcome",
            "the run ended before this was processed",
        ),
    }
    if !chapter.blocks.is_empty() {
        let count = count_of(chapter.blocks.len());
        field(
            text,
            "blocking",
            &format!("{count}: {}", keys(&chapter.blocks)),
        );
    }
    for attempt in &chapter.attempts {
        write_attempt(text, attempt);
    }
    match chapter
        .publication
        .as_ref()
        .map(|one| (one.state, &one.reason))
    {
        Some((_, Some(reason))) => field(text, "published", &format!("no: {reason}")),
        Some(("open", None)) => field(text, "published", "not known: the run ended before"),
        Some(("withdrawn", None)) => field(text, "published", "no: the source unpublished it"),
        Some((_, None)) => field(text, "published", "yes"),
        None => {}
    }
}

fn write_attempt(text: &mut String, attempt: &Attempt) {
    let batch = attempt.batch.map(|batch| format!(", batch {batch}"));
    let others = match attempt.entities {
        0 | 1 => String::new(),
        all => format!(", with {} others", all - 1),
    };
    let sent = format!(
        "{}  {}{}{others}: {}",
        attempt.at,
        attempt.operation,
        batch.unwrap_or_default(),
        attempt.state
    );
    field(text, &format!("attempt {}", attempt.number), &sent);
    for answer in &attempt.answers {
        field(text, "", answer);
    }
}

fn write_plan(text: &mut String, planned: &Planned) {
    line(text, 0, "");
    line(text, 0, &format!("plan of run {}", planned.run));
    let around = &planned.around;
    field(text, &around.action, &around.because);
    neighbours(text, "needs", &around.needs);
    neighbours(text, "needed by", &around.needed_by);
}

fn neighbours(text: &mut String, label: &str, neighbours: &[Neighbour]) {
    let mut label = label;
    for one in neighbours.iter().take(NAMED) {
        let cut = if one.cut {
            ", patched in afterwards"
        } else {
            ""
        };
        let (key, name, action) = (&one.key, &one.name, &one.action);
        field(
            text,
            label,
            &format!("{key} {name:?} ({action}; {}{cut})", one.strength),
        );
        label = "";
    }
    if let Some(more) = neighbours.len().checked_sub(NAMED).filter(|more| *more > 0) {
        field(text, "", &format!("and {} more", count_of(more)));
    }
}

fn keys(keys: &[EntityKey]) -> String {
    let mut named: Vec<String> = keys.iter().take(NAMED).map(ToString::to_string).collect();
    if keys.len() > NAMED {
        named.push(format!("and {} more", keys.len() - NAMED));
    }
    named.join(", ")
}

fn field(text: &mut String, label: &str, value: &str) {
    line(text, 2, &format!("{label:<11} {}", shown(value)));
}

fn line(text: &mut String, indent: usize, content: &str) {
    text.extend(std::iter::repeat_n(' ', indent));
    text.push_str(content.trim_end());
    text.push('\n');
}
