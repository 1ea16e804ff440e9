//! What generated instances must be: of the right size, the same each time, whole, and full of encodings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::check::{dangling, list, member, number, text};
use super::{MINIMUM, Preset, Shape, generate};
use crate::mock::file::{InstanceFile, Row};

fn instance(shape: &Shape) -> InstanceFile {
    let mut file = generate(shape);
    assert_eq!(file.instances.len(), 1);
    file.instances.remove(0)
}

fn entities(instance: &InstanceFile) -> usize {
    let folder = |row: &&Row| row.get("isFolder") == Some(&Value::Bool(true));
    instance.models.len()
        + instance.containers.len()
        + instance.templates.len()
        + instance.galleries.len()
        + instance.assets.len()
        - instance.assets.iter().filter(folder).count()
        + instance.content.len()
        + instance.pages.len()
        + instance.redirections.len()
}

fn distinct<'a>(rows: impl IntoIterator<Item = &'a Row>, key: impl Fn(&Row) -> String) {
    let mut seen = BTreeSet::new();
    for row in rows {
        let key = key(row);
        assert!(seen.insert(key.clone()), "{key} twice");
    }
}

#[test]
fn has_exactly_the_size_asked_for() {
    let sizes = (0..5)
        .chain(MINIMUM - 2..MINIMUM + 90)
        .chain([300, 500, 750, 999, 1_000, 1_199, 1_320, 1_800, 2_500]);
    for size in sizes {
        let instance = instance(&Shape::new(size, 7));
        assert_eq!(entities(&instance), size);
        assert_eq!(dangling(&instance), Vec::<String>::new(), "{size} entities");
    }
}

#[test]
fn presets_have_their_sizes_and_nothing_dangles() {
    for preset in [Preset::Small, Preset::Medium] {
        let instance = instance(&Shape::new(preset.entities(), 1));
        assert_eq!(entities(&instance), preset.entities());
        assert_eq!(dangling(&instance), Vec::<String>::new());
    }
}

#[test]
fn other_locales_keep_the_size() {
    for locales in [vec!["de-de"], vec!["en-us", "fr-ca", "es-mx"]] {
        for size in [MINIMUM, 333, 2_000] {
            let shape = Shape {
                locales: locales.iter().map(ToString::to_string).collect(),
                ..Shape::new(size, 3)
            };
            let instance = instance(&shape);
            assert_eq!(entities(&instance), size);
            assert_eq!(dangling(&instance), Vec::<String>::new());
        }
    }
}

#[test]
fn the_same_shape_gives_the_same_instance() {
    let shape = Shape::new(700, 42);
    assert_eq!(generate(&shape), generate(&shape));
    assert_ne!(generate(&shape), generate(&Shape::new(700, 43)));
}

#[test]
fn the_largest_measured_preset_has_the_mix_of_a_real_site() {
    let instance = instance(&Shape::new(Preset::All.entities(), 1));
    assert_eq!(entities(&instance), 24_164);
    let percent = |rows: usize| rows * 100 / 24_164;
    assert!((60..=66).contains(&percent(instance.content.len())));
    assert!((20..=25).contains(&percent(instance.assets.len())));
    assert!((3..=5).contains(&percent(instance.pages.len())));
    assert!((20..=150).contains(&instance.models.len()));
    assert!(instance.galleries.len() > 250);
    assert!(instance.redirections.len() > 250);
    let mut lists = BTreeMap::<&str, usize>::new();
    for item in &instance.content {
        let container = member(item, "properties").map(|p| text(p, "referenceName"));
        *lists.entry(container.unwrap()).or_default() += 1;
    }
    assert!(lists.values().filter(|&&items| items > 250).count() > 3);
    assert!(lists.values().filter(|&&items| items < 10).count() > 100);
}

#[test]
fn identities_are_unique() {
    let instance = instance(&Shape::new(3_619, 5));
    distinct(&instance.containers, |c| {
        text(c, "referenceName").to_lowercase()
    });
    distinct(&instance.models, |m| {
        text(m, "referenceName").to_lowercase()
    });
    distinct(&instance.galleries, |g| text(g, "name").to_owned());
    distinct(&instance.assets, |a| text(a, "originKey").to_owned());
    distinct(&instance.redirections, |r| {
        text(r, "originUrl").to_lowercase()
    });
    distinct(&instance.templates, |t| {
        text(t, "pageTemplateName").to_owned()
    });
    distinct(&instance.content, |c| {
        format!("{}@{}", number(c, "contentID"), text(c, "locale"))
    });
    distinct(&instance.pages, |p| {
        format!("{} {}", text(p, "locale"), text(p, "path"))
    });
}

/// Every item field of every item, as JSON text, under the name of its model.
fn field_texts(instance: &InstanceFile) -> Vec<String> {
    instance
        .content
        .iter()
        .flat_map(|item| member(item, "fields").unwrap())
        .map(|(key, value)| format!("{key}={value}"))
        .collect()
}

#[test]
fn the_smallest_site_has_every_encoding() {
    let instance = instance(&Shape::new(MINIMUM, 11));
    let texts = field_texts(&instance);
    let has = |key: &str, parts: &[&str]| {
        let fits = |t: &&String| t.starts_with(key) && parts.iter().all(|part| t.contains(part));
        assert!(texts.iter().any(|t| fits(&t)), "{key} with {parts:?}");
    };
    has("followUp=", &["\"contentid\":", "\"fulllist\":false"]);
    has("writer=", &["\"contentid\":"]);
    has("writerID=\"1", &[]);
    has("writerName=", &[" "]);
    has(
        "articles=",
        &["\"referencename\":\"articles\",\"fulllist\":true"],
    );
    has("featuredTopics=", &["\"sortids\":\"", "\"fulllist\":true"]);
    has("topicOrder=", &[","]);
    has("seeAlso=", &["\"sortids\":\"", "\"fulllist\":false"]);
    has("tags=", &["\"sortids\":\"", "\"fulllist\":false"]);
    has("tags_ValueField=\"1", &[]);
    has("tags_TextField=", &[" "]);
    has("neighbourKeys=\"1", &[]);
    has("linkedFigure=\"figures\"", &[]);
    has("figureKey=\"1", &[]);
    has("cards=", &["\"home_CardGrid_cards", "\"fulllist\":true"]);
    has("cards=", &["\"articles_cards", "\"sortids\":\""]);
    has("cards_SortIdField=\"1", &[]);
    has("teaser=", &["\"contentid\":"]);
    has("links=", &["_links"]);
    has("heroImage=", &["http://mock.invalid/", "\"filesize\":"]);
    has("files=[", &["http://mock.invalid/"]);
    has("photos=", &["\"galleryid\":"]);
    has("more=", &["\"href\":\"http://mock.invalid/"]);
    has("brochure=\"http://mock.invalid/", &[]);
    has(
        "body=",
        &["<img src=\\\"http://mock.invalid/", "?w=800&format=auto"],
    );
    has("layout={", &["\"contentid\":", "\"background\":\"http"]);
    has("layout=\"{", &["contentid", "http://mock.invalid/"]);
    has("textblob=", &["http://mock.invalid/"]);
    assert!(texts.iter().any(|t| t.contains("/origin/files-")));
    assert!(texts.iter().any(|t| t.contains("%20")));
}

#[test]
fn the_smallest_site_has_every_kind_of_page_and_a_deep_tree() {
    let instance = instance(&Shape::new(MINIMUM, 11));
    let kinds: BTreeSet<&str> = instance.pages.iter().map(|p| text(p, "pageType")).collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["dynamic", "folder", "link", "static"])
    );
    let depth = |p: &Row| text(p, "path").split('/').count() - 1;
    assert_eq!(instance.pages.iter().map(depth).max(), Some(5));
    assert!(instance.pages.iter().any(|p| number(p, "linkToPageID") > 0));
    assert!(instance.pages.iter().any(|p| number(p, "linkToFileID") > 0));
    let fixed = instance.templates.iter().any(|template| {
        list(template, "contentSectionDefinitions")
            .iter()
            .any(|zone| number(zone.as_object().unwrap(), "itemContainerID") > 0)
    });
    assert!(fixed);
}

#[test]
fn some_items_exist_in_the_second_locale_only() {
    let instance = instance(&Shape::new(MINIMUM, 11));
    let ids = |locale: &str| -> BTreeSet<i64> {
        let in_locale = |c: &&Row| text(c, "locale") == locale;
        let rows = instance.content.iter().filter(in_locale);
        rows.map(|c| number(c, "contentID")).collect()
    };
    let (english, french) = (ids("en-us"), ids("fr-ca"));
    assert!(french.difference(&english).count() > 0);
    assert!(french.intersection(&english).count() > 5);
}

#[test]
fn item_names_differ_in_case_from_containers() {
    let instance = instance(&Shape::new(MINIMUM, 11));
    let exact: BTreeSet<&str> = instance
        .containers
        .iter()
        .map(|c| text(c, "referenceName"))
        .collect();
    let of_item = |c: &Row| text(member(c, "properties").unwrap(), "referenceName").to_owned();
    assert!(
        instance
            .content
            .iter()
            .any(|c| !exact.contains(of_item(c).as_str()))
    );
}

/// Follows the only field that the generator closes cycles with.
fn follow_ups(instance: &InstanceFile) -> BTreeMap<i64, i64> {
    instance
        .content
        .iter()
        .filter_map(|item| {
            let target = member(item, "fields")?.get("followUp")?.get("contentid")?;
            Some((number(item, "contentID"), target.as_i64()?))
        })
        .collect()
}

#[test]
fn there_are_cycles_of_one_two_and_five_and_a_chain_of_eight() {
    let instance = instance(&Shape::new(MINIMUM, 11));
    let next = follow_ups(&instance);
    let mut cycles = BTreeSet::new();
    let mut chain = 0;
    for &start in next.keys() {
        let mut seen = vec![start];
        while let Some(&target) = next.get(seen.last().unwrap()) {
            if let Some(first) = seen.iter().position(|&id| id == target) {
                cycles.insert(seen.len() - first);
                break;
            }
            seen.push(target);
        }
        chain = chain.max(seen.len());
    }
    assert_eq!(cycles, BTreeSet::from([1, 2, 5]));
    assert!(chain >= 8);
}

#[test]
fn models_refer_to_each_other_in_a_cycle() {
    let instance = instance(&Shape::new(MINIMUM, 11));
    let refers = |from: &str, to: &str| {
        let model = instance
            .models
            .iter()
            .find(|m| text(m, "referenceName") == from);
        list(model.unwrap(), "fields")
            .iter()
            .any(|f| f["settings"]["ContentDefinition"] == to)
    };
    assert!(refers("Article", "Person") && refers("Person", "Article"));
    assert!(refers("Person", "Person"));
}

/// A required link cannot be left out, so a cycle of such links could never be saved.
#[test]
fn required_links_lead_to_models_without_required_links() {
    let instance = instance(&Shape::new(14_481, 2));
    let required_links = |model: &Row| -> Vec<String> {
        list(model, "fields")
            .iter()
            .filter(|f| f["type"] == "Content" && f["settings"]["Required"] == "True")
            .map(|f| {
                f["settings"]["ContentDefinition"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    let free: BTreeSet<&str> = instance
        .models
        .iter()
        .filter(|model| required_links(model).is_empty())
        .map(|model| text(model, "referenceName"))
        .collect();
    let targets: Vec<String> = instance.models.iter().flat_map(required_links).collect();
    assert!(targets.len() > 5);
    assert!(
        targets.iter().all(|name| free.contains(name.as_str())),
        "{targets:?}"
    );
}

#[test]
fn item_bodies_have_a_believable_size() {
    let instance = instance(&Shape::new(3_619, 5));
    let bytes: usize = instance
        .content
        .iter()
        .map(|c| serde_json::to_string(c).unwrap().len())
        .sum();
    let mean = bytes / instance.content.len();
    assert!((500..2_500).contains(&mean), "{mean} bytes");
}
