//! Answers in the shapes that the API is known to send.

use serde_json::json;

use crate::domain::{SourceId, Version};

use super::*;

type Heard = ReadResponse<SourceId>;

#[expect(clippy::needless_pass_by_value, reason = "calls are shorter")]
fn heard(ask: &ReadRequest, value: Value) -> Heard {
    understood(ask, &value).unwrap()
}

fn understood(ask: &ReadRequest, value: &Value) -> Result<Heard, ShapeError> {
    understand(ask, Page::parse(&value.to_string(), list_of(ask)).unwrap())
}

fn en() -> Locale {
    Locale::new("en-us")
}

fn entities(answer: &Heard) -> Vec<&Entity<SourceId>> {
    let found = answer.found.iter();
    found
        .filter_map(|found| match found {
            Record::Entity(entity) => Some(entity),
            _ => None,
        })
        .collect()
}

fn passed_over(answer: &Heard) -> Vec<(Kind, i64, &str)> {
    let found = answer.found.iter();
    found
        .filter_map(|found| match found {
            Record::Passed { kind, id, name } => Some((*kind, *id, &**name)),
            _ => None,
        })
        .collect()
}

fn item(value: &Value) -> Entity<SourceId> {
    let ask = ReadRequest::Items {
        locale: en(),
        token: 0,
    };
    let answer = heard(&ask, json!({"syncToken": 0, "items": [value]}));
    entities(&answer)[0].clone()
}

fn page_of(value: &Value) -> Entity<SourceId> {
    let ask = ReadRequest::Pages {
        locale: en(),
        token: 0,
    };
    let answer = heard(&ask, json!({"items": [value], "syncToken": null}));
    entities(&answer)[0].clone()
}

#[test]
fn each_question_has_its_endpoint() {
    let fr = Locale::new("fr-ca");
    let one = |kind, id, locale| ReadRequest::One { kind, id, locale };
    let management = [
        (ReadRequest::Locales, "locales"),
        (
            ReadRequest::Models { components: false },
            "model/list/false?includeModules=false",
        ),
        (
            ReadRequest::Models { components: true },
            "model/list-page-modules/true",
        ),
        (ReadRequest::Container(7), "container/7"),
        (
            ReadRequest::Templates(fr.clone()),
            "fr-ca/page/templates?includeModuleZones=true",
        ),
        (
            ReadRequest::Galleries { offset: 250 },
            "asset/galleries?pageSize=250&rowIndex=250",
        ),
        (
            ReadRequest::Assets { offset: 0 },
            "asset/list?pageSize=250&recordOffset=0",
        ),
        (ReadRequest::Sitemap(fr.clone()), "fr-ca/sitemap"),
        (one(Kind::Gallery, 4, None), "asset/gallery/4"),
        (one(Kind::Content, 9, Some(fr.clone())), "fr-ca/item/9"),
        (
            one(Kind::Template, 5, Some(fr.clone())),
            "fr-ca/page/template/5",
        ),
        (
            ReadRequest::ItemsById {
                locale: fr.clone(),
                ids: vec![4, 5],
            },
            "fr-ca/items?ids=4,5",
        ),
    ];
    let named = |kind, name: &str, locale| ReadRequest::Named {
        kind,
        name: name.into(),
        locale,
    };
    let list = ReadRequest::ContainerItems {
        locale: en(),
        container: "My List".into(),
        offset: 250,
    };
    let by_name = [
        (named(Kind::Model, "Article", None), "model/Article"),
        (
            named(Kind::Gallery, "Team & co", None),
            "asset/gallery?galleryName=Team%20%26%20co",
        ),
        (
            named(Kind::Template, "Main Template", Some(en())),
            "en-us/page/template/Main%20Template",
        ),
        (list, "en-us/list/My%20List?take=250&skip=250"),
    ];
    for (ask, path) in management.into_iter().chain(by_name) {
        assert_eq!(route(&ask), Ok((Api::Management, path.to_owned())));
        assert!(!ask.is_fetched(), "{ask:?}");
    }
    let feed = ReadRequest::Items {
        locale: fr,
        token: 31,
    };
    let path = "fr-ca/sync/items?pageSize=250&syncToken=31";
    assert_eq!(route(&feed), Ok((Api::Preview, path.to_owned())));
    let public = ReadRequest::PublicItems {
        locale: Locale::new("fr-ca"),
        token: 31,
    };
    assert_eq!(route(&public), Ok((Api::Live, path.to_owned())));
}

/// They have a rate of their own.
#[test]
fn what_the_fetch_api_answers_is_known_to_the_pace() {
    let feed = ReadRequest::Items {
        locale: en(),
        token: 31,
    };
    let live = ReadRequest::Live {
        kind: Kind::Content,
        id: 7,
        locale: en(),
    };
    let one = ReadRequest::One {
        kind: Kind::Redirection,
        id: 7,
        locale: None,
    };
    for ask in [feed, live, one, ReadRequest::Redirections] {
        let (api, _) = route(&ask).unwrap();
        assert!(api != Api::Management && ask.is_fetched(), "{ask:?}");
    }
}

#[test]
fn a_name_that_would_be_taken_for_an_id_is_not_asked_for() {
    let named = |kind, name: &str| ReadRequest::Named {
        kind,
        name: name.into(),
        locale: Some(en()),
    };
    assert!(route(&named(Kind::Model, "2024")).is_err());
    assert!(route(&named(Kind::Gallery, "2024")).is_ok());
    assert!(route(&named(Kind::Page, "home")).is_err());
}

#[test]
fn what_has_another_name_was_not_asked_for() {
    let ask = ReadRequest::Named {
        kind: Kind::Gallery,
        name: "team".into(),
        locale: None,
    };
    let gallery = |name| json!({"mediaGroupingID": 5, "name": name});
    assert_eq!(heard(&ask, gallery("Team")).found.len(), 1);
    assert!(heard(&ask, gallery("Teams")).found.is_empty());
    assert!(heard(&ask, Value::Null).found.is_empty());
}

#[test]
fn the_items_of_a_container_come_flat_or_in_lists() {
    let ids = |items: Value| {
        let ask = ReadRequest::ContainerItems {
            locale: en(),
            container: "articles".into(),
            offset: 0,
        };
        let answer = heard(&ask, json!({"totalCount": 5, "items": items}));
        assert_eq!(answer.follow_ups.len(), 2);
        let rows: Vec<_> = passed_over(&answer);
        rows.iter()
            .map(|(_, id, name)| (*id, (*name).to_owned()))
            .collect::<Vec<_>>()
    };
    let expected = [(8, "en-us".to_owned()), (9, "en-us".to_owned())];
    assert_eq!(ids(json!([{"contentID": 8}, {"contentID": 9}])), expected);
    let nested = json!([[{"contentItemID": 70, "itemContainerID": 8}, {"contentItemID": 71, "itemContainerID": 9}]]);
    assert_eq!(ids(nested), expected);
}

#[test]
fn content_without_a_locale_is_not_asked_for() {
    let ask = ReadRequest::One {
        kind: Kind::Page,
        id: 3,
        locale: None,
    };
    assert!(route(&ask).is_err());
}

#[test]
fn locales_carry_their_code_and_disabled_ones_are_left_out() {
    let answer = heard(
        &ReadRequest::Locales,
        json!([
            {"localeCode": "EN-US", "enabled": true},
            {"localeCode": "fr-ca"},
            {"localeCode": "de-de", "enabled": false},
        ]),
    );
    let codes: Vec<_> = answer
        .found
        .iter()
        .map(|found| match found {
            Record::Locale(locale) => locale.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, ["en-us", "fr-ca"]);
}

#[test]
fn summaries_of_models_lead_to_the_models_and_built_in_ones_are_passed() {
    let rows = json!([
        {"id": 41, "referenceName": "Article"},
        {"ID": 9, "referencename": "AgilityCSS"},
        {"id": 42, "referenceName": "Person"},
    ]);
    let answer = heard(&ReadRequest::Models { components: false }, rows.clone());
    assert_eq!(
        answer.follow_ups,
        [ReadRequest::Model(41), ReadRequest::Model(42)]
    );
    assert_eq!(
        passed_over(&answer),
        [(Kind::Model, 9, "AgilityCSS")],
        "rich text belongs to the other list"
    );
    let components = heard(&ReadRequest::Models { components: true }, rows);
    assert_eq!(
        passed_over(&components)[1],
        (Kind::Model, 1, "RichTextArea")
    );
}

#[test]
fn a_listed_rich_text_model_is_told_once() {
    let rows = json!([{"id": 1, "referenceName": "richtextarea"}]);
    let answer = heard(&ReadRequest::Models { components: true }, rows);
    assert_eq!(passed_over(&answer), [(Kind::Model, 1, "richtextarea")]);
}

#[test]
fn members_of_models_and_fields_get_one_spelling_and_settings_keep_theirs() {
    let answer = heard(
        &ReadRequest::Model(41),
        json!({"ID": 41, "ReferenceName": "Article", "Fields": [
            {"Name": "Writer", "Settings": {"ContentDefinition": "Person"}}]}),
    );
    let model = entities(&answer)[0];
    assert_eq!(&*model.name, "Article");
    assert_eq!(
        model.body.text(),
        r#"{"id":41,"referenceName":"Article","fields":[{"name":"Writer","settings":{"ContentDefinition":"Person"}}]}"#
    );
}

#[test]
fn containers_that_are_deleted_or_built_in_are_passed() {
    let answer = heard(
        &ReadRequest::Containers,
        json!([
            {"contentViewID": 77, "referenceName": "articles"},
            {"contentViewID": -1, "referenceName": "gone"},
            {"contentViewID": 78, "referenceName": "old", "isDeleted": true},
            {"contentViewID": 3, "referenceName": "AgilityCSSFiles"},
        ]),
    );
    assert_eq!(answer.follow_ups, [ReadRequest::Container(77)]);
    assert_eq!(passed_over(&answer).len(), 3);
}

#[test]
fn a_list_that_is_no_list_is_an_error() {
    let wrong = understood(&ReadRequest::Containers, &json!({"message": "no"}));
    assert_eq!(wrong.unwrap_err().0, "expected a list, found an object");
    assert!(understood(&ReadRequest::Containers, &Value::Null).is_err());
}

#[test]
fn the_first_page_of_a_list_asks_for_all_others() {
    let rows: Vec<_> = (1..=250)
        .map(|id| json!({"mediaID": id, "originKey": "a.png"}))
        .collect();
    let value = json!({"totalCount": 600, "assetMedias": rows});
    let answer = heard(&ReadRequest::Assets { offset: 0 }, value.clone());
    assert_eq!(
        answer.follow_ups,
        [
            ReadRequest::Assets { offset: 250 },
            ReadRequest::Assets { offset: 500 }
        ]
    );
    assert!(matches!(
        answer.found[0],
        Record::Expected {
            kind: Kind::Asset,
            rows: 600
        }
    ));
    let second = heard(&ReadRequest::Assets { offset: 250 }, value);
    assert!(second.follow_ups.is_empty());
}

#[test]
fn a_server_with_shorter_pages_is_followed() {
    let rows: Vec<_> = (1..=20)
        .map(|id| json!({"mediaGroupingID": id, "name": "g"}))
        .collect();
    let answer = heard(
        &ReadRequest::Galleries { offset: 0 },
        json!({"totalCount": 50, "assetMediaGroupings": rows}),
    );
    assert_eq!(
        answer.follow_ups,
        [
            ReadRequest::Galleries { offset: 20 },
            ReadRequest::Galleries { offset: 40 }
        ]
    );
}

#[test]
fn a_list_without_its_length_is_an_error() {
    let no_count = json!({"assetMedias": []});
    assert!(understood(&ReadRequest::Assets { offset: 0 }, &no_count).is_err());
}

#[test]
fn folders_count_but_are_no_assets() {
    let answer = heard(
        &ReadRequest::Assets { offset: 0 },
        json!({"totalCount": 2, "assetMedias": [
            {"mediaID": 8, "originKey": "img/team", "isFolder": true},
            {"mediaID": 9, "originKey": "img/team/rosa.jpg"}]}),
    );
    assert_eq!(passed_over(&answer), [(Kind::Asset, 8, "img/team")]);
    assert_eq!(&*entities(&answer)[0].name, "img/team/rosa.jpg");
}

#[test]
fn the_edge_url_falls_back_to_the_origin() {
    let answer = heard(
        &ReadRequest::AssetContainer,
        json!({"originUrl": "https://o.test/demo/", "edgeUrl": null}),
    );
    let Record::AssetContainer(container) = &answer.found[0] else {
        panic!("expected the container");
    };
    assert_eq!(&*container.origin_url, "https://o.test/demo");
    assert_eq!(container.edge_url, container.origin_url);
}

#[test]
fn the_feed_goes_on_while_its_token_grows() {
    let next = |token, answer: Value| {
        let locale = en();
        heard(&ReadRequest::Items { locale, token }, answer).follow_ups
    };
    assert_eq!(
        next(0, json!({"syncToken": 31, "items": []})),
        [ReadRequest::Items {
            locale: en(),
            token: 31
        }]
    );
    assert!(next(31, json!({"syncToken": 31, "items": []})).is_empty());
    assert!(next(31, json!({"syncToken": 0, "items": []})).is_empty());
    assert!(next(31, json!({"syncToken": null, "items": []})).is_empty());
}

#[test]
fn a_busy_feed_is_told_from_an_empty_one() {
    assert!(feed_is_busy(&json!({"busy": true, "items": []})));
    assert!(feed_is_busy(&Value::Null));
    assert!(!feed_is_busy(&json!({"busy": false, "items": []})));
    assert!(!feed_is_busy(&json!({"items": []})));
}

#[test]
fn an_item_knows_version_state_and_name_whatever_the_casing() {
    let item = item(&json!({
        "ContentId": 912,
        "Properties": {"State": 2, "versionId": 8804, "referencename": "articles", "definitionName": "Article"},
        "fields": {"body": "<p>x</p>", "Headline": "Tram  line 9\nopens"},
    }));
    assert_eq!(item.key.to_string(), "content:912@en-us");
    assert_eq!(item.version, Some(Version(8804)));
    assert_eq!(item.state, ItemState::Published);
    assert_eq!(&*item.name, "Tram line 9 opens");
    let body = item.body.parse();
    assert_eq!(body["properties"]["referenceName"], json!("articles"));
    assert_eq!(
        body["fields"]["Headline"],
        json!("Tram  line 9\nopens"),
        "fields stay as read"
    );
}

#[test]
fn an_item_without_a_title_is_called_after_its_container() {
    let properties = json!({"referenceName": "tags", "definitionName": "Tag"});
    let item = item(&json!({"contentID": 5, "properties": properties, "fields": {"title": " "}}));
    assert_eq!(&*item.name, "tags #5");
}

#[test]
fn a_deleted_item_ends_others_and_a_nameless_one_cannot_be_used() {
    let ask = ReadRequest::Items {
        locale: en(),
        token: 0,
    };
    let answer = heard(
        &ask,
        json!({"syncToken": 4, "items": [
            {"contentID": 5, "properties": {"state": 3}}]}),
    );
    assert_eq!(entities(&answer)[0].state, ItemState::Deleted);
    let nameless = json!({"syncToken": 4, "items": [
        {"contentID": 6, "properties": {"state": 2, "referenceName": "tags"}}]});
    assert_eq!(
        understood(&ask, &nameless).unwrap_err().0,
        "items[0].properties.definitionName: expected a text that is not blank, found null (content 6)"
    );
}

#[test]
fn zone_items_get_one_spelling_and_keep_the_rest() {
    let page = page_of(&json!({
        "pageID": 22, "name": "news", "path": "/news", "pageType": "static",
        "zones": {"Main": [
            {"module": "A", "item": {"fulllist": false, "contentId": 1}},
            {"Module": "B", "Item": {"contentID": "2", "contentid": null}},
            {"module": "C", "item": {"contentid": 3, "contentID": 3, "fulllist": false}},
            {"module": "D", "item": null}]},
    }));
    assert_eq!(&*page.name, "/news");
    assert_eq!(
        page.body.parse()["zones"]["Main"],
        json!([
            {"module": "A", "item": {"contentid": 1, "fulllist": false}},
            {"module": "B", "item": {"contentid": 2}},
            {"module": "C", "item": {"contentid": 3, "fulllist": false}},
            {"module": "D", "item": null}])
    );
}

#[test]
fn a_link_page_finds_its_target_in_either_place() {
    let link = |redirect_url: Value| {
        let page = json!({"pageID": 3, "name": "x", "pageType": "link",
            "redirectUrl": redirect_url, "redirect": {"url": "/there", "target": "_self"}});
        page_of(&page).body.parse()["redirectUrl"].clone()
    };
    assert_eq!(link(json!("")), json!("/there"));
    assert_eq!(link(Value::Null), json!("/there"));
    assert_eq!(link(json!("/here")), json!("/here"));
}

#[test]
fn the_sitemap_tells_channel_parent_and_position() {
    let answer = heard(
        &ReadRequest::Sitemap(en()),
        json!([{"digitalChannelID": 1, "name": "Website", "isDefaultChannel": true, "pages": [
            {"pageID": 22, "parentPageID": -1, "pageType": "static", "uRL": null, "childPages": [
                {"pageID": 30, "pageType": "dynamic_node"},
                {"pageID": 23, "parentPageID": 22, "pageType": "dynamic", "childPages": []}]},
            {"pageID": 24, "pageType": "link", "childPages": null}]}]),
    );
    let nodes: Vec<_> = answer
        .found
        .iter()
        .filter_map(|found| match found {
            Record::Node(node) => {
                let place = &node.placement;
                Some((node.page, place.parent, place.position))
            }
            _ => None,
        })
        .collect();
    assert_eq!(nodes, [(22, None, 0), (23, Some(22), 0), (24, None, 1)]);
    let Some(Record::Channel(channel)) = answer.found.last() else {
        panic!("expected the channel");
    };
    assert_eq!(channel.id, 1);
}

#[test]
fn redirections_take_the_names_of_the_management_api() {
    let answer = heard(
        &ReadRequest::Redirections,
        json!({"isUpToDate": false, "items": [
            {"id": 9, "originUrl": "~/old", "destinationUrl": "~/new", "statusCode": 302},
            {"id": 10, "originUrl": "~/older", "destinationUrl": "~/new", "statusCode": null}]}),
    );
    let rows: Vec<_> = entities(&answer);
    assert_eq!(
        rows[0].body.parse(),
        json!({"urlRedirectionID": 9, "originUrl": "~/old", "destinationUrl": "~/new", "httpCode": 302})
    );
    assert_eq!(rows[1].body.parse()["httpCode"], json!(301));
    assert_eq!(&*rows[1].name, "~/older");
}

#[test]
fn one_redirection_is_picked_from_the_list() {
    let ask = ReadRequest::One {
        kind: Kind::Redirection,
        id: 10,
        locale: None,
    };
    let items = json!({"items": [{"id": 9, "originUrl": "a"}, {"id": 10, "originUrl": "b"}]});
    let answer = heard(&ask, items);
    assert_eq!(&*entities(&answer)[0].name, "b");
    assert_eq!(answer.found.len(), 1);
}

#[test]
fn what_is_deleted_does_not_exist_when_asked_for_by_id() {
    let one = |kind, value| {
        let locale = Some(en());
        heard(
            &ReadRequest::One {
                kind,
                id: 5,
                locale,
            },
            value,
        )
    };
    let container = json!({"contentViewID": 5, "isDeleted": true});
    assert!(one(Kind::Container, container).found.is_empty());
    let item = json!({"contentID": 5, "properties": {"state": 3}});
    assert!(one(Kind::Content, item).found.is_empty());
    assert!(one(Kind::Gallery, Value::Null).found.is_empty());
    let gallery = json!({"mediaGroupingID": 5, "name": "Team"});
    assert_eq!(one(Kind::Gallery, gallery).found.len(), 1);
}

#[test]
fn items_by_id_may_be_fewer() {
    let ask = ReadRequest::ItemsById {
        locale: en(),
        ids: vec![1, 2],
    };
    let row = json!({"contentID": 2, "properties": {"referenceName": "a", "definitionName": "A"}});
    assert_eq!(heard(&ask, json!([row])).found.len(), 1);
    assert!(heard(&ask, json!([])).found.is_empty());
}
