//! Bodies that say the same in other words, and bodies that do not.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{differences, normal};
use crate::domain::Kind;
use crate::plan::testing::{EDGE, Shifted, Source, article, entity, item, properties};
use crate::plan::{LeaveOut, payload};

fn content(source: &Source, fields: &Value) -> Value {
    normal(
        Kind::Content,
        &json!({ "properties": properties(), "fields": fields }),
        &source.schema,
    )
}

#[test]
fn one_selection_has_one_form() {
    let source = Source::new();
    let same: [&[Value]; 11] = [
        &[
            json!({ "heroItem": { "contentid": 640, "fulllist": false } }),
            json!({ "Hero Item": "640" }),
            json!({ "heroitem": 640 }),
            json!({ "heroItem": { "contentID": "640" } }),
        ],
        &[
            json!({ "writer": { "contentid": 640, "fulllist": false }, "writerID": "640" }),
            json!({ "writer": "640" }),
            json!({ "writer": "people", "writerID": "640" }),
            json!({ "WriterID": 640 }),
            json!({ "writer": { "referencename": "People", "sortids": "640", "fulllist": false } }),
        ],
        &[
            json!({ "tags": { "referencename": "tags", "sortids": "735,734", "fulllist": false } }),
            json!({ "tags": { "sortids": "735, 734," }, "tags_ValueField": "735,734" }),
            json!({ "tags_valuefield": "735 ,734" }),
        ],
        &[
            json!({ "cards": { "referencename": "Home_Cards", "fulllist": true } }),
            json!({ "cards": "home_cards", "cardOrder": "" }),
            json!({ "cards": { "referenceName": "home_cards", "sortids": "", "fullList": "true" } }),
        ],
        &[
            json!({ "cards": { "referencename": "home_cards", "fulllist": true }, "cardOrder": "1,2" }),
            json!({ "cards": { "referencename": "home_cards", "sortids": "1,2", "fulllist": true }, "cardOrder": "1, 2" }),
        ],
        &[
            json!({}),
            json!({ "writer": "people" }),
            json!({ "writer": "" }),
            json!({ "heroItem": { "contentid": 0, "fulllist": false } }),
            json!({ "headline": null }),
        ],
        &[
            json!({ "photos": { "galleryid": 4, "fulllist": true } }),
            json!({ "photos": "4" }),
            json!({ "Photos": { "mediaGroupingID": 4 } }),
        ],
        &[
            json!({ "hero": { "url": "https://x.test/a%20b.jpg", "label": "", "filesize": 3 } }),
            json!({ "hero": { "url": "https://x.test/a b.jpg", "label": null, "height": 7 } }),
        ],
        &[json!({ "shown": true }), json!({ "Shown": "True" })],
        &[
            json!({ "price": 12.5, "number": 5 }),
            json!({ "price": "12.50", "number": "5" }),
        ],
        &[
            json!({ "day": "2025-04-01T04:00:00+00:00" }),
            json!({ "day": "2025-04-01T04:00:00.000" }),
        ],
    ];
    for group in same {
        let forms: Vec<_> = group
            .iter()
            .map(|fields| content(&source, fields))
            .collect();
        for (fields, form) in group.iter().zip(&forms) {
            assert_eq!(*form, forms[0], "{fields} against {}", group[0]);
        }
    }
    let distinct: std::collections::BTreeSet<_> = same
        .iter()
        .map(|group| content(&source, &group[0]).to_string())
        .collect();
    assert_eq!(distinct.len(), same.len());
}

#[test]
fn a_selection_that_was_lost_shows() {
    let source = Source::new();
    let sent = json!({ "heroItem": "640", "tags_ValueField": "1,2", "headline": "A" });
    for (stored, at, found, is_reference) in [
        (
            json!({ "heroItem": "heroes", "tags_ValueField": "1,2", "headline": "A" }),
            "/fields/heroitem",
            "list heroes",
            true,
        ),
        (
            json!({ "tags_ValueField": "1,2", "headline": "A" }),
            "/fields/heroitem",
            "nothing",
            true,
        ),
        (
            json!({ "heroItem": "640", "tags_ValueField": "2,1", "headline": "A" }),
            "/fields/tags",
            "ids 2,1",
            true,
        ),
        (
            json!({ "heroItem": "640", "tags_ValueField": "1,2", "headline": "B" }),
            "/fields/headline",
            "B",
            false,
        ),
    ] {
        let found_there = differences(&content(&source, &sent), &content(&source, &stored));
        let facts: Vec<_> = found_there
            .iter()
            .map(|one| (one.at.as_str(), one.found.as_str(), one.is_reference))
            .collect();
        assert_eq!(facts, [(at, found, is_reference)], "{stored}");
    }
}

#[test]
fn parts_that_contradict_each_other_show() {
    let source = Source::new();
    let agreeing = content(&source, &json!({ "writer": "640", "writerID": "640" }));
    let torn = content(&source, &json!({ "writer": "641", "writerID": "640" }));
    assert_ne!(agreeing, torn);
}

#[test]
fn keys_that_no_model_knows_show_where_they_have_a_value() {
    let source = Source::new();
    let gone = |value| content(&source, &json!({ "gone": value }));
    assert_eq!(gone(json!("")), content(&source, &json!({})));
    assert_ne!(gone(json!("x")), content(&source, &json!({})));
    let unknown = |fields| {
        normal(
            Kind::Content,
            &json!({ "properties": { "definitionName": "New" }, "fields": fields }),
            &source.schema,
        )
    };
    assert_ne!(unknown(json!({ "gone": "x" })), unknown(json!({})));
}

#[test]
fn what_the_server_makes_does_not_count_but_what_people_make_does() {
    let source = Source::new();
    let model = article();
    let mut stored = model.clone();
    stored["id"] = json!(7001);
    stored["lastModifiedBy"] = json!("Somebody");
    stored["fields"][0]["fieldID"] = json!("zz");
    stored["fields"][0]["settings"]["DefaultValue"] = json!("");
    stored["fields"][2]["settings"]["ContentDefinition"] = json!("PERSON");
    let same = |kind, left: &Value, right: &Value| {
        normal(kind, left, &source.schema) == normal(kind, right, &source.schema)
    };
    assert!(same(Kind::Model, &model, &stored));
    stored["fields"][0]["settings"]["Length"] = json!("121");
    assert!(!same(Kind::Model, &model, &stored));
    let mut swapped = model.clone();
    swapped["fields"].as_array_mut().unwrap().swap(0, 1);
    assert!(
        !same(Kind::Model, &model, &swapped),
        "the order of fields is seen by editors"
    );

    let container = json!({ "referenceName": "Posts", "contentDefinitionID": 50, "usageCount": 3, "isShared": false });
    assert!(same(
        Kind::Container,
        &container,
        &json!({ "referenceName": "posts", "contentDefinitionID": "50", "contentViewID": 9 })
    ));
    assert!(!same(
        Kind::Container,
        &container,
        &json!({ "referenceName": "posts", "contentDefinitionID": 51 })
    ));
}

#[test]
fn zones_compare_in_their_own_order_and_by_name() {
    let source = Source::new();
    let zone = |name: &str, order: i64| json!({ "pageItemTemplateReferenceName": name, "itemOrder": order, "pageItemTemplateID": order + 40 });
    let template = |zones: &[Value]| {
        normal(
            Kind::Template,
            &json!({ "pageTemplateName": "Main", "contentSectionDefinitions": zones }),
            &source.schema,
        )
    };
    let expected = template(&[zone("A", 0), zone("B", 1)]);
    assert_eq!(expected, template(&[zone("b", 7), zone("a", 3)]));
    assert_ne!(expected, template(&[zone("A", 1), zone("B", 0)]));
    assert_ne!(expected, template(&[zone("A", 0)]));
}

#[test]
fn a_page_reads_the_same_from_both_apis() {
    let source = Source::new();
    let fetched = json!({
        "pageID": 22, "name": "news", "path": "/news", "title": "News", "pageType": "static", "templateName": "Main",
        "visible": { "menu": true, "sitemap": false }, "seo": null, "dynamic": null, "properties": { "versionID": 3 },
        "zones": { "Main": [{ "module": "List", "item": { "contentid": 950, "fulllist": false } }], "Side": [] },
    });
    let managed = json!({
        "pageID": 22, "name": "news", "path": null, "title": "News", "pageType": "static", "templateName": "main",
        "visible": { "menu": true, "sitemap": false }, "securePage": false, "redirectUrl": "", "parentPageID": -1,
        "seo": { "metaDescription": "", "menuVisible": null }, "scripts": { "excludedFromGlobal": false, "top": null },
        "zones": { "main": [{ "module": "list", "item": { "contentId": 950 }, "title": "Latest" }] },
    });
    let form = |body: &Value| normal(Kind::Page, body, &source.schema);
    assert_eq!(differences(&form(&fetched), &form(&managed)), []);
    let mut other = managed.clone();
    other["zones"]["main"][0]["item"]["contentId"] = json!(951);
    let found = differences(&form(&fetched), &form(&other));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].at.as_str(), found[0].is_reference),
        ("/zones/main/0/item", true)
    );
    let link = |body: Value| {
        form(
            &json!({ "pageType": "link", "redirectUrl": body["redirectUrl"], "redirect": body["redirect"] }),
        )
    };
    assert_eq!(
        link(json!({ "redirectUrl": "~/a" })),
        link(json!({ "redirect": { "url": "~/a", "target": "_self" } }))
    );
}

#[test]
fn redirections_compare_as_rules_do() {
    let source = Source::new();
    let rule = |body: Value| normal(Kind::Redirection, &body, &source.schema);
    let expected =
        rule(json!({ "originUrl": "~/Old ", "destinationUrl": "~/new", "originLocales": [] }));
    assert_eq!(
        expected,
        rule(
            json!({ "urlRedirectionID": 4, "originUrl": "~/old", "destinationUrl": " ~/new", "httpCode": 301 })
        )
    );
    assert_ne!(
        expected,
        rule(json!({ "originUrl": "~/old", "destinationUrl": "~/New" }))
    );
    assert_ne!(
        expected,
        rule(json!({ "originUrl": "~/old", "destinationUrl": "~/new", "httpCode": 302 }))
    );
}

#[test]
fn long_values_are_cut_in_messages() {
    let found = differences(&json!({ "a~/b": "é".repeat(200) }), &json!({}));
    assert_eq!(
        (found[0].at.as_str(), found[0].found.as_str()),
        ("/a~0~1b", "nothing")
    );
    assert_eq!(found[0].expected.chars().count(), 81);
}

/// Fields as the Fetch API shows them.
fn fetched() -> impl Strategy<Value = Value> {
    let id = || 1..9999_i64;
    let ids = || {
        prop::collection::vec(1..9999_i64, 1..5)
            .prop_map(|ids| ids.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
    };
    (id(), id(), ids(), ids(), any::<bool>(), "[a-z <>]{0,9}").prop_map(|(hero, writer, tags, order, flag, text)| {
        json!({
            "headline": text, "shown": flag.to_string(), "number": hero.to_string(),
            "heroItem": { "contentid": hero, "fulllist": false },
            "writer": { "contentid": writer, "fulllist": false }, "writerID": writer.to_string(), "writerName": text,
            "tags": { "referencename": "tags", "sortids": tags, "fulllist": false }, "tags_ValueField": tags,
            "cards": { "referencename": "home_cards", "sortids": order, "fulllist": true }, "cardOrder": order,
            "photos": { "galleryid": hero, "fulllist": true },
            "hero": { "url": format!("{EDGE}/img/tram.jpg"), "label": text, "filesize": 4, "height": 1, "width": 1 },
            "more": { "href": format!("{EDGE}/docs/map.pdf"), "target": "_self", "text": text },
            "body": format!("<img src=\"{EDGE}/img/two%20words.jpg?w=8\"> {text}"),
            "extra": json!({ "contentid": hero, "label": text }).to_string(),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn writing_changes_nothing_where_ids_are_the_same(fields in fetched()) {
        let source = Source::new();
        let item = item(&fields);
        let written = payload(&item, &source.context(), &Shifted::same(), &LeaveOut::default(), None).unwrap();
        let expected = normal(Kind::Content, &item.body.parse(), &source.schema);
        let found = normal(Kind::Content, &written.body, &source.schema);
        prop_assert_eq!(differences(&expected, &found), []);
        prop_assert_eq!(expected, found);
    }

    #[test]
    fn a_target_with_other_ids_never_looks_the_same(fields in fetched()) {
        let source = Source::new();
        let item = item(&fields);
        let other = Shifted { mark: "", ..Shifted::default() };
        let written = payload(&item, &source.context(), &other, &LeaveOut::default(), None).unwrap();
        let expected = normal(Kind::Content, &item.body.parse(), &source.schema);
        let found = differences(&expected, &normal(Kind::Content, &written.body, &source.schema));
        let places: Vec<_> = found.iter().filter(|one| one.is_reference).map(|one| one.at.as_str()).collect();
        for place in ["/fields/heroitem", "/fields/writer", "/fields/tags", "/fields/cards", "/fields/photos", "/fields/hero/url", "/fields/more/href"] {
            prop_assert!(places.contains(&place), "{place} is missing among {places:?}");
        }
    }
}

#[test]
fn every_kind_has_a_normal_form_of_an_empty_body() {
    let source = Source::new();
    for kind in Kind::ALL {
        let form = normal(
            kind,
            &entity(kind, 1, &json!({})).body.parse(),
            &source.schema,
        );
        assert_eq!(form, normal(kind, &Value::Null, &source.schema), "{kind}");
    }
}
