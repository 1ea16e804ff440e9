//! New items that are almost what was sent.
//!
//! A server may store an item differently from what was sent: without a value, or with a changed text. When the response is
//! lost as well, nothing equal is found, and the item would be sent again. So the last search takes the candidate that has
//! most of the fields, provided that there is one such candidate for one missing item. The verification names what differs,
//! and the next save corrects it. With any other candidate the outcome stays unknown.

use serde_json::Value;

use super::look::{Looked, saved};
use crate::domain::{Entity, Kind, TargetId};
use crate::engine::context::{PlanView, Prepared};
use crate::plan::normal;

/// Takes the suspects that resemble an absent item, and claims them.
pub(super) fn take(view: &PlanView, items: &[Prepared], looked: &mut Looked) {
    let strangers = std::mem::take(&mut looked.strangers);
    let suspected = |at: &usize| looked.suspects.get(at).into_iter().flatten();
    let pairs: Vec<(usize, &Entity<TargetId>)> = looked
        .absent
        .iter()
        .flat_map(|at| suspected(at).map(|id| (*at, id)))
        .filter_map(|(at, id)| Some((at, strangers.iter().find(|there| there.key.id == *id)?)))
        .filter(|(at, there)| resembles(view, &items[*at], there))
        .collect();
    for (at, found) in &pairs {
        let is_only = |(other, also): &&(usize, &Entity<TargetId>)| {
            other == at || also.key.id == found.key.id
        };
        let key = &view.entity(items[*at].node).key;
        if pairs.iter().filter(is_only).count() == 1 && view.ids.claim(key, found.key.id).is_ok() {
            looked.absent.retain(|absent| absent != at);
            looked.suspects.remove(at);
            looked.found.push((*at, saved(found)));
        }
    }
}

/// Whether an item of the target has at least half of the fields with which a new item was sent, and one of them.
fn resembles(view: &PlanView, item: &Prepared, there: &Entity<TargetId>) -> bool {
    if there.key.kind != Kind::Content {
        return false;
    }
    let sent = normal(Kind::Content, &item.save.body, &view.schema);
    let stored = normal(Kind::Content, &there.body.parse(), &view.schema);
    let Value::Object(fields) = &sent["fields"] else {
        return false;
    };
    let kept = fields
        .iter()
        .filter(|(name, value)| stored["fields"][*name] == **value);
    let kept = kept.count();
    kept > 0 && kept * 2 >= fields.len()
}
