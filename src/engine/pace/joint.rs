//! How several runs divide a rate: the contents of the row that they share.
//!
//! The requests of the joint rate have numbers: number `n` may leave at `n / rate` seconds since 1970 by the clock of the server. A
//! run has a part of all numbers for about a second and renews it every half second: a chunk of the rate. Parts of different runs
//! have no number in common, so all runs together never send more than one run would, and no two send at one moment.
//!
//! ```text
//!   0 ───────────────────────────── 1     a number stands at the place `n × TURN mod 1`, which spreads
//!   │ run a │ run b │   free  │ run c│     those of each part evenly over time
//! ```
//! A run takes no more than is free, and returns what it has too much of when it renews. So a new run waits half a second for
//! its part, and the part of a run that died is free when its term is over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lesson::Lesson;

/// The golden ratio, less one: of all numbers its multiples are spread most evenly.
const TURN: f64 = 0.618_033_988_749_894_8;
/// Numbers begin anew here, where products are still exact enough.
const ROUND: i64 = 1 << 24;
/// A piece that is smaller is not worth its place.
pub(super) const PIECE_MIN: f64 = 0.001;

/// The row of a quota.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Joint {
    /// One more with each change of `lesson`.
    pub(super) course: u64,
    /// What is known of the rate; `None` at the very beginning.
    pub(super) lesson: Option<Lesson>,
    /// Until when nothing leaves, in microseconds since 1970.
    pub(super) paused_until_us: i64,
    /// The runs, by a name that each has chosen.
    pub(super) runs: BTreeMap<String, Run>,
}

/// A run that shares the quota.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Run {
    /// Its part: from where to where.
    pub(super) pieces: Vec<(f64, f64)>,
    /// How much of the rate it could use, from 0 to 1.
    pub(super) wanted: f64,
    /// What it has sent in the last seconds and was not refused.
    pub(super) left: Lately,
    /// When its part ends, in microseconds since 1970.
    pub(super) until_us: i64,
}

/// When requests left, to the slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Lately {
    /// The number of the first slot since 1970.
    first: i64,
    /// How many left in that slot and in those after it.
    counts: Vec<u32>,
}

/// The length of a slot in microseconds.
const SLOT_US: i64 = 50_000;
/// Slots that are kept: some more than the seconds that are looked at.
const SLOTS: usize = 100;
/// Requests of a slot that are counted at most.
const IN_SLOT: u32 = 500;

impl Lately {
    /// Of moments in their order, in microseconds since 1970.
    pub(super) fn of(moments_us: impl Iterator<Item = i64>) -> Self {
        let mut lately = Self::default();
        for slot in moments_us.map(|us| us.div_euclid(SLOT_US)) {
            if lately.counts.is_empty() {
                lately.first = slot;
            }
            let at = usize::try_from(slot - lately.first)
                .unwrap_or(0)
                .min(SLOTS - 1);
            lately.counts.resize(lately.counts.len().max(at + 1), 0);
            lately.counts[at] += 1;
        }
        lately
    }

    /// The moments, spread evenly over each slot.
    pub(super) fn moments_us(&self) -> impl Iterator<Item = i64> {
        let slots = (0..).zip(self.counts.iter().take(SLOTS));
        slots.flat_map(|(at, count)| {
            let count = i64::from((*count).min(IN_SLOT));
            let from = self.first.saturating_add(at).saturating_mul(SLOT_US);
            (0..count).map(move |nth| from.saturating_add((2 * nth + 1) * SLOT_US / (2 * count)))
        })
    }
}

impl Joint {
    /// Reads a row. What cannot be read is begun anew.
    pub(super) fn of(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Forgets the parts that have ended.
    pub(super) fn expire(&mut self, now_us: i64) {
        self.runs.retain(|_, run| run.until_us > now_us);
    }

    /// Whether no other run shares it at present.
    pub(super) fn is_of(&self, name: &str) -> bool {
        self.runs.keys().all(|other| other == name)
    }

    /// Gives a run its part: what is fair, of what is free.
    pub(super) fn allot(&mut self, name: &str, mut run: Run) {
        self.runs.remove(name);
        let wanted = self.runs.values().map(|run| run.wanted);
        let mut left = fair(run.wanted, wanted.collect());
        let mut pieces = Vec::new();
        for (from, to) in self.free() {
            let to = to.min(from + left);
            if to - from >= PIECE_MIN {
                left -= to - from;
                pieces.push((from, to));
            }
        }
        run.pieces = pieces;
        self.runs.insert(name.to_owned(), run);
    }

    /// What belongs to no run, in order.
    fn free(&self) -> Vec<(f64, f64)> {
        let pieces = self.runs.values().flat_map(|run| &run.pieces);
        let mut taken: Vec<(f64, f64)> = pieces.copied().collect();
        taken.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = Vec::new();
        let mut at = 0.0;
        for (from, to) in taken {
            if from > at {
                free.push((at, from));
            }
            at = to.max(at);
        }
        free.push((at, 1.0));
        free
    }
}

/// The part of a run that could use `wanted`, beside others: no run gets more than it asks for while another one gets less
/// than an equal part, and what is left is for all.
fn fair(wanted: f64, others: Vec<f64>) -> f64 {
    let mut all = others;
    all.push(wanted);
    all.sort_unstable_by(f64::total_cmp);
    let count = f64::from(u32::try_from(all.len()).unwrap_or(u32::MAX));
    let (mut left, mut waiting) = (1.0, count);
    for least in all {
        let equal = left / waiting;
        if least > equal {
            return wanted.min(equal);
        }
        left -= least;
        waiting -= 1.0;
    }
    wanted + left / count
}

/// How much pieces are together.
pub(super) fn size(pieces: &[(f64, f64)]) -> f64 {
    pieces.iter().fold(0.0, |all, (from, to)| all + to - from)
}

/// Whether a number belongs to a part.
pub(super) fn is_in(pieces: &[(f64, f64)], number: i64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "it is small")]
    let place = (number.rem_euclid(ROUND) as f64 * TURN).fract();
    pieces
        .iter()
        .any(|(from, to)| (*from..*to).contains(&place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renew(joint: &mut Joint, name: &str, wanted: f64) -> f64 {
        let run = Run {
            wanted,
            until_us: 10,
            ..Run::default()
        };
        joint.allot(name, run);
        size(&joint.runs[name].pieces)
    }

    fn all(joint: &Joint) -> f64 {
        joint.runs.values().map(|run| size(&run.pieces)).sum()
    }

    #[test]
    fn a_run_alone_has_all_whatever_it_asks_for() {
        let mut joint = Joint::default();
        assert!((renew(&mut joint, "a", 0.0) - 1.0).abs() < 1e-9);
        assert!((renew(&mut joint, "a", 1.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn those_that_come_wait_for_what_the_others_give_up_and_then_all_have_as_much() {
        let mut joint = Joint::default();
        renew(&mut joint, "a", 1.0);
        assert!(renew(&mut joint, "b", 1.0).abs() < 1e-9);
        assert!(renew(&mut joint, "c", 1.0).abs() < 1e-9);
        for _ in 0..3 {
            for name in ["b", "a", "c"] {
                renew(&mut joint, name, 1.0);
                assert!(all(&joint) <= 1.0 + 1e-9, "{joint:?}");
            }
        }
        for run in joint.runs.values() {
            assert!((size(&run.pieces) - 1.0 / 3.0).abs() < 0.01, "{joint:?}");
        }
    }

    #[test]
    fn what_a_run_has_no_use_for_is_for_the_others() {
        let mut joint = Joint::default();
        for _ in 0..3 {
            renew(&mut joint, "busy", 1.0);
            renew(&mut joint, "polls", 0.1);
        }
        let busy = size(&joint.runs["busy"].pieces);
        assert!((busy - 0.9).abs() < 0.01, "{joint:?}");
        for _ in 0..3 {
            renew(&mut joint, "busy", 0.2);
            renew(&mut joint, "polls", 0.1);
        }
        assert!((all(&joint) - 1.0).abs() < 0.01, "{joint:?}");
    }

    #[test]
    fn the_part_of_a_run_that_is_gone_is_free_when_it_ends() {
        let mut joint = Joint::default();
        renew(&mut joint, "dead", 1.0);
        joint.expire(9);
        assert!(renew(&mut joint, "a", 1.0).abs() < 1e-9);
        joint.runs.get_mut("a").unwrap().until_us = 20;
        joint.expire(10);
        assert!(joint.is_of("a"));
        assert!((renew(&mut joint, "a", 1.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_belong_to_one_run_each_and_are_spread_evenly() {
        let parts = [
            vec![(0.0, 0.25), (0.9, 1.0)],
            vec![(0.25, 0.6)],
            vec![(0.6, 0.9)],
        ];
        for part in &parts {
            let size = size(part);
            let mine: Vec<i64> = (0..3000).filter(|number| is_in(part, *number)).collect();
            let count = f64::from(u32::try_from(mine.len()).unwrap());
            assert!((count / 3000.0 - size).abs() < 0.01, "{count} of {size}");
            let most = mine.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(most <= Some(6), "{most:?} at {size}");
        }
        for number in 0..3000 {
            let owners = parts.iter().filter(|part| is_in(part, number)).count();
            assert_eq!(owners, 1, "{number}");
        }
    }

    #[test]
    fn when_requests_left_is_known_to_the_slot() {
        let moments = [7_000_010, 7_049_999, 7_050_000, 7_380_000];
        let lately = Lately::of(moments.into_iter());
        let read: Vec<i64> = lately.moments_us().collect();
        assert_eq!(read, [7_012_500, 7_037_500, 7_075_000, 7_375_000]);
        assert_eq!(Lately::of([].into_iter()), Lately::default());
        // What a row says is not believed without bounds.
        let row = Lately {
            first: i64::MAX / SLOT_US,
            counts: vec![u32::MAX; 10_000],
        };
        assert!(row.moments_us().count() <= SLOTS * 500);
    }

    #[test]
    fn what_is_no_row_of_ours_is_begun_anew() {
        let mut joint = Joint::default();
        renew(&mut joint, "a", 1.0);
        assert_eq!(Joint::of(&joint.text()), joint);
        for text in ["", "{", "7", "{\"course\": \"x\"}"] {
            assert_eq!(Joint::of(text), Joint::default(), "{text}");
        }
    }
}
