//! How a server behaves: how long it takes, how it counts its ids, and what goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// 429.
    Throttled,
    /// The connection was never made.
    NotSent,
    /// It took effect, and the connection was lost.
    Unheard,
    /// It had no effect, and nothing was heard of it.
    Lost,
    /// Nothing was heard of it, and it takes effect later.
    Late,
    /// 500 without an effect.
    Failed,
    /// 502 after it took effect.
    Gateway,
    /// 503 with a time to wait, without an effect.
    Unavailable,
    /// It took effect, and the answer could not be read.
    Garbled,
    /// A batch was aborted as a whole.
    Aborted,
    /// Items lost a field on the way into the store, and pages their place.
    Spoilt,
}

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::Throttled,
        Self::NotSent,
        Self::Unheard,
        Self::Lost,
        Self::Late,
        Self::Failed,
        Self::Gateway,
        Self::Unavailable,
        Self::Garbled,
        Self::Aborted,
        Self::Spoilt,
    ];

    /// Those of a server that is only hard to reach.
    pub(crate) const PLAIN: [Self; 4] = [Self::Throttled, Self::NotSent, Self::Unheard, Self::Lost];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Throttled => "429",
            Self::NotSent => "no connection",
            Self::Unheard => "reset after the effect",
            Self::Lost => "time-out without effect",
            Self::Late => "time-out, effect later",
            Self::Failed => "500 without effect",
            Self::Gateway => "502 after the effect",
            Self::Unavailable => "503 with Retry-After",
            Self::Garbled => "garbled answer after the effect",
            Self::Aborted => "batch aborted",
            Self::Spoilt => "stored without a field or place",
        }
    }

    /// Whether it takes effect before there is an answer.
    pub(super) const fn takes_effect(self) -> bool {
        matches!(self, Self::Unheard | Self::Gateway | Self::Garbled)
    }
}

/// In which order a server gives ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    Rising,
    Falling,
    /// As drawn.
    Scattered,
}

/// How a server behaves.
#[derive(Clone, Debug)]
pub(crate) struct Nature {
    /// The longest way of a request there, and of its answer back.
    pub(crate) way_ms: u64,
    /// The longest time that a batch takes.
    pub(crate) batch_ms: u64,
    /// Whether batches are worked off one after another.
    pub(crate) one_worker: bool,
    pub(crate) ids: Ids,
    /// Of a thousand requests.
    pub(crate) faults: BTreeMap<Fault, u32>,
    /// Requests until nothing goes wrong any more.
    pub(crate) faults_left: Option<u32>,
}

impl Nature {
    /// A server on which so many of a hundred requests go wrong in plain ways, and a third as many batches.
    pub(crate) fn with_faults(of_hundred: u32) -> Self {
        let share = of_hundred * 10 / 4;
        let mut faults: BTreeMap<Fault, u32> = Fault::PLAIN
            .into_iter()
            .map(|fault| (fault, share))
            .collect();
        faults.insert(Fault::Aborted, of_hundred * 10 / 3);
        Self {
            way_ms: 120,
            batch_ms: 800,
            one_worker: false,
            ids: Ids::Rising,
            faults,
            faults_left: None,
        }
    }

    /// The same one on a good day.
    pub(crate) fn without_faults(&self) -> Self {
        Self {
            faults: BTreeMap::new(),
            ..self.clone()
        }
    }

    pub(super) fn way(&self, dice: &mut ChaCha8Rng) -> Duration {
        Duration::from_millis(dice.random_range(1..=self.way_ms))
    }

    pub(super) fn work(&self, dice: &mut ChaCha8Rng) -> Duration {
        Duration::from_millis(dice.random_range(10..=self.batch_ms.max(10)))
    }

    /// What happens to the next request.
    pub(super) fn fate(&mut self, dice: &mut ChaCha8Rng) -> Option<Fault> {
        let mut drawn = dice.random_range(0..1000);
        let faults = self.faults.iter();
        let is_of_batch = |fault| matches!(fault, Fault::Aborted | Fault::Spoilt);
        for (fault, share) in faults.filter(|(fault, _)| !is_of_batch(**fault)) {
            if drawn < *share {
                return spend(&mut self.faults_left).then_some(*fault);
            }
            drawn -= share;
        }
        None
    }

    /// Whether this happens to the next batch.
    pub(super) fn strikes(&mut self, fault: Fault, dice: &mut ChaCha8Rng) -> bool {
        let share = self.faults.get(&fault).copied().unwrap_or(0);
        dice.random_range(0..1000) < share && spend(&mut self.faults_left)
    }
}

fn spend(left: &mut Option<u32>) -> bool {
    match left {
        None => true,
        Some(0) => false,
        Some(left) => {
            *left -= 1;
            true
        }
    }
}
