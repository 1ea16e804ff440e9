//! Containers: shared lists, single items, component containers and the private containers of nested lists.

use rand::RngExt;
use serde_json::json;

use super::instance::{Dice, Ids, row};
use super::models::{self, Model, Role};
use super::text::Moment;
use crate::mock::file::Row;

/// Positions of some of the kit's containers in the list.
pub(super) const PEOPLE: usize = 0;
pub(super) const TOPICS: usize = 1;
pub(super) const ARTICLES: usize = 2;
pub(super) const FIGURES: usize = 3;
pub(super) const HERO: usize = 5;
pub(super) const LISTING: usize = 6;
pub(super) const GRID: usize = 7;
pub(super) const FOOTER: usize = 8;
pub(super) const RICH_TEXT: usize = 9;
pub(super) const ARCHIVE: usize = 10;
pub(super) const HOME_CARDS: usize = 11;
pub(super) const CARD_LINKS: usize = 14;

/// The id that the built-in rich text model has in every instance.
const RICH_TEXT_MODEL: i64 = 1;

/// What fills a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    /// Nothing: a list that was set up and never used.
    Empty,
    /// A share of the instance's list items.
    List,
    /// Exactly one item.
    Single,
    /// An item per use on a page.
    Components,
    /// The cards of one item.
    Nested { owner: Owner, items: usize },
}

/// The item and field that a private container belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) container: usize,
    pub(super) ordinal: usize,
    pub(super) field: &'static str,
}

/// A container and the stretch of items that lie in it.
pub(super) struct Container {
    pub(super) id: i64,
    pub(super) name: String,
    /// Its model; `None` for the built-in rich text.
    pub(super) model: Option<usize>,
    pub(super) filling: Filling,
    /// The position of its first item in the list of items.
    pub(super) first: usize,
    pub(super) len: usize,
}

impl Container {
    /// The name as its items state it, which is often in lower case (quirk 7 of the reference).
    pub(super) fn name_in_items(&self) -> String {
        if self.id % 3 == 0 || self.model.is_none() {
            self.name.to_ascii_lowercase()
        } else {
            self.name.clone()
        }
    }
}

/// Containers under construction.
struct Draft<'a> {
    models: &'a [Model],
    ids: Ids,
    dice: &'a mut Dice,
    list: Vec<Container>,
}

/// Makes `count` containers.
pub(super) fn draft(models: &[Model], count: usize, dice: &mut Dice) -> Vec<Container> {
    let ids = Ids::from(40);
    let list = Vec::with_capacity(count);
    let mut draft = Draft {
        models,
        ids,
        dice,
        list,
    };
    draft.kit();
    draft.one_per_model();
    for number in 0..count - draft.list.len() {
        draft.further(number);
    }
    draft.list
}

impl Draft<'_> {
    fn add(&mut self, name: String, model: Option<usize>, filling: Filling) {
        let container = Container {
            id: self.ids.next(self.dice),
            name,
            model,
            filling,
            first: 0,
            len: 0,
        };
        self.list.push(container);
    }

    fn kit(&mut self) {
        use Filling::{Components, Empty, List, Single};
        use models as m;
        let shared = [
            ("people", m::PERSON, List),
            ("topics", m::TOPIC, List),
            ("articles", m::ARTICLE, List),
            ("figures", m::FIGURE, List),
            ("SiteSettings", m::SETTINGS, Single),
            ("home_Hero", m::HERO, Components),
            ("home_ArticleListing", m::LISTING, Components),
            ("home_CardGrid", m::CARD_GRID, Components),
            ("global_Footer", m::FOOTER, Single),
        ];
        for (name, model, filling) in shared {
            self.add(name.to_owned(), Some(model), filling);
        }
        self.add("News1_RichTextArea".to_owned(), None, Components);
        self.add("archive".to_owned(), Some(m::ARTICLE), Empty);
        self.nested(GRID, 0, "Cards", 3);
        self.nested(ARTICLES, 0, "Cards", 3);
        self.nested(ARTICLES, 0, "Teaser", 1);
        self.nested(HOME_CARDS, 0, "Links", 2);
    }

    /// A private container, named as the server names them: the owner's container, the field, six hex digits.
    fn nested(&mut self, container: usize, ordinal: usize, field: &'static str, items: usize) {
        let model = if field == "Links" {
            models::CARD_LINK
        } else {
            models::CARD
        };
        // an odd factor visits every number below 2^24 once, so no two names are equal
        let hex = (0x0048_f36e + self.list.len() * 0x009e_3779) & 0x00ff_ffff;
        let name = format!(
            "{}_{}{hex:06x}",
            self.list[container].name,
            field.to_ascii_lowercase()
        );
        let owner = Owner {
            container,
            ordinal,
            field,
        };
        self.add(name, Some(model), Filling::Nested { owner, items });
    }

    fn one_per_model(&mut self) {
        for (position, model) in self.models.iter().enumerate().skip(models::KIT) {
            let (name, filling) = match model.role {
                Role::List => (model.container.clone(), Filling::List),
                Role::Single => (model.container.clone(), Filling::Single),
                Role::Component => (format!("global_{}", model.name), Filling::Components),
                Role::Nested => continue,
            };
            self.add(name, Some(position), filling);
        }
    }

    /// More of what an instance has many of: private lists, component containers, lists by section.
    fn further(&mut self, number: usize) {
        let round = number / 20;
        match number % 20 {
            place @ 0..6 => {
                let ordinal = 1 + round * 6 + place;
                let cards = 2 + number % 5;
                self.nested(ARTICLES, ordinal, "Cards", cards);
            }
            place @ 6..9 => self.nested(ARTICLES, 1 + round * 3 + place - 6, "Teaser", 1),
            9..15 => self.sectional(number, Role::Component),
            _ => self.sectional(number, Role::List),
        }
    }

    /// A container of its own for one section of the site, of any model of that role.
    fn sectional(&mut self, number: usize, role: Role) {
        let fits: Vec<usize> = (0..self.models.len())
            .filter(|&m| self.models[m].role == role && m != models::FOOTER)
            .collect();
        let model = fits[self.dice.random_range(0..fits.len())];
        let name = format!("section{number}_{}", self.models[model].name);
        let filling = match role {
            Role::Component => Filling::Components,
            Role::List | Role::Single | Role::Nested => Filling::List,
        };
        self.add(name, Some(model), filling);
    }
}

/// The `Container` rows.
pub(super) fn rows(containers: &[Container], models: &[Model], dice: &mut Dice) -> Vec<Row> {
    containers
        .iter()
        .map(|container| container_row(container, models, dice))
        .collect()
}

fn container_row(container: &Container, models: &[Model], dice: &mut Dice) -> Row {
    let model = container.model.map(|m| &models[m]);
    let (model_id, model_name) = model.map_or((RICH_TEXT_MODEL, "RichTextArea"), |m| {
        (m.id, m.name.as_str())
    });
    let (title_field, kind) = model.map_or(("textblob", 1), |m| {
        (m.fields[0].name.as_str(), i32::from(m.role != Role::Single))
    });
    let modified = Moment::draw(dice);
    let nested = matches!(container.filling, Filling::Nested { .. });
    let dynamic = matches!(container.filling, Filling::List | Filling::Empty);
    row(json!({
        "contentViewID": container.id, "referenceName": container.name, "contentViewName": container.name,
        "title": null, "contentDefinitionID": model_id, "contentDefinitionName": model_name,
        "contentDefinitionType": 1, "contentDefinitionTypeID": kind,
        "isShared": !nested, "isDynamicPageList": dynamic, "isListItem": nested,
        "isPublished": true, "isDeleted": false, "requiresApproval": false,
        "lastModifiedDate": modified.american(), "lastModifiedOn": modified.iso(), "lastModifiedBy": "Rosa Vega",
        "defaultSortColumn": null, "defaultSortDirection": null, "defaultPage": null, "numRowsInListing": 20,
        "columns": [
            { "sortOrder": 0, "fieldName": title_field, "label": title_field, "isDefaultSort": false,
              "sortDirection": "ASC", "typeName": "Text" }
        ]
    }))
}
