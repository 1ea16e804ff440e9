//! What every form says in the same words.

use crate::domain::Kind;
use crate::plan::{Effort, Entry, Gone, Group, Intended, Overview};
use crate::report::text::{clean, count, count_of, took, webhooks_fire};
use std::time::Duration;

/// Webhooks that are named.
const WEBHOOKS: usize = 5;

/// Every action with its name in lists, in their order.
const ACTIONS: [(Intended, &str); 9] = [
    (Intended::Create, "create"),
    (Intended::Update, "update"),
    (Intended::Adopt, "adopt"),
    (Intended::Unchanged, "unchanged"),
    (Intended::LeftAlone, "left-alone"),
    (Intended::Conflict, "conflict"),
    (Intended::Failed, "failed"),
    (Intended::Blocked, "blocked"),
    (Intended::Delete, "delete"),
];

pub(super) const fn sign(action: Intended) -> char {
    match action {
        Intended::Create => '+',
        Intended::Update => '~',
        Intended::Adopt => '=',
        Intended::Unchanged | Intended::LeftAlone => '.',
        Intended::Conflict => '!',
        Intended::Failed | Intended::Blocked => 'x',
        Intended::Delete => '-',
    }
}

pub(super) fn name(action: Intended) -> &'static str {
    let mut all = ACTIONS.iter();
    let found = all.find(|(of, _)| *of == action);
    found.map_or("unchanged", |(_, name)| name)
}

/// `12 create, 140 unchanged`; `nothing` of none.
pub(super) fn counts(of: impl Fn(Intended) -> usize) -> String {
    let counts = ACTIONS.iter().map(|(action, name)| (of(*action), name));
    let counts = counts.filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, name)| format!("{} {name}", count_of(count)))
        .collect();
    if counts.is_empty() {
        return "nothing".to_owned();
    }
    counts.join(", ")
}

/// Entities by kind and action: the names of the actions that there are, and for each kind how many have each.
pub(super) fn table(overview: &Overview) -> (Vec<&'static str>, Vec<(Kind, Vec<usize>)>) {
    let shown = ACTIONS
        .iter()
        .filter(|(action, _)| overview.count(*action) > 0);
    let shown: Vec<_> = shown.collect();
    let row = |counts: &[(Intended, usize)]| {
        let of = |(action, _): &&(Intended, &str)| count_in(counts, *action);
        shown.iter().map(of).collect()
    };
    let rows = overview.counts.iter();
    let rows = rows.map(|(kind, counts)| (*kind, row(counts))).collect();
    (shown.iter().map(|(_, name)| *name).collect(), rows)
}

fn count_in(counts: &[(Intended, usize)], action: Intended) -> usize {
    let found = counts.iter().find(|(of, _)| *of == action);
    found.map_or(0, |(_, count)| *count)
}

/// A number of a table of counts.
pub(super) fn cell(count: usize, zero: &str) -> String {
    match count {
        0 => zero.to_owned(),
        more => count_of(more),
    }
}

/// `content items in articles`.
pub(super) fn title(group: &Group) -> String {
    let kind = group.kind.plural();
    match group.container.as_deref() {
        None | Some("") => kind.to_owned(),
        Some(container) => format!("{kind} in {container}"),
    }
}

pub(super) fn counts_of(group: &Group) -> String {
    counts(|action| count_in(&group.counts, action))
}

/// Why something happens; `None` of what is new for no other reason than that.
pub(super) fn reason(entry: &Entry) -> Option<&str> {
    let is_plain = entry.action == Intended::Create && entry.because == "not on the target";
    (!is_plain).then_some(&entry.because)
}

/// Every conflict of a plan.
pub(super) fn conflicts(overview: &Overview) -> impl Iterator<Item = &Entry> {
    let entries = overview.groups.iter().flat_map(|group| &group.entries);
    entries.filter(|entry| entry.action == Intended::Conflict)
}

/// What else happens to the entities of a group.
pub(super) fn others(group: &Group) -> impl Iterator<Item = &Entry> {
    let entries = group.entries.iter();
    entries.filter(|entry| entry.action != Intended::Conflict)
}

/// The plan in a few sentences: what would happen, what is lost, what is published, and what it costs.
pub fn facts(overview: &Overview) -> Vec<String> {
    let mut facts = vec![counts(|action| overview.count(action))];
    facts.extend(overview.selected.clone());
    facts.extend(overview.maps.iter().map(|map| format!("map: {map}")));
    if overview.is_nothing() {
        facts.push("nothing to do".to_owned());
    }
    let updates = overview.count(Intended::Update);
    if updates > 0 {
        let removing = overview.removed.len().min(updates);
        let removed = match removing {
            0 => String::new(),
            1 => "; 1 of them removes fields or settings".to_owned(),
            removed => format!("; {} of them remove fields or settings", count_of(removed)),
        };
        facts.push(format!(
            "{} overwritten on the target{removed}",
            counted(updates, "entity", "entities")
        ));
    }
    let entries = overview.groups.iter().flat_map(|group| &group.entries);
    let merged = entries.filter(|entry| !entry.kept.is_empty() && entry.action == Intended::Update);
    let merged = merged.count();
    if merged > 0 {
        facts.push(format!(
            "{} merged: fields that only the target changed stay",
            counted(merged, "entity", "entities")
        ));
    }
    facts.extend(published(overview));
    if !overview.withdrawn.is_empty() {
        facts.push(format!(
            "unpublished on the target, as on the source: {}",
            counted(overview.withdrawn.len(), "entity", "entities")
        ));
    }
    if overview.still_public > 0 {
        facts.push(format!(
            "unpublished on the source and still published on the target: {}; --publish unpublishes what a run published",
            counted(overview.still_public, "entity", "entities")
        ));
    }
    if overview.drafts > 0 {
        let drafts = counted(overview.drafts, "entity", "entities");
        let stay = if overview.drafts == 1 {
            "stays a draft"
        } else {
            "stay drafts"
        };
        facts.push(format!(
            "{drafts} that the source has published {stay} on the target; --publish publishes them"
        ));
    }
    if !overview.deleted.is_empty() {
        let them = match overview.deleted.len() {
            1 => "it",
            _ => "them",
        };
        facts.push(format!(
            "{} deleted on the target, because the source no longer has {them}",
            counted(overview.deleted.len(), "entity", "entities")
        ));
    }
    facts.extend(gone(overview));
    facts.extend(webhooks(overview));
    facts.extend(effort(&overview.effort));
    facts
}

/// What is published, and how much of it below a newer draft.
fn published(overview: &Overview) -> Vec<String> {
    if overview.published.is_empty() {
        return Vec::new();
    }
    let of_kind = |kind: Kind| {
        let all = overview.published.iter();
        all.filter(|(key, _)| key.kind == kind).count()
    };
    let counts = [Kind::Content, Kind::Page].map(|kind| (of_kind(kind), kind));
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{} {}", count_of(count), kind.plural()))
        .collect();
    let mut facts = vec![format!("published afterwards: {}", counts.join(", "))];
    if let Some(below) = overview.below_drafts {
        facts.push(format!(
            "{} of these below a newer draft, which is saved on top again",
            count_of(below.get())
        ));
    }
    facts
}

/// What it costs.
fn effort(effort: &Effort) -> Option<String> {
    if effort.requests == 0 {
        return None;
    }
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let files = match effort.files {
        0 => String::new(),
        files => format!(
            "; files: {} in {} upload{}",
            count_of(files),
            count_of(effort.uploads),
            plural(effort.uploads)
        ),
    };
    let quota = effort.per_second.map_or_else(String::new, |rate| {
        format!(" at {} a second at most", count(rate))
    });
    Some(format!(
        "estimate: {} with polls and without reads, {}{quota}{files}",
        counted(effort.requests, "request", "requests"),
        took(Duration::from_secs(effort.seconds))
    ))
}

/// The webhooks that what is written fires; nothing where nothing is.
fn webhooks(overview: &Overview) -> Option<String> {
    let fires = !overview.is_nothing();
    fires.then(|| webhooks_before(&overview.webhooks, overview.pauses_webhooks))?
}

/// What is said of the webhooks of a target before anything is written; nothing where there are none.
pub(crate) fn webhooks_before(names: &[String], are_paused: bool) -> Option<String> {
    let number = names.len();
    if number == 0 {
        return None;
    }
    let shown = names.iter().map(|name| clean(name));
    let mut list = shown.take(WEBHOOKS).collect::<Vec<_>>().join(", ");
    if number > WEBHOOKS {
        list.push_str(", …");
    }
    if !are_paused {
        return Some(webhooks_fire(number, &list));
    }
    let are = if number == 1 { "is" } else { "are" };
    let count = counted(number, "webhook", "webhooks");
    Some(format!(
        "{count} of the target {are} switched off meanwhile: {list}"
    ))
}

/// What stays on the target although the source no longer has it.
fn gone(overview: &Overview) -> Option<String> {
    let (are, stay) = match overview.gone.len() {
        0 => return None,
        1 => ("is", "stays"),
        _ => ("are", "stay"),
    };
    let all = &overview.gone;
    let is_pruned = all.iter().any(|one| one.because.is_some()) || !overview.deleted.is_empty();
    let conflicts = all.iter().filter(|one| one.conflict).count();
    let more = match conflicts {
        0 if is_pruned => String::new(),
        0 => "; --prune deletes what no other entity refers to".to_owned(),
        1 => ", 1 of them in conflict: the target changed it".to_owned(),
        more => format!(
            ", {} of them in conflict: the target changed them",
            count_of(more)
        ),
    };
    Some(format!(
        "{} {are} gone from the source and {stay} on the target{more}",
        counted(all.len(), "entity", "entities")
    ))
}

/// A gone entity on a line, without its key: what it is called, what it is on the target, and why it stays.
pub(super) fn left_over(gone: &Gone) -> String {
    let because = gone.because.as_ref();
    let because = because.map_or_else(String::new, |because| format!(": {because}"));
    format!("{}, {} on the target{because}", gone.name, gone.target)
}

/// The titles of what is unpublished, of what is deleted and of what stays although the source no longer has it.
pub(super) const WITHDRAWN: &str = "Unpublished, as on the source";
pub(super) const DELETED: &str = "Deleted on the target, gone from the source";
pub(super) const GONE: &str = "Gone from the source, left on the target";

/// A count and its noun.
pub(super) fn counted(number: usize, one: &str, several: &str) -> String {
    let noun = if number == 1 { one } else { several };
    format!("{} {noun}", count_of(number))
}
