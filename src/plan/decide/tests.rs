//! Small instances whose plans have to have a certain shape.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::domain::{
    Body, Entity, Guid, Id, Inventory, ItemState, Key, Kind, Locale, Placement, SourceId, TargetId,
};
use crate::plan::action::Agreements;
use crate::plan::{Action, Inputs, Need, Node, Plan, Selection, Strength, plan};

const MODEL: i64 = 11;
const LIST: i64 = 21;
const ITEM: i64 = 31;
const PAGES: [i64; 3] = [41, 42, 43];

fn entity<I: Id>(kind: Kind, id: i64, name: &str, body: &Value) -> Entity<I> {
    Entity {
        key: Key {
            kind,
            id: I::new(id),
            locale: kind.is_localised().then(|| Locale::new("en-us")),
        },
        name: name.into(),
        version: None,
        state: ItemState::None,
        placement: None,
        body: Body::new(body),
    }
}

/// A page at the root, named by its id. `shown` is the page that it shows, or 0.
fn link_page<I: Id>(id: i64, name: i64, position: u32, shown: i64) -> Entity<I> {
    let name = format!("p{name}");
    let body = json!({ "name": name, "pageType": "link", "linkToPageID": shown });
    placed(entity(Kind::Page, id, &name, &body), position)
}

fn placed<I: Id>(mut page: Entity<I>, position: u32) -> Entity<I> {
    page.placement = Some(Box::new(Placement {
        channel: "website".into(),
        channel_id: 1,
        parent: None,
        position,
    }));
    page
}

fn model<I: Id>(id: i64, fields: &[&str]) -> Entity<I> {
    let field = |name: &&str| json!({ "name": name, "type": "Text", "settings": {} });
    let fields: Vec<Value> = fields.iter().map(field).collect();
    let body = json!({ "referenceName": "Post", "contentDefinitionTypeID": 1, "fields": fields });
    entity(Kind::Model, id, "Post", &body)
}

fn container() -> Entity<SourceId> {
    let body = json!({ "referenceName": "posts", "contentDefinitionID": MODEL });
    entity(Kind::Container, LIST, "posts", &body)
}

fn item(fields: &Value) -> Entity<SourceId> {
    let properties = json!({ "referenceName": "posts", "definitionName": "Post" });
    let body = json!({ "properties": properties, "fields": fields });
    entity(Kind::Content, ITEM, "an item", &body)
}

struct Made {
    source: Inventory<SourceId>,
    plan: Plan,
}

impl Made {
    fn at(&self, kind: Kind, id: i64) -> Node {
        let found = self
            .source
            .entities()
            .iter()
            .position(|entity| entity.key.kind == kind && entity.key.id.raw() == id);
        u32::try_from(found.unwrap()).unwrap()
    }

    fn page(&self, at: usize) -> Node {
        self.at(Kind::Page, PAGES[at])
    }

    fn waits(&self, node: Node) -> Vec<Need> {
        self.plan.waits_for(node).collect()
    }

    fn action(&self, node: Node) -> &Action {
        &self.plan.entities[node as usize].action
    }
}

fn made(
    source: Vec<Entity<SourceId>>,
    target: Vec<Entity<TargetId>>,
    selection: &Selection,
) -> Made {
    made_after(source, target, selection, &HashMap::new())
}

/// As [`made`], with what is remembered; then the source is taken only where nothing else is known.
fn made_after(
    source: Vec<Entity<SourceId>>,
    target: Vec<Entity<TargetId>>,
    selection: &Selection,
    agreements: &Agreements,
) -> Made {
    let source = Inventory::empty(Guid::new("1a2b3c4d-u")).with_entities(source);
    let target = Inventory::empty(Guid::new("5e6f7a8b-u")).with_entities(target);
    let plan = plan(&Inputs {
        source: &source,
        target: &target,
        agreements,
        defaults: &crate::plan::Defaults::default(),
        equal_bytes: &HashSet::new(),
        replaced_bytes: &HashSet::new(),
        locales: &[Locale::new("en-us")],
        doubts: &HashMap::new(),
        disputed: &HashMap::new(),
        hints: &[],
        adopt: crate::plan::Adopt::default(),
        policies: &crate::plan::Policies {
            overwrite: agreements.is_empty(),
            ..crate::plan::Policies::default()
        },
        excluded: &HashMap::new(),
        public: &HashMap::new(),
        selection,
        weights: crate::plan::Weights::default(),
        agreed: None,
    });
    Made { source, plan }
}

const fn order(on: Node) -> Need {
    Need {
        on,
        strength: Strength::Order,
    }
}

/// A link page goes to the end of its row and shows a page that is new in front of it: the new one waits for its sibling
/// behind, and that one for the page that it shows.
#[test]
fn an_update_in_a_cycle_of_order_and_reference_is_cut() {
    let source = vec![
        link_page(PAGES[0], 1, 0, 0),
        link_page(44, 4, 1, 0),
        link_page(PAGES[1], 2, 2, 0),
        link_page(PAGES[2], 3, 3, PAGES[1]),
    ];
    let target = vec![
        link_page(901, 3, 0, 0),
        link_page(900, 1, 1, 0),
        link_page(902, 4, 2, 0),
    ];
    let made = made(source, target, &Selection::default());
    let [_, new, moved] = [0, 1, 2].map(|at| made.page(at));
    let last = made.at(Kind::Page, 44);
    assert!(matches!(made.action(moved), Action::Update { .. }));
    assert!(matches!(made.action(last), Action::Update { .. }));
    assert_eq!(made.waits(new), [order(moved)]);
    assert_eq!(made.waits(last), [order(moved)]);
    assert_eq!(made.waits(moved), []);
    assert_eq!(made.plan.cycles[0].cut, [(moved, new)]);
}

/// New siblings waited for one another from the last to the first, so one that needed much held back all the others.
#[test]
fn new_siblings_share_a_row_and_wait_for_nobody() {
    let source = vec![
        link_page(PAGES[0], 1, 0, 0),
        link_page(PAGES[1], 2, 1, 0),
        link_page(PAGES[2], 3, 2, 0),
    ];
    let made = made(source, vec![link_page(900, 2, 0, 0)], &Selection::default());
    let [first, there, last] = [0, 1, 2].map(|at| made.page(at));
    let row = |node: Node| made.plan.entities[node as usize].row;
    assert_eq!(
        [row(first), row(there), row(last)],
        [Some(first), Some(first), Some(first)]
    );
    assert_eq!([made.waits(first), made.waits(last)], [vec![], vec![]]);
}

/// The order went with the one page that was to move, when that one was blocked; the new ones around it had no row either,
/// and could pass each other.
#[test]
fn new_siblings_take_turns_when_the_one_that_moves_is_blocked() {
    let zones = json!({ "Main": [{ "module": "Post", "item": { "contentid": ITEM } }] });
    let body = json!({ "name": "p2", "pageType": "static", "zones": zones });
    let source = vec![
        model(MODEL, &["Title", "Link"]),
        container(),
        item(&json!({ "link": { "contentid": 99_999 } })),
        link_page(PAGES[0], 1, 0, 0),
        placed(entity(Kind::Page, PAGES[1], "p2", &body), 1),
        link_page(PAGES[2], 3, 2, 0),
        link_page(44, 4, 3, 0),
    ];
    let target = vec![link_page(900, 2, 1, 0), link_page(901, 3, 0, 0)];
    let made = made(source, target, &Selection::default());
    let (first, moving) = (made.page(0), made.page(1));
    let last = made.at(Kind::Page, 44);
    assert!(matches!(made.action(moving), Action::Block { .. }));
    let row = |node: Node| made.plan.entities[node as usize].row;
    assert_eq!([row(first), row(last)], [Some(first), Some(first)]);
    assert_eq!([made.waits(first), made.waits(last)], [vec![], vec![]]);
}

/// The order of siblings counted as a need, so a selected page brought along every sibling behind it.
#[test]
fn a_selected_page_brings_no_siblings() {
    let source = vec![link_page(PAGES[0], 1, 0, 0), link_page(PAGES[1], 2, 1, 0)];
    let selection = Selection {
        pages: vec![PAGES[0]],
        ..Selection::default()
    };
    let made = made(source, Vec::new(), &selection);
    assert!(made.action(made.page(0)).is_work());
    assert_eq!(*made.action(made.page(1)), Action::OutOfScope);
    assert_eq!(made.waits(made.page(0)), []);
}

/// The neighbours of a page that is out of scope or blocked find their places one at a time.
#[test]
fn siblings_take_turns_around_one_that_is_not_written() {
    let zones = json!({ "Main": [{ "module": "Post", "item": { "contentid": ITEM } }] });
    let body = json!({ "name": "p2", "pageType": "static", "zones": zones });
    let source = || {
        vec![
            model(MODEL, &["Title", "Link"]),
            container(),
            item(&json!({ "link": { "contentid": 99_999 } })),
            link_page(PAGES[0], 1, 0, 0),
            placed(entity(Kind::Page, PAGES[1], "p2", &body), 1),
            link_page(PAGES[2], 3, 2, 0),
        ]
    };
    // The first moves in front of the last, which shows another page from now on.
    let target = || vec![link_page(900, 1, 1, 0), link_page(901, 3, 0, 900)];
    let blocked = made(source(), target(), &Selection::default());
    assert!(matches!(
        blocked.action(blocked.page(1)),
        Action::Block { .. }
    ));
    let selection = Selection {
        pages: vec![PAGES[0], PAGES[2]],
        ..Selection::default()
    };
    let left_out = made(source(), target(), &selection);
    assert_eq!(*left_out.action(left_out.page(1)), Action::OutOfScope);
    for made in [blocked, left_out] {
        let moving = made.page(0);
        assert_eq!(made.waits(moving), []);
        assert_eq!(made.plan.entities[moving as usize].row, Some(moving));
    }
}

#[test]
fn an_item_waits_for_a_model_that_is_going_to_change() {
    let source = vec![
        model(MODEL, &["Title", "New"]),
        container(),
        item(&json!({ "new": "text" })),
    ];
    let made = made(source, vec![model(900, &["Title"])], &Selection::default());
    let node = made.at(Kind::Model, MODEL);
    assert!(matches!(made.action(node), Action::Update { .. }));
    let waits = made.waits(made.at(Kind::Content, ITEM));
    assert!(
        waits
            .iter()
            .any(|need| need.on == node && need.strength == Strength::Whole)
    );
    assert_eq!(
        made.waits(made.at(Kind::Container, LIST)),
        [],
        "the model exists"
    );
}

/// It went first where nothing else kept it back, with a name that the target may not have.
#[test]
fn a_page_waits_for_the_models_of_its_modules() {
    let module = json!({ "module": "post", "item": null });
    let body = json!({ "name": "p", "pageType": "static", "zones": { "Main": [module] } });
    let page = placed(entity(Kind::Page, PAGES[0], "p", &body), 0);
    let made = made(vec![model(MODEL, &[]), page], vec![], &Selection::default());
    let needs = made.waits(made.page(0));
    let on = made.at(Kind::Model, MODEL);
    assert!(needs.iter().any(|need| need.on == on), "{needs:?}");
}
