//! The rules of a world, without a server around it.

use serde_json::{Value, json};

use super::batch::{ItemKind, Operation, Placement, Spoil, Work, WorkflowStep};
use super::failure::Failure;
use super::feed::Mode;
use super::model::Models;
use super::{Rules, Window, World, row};
use crate::mock::file::{InstanceFile, Row};

fn wanted(defaults: bool, contents: bool, components: bool) -> Models {
    Models {
        defaults,
        contents,
        components,
    }
}

fn file() -> InstanceFile {
    serde_json::from_value(json!({
        "guid": "1a2b3c4d-u", "locales": ["en-us", "fr-ca"], "first_id": 1000,
        "models": [
            { "id": 10, "referenceName": "Article", "contentDefinitionTypeID": 1, "fields": [
                { "name": "Headline", "type": "Text", "settings": {} }, { "name": "Teaser Text", "type": "LongText", "settings": {} } ] },
            { "id": 11, "referenceName": "Hero", "contentDefinitionTypeID": 2, "fields": [{ "name": "Title", "type": "Text", "settings": {} }] } ],
        "containers": [
            { "contentViewID": 20, "referenceName": "articles", "contentDefinitionID": 10 },
            { "contentViewID": 21, "referenceName": "home_hero", "contentDefinitionID": 11 },
            { "contentViewID": 22, "referenceName": "gone", "contentDefinitionID": 10, "isDeleted": true } ],
        "templates": [{ "pageTemplateID": 30, "pageTemplateName": "Main", "contentSectionDefinitions": [
            { "pageItemTemplateID": 31, "pageItemTemplateReferenceName": "MainZone" } ] }],
        "content": [
            { "locale": "en-us", "contentID": 2, "properties": { "referenceName": "articles", "itemOrder": 1, "versionID": 5 }, "fields": { "headline": "Second", "teaserText": "t" } },
            { "locale": "en-us", "contentID": 1, "properties": { "referenceName": "Articles", "itemOrder": 0, "state": 1 }, "fields": { "headline": "First one" } },
            { "locale": "en-us", "contentID": 3, "properties": { "referenceName": "home_hero" }, "fields": { "title": "Hello" } } ],
        "pages": [
            { "locale": "en-us", "pageID": 1, "name": "home", "title": "Home", "templateName": "Main", "channelID": 1,
              "zones": { "MainZone": [{ "module": "Hero", "item": { "contentid": 3, "fulllist": false } }] } },
            { "locale": "en-us", "pageID": 2, "name": "news", "title": "News", "templateName": "Main", "zones": {} },
            { "locale": "en-us", "pageID": 3, "name": "article", "title": "Article", "pageType": "dynamic", "templateName": "Main", "parentPageID": 2,
              "dynamic": { "referenceName": "articles", "fieldName": "Headline", "titleFormula": "On ##Headline##", "visibleOnSitemap": true } },
            { "locale": "en-us", "pageID": 4, "name": "out", "title": "Out", "pageType": "link", "redirectUrl": "https://example.test" } ],
        "redirections": [{ "urlRedirectionID": 9, "originUrl": "~/old", "destinationUrl": "~/new", "httpCode": 301 }]
    }))
    .unwrap()
}

fn world() -> World {
    let rules = Rules {
        refuses: super::Refuses::ALL,
        ..Rules::default()
    };
    World::load(file(), "http://127.0.0.1:1", rules).unwrap()
}

fn object(value: Value) -> Row {
    row::row(value)
}

fn article(id: i64, headline: &str) -> Row {
    object(
        json!({ "contentID": id, "properties": { "referenceName": "articles" }, "fields": { "headline": headline } }),
    )
}

fn page(id: i64, name: &str) -> Row {
    object(
        json!({ "pageID": id, "name": name, "title": name, "templateName": "Main", "channelID": 1, "zones": {} }),
    )
}

fn at(parent: i64, before: i64) -> Placement {
    let some = |id: i64| Some(id).filter(|id| *id > 0);
    Placement {
        parent: some(parent),
        before: some(before),
        twin: None,
        keep_components: true,
    }
}

/// The names at the root or below a page, in order, as the Management sitemap has them.
fn names(world: &World, parent: Option<usize>) -> Vec<String> {
    let sitemap = world.management_sitemap(0);
    let pages = match parent {
        Some(index) => &sitemap[0]["pages"][index]["childPages"],
        None => &sitemap[0]["pages"],
    };
    pages
        .as_array()
        .unwrap()
        .iter()
        .map(|page| page["pageName"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_model_save_replaces_and_checks_names() {
    let mut world = world();
    let model = |id: i64, name: &str, kind: i64| {
        object(
            json!({ "id": id, "referenceName": name, "contentDefinitionTypeID": kind, "fields": [] }),
        )
    };
    assert_eq!(
        world.save_model(model(0, "ARTICLE", 1)).unwrap_err().status,
        500
    );
    assert_eq!(
        world.save_model(model(0, "hero", 1)).unwrap_err().status,
        409
    );
    assert_eq!(
        world.save_model(model(77, "New", 1)).unwrap_err().status,
        404
    );
    let linked = |id: i64, name: &str, to: &str| {
        object(
            json!({ "id": id, "referenceName": name, "contentDefinitionTypeID": 1,
            "fields": [{ "name": "L", "type": "Content", "settings": { "ContentDefinition": to } }] }),
        )
    };
    let refused = world.save_model(linked(0, "Tree", "Tree")).unwrap_err();
    assert!(
        refused.status == 404
            && refused
                .body
                .as_str()
                .unwrap()
                .contains("ContentDefinition not found")
    );
    let stub = world.save_model(model(-1, "Tree", 1)).unwrap();
    assert_eq!(
        (&stub["id"], &stub["contentDefinitionTypeName"]),
        (&json!(1000), &json!("List"))
    );
    let full = world.save_model(linked(1000, "Tree", "tree")).unwrap();
    let field_id = full["fields"][0]["fieldID"].clone();
    let kept = world
        .save_model(object(
            json!({ "id": 1000, "referenceName": "Tree", "contentDefinitionTypeID": 2 }),
        ))
        .unwrap();
    assert_eq!(
        (
            &kept["fields"][0]["fieldID"],
            &kept["contentDefinitionTypeID"]
        ),
        (&field_id, &json!(1))
    );
}

#[test]
fn fields_left_out_of_a_model_lose_their_values() {
    let mut world = world();
    let fields = json!([{ "name": "Headline", "type": "Text", "settings": {} }]);
    world.save_model(object(json!({ "id": 10, "referenceName": "Article", "contentDefinitionTypeID": 1, "fields": fields }))).unwrap();
    assert_eq!(
        world.content_row(0, 2).unwrap()["fields"],
        json!({ "Headline": "Second" })
    );
}

#[test]
fn built_in_rows_are_there_and_listed_apart() {
    let world = world();
    let names = |rows: Vec<Value>| {
        rows.iter()
            .map(|row| row["referenceName"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(world.model_list(wanted(false, true, true), None)),
        ["Article", "Hero"]
    );
    assert_eq!(
        names(world.model_list(wanted(true, true, false), None)).len(),
        7
    );
    assert_eq!(
        names(world.model_list(wanted(false, false, true), None)),
        ["Hero"]
    );
    assert!(
        world.model_list(wanted(false, true, false), None)[0]
            .get("fields")
            .is_none()
    );
    assert_eq!(world.model_named("richtextarea").unwrap()["id"], 1);
    let containers = names(world.container_list(None));
    assert!(
        containers.contains(&"AgilityCSSFiles".to_owned())
            && !containers.contains(&"gone".to_owned())
    );
}

#[test]
fn a_container_name_in_use_is_changed_unless_forced() {
    let mut world = world();
    let container = |name: &str, model: i64| {
        object(json!({ "contentViewID": -1, "referenceName": name, "contentDefinitionID": model }))
    };
    assert_eq!(
        world
            .save_container(container("Articles", 10), true)
            .unwrap_err()
            .status,
        500
    );
    let renamed = world
        .save_container(container("Articles", 10), false)
        .unwrap();
    assert_eq!(
        (&renamed["referenceName"], &renamed["contentViewID"]),
        (&json!("Articles_1"), &json!(1000))
    );
    assert_eq!(
        world
            .save_container(container("other", 99), true)
            .unwrap_err()
            .status,
        400
    );
    let saved = world.save_container(container("Other", 10), true).unwrap();
    assert_eq!(
        (
            &saved["contentDefinitionName"],
            &saved["contentDefinitionTypeID"]
        ),
        (&json!("Article"), &json!(1))
    );
    let mut renamed = container("posts", 10);
    row::set(&mut renamed, "contentViewID", 20);
    world.save_container(renamed, true).unwrap();
    assert_eq!(
        world.content_row(0, 2).unwrap()["properties"]["referenceName"],
        "posts"
    );
}

#[test]
fn template_zones_are_kept_by_null_and_replaced_by_a_list() {
    let mut world = world();
    let template = |id: i64, name: &str, zones: Value| {
        object(
            json!({ "pageTemplateID": id, "pageTemplateName": name, "contentSectionDefinitions": zones }),
        )
    };
    assert_eq!(
        world
            .save_template(template(-1, "main", json!([])))
            .unwrap_err()
            .status,
        500
    );
    let kept = world
        .save_template(template(30, "Main", Value::Null))
        .unwrap();
    assert_eq!(
        kept["contentSectionDefinitions"][0]["pageItemTemplateID"],
        31
    );
    let zone = |name: &str, model: i64| json!({ "pageItemTemplateID": -1, "pageItemTemplateReferenceName": name, "contentDefinitionID": model });
    assert_eq!(
        world
            .save_template(template(30, "Main", json!([zone("Side", 99)])))
            .unwrap_err()
            .status,
        400
    );
    let new = world
        .save_template(template(
            30,
            "Main",
            json!([zone("Side", 11), zone("mainzone", 0)]),
        ))
        .unwrap();
    let zones = new["contentSectionDefinitions"].as_array().unwrap();
    assert_eq!(
        (
            &zones[0]["pageItemTemplateID"],
            &zones[1]["pageItemTemplateID"]
        ),
        (&json!(1000), &json!(31))
    );
}

#[test]
fn galleries_have_unique_names() {
    let mut world = world();
    let saved = world
        .save_gallery(object(json!({ "mediaGroupingID": 0, "name": "Team" })))
        .unwrap();
    assert_eq!(
        (&saved["mediaGroupingID"], &saved["groupingTypeID"]),
        (&json!(1000), &json!(1))
    );
    let twice = world
        .save_gallery(object(json!({ "mediaGroupingID": -1, "name": "team" })))
        .unwrap_err();
    assert!(twice.status == 500 && twice.body.as_str().unwrap().contains("already exists"));
    let page = world.gallery_page(Window { skip: 0, take: 50 }, Some("TE"));
    assert_eq!(page["totalCount"], 1);
}

#[test]
fn a_save_replaces_the_whole_item_and_keeps_the_live_version() {
    let mut world = world();
    let done = world.save_content(0, &article(2, "Changed")).unwrap();
    let row = world.content_row(0, 2).unwrap();
    assert_eq!(row["fields"], json!({ "Headline": "Changed" }));
    assert_eq!(row["properties"]["versionID"], done.version);
    assert_eq!(
        world.content_for_fetch(0, 2, Mode::Fetch).unwrap()["fields"]["teaserText"],
        "t"
    );
    assert_eq!(
        world.content_for_fetch(0, 2, Mode::Preview).unwrap()["fields"],
        json!({ "headline": "Changed" })
    );
}

#[test]
fn what_a_content_save_refuses() {
    let mut world = world();
    let mut orphan = article(-1, "x");
    row::set(
        &mut orphan,
        "properties",
        json!({ "referenceName": "nowhere" }),
    );
    assert_eq!(world.save_content(0, &orphan), Err(Failure::NullReference));
    assert!(matches!(
        world.save_content(0, &article(99, "x")),
        Err(Failure::Plain(_))
    ));
    let mut moved = article(3, "x");
    assert!(matches!(
        world.save_content(0, &moved),
        Err(Failure::Plain(_))
    ));
    row::set(&mut moved, "contentID", 2);
    assert!(
        world.save_content(1, &moved).is_ok(),
        "an item of one locale may be saved in another"
    );
    world.delete_content(0, 1).unwrap();
    assert!(matches!(
        world.save_content(0, &article(1, "x")),
        Err(Failure::Plain(_))
    ));
}

#[test]
fn failures_come_in_three_forms() {
    assert!(
        Failure::NullReference
            .message()
            .starts_with("System.NullReferenceException: Object reference not set")
    );
    let json: Value = serde_json::from_str(&Failure::NoSuchList("tags".into()).message()).unwrap();
    assert_eq!(
        json["message"],
        "Cannot create this item: tags does not exist"
    );
    assert_eq!(Failure::Plain("x".into()).message(), "x");
}

#[test]
fn a_sync_pages_through_changes_and_tells_a_deletion_once() {
    let mut world = world();
    let ids = |rows: &[Value]| {
        rows.iter()
            .map(|row| row["contentID"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    let (token, rows) = world.sync_content(0, Mode::Preview, 0, 2);
    assert_eq!(ids(&rows), [2, 1]);
    let (token, rows) = world.sync_content(0, Mode::Preview, token, 2);
    assert_eq!(ids(&rows), [3]);
    assert_eq!(
        world.sync_content(0, Mode::Preview, token, 2),
        (token, vec![])
    );
    assert_eq!(
        ids(&world.sync_content(0, Mode::Fetch, 0, 9).1),
        [2, 3],
        "staged rows are not live"
    );
    assert!(world.sync_content(1, Mode::Preview, 0, 9).1.is_empty());
    world.save_content(0, &article(2, "Again")).unwrap();
    world.delete_content(0, 1).unwrap();
    let (end, rows) = world.sync_content(0, Mode::Preview, token, 9);
    assert_eq!(ids(&rows), [2, 1]);
    assert_eq!(
        (&rows[1]["properties"]["state"], rows[1].get("fields")),
        (&json!(3), None)
    );
    assert!(world.sync_content(0, Mode::Preview, end, 9).1.is_empty());
    assert_eq!(
        ids(&world.sync_content(0, Mode::Preview, 0, 9).1),
        [3, 2],
        "a first sync does not know the deleted"
    );
}

#[test]
fn publishing_and_unpublishing_change_the_live_side() {
    let mut world = world();
    let live = |world: &World| world.content_for_fetch(0, 1, Mode::Fetch).is_some();
    assert!(!live(&world));
    let before = world.content_row(0, 1).unwrap()["properties"]["versionID"].clone();
    let done = world
        .move_item(ItemKind::Content, 0, 1, WorkflowStep::Publish)
        .unwrap();
    assert!(live(&world) && before != done.version);
    world
        .move_item(ItemKind::Content, 0, 1, WorkflowStep::Unpublish)
        .unwrap();
    assert!(!live(&world));
    assert_eq!(world.content_row(0, 1).unwrap()["properties"]["state"], 7);
    assert!(
        world
            .move_item(ItemKind::Page, 1, 1, WorkflowStep::Publish)
            .is_err()
    );
}

#[test]
fn pages_keep_the_order_that_saves_ask_for() {
    let mut world = world();
    assert_eq!(names(&world, None), ["home", "news", "out"]);
    let last = world.save_page(0, page(-1, "last"), &at(-1, -1)).unwrap();
    assert_eq!(last.id, 1000);
    world.save_page(0, page(-1, "first"), &at(-1, 1)).unwrap();
    assert_eq!(
        names(&world, None),
        ["first", "home", "news", "out", "last"]
    );
    world.save_page(0, page(2, "news"), &at(-1, -1)).unwrap();
    assert_eq!(
        names(&world, None),
        ["first", "home", "news", "out", "last"],
        "an update without a sibling stays"
    );
    world.save_page(0, page(1000, "last"), &at(-1, 2)).unwrap();
    assert_eq!(
        names(&world, None),
        ["first", "home", "last", "news", "out"]
    );
    world.save_page(0, page(1000, "last"), &at(2, 3)).unwrap();
    assert_eq!(
        (names(&world, None).len(), names(&world, Some(2))),
        (4, vec!["last".to_owned(), "article".to_owned()])
    );
}

#[test]
fn what_a_page_save_refuses() {
    let mut world = world();
    let with = |key: &str, value: Value| {
        let mut row = page(-1, "new");
        row::set(&mut row, key, value);
        row
    };
    let zones =
        |zone: &str, id: i64| json!({ zone: [{ "module": "Hero", "item": { "contentid": id } }] });
    let null_reference = world.save_page(0, with("zones", zones("MainZone", 99)), &at(-1, -1));
    assert_eq!(null_reference, Err(Failure::NullReference));
    assert_eq!(
        world.save_page(0, with("channelID", json!(7)), &at(-1, -1)),
        Err(Failure::ForeignKey("DigitalChannelID"))
    );
    assert_eq!(
        world.save_page(0, page(-1, "new"), &at(77, -1)),
        Err(Failure::ForeignKey("ParentPageItemID"))
    );
    assert_eq!(
        world.save_page(0, with("linkToPageID", json!(77)), &at(-1, -1)),
        Err(Failure::ForeignKey("LinkToPageID"))
    );
    for (row, placement) in [
        (with("templateName", json!("Nope")), at(-1, -1)),
        (with("zones", zones("Sidebar", 3)), at(-1, -1)),
        (page(-1, "HOME"), at(-1, -1)),
        (page(77, "new"), at(-1, -1)),
        (page(-1, "new"), at(-1, 3)),
        (page(2, "news"), at(2, -1)),
        (
            page(-1, "new"),
            Placement {
                twin: Some((77, 0)),
                ..at(-1, -1)
            },
        ),
    ] {
        let name = row["name"].clone();
        assert!(
            matches!(world.save_page(0, row, &placement), Err(Failure::Plain(_))),
            "{name} {placement:?}"
        );
    }
    assert_eq!(names(&world, None).len(), 3);
}

#[test]
fn a_page_joins_its_twin_of_another_locale() {
    let mut world = world();
    let placement = Placement {
        twin: Some((1, 0)),
        ..at(-1, -1)
    };
    assert_eq!(
        world
            .save_page(1, page(-1, "accueil"), &placement)
            .unwrap()
            .id,
        1
    );
    assert_eq!(
        (
            &world.page_row(0, 1).unwrap()["name"],
            &world.page_row(1, 1).unwrap()["name"]
        ),
        (&json!("home"), &json!("accueil"))
    );
}

#[test]
fn components_are_cloned_unless_the_save_says_to_keep_them() {
    let mut world = world();
    let zones = json!({ "mainzone": [{ "module": "Hero", "item": { "contentid": 3 } }] });
    let save = |world: &mut World, keep_components: bool| {
        let mut row = page(1, "home");
        row::set(&mut row, "zones", zones.clone());
        world
            .save_page(
                0,
                row,
                &Placement {
                    keep_components,
                    ..at(-1, -1)
                },
            )
            .unwrap();
        world.page_row(0, 1).unwrap()["zones"]["mainzone"][0]["item"]["contentId"].clone()
    };
    assert_eq!(save(&mut world, true), 3);
    assert_eq!(save(&mut world, false), 1000);
    assert_eq!(
        world.content_row(0, 1000).unwrap()["fields"]["Title"],
        "Hello"
    );
}

#[test]
fn fetch_pages_have_a_path_and_no_parent() {
    let mut world = world();
    let row = world.page_for_fetch(0, 1, Mode::Preview).unwrap();
    assert_eq!(
        (&row["path"], row.get("parentPageID"), row.get("channelID")),
        (&json!("/home"), None, None)
    );
    assert_eq!(
        row["zones"]["MainZone"][0]["item"],
        json!({ "contentid": 3, "fulllist": false })
    );
    assert_eq!(
        world.page_for_fetch(0, 4, Mode::Fetch).unwrap()["redirect"]["url"],
        "https://example.test"
    );
    world
        .move_item(ItemKind::Content, 0, 3, WorkflowStep::Unpublish)
        .unwrap();
    let live = world.page_for_fetch(0, 1, Mode::Fetch).unwrap();
    assert_eq!(
        live["zones"]["MainZone"],
        json!([]),
        "the live side lacks components that are not published"
    );
}

#[test]
fn sitemaps_expand_dynamic_pages_per_item() {
    let mut world = world();
    let flat = world.flat_sitemap(0, "WEBSITE", Mode::Preview).unwrap();
    let paths: Vec<&String> = flat.as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        ["/home", "/news", "/news/first-one", "/news/second", "/out"]
    );
    let node = &flat["/news/second"];
    assert_eq!(
        (
            &node["contentID"],
            &node["title"],
            &node["visible"]["sitemap"]
        ),
        (&json!(2), &json!("On Second"), &json!(true))
    );
    let nested = world.nested_sitemap(0, "website", Mode::Fetch).unwrap();
    assert_eq!(
        nested[1]["children"].as_array().unwrap().len(),
        1,
        "one article is live"
    );
    assert_eq!(nested[2]["redirect"]["url"], "https://example.test");
    for id in [1, 2] {
        world.delete_content(0, id).unwrap();
    }
    assert!(
        !world
            .flat_sitemap(0, "website", Mode::Preview)
            .unwrap()
            .to_string()
            .contains("\"pageID\":3")
    );
    assert_eq!(names(&world, Some(1)), ["article"]);
    assert!(world.flat_sitemap(0, "mobile", Mode::Preview).is_none());
}

#[test]
fn deleting_a_page_deletes_what_is_below_it() {
    let mut world = world();
    world.delete_page(0, 2).unwrap();
    assert_eq!(names(&world, None), ["home", "out"]);
    assert_eq!(world.page_row(0, 3).unwrap()["properties"]["state"], 3);
    assert!(world.delete_page(0, 3).is_err());
}

#[test]
fn deleting_a_container_takes_its_content_along() {
    let mut world = world();
    assert_eq!(world.delete_model(10).unwrap_err().status, 400);
    world.delete_container(20).unwrap();
    assert_eq!(world.content_row(0, 2).unwrap()["properties"]["state"], 3);
    world.delete_model(10).unwrap();
    assert_eq!(world.delete_template(30).map(|_| ()), Ok(()));
    assert_eq!(world.delete_template(30).unwrap_err().status, 404);
}

#[test]
fn redirections_are_saved_row_by_row() {
    let mut world = world();
    let row = |id: i64, from: &str| json!({ "urlRedirectionID": id, "originUrl": from, "destinationUrl": "~/x", "httpCode": 302 });
    let answer = world.save_redirections(&[
        row(0, " ~/OLD"),
        row(9, "~/older"),
        row(0, "~/old"),
        json!({}),
        row(77, "~/y"),
    ]);
    let indexes = |key: &str| {
        answer[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["index"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (indexes("created"), indexes("updated"), indexes("skipped")),
        (vec![2], vec![1], vec![0, 3, 4])
    );
    assert_eq!(answer["created"][0]["urlRedirectionID"], 1000);
    assert_eq!(
        world.delete_redirections(&[9, 5]),
        json!({ "deleted": [9], "notFound": [5] })
    );
}

#[test]
fn redirections_are_told_only_when_they_changed() {
    let mut world = world();
    let first = world.redirections_for_fetch(None);
    assert_eq!(
        (
            &first["isUpToDate"],
            &first["items"][0]["id"],
            &first["items"][0]["statusCode"]
        ),
        (&json!(false), &json!(9), &json!(301))
    );
    let last = first["lastAccessDate"].as_str().unwrap();
    let again = world.redirections_for_fetch(Some(last));
    assert_eq!(
        (
            &again["isUpToDate"],
            again["items"].as_array().unwrap().len()
        ),
        (&json!(true), 0)
    );
    assert_eq!(
        world.redirections_for_fetch(Some("2001-01-01T00:00:00Z"))["isUpToDate"],
        false
    );
    world.delete_redirections(&[9]);
    assert!(
        world.redirections_for_fetch(None)["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_batch_takes_effect_item_by_item() {
    let mut world = world();
    let work = ["A", "B"].map(|name| Work::SaveContent {
        locale: 0,
        row: article(-1, name),
    });
    let batch = world.submit(Operation::SaveContent, work.to_vec(), Spoil::Nothing);
    let state = |world: &World| world.batches().read(batch, true).unwrap()["batchState"].clone();
    assert_eq!(state(&world), 1);
    assert_eq!(world.take_batch(), Some(batch));
    assert_eq!(
        (state(&world), world.content_row(0, 1000)),
        (json!(2), None)
    );
    assert!(
        world.work_off_one(batch, 5)
            && world.content_row(0, 1000).is_some()
            && world.content_row(0, 1001).is_none()
    );
    assert!(!world.work_off_one(batch, 5) && world.take_batch().is_none());
    let row = world.batches().read(batch, true).unwrap();
    assert_eq!(
        (
            &row["batchState"],
            &row["durationMs"],
            &row["operationType"]
        ),
        (&json!(3), &json!(10), &json!(14))
    );
    assert_eq!(world.batches().subjects(batch).unwrap().len(), 2);
}

#[test]
fn a_dump_loads_to_the_same_dump() {
    let mut world = world();
    world.save_page(0, page(-1, "extra"), &at(2, 3)).unwrap();
    world.save_content(1, &article(2, "Deux")).unwrap();
    let dump = world.dump();
    let again = World::load(dump.clone(), "http://127.0.0.1:2", Rules::default())
        .unwrap()
        .dump();
    assert_eq!(again, dump);
    assert_eq!(
        (dump.models.len(), dump.containers.len(), dump.pages.len()),
        (2, 2, 5)
    );
}

#[test]
fn loading_says_which_row_is_wrong() {
    let mut file = file();
    file.content[1].shift_remove("locale");
    let error = World::load(file, "", Rules::default())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "instance 1a2b3c4d-u, content row 1: locale is missing"
    );
}
