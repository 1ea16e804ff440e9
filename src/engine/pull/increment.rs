//! Reads an instance on from a former reading: what the feeds list since, and models and containers with another summary.
//!
//! Nothing is taken from a former reading that is not proven to be as it was:
//!
//! | what | proof |
//! |---|---|
//! | items and pages | the sync protocol: a change moves a row behind all others, with a higher token; deleted ones come with their state. The last page is asked for once more, and each row of it has to be listed again, and no other row that has the version that it had: a server that lost or renumbered its feed, or went back to a copy, does not do that |
//! | the same, where models, containers or templates differ | none: no document says that the feed lists items whose model changed, so the feeds are read from their beginning |
//! | models and containers in full | the row of the list is the same in every byte, and its date of change was two days old when the former reading began, so that neither its precision nor a clock or zone can hide a later change. The vendor's own client goes by that date |
//! | templates, galleries, assets, redirections, page trees | none needed or none given: they are read in full. Templates and redirections have no dates; `updatedSince` of assets is not described, and the rename of a folder need not change its files |
//!
//! Whatever does not hold makes the reading a full one, and so does every reading that comes out short.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{PullError, Reader, finish};
use crate::domain::{ContentHash, Entity, Id, Inventory, Key, Kind, Locale, Version, time};
use crate::event::Event;
use crate::instance::{ReadRequest, ReadResponse, Record, Source};
use crate::snapshot::{Builder, Detail, Feed, Former, FormerReads, Kept, first_asks};

/// How old a date of change has to be so that a later change has another one.
const SETTLED: SignedDuration = SignedDuration::from_hours(48);

/// Rows of a former reading for each new one up to which it is not replaced.
const WORTH: usize = 4;

/// Follows a reading: what the next one needs, and what proves that this one is whole.
#[derive(Debug)]
pub(super) struct Watch<I> {
    began: Timestamp,
    /// Of each feed the last page with rows, and the token that it was asked with.
    tails: BTreeMap<(Kind, Locale), (i64, BTreeSet<i64>)>,
    /// Everything that a feed has listed.
    told: HashMap<(Kind, Locale), BTreeSet<i64>>,
    /// Summaries that are old enough.
    summaries: BTreeMap<(Kind, i64), ContentHash>,
    /// What no feed has listed and was asked for alone.
    apart: BTreeSet<(Kind, i64, Option<Locale>)>,
    /// Rows that were read.
    rows: usize,
    /// The versions of the former reading, of what is on no last page of a feed.
    versions: HashMap<Key<I>, Version>,
    /// Feeds that listed something unchanged again.
    repeating: BTreeSet<(Kind, Locale)>,
    /// The full forms of the former reading, by model or container.
    details: HashMap<(Kind, i64), (ContentHash, Entity<I>)>,
}

impl<I: Id> Watch<I> {
    fn new() -> Self {
        Self {
            began: time::now(),
            tails: BTreeMap::new(),
            told: HashMap::new(),
            summaries: BTreeMap::new(),
            apart: BTreeSet::new(),
            rows: 0,
            versions: HashMap::new(),
            repeating: BTreeSet::new(),
            details: HashMap::new(),
        }
    }

    /// Notes an answer.
    pub(super) fn note(&mut self, ask: &ReadRequest, answer: &ReadResponse<I>) {
        let ids = || {
            let ids = answer.found.iter().filter_map(|found| match found {
                Record::Entity(entity) => Some(entity.key.id.raw()),
                Record::Passed { id, .. } => Some(*id),
                _ => None,
            });
            ids.collect::<BTreeSet<i64>>()
        };
        self.rows += answer.found.len();
        match ask {
            ReadRequest::Items { locale, token } | ReadRequest::Pages { locale, token } => {
                let feed = (feed_kind(ask), locale.clone());
                let is_as_before = |found: &Record<I>| match found {
                    Record::Entity(entity) => {
                        let before = self.versions.get(&entity.key);
                        before.is_some() && before.copied() == entity.version
                    }
                    _ => false,
                };
                if answer.found.iter().any(is_as_before) {
                    self.repeating.insert(feed.clone());
                }
                let ids = ids();
                self.told.entry(feed.clone()).or_default().extend(&ids);
                let tail = self.tails.entry(feed).or_default();
                if !ids.is_empty() && *token >= tail.0 {
                    *tail = (*token, ids);
                }
            }
            ReadRequest::One { kind, id, locale } => {
                self.apart.insert((*kind, *id, locale.clone()));
            }
            _ => {}
        }
        for found in &answer.found {
            let Record::Summary(summary) = found else {
                continue;
            };
            let moment = summary.modified.and_then(time::of_utc);
            if moment.is_some_and(|moment| self.began.duration_since(moment) > SETTLED) {
                self.summaries
                    .insert((summary.kind, summary.id), summary.hash);
            }
        }
    }

    /// The answer to a question that the former reading has, if that is proven to be as it was.
    fn known(&self, ask: &ReadRequest) -> Option<ReadResponse<I>> {
        let of = match ask {
            ReadRequest::Model(id) => (Kind::Model, *id),
            ReadRequest::Container(id) => (Kind::Container, *id),
            _ => return None,
        };
        let (hash, entity) = self.details.get(&of)?;
        if self.summaries.get(&of) != Some(hash) {
            return None;
        }
        Some(ReadResponse {
            found: vec![Record::Entity(entity.clone())],
            follow_ups: Vec::new(),
        })
    }

    /// Answers from the former reading what it can, and gives the rest.
    pub(super) fn spare(
        &self,
        asks: Vec<ReadRequest>,
        builder: &mut Builder<I>,
    ) -> Vec<ReadRequest> {
        let mut rest = Vec::new();
        for ask in asks {
            match self.known(&ask) {
                Some(answer) => drop(builder.add(&ask, answer)),
                None => rest.push(ask),
            }
        }
        rest
    }

    /// Whether a feed went on where it ended.
    fn goes_on(&self, feed: &Feed) -> bool {
        let of = (feed.kind, feed.locale.clone());
        let told = self.told.get(&of).filter(|_| !self.repeating.contains(&of));
        told.is_some_and(|told| feed.last.is_subset(told))
    }

    fn kept(&self, is_full: bool) -> Kept {
        let feeds = self.tails.iter();
        let details = self.summaries.iter();
        Kept {
            is_full,
            read_at: self.began.to_string(),
            feeds: feeds
                .map(|((kind, locale), (token, ids))| Feed {
                    kind: *kind,
                    locale: locale.clone(),
                    resume: *token,
                    last: ids.clone(),
                })
                .collect(),
            details: details
                .map(|((kind, id), hash)| Detail {
                    kind: *kind,
                    id: *id,
                    hash: *hash,
                })
                .collect(),
        }
    }
}

fn feed_kind(ask: &ReadRequest) -> Kind {
    if matches!(ask, ReadRequest::Pages { .. }) {
        Kind::Page
    } else {
        Kind::Content
    }
}

/// The question that a feed goes on with.
fn going_on(feed: &Feed, token: i64) -> ReadRequest {
    let locale = feed.locale.clone();
    match feed.kind {
        Kind::Page => ReadRequest::Pages { locale, token },
        _ => ReadRequest::Items { locale, token },
    }
}

/// How a reading went.
struct Went {
    because: String,
    /// When the former reading began; `None` of a full one.
    since: Option<String>,
}

impl<S: Source> Reader<S> {
    /// Reads everything in `locales`, on from a former reading where that is proven to be complete, and keeps what the next one
    /// needs.
    ///
    /// # Errors
    /// [`PullError`]; nothing of what was read counts then.
    pub(super) async fn pull_on<I: Id>(
        self: &Arc<Self>,
        reads: &FormerReads,
        locales: &[Locale],
    ) -> Result<Inventory<I>, PullError> {
        let (of, guid, all) = (reads.clone(), self.guid.clone(), locales.to_vec());
        let former = blocking(move || of.begin::<I>(&guid, &all)).await;
        let (mut because, mut before) = (String::new(), 0);
        let mut done = None;
        match former {
            Err(why) => because = why,
            Ok(former) => {
                before = former.entities.len();
                match Box::pin(self.go_on(former, locales)).await {
                    Ok(read) => done = Some(read),
                    Err(PullError::Incomplete { cause, .. }) => because = cause.to_string(),
                    Err(error) => return Err(error),
                }
            }
        }
        let (inventory, watch, went) = if let Some(done) = done {
            done
        } else {
            let mut watch = Watch::new();
            let asks = first_asks(locales, &Kind::ALL);
            let mut builder = self.builder();
            self.ask_all(asks, &mut builder, Some(&mut watch)).await?;
            let inventory = self.finished(builder, locales, &mut watch).await?;
            let since = None;
            (inventory, watch, Went { because, since })
        };
        let is_full = went.since.is_none();
        let (entities, rows) = (inventory.entities().len(), watch.rows);
        let inventory = if is_full || rows * WORTH > before {
            let (reads, kept, apart) = (reads.clone(), watch.kept(is_full), watch.apart);
            let keeping = move || {
                let kept = reads.keep(&inventory, kept, &apart);
                (inventory, kept)
            };
            let (inventory, kept) = blocking(keeping).await;
            if let Err(error) = kept {
                let message = format!(
                    "what was read could not be kept for the next run, which reads everything: {error}"
                );
                self.sink.emit(Event::Warned { message }).await;
            }
            inventory
        } else {
            inventory
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let event = Event::InstanceRead {
            side: self.side,
            entities: count(entities),
            rows: count(rows),
            since: went.since,
            because: went.because,
        };
        self.sink.emit(event).await;
        Ok(inventory)
    }

    /// Goes on from a former reading; feeds that do not go on are read from their beginning.
    async fn go_on<I: Id>(
        self: &Arc<Self>,
        former: Former<I>,
        locales: &[Locale],
    ) -> Result<(Inventory<I>, Watch<I>, Went), PullError> {
        let mut watch = Watch::new();
        let mut builder = self.builder();
        let Former { head, entities } = former;
        // What begins at the beginning is read in full anyway.
        let feeds: Vec<&Feed> = head.feeds.iter().filter(|feed| feed.resume > 0).collect();
        let is_fed = |key: &Key<I>| {
            let mut feeds = feeds.iter();
            feeds.any(|feed| feed.kind == key.kind && Some(&feed.locale) == key.locale.as_ref())
        };
        let on_last_page = |key: &Key<I>| {
            let mut feeds = feeds.iter();
            feeds.any(|feed| {
                let is_it = feed.kind == key.kind && Some(&feed.locale) == key.locale.as_ref();
                is_it && feed.last.contains(&key.id.raw())
            })
        };
        let hashes: HashMap<(Kind, i64), ContentHash> = head
            .details
            .iter()
            .map(|one| ((one.kind, one.id), one.hash))
            .collect();
        let mut rows = Vec::new();
        for entity in entities {
            let of = (entity.key.kind, entity.key.id.raw());
            if let Some(hash) = hashes.get(&of) {
                watch.details.insert(of, (*hash, entity));
            } else if is_fed(&entity.key) {
                if let (false, Some(version)) = (on_last_page(&entity.key), entity.version) {
                    watch.versions.insert(entity.key.clone(), version);
                }
                rows.push(Record::Entity(entity));
            }
        }
        builder.begin_with(rows);
        let mut asks = first_asks(locales, &Kind::ALL);
        for ask in &mut asks {
            let (ReadRequest::Items { locale, .. } | ReadRequest::Pages { locale, .. }) = &*ask
            else {
                continue;
            };
            let of = |feed: &&&Feed| feed.kind == feed_kind(ask) && feed.locale == *locale;
            if let Some(feed) = feeds.iter().find(of) {
                *ask = going_on(feed, feed.resume);
            }
        }
        self.ask_all(asks, &mut builder, Some(&mut watch)).await?;
        let is_same_schema = builder.schema() == head.schema;
        let mut anew = feeds.clone();
        anew.retain(|feed| !is_same_schema || !watch.goes_on(feed));
        let because = match (is_same_schema, anew.first()) {
            (false, Some(_)) => {
                "items and pages were read in full: models, containers or templates have changed"
                    .to_owned()
            }
            (true, Some(feed)) => format!(
                "the feed of {} in {} does not go on where it ended, and was read in full",
                feed.kind.plural(),
                feed.locale
            ),
            (_, None) => String::new(),
        };
        for feed in &anew {
            builder.forget(feed.kind, &feed.locale);
            let of = (feed.kind, feed.locale.clone());
            watch.tails.remove(&of);
            watch.versions.clear();
        }
        let asks = anew.iter().map(|feed| going_on(feed, 0)).collect();
        self.ask_all(asks, &mut builder, Some(&mut watch)).await?;
        let inventory = self.finished(builder, locales, &mut watch).await?;
        let since = Some(head.read_at);
        Ok((inventory, watch, Went { because, since }))
    }

    async fn finished<I: Id>(
        self: &Arc<Self>,
        mut builder: Builder<I>,
        locales: &[Locale],
        watch: &mut Watch<I>,
    ) -> Result<Inventory<I>, PullError> {
        let pages = builder.missing_pages();
        self.ask_all(pages, &mut builder, Some(watch)).await?;
        let read = finish(builder, locales);
        read.map_err(|cause| self.incomplete(cause))
    }
}

/// Does work with files beside the runtime.
async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()))
}
