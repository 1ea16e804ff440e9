//! How long the run will still take.
//!
//! The engine plays the rest of the run ahead and emits what came out ([`ForecastMade`]); here that becomes a
//! range. Every forecast names a moment at which the run ends, on a clock that stands still while nothing may leave. Were
//! costs constant and the play perfect, all of them would name the same one; how far they lie apart is how far they are to
//! be trusted.
//!
//! [`ForecastMade`]: crate::event::Event::ForecastMade

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::Bottleneck;

/// Time in milliseconds between the first forecast, which has no costs, and a basis: costs are learned in it, and
/// the rate is found.
const BASIS_MS: u64 = 2_000;

/// Forecasts that have to agree or disagree before there is a basis.
const BASIS_FORECASTS: usize = 2;

/// Forecasts that are kept. Twice as many are thinned out, every other one.
const KEPT: usize = 64;

/// Forecasts whose median is the likely end.
const LATEST: usize = 3;

/// What a range adds to what its forecasts say, on either side: one part in this of the time that is left …
const MARGIN: u64 = 10;

/// … and this many milliseconds.
const MARGIN_MS: u64 = 750;

/// The time until the run is over, verification included, as a range. Pauses and throttling are left out, except for
/// throttling that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eta {
    /// The shortest that recent forecasts say, less a margin.
    pub low: Duration,
    /// What the latest forecasts say.
    pub likely: Duration,
    /// The longest that recent forecasts say, and a margin.
    pub high: Duration,
    /// What most of it is due to.
    pub by: Bottleneck,
}

/// The forecasts of a run, in upload time: milliseconds in which uploads could leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forecasts {
    first_ms: Option<u64>,
    seen: VecDeque<Seen>,
    by: Option<Bottleneck>,
}

/// A forecast: when it was made and which end it named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    made_ms: u64,
    end_ms: u64,
}

/// The moment of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Upload time now, in milliseconds.
    pub(crate) now_ms: u64,
    /// How long nothing will leave from now on.
    pub(crate) idle_ahead_ms: u64,
}

impl Forecasts {
    /// Takes in a forecast.
    pub(crate) fn add(&mut self, made_ms: u64, left_ms: u64, by: Bottleneck) {
        self.by = Some(by);
        self.first_ms.get_or_insert(made_ms);
        if self.seen.len() == 2 * KEPT {
            let mut keep = false;
            self.seen.retain(|_| {
                keep = !keep;
                keep
            });
        }
        let end_ms = made_ms.saturating_add(left_ms);
        self.seen.push_back(Seen { made_ms, end_ms });
    }

    /// The estimate at a moment; `None` while there is no basis for one.
    pub(crate) fn estimate(&self, at: Moment) -> Option<Eta> {
        let first_ms = self.first_ms?;
        let spent = at.now_ms.saturating_sub(first_ms);
        let recent = self.recent(first_ms + spent / 2);
        if spent < BASIS_MS || recent.len() < BASIS_FORECASTS {
            return None;
        }
        let mut latest = recent[recent.len().saturating_sub(LATEST)..].to_vec();
        latest.sort_unstable();
        let left = |end: u64| end.saturating_sub(at.now_ms);
        let likely = left(latest[latest.len() / 2]);
        let margin = likely / MARGIN + MARGIN_MS;
        let low = recent.iter().min().map_or(likely, |end| left(*end));
        let high = recent.iter().max().map_or(likely, |end| left(*end));
        let span = |ms: u64| Duration::from_millis(ms.saturating_add(at.idle_ahead_ms));
        Some(Eta {
            low: span(low.min(likely).saturating_sub(margin)),
            likely: span(likely),
            high: span(high.max(likely).saturating_add(margin)),
            by: self.by?,
        })
    }

    /// The ends that were named since then, and the latest ones in any case.
    fn recent(&self, since: u64) -> Vec<u64> {
        let first = self.seen.partition_point(|seen| seen.made_ms < since);
        let first = first.min(self.seen.len().saturating_sub(BASIS_FORECASTS));
        self.seen.range(first..).map(|seen| seen.end_ms).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecasts(ends: &[(u64, u64)]) -> Forecasts {
        let mut forecasts = Forecasts::default();
        for (made_ms, left_ms) in ends {
            forecasts.add(*made_ms, *left_ms, Bottleneck::Rate);
        }
        forecasts
    }

    fn at(now_ms: u64) -> Moment {
        Moment {
            now_ms,
            idle_ahead_ms: 0,
        }
    }

    fn seconds(eta: Option<Eta>) -> Option<[f64; 3]> {
        eta.map(|eta| [eta.low, eta.likely, eta.high].map(|span| span.as_secs_f64()))
    }

    #[test]
    fn forecasts_that_agree_give_a_narrow_range_that_goes_down_between_them() {
        let agreeing = forecasts(&[
            (1_000, 9),
            (10_000, 60_000),
            (11_000, 59_000),
            (12_000, 58_000),
        ]);
        let now = seconds(agreeing.estimate(at(12_000)));
        assert_eq!(now, Some([51.45, 58.0, 64.55]));
        let later = seconds(agreeing.estimate(at(32_000)));
        assert_eq!(later, Some([33.45, 38.0, 42.55]));
        let overdue = seconds(agreeing.estimate(at(80_000)));
        assert_eq!(overdue, Some([0.0, 0.0, 0.75]));
    }

    #[test]
    fn forecasts_that_lie_apart_give_a_wide_range_until_they_are_old() {
        let apart = [
            (1_000, 9),
            (11_000, 30_000),
            (12_000, 60_000),
            (13_000, 59_000),
        ];
        let apart = forecasts(&apart);
        assert_eq!(
            seconds(apart.estimate(at(13_000))),
            Some([21.35, 59.0, 65.65])
        );
        let old = seconds(apart.estimate(at(22_000)));
        assert_eq!(old, Some([44.25, 50.0, 55.75]));
    }

    #[test]
    fn throttling_that_is_on_is_added() {
        let throttled = Moment {
            idle_ahead_ms: 5_000,
            ..at(12_000)
        };
        let agreeing = forecasts(&[(1_000, 9), (10_000, 60_000), (11_000, 59_000)]);
        assert_eq!(
            seconds(agreeing.estimate(throttled)),
            Some([56.45, 63.0, 69.55])
        );
    }

    #[test]
    fn without_a_basis_there_is_no_estimate() {
        assert_eq!(forecasts(&[]).estimate(at(9_000)), None);
        assert_eq!(forecasts(&[(2_000, 9)]).estimate(at(9_000)), None, "one");
        let early = forecasts(&[(1_000, 9), (2_500, 8)]);
        assert_eq!(early.estimate(at(2_999)), None);
        assert!(early.estimate(at(3_000)).is_some());
    }

    #[test]
    fn a_long_run_keeps_a_bounded_number() {
        let mut many = Forecasts::default();
        for second in 0..10_000 {
            many.add(second * 1_000, 1_000_000 - second * 10, Bottleneck::Chain);
            assert!(many.seen.len() <= 2 * KEPT);
        }
        assert_eq!(many.seen.back().map(|seen| seen.made_ms), Some(9_999_000));
    }
}
