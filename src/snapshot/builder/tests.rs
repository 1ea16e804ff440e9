//! Readings that come out whole, and readings that do not.

use serde_json::json;

use crate::domain::{Body, SourceId};

use super::*;

fn en() -> Locale {
    Locale::new("en-us")
}

fn builder() -> Builder<SourceId> {
    Builder::new(Guid::new("a-u"))
}

fn entity(key: Key<SourceId>, state: ItemState, mark: i64) -> Record<SourceId> {
    Record::Entity(Entity {
        key,
        name: "x".into(),
        version: None,
        state,
        placement: None,
        body: Body::new(&json!({ "mark": mark })),
    })
}

fn asset(id: i64) -> Record<SourceId> {
    entity(Key::global(Kind::Asset, id), ItemState::None, 0)
}

fn page(id: i64, state: ItemState) -> Record<SourceId> {
    entity(Key::localised(Kind::Page, id, &en()), state, 0)
}

fn item(id: i64, state: ItemState, mark: i64) -> Record<SourceId> {
    entity(Key::localised(Kind::Content, id, &en()), state, mark)
}

fn node(id: i64, parent: Option<i64>, position: u32, page_type: &str) -> Record<SourceId> {
    Record::Node(PageNode {
        page: id,
        locale: en(),
        placement: Placement {
            channel: "Website".into(),
            channel_id: 1,
            parent,
            position,
        },
        page_type: page_type.into(),
    })
}

fn answer(found: Vec<Record<SourceId>>, follow_ups: &[ReadRequest]) -> ReadResponse<SourceId> {
    ReadResponse {
        found,
        follow_ups: follow_ups.to_vec(),
    }
}

fn expected(rows: usize) -> Record<SourceId> {
    Record::Expected {
        kind: Kind::Asset,
        rows,
    }
}

const FIRST: ReadRequest = ReadRequest::Assets { offset: 0 };
const SECOND: ReadRequest = ReadRequest::Assets { offset: 2 };

#[test]
fn a_list_that_comes_out_short_is_named() {
    let mut builder = builder();
    builder.add(
        &FIRST,
        answer(vec![expected(3), asset(1), asset(2)], &[SECOND]),
    );
    builder.add(&SECOND, answer(vec![expected(3), asset(2)], &[]));
    let short = builder.finish().unwrap_err();
    assert_eq!(
        short.to_string(),
        "the list of assets of a-u came out short: 2 of 3"
    );
}

#[test]
fn folders_count_towards_the_length_of_the_list() {
    let mut builder = builder();
    let folder = Record::Passed {
        kind: Kind::Asset,
        id: 7,
        name: "img".into(),
    };
    builder.add(&FIRST, answer(vec![expected(2), asset(1), folder], &[]));
    let inventory = builder.finish().unwrap();
    assert_eq!(inventory.entities().len(), 1);
    assert_eq!(&*inventory.passed[0].name, "img");
}

#[test]
fn a_follow_up_that_nobody_answered_is_missed() {
    let mut builder = builder();
    builder.add(&FIRST, answer(vec![asset(1)], &[SECOND]));
    let error = builder.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        "a-u was read in part only: no answer about the assets from row 2"
    );
}

#[test]
fn an_announced_first_question_is_missed() {
    let mut builder = builder();
    builder.expect(&[ReadRequest::Redirections]);
    assert!(matches!(
        builder.finish(),
        Err(Incomplete::Unanswered { .. })
    ));
}

#[test]
fn a_model_in_both_lists_is_asked_for_once() {
    let mut builder = builder();
    let (content, components) = (
        ReadRequest::Models { components: false },
        ReadRequest::Models { components: true },
    );
    let asks = [ReadRequest::Model(4), ReadRequest::Model(5)];
    assert_eq!(builder.add(&content, answer(vec![], &asks)), asks);
    assert_eq!(builder.add(&components, answer(vec![], &asks)), []);
}

#[test]
fn a_model_that_is_listed_but_not_there_is_named() {
    let mut builder = builder();
    let list = ReadRequest::Models { components: false };
    builder.add(&list, answer(vec![], &[ReadRequest::Model(4)]));
    builder.add(&ReadRequest::Model(4), ReadResponse::default());
    assert_eq!(
        builder.finish().unwrap_err().to_string(),
        "model 4 of a-u is in its list but does not exist"
    );
}

#[test]
fn later_rows_of_the_feed_replace_and_end_earlier_ones() {
    let mut builder = builder();
    let feed = ReadRequest::Items {
        locale: en(),
        token: 0,
    };
    let found = vec![
        item(1, ItemState::Published, 1),
        item(2, ItemState::Published, 1),
        item(1, ItemState::Staging, 2),
        item(2, ItemState::Deleted, 2),
    ];
    builder.add(&feed, answer(found, &[]));
    let inventory = builder.finish().unwrap();
    let [only] = inventory.entities() else {
        panic!("expected one item");
    };
    assert_eq!(only.body.parse()["mark"], json!(2));
}

#[test]
fn pages_take_their_place_from_the_sitemap() {
    let mut builder = builder();
    let feed = ReadRequest::Pages {
        locale: en(),
        token: 0,
    };
    let pages = vec![
        page(1, ItemState::Published),
        page(2, ItemState::Staging),
        page(3, ItemState::Staging),
    ];
    builder.add(&feed, answer(pages, &[]));
    let nodes = vec![
        node(1, None, 0, "static"),
        node(2, Some(1), 4, "dynamic"),
        node(9, Some(2), 0, "dynamic_node"),
    ];
    builder.add(&ReadRequest::Sitemap(en()), answer(nodes, &[]));
    assert!(builder.missing_pages().is_empty());
    let inventory = builder.finish().unwrap();
    let place = |id| {
        let key = Key::localised(Kind::Page, id, &en());
        let placement = &inventory.get(&key).unwrap().placement;
        placement
            .as_ref()
            .map(|place| (place.parent, place.position))
    };
    assert_eq!(place(1), Some((None, 0)));
    assert_eq!(place(2), Some((Some(1), 4)));
    assert_eq!(place(3), None);
}

#[test]
fn a_page_that_only_the_sitemap_lists_is_asked_for() {
    let mut builder = builder();
    let nodes = vec![node(8, None, 0, "dynamic")];
    builder.add(&ReadRequest::Sitemap(en()), answer(nodes, &[]));
    let missing = builder.missing_pages();
    let ask = ReadRequest::One {
        kind: Kind::Page,
        id: 8,
        locale: Some(en()),
    };
    assert_eq!(missing, std::slice::from_ref(&ask));
    builder.add(&ask, answer(vec![page(8, ItemState::Staging)], &[]));
    assert!(builder.missing_pages().is_empty());
    assert_eq!(builder.finish().unwrap().entities().len(), 1);
}

#[test]
fn a_page_that_cannot_be_read_at_all_is_named_and_not_asked_for_again() {
    let mut builder = builder();
    let nodes = vec![node(8, None, 0, "dynamic")];
    builder.add(&ReadRequest::Sitemap(en()), answer(nodes, &[]));
    let ask = builder.missing_pages().remove(0);
    builder.add(&ask, ReadResponse::default());
    assert!(builder.missing_pages().is_empty());
    assert_eq!(
        builder.finish().unwrap_err().to_string(),
        "page 8 of a-u is in the sitemap of en-us but could not be read"
    );
}

#[test]
fn progress_tells_the_expected_number_as_soon_as_it_is_known() {
    let mut builder = builder();
    let of = |builder: &Builder<SourceId>, kind| {
        let all = builder.progress();
        let one = all.iter().find(|progress| progress.kind == kind);
        one.map(|progress| (progress.read, progress.expected))
    };
    builder.expect(&[ReadRequest::Containers, FIRST]);
    assert_eq!(of(&builder, Kind::Container), Some((0, None)));
    let details = [ReadRequest::Container(1), ReadRequest::Container(2)];
    builder.add(&ReadRequest::Containers, answer(vec![], &details));
    assert_eq!(of(&builder, Kind::Container), Some((0, Some(2))));
    let container = entity(Key::global(Kind::Container, 1), ItemState::None, 0);
    builder.add(&details[0], answer(vec![container], &[]));
    assert_eq!(of(&builder, Kind::Container), Some((1, Some(2))));
    builder.add(&FIRST, answer(vec![expected(9), asset(1)], &[SECOND]));
    assert_eq!(of(&builder, Kind::Asset), Some((1, Some(9))));
    assert_eq!(of(&builder, Kind::Page), None);
}

#[test]
fn an_entity_with_the_id_of_something_built_in_counts() {
    let mut builder = builder();
    let rich_text = Record::Passed {
        kind: Kind::Model,
        id: 1,
        name: "RichTextArea".into(),
    };
    let model = entity(Key::global(Kind::Model, 1), ItemState::None, 0);
    let list = ReadRequest::Models { components: true };
    builder.add(&list, answer(vec![rich_text, model], &[]));
    assert!(builder.finish().unwrap().passed.is_empty());
}
