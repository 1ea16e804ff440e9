//! Small targets with known results of an undo.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Decided, Decision, Inputs, Kept, Own, PriorBytes, PriorState, Trace, UndoPlan, out_of_order,
    plan,
};
use crate::domain::{
    Body, ContentHash, Entity, Guid, Id, Inventory, ItemState, Key, Kind, Locale, Placement, RunId,
    TargetId, TargetKey,
};

const MODEL: i64 = 11;
const OTHER_MODEL: i64 = 12;
const LIST: i64 = 21;
const ITEM: i64 = 31;
const NEIGHBOUR: i64 = 32;

fn key<I: Id>(kind: Kind, id: i64) -> Key<I> {
    Key {
        kind,
        id: I::new(id),
        locale: kind.is_localised().then(|| Locale::new("en-us")),
    }
}

fn entity(kind: Kind, id: i64, name: &str, body: &Value) -> Entity<TargetId> {
    Entity {
        key: key(kind, id),
        name: name.into(),
        version: None,
        state: ItemState::None,
        placement: None,
        body: Body::new(body),
    }
}

fn model(id: i64, name: &str, refers_to: &str) -> Entity<TargetId> {
    let text = json!({ "name": "Text", "type": "Text", "settings": {} });
    let field = json!({ "name": "Link", "type": "Content", "settings": { "ContentDefinition": refers_to } });
    let body =
        json!({ "referenceName": name, "contentDefinitionTypeID": 1, "fields": [field, text] });
    entity(Kind::Model, id, name, &body)
}

fn list() -> Entity<TargetId> {
    let body = json!({ "referenceName": "posts", "contentDefinitionID": MODEL });
    entity(Kind::Container, LIST, "posts", &body)
}

fn item(id: i64, text: &str) -> Entity<TargetId> {
    let properties = json!({ "referenceName": "posts", "definitionName": "Post" });
    let body = json!({ "properties": properties, "fields": { "text": text } });
    entity(Kind::Content, id, text, &body)
}

/// A gallery, which needs nothing.
fn gallery(id: i64, name: &str) -> Entity<TargetId> {
    let body = json!({ "name": name, "description": name });
    entity(Kind::Gallery, id, name, &body)
}

fn page(id: i64, parent: Option<i64>, position: u32) -> Entity<TargetId> {
    let mut page = entity(
        Kind::Page,
        id,
        &format!("p{id}"),
        &json!({ "name": id.to_string(), "pageType": "folder" }),
    );
    page.placement = Some(Box::new(Placement {
        channel: "website".into(),
        channel_id: 1,
        parent,
        position,
    }));
    page
}

/// A target and what a run wrote on it.
#[derive(Default)]
struct Case {
    present: Vec<Entity<TargetId>>,
    traces: Vec<Trace>,
    /// What the run left of each trace.
    left: Vec<Entity<TargetId>>,
    bytes: HashMap<TargetId, ContentHash>,
    changed_too: bool,
}

impl Case {
    /// Something that the run did not write.
    fn stranger(mut self, entity: Entity<TargetId>) -> Self {
        self.present.push(entity);
        self
    }

    /// What the run left as `left`, and is `now`.
    fn trace(mut self, left: &Entity<TargetId>, now: Option<Entity<TargetId>>) -> Self {
        self.left.push(left.clone());
        self.traces.push(Trace::new(
            key(left.key.kind, left.key.id.raw() + 1000),
            left.name.to_string(),
            left.key.clone(),
        ));
        self.present.extend(now);
        self
    }

    /// What the run created and what has not changed since.
    fn created(self, entity: Entity<TargetId>) -> Self {
        let left = entity.clone();
        self.trace(&left, Some(entity))
    }

    /// The last trace existed before the run, as `former`.
    fn over(mut self, prior: Entity<TargetId>, bytes: PriorBytes) -> Self {
        let last = self.traces.last_mut().unwrap();
        last.existed = true;
        last.prior = Some(PriorState {
            entity: prior,
            bytes,
        });
        self
    }

    fn plan(&self) -> UndoPlan {
        let target = Arc::new(inventory(&self.present));
        let own = Own::new(Arc::clone(&target), &[]);
        let mut traces = self.traces.clone();
        for (trace, left) in traces.iter_mut().zip(&self.left) {
            trace.left = vec![own.hash(left)];
        }
        plan(&Inputs {
            traces: &traces,
            target: &target,
            left: &own,
            before: &own,
            bytes: &self.bytes,
            live: &HashMap::new(),
            rewritten: &HashMap::new(),
            changed_too: self.changed_too,
        })
    }

    fn decisions(&self) -> Vec<Decision> {
        let entities = self.plan().entities.into_iter();
        entities.map(|decided| decided.decision).collect()
    }
}

fn inventory(entities: &[Entity<TargetId>]) -> Inventory<TargetId> {
    Inventory::empty(Guid::new("5e6f7a8b-u")).with_entities(entities.to_vec())
}

fn changed() -> Decision {
    Decision::Keep(Kept::Changed { by: None })
}

fn is_needed_by(decision: &Decision, wanted: &TargetKey) -> bool {
    matches!(decision, Decision::Keep(Kept::Needed { by, .. }) if by == wanted)
}

#[test]
fn what_was_created_is_deleted_unless_somebody_changed_it() {
    let case = Case::default()
        .created(gallery(1, "as it was"))
        .trace(&gallery(2, "as it was left"), Some(gallery(2, "edited")))
        .trace(&gallery(3, "gone"), None);
    assert_eq!(
        case.decisions(),
        [Decision::Delete, changed(), Decision::Gone]
    );
    let all = Case {
        changed_too: true,
        ..case
    };
    assert_eq!(
        all.decisions(),
        [Decision::Delete, Decision::Delete, Decision::Gone]
    );
}

#[test]
fn a_later_run_is_named() {
    let mut case = Case::default().trace(&gallery(1, "left"), Some(gallery(1, "later")));
    let later = RunId("20260102-120000-0001".to_owned());
    case.traces[0].later = Some(later.clone());
    assert_eq!(
        case.decisions(),
        [Decision::Keep(Kept::Changed { by: Some(later) })]
    );
}

#[test]
fn what_existed_before_is_restored_and_never_deleted() {
    let prior = gallery(1, "before");
    let case = Case::default()
        .created(gallery(1, "after"))
        .over(prior.clone(), PriorBytes::None);
    assert_eq!(case.decisions(), [Decision::Restore]);
    // An earlier undo came so far.
    let case = Case::default()
        .trace(&gallery(1, "after"), Some(prior.clone()))
        .over(prior.clone(), PriorBytes::None);
    assert_eq!(case.decisions(), [Decision::AsBefore]);
    let case = Case::default()
        .trace(&gallery(1, "after"), Some(gallery(1, "edited")))
        .over(prior, PriorBytes::None);
    assert_eq!(case.decisions(), [changed()]);
    // Where nothing was recorded, it must not be deleted.
    let mut case = Case::default().created(gallery(1, "after"));
    case.traces[0].existed = true;
    assert!(matches!(
        case.decisions()[0],
        Decision::Keep(Kept::NotRestorable(_))
    ));
}

#[test]
fn an_asset_is_as_before_when_its_bytes_are() {
    let asset = |size: u32| {
        let body =
            json!({ "originKey": "a.txt", "size": size, "originUrl": "https://x.test/a.txt" });
        entity(Kind::Asset, 5, "a.txt", &body)
    };
    let hash = ContentHash::of_bytes(b"before");
    let case = || {
        Case::default()
            .created(asset(6))
            .over(asset(6), PriorBytes::Kept(hash))
    };
    assert_eq!(case().decisions(), [Decision::Restore]);
    let mut same = case();
    same.bytes.insert(TargetId::new(5), hash);
    assert_eq!(same.decisions(), [Decision::AsBefore]);
    // Another user has put a file of the same length there.
    let mut edited = case();
    edited.traces[0].left_bytes = Some(ContentHash::of_bytes(b"after!"));
    edited
        .bytes
        .insert(TargetId::new(5), ContentHash::of_bytes(b"edited"));
    assert_eq!(edited.decisions(), [changed()]);
    let lost = PriorBytes::Lost("no space".to_owned());
    let case = Case::default().created(asset(9)).over(asset(6), lost);
    let [Decision::Keep(Kept::NotRestorable(why))] = &case.decisions()[..] else {
        unreachable!("{:?}", case.decisions())
    };
    assert!(why.contains("no space"), "{why}");
}

#[test]
fn what_was_published_is_published_again() {
    let published = |text: &str| Entity {
        state: ItemState::Published,
        ..item(ITEM, text)
    };
    let staged = |text: &str| Entity {
        state: ItemState::Staging,
        ..item(ITEM, text)
    };
    let is_due = |now: Entity<TargetId>, prior| {
        let case = Case::default()
            .trace(&item(ITEM, "after"), Some(now))
            .over(prior, PriorBytes::None);
        case.plan().entities[0].publish
    };
    assert!(is_due(staged("after"), published("before")));
    assert!(is_due(published("after"), published("before")));
    assert!(is_due(staged("before"), published("before")));
    assert!(!is_due(published("before"), published("before")));
    assert!(!is_due(published("after"), staged("before")));
}

#[test]
fn what_stays_keeps_all_that_it_refers_to() {
    let edited = Case::default()
        .created(model(MODEL, "Post", "Author"))
        .created(model(OTHER_MODEL, "Author", ""))
        .created(list())
        .trace(&item(ITEM, "left"), Some(item(ITEM, "edited")))
        .created(item(NEIGHBOUR, "neighbour"));
    let decisions = edited.decisions();
    let of_model = [key(Kind::Container, LIST), key(Kind::Content, ITEM)];
    assert!(of_model.iter().any(|by| is_needed_by(&decisions[0], by)));
    assert!(is_needed_by(&decisions[1], &key(Kind::Model, MODEL)));
    assert!(is_needed_by(&decisions[2], &key(Kind::Content, ITEM)));
    assert_eq!(decisions[3..], [changed(), Decision::Delete]);

    let of_others = Case::default()
        .created(model(MODEL, "Post", ""))
        .created(list())
        .stranger(item(ITEM, "of somebody else"));
    let kept = |decision: &Decision| matches!(decision, Decision::Keep(Kept::Needed { .. }));
    assert!(of_others.decisions().iter().all(kept));
}

#[test]
fn what_is_restored_needs_what_it_referred_to_before() {
    let link = |to: i64| {
        let mut item = item(ITEM, "links");
        let mut body = item.body.parse();
        body["fields"]["link"] = json!({ "contentid": to, "fulllist": false });
        item.body = Body::new(&body);
        item
    };
    let case = Case::default()
        .created(link(NEIGHBOUR))
        .over(item(ITEM, "without"), PriorBytes::None)
        .created(item(NEIGHBOUR, "new"));
    let plan = case.plan();
    assert_eq!(plan.entities[0].decision, Decision::Restore);
    // The link goes with the restore, and when that fails, what it leads to stays.
    assert_eq!(
        plan.entities[1],
        Decided {
            decision: Decision::Delete,
            publish: false,
            live: crate::plan::undo::LiveWork::Leave,
            held_by: vec![0],
        }
    );
}

#[test]
fn children_go_before_parents_and_a_stranger_below_keeps_its_ancestors() {
    let case = Case::default()
        .created(page(1, None, 0))
        .created(page(2, Some(1), 0))
        .created(page(3, Some(1), 1));
    assert_eq!(case.plan().deletes, [vec![2, 1], vec![0]]);
    let case = case.stranger(page(9, Some(2), 0));
    let decisions = case.decisions();
    assert!(is_needed_by(&decisions[0], &key(Kind::Page, 2)));
    assert!(is_needed_by(&decisions[1], &key(Kind::Page, 9)));
    assert_eq!(decisions[2], Decision::Delete);
}

#[test]
fn deletes_go_against_the_order_of_an_upload_and_models_by_their_references() {
    let redirection = entity(
        Kind::Redirection,
        7,
        "~/a",
        &json!({ "originUrl": "~/a", "destinationUrl": "~/b" }),
    );
    let case = Case::default()
        .created(model(OTHER_MODEL, "Author", ""))
        .created(model(MODEL, "Post", "Author"))
        .created(list())
        .created(item(ITEM, "one"))
        .created(redirection)
        .created(gallery(5, "pictures"));
    let plan = case.plan();
    assert_eq!(plan.restores, Vec::<Vec<usize>>::new());
    assert_eq!(
        plan.deletes,
        [vec![4], vec![3], vec![5], vec![2], vec![1], vec![0]]
    );
    assert_eq!(plan.entities[0].held_by, [1]);
    assert_eq!(plan.entities[1].held_by, [2, 3]);
}

#[test]
fn models_in_a_cycle_go_together() {
    let case = Case::default()
        .created(model(MODEL, "Post", "Author"))
        .created(model(OTHER_MODEL, "Author", "Post"));
    assert_eq!(case.plan().deletes, [vec![0, 1]]);
}

#[test]
fn restores_put_parents_before_children() {
    let case = Case::default()
        .created(page(2, None, 0))
        .over(page(2, Some(1), 0), PriorBytes::None)
        .created(page(1, Some(2), 0))
        .over(page(1, None, 0), PriorBytes::None);
    assert_eq!(case.plan().restores, [vec![1], vec![0]]);
}

#[test]
fn the_numbers_add_up() {
    let case = Case::default()
        .created(gallery(1, "one"))
        .trace(&gallery(2, "left"), Some(gallery(2, "edited")))
        .trace(&item(ITEM, "gone"), None);
    let counts = case.plan().counts(&case.traces);
    let sum: u32 = counts.values().flat_map(|row| row.values()).sum();
    assert_eq!(sum, 3);
    assert_eq!(counts[&Kind::Gallery]["changed since"], 1);
}

#[test]
fn the_last_of_a_row_never_moves() {
    assert_eq!(out_of_order(&[1, 2, 0]), [true, true, false]);
    assert_eq!(out_of_order(&[0, 5, 9]), [false, false, false]);
}
