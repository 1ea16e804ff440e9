//! `plan.json` and `graph.json`: every entity of a plan, for programs.
//!
//! Both are one JSON object, written as it goes so that a million entities need no memory of their own, with one entity
//! or need a line. Entities stand in the order of the source inventory; `graph.json` names them by their place in
//! its `nodes`. A reader must ignore members that it does not know; [`SCHEMA`] rises when one changes its meaning.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use crate::domain::{ContentHash, EntityKey, Inventory, SourceId, WorkClass};
use crate::plan::{Action, Change, Overview, Plan, Strength};

/// The version of both formats.
const SCHEMA: u32 = 2;

/// An entity of `plan.json`.
#[derive(Serialize)]
struct Planned<'a> {
    key: &'a EntityKey,
    name: &'a str,
    #[serde(flatten)]
    action: &'a Action,
    because: &'a str,
    /// What brought it into a selection that does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    included_by: Option<&'a EntityKey>,
    class: WorkClass,
    /// The content level; 0 for other kinds.
    level: u32,
    /// Estimated milliseconds of the longest chain of work that starts with it.
    remaining_ms: u32,
    /// Whether it is saved a second time, with references that were left out at first.
    patched: bool,
    /// The hash of the source when the plan was made.
    source_hash: Option<ContentHash>,
    /// What differs, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [Change]>,
    /// Of a merged entity the fields that stay as the target has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<&'a [String]>,
}

/// An entity of `graph.json`.
#[derive(Serialize)]
struct Node<'a> {
    key: &'a EntityKey,
    name: &'a str,
    action: &'static str,
    level: u32,
}

/// A need of `graph.json`.
#[derive(Serialize)]
struct Need {
    /// The dependent.
    from: u32,
    /// What is needed.
    to: u32,
    /// `whole` (not before the other one is as it will be), `hard` (not before it exists), `deferrable` or `order`.
    strength: &'static str,
    /// What leaving it out costs; only of deferrable ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<u32>,
    /// Whether it is left out at first and patched in afterwards.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

/// Writes `plan.json`: `schema`, `source`, `levels`, `cycles`, `actions` (how many of each) and `entities`. With an overview
/// also `removed`, `deferred`, `published`, `unpublished`, `still_public`, `drafts`, `deleted`, `gone`, `effort` and `maps`, `webhooks` and
/// `pauses_webhooks` where there are any, and the `changes` of each entity that is not just
/// left as it is.
///
/// # Errors
/// Whatever `out` says.
pub fn write_plan(
    out: &mut dyn Write,
    plan: &Plan,
    source: &Inventory<SourceId>,
    overview: Option<&Overview>,
) -> io::Result<()> {
    let mut actions = std::collections::BTreeMap::<&str, u32>::new();
    for planned in &plan.entities {
        *actions.entry(planned.action.name()).or_default() += 1;
    }
    let deleted = overview.map_or(0, |overview| overview.deleted.len());
    if let Ok(deleted @ 1..) = u32::try_from(deleted) {
        actions.insert("delete", deleted);
    }
    let mut head = json!({
        "schema": SCHEMA,
        "source": source.guid,
        "levels": plan.levels,
        "cycles": plan.cycles.len(),
        "cuts": plan.cuts(),
        "actions": actions,
    });
    let mut changes: HashMap<u32, &[Change]> = HashMap::new();
    if let Some(overview) = overview {
        head["target"] = json!(overview.target);
        head["removed"] = json!(overview.removed);
        head["deferred"] = json!(overview.deferred);
        head["published"] = json!(overview.published);
        head["unpublished"] = json!(overview.withdrawn);
        head["still_public"] = json!(overview.still_public);
        if !overview.webhooks.is_empty() {
            head["webhooks"] = json!(overview.webhooks);
            head["pauses_webhooks"] = json!(overview.pauses_webhooks);
        }
        head["drafts"] = json!(overview.drafts);
        head["deleted"] = json!(overview.deleted);
        head["gone"] = json!(overview.gone);
        head["effort"] = json!(overview.effort);
        head["maps"] = json!(overview.maps);
        let entries = overview.groups.iter().flat_map(|group| &group.entries);
        changes.extend(entries.map(|entry| (entry.node, &*entry.changes)));
    }
    open(out, &head)?;
    let entities = (0..).zip(plan.entities.iter().zip(source.entities()));
    let entities = entities.map(|(node, (planned, entity))| Planned {
        key: &entity.key,
        name: &entity.name,
        action: &planned.action,
        because: &planned.because,
        included_by: planned
            .included_by
            .map(|node| &source.entities()[node as usize].key),
        class: planned.class,
        level: planned.level,
        remaining_ms: planned.remaining_ms,
        patched: planned.is_patched(),
        source_hash: planned.source_hash,
        changes: changes.get(&node).copied(),
        kept: planned.merge.as_ref().map(|merge| &*merge.kept),
    });
    list(out, "entities", entities)?;
    out.write_all(b"\n}\n")?;
    out.flush()
}

/// Writes `graph.json`: `schema`, `source`, `levels`, `cycles` (with `members`, `cut` and `closed`), `nodes` and
/// `needs`.
///
/// # Errors
/// Whatever `out` says.
pub fn write_graph(
    out: &mut dyn Write,
    plan: &Plan,
    source: &Inventory<SourceId>,
) -> io::Result<()> {
    let cycles: Vec<_> = plan
        .cycles
        .iter()
        .map(|cycle| json!({ "members": cycle.members, "cut": cycle.cut, "closed": cycle.closed }))
        .collect();
    let head = json!({
        "schema": SCHEMA,
        "source": source.guid,
        "levels": plan.levels,
        "cycles": cycles,
    });
    open(out, &head)?;
    let nodes = plan.entities.iter().zip(source.entities());
    let nodes = nodes.map(|(planned, entity)| Node {
        key: &entity.key,
        name: &entity.name,
        action: planned.action.name(),
        level: planned.level,
    });
    list(out, "nodes", nodes)?;
    list(out, "needs", needs(plan))?;
    out.write_all(b"\n}\n")?;
    out.flush()
}

fn needs(plan: &Plan) -> impl Iterator<Item = Need> + '_ {
    (0..plan.graph.len()).flat_map(move |from| {
        plan.graph.needs(from).iter().map(move |need| {
            let (strength, cost) = match need.strength {
                Strength::Order => ("order", None),
                Strength::Name { .. } => ("name", None),
                Strength::Renamed => ("renamed", None),
                Strength::Deferrable { cost } => ("deferrable", Some(cost)),
                Strength::Hard => ("hard", None),
                Strength::Whole => ("whole", None),
            };
            Need {
                from,
                to: need.on,
                strength,
                cost,
                cut: plan.is_cut(from, need.on)
                    || plan.entities[from as usize].again.contains(&need.on),
            }
        })
    })
}

/// Writes an object without its closing brace.
fn open(out: &mut dyn Write, head: &serde_json::Value) -> io::Result<()> {
    let head = serde_json::to_string(head)?;
    out.write_all(head.strip_suffix('}').unwrap_or(&head).as_bytes())
}

/// Writes one more member of the open object: a list, an entry a line.
fn list<T: Serialize>(
    out: &mut dyn Write,
    name: &str,
    entries: impl Iterator<Item = T>,
) -> io::Result<()> {
    write!(out, ",\n\"{name}\":[")?;
    for (at, entry) in entries.enumerate() {
        out.write_all(if at == 0 { b"\n" } else { b",\n" })?;
        out.write_all(serde_json::to_string(&entry)?.as_bytes())?;
    }
    out.write_all(b"\n]")
}
