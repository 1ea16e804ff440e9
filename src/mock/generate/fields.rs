//! Content rows: the fields of an item in the encodings that the Fetch API reads them in.
//!
//! The numbers R1 to R16 are those of the reference's table of read encodings.

use rand::RngExt;
use serde_json::{Map, Value, json};

use super::containers::Container;
use super::instance::{Dice, row};
use super::items::Items;
use super::media::{Gallery, Library};
use super::models::{Field, Form, Kind, Link, Model};
use super::text::{Moment, Words, camel, words};
use crate::mock::file::Row;

/// How many ids an order lists at most.
const ORDERED: usize = 40;

/// What content rows are written from.
pub(super) struct Writer<'a> {
    pub(super) models: &'a [Model],
    pub(super) containers: &'a [Container],
    /// The container that links to a model name, by the model's position.
    pub(super) homes: &'a [Option<usize>],
    pub(super) items: &'a Items,
    pub(super) library: &'a Library,
    pub(super) galleries: &'a [Gallery],
    pub(super) locales: &'a [String],
}

/// The item whose fields are being written.
#[derive(Clone, Copy)]
struct Subject<'a> {
    item: usize,
    words: &'a Words,
}

impl Writer<'_> {
    /// The `ContentItem` rows, item by item. A translation is drawn from the same dice, so it has the same references.
    pub(super) fn rows(&self, dice: &mut Dice) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.items.list.len() * 13 / 10);
        let mut version = 8_000;
        for (position, item) in self.items.list.iter().enumerate() {
            let before = dice.get_word_pos();
            for &locale in &item.locales {
                dice.set_word_pos(before);
                version += 1;
                rows.push(self.row(position, &self.locales[locale], version, dice));
            }
        }
        rows
    }

    fn row(&self, position: usize, locale: &str, version: i64, dice: &mut Dice) -> Row {
        let item = &self.items.list[position];
        let container = &self.containers[item.container];
        let model = container.model.map(|m| &self.models[m]);
        let subject = Subject {
            item: position,
            words: words(locale),
        };
        let fields = match model {
            Some(model) => self.fields(subject, model, dice),
            None => self.rich_text(subject, dice),
        };
        let seo = (item.id % 5 == 0).then(|| {
            json!({ "metaDescription": subject.words.sentence(dice), "metaKeywords": "", "metaHTML": "",
                "menuVisible": null, "sitemapVisible": null })
        });
        row(json!({
            "contentID": item.id, "locale": locale,
            "properties": {
                "state": if item.id % 10 == 3 { 1 } else { 2 }, "modified": Moment::draw(dice).iso(), "modifiedBy": 12,
                "versionID": version, "referenceName": container.name_in_items(),
                "definitionName": model.map_or("RichTextArea", |m| &m.name), "itemOrder": item.ordinal,
                "releaseDate": null, "pullDate": null
            },
            "fields": fields, "seo": seo, "scripts": null
        }))
    }

    fn rich_text(&self, subject: Subject<'_>, dice: &mut Dice) -> Map<String, Value> {
        row(json!({ "textblob": self.html(subject, dice) }))
    }

    fn fields(&self, subject: Subject<'_>, model: &Model, dice: &mut Dice) -> Map<String, Value> {
        let mut fields = Map::new();
        let first = self.items.list[subject.item].ordinal < 3;
        for field in &model.fields {
            let skipped = !first && !field.required && dice.random_ratio(1, 6);
            if let Kind::Link(link) = &field.kind {
                self.link(subject, (field, link, skipped), &mut fields, dice);
            } else if !skipped && let Some(value) = self.plain(subject, &field.kind, dice) {
                fields.insert(camel(&field.name), value);
            }
        }
        fields
    }

    /// The value of a field that is no link (R9 to R16).
    fn plain(&self, subject: Subject<'_>, kind: &Kind, dice: &mut Dice) -> Option<Value> {
        let words = subject.words;
        match kind {
            Kind::Headline => Some(json!(words.title(subject.item))),
            Kind::LongText => Some(json!(words.paragraph(dice, 2))),
            Kind::Html => Some(json!(self.html(subject, dice))),
            Kind::Integer => Some(json!(dice.random_range(1..60).to_string())),
            Kind::Boolean => Some(json!(if dice.random_ratio(1, 2) {
                "true"
            } else {
                "false"
            })),
            Kind::Date => Some(json!(Moment::draw(dice).iso())),
            Kind::Choice => Some(json!(["red", "green", "blue"][dice.random_range(0..3)])),
            Kind::Image => self.library.image(dice),
            Kind::Attachments => {
                let files: Vec<Value> = (0..dice.random_range(1..4))
                    .filter_map(|_| self.library.image(dice))
                    .collect();
                Some(json!(files))
            }
            Kind::Gallery if self.galleries.is_empty() => None,
            Kind::Gallery => {
                let gallery = &self.galleries[dice.random_range(0..self.galleries.len())];
                Some(json!({ "galleryid": gallery.id, "fulllist": true }))
            }
            Kind::Url => Some(self.url(subject, dice)),
            Kind::AssetUrl => self.library.url(dice).map(|(_, url)| json!(url)),
            Kind::Custom => Some(self.custom(subject, dice)),
            Kind::Companion | Kind::Link(_) => None,
        }
    }

    /// A URL field (R14): a page, or an asset in one of three.
    fn url(&self, subject: Subject<'_>, dice: &mut Dice) -> Value {
        let asset = dice.random_ratio(1, 3).then(|| self.library.url(dice));
        let href = asset
            .flatten()
            .map_or_else(|| "/about/company".to_owned(), |(_, url)| url);
        json!({ "href": href, "target": "_self", "text": subject.words.title(subject.item) })
    }

    /// Paragraphs with an image between them (R12), its URL plain, with a query, or with an escaped query.
    fn html(&self, subject: Subject<'_>, dice: &mut Dice) -> String {
        let words = subject.words;
        let mut html = format!("<p>{}</p>", words.paragraph(dice, 3));
        if let Some((_, url)) = self.library.url(dice) {
            let query = ["", "?w=800&format=auto", "?w=400&amp;h=300"][dice.random_range(0..3)];
            let alt = words.title(subject.item);
            html.extend(["<p><img src=\"", &url, query, "\" alt=\"", &alt, "\"></p>"]);
        }
        for _ in 0..dice.random_range(0..3) {
            html.extend(["<p>", &words.paragraph(dice, 2), "</p>"]);
        }
        html
    }

    /// JSON of a custom field: an object, or for every other item the same as a string.
    fn custom(&self, subject: Subject<'_>, dice: &mut Dice) -> Value {
        let mut block = json!({ "layout": "wide", "columns": 2 });
        if let Some((_, url)) = self.library.url(dice) {
            block["background"] = json!(url);
        }
        let people = &self.containers[super::containers::PEOPLE];
        if let Some(&person) = self.items.targets(subject.item, people, 1, dice).first() {
            block["credit"] = json!({ "contentid": self.items.list[person].id });
        }
        if self.items.list[subject.item].ordinal.is_multiple_of(2) {
            block
        } else {
            json!(block.to_string())
        }
    }

    /// A link field and its companions (R1 to R8).
    fn link(
        &self,
        subject: Subject<'_>,
        (field, link, skipped): (&Field, &Link, bool),
        fields: &mut Map<String, Value>,
        dice: &mut Dice,
    ) {
        let key = camel(&field.name);
        match &link.form {
            Form::Grid { sort } => self.grid(subject, (&key, field, sort.as_deref()), fields),
            Form::NestedItem => {
                if let Some(nested) = self.nested(subject, field) {
                    fields.insert(key, one(self.items.list[nested.first].id));
                }
            }
            Form::Whole => {
                if let Some(list) = self.home(link) {
                    fields.insert(key, json!({ "referencename": list.name, "fulllist": true }));
                }
            }
            Form::Ordered { sort } => {
                if let Some(list) = self.home(link) {
                    let mut order = self.items.leading(list, ORDERED);
                    order.reverse();
                    let ids = self.ids(&order);
                    fields.insert(camel(sort), json!(ids));
                    fields.insert(
                        key,
                        json!({ "referencename": list.name, "sortids": ids, "fulllist": true }),
                    );
                }
            }
            Form::Single | Form::Dropdown { .. } | Form::NameOnly { .. } => {
                self.single(subject, (field, link, skipped), fields, dice);
            }
            Form::Picked | Form::SearchList { .. } => {
                self.picked(subject, (field, link, skipped), fields, dice);
            }
        }
    }

    /// A private list, with its order where the model names a sort field.
    fn grid(
        &self,
        subject: Subject<'_>,
        (key, field, sort): (&str, &Field, Option<&str>),
        fields: &mut Map<String, Value>,
    ) {
        let Some(nested) = self.nested(subject, field) else {
            return;
        };
        let mut value = json!({ "referencename": nested.name, "fulllist": true });
        if let Some(sort) = sort {
            let order: Vec<usize> = (nested.first..nested.first + nested.len).rev().collect();
            let ids = self.ids(&order);
            value["sortids"] = json!(ids);
            fields.insert(camel(sort), json!(ids));
        }
        fields.insert(key.to_owned(), value);
    }

    fn single(
        &self,
        subject: Subject<'_>,
        (field, link, skipped): (&Field, &Link, bool),
        fields: &mut Map<String, Value>,
        dice: &mut Dice,
    ) {
        let Some(list) = self.home(link) else {
            return;
        };
        let place = (subject.item, field.name.as_str());
        let target = self.items.target(place, skipped, list, dice);
        let id = target.map(|target| self.items.list[target].id);
        if let Some(id) = id {
            let value = match &link.form {
                Form::NameOnly { .. } => json!(list.name),
                _ => one(id),
            };
            fields.insert(camel(&field.name), value);
        }
        let id_text = id.map(|id| id.to_string()).unwrap_or_default();
        let title = target.map(|target| subject.words.title(target));
        companions(&link.form, &id_text, &title.unwrap_or_default(), fields);
    }

    fn picked(
        &self,
        subject: Subject<'_>,
        (field, link, skipped): (&Field, &Link, bool),
        fields: &mut Map<String, Value>,
        dice: &mut Dice,
    ) {
        let Some(list) = self.home(link) else {
            return;
        };
        let count = dice.random_range(1..5);
        let mut targets = self.items.targets(subject.item, list, count, dice);
        if skipped {
            targets.clear();
        }
        let ids = self.ids(&targets);
        if !targets.is_empty() {
            fields.insert(
                camel(&field.name),
                json!({ "referencename": list.name, "sortids": ids, "fulllist": false }),
            );
        }
        let titles: Vec<String> = targets.iter().map(|&t| subject.words.title(t)).collect();
        companions(&link.form, &ids, &titles.join(","), fields);
    }

    fn home(&self, link: &Link) -> Option<&Container> {
        self.homes[link.model].map(|home| &self.containers[home])
    }

    fn nested(&self, subject: Subject<'_>, field: &Field) -> Option<&Container> {
        ["Cards", "Teaser", "Links"]
            .into_iter()
            .find(|&name| name == field.name)
            .and_then(|name| self.items.nested.get(&(subject.item, name)))
            .map(|&container| &self.containers[container])
    }

    fn ids(&self, items: &[usize]) -> String {
        let ids: Vec<String> = items
            .iter()
            .map(|&item| self.items.list[item].id.to_string())
            .collect();
        ids.join(",")
    }
}

/// A single link (R1).
fn one(id: i64) -> Value {
    json!({ "contentid": id, "fulllist": false })
}

/// The companions that the form names; empty texts where nothing is chosen.
fn companions(form: &Form, ids: &str, titles: &str, fields: &mut Map<String, Value>) {
    match form {
        Form::Dropdown { value, text } | Form::SearchList { value, text } => {
            fields.insert(camel(value), json!(ids));
            fields.insert(camel(text), json!(titles));
        }
        Form::NameOnly { value } => {
            fields.insert(camel(value), json!(ids));
        }
        Form::Single
        | Form::Picked
        | Form::Whole
        | Form::Ordered { .. }
        | Form::Grid { .. }
        | Form::NestedItem => {}
    }
}
