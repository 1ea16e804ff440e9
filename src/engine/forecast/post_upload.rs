//! The work after the uploads: publishing, and reading the target back.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Costs;
use crate::domain::{Kind, Locale};
use crate::engine::context::{Ends, RunContext};
use crate::engine::pace::{Class, Sample};
use crate::engine::poll::BatchKind;
use crate::engine::state::IDS_AT_ONCE;
use crate::engine::verify::Scope;
use crate::event::{Bottleneck, Event, millis};

/// Rows of a page of a list, as the adapter asks for them.
const ROWS: usize = 250;

/// Items that are asked for in one request.
const ITEMS: usize = 100;

/// Lists that are asked for once.
const LISTS: usize = 8;

/// Batches that publish, one after another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Publication {
    batches: u32,
    /// Items and pages in all of them.
    items: u32,
}

impl Publication {
    /// So much.
    pub(in crate::engine) fn sized(batches: usize, items: usize) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            batches: count(batches),
            items: count(items),
        }
    }

    /// What publishes entities of these kinds and locales.
    pub(in crate::engine) fn of<'l>(all: impl Iterator<Item = (Kind, &'l Locale)>) -> Self {
        let mut counts: BTreeMap<(Kind, &Locale), usize> = BTreeMap::new();
        for one in all {
            *counts.entry(one).or_default() += 1;
        }
        let batches = counts.values().map(|count| count.div_ceil(IDS_AT_ONCE));
        Self::sized(batches.sum(), counts.values().sum())
    }

    /// Each batch costs a submit and a poll, and what such batches take.
    fn time(self, costs: &Costs) -> Duration {
        let requests = costs.answer(Class::Submit) + costs.answer(Class::Poll);
        let items = self.items / self.batches.max(1);
        let batch = costs.batches.time(BatchKind::Workflow, items);
        (requests + costs.spacing() * 2 + batch) * self.batches
    }
}

/// The requests of a verification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Reading {
    /// Those that count against the rate.
    reads: u64,
    /// Files that are fetched.
    downloads: u64,
    /// Files that are fetched at one time.
    downloads_at_once: u64,
}

impl Reading {
    /// What a verification of what `scope` says asks.
    pub(in crate::engine) fn of<E: Ends>(
        context: &RunContext<E>,
        locales: &[Locale],
        scope: Scope,
    ) -> Self {
        let all = |kind| context.view.source_inventory.of_kind(kind);
        let count = |kind| all(kind).len();
        let items = all(Kind::Content).iter().filter_map(|item| item.locale());
        let items = items.filter(|locale| locales.contains(locale));
        let is_fetched = |planned: &crate::plan::Planned| match scope {
            Scope::AfterRun => planned.action.is_work(),
            Scope::Everything => true,
        };
        let assets = (0..).zip(context.view.source_inventory.entities());
        let assets = assets.filter(|(node, entity)| {
            entity.key.kind == Kind::Asset && is_fetched(context.view.planned(*node))
        });
        let downloads = if context.options.verify_bytes {
            assets.count()
        } else {
            0
        };
        // The items of every container are listed in the end, to find unmapped ones.
        let listed = locales.len() * count(Kind::Container);
        let mut reading = Self::lists(count, locales.len());
        reading.reads += (listed + questions(items) + count(Kind::Page)) as u64;
        reading.downloads = downloads as u64;
        reading.downloads_at_once = context.options.downloads_in_flight().max(1) as u64;
        reading
    }

    /// The lists of everything without a locale, of which there is so much, and the sitemaps.
    pub(in crate::engine) fn lists(count: impl Fn(Kind) -> usize, locales: usize) -> Self {
        let rows = count(Kind::Asset) / ROWS + count(Kind::Gallery) / ROWS;
        let single = count(Kind::Model) + count(Kind::Container);
        Self {
            reads: (LISTS + rows + single + locales) as u64,
            ..Self::default()
        }
    }

    /// The same, with items in these locales and so many pages that are asked for.
    pub(in crate::engine) fn and<'l>(
        mut self,
        items: impl Iterator<Item = &'l Locale>,
        pages: usize,
    ) -> Self {
        self.reads += (questions(items) + pages) as u64;
        self
    }

    /// What is left of it at a moment, when it began at another one.
    const fn left(self, began: &Sample, now: &Sample) -> Self {
        Self {
            reads: self.reads.saturating_sub(now.requests - began.requests),
            downloads: self
                .downloads
                .saturating_sub(now.downloads - began.downloads),
            ..self
        }
    }

    /// How long it takes.
    fn time(self, costs: &Costs) -> Duration {
        let times =
            |duration: Duration, count: u64| duration * u32::try_from(count).unwrap_or(u32::MAX);
        let at_once = *costs.target.windows.get(Class::Read) as u64;
        let by_answers = times(
            costs.answer(Class::Read),
            self.reads.div_ceil(at_once.max(1)),
        );
        let rounds = self.downloads.div_ceil(self.downloads_at_once.max(1));
        let by_files = times(costs.answer(Class::Download), rounds);
        self.by_rate(costs).max(by_answers).max(by_files)
    }

    /// The part of it that the rate asks for.
    fn by_rate(self, costs: &Costs) -> Duration {
        costs.spacing() * u32::try_from(self.reads).unwrap_or(u32::MAX)
    }
}

/// How many questions ask for items in these locales.
fn questions<'l>(items: impl Iterator<Item = &'l Locale>) -> usize {
    let mut by_locale: BTreeMap<&Locale, usize> = BTreeMap::new();
    for locale in items {
        *by_locale.entry(locale).or_default() += 1;
    }
    by_locale.values().map(|count| count.div_ceil(ITEMS)).sum()
}

/// What comes after the uploads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct PostUploadWork {
    /// What is published.
    pub(in crate::engine) publication: Publication,
    /// What is read back.
    pub(in crate::engine) reading: Reading,
}

impl PostUploadWork {
    /// What comes after this run, which publishes `publication`.
    pub(in crate::engine) fn of<E: Ends>(
        context: &RunContext<E>,
        publication: Publication,
        locales: &[Locale],
    ) -> Self {
        let reading = if context.options.verify {
            Reading::of(context, locales, Scope::AfterRun)
        } else {
            Reading::default()
        };
        Self {
            publication,
            reading,
        }
    }

    /// The verification alone, as it is at a moment, when it began at another one.
    pub(in crate::engine) fn verifying(reading: Reading, began: &Sample, now: &Sample) -> Self {
        Self {
            publication: Publication::default(),
            reading: reading.left(began, now),
        }
    }

    /// The forecast for it and for uploads that still take `upload`, mostly due to `by`.
    pub(in crate::engine) fn forecast(
        self,
        costs: &Costs,
        upload: Duration,
        by: Bottleneck,
    ) -> Event {
        let publish = self.publication.time(costs);
        let verify = self.reading.time(costs);
        // Fetching files does not probe the limit.
        let asking = upload + publish + self.reading.by_rate(costs);
        let pauses = costs.target.outlook.pauses_in(asking);
        let by = if verify > upload.max(publish) || (upload + publish).is_zero() {
            Bottleneck::Verification
        } else if publish > upload {
            Bottleneck::Worker
        } else {
            by
        };
        let (before, after) = if upload + publish > verify {
            (pauses, Duration::ZERO)
        } else {
            (Duration::ZERO, pauses)
        };
        Event::ForecastMade {
            upload_ms: millis(upload + publish + before),
            verify_ms: millis(verify + after),
            by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::pace::{Outlook, PacerSnapshot, PerClass};
    use crate::engine::poll::BatchCosts;

    /// Answers take 100 ms, batches that publish 4 s, 20 requests may leave in a second, and the limit is questioned after a
    /// minute.
    fn costs() -> Costs {
        Costs {
            target: PacerSnapshot {
                outlook: Outlook {
                    per_second: Some(20.0),
                    questions: Some((Duration::from_mins(1), Duration::from_mins(4))),
                    pause: Duration::from_secs(1),
                },
                total: 16,
                windows: PerClass::of(|_| 16),
                times: PerClass::of(|_| Some(Duration::from_millis(100))),
            },
            download: None,
            batches: BatchCosts::unknown().with(BatchKind::Workflow, 100, Duration::from_secs(4)),
            commit: Duration::from_millis(3),
            gathers: false,
        }
    }

    fn told(after: PostUploadWork, upload_s: u64) -> (u64, u64, Bottleneck) {
        let upload = Duration::from_secs(upload_s);
        match after.forecast(&costs(), upload, Bottleneck::Chain) {
            Event::ForecastMade {
                upload_ms,
                verify_ms,
                by,
            } => (upload_ms, verify_ms, by),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn publishing_counts_its_requests_and_the_time_of_the_worker() {
        let (here, there) = (Locale::new("en-us"), Locale::new("fr-ca"));
        let items = [(Kind::Content, &here); 300].into_iter();
        let items = items.chain([(Kind::Content, &there); 10]);
        let publication = Publication::of(items);
        assert_eq!(publication, Publication::sized(3, 310));
        let after = PostUploadWork {
            publication,
            ..PostUploadWork::default()
        };
        // Two answers, two turns and the time of a batch for each of three.
        let publish = 3 * (200 + 100 + 4_000);
        assert_eq!(told(after, 0), (publish, 0, Bottleneck::Worker));
        assert_eq!(told(after, 20), (20_000 + publish, 0, Bottleneck::Chain));
    }

    #[test]
    fn reading_back_takes_what_the_rate_or_the_answers_or_the_files_take() {
        let reading = Reading::lists(
            |kind| match kind {
                Kind::Model => 92,
                _ => 0,
            },
            0,
        );
        let verified = |reading| {
            told(
                PostUploadWork {
                    reading,
                    ..PostUploadWork::default()
                },
                0,
            )
        };
        assert_eq!(verified(reading), (0, 100 * 50, Bottleneck::Verification));
        let files = Reading {
            downloads: 801,
            downloads_at_once: 8,
            ..reading
        };
        assert_eq!(verified(files), (0, 101 * 100, Bottleneck::Verification));
        let items = [Locale::new("en-us"), Locale::new("fr-ca")];
        let items = items.iter().cycle().take(202);
        assert_eq!(reading.and(items, 6).reads, 100 + 4 + 6);
        let now = |requests, downloads| Sample {
            at: tokio::time::Instant::now(),
            requests,
            downloads,
            refused: 0,
            in_flight: 0,
            latency: Duration::ZERO,
            per_second_max: None,
            concurrency: 16,
        };
        let left = PostUploadWork::verifying(files, &now(900, 0), &now(960, 800));
        assert_eq!(told(left, 0), (0, 40 * 50, Bottleneck::Verification));
    }

    #[test]
    fn questions_of_the_limit_that_are_due_cost_a_pause_each() {
        let nothing = PostUploadWork::default();
        assert_eq!(told(nothing, 59).0, 59_000);
        assert_eq!(told(nothing, 61).0, 62_000);
        assert_eq!(told(nothing, 301).0, 303_000);
    }
}
