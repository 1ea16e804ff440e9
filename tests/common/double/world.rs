//! What an instance holds, and what reads and saves make of it.

use std::collections::{BTreeMap, BTreeSet};

use lockgate::domain::{
    AssetContainer, AssetUrls, BatchId, Body, Channel, Entity, Id, ItemState, Key, Kind, Locale,
    PageNode, Placement, TargetId, Version,
};
use lockgate::instance::{
    About, BatchStatus, PageSave, ReadRequest, Record, Refusal, Save, Saved, Workflow,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::nature::Ids;
use super::watch::{REFUSED, Watch};
use super::work::{Act, Batch, Postponed, Work};

/// Where the ids of the source begin. No other number in a body has as many digits.
pub(crate) const SOURCE_IDS: i64 = 1_000_000;
/// Where the ids of the target begin.
pub(crate) const TARGET_IDS: i64 = 5_000_000;
/// Every kind has as many ids of its own.
pub(crate) const IDS_OF_KIND: i64 = 100_000;

/// The `number`th id of a kind.
pub(crate) fn id(begin: i64, kind: Kind, number: i64) -> i64 {
    let at = Kind::ALL.iter().position(|other| *other == kind).unwrap();
    begin + i64::try_from(at).unwrap() * IDS_OF_KIND + number
}

/// An entity as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) id: i64,
    pub(crate) locale: Option<Locale>,
    pub(crate) name: String,
    pub(crate) body: Value,
    /// Of pages.
    pub(crate) parent: Option<i64>,
    /// Of pages: smaller ones come first.
    pub(crate) position: u32,
    /// Of assets.
    pub(crate) bytes: Vec<u8>,
    /// Of content and pages: as many as it has been saved.
    pub(crate) version: i64,
    /// The body that the public sees.
    pub(crate) live: Option<Value>,
}

pub(crate) type RowKey = (Kind, i64, Option<Locale>);

impl Row {
    pub(crate) fn key(&self) -> RowKey {
        (self.kind, self.id, self.locale.clone())
    }
}

/// An instance.
#[derive(Debug)]
pub(crate) struct World {
    begin: i64,
    host: &'static str,
    locales: Vec<Locale>,
    pub(crate) rows: BTreeMap<RowKey, Row>,
    next: i64,
    ids: Ids,
    batches: BTreeMap<i64, Batch>,
    postponed: Vec<Postponed>,
    /// The moment at which something takes effect.
    now: Instant,
    /// What others have deleted, and what of it since [`World::forget_deleted`].
    deleted: BTreeSet<(Kind, i64)>,
    deleted_lately: BTreeSet<(Kind, i64)>,
    pub(super) watch: Watch,
}

impl World {
    /// A source that holds `rows`.
    pub(crate) fn source(locales: &[Locale], rows: Vec<Row>) -> Self {
        Self {
            // Rows that come later have ids of their own.
            next: 10_000,
            ..Self::new(SOURCE_IDS, "source.test", locales, rows)
        }
    }

    /// A target that holds nothing.
    pub(crate) fn target(locales: &[Locale]) -> Self {
        Self::new(TARGET_IDS, "target.test", locales, Vec::new())
    }

    fn new(begin: i64, host: &'static str, locales: &[Locale], rows: Vec<Row>) -> Self {
        Self {
            begin,
            host,
            locales: locales.to_vec(),
            rows: rows.into_iter().map(|row| (row.key(), row)).collect(),
            next: 1,
            ids: Ids::Rising,
            batches: BTreeMap::new(),
            postponed: Vec::new(),
            now: Instant::now(),
            deleted: BTreeSet::new(),
            deleted_lately: BTreeSet::new(),
            watch: Watch::default(),
        }
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Row> {
        self.rows.values().filter(move |row| row.kind == kind)
    }

    pub(crate) fn has(&self, kind: Kind, id: i64) -> bool {
        self.of_kind(kind).any(|row| row.id == id)
    }

    /// Whether it is here, or was here until others deleted it lately.
    pub(super) fn had(&self, kind: Kind, id: i64) -> bool {
        self.has(kind, id) || self.deleted_lately.contains(&(kind, id))
    }

    /// Takes a row away that others delete. A run that is on has read it, and cannot know.
    pub(crate) fn delete(&mut self, key: &RowKey) {
        self.rows.remove(key);
        self.deleted.insert((key.0, key.1));
        self.deleted_lately.insert((key.0, key.1));
    }

    /// What was deleted up to now is known to whoever reads from now on.
    pub(crate) fn forget_deleted(&mut self) {
        self.deleted_lately.clear();
    }

    pub(super) fn named(&self, kind: Kind, name: &str) -> Option<&Row> {
        self.of_kind(kind)
            .find(|row| row.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn container(&self) -> AssetContainer {
        AssetContainer {
            origin_url: format!("https://origin.{}/files", self.host).into(),
            edge_url: format!("https://cdn.{}/files", self.host).into(),
        }
    }

    fn urls(&self, name: &str) -> AssetUrls {
        let container = self.container();
        AssetUrls {
            origin: format!("{}/{name}", container.origin_url).into(),
            edge: format!("{}/{name}", container.edge_url).into(),
        }
    }

    pub(super) fn bytes(&self, url: &str) -> Option<Vec<u8>> {
        let rows = self.of_kind(Kind::Asset);
        let mut found = rows.filter(|row| *self.urls(&row.name).origin == *url);
        found.next().map(|row| row.bytes.clone())
    }

    pub(super) fn answer<I: Id>(&self, ask: &ReadRequest) -> Vec<Record<I>> {
        let all = |kind| self.of_kind(kind).map(entity).map(Record::Entity).collect();
        let in_locale = |kind, locale: &Locale| {
            let rows = self.of_kind(kind);
            let rows = rows.filter(|row| row.locale.as_ref() == Some(locale));
            rows.map(entity).map(Record::Entity).collect()
        };
        match ask {
            ReadRequest::Locales => self.locales.iter().cloned().map(Record::Locale).collect(),
            ReadRequest::Models { components: true } => Vec::new(),
            ReadRequest::Models { components: false } => all(Kind::Model),
            ReadRequest::Containers => all(Kind::Container),
            ReadRequest::Templates(_) => all(Kind::Template),
            ReadRequest::Galleries { .. } => all(Kind::Gallery),
            ReadRequest::Assets { .. } => all(Kind::Asset),
            ReadRequest::Redirections => all(Kind::Redirection),
            ReadRequest::AssetContainer => vec![Record::AssetContainer(self.container())],
            ReadRequest::Items { locale, .. } => in_locale(Kind::Content, locale),
            ReadRequest::Pages { locale, .. } => in_locale(Kind::Page, locale),
            ReadRequest::Sitemap(locale) => self.sitemap(locale),
            ReadRequest::Model(id) => self.one(Kind::Model, *id, None),
            ReadRequest::Container(id) => self.one(Kind::Container, *id, None),
            ReadRequest::One { kind, id, locale } => {
                self.one(*kind, *id, locale.as_ref().filter(|_| kind.is_localised()))
            }
            ReadRequest::Named { kind, name, .. } => self
                .named(*kind, name)
                .map(entity)
                .map(Record::Entity)
                .into_iter()
                .collect(),
            ReadRequest::ContainerItems {
                locale, container, ..
            } => self.items_of(locale, container),
            ReadRequest::Live { kind, id, locale } => {
                let row = self.rows.get(&(*kind, *id, Some(locale.clone())));
                row.and_then(public)
                    .map(Record::Entity)
                    .into_iter()
                    .collect()
            }
            ReadRequest::PublicItems { locale, .. } => {
                let rows = self.of_kind(Kind::Content);
                let rows = rows.filter(|row| row.locale.as_ref() == Some(locale));
                rows.filter_map(public).map(Record::Entity).collect()
            }
            ReadRequest::ItemsById { locale, ids } => ids
                .iter()
                .flat_map(|id| self.one(Kind::Content, *id, Some(locale)))
                .collect(),
        }
    }

    fn one<I: Id>(&self, kind: Kind, id: i64, locale: Option<&Locale>) -> Vec<Record<I>> {
        let row = self.rows.get(&(kind, id, locale.cloned()));
        row.map(entity).map(Record::Entity).into_iter().collect()
    }

    fn items_of<I>(&self, locale: &Locale, container: &str) -> Vec<Record<I>> {
        let is_in = |row: &&Row| {
            let list = row.body["properties"]["referenceName"]
                .as_str()
                .unwrap_or_default();
            row.locale.as_ref() == Some(locale) && list.eq_ignore_ascii_case(container)
        };
        let passed = |row: &Row| Record::Passed {
            kind: Kind::Content,
            id: row.id,
            name: locale.as_str().into(),
        };
        self.of_kind(Kind::Content)
            .filter(is_in)
            .map(passed)
            .collect()
    }

    fn sitemap<I>(&self, locale: &Locale) -> Vec<Record<I>> {
        let mut pages: Vec<&Row> = self.of_kind(Kind::Page).collect();
        pages.retain(|row| row.locale.as_ref() == Some(locale));
        let node = |row: &&Row| {
            Record::Node(PageNode {
                page: row.id,
                locale: locale.clone(),
                placement: Placement {
                    channel: "website".into(),
                    channel_id: self.channel_id(),
                    parent: row.parent,
                    position: row.position,
                },
                page_type: "static".into(),
            })
        };
        let channel = Record::Channel(Channel {
            id: self.channel_id(),
            name: "website".into(),
        });
        std::iter::once(channel)
            .chain(pages.iter().map(node))
            .collect()
    }

    pub(super) const fn channel_id(&self) -> i64 {
        self.begin / 1_000_000
    }

    /// Stores what is saved in one request.
    pub(super) fn save(&mut self, save: &Save) -> Result<Saved, Refusal> {
        if let Some(refusal) = refusal(&save.body) {
            return Err(refusal);
        }
        if save.id.is_none() && is_unique(save.kind) && self.named(save.kind, &save.name).is_some()
        {
            return Err(said("there is one of this name"));
        }
        let locale = save.locale.clone().filter(|_| save.kind.is_localised());
        let id = save.id.map_or_else(|| self.new_id(save.kind), Id::raw);
        // What was there when the request left was checked then.
        let is_deleted = self.deleted.contains(&(save.kind, id));
        if save.id.is_some() && !self.has(save.kind, id) && !is_deleted {
            self.watch
                .problem(format!("{} {id} is saved and does not exist", save.kind));
        }
        let mut body = (*save.body).clone();
        if save.kind == Kind::Template {
            self.number_zones(&mut body);
        }
        let name = match save.kind {
            Kind::Redirection => body["originUrl"].as_str().unwrap_or_default().to_owned(),
            _ => save.name.to_string(),
        };
        let key = (save.kind, id, locale.clone());
        let before = self.rows.get(&key);
        let row = Row {
            kind: save.kind,
            id,
            locale,
            name: name.clone(),
            body,
            parent: before.and_then(|row| row.parent),
            position: before.map_or(0, |row| row.position),
            bytes: Vec::new(),
            version: before.map_or(1, |row| row.version + 1),
            live: before.and_then(|row| row.live.clone()),
        };
        let version = Version(row.version);
        self.rows.insert(key, row);
        Ok(Saved {
            id: TargetId::new(id),
            version: save.kind.is_localised().then_some(version),
            name: Some(name.into()),
            urls: None,
        })
    }

    fn number_zones(&mut self, body: &mut Value) {
        let zones = body["contentSectionDefinitions"].as_array_mut();
        for zone in zones.into_iter().flatten() {
            if zone["pageItemTemplateID"].as_i64().is_none_or(|id| id <= 0) {
                self.next += 1;
                let beyond = i64::try_from(Kind::ALL.len()).unwrap();
                zone["pageItemTemplateID"] = (self.begin + beyond * IDS_OF_KIND + self.next).into();
            }
        }
    }

    /// An id that nothing of the kind has.
    pub(crate) fn new_id(&mut self, kind: Kind) -> i64 {
        let most = IDS_OF_KIND - 1;
        loop {
            self.next += 1;
            let number = match self.ids {
                Ids::Rising => self.next,
                Ids::Falling => most - self.next,
                // Steps without a common divisor with the range visit each number once.
                Ids::Scattered => self.next * 7_919 % most,
            };
            let id = id(self.begin, kind, number);
            if !self.has(kind, id) {
                return id;
            }
        }
    }

    pub(super) const fn give_ids(&mut self, ids: Ids) {
        self.ids = ids;
    }

    /// Carries out a step of the workflow.
    pub(super) fn publish(&mut self, step: Workflow, key: &RowKey) -> Result<Saved, Refusal> {
        let (kind, id) = (key.0, key.1);
        let row = self.rows.get_mut(key).ok_or_else(|| Refusal {
            about: Some(About {
                kind: Some(kind),
                id: TargetId::new(id),
            }),
            ..said("there is no such item")
        })?;
        row.live = match step {
            Workflow::Publish => Some(row.body.clone()),
            Workflow::Unpublish => None,
        };
        Ok(Saved {
            id: TargetId::new(id),
            version: Some(Version(row.version)),
            name: None,
            urls: None,
        })
    }

    /// Whether a save puts a page somewhere, and not just where it is.
    pub(super) fn takes_place(&self, page: &PageSave) -> bool {
        let Some(id) = page.save.id.map(Id::raw) else {
            return true;
        };
        let (locale, parent) = (page.save.locale.clone(), page.parent.map(Id::raw));
        let mut row: Vec<(u32, i64)> = self
            .of_kind(Kind::Page)
            .filter(|row| row.locale == locale && row.parent == parent)
            .map(|row| (row.position, row.id))
            .collect();
        row.sort_unstable();
        let at = row.iter().position(|(_, other)| *other == id);
        let next = at.map(|at| row.get(at + 1).map(|(_, next)| *next));
        let before = page.place_before.map(Id::raw);
        next.is_none_or(|next| before.is_some() && before != next)
    }

    /// Stores a page in its place.
    pub(super) fn save_page(&mut self, page: &PageSave) -> Result<Saved, Refusal> {
        let joined = page.other_locale.as_ref().map(|(id, _)| *id);
        let mut save = page.save.clone();
        save.id = save.id.or(joined);
        let is_new = page.save.id.is_none();
        let saved = self.save(&save)?;
        let locale = save.locale.clone();
        let parent = page.parent.map(Id::raw);
        let key = (Kind::Page, saved.id.raw(), locale.clone());
        let moves = self.rows[&key].parent != parent;
        if !is_new && !moves && page.place_before.is_none() {
            return Ok(saved);
        }
        let mut siblings: Vec<(u32, i64)> = self
            .of_kind(Kind::Page)
            .filter(|row| row.locale == locale && row.parent == parent && row.id != saved.id.raw())
            .map(|row| (row.position, row.id))
            .collect();
        siblings.sort_unstable();
        let mut order: Vec<i64> = siblings.into_iter().map(|(_, id)| id).collect();
        let before = page.place_before.map(Id::raw);
        let at = order.iter().position(|id| Some(*id) == before);
        order.insert(at.unwrap_or(order.len()), saved.id.raw());
        for (position, id) in (0..).zip(order) {
            let key = (Kind::Page, id, locale.clone());
            if let Some(row) = self.rows.get_mut(&key) {
                (row.position, row.parent) = (position, parent);
            }
        }
        Ok(saved)
    }

    /// Stores an asset over its path.
    pub(super) fn upload(&mut self, name: &str, gallery: Option<i64>, bytes: Vec<u8>) -> Saved {
        let known = self.named(Kind::Asset, name).map(|row| row.id);
        let id = known.unwrap_or_else(|| self.new_id(Kind::Asset));
        let urls = self.urls(name);
        let body = json!({
            "mediaID": id, "originKey": name, "fileName": name, "size": bytes.len(),
            "mediaGroupingID": gallery.unwrap_or(-1), "originUrl": urls.origin, "edgeUrl": urls.edge,
        });
        let row = Row {
            kind: Kind::Asset,
            id,
            locale: None,
            name: name.to_owned(),
            body,
            parent: None,
            position: 0,
            bytes,
            version: 1,
            live: None,
        };
        self.rows.insert((Kind::Asset, id, None), row);
        Saved {
            id: TargetId::new(id),
            version: None,
            name: Some(name.into()),
            urls: Some(urls),
        }
    }

    /// Takes in a batch that is worked off at `due`.
    pub(super) fn submit(&mut self, work: Vec<Work>, due: Instant, fails: bool) -> BatchId {
        self.next += 1;
        let batch = Batch {
            due,
            work,
            fails,
            end: None,
        };
        self.batches.insert(self.next, batch);
        BatchId(self.next)
    }

    pub(super) fn poll(&self, batch: BatchId) -> BatchStatus {
        let known = self
            .batches
            .get(&batch.0)
            .and_then(|batch| batch.end.clone());
        known.unwrap_or(BatchStatus::Working { processed: None })
    }

    /// When the worker is through with what was handed in.
    pub(super) fn free_at(&self) -> Instant {
        let due = self.batches.values().map(|batch| batch.due);
        due.max().map_or(self.now, |due| due.max(self.now))
    }

    /// The moment at which something takes effect: not that of whoever looks at its effect later.
    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    /// Lets `act` happen later.
    pub(super) fn postpone(&mut self, due: Instant, act: Act) {
        self.postponed.push(Postponed { due, act });
    }

    /// Works off what is due, in the order in which it was.
    pub(crate) fn advance(&mut self, now: Instant) {
        loop {
            let open = |(number, batch): (&i64, &Batch)| {
                (batch.end.is_none() && batch.due <= now).then_some((batch.due, *number))
            };
            let batch = self.batches.iter().filter_map(open).min();
            let late = (0..self.postponed.len()).filter(|at| self.postponed[*at].due <= now);
            let late = late.min_by_key(|at| self.postponed[*at].due);
            match (batch, late) {
                (None, None) => {
                    self.now = now;
                    return;
                }
                (Some((due, number)), at) if at.is_none_or(|at| due <= self.postponed[at].due) => {
                    self.work_off(number);
                }
                (_, Some(at)) => {
                    let late = self.postponed.remove(at);
                    self.now = late.due;
                    (late.act)(self);
                }
                (Some((_, number)), None) => self.work_off(number),
            }
        }
    }

    fn work_off(&mut self, number: i64) {
        let batch = &self.batches[&number];
        let (work, fails) = (batch.work.clone(), batch.fails);
        let end = if fails {
            BatchStatus::Failed(said("the batch was aborted"))
        } else {
            BatchStatus::Finished(work.iter().map(|work| Ok(work.carry_out(self)?)).collect())
        };
        self.watch.worked_off(&work);
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.end = Some(end);
        }
    }

    /// Puts other rows in the place of all. Only on a source.
    pub(super) fn replace(&mut self, other: Self) {
        let before = std::mem::replace(&mut self.rows, other.rows);
        for (key, row) in &mut self.rows {
            if let Some(before) = before.get(key) {
                row.version = before.version + i64::from(row.body != before.body);
            }
        }
    }
}

/// Whether a server keeps a second one of a name out.
const fn is_unique(kind: Kind) -> bool {
    match kind {
        Kind::Model | Kind::Container | Kind::Template | Kind::Gallery => true,
        Kind::Asset | Kind::Content | Kind::Page | Kind::Redirection => false,
    }
}

fn refusal(body: &Value) -> Option<Refusal> {
    body.to_string()
        .contains(REFUSED)
        .then(|| said("this one is not welcome"))
}

fn said(said: &str) -> Refusal {
    Refusal {
        about: None,
        error_type: None,
        said: said.to_owned(),
    }
}

/// What the public sees of a row.
fn public<I: Id>(row: &Row) -> Option<Entity<I>> {
    let body = Body::new(row.live.as_ref()?);
    Some(Entity {
        state: ItemState::Published,
        body,
        ..entity(row)
    })
}

fn entity<I: Id>(row: &Row) -> Entity<I> {
    let state = match &row.live {
        _ if !row.kind.is_localised() => ItemState::None,
        Some(live) if *live == row.body => ItemState::Published,
        Some(_) | None => ItemState::Staging,
    };
    Entity {
        key: Key {
            kind: row.kind,
            id: I::new(row.id),
            locale: row.locale.clone(),
        },
        name: row.name.as_str().into(),
        version: row.kind.is_localised().then_some(Version(row.version)),
        state,
        placement: None,
        body: Body::new(&row.body),
    }
}
