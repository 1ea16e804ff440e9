//! Templates and the page tree.

use rand::RngExt;
use serde_json::{Map, Value, json};

use super::budget::KIT_PAGES;
use super::containers::{self, Container, Filling};
use super::instance::{Dice, Ids, row};
use super::media::Library;
use super::models::{self, Model};
use super::text::{Moment, slug, words};
use crate::mock::file::Row;

/// No page lies deeper than this; the kit has one that lies so deep.
const DEPTH: usize = 5;

/// What a page is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Static,
    /// One page for each item of the container at that position.
    Dynamic(usize),
    Folder,
    /// Leads to an address outside.
    LinkOut,
    /// Leads to another page, by its position.
    LinkPage(usize),
    /// Leads to an asset, by its position.
    LinkFile(usize),
}

/// A page of the tree; parents come before their children.
pub(super) struct Page {
    id: i64,
    name: String,
    title: usize,
    path: String,
    parent: Option<usize>,
    depth: usize,
    kind: Kind,
    template: usize,
    /// Zone, container and ordinal of each component.
    components: Vec<(usize, usize, usize)>,
    /// How many of the further locales have it, counted from the first one.
    pub(super) translations: Vec<usize>,
}

impl Page {
    /// The components on it: container and ordinal there.
    pub(super) fn components(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.components.iter().map(|&(_, c, ordinal)| (c, ordinal))
    }
}

/// A template with its zones; the first zone takes any component.
pub(super) struct Template {
    id: i64,
    name: String,
    zones: Vec<&'static str>,
    /// Whether its last zone is the fixed footer.
    footer: bool,
}

/// Makes `count` templates.
pub(super) fn templates(count: usize, dice: &mut Dice) -> Vec<Template> {
    const ZONES: [&str; 4] = ["MainContentZone", "SideZone", "BannerZone", "RelatedZone"];
    let mut ids = Ids::from(5);
    (0..count)
        .map(|n| {
            let footer = n % 4 == 1;
            let mut zones = ZONES[..=(n + 1) % 4].to_vec();
            if footer {
                zones.push("FooterZone");
            }
            let name = match n {
                0 => "Main Template".to_owned(),
                1 => "Article Template".to_owned(),
                _ => format!("{} Template", words("en-us").title(n)),
            };
            Template {
                id: ids.next(dice),
                name,
                zones,
                footer,
            }
        })
        .collect()
}

/// Pages under construction.
pub(super) struct Draft<'a> {
    containers: &'a mut [Container],
    templates: &'a [Template],
    assets: usize,
    dice: &'a mut Dice,
    /// Containers that components may be put in.
    component_pool: Vec<usize>,
    /// Lists that dynamic pages may show; those of the magazine are taken by the kit.
    list_pool: Vec<usize>,
}

impl<'a> Draft<'a> {
    /// Nothing yet. Each component container will gain the number of its items on pages as its length.
    pub(super) fn new(
        containers: &'a mut [Container],
        templates: &'a [Template],
        assets: usize,
        dice: &'a mut Dice,
    ) -> Self {
        let of = |filling, from| {
            let fits = |&c: &usize| containers[c].filling == filling;
            (from..containers.len()).filter(fits).collect()
        };
        Self {
            component_pool: of(Filling::Components, 0),
            list_pool: of(Filling::List, containers::CARD_LINKS),
            containers,
            templates,
            assets,
            dice,
        }
    }

    /// Makes `count` pages, of which `translations` rows exist in further locales: in each of them the first so many,
    /// so that a translated page has a translated parent.
    pub(super) fn pages(mut self, count: usize, translations: usize, further: usize) -> Vec<Page> {
        let mut ids = Ids::from(2);
        let mut pages = Vec::with_capacity(count);
        for n in 0..count {
            let id = ids.next(self.dice);
            let page = if n < KIT_PAGES {
                self.kit_page(&pages, n, id)
            } else {
                self.further_page(&pages, n, id)
            };
            pages.push(page);
        }
        for locale in 1..=further {
            let share = translations / further + usize::from(locale <= translations % further);
            for page in &mut pages[..share] {
                page.translations.push(locale);
            }
        }
        pages
    }

    fn kit_page(&mut self, pages: &[Page], number: usize, id: i64) -> Page {
        use containers as c;
        let (name, parent, kind): (_, Option<usize>, _) = match number {
            0 => ("home", None, Kind::Static),
            1 => ("news", None, Kind::Static),
            2 => ("article", Some(1), Kind::Dynamic(c::ARTICLES)),
            3 => ("archive", Some(1), Kind::Dynamic(c::ARCHIVE)),
            4 => ("about", None, Kind::Static),
            5 => ("company", Some(4), Kind::Static),
            6 => ("history", Some(5), Kind::Static),
            7 => ("early-years", Some(6), Kind::Static),
            8 => ("founding", Some(7), Kind::Static),
            9 => ("services", None, Kind::Folder),
            10 => ("consulting", Some(9), Kind::Static),
            11 => ("press", None, Kind::LinkOut),
            12 => ("team", Some(9), Kind::LinkPage(4)),
            _ => ("brochure", None, Kind::LinkFile(0)),
        };
        let placed: &[usize] = match number {
            0 => &[c::HERO, c::LISTING, c::GRID],
            4 => &[c::HERO],
            _ => &[c::RICH_TEXT],
        };
        let template = usize::from(number == 2);
        let mut page = Self::page(pages, (id, number), name.to_owned(), (parent, kind));
        page.template = template;
        self.furnish(&mut page, placed);
        page
    }

    fn further_page(&mut self, pages: &[Page], number: usize, id: i64) -> Page {
        let root = self.dice.random_range(0..pages.len()) < 10;
        let parent = (!root).then(|| self.parent(pages)).flatten();
        let name = slug(&words("en-us").title(number));
        let kind = match number % 40 {
            7 => Kind::Folder,
            13 => Kind::LinkOut,
            19 => Kind::LinkPage(self.dice.random_range(0..number)),
            23 if self.assets > 0 => Kind::LinkFile(self.dice.random_range(0..self.assets)),
            29 => self.dynamic(),
            _ => Kind::Static,
        };
        let template = self.dice.random_range(0..self.templates.len());
        let mut page = Self::page(pages, (id, number), name, (parent, kind));
        page.template = template;
        let count = 1 + usize::from(self.dice.random_ratio(1, 2));
        let placed: Vec<usize> = (0..count)
            .map(|_| self.component_pool[self.dice.random_range(0..self.component_pool.len())])
            .collect();
        self.furnish(&mut page, &placed);
        page
    }

    /// A page that may have children, if four draws find one.
    fn parent(&mut self, pages: &[Page]) -> Option<usize> {
        (0..4)
            .map(|_| self.dice.random_range(0..pages.len()))
            .find(|&p| {
                pages[p].depth < DEPTH && matches!(pages[p].kind, Kind::Static | Kind::Folder)
            })
    }

    /// A dynamic page over some list.
    fn dynamic(&mut self) -> Kind {
        if self.list_pool.is_empty() {
            return Kind::Static;
        }
        Kind::Dynamic(self.list_pool[self.dice.random_range(0..self.list_pool.len())])
    }

    fn page(
        pages: &[Page],
        (id, title): (i64, usize),
        name: String,
        (parent, kind): (Option<usize>, Kind),
    ) -> Page {
        let (depth, base) = parent.map_or((0, ""), |p| (pages[p].depth, pages[p].path.as_str()));
        Page {
            id,
            path: format!("{base}/{name}"),
            name,
            title,
            parent,
            depth: depth + 1,
            kind,
            template: 0,
            components: Vec::new(),
            translations: Vec::new(),
        }
    }

    /// Puts a new component of each container on the page, and the footer where the template has its zone.
    fn furnish(&mut self, page: &mut Page, placed: &[usize]) {
        if !matches!(page.kind, Kind::Static | Kind::Dynamic(_)) {
            return;
        }
        let template = &self.templates[page.template];
        let open = template.zones.len() - usize::from(template.footer);
        for (n, &container) in placed.iter().enumerate() {
            let ordinal = self.containers[container].len;
            self.containers[container].len += 1;
            page.components.push((n % open, container, ordinal));
        }
        if template.footer {
            page.components.push((open, containers::FOOTER, 0));
        }
    }
}

/// The `PageModel` rows.
pub(super) fn template_rows(
    templates: &[Template],
    models: &[Model],
    containers: &[Container],
) -> Vec<Row> {
    let mut zone_id = 0;
    templates
        .iter()
        .map(|template| {
            let zones: Vec<Value> = template
                .zones
                .iter()
                .enumerate()
                .map(|(order, zone)| {
                    zone_id += 1;
                    let mut row = zone_row(template.id, zone_id, order, zone);
                    if *zone == "FooterZone" {
                        fix(&mut row, &models[models::FOOTER], &containers[containers::FOOTER]);
                    } else if order == 0 && template.footer {
                        row.insert("defaultModules".to_owned(), json!([
                            { "title": "Hero", "pageItemTemplateDefaultModuleID": zone_id,
                              "contentDefinitionID": models[models::HERO].id, "pageItemTemplateID": zone_id,
                              "autoCreate": false }
                        ]));
                    }
                    Value::Object(row)
                })
                .collect();
            row(json!({
                "pageTemplateID": template.id, "pageTemplateName": template.name, "digitalChannelTypeID": 1,
                "digitalChannelTypeName": "Website", "agilityCode": null, "relativeURL": null, "pageNames": null,
                "previewUrl": null, "doesPageTemplateHavePages": true, "isDeleted": false,
                "contentSectionDefinitions": zones
            }))
        })
        .collect()
}

fn zone_row(template: i64, id: i64, order: usize, name: &str) -> Row {
    row(json!({
        "pageItemTemplateID": id, "pageTemplateID": template, "pageItemTemplateName": name,
        "pageItemTemplateReferenceName": name, "pageItemTemplateType": 0, "pageItemTemplateTypeName": "Variable",
        "itemOrder": order, "moduleOrder": order, "contentViewID": 0, "contentDefinitionID": null,
        "itemContainerID": null, "isShared": false, "isSharedTemplate": false, "enablePersonalization": false,
        "defaultModules": [], "sharedModules": []
    }))
}

/// Turns a zone into a fixed one that shows the items of a container.
fn fix(zone: &mut Row, model: &Model, container: &Container) {
    let fixed = row(json!({
        "pageItemTemplateType": 1, "pageItemTemplateTypeName": "FixedModule",
        "contentDefinitionID": model.id, "contentDefinitionTitle": model.name,
        "itemContainerID": container.id, "contentReferenceName": container.name
    }));
    zone.extend(fixed);
}

/// What page rows are written from.
pub(super) struct Writer<'a> {
    pub(super) pages: &'a [Page],
    pub(super) templates: &'a [Template],
    pub(super) models: &'a [Model],
    pub(super) containers: &'a [Container],
    pub(super) library: &'a Library,
    pub(super) locales: &'a [String],
    /// The content id of an item by its position.
    pub(super) content_ids: &'a dyn Fn(usize) -> i64,
}

impl Writer<'_> {
    /// The `PageItem` rows, locale by locale, parents before their children.
    pub(super) fn rows(&self, dice: &mut Dice) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut version = 300;
        for (index, locale) in self.locales.iter().enumerate() {
            for page in self.pages {
                if index == 0 || page.translations.contains(&index) {
                    version += 1;
                    rows.push(self.row(page, locale, version, dice));
                }
            }
        }
        rows
    }

    fn row(&self, page: &Page, locale: &str, version: i64, dice: &mut Dice) -> Row {
        let title = words(locale).title(page.title);
        let furnished = matches!(page.kind, Kind::Static | Kind::Dynamic(_));
        let template = furnished.then(|| &self.templates[page.template].name);
        let parent = page.parent.map_or(-1, |p| self.pages[p].id);
        let mut row = row(json!({
            "pageID": page.id, "locale": locale, "name": page.name, "path": page.path, "title": title,
            "menuText": title, "pageType": wire_type(&page.kind), "templateName": template, "redirectUrl": "",
            "securePage": false, "excludeFromOutputCache": false, "visible": { "menu": true, "sitemap": true },
            "seo": { "metaDescription": words(locale).sentence(dice), "metaKeywords": "", "metaHTML": "",
                "menuVisible": null, "sitemapVisible": null },
            "scripts": { "excludedFromGlobal": false, "top": null, "bottom": null }, "dynamic": null,
            "properties": { "state": if page.id % 9 == 0 { 1 } else { 2 }, "modified": Moment::draw(dice).iso(),
                "versionID": version },
            "zones": self.zones(page), "parentPageID": parent, "placeBeforePageItemID": -1, "channelID": 1,
            "releaseDate": null, "pullDate": null
        }));
        self.special(&mut row, page, dice);
        row
    }

    /// What dynamic and link pages have in addition.
    fn special(&self, row: &mut Row, page: &Page, dice: &mut Dice) {
        let mut lead = |url: String| {
            row.insert(
                "redirect".to_owned(),
                json!({ "url": url, "target": "_self" }),
            );
            row.insert("redirectUrl".to_owned(), json!(url));
        };
        match page.kind {
            Kind::Static | Kind::Folder => {}
            Kind::Dynamic(container) => {
                row.insert("dynamic".to_owned(), self.dynamic(container));
            }
            Kind::LinkOut => lead("https://press.example.test/releases".to_owned()),
            Kind::LinkPage(target) => {
                lead(format!("~{}", self.pages[target].path));
                row.insert("linkToPageID".to_owned(), json!(self.pages[target].id));
            }
            Kind::LinkFile(asset) => {
                if let Some(asset) = self.library.assets.get(asset) {
                    lead(self.library.address(asset, dice));
                    row.insert("linkToFileID".to_owned(), json!(asset.id));
                }
            }
        }
    }

    fn dynamic(&self, container: usize) -> Value {
        let container = &self.containers[container];
        let title = container
            .model
            .map_or("textblob", |m| self.models[m].fields[0].name.as_str());
        let formula = format!("##{title}##");
        json!({ "referenceName": container.name, "fieldName": title, "titleFormula": formula,
            "menuTextFormula": formula, "pageNameFormula": formula, "visibleOnMenu": false,
            "visibleOnSitemap": true })
    }

    fn zones(&self, page: &Page) -> Map<String, Value> {
        let mut zones: Map<String, Value> = Map::new();
        for &(zone, container, ordinal) in &page.components {
            let container = &self.containers[container];
            let model = container
                .model
                .map_or("RichTextArea", |m| self.models[m].name.as_str());
            let id = (self.content_ids)(container.first + ordinal);
            let key = self.templates[page.template].zones[zone];
            let modules = zones.entry(key).or_insert_with(|| json!([]));
            if let Some(modules) = modules.as_array_mut() {
                modules.push(
                    json!({ "module": model, "item": { "contentid": id, "fulllist": false } }),
                );
            }
        }
        zones
    }
}

fn wire_type(kind: &Kind) -> &'static str {
    match kind {
        Kind::Static => "static",
        Kind::Dynamic(_) => "dynamic",
        Kind::Folder => "folder",
        Kind::LinkOut | Kind::LinkPage(_) | Kind::LinkFile(_) => "link",
    }
}
