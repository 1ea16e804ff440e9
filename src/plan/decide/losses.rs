//! What an update removes from the target, named with the number of values.
//!
//! A save replaces the stored object, so it removes whatever the source does not have: a field of a model with its values in
//! every item, a zone of a template with the modules that pages have in it, the list of a dynamic page with the pages that
//! its items make, the settings of a container or gallery. That is intended where the source removed it. But values that
//! only the target has make the update a conflict, whether the source ever had the field or not.
//!
//! | entity | removed | with it | conflict where |
//! |---|---|---|---|
//! | model | a field | its values in items | an item with a value is no counterpart, or was changed on the target |
//! | template | a zone | the modules in it on pages | a page with modules in it is one of the target's own |
//! | page | the list of a dynamic page | the pages of its items | never: the items stay |
//! | container, gallery | a setting | nothing | never |
//! | content | a value, an item of a list | | that is an ordinary change |

use std::collections::HashSet;

use serde_json::Value;

use super::compare::{Comparer, target_hash};
use crate::domain::{Entity, Inventory, Kind, SourceId, TargetId, TargetKey};
use crate::plan::action::{Action, Planned};
use crate::plan::graph::Node;
use crate::plan::notice::{Concern, Notice};
use crate::plan::schema::{field_key, name_key};
use crate::plan::undo::losing_values;
use crate::plan::{normal, whole_payload};

/// What goes, and the entities of the target that lose something with it.
struct Loss<'a> {
    what: String,
    with_it: Vec<&'a Entity<TargetId>>,
}

/// Names what every update takes away, and makes it a conflict where the target has values of its own.
pub(super) fn name(
    entities: &mut [Planned],
    source: &Inventory<SourceId>,
    comparer: &Comparer<'_>,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut counterparts = None;
    for (node, (planned, entity)) in (0..).zip(entities.iter_mut().zip(source.entities())) {
        let (Action::Update { target }
        | Action::Conflict {
            target: Some(target),
        }) = planned.action
        else {
            continue;
        };
        let Some(loss) = loss(entity, target, comparer) else {
            continue;
        };
        let known = counterparts.get_or_insert_with(|| unchanged_counterparts(comparer));
        let is_own = |there: &&&Entity<TargetId>| !known.contains(&there.key);
        let own = loss.with_it.iter().filter(is_own).count();
        notices.push(told(
            planned,
            (node, target),
            &loss.what,
            own,
            comparer.policies.overwrites(entity),
        ));
    }
    notices
}

fn told(
    planned: &mut Planned,
    (node, target): (Node, TargetId),
    what: &str,
    own: usize,
    overwrite: bool,
) -> Notice {
    let is_update = matches!(planned.action, Action::Update { .. });
    let text = match (is_update, own) {
        (true, 1..) if !overwrite => {
            planned.action = Action::Conflict {
                target: Some(target),
            };
            planned.left_alone = true;
            format!(
                "it would take away {what}, of which {own} are the target's own; --overwrite does it"
            )
        }
        (true, _) => format!("it takes away {what}"),
        (false, _) => format!("--overwrite takes away {what}"),
    };
    planned.add(&text);
    Notice {
        node,
        about: Concern::TakenAway,
        text,
    }
}

/// Content and pages of the target that are known to be as the last agreement left them.
fn unchanged_counterparts(comparer: &Comparer<'_>) -> HashSet<TargetKey> {
    let rows = comparer.agreements.iter();
    let rows = rows.filter(|(key, _)| key.kind.is_localised());
    rows.filter_map(|(key, agreement)| {
        let there = key.with_id(agreement.target);
        let found = comparer.target.get(&there)?;
        let is_unchanged = agreement
            .target_hash
            .is_some_and(|hash| hash == target_hash(found, comparer.target_schema));
        is_unchanged.then_some(there)
    })
    .collect()
}

fn loss<'a>(
    entity: &Entity<SourceId>,
    target: TargetId,
    comparer: &Comparer<'a>,
) -> Option<Loss<'a>> {
    let kind = entity.key.kind;
    match kind {
        Kind::Asset | Kind::Content | Kind::Redirection => return None,
        Kind::Model | Kind::Container | Kind::Template | Kind::Gallery | Kind::Page => {}
    }
    let there = comparer.target.get(&entity.key.with_id(target))?;
    let existing = there.body.parse();
    let written = whole_payload(
        entity,
        &comparer.context,
        comparer.counterparts,
        Some(&existing),
    );
    let written = written.ok()?.body;
    match kind {
        Kind::Model => model(there, (&existing, &written), comparer.target),
        Kind::Template => template(there, (&existing, &written), comparer.target),
        Kind::Page => page((&existing, &written), comparer.target),
        Kind::Container | Kind::Gallery => settings(
            &normal(kind, &existing, comparer.target_schema),
            &normal(kind, &written, comparer.context.schema),
        ),
        Kind::Asset | Kind::Content | Kind::Redirection => None,
    }
}

/// The names that `member` has in rows of `list`, where `written` has them no more.
fn gone(existing: &Value, written: &Value, list: &str, member: &str) -> Vec<String> {
    let names = |body: &Value| -> Vec<String> {
        let rows = body[list].as_array().into_iter().flatten();
        let names = rows.filter_map(|row| row[member].as_str());
        names.map(str::to_owned).collect()
    };
    let kept: HashSet<String> = names(written)
        .iter()
        .map(|name| field_key(name).into_owned())
        .collect();
    let mut gone = names(existing);
    gone.retain(|name| !kept.contains(&*field_key(name)));
    gone
}

fn model<'a>(
    there: &Entity<TargetId>,
    (existing, written): (&Value, &Value),
    target: &'a Inventory<TargetId>,
) -> Option<Loss<'a>> {
    let fields = gone(existing, written, "fields", "name");
    if fields.is_empty() {
        return None;
    }
    let with_it = losing_values(target, there, written);
    let what = format!(
        "{} with values in {}",
        listed("field", &fields),
        counted(with_it.len(), "item")
    );
    Some(Loss { what, with_it })
}

fn template<'a>(
    there: &Entity<TargetId>,
    (existing, written): (&Value, &Value),
    target: &'a Inventory<TargetId>,
) -> Option<Loss<'a>> {
    let member = "pageItemTemplateReferenceName";
    // No list at all keeps the zones.
    written["contentSectionDefinitions"].as_array()?;
    let zones = gone(existing, written, "contentSectionDefinitions", member);
    if zones.is_empty() {
        return None;
    }
    let name = name_key(&there.name);
    let mut modules = 0;
    let mut with_it = Vec::new();
    for page in target.of_kind(Kind::Page) {
        let body = page.body.parse();
        let is_its = |of: &str| name_key(of) == name;
        if !body["templateName"].as_str().is_some_and(is_its) {
            continue;
        }
        let in_zones: usize = body["zones"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(zone, _)| zones.iter().any(|gone| name_key(gone) == name_key(zone)))
            .filter_map(|(_, modules)| Some(modules.as_array()?.len()))
            .sum();
        modules += in_zones;
        with_it.extend((in_zones > 0).then_some(page));
    }
    let what = format!(
        "{} with {} on {}",
        listed("zone", &zones),
        counted(modules, "module"),
        counted(with_it.len(), "page")
    );
    Some(Loss { what, with_it })
}

/// A dynamic page that leaves its list: the items stay, and have no page any more.
fn page<'a>(
    (existing, written): (&Value, &Value),
    target: &Inventory<TargetId>,
) -> Option<Loss<'a>> {
    let list = |body: &Value| {
        let name = body["dynamic"]["referenceName"].as_str().map(name_key);
        name.filter(|name| !name.is_empty())
    };
    let left = list(existing)?;
    if list(written).as_ref() == Some(&left) {
        return None;
    }
    let items = target.of_kind(Kind::Content).iter().filter(|item| {
        let body = item.body.parse();
        let of = body["properties"]["referenceName"].as_str();
        of.is_some_and(|of| name_key(of) == left)
    });
    let count = counted(items.count(), "item");
    let what = format!("the list `{left}` of the page, and with it the pages of {count}");
    let with_it = Vec::new();
    Some(Loss { what, with_it })
}

fn settings<'a>(existing: &Value, written: &Value) -> Option<Loss<'a>> {
    let (existing, written) = (existing.as_object()?, written.as_object()?);
    let gone: Vec<String> = existing
        .keys()
        .filter(|name| !written.contains_key(*name))
        .cloned()
        .collect();
    (!gone.is_empty()).then(|| Loss {
        what: listed("setting", &gone),
        with_it: Vec::new(),
    })
}

/// `the fields "a" and "b"`.
fn listed(what: &str, names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    match &*quoted {
        [only] => format!("the {what} {only}"),
        several => format!("the {what}s {}", several.join(", ")),
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
