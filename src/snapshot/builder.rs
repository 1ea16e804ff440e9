//! Collects answers and checks that they are all there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::domain::{
    AssetContainer, BodyFile, Channel, ContentHash, Entity, Guid, Id, Inventory, ItemState, Key,
    Kind, Locale, PageNode, Passed, Placement,
};
use crate::instance::{ReadRequest, ReadResponse, Record};

use super::former::schema_hash;
use super::initial_requests::{is_detail, subject};

/// An instance in the making.
///
/// Answers may come in any order. Where two report the same entity the later one counts, as in the sync
/// feed, where a row may change or end an earlier one.
#[derive(Debug)]
pub struct Builder<I> {
    guid: Guid,
    locales: Vec<Locale>,
    channels: Vec<Channel>,
    asset_container: AssetContainer,
    passed: Vec<Passed>,
    passed_seen: HashSet<(Kind, i64, Box<str>)>,
    /// Deleted ones included, so that they are not taken for missing.
    entities: HashMap<Key<I>, Entity<I>>,
    /// Where their bodies go; `None` keeps them in memory.
    bodies: Option<Arc<BodyFile>>,
    /// The first place that the sitemap states for a page.
    nodes: HashMap<(Locale, i64), Placement>,
    /// The largest number that any page of a list reported.
    expected: BTreeMap<Kind, usize>,
    answered: HashSet<ReadRequest>,
    open: HashSet<ReadRequest>,
    /// Details that a list announced and that were not there.
    absent: Vec<ReadRequest>,
    tally: BTreeMap<Kind, Tally>,
}

/// Counts of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Entities that are not deleted, and rows passed over.
    rows: usize,
    lists_open: usize,
    details_open: usize,
    lists_answered: usize,
}

/// How far the reading of one kind has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The kind.
    pub kind: Kind,
    /// Rows read so far; folders and built-in ones count.
    pub read: usize,
    /// How many rows there will be, as far as is known yet. The feeds of content and pages state it only at
    /// their end.
    pub expected: Option<usize>,
}

/// What a reading lacks. An instance that is changed while it is read comes out short as well; reading it
/// again helps then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// A list has fewer rows than the server said.
    #[error("the list of {} of {guid} came out short: {found} of {expected}", .kind.plural())]
    Short {
        /// The instance.
        guid: Guid,
        /// The list.
        kind: Kind,
        /// How many the server said there are.
        expected: usize,
        /// How many different ones were read.
        found: usize,
    },
    /// Something was never asked or never answered.
    #[error("{guid} was read in part only: no answer about {ask}{}", others(*.more))]
    Unanswered {
        /// The instance.
        guid: Guid,
        /// The first of them.
        ask: Box<ReadRequest>,
        /// How many others.
        more: usize,
    },
    /// A list announced something that does not exist.
    #[error("{ask} of {guid} is in its list but does not exist")]
    Absent {
        /// The instance.
        guid: Guid,
        /// What was announced.
        ask: Box<ReadRequest>,
    },
    /// The sitemap lists a page that has not been read.
    #[error(
        "page {page} of {guid} is in the sitemap of {locale} but could not be read{}",
        others(*.more)
    )]
    NoPage {
        /// The instance.
        guid: Guid,
        /// The locale of the sitemap.
        locale: Locale,
        /// The page.
        page: i64,
        /// How many others.
        more: usize,
    },
}

impl Incomplete {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Short { .. } | Self::Absent { .. } | Self::NoPage { .. } => Some(
                "run again; if it persists while the instance is not being edited, re-run with --verbose".to_owned(),
            ),
            Self::Unanswered { .. } => None,
        }
    }
}

fn others(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

impl<I: Id> Builder<I> {
    /// Nothing read yet.
    pub fn new(guid: Guid) -> Self {
        Self {
            guid,
            locales: Vec::new(),
            channels: Vec::new(),
            asset_container: AssetContainer::default(),
            passed: Vec::new(),
            passed_seen: HashSet::new(),
            entities: HashMap::new(),
            bodies: None,
            nodes: HashMap::new(),
            expected: BTreeMap::new(),
            answered: HashSet::new(),
            open: HashSet::new(),
            absent: Vec::new(),
            tally: BTreeMap::new(),
        }
    }

    /// Lets bodies stand in a file instead of memory.
    #[must_use]
    pub fn with_bodies_in(mut self, file: Option<Arc<BodyFile>>) -> Self {
        self.bodies = file;
        self
    }

    /// Takes what a former reading found, before anything else. What feeds report from here on changes or ends it.
    pub fn begin_with(&mut self, found: Vec<Record<I>>) {
        for found in found {
            self.take(found);
        }
    }

    /// Forgets the items or pages of a locale, so that their feed can be read from its beginning.
    pub fn forget(&mut self, kind: Kind, locale: &Locale) {
        let is_it = |key: &Key<I>| key.kind == kind && key.locale.as_ref() == Some(locale);
        let alive = |(key, entity): &(&Key<I>, &Entity<I>)| {
            is_it(key) && entity.state != ItemState::Deleted
        };
        let gone = self.entities.iter().filter(alive).count();
        self.tally.entry(kind).or_default().rows -= gone;
        self.entities.retain(|key, _| !is_it(key));
        self.answered.retain(|ask| match ask {
            ReadRequest::Items { locale: of, .. } => kind != Kind::Content || of != locale,
            ReadRequest::Pages { locale: of, .. } => kind != Kind::Page || of != locale,
            _ => true,
        });
    }

    /// The hash of the models, containers and templates that were read so far.
    pub fn schema(&self) -> ContentHash {
        schema_hash(self.entities.values())
    }

    /// Announces questions, so that [`Builder::finish`] misses their answers. The follow-ups of an answer
    /// are announced by [`Builder::add`].
    pub fn expect(&mut self, asks: &[ReadRequest]) {
        for ask in asks {
            if self.answered.contains(ask) || !self.open.insert(ask.clone()) {
                continue;
            }
            if let Some(kind) = subject(ask) {
                let tally = self.tally.entry(kind).or_default();
                if is_detail(ask) {
                    tally.details_open += 1;
                } else {
                    tally.lists_open += 1;
                }
            }
        }
    }

    /// Takes an answer and returns those of its follow-ups that have not come up before: the two lists of
    /// models overlap.
    pub fn add(&mut self, ask: &ReadRequest, answer: ReadResponse<I>) -> Vec<ReadRequest> {
        self.settle(ask);
        let announced = matches!(ask, ReadRequest::Model(_) | ReadRequest::Container(_));
        if announced && answer.found.is_empty() {
            self.absent.push(ask.clone());
        }
        for found in answer.found {
            self.take(found);
        }
        let mut fresh = answer.follow_ups;
        let mut seen = HashSet::new();
        fresh.retain(|ask| {
            !self.answered.contains(ask) && !self.open.contains(ask) && seen.insert(ask.clone())
        });
        self.expect(&fresh);
        fresh
    }

    /// How many different things were read; what an answer repeats does not count.
    pub fn rows(&self) -> usize {
        let single = self.locales.len() + self.channels.len();
        self.entities.len() + self.passed.len() + self.nodes.len() + single
    }

    fn settle(&mut self, ask: &ReadRequest) {
        let was_open = self.open.remove(ask);
        let is_new = self.answered.insert(ask.clone());
        let Some(kind) = subject(ask) else { return };
        let tally = self.tally.entry(kind).or_default();
        match (is_detail(ask), was_open) {
            (true, true) => tally.details_open -= 1,
            (false, true) => tally.lists_open -= 1,
            (_, false) => {}
        }
        if is_new && !is_detail(ask) {
            tally.lists_answered += 1;
        }
    }

    fn take(&mut self, found: Record<I>) {
        match found {
            Record::Entity(entity) => self.take_entity(entity),
            Record::Locale(locale) => {
                if !self.locales.contains(&locale) {
                    self.locales.push(locale);
                }
            }
            Record::Channel(channel) => {
                if !self.channels.iter().any(|known| known.id == channel.id) {
                    self.channels.push(channel);
                }
            }
            Record::AssetContainer(container) => self.asset_container = container,
            Record::Node(node) => self.take_node(node),
            Record::Expected { kind, rows } => {
                let expected = self.expected.entry(kind).or_default();
                *expected = rows.max(*expected);
            }
            Record::Summary(_) => {}
            Record::Passed { kind, id, name } => {
                if self.passed_seen.insert((kind, id, name.clone())) {
                    self.tally.entry(kind).or_default().rows += 1;
                    self.passed.push(Passed { kind, id, name });
                }
            }
        }
    }

    fn take_entity(&mut self, mut entity: Entity<I>) {
        if let Some(file) = &self.bodies {
            entity.body.put_into(file);
        }
        let kind = entity.key.kind;
        let is_alive = entity.state != ItemState::Deleted;
        let before = self.entities.insert(entity.key.clone(), entity);
        let was_alive = before.is_some_and(|before| before.state != ItemState::Deleted);
        let rows = &mut self.tally.entry(kind).or_default().rows;
        *rows = *rows + usize::from(is_alive) - usize::from(was_alive);
    }

    fn take_node(&mut self, node: PageNode) {
        if node.page_type.eq_ignore_ascii_case("dynamic_node") {
            return;
        }
        self.nodes
            .entry((node.locale, node.page))
            .or_insert(node.placement);
    }

    /// How far each kind has come, in listing order; kinds that were not requested are left out.
    pub fn progress(&self) -> Vec<Progress> {
        let progress = self.tally.iter().map(|(kind, tally)| {
            let known = tally.lists_open == 0 && tally.lists_answered > 0;
            let counted = known.then_some(tally.rows + tally.details_open);
            let told = self.expected.get(kind).copied();
            Progress {
                kind: *kind,
                read: tally.rows,
                expected: told.or(counted),
            }
        });
        progress.collect()
    }

    /// The pages that a sitemap lists and no feed has reported: dynamic pages without items are among them. They are
    /// requested when everything else has been answered; empty once they were.
    pub fn missing_pages(&self) -> Vec<ReadRequest> {
        let mut missing: Vec<_> = self
            .unread_nodes()
            .into_iter()
            .map(|(locale, page)| ReadRequest::One {
                kind: Kind::Page,
                id: page,
                locale: Some(locale),
            })
            .filter(|ask| !self.answered.contains(ask))
            .collect();
        missing.dedup();
        missing
    }

    /// Nodes without a living page, sorted.
    fn unread_nodes(&self) -> Vec<(Locale, i64)> {
        let mut unread: Vec<_> = self
            .nodes
            .keys()
            .filter(|(locale, page)| {
                let key = Key::localised(Kind::Page, *page, locale);
                let entity = self.entities.get(&key);
                entity.is_none_or(|entity| entity.state == ItemState::Deleted)
            })
            .cloned()
            .collect();
        unread.sort_unstable();
        unread
    }

    /// The instance, if nothing is missing. Deleted entities are left out; each page has its place, or
    /// has none where no sitemap lists it.
    ///
    /// # Errors
    /// [`Incomplete`] with the first thing that is missing.
    pub fn finish(self) -> Result<Inventory<I>, Incomplete> {
        self.check()?;
        let Self {
            guid,
            locales,
            channels,
            asset_container,
            passed,
            entities,
            mut nodes,
            ..
        } = self;
        let entities = entities
            .into_values()
            .filter(|entity| entity.state != ItemState::Deleted)
            .map(|mut entity| {
                if let (Kind::Page, Some(locale)) = (entity.key.kind, &entity.key.locale) {
                    let place = nodes.remove(&(locale.clone(), entity.key.id.raw()));
                    entity.placement = place.map(Box::new);
                }
                entity
            })
            .collect();
        let mut inventory = Inventory::empty(guid).with_entities(entities);
        inventory.locales = locales;
        inventory.channels = channels;
        inventory.asset_container = asset_container;
        inventory.passed = passed
            .into_iter()
            .filter(|row| !is_entity(&inventory, row))
            .collect();
        Ok(inventory)
    }

    fn check(&self) -> Result<(), Incomplete> {
        let guid = || self.guid.clone();
        if let Some(ask) = self.open.iter().min_by_key(ToString::to_string) {
            return Err(Incomplete::Unanswered {
                guid: guid(),
                ask: Box::new(ask.clone()),
                more: self.open.len() - 1,
            });
        }
        if let Some(ask) = self.absent.first() {
            return Err(Incomplete::Absent {
                guid: guid(),
                ask: Box::new(ask.clone()),
            });
        }
        for (kind, expected) in &self.expected {
            let found = self.tally.get(kind).map_or(0, |tally| tally.rows);
            if found < *expected {
                return Err(Incomplete::Short {
                    guid: guid(),
                    kind: *kind,
                    expected: *expected,
                    found,
                });
            }
        }
        let unread = self.unread_nodes();
        match unread.first() {
            Some((locale, page)) => Err(Incomplete::NoPage {
                guid: guid(),
                locale: locale.clone(),
                page: *page,
                more: unread.len() - 1,
            }),
            None => Ok(()),
        }
    }
}

/// An id that the API uses for something built in may be an entity's own after all; the entity counts then.
fn is_entity<I: Id>(inventory: &Inventory<I>, row: &Passed) -> bool {
    !row.kind.is_localised() && inventory.get(&Key::global(row.kind, row.id)).is_some()
}

#[cfg(test)]
mod tests;
