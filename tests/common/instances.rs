//! Random source instances: links in every encoding, cycles, chains and links to themselves.
//!
//! Every entity is drawn from the seed, its kind and its number, so the second edition of an instance shares with the first
//! what did not change.

use std::hash::{DefaultHasher, Hash, Hasher};

use lockgate::domain::{Kind, Locale};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use crate::double::{REFUSED, Row, SOURCE_IDS, World, id};

/// What an instance is drawn from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) seed: u64,
    pub(crate) models: i64,
    pub(crate) containers: i64,
    pub(crate) galleries: i64,
    pub(crate) assets: i64,
    pub(crate) items: i64,
    pub(crate) templates: i64,
    pub(crate) pages: i64,
    pub(crate) redirections: i64,
    /// How many of a hundred the target refuses.
    pub(crate) refused: u32,
    /// How many links of a hundred lead nowhere.
    pub(crate) orphans: u32,
    /// How many items of a hundred say the same as the one before them.
    pub(crate) twins: u32,
    /// How many items and pages of a hundred are published.
    pub(crate) published: u32,
    /// 0, or 1 for the instance after some time.
    pub(crate) edition: u8,
}

/// How a field holds its link.
#[derive(Clone, Copy, Debug)]
enum Style {
    Single,
    Scalar,
    Dropdown,
    SearchList,
    Grid,
    WholeList,
    Custom,
    Html,
    Image,
    Gallery,
}

const STYLES: [Style; 10] = [
    Style::Single,
    Style::Scalar,
    Style::Dropdown,
    Style::SearchList,
    Style::Grid,
    Style::WholeList,
    Style::Custom,
    Style::Html,
    Style::Image,
    Style::Gallery,
];

struct Field {
    name: String,
    style: Style,
    required: bool,
    model: i64,
    list: i64,
}

pub(crate) fn locales() -> [Locale; 2] {
    [Locale::new("en-us"), Locale::new("fr-ca")]
}

impl Shape {
    /// The same instance after some time.
    pub(crate) const fn later(mut self) -> Self {
        self.edition = 1;
        self
    }

    /// How many there are of something that had `first` in the first edition.
    fn now(&self, first: i64) -> i64 {
        first + 2 * i64::from(self.edition)
    }

    pub(crate) fn build(&self) -> World {
        let mut rows = Vec::new();
        rows.extend((0..self.models).map(|n| self.model(n)));
        rows.extend((0..self.now(self.containers)).map(|n| self.container(n)));
        rows.extend((0..self.templates).map(|n| self.template(n)));
        rows.extend((0..self.galleries).map(|n| self.gallery(n)));
        rows.extend((0..self.now(self.assets)).map(|n| self.asset(n)));
        rows.extend((0..self.now(self.items)).flat_map(|n| self.item(n)));
        rows.extend(self.all_pages());
        rows.extend((0..self.redirections).map(|n| self.redirection(n)));
        World::source(&locales(), rows)
    }

    /// How many fields every model has, by its name.
    pub(crate) fn field_counts(&self) -> Vec<(String, usize)> {
        let count = |n| self.model(n).body["fields"].as_array().map_or(0, Vec::len);
        (0..self.models)
            .map(|n| (format!("mdl_{n}"), count(n)))
            .collect()
    }

    fn hash(&self, what: &str, n: i64, edition: u8) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, what, n, edition).hash(&mut hasher);
        hasher.finish()
    }

    /// Draws that are the same in every edition.
    fn dice(&self, what: &str, n: i64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.hash(what, n, 0))
    }

    /// Draws that a third of all entities make anew in another edition.
    fn later_dice(&self, what: &str, n: i64) -> ChaCha8Rng {
        let changed = self.hash("changes", n, 0).is_multiple_of(3);
        let edition = if changed { self.edition } else { 0 };
        ChaCha8Rng::seed_from_u64(self.hash(what, n, edition))
    }

    fn title(&self, what: &str, n: i64) -> String {
        let refused = self
            .later_dice("refused", n)
            .random_ratio(self.refused, 100);
        format!("{what} {n} {}", if refused { REFUSED } else { "" })
    }

    fn model(&self, n: i64) -> Row {
        let mut fields = vec![json!({ "name": "Title", "type": "Text", "settings": {} })];
        for field in self.fields(n) {
            fields.extend(field.described());
        }
        let name = format!("mdl_{n}");
        let body = json!({
            "id": id(SOURCE_IDS, Kind::Model, n), "referenceName": name, "displayName": name,
            "description": self.title("model", n), "contentDefinitionTypeID": 1, "fields": fields,
        });
        row(Kind::Model, n, None, &name, body)
    }

    fn fields(&self, model: i64) -> Vec<Field> {
        let mut dice = self.dice("fields", model);
        // A model gets more fields with time, and loses none.
        let more = self.edition == 1 && self.hash("changes", model, 0).is_multiple_of(3);
        let count = dice.random_range(1..6) + usize::from(more);
        let field = |at: usize| {
            let style = *STYLES.choose(&mut dice).unwrap();
            Field {
                name: format!("{style:?}{at}"),
                style,
                required: dice.random_ratio(1, 4),
                model: dice.random_range(0..self.models),
                list: dice.random_range(0..self.containers),
            }
        };
        (0..count).map(field).collect()
    }

    fn model_of(&self, container: i64) -> i64 {
        self.dice("model of", container)
            .random_range(0..self.models)
    }

    fn container(&self, n: i64) -> Row {
        let name = format!("lst_{n}");
        let body = json!({
            "contentViewID": id(SOURCE_IDS, Kind::Container, n), "referenceName": name, "contentViewName": name,
            "contentDefinitionID": id(SOURCE_IDS, Kind::Model, self.model_of(n)),
            "title": self.title("list", n), "isShared": true,
        });
        row(Kind::Container, n, None, &name, body)
    }

    fn template(&self, n: i64) -> Row {
        let mut dice = self.dice("template", n);
        let list = id(
            SOURCE_IDS,
            Kind::Container,
            dice.random_range(0..self.containers),
        );
        let model = id(SOURCE_IDS, Kind::Model, dice.random_range(0..self.models));
        let zone = json!({
            "pageItemTemplateID": SOURCE_IDS + 900_000 + n, "pageItemTemplateName": "Main",
            "pageItemTemplateReferenceName": "Main", "pageItemTemplateType": 0, "itemOrder": 0,
            "contentDefinitionID": model, "itemContainerID": list,
        });
        let name = format!("tpl_{n}");
        let body = json!({
            "pageTemplateID": id(SOURCE_IDS, Kind::Template, n), "pageTemplateName": name,
            "contentSectionDefinitions": [zone],
        });
        row(Kind::Template, n, None, &name, body)
    }

    fn gallery(&self, n: i64) -> Row {
        let name = format!("gallery {n}");
        let body = json!({
            "mediaGroupingID": id(SOURCE_IDS, Kind::Gallery, n), "name": name,
            "description": self.title("gallery", n), "groupingTypeID": 1, "isFolder": false,
        });
        row(Kind::Gallery, n, None, &name, body)
    }

    fn asset(&self, n: i64) -> Row {
        let mut dice = self.dice("asset", n);
        let gallery = dice.random_range(-self.galleries - 1..self.galleries);
        let name = format!("img/a{n}.png");
        let bytes = vec![b'x'; dice.random_range(1..40)];
        let body = json!({
            "mediaID": id(SOURCE_IDS, Kind::Asset, n), "originKey": name, "fileName": format!("a{n}.png"),
            "size": bytes.len(), "originUrl": url(n), "edgeUrl": url(n).replace("origin.", "cdn."),
            "mediaGroupingID": if gallery < 0 { 0 } else { id(SOURCE_IDS, Kind::Gallery, gallery) },
        });
        Row {
            bytes,
            ..row(Kind::Asset, n, None, &name, body)
        }
    }

    /// The locales that have an entity.
    fn locales_of(&self, what: &str, n: i64) -> Vec<Locale> {
        let [english, french] = locales();
        match self.dice(what, n).random_range(0..6) {
            0..3 => vec![english, french],
            3..5 => vec![english],
            _ => vec![french],
        }
    }

    /// The first of the items that say the same as this one.
    fn original(&self, mut n: i64) -> i64 {
        while n > 0 && self.dice("twin", n).random_ratio(self.twins, 100) {
            n -= 1;
        }
        n
    }

    fn item(&self, number: i64) -> Vec<Row> {
        let n = self.original(number);
        let locales = self.locales_of("item locales", n);
        let container = self
            .dice("container of", n)
            .random_range(0..self.containers);
        let model = self.model_of(container);
        let build = |locale: &Locale| {
            let mut dice = self.later_dice(locale.as_str(), n);
            let mut fields = Map::new();
            fields.insert("title".to_owned(), self.title("item", n).into());
            for field in self.fields(model) {
                if dice.random_ratio(2, 3) {
                    self.fill(&field, &mut dice, &mut fields);
                }
            }
            let list = format!("lst_{container}");
            let list = if dice.random() {
                list
            } else {
                list.to_uppercase()
            };
            let body = json!({
                "contentID": id(SOURCE_IDS, Kind::Content, number),
                "properties": { "referenceName": list, "definitionName": format!("mdl_{model}"), "versionID": 7 },
                "fields": fields,
            });
            let name = format!("item {number}");
            let row = row(Kind::Content, number, Some(locale), &name, body);
            self.perhaps_published(row, "item published", number)
        };
        locales.iter().map(build).collect()
    }

    fn perhaps_published(&self, mut row: Row, what: &str, n: i64) -> Row {
        let is_published = self.dice(what, n).random_ratio(self.published, 100);
        row.live = is_published.then(|| row.body.clone());
        row
    }

    /// One of those that were `first` in the first edition; some links lead to later ones.
    fn some(&self, first: i64, dice: &mut ChaCha8Rng) -> i64 {
        let may_be_new = dice.random_ratio(1, 3);
        dice.random_range(0..if may_be_new { self.now(first) } else { first })
    }

    /// A content item, perhaps the one that refers to it, now and then none that exists.
    fn some_item(&self, dice: &mut ChaCha8Rng) -> i64 {
        let orphan = dice.random_ratio(self.orphans, 100);
        let n = self.some(self.items, dice);
        id(
            SOURCE_IDS,
            Kind::Content,
            if orphan { 50_000 + n } else { n },
        )
    }

    fn some_items(&self, dice: &mut ChaCha8Rng) -> String {
        let count = dice.random_range(1..4);
        let ids: Vec<_> = (0..count)
            .map(|_| self.some_item(dice).to_string())
            .collect();
        ids.join(",")
    }

    fn some_url(&self, dice: &mut ChaCha8Rng) -> String {
        url(self.some(self.assets, dice))
    }

    fn fill(&self, field: &Field, dice: &mut ChaCha8Rng, fields: &mut Map<String, Value>) {
        let list = format!("lst_{}", field.list);
        let (value, companion) = match field.style {
            Style::Single => (
                json!({ "contentid": self.some_item(dice), "fulllist": false }),
                None,
            ),
            Style::Scalar => (json!(self.some_items(dice)), None),
            Style::Dropdown => {
                let item = self.some_item(dice);
                let value = json!({ "contentid": item, "fulllist": false });
                (value, Some(("ID", item.to_string())))
            }
            Style::SearchList => {
                let value = json!({ "referencename": list, "fulllist": true });
                (value, Some(("ID", self.some_items(dice))))
            }
            Style::Grid => {
                let items = self.some_items(dice);
                let whole: bool = dice.random();
                let value = json!({ "referencename": list, "sortids": items, "fulllist": whole });
                (value, Some(("Order", items)))
            }
            Style::WholeList => (json!({ "referencename": list, "fulllist": true }), None),
            Style::Custom => {
                let inside = json!({ "hero": { "contentid": self.some_item(dice) }, "bg": self.some_url(dice) });
                (json!(inside.to_string()), None)
            }
            Style::Html => (
                json!(format!(
                    "<p>see <img src=\"{}?w=9\"></p>",
                    self.some_url(dice)
                )),
                None,
            ),
            Style::Image => (json!({ "url": self.some_url(dice), "label": "one" }), None),
            Style::Gallery => {
                let gallery = dice.random_range(0..self.galleries);
                (
                    json!({ "galleryid": id(SOURCE_IDS, Kind::Gallery, gallery) }),
                    None,
                )
            }
        };
        fields.insert(field.name.to_lowercase(), value);
        if let Some((suffix, text)) = companion {
            fields.insert(format!("{}{suffix}", field.name), text.into());
        }
    }

    fn all_pages(&self) -> Vec<Row> {
        let mut pages: Vec<Row> = (0..self.now(self.pages))
            .flat_map(|n| self.page(n))
            .collect();
        // Where each of them wants to stand becomes its position among its siblings.
        pages.sort_by_key(|row| (row.locale.clone(), row.parent, row.position, row.id));
        let mut last = None;
        let mut position = 0;
        for page in &mut pages {
            let group = (page.locale.clone(), page.parent);
            position = if last.as_ref() == Some(&group) {
                position + 1
            } else {
                0
            };
            page.position = position;
            last = Some(group);
        }
        pages
    }

    fn page(&self, n: i64) -> Vec<Row> {
        let locales = self.locales_of("page locales", n);
        let build = |locale: &Locale| {
            let has_locale = |other: &i64| self.locales_of("page locales", *other).contains(locale);
            let above: Vec<i64> = (0..n).filter(has_locale).collect();
            let mut dice = self.dice("parent", n);
            let parent = above.choose(&mut dice).filter(|_| n % 3 == 2);
            let mut dice = self.later_dice(&format!("page {locale}"), n);
            let name = format!("p{n}");
            let mut body = json!({
                "pageID": id(SOURCE_IDS, Kind::Page, n), "name": name, "title": self.title("page", n),
                "visible": { "menu": true, "sitemap": true },
            });
            self.dress(&mut body, &mut dice);
            let row = Row {
                parent: parent.map(|parent| id(SOURCE_IDS, Kind::Page, *parent)),
                position: dice.random_range(0..1000),
                ..row(Kind::Page, n, Some(locale), &name, body)
            };
            self.perhaps_published(row, "page published", n)
        };
        locales.iter().map(build).collect()
    }

    fn dress(&self, body: &mut Value, dice: &mut ChaCha8Rng) {
        let kind = dice.random_range(0..10);
        body["pageType"] = json!(match kind {
            0..5 => "static",
            5..9 => "link",
            _ => "folder",
        });
        if kind < 5 {
            let module = |dice: &mut ChaCha8Rng| json!({ "module": "mdl_0", "item": { "contentid": self.some_item(dice) } });
            let modules: Vec<_> = (0..dice.random_range(0..4)).map(|_| module(dice)).collect();
            body["templateName"] = json!(format!("tpl_{}", dice.random_range(0..self.templates)));
            body["zones"] = json!({ "Main": modules });
        } else if kind < 9 {
            let page = id(SOURCE_IDS, Kind::Page, self.some(self.pages, dice));
            body["linkToPageID"] = json!(page);
        }
    }

    fn redirection(&self, n: i64) -> Row {
        let mut dice = self.later_dice("redirection", n);
        let to = if dice.random() {
            self.some_url(&mut dice)
        } else {
            "~/home".to_owned()
        };
        let name = format!("~/old-{n}");
        let body = json!({
            "urlRedirectionID": id(SOURCE_IDS, Kind::Redirection, n), "originUrl": name, "destinationUrl": to,
            "httpCode": 301, "content": null,
        });
        row(Kind::Redirection, n, None, &name, body)
    }
}

impl Field {
    /// The field and its companion, as a model lists them.
    fn described(&self) -> Vec<Value> {
        let mut settings = Map::new();
        let mut companion = None;
        if self.required {
            settings.insert("Required".to_owned(), "True".into());
        }
        let mut link = |pairs: &[(&str, &str)]| {
            settings.insert(
                "ContentDefinition".to_owned(),
                format!("mdl_{}", self.model).into(),
            );
            settings.insert(
                "ContentView".to_owned(),
                format!("lst_{}", self.list).into(),
            );
            for (name, value) in pairs {
                let value = value.replace('*', &self.name);
                settings.insert((*name).to_owned(), value.clone().into());
                companion = value
                    .starts_with(&self.name)
                    .then_some(value)
                    .or(companion.take());
            }
            "Content"
        };
        let kind = match self.style {
            Style::Single | Style::WholeList => link(&[]),
            Style::Scalar => link(&[("RenderAs", "dropdown")]),
            Style::Dropdown => link(&[
                ("RenderAs", "dropdown"),
                ("LinkeContentDropdownValueField", "*ID"),
            ]),
            Style::SearchList => link(&[
                ("RenderAs", "searchlistbox"),
                ("LinkeContentDropdownValueField", "*ID"),
            ]),
            Style::Grid => link(&[
                ("RenderAs", "grid"),
                ("LinkedContentNestedTypeID", "1"),
                ("SortIDFieldName", "*Order"),
            ]),
            Style::Custom => "Custom",
            Style::Html => "HTML",
            Style::Image => "ImageAttachment",
            Style::Gallery => "PhotoGallery",
        };
        let field = json!({ "name": self.name, "type": kind, "settings": settings });
        let companion =
            companion.map(|name| json!({ "name": name, "type": "Text", "settings": {} }));
        std::iter::once(field).chain(companion).collect()
    }
}

fn url(asset: i64) -> String {
    format!("https://origin.source.test/files/img/a{asset}.png")
}

fn row(kind: Kind, n: i64, locale: Option<&Locale>, name: &str, body: Value) -> Row {
    Row {
        kind,
        id: id(SOURCE_IDS, kind, n),
        locale: locale.cloned(),
        name: name.to_owned(),
        body,
        parent: None,
        position: 0,
        bytes: Vec::new(),
        version: 1,
        live: None,
    }
}
