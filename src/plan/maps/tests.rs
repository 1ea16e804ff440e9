//! A small source, mapped.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{FieldRule, MapError, Mapped, Maps};
use crate::domain::{
    AssetContainer, Body, Entity, EntityKey, Guid, Inventory, Kind, Locale, SourceId,
};
use crate::plan::Selection;
use crate::plan::policy::Pattern;
use crate::plan::testing::{EDGE, ORIGIN, article, entity, properties};

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
    pairs.iter().map(owned).collect()
}

fn source(fields: &str) -> Arc<Inventory<SourceId>> {
    let mut inventory = Inventory::empty(Guid::new("1a2b3c4d-u"));
    inventory.locales = vec![Locale::new("en-us"), Locale::new("fr-ca")];
    inventory.asset_container = AssetContainer {
        origin_url: ORIGIN.into(),
        edge_url: EDGE.into(),
    };
    let list = |id: i64, name: &str| {
        entity(
            Kind::Container,
            id,
            &json!({ "contentViewID": id, "referenceName": name, "contentDefinitionID": 41 }),
        )
    };
    let file = |id: i64, path: &str| {
        let mut file = entity(
            Kind::Asset,
            id,
            &json!({ "mediaID": id, "originKey": path, "originUrl": format!("{ORIGIN}/{path}"), "edgeUrl": format!("{EDGE}/{path}") }),
        );
        file.name = path.into();
        file
    };
    let properties = properties().to_string();
    let item = format!("{{\"contentID\":912,\"properties\":{properties},\"fields\":{fields}}}");
    let body: Value = serde_json::from_str(&crate::domain::held(&item)).unwrap();
    let mut article_item = entity(Kind::Content, 912, &json!({}));
    article_item.body = Body::of_answer(&body);
    let redirection = json!({
        "urlRedirectionID": 9, "originUrl": "https://dev.example.com/old", "destinationUrl": "https://dev.example.com/new",
        "destinationLocale": "en-US", "originLocales": ["en-us", "fr-ca"],
    });
    let mut rule = entity(Kind::Redirection, 9, &redirection);
    rule.name = "https://dev.example.com/old".into();
    let page = json!({
        "pageType": "dynamic", "templateName": "Main", "dynamic": { "referenceName": "Articles" },
        "zones": { "main": [] }, "seo": { "metaHTML": "<link href='//dev.example.com'>" },
    });
    let entities = vec![
        entity(Kind::Model, 41, &article()),
        list(50, "articles"),
        list(51, "people"),
        file(310, "img/tram.jpg"),
        file(311, "img/old/tram.jpg"),
        file(312, "map.pdf"),
        article_item,
        entity(Kind::Page, 7, &page),
        rule,
    ];
    Arc::new(inventory.with_entities(entities))
}

fn applied(maps: &Maps, fields: &str) -> Result<Mapped, MapError> {
    maps.apply(source(fields), None)
}

fn of<'m>(mapped: &'m Mapped, key: &str) -> &'m Entity<SourceId> {
    let key: EntityKey = key.parse().unwrap();
    mapped.source.get(&key).unwrap()
}

#[test]
fn without_maps_the_source_is_the_same_value() {
    let mapped = applied(&Maps::default(), "{}").unwrap();
    assert!(Arc::ptr_eq(&mapped.source, &mapped.read));
    assert!(mapped.told.is_empty());
}

#[test]
fn a_locale_goes_by_the_name_of_the_target() {
    let maps = Maps {
        locales: vec![(Locale::new("en-us"), Locale::new("en-ca"))],
        ..Maps::default()
    };
    let mapped = applied(&maps, "{}").unwrap();
    assert_eq!(
        mapped.source.locales,
        [Locale::new("en-ca"), Locale::new("fr-ca")]
    );
    assert_eq!(
        &*of(&mapped, "page:7@en-ca").body.text(),
        &*of_read(&mapped, "page:7@en-us")
    );
    let rule = of(&mapped, "redirection:9").body.parse();
    assert_eq!(rule["destinationLocale"], "en-ca");
    assert_eq!(rule["originLocales"], json!(["en-ca", "fr-ca"]));
    assert_eq!(&*mapped.told, ["locale en-us becomes en-ca"]);
}

fn of_read(mapped: &Mapped, key: &str) -> String {
    let key: EntityKey = key.parse().unwrap();
    mapped.read.get(&key).unwrap().body.text().into_owned()
}

#[test]
fn locales_stay_apart_and_are_those_of_the_source() {
    let known = [Locale::new("en-us"), Locale::new("en-ca")];
    let maps = |from: &str| Maps {
        locales: vec![(Locale::new(from), Locale::new("en-ca"))],
        ..Maps::default()
    };
    let both = maps("en-us")
        .run_locales(known.to_vec(), &known)
        .unwrap_err();
    assert!(both.to_string().contains("both become \"en-ca\""), "{both}");
    // One of them alone may take the name of the other one.
    let one = maps("en-us")
        .run_locales(vec![known[0].clone()], &known)
        .unwrap();
    assert_eq!(one.written, [Locale::new("en-ca")]);
    let other = maps("en-us")
        .run_locales(vec![known[1].clone()], &known)
        .unwrap();
    assert_eq!(
        (other.read, other.written),
        (vec![known[1].clone()], vec![known[1].clone()])
    );
    let unknown = maps("en-su")
        .run_locales(known.to_vec(), &known)
        .unwrap_err();
    assert!(unknown.hint.contains("en-us"), "{unknown:?}");
}

#[test]
fn a_container_is_renamed_wherever_it_is_named() {
    let maps = Maps {
        containers: pairs(&[("ARTICLES", "news"), ("people", "staff")]),
        ..Maps::default()
    };
    let mapped = applied(
        &maps,
        r#"{ "writer": {"referencename":"people","sortids":"7"}, "extra": "{ \"contentid\" : 1.50, \"referencename\":\"people\" }", "headline": "people" }"#,
    )
    .unwrap();
    let container = of(&mapped, "container:50");
    assert_eq!(
        (&*container.name, &container.body.parse()["referenceName"]),
        ("news", &json!("news"))
    );
    let item = of(&mapped, "content:912@en-us").body.parse();
    assert_eq!(item["properties"]["referenceName"], "news");
    assert_eq!(item["fields"]["writer"]["referencename"], "staff");
    assert_eq!(
        item["fields"]["extra"], r#"{ "contentid" : 1.50, "referencename":"staff" }"#,
        "JSON in a text is edited in place"
    );
    assert_eq!(item["fields"]["headline"], "people", "a text is no name");
    let page = of(&mapped, "page:7@en-us").body.parse();
    assert_eq!(page["dynamic"]["referenceName"], "news");
    let model = of(&mapped, "model:41").body.text().into_owned();
    assert!(model.contains("\"SharedContent\":\"staff\""), "{model}");
}

#[test]
fn names_that_do_not_stay_apart_or_do_not_exist_are_refused() {
    let containers = |map: &[(&str, &str)]| Maps {
        containers: pairs(map),
        ..Maps::default()
    };
    for (map, words) in [
        (&[("articles", "people")][..], "\"articles\" and \"people\""),
        (&[("article", "news")], "no container called \"article\""),
    ] {
        let error = applied(&containers(map), "{}").unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    // A swap keeps them apart.
    applied(
        &containers(&[("articles", "people"), ("people", "articles")]),
        "{}",
    )
    .unwrap();
    let folders = |map: &[(&str, &str)]| Maps {
        folders: pairs(map),
        ..Maps::default()
    };
    let taken = applied(&folders(&[("img/old", "img")]), "{}").unwrap_err();
    assert!(taken.to_string().contains("img/old/tram.jpg"), "{taken}");
    let unknown = applied(&folders(&[("imag", "x")]), "{}").unwrap_err();
    assert!(unknown.hint.contains("img"), "{unknown:?}");
}

#[test]
fn a_folder_moves_with_all_below_it_and_addresses_stay() {
    let maps = Maps {
        folders: pairs(&[("img", "client/img"), ("img/old", "attic"), ("", "client")]),
        ..Maps::default()
    };
    let mapped = applied(&maps, "{}").unwrap();
    for (key, path) in [
        ("asset:310", "client/img/tram.jpg"),
        ("asset:311", "attic/tram.jpg"),
        ("asset:312", "client/map.pdf"),
    ] {
        let file = of(&mapped, key);
        let body = file.body.parse();
        assert_eq!(
            (&*file.name, body["originKey"].as_str()),
            (path, Some(path))
        );
        assert!(
            body["originUrl"].as_str().unwrap().contains("/demo/"),
            "{body}"
        );
        assert!(
            !body["originUrl"].as_str().unwrap().contains("client"),
            "{body}"
        );
    }
}

#[test]
fn hosts_are_replaced_in_text_and_not_in_addresses_of_assets() {
    let maps = Maps {
        hosts: pairs(&[
            ("dev.example.com", "www.example.com"),
            ("cdn.example.test", "never.example"),
        ]),
        ..Maps::default()
    };
    let fields = r#"{"body":"<a href=\"https://dev.example.com/a\"><img src=\"https://cdn.example.test/demo/img/tram.jpg\">","number":12345678901234567890123,"shown":1.0}"#;
    let mapped = applied(&maps, fields).unwrap();
    let item = of(&mapped, "content:912@en-us").body.text().into_owned();
    assert!(item.contains("https://www.example.com/a"), "{item}");
    assert!(
        item.contains("cdn.example.test/demo/img/tram.jpg"),
        "{item}"
    );
    assert!(
        item.contains("12345678901234567890123") && item.contains("1.0"),
        "{item}"
    );
    let rule = of(&mapped, "redirection:9");
    assert_eq!(&*rule.name, "https://www.example.com/old");
    assert_eq!(
        rule.body.parse()["destinationUrl"],
        "https://www.example.com/new"
    );
    let page = of(&mapped, "page:7@en-us").body.text().into_owned();
    assert!(page.contains("//www.example.com"), "{page}");
    assert_eq!(
        mapped.told[0],
        "host dev.example.com becomes www.example.com: 4 URLs"
    );
}

#[test]
fn fields_are_set_in_their_own_form_and_dropped_with_their_companions() {
    let set = |text| FieldRule::set(text).unwrap();
    let maps = Maps {
        set: vec![
            set("content:articles#Headline=A = B"),
            set("content:articles#Shown=TRUE"),
            set("content:articles#Number=7"),
        ],
        dropped: vec![FieldRule::dropped("content:art*#tags").unwrap()],
        ..Maps::default()
    };
    let fields =
        r#"{"headline":"old","tags":{"sortids":"1"},"tags_ValueField":"1","Tags_TextField":"one"}"#;
    let mapped = applied(&maps, fields).unwrap();
    let item = of(&mapped, "content:912@en-us").body.parse();
    assert_eq!(
        item["fields"],
        json!({ "headline": "A = B", "Shown": true, "Number": 7 })
    );
}

#[test]
fn rules_about_fields_name_what_is_wrong() {
    let refused = |rule: Result<FieldRule, _>| {
        let rule: FieldRule = rule.unwrap();
        let is_set = rule.value.is_some();
        let (set, dropped) = if is_set {
            (vec![rule], vec![])
        } else {
            (vec![], vec![rule])
        };
        let maps = Maps {
            set,
            dropped,
            ..Maps::default()
        };
        let error = applied(&maps, "{}").unwrap_err();
        format!("{error}; {}", error.hint)
    };
    for (rule, words) in [
        (
            FieldRule::set("content:articles#Headlin=x"),
            "did you mean \"Headline\"",
        ),
        (
            FieldRule::set("content:articels#Headline=x"),
            "did you mean \"articles\"",
        ),
        (
            FieldRule::set("content:articles#Writer=x"),
            "links or files",
        ),
        (
            FieldRule::set("content:articles#Number=x"),
            "takes a number",
        ),
        (
            FieldRule::set("content:articles#Shown=maybe"),
            "takes true or false",
        ),
        (FieldRule::set("content:articles#Day=soon"), "takes a date"),
        (
            FieldRule::dropped("content:articles#Headline"),
            "sync.set instead",
        ),
        (
            FieldRule::dropped("content:articles#WriterID"),
            "belongs to a field of links",
        ),
    ] {
        let said = refused(rule);
        assert!(said.contains(words), "{words}: {said}");
    }
    for wrong in [
        "page:/a#Title=x",
        "content:articles",
        "content:articles#=x",
        "content:articles#Title",
    ] {
        assert!(FieldRule::set(wrong).is_err(), "{wrong}");
    }
    assert!(FieldRule::dropped("content:articles#Title=x").is_err());
}

#[test]
fn what_is_excluded_stays_in_the_source_and_is_named() {
    let maps = Maps {
        exclude: vec![Pattern::parse("container:articles").unwrap()],
        containers: pairs(&[("articles", "news")]),
        ..Maps::default()
    };
    let mapped = applied(&maps, "{}").unwrap();
    let mut keys: Vec<String> = mapped.excluded.keys().map(ToString::to_string).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["container:50", "content:912@en-us"]);
    assert_eq!(mapped.source.entities().len(), mapped.read.entities().len());
}

#[test]
fn a_selection_names_containers_as_the_source_has_them() {
    let maps = Maps {
        containers: pairs(&[("articles", "news")]),
        ..Maps::default()
    };
    let selection = maps.selection(Selection {
        containers: vec![
            "Articles".to_owned(),
            "people".to_owned(),
            "art*".to_owned(),
        ],
        items: vec!["articles/Old*".to_owned(), "articles".to_owned()],
        ..Selection::default()
    });
    assert_eq!(selection.containers, ["news", "people", "art*"]);
    assert_eq!(selection.items, ["news/Old*", "news"]);
}
