//! The files that an instance consists of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::error::FolderError;
use super::layout::{self, ASSETS_AT_ONCE};
use crate::domain::{Channel, Entity, Guid, Id, Inventory, Kind, Locale, SourceId};

/// The file of an asset that has to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetBytes {
    /// The asset.
    pub id: SourceId,
    /// Where the instance has it.
    pub url: String,
    /// When the instance says that it was changed last.
    pub modified: Option<String>,
    /// Its length as listed.
    pub size: Option<u64>,
    /// Its path below the folder of the instance.
    pub file: String,
}

/// Takes one file: its path with slashes, and its text.
type Put<'a> = &'a mut dyn FnMut(&str, &str) -> Result<(), FolderError>;

/// An instance that is written down. Of equal instances the files are equal, whatever the order in which they were read.
#[derive(Debug)]
pub struct Contents<'a> {
    source: &'a Inventory<SourceId>,
    channels: Vec<&'a Channel>,
}

impl<'a> Contents<'a> {
    /// Checks that the instance can be written down.
    ///
    /// # Errors
    /// [`FolderError::Locale`]
    pub fn of(source: &'a Inventory<SourceId>) -> Result<Self, FolderError> {
        source.locales.iter().try_for_each(layout::check_locale)?;
        let mut channels: Vec<&Channel> = source.channels.iter().collect();
        channels.sort_by_key(|channel| channel.id);
        Ok(Self { source, channels })
    }

    /// The instance.
    pub fn instance(&self) -> &Guid {
        &self.source.guid
    }

    /// Its locales.
    pub fn locales(&self) -> &[Locale] {
        &self.source.locales
    }

    /// How many entities there are of each kind.
    pub fn counts(&self) -> BTreeMap<Kind, usize> {
        let count = |kind| (kind, self.source.of_kind(kind).len());
        Kind::ALL.into_iter().map(count).collect()
    }

    /// The files of the assets, sorted by id.
    pub fn assets(&self) -> Vec<AssetBytes> {
        let all = self.source.of_kind(Kind::Asset).iter();
        let mut assets: Vec<AssetBytes> = all.map(listed).collect();
        let urls = assets.iter().map(|asset| (asset.id, &*asset.url));
        let mut files = layout::asset_files(urls);
        for asset in &mut assets {
            asset.file = files.remove(&asset.id).unwrap_or_default();
        }
        assets
    }

    /// Shows every file but those of assets.
    ///
    /// # Errors
    /// The first of `put`.
    pub fn each(&self, put: Put<'_>) -> Result<(), FolderError> {
        self.own(put)?;
        for entity in self.source.entities() {
            if let Some(file) = layout::file_of(&entity.key) {
                put(&file, &layout::indented(&entity.body.text()))?;
            }
        }
        self.asset_lists(put)?;
        let redirections = self.redirections();
        for locale in &self.source.locales {
            put(&layout::redirections(locale), &redirections)?;
            self.sitemaps(locale, put)?;
        }
        Ok(())
    }

    /// What belongs to the instance and is no entity.
    fn own(&self, put: Put<'_>) -> Result<(), FolderError> {
        let container = &self.source.asset_container;
        let mut rows: Vec<_> = self.source.passed.iter().collect();
        rows.sort_by(|one, other| {
            (one.kind, one.id, &one.name).cmp(&(other.kind, other.id, &other.name))
        });
        let rows = rows
            .into_iter()
            .map(|row| json!({ "kind": row.kind, "id": row.id, "name": row.name }));
        let own = json!({
            "assetContainer": { "originUrl": container.origin_url, "edgeUrl": container.edge_url },
            "rows": rows.collect::<Vec<Value>>(),
        });
        put(layout::INSTANCE, &layout::indented(&own.to_string()))
    }

    fn asset_lists(&self, put: Put<'_>) -> Result<(), FolderError> {
        let all = self.source.of_kind(Kind::Asset);
        for (number, some) in (1..).zip(all.chunks(ASSETS_AT_ONCE)) {
            let rows: Vec<_> = some.iter().map(|asset| asset.body.text()).collect();
            let (rows, count) = (rows.join(","), all.len());
            let list = format!(r#"{{"assetMedias":[{rows}],"totalCount":{count}}}"#);
            put(&layout::asset_list(number), &layout::indented(&list))?;
        }
        Ok(())
    }

    /// With the names of the public feed, as the official CLI has them.
    fn redirections(&self) -> String {
        let row = |entity: &Entity<SourceId>| {
            let Value::Object(row) = entity.body.parse() else {
                return entity.body.text().into_owned();
            };
            let renamed = row.into_iter().map(|(name, value)| match &*name {
                "urlRedirectionID" => ("id".to_owned(), value),
                "httpCode" => ("statusCode".to_owned(), value),
                _ => (name, value),
            });
            let renamed = Value::Object(renamed.collect::<Map<_, _>>()).to_string();
            entity.body.numbers().restore(&renamed).into_owned()
        };
        let rows = self.source.of_kind(Kind::Redirection).iter().map(row);
        let rows = rows.collect::<Vec<String>>().join(",");
        layout::indented(&format!(r#"{{"items":[{rows}],"isUpToDate":true}}"#))
    }

    fn sitemaps(&self, locale: &Locale, put: Put<'_>) -> Result<(), FolderError> {
        let mut rows = Vec::new();
        let mut taken = BTreeSet::new();
        for channel in &self.channels {
            let tree = Tree::of(self.source, locale, channel);
            rows.push(json!({
                "digitalChannelID": channel.id,
                "name": channel.name,
                "pages": tree.nodes(&own_node),
            }));
            let file =
                layout::channel_file(&channel.name).filter(|file| taken.insert(file.clone()));
            let file = file.unwrap_or_else(|| format!("channel-{}.json", channel.id));
            let nested = Value::from(tree.nodes(&official_node)).to_string();
            let path = format!("{locale}/nestedsitemap/{file}");
            put(&path, &layout::indented(&nested))?;
        }
        let rows = Value::from(rows).to_string();
        put(&layout::sitemap(locale), &layout::indented(&rows))
    }
}

fn listed(asset: &Entity<SourceId>) -> AssetBytes {
    let media = asset.body.parse();
    let text = |name: &str| {
        let text = media[name].as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned)
    };
    AssetBytes {
        id: asset.key.id,
        url: text("originUrl")
            .or_else(|| text("edgeUrl"))
            .unwrap_or_default(),
        modified: text("dateModified"),
        size: media["size"].as_u64().filter(|size| *size > 0),
        file: String::new(),
    }
}

/// The pages of one channel in one locale.
struct Tree<'a> {
    pages: BTreeMap<i64, &'a Entity<SourceId>>,
    /// By parent, in display order; without one those at the root, and those whose parent is not in the tree.
    children: BTreeMap<Option<i64>, Vec<i64>>,
}

/// A page as a node, with what is below it.
type Node<'a> = &'a dyn Fn(&Entity<SourceId>, &[Value]) -> Value;

impl<'a> Tree<'a> {
    fn of(source: &'a Inventory<SourceId>, locale: &Locale, channel: &Channel) -> Self {
        let is_here = |page: &&Entity<SourceId>| {
            let placement = page.placement.as_deref();
            page.locale() == Some(locale)
                && placement.is_some_and(|placement| placement.channel_id == channel.id)
        };
        let here: Vec<_> = source.of_kind(Kind::Page).iter().filter(is_here).collect();
        let pages: BTreeMap<i64, _> = here.iter().map(|page| (page.key.id.raw(), *page)).collect();
        let mut placed: Vec<(Option<i64>, u32, i64)> = Vec::new();
        for page in here {
            if let Some(placement) = page.placement.as_deref() {
                let parent = placement.parent.filter(|id| pages.contains_key(id));
                placed.push((parent, placement.position, page.key.id.raw()));
            }
        }
        placed.sort_unstable();
        let mut children: BTreeMap<Option<i64>, Vec<i64>> = BTreeMap::new();
        for (parent, _, page) in placed {
            children.entry(parent).or_default().push(page);
        }
        Self { pages, children }
    }

    fn nodes(&self, node: Node<'_>) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        let mut nodes = self.below(None, node, &mut seen);
        // Pages that are above themselves: each stands at the root and names its parent.
        for page in self.pages.keys() {
            if !seen.contains(page) {
                nodes.extend(self.node(*page, node, &mut seen));
            }
        }
        nodes
    }

    fn below(&self, parent: Option<i64>, node: Node<'_>, seen: &mut BTreeSet<i64>) -> Vec<Value> {
        let pages = self.children.get(&parent).into_iter().flatten();
        pages
            .filter_map(|page| self.node(*page, node, seen))
            .collect()
    }

    fn node(&self, page: i64, node: Node<'_>, seen: &mut BTreeSet<i64>) -> Option<Value> {
        let entity = self.pages.get(&page).filter(|_| seen.insert(page))?;
        Some(node(entity, &self.below(Some(page), node, seen)))
    }
}

/// A node of the Management API.
fn own_node(page: &Entity<SourceId>, below: &[Value]) -> Value {
    let parent = page.placement.as_ref().and_then(|place| place.parent);
    json!({
        "pageID": page.key.id,
        "parentPageID": parent.unwrap_or(-1),
        "name": page.name,
        "childPages": below,
    })
}

/// A node as the official CLI has it.
fn official_node(page: &Entity<SourceId>, below: &[Value]) -> Value {
    let body = page.body.parse();
    json!({
        "pageID": page.key.id,
        "name": body["name"],
        "title": body["title"],
        "menuText": body["menuText"],
        "path": body["path"],
        "visible": body["visible"],
        "redirect": body["redirectUrl"],
        "isFolder": body["pageType"] == "folder",
        "children": below,
    })
}
