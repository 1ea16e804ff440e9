//! New items that are almost what was sent.
//!
//! A server may store an item otherwise than it was sent: without a value, with a text that it has changed. When the answer
//! is lost as well, nothing equal is found, and what was sent would be sent again. So the last look takes what resembles it:
//! a new item of the same container that is nobody's counterpart and has most of the fields. It is taken only where there
//! is one such item for one that is missing. The verification names what differs, and the next save mends it.

use serde_json::Value;

use super::look::{Looked, saved};
use crate::domain::{Entity, Kind, TargetId, same_name};
use crate::engine::crew::{Crew, Prepared, container_of};
use crate::instance::{Source, Target};
use crate::plan::normal;

/// Takes what resembles an absent item, and claims it.
pub(super) fn take<S, T>(crew: &Crew<S, T>, items: &[Prepared], looked: &mut Looked)
where
    S: Source + Clone,
    T: Target + Clone,
{
    let strangers = std::mem::take(&mut looked.strangers).into_iter();
    let strangers = strangers.filter(|there| there.key.kind == Kind::Content);
    let strangers: Vec<Entity<TargetId>> = strangers.collect();
    let pairs: Vec<(usize, usize)> = looked
        .absent
        .iter()
        .flat_map(|at| (0..strangers.len()).map(|there| (*at, there)))
        .filter(|(at, there)| resembles(crew, &items[*at], &strangers[*there]))
        .collect();
    for (at, there) in &pairs {
        let is_only = |(other, also): &&(usize, usize)| other == at || also == there;
        let found = &strangers[*there];
        let key = &crew.entity(items[*at].node).key;
        if pairs.iter().filter(is_only).count() == 1 && crew.ids.claim(key, found.key.id).is_ok() {
            looked.absent.retain(|absent| absent != at);
            looked.suspects.remove(at);
            looked.found.push((*at, saved(found)));
        }
    }
}

/// Whether an item of the target has at least half of the fields with which a new item was sent, and one of them.
fn resembles<S, T>(crew: &Crew<S, T>, item: &Prepared, there: &Entity<TargetId>) -> bool
where
    S: Source + Clone,
    T: Target + Clone,
{
    let body = there.body.parse();
    let container = body["properties"]["referenceName"].as_str();
    let is_there = container.is_some_and(|name| same_name(name, container_of(&item.save)));
    if item.save.id.is_some() || item.save.locale != there.key.locale || !is_there {
        return false;
    }
    let sent = normal(Kind::Content, &item.save.body, &crew.schema);
    let stored = normal(Kind::Content, &body, &crew.schema);
    let Value::Object(fields) = &sent["fields"] else {
        return false;
    };
    let kept = fields
        .iter()
        .filter(|(name, value)| stored["fields"][*name] == **value);
    let kept = kept.count();
    kept > 0 && kept * 2 >= fields.len()
}
