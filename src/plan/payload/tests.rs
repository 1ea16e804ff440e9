//! What is sent: the worked example of the vendor's forms, each kind, cycle stubs, and random bodies.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::domain::Kind;
use crate::plan::testing::{EDGE, SHIFT, Shifted, Source, entity, item, properties};
use crate::plan::{
    Context, Encoding, LeaveOut, LinkForm, LinkForms, Referent, payload, references,
};

fn body_without(
    source: &Source,
    entity: &crate::domain::Entity<crate::domain::SourceId>,
    left: Vec<Referent>,
) -> Value {
    let left: LeaveOut = left.into_iter().collect();
    payload(entity, &source.context(), &Shifted::default(), &left, None)
        .unwrap()
        .body
}

#[test]
fn an_item_with_everything_is_written_as_the_server_reads_it() {
    let source = Source::new();
    let item = item(&json!({
        "writer": { "contentid": 640, "fulllist": false }, "writerID": "640", "writerName": "Rosa Vega",
        "tags": { "referencename": "tags", "sortids": "735,734", "fulllist": false },
        "tags_ValueField": "735,734", "tags_TextField": "Rail,City",
        "cards": { "referencename": "home_cards", "fulllist": true },
        "hero": { "url": format!("{EDGE}/img/tram.jpg"), "label": "A tram" },
        "files": [{ "url": format!("{EDGE}/docs/map.pdf"), "label": "Map" }],
        "photos": { "galleryid": 4, "fulllist": true },
        "body": format!("<p><img src=\"{EDGE}/img/tram.jpg?w=800\"></p>"),
    }));
    let written = source.payload(&item).unwrap();
    assert_eq!(
        written.body,
        json!({
            "properties": { "referenceName": "t_articles", "definitionName": "t_article", "itemOrder": 3,
                "releaseDate": null, "pullDate": null },
            "fields": {
                "writer": "1000640", "writerID": "1000640", "writerName": "Rosa Vega",
                "tags": { "referencename": "t_tags", "sortids": "1000735,1000734", "fulllist": false },
                "tags_ValueField": "1000735,1000734", "tags_TextField": "Rail,City",
                "cards": { "referencename": "t_home_cards", "fulllist": true },
                "hero": { "url": "https://cdn.example.test/copy/img/tram.jpg", "label": "A tram" },
                "files": [{ "url": "https://cdn.example.test/copy/docs/map.pdf", "label": "Map" }],
                "photos": { "galleryid": 1_000_004, "fulllist": true },
                "body": "<p><img src=\"https://cdn.example.test/copy/img/tram.jpg?w=800\"></p>",
            },
            "seo": { "metaDescription": null, "metaKeywords": null, "metaHTML": null, "menuVisible": null,
                "sitemapVisible": null },
            "scripts": { "top": null, "bottom": null },
        })
    );
    let used: Vec<_> = written
        .encodings
        .iter()
        .map(|(encoding, at)| (*encoding, at.as_str()))
        .collect();
    assert!(
        used.contains(&(Encoding::SingleLink, "/fields/writer")),
        "{used:?}"
    );
    assert!(
        used.contains(&(Encoding::EmbeddedUrl, "/fields/body")),
        "{used:?}"
    );
    assert_eq!(used.len(), 11, "each encoding once: {used:?}");
}

/// What the target keeps was not known, and each selection was written in one form.
#[test]
fn selections_of_one_item_are_written_in_the_form_that_the_target_keeps() {
    let source = Source::new();
    let written = |alone, with_value, fields: Value| {
        let context = Context {
            links: LinkForms { alone, with_value },
            ..source.context()
        };
        let shifted = Shifted::default();
        let sent = payload(
            &item(&fields),
            &context,
            &shifted,
            &LeaveOut::default(),
            None,
        );
        sent.unwrap().body["fields"].clone()
    };
    let link = |id: i64| json!({ "contentid": id, "fulllist": false });
    let both = || json!({ "writer": link(640), "writerID": "640", "heroItem": "641" });
    assert_eq!(
        written(LinkForm::Object, LinkForm::Object, both()),
        json!({ "writer": link(SHIFT + 640), "writerID": "1000640", "heroItem": link(SHIFT + 641) })
    );
    assert_eq!(
        written(LinkForm::Scalar, LinkForm::ListName, both()),
        json!({ "writer": "t_people", "writerID": "1000640", "heroItem": "1000641" })
    );
    // Without its value field the selection would be lost.
    assert_eq!(
        written(
            LinkForm::ListName,
            LinkForm::ListName,
            json!({ "writer": link(640), "heroItem": link(641) })
        ),
        json!({ "writer": "1000640", "heroItem": "1000641" })
    );
}

#[test]
fn what_has_no_counterpart_is_named_and_nothing_is_sent() {
    let source = Source::new();
    let item = item(&json!({
        "writerID": "640", "tags_ValueField": "1,2", "hero": { "url": format!("{EDGE}/img/tram.jpg") },
    }));
    let lost = vec![(Kind::Content, 640), (Kind::Content, 2), (Kind::Asset, 310)];
    let target = Shifted {
        lost,
        ..Shifted::default()
    };
    let error = payload(
        &item,
        &source.context(),
        &target,
        &LeaveOut::default(),
        None,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "without a counterpart on the target: content 640 at /fields/writerID, \
         content 2 at /fields/tags_ValueField, asset 310 at /fields/hero/url"
    );
}

#[test]
fn references_that_are_left_out_leave_nothing_of_the_source_behind() {
    let source = Source::new();
    let item = item(&json!({
        "writer": { "contentid": 640, "fulllist": false }, "writerID": "640",
        "tags": { "referencename": "tags", "sortids": "735,640,734", "fulllist": false },
        "tags_ValueField": "735,640,734", "heroItem": { "contentid": 640 },
        "extra": "{\"x\":[{\"contentid\":640}]}",
    }));
    let body = body_without(&source, &item, vec![Referent::Content(640)]);
    assert_eq!(
        body["fields"],
        json!({
            "writer": "", "writerID": "",
            "tags": { "referencename": "t_tags", "sortids": "1000735,1000734", "fulllist": false },
            "tags_ValueField": "1000735,1000734", "heroItem": { "contentid": null },
            "extra": "{\"x\":[{\"contentid\":null}]}",
        })
    );
}

#[test]
fn a_model_stub_lacks_the_fields_that_link_to_what_is_left_out() {
    let source = Source::new();
    let field = |name: &str, model: &str| json!({ "name": name, "fieldID": "f1", "settings": { "ContentDefinition": model } });
    let model = entity(
        Kind::Model,
        10,
        &json!({ "id": 10, "referenceName": "Post", "lastModifiedBy": "Rosa", "fields": [
            field("Own", "post"), field("Author", "Author"), field("Tag", "20"), field("Rich", "RichTextArea") ] }),
    );
    let names = |body: &Value| {
        let rows = body["fields"].as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", row["name"], row["settings"]["ContentDefinition"]))
            .collect::<Vec<_>>()
    };
    let whole = source.body(&model);
    let all = [
        "\"Own\" \"t_post\"",
        "\"Author\" \"t_Author\"",
        "\"Tag\" \"1000020\"",
        "\"Rich\" \"RichTextArea\"",
    ];
    assert_eq!(names(&whole), all);
    assert_eq!(
        whole
            .get("id")
            .or(whole.get("lastModifiedBy"))
            .or(whole["fields"][0].get("fieldID")),
        None
    );
    let left = vec![
        Referent::ModelNamed("post".into()),
        Referent::ModelNamed("author".into()),
        Referent::Model(20),
    ];
    assert_eq!(names(&body_without(&source, &model, left)), all[3..]);
}

#[test]
fn a_container_leaves_rights_and_folders_behind() {
    let source = Source::new();
    let read = json!({
        "contentViewID": 77, "referenceName": "articles", "contentDefinitionID": 41, "contentViewCategoryID": 3,
        "currentUserCanEdit": true, "users": [], "lastModifiedDate": "02/11/2025 02:05PM", "isShared": false,
        "columns": [{ "fieldName": "Headline" }],
    });
    assert_eq!(
        source.body(&entity(Kind::Container, 77, &read)),
        json!({ "referenceName": "articles", "contentDefinitionID": 41 + SHIFT, "isShared": false,
            "columns": [{ "fieldName": "Headline" }] })
    );
    let rich = entity(Kind::Container, 78, &json!({ "contentDefinitionID": 1 }));
    assert_eq!(source.body(&rich), json!({ "contentDefinitionID": 1 }));
}

#[test]
fn zones_keep_the_ids_that_the_target_gave_them() {
    let source = Source::new();
    let zone = |name: &str| {
        json!({ "pageItemTemplateID": 9, "pageTemplateID": 5, "pageItemTemplateReferenceName": name,
            "contentDefinitionID": 41, "itemContainerID": 77, "contentViewID": 0, "sharedModules": [{}],
            "defaultModules": [{ "pageItemTemplateDefaultModuleID": 3, "contentDefinitionID": 42, "pageItemTemplateID": 9 }] })
    };
    let read = json!({ "pageTemplateID": 5, "pageTemplateName": "Main", "contentSectionDefinitions": [zone("Top"), zone("Side")] });
    let there = json!({ "pageTemplateID": 500, "contentSectionDefinitions": [
        { "pageItemTemplateID": 901, "pageItemTemplateReferenceName": "side" } ] });
    let template = entity(Kind::Template, 5, &read);
    let written = payload(
        &template,
        &source.context(),
        &Shifted::default(),
        &LeaveOut::default(),
        Some(&there),
    )
    .unwrap();
    let expected = |name: &str, id: i64| {
        json!({ "pageItemTemplateID": id, "pageTemplateID": 500, "pageItemTemplateReferenceName": name,
            "contentDefinitionID": 41 + SHIFT, "itemContainerID": 77 + SHIFT, "contentViewID": 0,
            "defaultModules": [{ "pageItemTemplateDefaultModuleID": -1, "contentDefinitionID": 42 + SHIFT, "pageItemTemplateID": id }] })
    };
    assert_eq!(
        written.body,
        json!({ "pageTemplateName": "Main", "contentSectionDefinitions": [expected("Top", -1), expected("Side", 901)] })
    );
}

#[test]
fn a_page_is_sent_without_its_place() {
    let source = Source::new();
    let read = json!({
        "pageID": 22, "name": "news", "path": null, "title": "", "menuText": "News", "pageType": "static",
        "templateName": "main", "properties": { "state": 2 }, "parentPageID": 3, "channelID": 1,
        "zones": { "Main": [{ "module": "List", "item": { "contentId": 950, "contentID": 950, "fulllist": false } }] },
    });
    assert_eq!(
        source.body(&entity(Kind::Page, 22, &read)),
        json!({
            "name": "news", "path": "", "title": "News", "menuText": "News", "pageType": "static", "templateName": "t_main",
            "zones": { "Main": [{ "module": "t_List", "item": { "fulllist": false, "contentid": 950 + SHIFT } }] },
        })
    );
    let link = json!({ "pageType": "link", "name": "map", "title": "Map", "path": "/map", "templateName": "gone",
        "redirect": { "url": format!("{EDGE}/docs/map.pdf"), "target": "_self" }, "linkToPageID": 23 });
    let written = source.body(&entity(Kind::Page, 23, &link));
    assert_eq!(
        written["redirectUrl"],
        "https://cdn.example.test/copy/docs/map.pdf"
    );
    assert_eq!(
        written["redirect"]["url"],
        "https://cdn.example.test/copy/docs/map.pdf"
    );
    assert_eq!(
        (&written["templateName"], &written["linkToPageID"]),
        (&Value::Null, &json!(23 + SHIFT))
    );
}

#[test]
fn the_rest_takes_only_what_is_known_to_be_written() {
    let source = Source::new();
    let gallery =
        json!({ "mediaGroupingID": 4, "name": "Team", "modifiedBy": 12, "metaData": null });
    assert_eq!(
        source.body(&entity(Kind::Gallery, 4, &gallery)),
        json!({ "name": "Team", "metaData": {}, "groupingTypeID": 1, "isDeleted": false })
    );
    let asset = json!({ "mediaID": 310, "originKey": "a.jpg", "mediaGroupingID": 4, "size": 1 });
    assert_eq!(
        source.body(&entity(Kind::Asset, 310, &asset)),
        json!({ "originKey": "a.jpg", "mediaGroupingID": 4 + SHIFT, "size": 1 })
    );
    let redirection = json!({ "urlRedirectionID": 9, "originUrl": "~/a", "destinationUrl": "~/b", "originLocales": [] });
    assert_eq!(
        source.body(&entity(Kind::Redirection, 9, &redirection)),
        json!({ "originUrl": "~/a", "destinationUrl": "~/b", "originLocales": [], "httpCode": 301 })
    );
}

/// Field values in every encoding, with ids below the target's.
fn field() -> impl Strategy<Value = (String, Value)> {
    let id = 1..SHIFT;
    let ids = prop::collection::vec(1..SHIFT, 1..6).prop_map(|ids| {
        ids.iter()
            .map(i64::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    });
    let single = prop_oneof![
        id.clone()
            .prop_map(|id| json!({ "contentid": id, "fulllist": false })),
        id.clone().prop_map(|id| json!({ "contentID": id })),
        id.clone().prop_map(|id| json!(id.to_string())),
        id.clone().prop_map(|id| json!(id)),
    ];
    let list = (ids.clone(), any::<bool>()).prop_map(
        |(ids, whole)| json!({ "referencename": "tags", "sortids": ids, "fulllist": whole }),
    );
    let gallery = id.clone().prop_map(|id| json!({ "galleryid": id }));
    let nested = (id, ids.clone()).prop_map(|(id, ids)| {
        let inner = json!({ "contentid": id, "more": [{ "referencename": "x", "sortids": ids, "fulllist": true }] });
        json!({ "text": inner.to_string(), "value": inner })
    });
    let texts = ids.prop_map(Value::String);
    prop_oneof![
        (
            prop::sample::select(vec!["writer", "heroItem", "Tags"]),
            single
        ),
        (prop::sample::select(vec!["tags", "cards", "unknown"]), list),
        (
            prop::sample::select(vec!["tags_ValueField", "writerID", "cardOrder"]),
            texts
        ),
        (prop::sample::select(vec!["photos", "extra"]), gallery),
        (prop::sample::select(vec!["extra", "unknown"]), nested),
    ]
    .prop_map(|(key, value)| (key.to_owned(), value))
}

/// Any JSON, with the members that the walker looks at among its names.
fn any_json() -> impl Strategy<Value = Value> {
    let words = [
        "contentid",
        "sortids",
        "referencename",
        "fulllist",
        "galleryid",
        "url",
        "zones",
        "fields",
        "item",
    ];
    let name = prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        "[a-z/~]{0,4}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(https?:)?(\\\\?/){2}cdn.example.test(\\\\?/)demo/?[a-z%&;,()\"' é]{0,8}"
            .prop_map(Value::from),
        "[\\[\\]{}\":0-9, é\\\\-]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A server may make the field anywhere; the request stays where it was not met.
#[test]
fn a_model_keeps_the_companions_that_the_server_made_for_it() {
    let source = Source::new();
    let field = |name: &str, order: i64, settings: Value| json!({ "name": name, "type": "Content", "settings": settings, "itemOrder": order });
    let asks =
        json!({ "sortidfieldname": "createnew", "LinkedContentDropdownTextField": "CREATENEW" });
    let model = json!({ "id": 7, "referenceName": "Memo", "fields": [
        field("Cards", 4, asks.clone()), field("Title", 9, json!({})), field("Lead", 2, json!({})) ] });
    let entity = entity(Kind::Model, 7, &model);
    let written = |existing: &Value| {
        let context = source.context();
        let nothing = LeaveOut::default();
        let written = payload(
            &entity,
            &context,
            &Shifted::default(),
            &nothing,
            Some(existing),
        );
        written.unwrap().body
    };
    let made =
        json!({ "SortIDFieldName": "cards_order", "LinkedContentDropdownTextField": "gone" });
    let mut order = field("Cards_Order", 2, json!({}));
    order["fieldID"] = json!(77);
    let there = json!({ "fields": [
        field("title", 4, json!({})), order, field("LEAD", 0, json!({})), field("Cards", 1, made) ] });
    let body = written(&there);
    let names: Vec<_> = body["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["name"].as_str().unwrap(),
                row["itemOrder"].as_i64().unwrap(),
                row.get("fieldID"),
            )
        })
        .collect();
    let expected = [
        ("Lead", 0, None),
        ("Cards", 1, None),
        ("Cards_Order", 2, None),
        ("Title", 3, None),
    ];
    assert_eq!(names, expected);
    assert_eq!(
        body["fields"][1]["settings"],
        json!({ "sortidfieldname": "cards_order", "LinkedContentDropdownTextField": "CREATENEW" })
    );
    for existing in [
        json!({}),
        json!({ "fields": [field("Cards", 0, asks.clone())] }),
        json!({ "fields": ["x", 7] }),
    ] {
        assert_eq!(
            written(&existing)["fields"],
            json!([
                field("Cards", 4, asks.clone()),
                field("Title", 9, json!({})),
                field("Lead", 2, json!({}))
            ])
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_refers_to_the_counterparts_in_the_same_order(fields in prop::collection::vec(field(), 0..6)) {
        let source = Source::new();
        let fields = Value::Object(fields.into_iter().collect());
        let item = item(&fields);
        let written = source.body(&item);
        let mut sent = crate::plan::testing::item(&written["fields"]);
        sent.name = item.name.clone();
        let ids = |entity| {
            let found = references(entity, &source.context());
            let ids = found.iter().filter_map(|one| match one.to {
                Referent::Content(id) | Referent::Gallery(id) => Some(id),
                _ => None,
            });
            ids.collect::<Vec<_>>()
        };
        let (before, after) = (ids(&item), ids(&sent));
        prop_assert_eq!(before.iter().map(|id| id + SHIFT).collect::<Vec<_>>(), after.clone());
        prop_assert!(after.iter().all(|&id| id > SHIFT), "a source id was sent");
    }

    #[test]
    fn no_body_is_too_strange(body in any_json(), at in 0..Kind::ALL.len()) {
        let source = Source::new();
        let kind = Kind::ALL[at];
        let wrapped = json!({ "properties": properties(), "fields": body, "zones": { "a": body },
            "contentSectionDefinitions": [body], "destinationUrl": body, "redirect": body, "pageType": "static" });
        for body in [&body, &wrapped] {
            let entity = entity(kind, 7, body);
            let found = references(&entity, &source.context()).len();
            let sent = source.payload(&entity);
            prop_assert!(sent.is_ok() || found > 0, "nothing to resolve, nothing to complain about");
            if let Ok(sent) = sent {
                prop_assert!(crate::plan::normal(kind, &sent.body, &source.schema).is_object());
            }
        }
    }
}
