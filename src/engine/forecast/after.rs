//! What comes after the uploads: the target is read back.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::Costs;
use crate::domain::{Kind, Locale};
use crate::engine::crew::Crew;
use crate::engine::dispatch::tell_pace;
use crate::engine::pace::{Class, Sample};
use crate::event::{Bottleneck, Event, millis};
use crate::instance::{Source, Target};

/// Rows of a page of a list, as the adapter asks for them.
const ROWS: usize = 250;

/// Items that are asked for in one request.
const ITEMS: usize = 100;

/// Lists that are asked for once.
const LISTS: usize = 8;

/// The requests of a verification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct After {
    /// Those that count against the rate.
    reads: u64,
    /// Files that are fetched.
    downloads: u64,
    /// Files that are fetched at one time.
    downloads_at_once: u64,
}

impl After {
    /// What a verification after this run asks.
    pub(in crate::engine) fn of<S, T>(crew: &Crew<S, T>, locales: &[Locale]) -> Self
    where
        S: Source + Clone,
        T: Target + Clone,
    {
        if !crew.options.verify {
            return Self::default();
        }
        let all = |kind| crew.source_inventory.of_kind(kind);
        let of = |locale: &Locale| {
            let items = all(Kind::Content).iter();
            let own = items.filter(|item| item.locale() == Some(locale));
            own.count().div_ceil(ITEMS)
        };
        let content: usize = locales.iter().map(of).sum();
        let containers = all(Kind::Container).len();
        let lists = LISTS + all(Kind::Asset).len() / ROWS + all(Kind::Gallery).len() / ROWS;
        let single = all(Kind::Model).len() + containers + all(Kind::Page).len();
        let by_locale = locales.len() * (1 + containers);
        let sent = (0..)
            .zip(crew.source_inventory.entities())
            .filter(|(node, entity)| {
                entity.key.kind == Kind::Asset && crew.planned(*node).action.is_work()
            });
        let downloads = if crew.options.verify_bytes {
            sent.count()
        } else {
            0
        };
        Self {
            reads: (lists + single + content + by_locale) as u64,
            downloads: downloads as u64,
            downloads_at_once: crew.options.downloads_in_flight().max(1) as u64,
        }
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
    pub(in crate::engine) fn time(self, costs: &Costs) -> Duration {
        let times =
            |duration: Duration, count: u64| duration * u32::try_from(count).unwrap_or(u32::MAX);
        let at_once = *costs.target.windows.get(Class::Read) as u64;
        let by_rate = times(costs.spacing(), self.reads);
        let by_answers = times(
            costs.answer(Class::Read),
            self.reads.div_ceil(at_once.max(1)),
        );
        let rounds = self
            .downloads
            .checked_div(self.downloads_at_once)
            .unwrap_or(0);
        let by_files = times(costs.answer(Class::Download), rounds);
        by_rate.max(by_answers).max(by_files)
    }
}

/// Does the verification `work`, and tells once a second how fast it is and how long it will still take.
pub(in crate::engine) async fn tell_while<S, T, R>(
    crew: &Crew<S, T>,
    locales: &[Locale],
    work: impl Future<Output = R>,
) -> R
where
    S: Source + Clone,
    T: Target + Clone,
{
    let all = After::of(crew, locales);
    let mut tick = tokio::time::interval_at(Instant::now(), Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = crew.target_pacer.sample();
    let began = before;
    let mut work = std::pin::pin!(work);
    loop {
        // The work is polled in place and never dropped half done; the tick is cancel-safe.
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = tick.tick() => {}
        }
        before = tell_pace(crew, before).await;
        let left = all.left(&began, &before);
        crew.sink
            .emit(Event::ForecastMade {
                upload_ms: 0,
                verify_ms: millis(left.time(&Costs::of(crew))),
                by: Bottleneck::Verification,
            })
            .await;
    }
}
