//! Three-way merge: which side each field comes from, where both sides changed different fields.
//!
//! ```text
//!   what the source says, in the target's terms ──┐
//!   what both sides said when they last agreed ───┼─▶ three-way, field by field ─▶ kept │ taken │ in conflict
//!   what the target says ─────────────────────────┘
//! ```
//!
//! All three are in the target's terms: a reference that leads to another counterpart now counts as a change of the source.
//! The agreement is known by the hashes of its fields, which the state keeps; the fields themselves are not needed, because
//! a field that is unlike the agreement on one side only is taken from that side.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::action::Planned;
use super::json_pointer::unescaped;
use super::normal::{Difference, field_hashes, unit_at, units};
use crate::domain::{ContentHash, EntityKey, FieldHash, FieldHashes, Inventory, Kind, SourceId};

/// An entity whose fields come from both sides. Fields are JSON pointers into the normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// Fields that only the target changed: they stay.
    pub kept: Arc<[String]>,
    /// Fields that only the source changed: they are written.
    pub taken: Arc<[String]>,
    /// The hash of what the source says, in the target's terms: the agreement from which the target's own fields differ.
    pub base: ContentHash,
    /// The same by field.
    pub base_fields: FieldHashes,
}

/// Fields that no entity changes alone: what else it says depends on them.
const WHOLE: [&str; 3] = ["/container", "/model", "/pagetype"];
/// The template of a page, on which its zones depend.
const TEMPLATE: &str = "/templatename";

/// Finds the side of every field. `different` is where `found`, what the target says, differs from `expected`, what the
/// source says in the target's terms, but for what the server filled in.
///
/// # Errors
/// The fields in conflict.
pub(super) fn merge(
    kind: Kind,
    (expected, found): (&Value, &Value),
    different: &[Difference],
    agreed: &FieldHashes,
) -> Result<Merge, Vec<String>> {
    let (here, there) = (by_unit(kind, expected), by_unit(kind, found));
    let parts = different.iter().map(|one| unit_at(kind, &one.at));
    let (mut kept, mut taken, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for unit in parts.collect::<BTreeSet<_>>() {
        let (here, there) = (here.get(unit).copied(), there.get(unit).copied());
        let agreed = agreed.get(unit);
        let of = if there == agreed || here == there {
            &mut taken
        } else if here == agreed {
            &mut kept
        } else {
            &mut both
        };
        of.push(unit.to_owned());
    }
    let zones = |units: &[String]| units.iter().any(|unit| unit.starts_with("/zones/"));
    let has = |units: &[String], name: &str| units.iter().any(|unit| unit == name);
    // Zones are those of a template: both come from one side.
    let is_torn =
        (has(&taken, TEMPLATE) && zones(&kept)) || (has(&kept, TEMPLATE) && zones(&taken));
    let moved = WHOLE
        .iter()
        .filter(|name| has(&taken, name) || has(&kept, name));
    both.extend(moved.map(|name| (*name).to_owned()));
    both.extend(is_torn.then(|| TEMPLATE.to_owned()));
    if !both.is_empty() {
        return Err(both);
    }
    Ok(Merge {
        kept: kept.into(),
        taken: taken.into(),
        base: ContentHash::of(expected),
        base_fields: field_hashes(kind, expected),
    })
}

fn by_unit(kind: Kind, form: &Value) -> HashMap<String, FieldHash> {
    let units = units(kind, form).into_iter();
    units
        .map(|(name, value)| (name, FieldHash::of(value)))
        .collect()
}

/// Fields as people call them.
pub(super) fn names(units: &[String]) -> String {
    let name = |unit: &String| {
        let name = match unit.strip_prefix("/fields/") {
            Some(field) => field.to_owned(),
            None => match unit.strip_prefix("/zones/") {
                Some(zone) => format!("zone {zone}"),
                None => unit.trim_start_matches('/').to_owned(),
            },
        };
        unescaped(&name)
    };
    units.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The fields that stay as the target has them, by entity.
#[derive(Clone, Debug, Default)]
pub struct Merged(HashMap<EntityKey, Arc<[String]>>);

impl Merged {
    /// Of what a plan writes.
    pub fn of(entities: &[Planned], source: &Inventory<SourceId>) -> Self {
        let all = entities.iter().zip(source.entities());
        let merged = all.filter(|(planned, _)| planned.action.is_work());
        let kept = merged.filter_map(|(planned, entity)| {
            let kept = Arc::clone(&planned.merge.as_ref()?.kept);
            Some((entity.key.clone(), kept))
        });
        Self(kept.collect())
    }

    /// The fields of an entity that stay; `None` of one that comes from the source as a whole.
    pub fn kept(&self, key: &EntityKey) -> Option<&[String]> {
        self.0.get(key).map(|kept| &**kept)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::differences;

    fn merged(base: &Value, here: &Value, there: &Value) -> Result<(String, String), String> {
        let item = |fields: &Value| json!({ "fields": fields, "model": { "@model": "post" } });
        let (base, here, there) = (item(base), item(here), item(there));
        let agreed = field_hashes(Kind::Content, &base);
        let different = differences(&here, &there);
        let merge = merge(Kind::Content, (&here, &there), &different, &agreed);
        merge
            .map(|merge| (names(&merge.taken), names(&merge.kept)))
            .map_err(|both| names(&both))
    }

    #[test]
    fn each_field_comes_from_the_side_that_changed_it() {
        let base = json!({ "title": "a", "body": "b", "note": "n" });
        for (here, there, expected) in [
            (
                json!({ "title": "A", "body": "b", "note": "n" }),
                json!({ "title": "a", "body": "B", "note": "n" }),
                Ok(("title", "body")),
            ),
            // Emptied by one side, filled by the other one.
            (
                json!({ "body": "b", "note": "n" }),
                json!({ "title": "a", "body": "b", "note": "n", "more": "m" }),
                Ok(("title", "more")),
            ),
            // The same on both is no conflict.
            (
                json!({ "title": "A", "body": "B", "note": "n" }),
                json!({ "title": "A", "body": "b", "note": "n" }),
                Ok(("body", "")),
            ),
            (
                json!({ "title": "A", "body": "b", "note": "N" }),
                json!({ "title": "X", "body": "B", "note": "n" }),
                Err("title"),
            ),
        ] {
            let expected = expected
                .map(|(taken, kept): (&str, &str)| (taken.to_owned(), kept.to_owned()))
                .map_err(str::to_owned);
            assert_eq!(merged(&base, &here, &there), expected, "{here} {there}");
        }
    }

    #[test]
    fn zones_stay_with_their_template() {
        let page = |template: &str, main: &str, title: &str| json!({ "templatename": { "@template": template }, "zones": { "main": [main] }, "title": title });
        let base = page("one", "a", "t");
        let agreed = field_hashes(Kind::Page, &base);
        let torn = |here: &Value, there: &Value| {
            let different = differences(here, there);
            merge(Kind::Page, (here, there), &different, &agreed).is_err()
        };
        assert!(torn(&page("two", "a", "t"), &page("one", "b", "t")));
        assert!(torn(&page("one", "b", "t"), &page("two", "a", "t")));
        assert!(!torn(&page("two", "b", "t"), &page("one", "a", "T")));
        assert!(!torn(&page("one", "b", "t"), &page("one", "a", "T")));
    }
}
