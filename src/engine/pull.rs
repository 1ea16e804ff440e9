//! Reads an instance completely, many requests at a time, or reports what is missing.

mod increment;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::task::JoinSet;

use self::increment::Watch;
use super::endless::{Counted, Endless};
use super::once::ReadOnce;
use super::options::ReadLimits;
use super::pace::{Class, Pacer, weighing};
use super::retry::{Retries, Sender};
use super::sink::Sink;
use crate::domain::{BodyFile, Guid, Id, Inventory, Kind, Locale, SourceId};
use crate::event::{Event, Side};
use crate::instance::{Effect, ReadRequest, ReadResponse, Record, RequestError, Source};
use crate::snapshot::{Builder, FormerReads, Incomplete, Progress, first_asks};

/// Why an instance could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PullError {
    /// A request brought no answer.
    #[error("the {side} instance {guid} could not be read")]
    Request {
        /// Which side.
        side: &'static str,
        /// The instance.
        guid: Guid,
        /// The request.
        #[source]
        cause: RequestError,
    },
    /// All requests brought answers, and something is missing all the same.
    #[error("the {side} instance {guid} could not be read completely")]
    Incomplete {
        /// Which side.
        side: &'static str,
        /// The instance.
        guid: Guid,
        /// What is missing.
        #[source]
        cause: Incomplete,
    },
    /// It does not end.
    #[error("the {side} instance {guid} could not be read to its end")]
    Endless {
        /// Which side.
        side: &'static str,
        /// The instance.
        guid: Guid,
        /// What goes on.
        #[source]
        cause: Endless,
    },
}

/// What an instance is read through.
#[derive(Debug)]
pub struct Reader<S> {
    /// The instance.
    pub instance: S,
    /// Its GUID.
    pub guid: Guid,
    /// Source or target.
    pub side: Side,
    /// Its pace.
    pub pacer: Arc<Pacer>,
    /// How often a read is repeated.
    pub retries: Retries,
    /// Questions in flight at most.
    pub concurrency: usize,
    /// How much of it is read.
    pub limits: ReadLimits,
    /// Where events go.
    pub sink: Sink,
    /// Where the bodies of what is read go; `None` keeps them in memory.
    pub bodies: Option<Arc<BodyFile>>,
    /// Where the last reading is kept, so that the next one goes on from it; `None` reads everything, and keeps nothing.
    pub former: Option<FormerReads>,
    /// What several runs read together, where this is the source of them.
    pub once: ReadOnce<PullError>,
}

impl<S> Reader<S> {
    /// Sends requests at the pace of the instance, without the trail, the fence and the alarm of an upload.
    pub fn sender(&self) -> Sender<'_> {
        Sender {
            pacer: &self.pacer,
            retries: self.retries,
            sink: &self.sink,
            attempts: None,
            fence: None,
            alarm: None,
        }
    }
}

impl<S: Source> Reader<S> {
    /// Asks one question, again if need be.
    ///
    /// # Errors
    /// The last [`RequestError`].
    pub async fn ask<I: Id>(&self, ask: &ReadRequest) -> Result<ReadResponse<I>, RequestError> {
        let read = || self.instance.read(ask);
        let class = Class::of(ask);
        self.sender().send_as(class, Effect::Read, read).await
    }

    /// The enabled locales of the instance.
    ///
    /// # Errors
    /// [`PullError::Request`]
    pub async fn locales(&self) -> Result<Vec<Locale>, PullError> {
        let answer: ReadResponse<crate::domain::SourceId> = self
            .ask(&ReadRequest::Locales)
            .await
            .map_err(|cause| self.failed(cause))?;
        let locale = |found| match found {
            Record::Locale(locale) => Some(locale),
            _ => None,
        };
        Ok(answer.found.into_iter().filter_map(locale).collect())
    }

    /// Reads everything in `locales`.
    ///
    /// # Errors
    /// [`PullError`]; nothing of what was read counts then.
    pub async fn pull<I: Id>(
        self: &Arc<Self>,
        locales: &[Locale],
    ) -> Result<Inventory<I>, PullError> {
        let inventory = match &self.former {
            Some(former) => Box::pin(self.pull_on(former, locales)).await?,
            None => self.pull_kinds(locales, &Kind::ALL).await?,
        };
        self.emit_ignored(&inventory).await;
        Ok(inventory)
    }

    /// Reads everything in `locales`, unless it is read or has been read already: runs of one source share what it holds.
    ///
    /// # Errors
    /// As [`Reader::pull`]; every run gets the same one.
    pub async fn pull_once(
        self: &Arc<Self>,
        locales: &[Locale],
    ) -> Result<Arc<Inventory<SourceId>>, PullError> {
        let reader = Arc::clone(self);
        let asked = locales.to_vec();
        let read = async move { reader.pull(&asked).await.map(Arc::new) };
        self.once.of(locales, read).await
    }

    /// Reports the rows that are not entities.
    async fn emit_ignored<I: Id>(&self, inventory: &Inventory<I>) {
        for kind in Kind::ALL {
            let mut rows = inventory.passed.iter().filter(|row| row.kind == kind);
            let Some(first) = rows.next() else { continue };
            let example = match first.name.trim() {
                "" => first.id.to_string(),
                name => name.to_owned(),
            };
            let event = Event::RowsIgnored {
                side: self.side,
                kind,
                rows: u32::try_from(rows.count() + 1).unwrap_or(u32::MAX),
                example,
            };
            self.sink.emit(event).await;
        }
    }

    /// Reads everything of some kinds in `locales`.
    ///
    /// # Errors
    /// [`PullError`]; nothing of what was read counts then.
    pub async fn pull_kinds<I: Id>(
        self: &Arc<Self>,
        locales: &[Locale],
        kinds: &[Kind],
    ) -> Result<Inventory<I>, PullError> {
        let mut builder = self.builder();
        let asks = first_asks(locales, kinds);
        self.ask_all(asks, &mut builder, None).await?;
        let pages = builder.missing_pages();
        self.ask_all(pages, &mut builder, None).await?;
        let read = finish(builder, locales);
        read.map_err(|cause| self.incomplete(cause))
    }

    /// Nothing read yet.
    pub(super) fn builder<I: Id>(&self) -> Builder<I> {
        Builder::new(self.guid.clone()).with_bodies_in(self.bodies.clone())
    }

    /// Asks everything in `open` and whatever follows; `watch` sees every answer, and may have some itself.
    ///
    /// # Errors
    /// [`PullError`]
    async fn ask_all<I: Id>(
        self: &Arc<Self>,
        open: Vec<ReadRequest>,
        builder: &mut Builder<I>,
        mut watch: Option<&mut Watch<I>>,
    ) -> Result<(), PullError> {
        builder.expect(&open);
        let mut told: BTreeMap<Kind, u32> = BTreeMap::new();
        let mut conversation = Conversation::new(self, open);
        while let Some((ask, answer)) = conversation.next().await? {
            let before = builder.rows();
            if let Some(watch) = &mut watch {
                watch.note(&ask, &answer);
            }
            let mut follow_ups = builder.add(&ask, answer);
            if let Some(watch) = &watch {
                follow_ups = watch.spare(follow_ups, builder);
            }
            // Questions about details are rows that have been read, of which there are as many as a list states.
            let announced = follow_ups.iter().filter(|ask| ask.feed().is_none()).count();
            let fresh = builder.rows().saturating_sub(before).max(announced);
            let counted = conversation
                .counted
                .count(&ask, fresh, !follow_ups.is_empty());
            counted.map_err(|cause| self.endless(cause))?;
            conversation.add(follow_ups);
            self.tell(builder, &mut told).await;
        }
        Ok(())
    }

    /// Asks everything in `asks` and whatever follows from the answers, and gives what was found.
    ///
    /// # Errors
    /// [`PullError::Request`]
    pub async fn ask_everything<I: Id>(
        self: &Arc<Self>,
        asks: Vec<ReadRequest>,
    ) -> Result<Vec<Record<I>>, PullError> {
        let mut all = Vec::new();
        self.ask_each(asks, None, |found| all.push(found)).await?;
        Ok(all)
    }

    /// As [`Reader::ask_everything`], and gives `take` one thing after another, so that nothing has to be kept. With a
    /// `total` it reports how far a verification of so many entities has come.
    ///
    /// # Errors
    /// [`PullError::Request`]
    pub async fn ask_each<I: Id>(
        self: &Arc<Self>,
        asks: Vec<ReadRequest>,
        total: Option<u32>,
        mut take: impl FnMut(Record<I>),
    ) -> Result<(), PullError> {
        let mut checked = 0_u32;
        let mut conversation = Conversation::new(self, asks);
        while let Some((ask, answer)) = conversation.next().await? {
            let goes_on = !answer.follow_ups.is_empty();
            let counted = conversation
                .counted
                .count(&ask, answer.found.len(), goes_on);
            counted.map_err(|cause| self.endless(cause))?;
            conversation.add(answer.follow_ups);
            let found = u32::try_from(answer.found.len()).unwrap_or(u32::MAX);
            checked = checked.saturating_add(found);
            answer.found.into_iter().for_each(&mut take);
            if let Some(total) = total.filter(|total| checked <= *total) {
                self.sink
                    .emit(Event::VerifyProgressed { checked, total })
                    .await;
            }
        }
        Ok(())
    }

    async fn tell<I: Id>(&self, builder: &Builder<I>, told: &mut BTreeMap<Kind, u32>) {
        for Progress {
            kind,
            read,
            expected,
        } in builder.progress()
        {
            let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let (read, expected) = (count(read), expected.map(count));
            let before = told.insert(kind, read);
            if before != Some(read) {
                self.sink
                    .emit(Event::ReadProgressed {
                        side: self.side,
                        kind,
                        read,
                        expected,
                    })
                    .await;
            }
        }
    }

    pub(super) fn incomplete(&self, cause: Incomplete) -> PullError {
        PullError::Incomplete {
            side: self.side_name(),
            guid: self.guid.clone(),
            cause,
        }
    }

    pub(super) fn failed(&self, cause: RequestError) -> PullError {
        PullError::Request {
            side: self.side_name(),
            guid: self.guid.clone(),
            cause,
        }
    }

    fn endless(&self, cause: Endless) -> PullError {
        PullError::Endless {
            side: self.side_name(),
            guid: self.guid.clone(),
            cause,
        }
    }

    const fn side_name(&self) -> &'static str {
        match self.side {
            Side::Source => "source",
            Side::Target => "target",
        }
    }
}

/// What was read in these locales, if nothing is missing.
///
/// # Errors
/// [`Incomplete`]
fn finish<I: Id>(builder: Builder<I>, locales: &[Locale]) -> Result<Inventory<I>, Incomplete> {
    let mut inventory = builder.finish()?;
    inventory.locales = locales.to_vec();
    Ok(inventory)
}

/// Questions in flight, as many as the reader allows.
struct Conversation<S, I> {
    reader: Arc<Reader<S>>,
    counted: Counted,
    open: VecDeque<ReadRequest>,
    asked: JoinSet<(ReadRequest, Result<ReadResponse<I>, RequestError>)>,
}

impl<S: Source, I: Id> Conversation<S, I> {
    fn new(reader: &Arc<Reader<S>>, asks: Vec<ReadRequest>) -> Self {
        let mut conversation = Self {
            reader: Arc::clone(reader),
            counted: Counted::new(reader.limits),
            open: VecDeque::new(),
            asked: JoinSet::new(),
        };
        conversation.add(asks);
        conversation
    }

    /// Puts questions that lead on before all others: the longest row of them is the least time that it can take.
    fn add(&mut self, asks: Vec<ReadRequest>) {
        for ask in asks {
            if ask.rank() > 0 {
                self.open.push_front(ask);
            } else {
                self.open.push_back(ask);
            }
        }
    }

    /// The next answer; `None` when everything was answered.
    async fn next(&mut self) -> Result<Option<(ReadRequest, ReadResponse<I>)>, PullError> {
        while self.asked.len() < self.reader.concurrency
            && let Some(ask) = self.open.pop_front()
        {
            let reader = Arc::clone(&self.reader);
            let rank = ask.rank();
            self.asked.spawn(weighing(rank, async move {
                let answer = reader.ask::<I>(&ask).await;
                (ask, answer)
            }));
        }
        let Some(joined) = self.asked.join_next().await else {
            return Ok(None);
        };
        let (ask, answer) =
            joined.unwrap_or_else(|broken| std::panic::resume_unwind(broken.into_panic()));
        Ok(Some((
            ask,
            answer.map_err(|cause| self.reader.failed(cause))?,
        )))
    }
}
