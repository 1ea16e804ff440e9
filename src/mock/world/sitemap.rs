//! Sitemaps: the tree of pages as the Management API shows it, and flat and nested as the Fetch API does.
//!
//! A Fetch sitemap has one node per item of a dynamic page's list and none for the page itself, so a
//! dynamic page whose list is empty is missing there unless the rules say otherwise. The Management sitemap has every page once.

use serde_json::{Value, json};

use super::feed::Mode;
use super::links::View;
use super::page::Place;
use super::text::{field_key, slug};
use super::{World, row};
use crate::mock::file::Row;

/// A node of a Fetch sitemap with what is below it.
struct Node {
    members: Row,
    path: String,
    children: Vec<Node>,
}

/// A place in the tree with the path that leads to it and the side that looks at it.
#[derive(Clone, Copy)]
struct Branch<'a> {
    place: Place,
    path: &'a str,
    mode: Mode,
}

impl World {
    /// The Management sitemap: one row per channel.
    pub(crate) fn management_sitemap(&self, locale: usize) -> Value {
        let channels = self.channels.iter().enumerate().map(|(index, channel)| {
            let root = Place { locale, channel: channel.id, parent: None };
            json!({
                "digitalChannelID": channel.id, "name": channel.name, "digitalChannelTypeName": "Website",
                "isDefaultChannel": index == 0, "pages": self.management_nodes(root)
            })
        });
        channels.collect()
    }

    fn management_nodes(&self, place: Place) -> Vec<Value> {
        let pages = self.pages.children(place).iter();
        pages
            .filter_map(|id| self.management_node(*id, place))
            .collect()
    }

    fn management_node(&self, id: i64, place: Place) -> Option<Value> {
        let row = &self.page_version(place.locale, id)?.latest;
        let dynamic = row::object(row, "dynamic");
        Some(json!({
            "pageID": id, "parentPageID": place.parent.unwrap_or(-1), "pageName": row.get("name"), "title": row.get("title"),
            "pageType": row.get("pageType"), "languageCode": self.locales[place.locale].code, "pageMode": 0,
            "dynamicPageContentReferenceName": dynamic.and_then(|dynamic| row::text(dynamic, "referenceName")),
            "dynamicPageContentViewFieldName": dynamic.and_then(|dynamic| row::text(dynamic, "fieldName")),
            "url": null, "childPages": self.management_nodes(Place { parent: Some(id), ..place })
        }))
    }

    /// The nested Fetch sitemap of a channel, which is named in any case. `None`: no such channel.
    pub(crate) fn nested_sitemap(&self, locale: usize, channel: &str, mode: Mode) -> Option<Value> {
        Some(
            self.fetch_tree(locale, channel, mode)?
                .into_iter()
                .map(nest)
                .collect(),
        )
    }

    /// The flat one: an object keyed by path. Of two nodes with one path the first stays.
    pub(crate) fn flat_sitemap(&self, locale: usize, channel: &str, mode: Mode) -> Option<Value> {
        let mut out = Row::new();
        self.fetch_tree(locale, channel, mode)?
            .into_iter()
            .for_each(|node| flatten(node, &mut out));
        Some(Value::Object(out))
    }

    /// A page by its path in a channel, with its node: of a dynamic page, the one of the item that the path names.
    pub(crate) fn page_by_path(&self, channel: &str, path: &str, view: View) -> Option<Value> {
        let nodes = self.flat_sitemap(view.locale, channel, view.mode)?;
        let path = format!("/{}", path.trim_matches('/')).to_lowercase();
        let node = row::get(nodes.as_object()?, &path)?;
        let members = node.as_object()?;
        let mut page = self.page_in_view(row::id(members, "pageID")?, view)?;
        if let (Some(item), Some(page)) = (row::id(members, "contentID"), page.as_object_mut()) {
            row::set(page, "dynamicItemContentID", item);
        }
        Some(json!({ "sitemapNode": node, "page": page }))
    }

    fn fetch_tree(&self, locale: usize, channel: &str, mode: Mode) -> Option<Vec<Node>> {
        let channel = self
            .channels
            .iter()
            .find(|known| known.name.eq_ignore_ascii_case(channel))?;
        let place = Place {
            locale,
            channel: channel.id,
            parent: None,
        };
        Some(self.fetch_nodes(&Branch {
            place,
            path: "",
            mode,
        }))
    }

    fn fetch_nodes(&self, branch: &Branch<'_>) -> Vec<Node> {
        let pages = self.pages.children(branch.place).iter();
        pages
            .flat_map(|id| self.nodes_of_page(*id, branch))
            .collect()
    }

    fn nodes_of_page(&self, id: i64, branch: &Branch<'_>) -> Vec<Node> {
        let Branch { place, path, mode } = *branch;
        let version = self.page_version(place.locale, id);
        let Some(page) = version.and_then(|version| version.shown(mode)) else {
            return Vec::new();
        };
        let list =
            row::object(page, "dynamic").and_then(|dynamic| row::filled(dynamic, "referenceName"));
        let members = match list {
            Some(list) if row::text(page, "pageType") == Some("dynamic") => {
                let list = self.containers.by_name(list);
                let items = list
                    .map(|list| self.shown_items(list, place.locale, mode))
                    .unwrap_or_default();
                if items.is_empty() && self.rules.empty_dynamic_pages {
                    vec![own_node(id, page, path)]
                } else {
                    let node = |item: &i64| self.dynamic_node(id, page, *item, branch);
                    items.iter().map(node).collect()
                }
            }
            Some(_) | None => vec![own_node(id, page, path)],
        };
        let below = Place {
            parent: Some(id),
            ..place
        };
        let with_children = |members: Row| {
            let path = row::text(&members, "path").unwrap_or_default().to_owned();
            let children = self.fetch_nodes(&Branch {
                place: below,
                path: &path,
                mode,
            });
            Node {
                members,
                path,
                children,
            }
        };
        members.into_iter().map(with_children).collect()
    }

    fn dynamic_node(&self, id: i64, page: &Row, item: i64, branch: &Branch<'_>) -> Row {
        let Branch { place, path, mode } = *branch;
        let empty = Row::new();
        let dynamic = row::object(page, "dynamic").unwrap_or(&empty);
        let shown = self
            .contents
            .version(place.locale, item)
            .and_then(|version| version.shown(mode));
        let fields = shown
            .and_then(|row| row::object(row, "fields"))
            .unwrap_or(&empty);
        let formula = |key: &str| row::filled(dynamic, key).map(|formula| fill_in(formula, fields));
        let by_field =
            || row::filled(dynamic, "fieldName").and_then(|name| field_text(fields, name));
        let title = formula("titleFormula")
            .or_else(by_field)
            .unwrap_or_else(|| item.to_string());
        let name = formula("pageNameFormula")
            .or_else(by_field)
            .map(|name| slug(&name));
        let name = name
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| item.to_string());
        row::row(json!({
            "title": title, "name": name, "pageID": id, "contentID": item,
            "menuText": formula("menuTextFormula").unwrap_or_default(),
            "visible": {
                "menu": row::flag(dynamic, "visibleOnMenu"), "sitemap": row::flag(dynamic, "visibleOnSitemap")
            },
            "path": format!("{path}/{name}"), "redirect": null, "isFolder": false
        }))
    }
}

/// The node of a page below a path.
fn own_node(id: i64, page: &Row, path: &str) -> Row {
    let name = row::text(page, "name").unwrap_or_default().to_lowercase();
    page_node(id, page, &format!("{path}/{name}"))
}

fn page_node(id: i64, page: &Row, path: &str) -> Row {
    let page_type = row::text(page, "pageType").unwrap_or_default();
    let url = row::text(page, "redirectUrl").unwrap_or_default();
    let redirect = if page_type == "link" {
        json!({ "url": url, "target": "_self" })
    } else {
        Value::Null
    };
    row::row(json!({
        "title": page.get("title"), "name": page.get("name"), "pageID": id, "menuText": page.get("menuText"),
        "visible": page.get("visible"), "path": path, "redirect": redirect, "isFolder": page_type == "folder"
    }))
}

/// The value of a field that the page names in any spelling, as text.
fn field_text(fields: &Row, name: &str) -> Option<String> {
    let key = field_key(name);
    let (_, value) = fields.iter().find(|(other, _)| field_key(other) == key)?;
    value
        .as_str()
        .map(str::to_owned)
        .or_else(|| value.is_number().then(|| value.to_string()))
}

/// Fills `##Field##` marks of a formula.
fn fill_in(formula: &str, fields: &Row) -> String {
    let parts = formula.split("##").enumerate();
    parts
        .map(|(index, part)| {
            if index % 2 == 1 {
                field_text(fields, part).unwrap_or_default()
            } else {
                part.to_owned()
            }
        })
        .collect()
}

fn nest(node: Node) -> Value {
    let mut members = node.members;
    let children: Vec<Value> = node.children.into_iter().map(nest).collect();
    row::set(&mut members, "children", children);
    Value::Object(members)
}

fn flatten(node: Node, out: &mut Row) {
    if !out.contains_key(&node.path) {
        out.insert(node.path, Value::Object(node.members));
    }
    node.children
        .into_iter()
        .for_each(|child| flatten(child, out));
}
