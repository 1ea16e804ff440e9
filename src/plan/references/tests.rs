//! Each encoding, from the form in which it is read to the references in it and the form in which it is sent.

use serde_json::{Value, json};

use crate::domain::{Id, Kind};
use crate::plan::testing::{EDGE, ORIGIN, Source, entity, item};
use crate::plan::{AssetIndex, Encoding, Referent, Side, references};

/// A field as read, what it refers to, and as sent. `t` stands for the shift of the target's ids.
struct Case(&'static str, Value, &'static [&'static str], Value);

const T: i64 = crate::plan::testing::SHIFT;

fn link(id: i64) -> Value {
    json!({ "contentid": id, "fulllist": false })
}

fn single_links() -> Vec<Case> {
    vec![
        Case("writer", link(640), &["content 640"], json!("1000640")),
        Case(
            "heroItem",
            json!({ "contentID": 640, "fullList": false }),
            &["content 640"],
            json!("1000640"),
        ),
        Case(
            "heroItem",
            json!({ "contentid": "640", "fulllist": "false" }),
            &["content 640"],
            json!("1000640"),
        ),
        Case(
            "heroItem",
            json!({ "contentid": 640 }),
            &["content 640"],
            json!({ "contentid": T + 640 }),
        ),
        Case("heroItem", link(0), &[], json!("")),
        Case("heroItem", link(-1), &[], json!("")),
        Case("heroItem", json!({ "fulllist": false }), &[], json!("")),
        Case("heroItem", json!("640"), &["content 640"], json!("1000640")),
        Case("heroItem", json!(640), &["content 640"], json!("1000640")),
        Case("heroItem", json!("-1"), &[], json!("-1")),
        Case(
            "heroItem",
            json!({ "contentID": 640, "properties": { "referenceName": "heroes" }, "fields": { "x": link(1) } }),
            &["content 640"],
            json!("1000640"),
        ),
        Case(
            "tags",
            json!([{ "contentID": 735, "properties": { "referenceName": "tags" }, "fields": {} },
                   { "contentID": 734, "properties": { "referenceName": "tags" }, "fields": {} }]),
            &["content 735", "content 734", "container \"tags\""],
            json!({ "sortids": "1000735,1000734", "fulllist": false, "referencename": "t_tags" }),
        ),
        Case("unknown", link(640), &["content 640"], json!("1000640")),
        Case(
            "extra",
            link(640),
            &["content 640"],
            json!({ "contentid": T + 640, "fulllist": false }),
        ),
    ]
}

fn lists_and_companions() -> Vec<Case> {
    vec![
        Case(
            "cards",
            json!({ "referencename": "Home_Cards", "fulllist": true }),
            &["container \"home_cards\""],
            json!({ "referencename": "t_Home_Cards", "fulllist": true }),
        ),
        Case(
            "cards",
            json!({ "referenceName": "home_cards", "sortids": "735,734", "fullList": true }),
            &["container \"home_cards\"", "content 735", "content 734"],
            json!({ "referenceName": "t_home_cards", "sortids": "1000735,1000734", "fullList": true }),
        ),
        Case(
            "tags",
            json!({ "referencename": "tags", "sortids": "735, 734,", "fulllist": false }),
            &["container \"tags\"", "content 735", "content 734"],
            json!({ "referencename": "t_tags", "sortids": "1000735,1000734", "fulllist": false }),
        ),
        Case(
            "cards",
            json!("home_cards"),
            &["container \"home_cards\""],
            json!("t_home_cards"),
        ),
        Case("writerID", json!("640"), &["content 640"], json!("1000640")),
        Case("WRITERID", json!(640), &["content 640"], json!(T + 640)),
        Case(
            "tags_ValueField",
            json!("735, 734"),
            &["content 735", "content 734"],
            json!("1000735,1000734"),
        ),
        Case(
            "tags_ValueField",
            json!("735,rail,0"),
            &["content 735"],
            json!("1000735,rail,0"),
        ),
        Case("tags_ValueField", json!(""), &[], json!("")),
        Case("tags_TextField", json!("Rail,735"), &[], json!("Rail,735")),
        Case(
            "cardOrder",
            json!("735,734"),
            &["content 735", "content 734"],
            json!("1000735,1000734"),
        ),
        Case("number", json!("640"), &[], json!("640")),
        Case("headline", json!("640"), &[], json!("640")),
    ]
}

fn assets_and_galleries() -> Vec<Case> {
    let url = |base: &str| json!({ "url": format!("{base}/img/tram.jpg"), "label": "A tram" });
    vec![
        Case(
            "hero",
            url(EDGE),
            &["asset 310"],
            url("https://cdn.example.test/copy"),
        ),
        Case(
            "files",
            json!([url(ORIGIN)]),
            &["asset 310"],
            json!([url("https://origin.example.test/copy")]),
        ),
        Case(
            "photos",
            json!({ "galleryid": 4, "fulllist": true }),
            &["gallery 4"],
            json!({ "galleryid": T + 4, "fulllist": true }),
        ),
        Case(
            "photos",
            json!({ "mediaGroupingID": 4 }),
            &["gallery 4"],
            json!({ "mediaGroupingID": T + 4 }),
        ),
        Case(
            "photos",
            json!({ "galleryID": "4" }),
            &["gallery 4"],
            json!({ "galleryID": "1000004" }),
        ),
        Case("photos", json!("4"), &["gallery 4"], json!("1000004")),
        Case(
            "photos",
            json!({ "galleryid": 0 }),
            &[],
            json!({ "galleryid": 0 }),
        ),
        Case(
            "more",
            json!({ "href": format!("{EDGE}/docs/map.pdf"), "target": "_blank", "text": "Map" }),
            &["asset 311"],
            json!({ "href": "https://cdn.example.test/copy/docs/map.pdf", "target": "_blank", "text": "Map" }),
        ),
        Case(
            "extra",
            json!({ "a": [{ "contentid": 7, "galleryid": 4 }], "b": "{\"c\": {\"contentID\": 8, \"n\": 1}}" }),
            &["content 7", "gallery 4", "content 8"],
            json!({ "a": [{ "contentid": T + 7, "galleryid": T + 4 }], "b": "{\"c\": {\"contentID\": 1000008, \"n\": 1}}" }),
        ),
        Case("extra", json!("{ \"n\": 1 }"), &[], json!("{ \"n\": 1 }")),
    ]
}

#[test]
fn every_encoding_is_found_and_written() {
    let source = Source::new();
    let cases = [
        single_links(),
        lists_and_companions(),
        assets_and_galleries(),
    ];
    for Case(key, value, expected, written) in cases.into_iter().flatten() {
        let item = item(&json!({ key: value }));
        let found = source.references(&item);
        let found: Vec<_> = found
            .iter()
            .skip(2)
            .filter_map(|text| text.split(" at ").next())
            .collect();
        assert_eq!(found, expected, "{key}: {value}");
        assert_eq!(source.body(&item)["fields"][key], written, "{key}: {value}");
    }
}

#[test]
fn a_reference_tells_where_it_stands_and_what_leaving_it_out_costs() {
    let source = Source::new();
    let item = item(&json!({
        "writer": { "contentid": 640, "fulllist": false }, "writerID": "640",
        "extra": { "a/b": "[{\"contentid\": 7}]" }, "tags_ValueField": "1,2",
    }));
    let found = references(&item, &source.context());
    let facts: Vec<_> = found
        .iter()
        .map(|one| (one.at.as_str(), one.encoding, one.required, one.in_list))
        .collect();
    assert_eq!(
        facts,
        [
            (
                "/properties/definitionName",
                Encoding::ItemModel,
                false,
                false
            ),
            (
                "/properties/referenceName",
                Encoding::ItemContainer,
                false,
                false
            ),
            ("/fields/writer", Encoding::SingleLink, true, false),
            ("/fields/writerID", Encoding::ValueField, true, false),
            (
                "/fields/extra/a~1b#/0/contentid",
                Encoding::NestedLink,
                false,
                false
            ),
            (
                "/fields/tags_ValueField",
                Encoding::ValueFieldList,
                false,
                true
            ),
            (
                "/fields/tags_ValueField",
                Encoding::ValueFieldList,
                false,
                true
            ),
        ]
    );
}

#[test]
fn a_value_field_is_followed_where_the_link_shows_only_its_list() {
    let source = Source::new();
    let item = item(&json!({ "writer": "people", "writerID": "11875" }));
    assert_eq!(
        source.references(&item)[2..],
        [
            "container \"people\" at /fields/writer",
            "content 11875 at /fields/writerID"
        ]
    );
}

/// A text, and the assets and paths of the URLs in it; 0 for no asset.
type Found = (String, Vec<(i64, &'static str)>);

fn surroundings() -> Vec<Found> {
    vec![
        (
            format!("<img src=\"{EDGE}/img/tram.jpg?w=800\">"),
            vec![(310, "/img/tram.jpg")],
        ),
        (
            format!("<img src='{EDGE}/img/tram.jpg'>"),
            vec![(310, "/img/tram.jpg")],
        ),
        (
            format!("&lt;img src=&quot;{EDGE}/img/tram.jpg&quot;&gt;"),
            vec![(310, "/img/tram.jpg")],
        ),
        (
            format!("<img srcset=\"{EDGE}/img/tram.jpg 1x, {ORIGIN}/docs/map.pdf 2x\">"),
            vec![(310, "/img/tram.jpg"), (311, "/docs/map.pdf")],
        ),
        (
            format!("{EDGE}/img/tram.jpg,{EDGE}/docs/map.pdf"),
            vec![(310, "/img/tram.jpg"), (311, "/docs/map.pdf")],
        ),
        (
            format!("a {{ background: url({EDGE}/img/tram.jpg); }}"),
            vec![(310, "/img/tram.jpg")],
        ),
        (
            format!("![a]({EDGE}/img/tram(1).jpg) b"),
            vec![(313, "/img/tram(1).jpg")],
        ),
        (
            format!("See {EDGE}/docs/map.pdf."),
            vec![(311, "/docs/map.pdf")],
        ),
        (
            "\\\"https:\\/\\/cdn.example.test\\/demo\\/docs\\/map.pdf\\\"".to_owned(),
            vec![(311, "\\/docs\\/map.pdf")],
        ),
        (
            "<a href=\"//CDN.example.test/demo/img/tram.jpg\">".to_owned(),
            vec![(310, "/img/tram.jpg")],
        ),
        (
            "http://cdn.example.test/demo/img/tram.jpg#top".to_owned(),
            vec![(310, "/img/tram.jpg")],
        ),
    ]
}

fn spellings() -> Vec<Found> {
    vec![
        (
            format!("{EDGE}/img/two words.jpg"),
            vec![(312, "/img/two words.jpg")],
        ),
        (
            format!("<img src=\"{EDGE}/img/two words.jpg?a=1\" alt=\"\">"),
            vec![(312, "/img/two words.jpg")],
        ),
        (
            format!("{EDGE}/img/two%20words.jpg"),
            vec![(312, "/img/two%20words.jpg")],
        ),
        (
            format!("<i src=\"{EDGE}/img/R&amp;D,2.png\">"),
            vec![(314, "/img/R&amp;D,2.png")],
        ),
        (
            format!("{EDGE}/img/R%26D%2C2.png x"),
            vec![(314, "/img/R%26D%2C2.png")],
        ),
        (format!("{EDGE}/img/tram.gif"), vec![(0, "/img/tram.gif")]),
        (format!("{EDGE}/img/tram/more"), vec![(0, "/img/tram/more")]),
        (
            "https://cdn.example.test/demo2/img/tram.jpg".to_owned(),
            vec![],
        ),
        (
            "https://elsewhere.test/?u=cdn.example.test/demo/img/tram.jpg".to_owned(),
            vec![],
        ),
        ("// a comment // another </p>".to_owned(), vec![]),
    ]
}

#[test]
fn asset_urls_are_found_in_every_surrounding() {
    let source = Source::new();
    for (text, expected) in surroundings().into_iter().chain(spellings()) {
        let found = source.assets.occurrences(&text);
        let found: Vec<_> = found
            .iter()
            .map(|url| (url.asset.unwrap_or_default(), &text[url.path.clone()]))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn text_around_urls_is_left_alone() {
    let source = Source::new();
    for (text, written) in [
        (
            format!(
                "<p><img src=\"{EDGE}/img/tram.jpg?w=800&amp;f=auto\"><a href='{ORIGIN}/docs/map.pdf'>é</a></p>"
            ),
            "<p><img src=\"https://cdn.example.test/copy/img/tram.jpg?w=800&amp;f=auto\">\
             <a href='https://origin.example.test/copy/docs/map.pdf'>é</a></p>"
                .to_owned(),
        ),
        (
            "//cdn.example.test/demo/img/tram.jpg".to_owned(),
            "//cdn.example.test/copy/img/tram.jpg".to_owned(),
        ),
        (
            "x \"https:\\/\\/cdn.example.test\\/demo\\/gone.pdf\"".to_owned(),
            "x \"https:\\/\\/cdn.example.test\\/copy\\/gone.pdf\"".to_owned(),
        ),
        (
            format!("{EDGE}/img/two words.jpg"),
            "https://cdn.example.test/copy/img/two words.jpg".to_owned(),
        ),
        (
            format!("{EDGE}/img/two%20words.jpg?a"),
            "https://cdn.example.test/copy/img/two%20words.jpg?a".to_owned(),
        ),
        (EDGE.to_owned(), "https://cdn.example.test/copy".to_owned()),
    ] {
        let written_item = source.body(&item(&json!({ "body": text })));
        assert_eq!(written_item["fields"]["body"], json!(written), "{text}");
    }
}

#[test]
fn an_asset_outside_of_the_containers_is_known_by_its_own_address() {
    let media =
        json!({ "originKey": "a.png", "originUrl": "https://static.example.test/old/a.png" });
    let inventory = crate::domain::Inventory::empty(crate::domain::Guid::new("1a2b3c4d-u"))
        .with_entities(vec![entity(Kind::Asset, 5, &media)]);
    let index = AssetIndex::of(&inventory);
    let found = index
        .occurrences("https://static.example.test/old/a.png https://static.example.test/old/b.png");
    let found: Vec<_> = found.iter().map(|url| (url.asset, url.side)).collect();
    assert_eq!(
        found,
        [(Some(5), Side::Origin)],
        "what else stands there is not ours"
    );
}

#[test]
fn models_refer_to_models_and_to_themselves_but_not_to_built_in_ones() {
    let source = Source::new();
    let field = |model: &str| json!({ "name": model, "settings": { "ContentDefinition": model, "ContentView": "people" } });
    let body = json!({ "referenceName": "Post", "fields": [field("Author"), field("post"), field("RichTextArea"), field("77")] });
    let model = entity(Kind::Model, 10, &body);
    let found: Vec<_> = references(&model, &source.context())
        .into_iter()
        .map(|one| one.to)
        .collect();
    assert_eq!(
        found,
        [
            Referent::ModelNamed("author".into()),
            Referent::ModelNamed("post".into()),
            Referent::Model(77)
        ]
    );
    assert_eq!(model.key.id.raw(), 10);
}

#[test]
fn structure_refers_by_id_unless_it_is_built_in() {
    let source = Source::new();
    let container = |model: i64| {
        entity(
            Kind::Container,
            77,
            &json!({ "contentDefinitionID": model }),
        )
    };
    assert_eq!(
        source.references(&container(41)),
        ["model 41 at /contentDefinitionID"]
    );
    assert!(source.references(&container(1)).is_empty());
    let template = entity(
        Kind::Template,
        5,
        &json!({ "contentSectionDefinitions": [
            { "contentDefinitionID": null, "contentViewID": 0, "itemContainerID": -1 },
            { "contentDefinitionID": 41, "contentViewID": 77, "itemContainerID": 78,
              "defaultModules": [{ "contentDefinitionID": 42 }], "sharedModules": [{ "contentDefinitionID": 43 }] } ] }),
    );
    let zone = "/contentSectionDefinitions/1";
    assert_eq!(
        source.references(&template),
        [
            format!("model 41 at {zone}/contentDefinitionID"),
            format!("container 77 at {zone}/contentViewID"),
            format!("container 78 at {zone}/itemContainerID"),
            format!("model 42 at {zone}/defaultModules/0/contentDefinitionID"),
        ]
    );
    let asset = |gallery: i64| {
        entity(
            Kind::Asset,
            1,
            &json!({ "mediaGroupingID": gallery, "mediaGroupingName": "x" }),
        )
    };
    assert_eq!(
        source.references(&asset(4)),
        ["gallery 4 at /mediaGroupingID"]
    );
    assert!(source.references(&asset(0)).is_empty());
    let redirection = entity(
        Kind::Redirection,
        9,
        &json!({ "originUrl": EDGE, "destinationUrl": format!("{EDGE}/docs/map.pdf") }),
    );
    assert_eq!(
        source.references(&redirection),
        ["asset 311 at /destinationUrl"]
    );
}

#[test]
fn pages_refer_to_templates_modules_lists_and_destinations() {
    let source = Source::new();
    let page = entity(
        Kind::Page,
        22,
        &json!({
            "pageType": "dynamic", "templateName": "Main Template", "dynamic": { "referenceName": "Articles" },
            "zones": { "Main": [
                { "module": "List", "item": { "contentid": 950, "fulllist": false } },
                { "module": "List", "item": { "contentId": 951 } },
                { "module": "List", "item": { "contentID": 952, "fields": { "x": { "contentid": 1 } } } },
                { "module": "List", "item": {} } ] },
            "linkToPageID": 23, "linkToFileID": 310, "redirect": { "url": format!("{EDGE}/docs/map.pdf") },
        }),
    );
    assert_eq!(
        source.references(&page),
        [
            "template \"main template\" at /templateName",
            "content 950 at /zones/Main/0/item/contentid",
            "content 951 at /zones/Main/1/item/contentId",
            "content 952 at /zones/Main/2/item/contentID",
            "container \"articles\" at /dynamic/referenceName",
            "page 23 at /linkToPageID",
            "asset 310 at /linkToFileID",
            "asset 311 at /redirect/url",
        ]
    );
    let folder = entity(
        Kind::Page,
        24,
        &json!({ "pageType": "folder", "templateName": "Main Template" }),
    );
    assert!(
        source.references(&folder).is_empty(),
        "folders have no template"
    );
}
