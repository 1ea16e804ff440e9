//! Rows are in order after the steps of a server, in whatever order these are taken.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// The pages of both sides by name; the source has small letters, some of which the target has too.
#[derive(Clone, Debug, Default)]
struct Case {
    agreed: Vec<u32>,
    source: Vec<u32>,
    target: Vec<u32>,
    /// Pages that are not written.
    held: Vec<u32>,
    /// Pages that were put somewhere in a row that was never seen in order.
    owed: Vec<u32>,
}

impl Case {
    fn members(&self) -> Vec<Member> {
        let rank = |page: &u32| {
            let at = self.agreed.iter().position(|other| other == page)?;
            Some(i64::try_from(at).unwrap() * 10)
        };
        let member = |page: &u32| Member {
            standing: self
                .target
                .iter()
                .position(|other| other == page)
                .map_or(Standing::New, Standing::Here),
            agreed: rank(page),
            owed: self.owed.contains(page),
            held: self.held.contains(page),
        };
        self.source.iter().map(member).collect()
    }

    fn merged(&self, overwrite: bool) -> Merged {
        merge(&self.members(), self.target.len(), overwrite)
    }

    fn page(&self, entry: Entry) -> u32 {
        match entry {
            Entry::Member(at) => self.source[at],
            Entry::Other(at) => self.target[at],
        }
    }

    fn row(&self, merged: &Merged) -> Vec<u32> {
        merged.row.iter().map(|entry| self.page(*entry)).collect()
    }

    /// The row on the target once everything was saved, one page at a time in an order that `choices` picks.
    fn carried_out(&self, merged: &Merged, choices: &[Index]) -> Vec<u32> {
        let mut row = self.target.clone();
        let mut open: Vec<usize> = (0..self.source.len())
            .filter(|at| {
                let member = self.members()[*at];
                merged.moves[*at] || member.standing == Standing::New && !member.held
            })
            .collect();
        let mut placed: HashSet<u32> = HashSet::new();
        let unplaced: HashSet<u32> = open.iter().map(|at| self.source[*at]).collect();
        let mut choices = choices.iter().cycle();
        while !open.is_empty() {
            let waits = |at: &usize| {
                let end = merged.end.as_ref();
                end.is_some_and(|end| end.behind.contains(at) && open.contains(&end.first))
            };
            let free: Vec<usize> = open.iter().copied().filter(|at| !waits(at)).collect();
            let at = *choices.next().unwrap().get(&free);
            open.retain(|other| *other != at);
            let page = self.source[at];
            let entry = merged
                .row
                .iter()
                .position(|entry| *entry == Entry::Member(at))
                .unwrap();
            let stands = |page: &u32| !unplaced.contains(page) || placed.contains(page);
            let end = merged.end.as_ref().filter(|end| end.first == at);
            let before = end
                .and_then(|end| end.last)
                .map(|last| self.source[last])
                .or_else(|| {
                    let behind = merged.row[entry + 1..].iter();
                    behind.map(|entry| self.page(*entry)).find(stands)
                });
            match before {
                Some(before) => {
                    row.retain(|other| *other != page);
                    let position = row.iter().position(|other| *other == before).unwrap();
                    row.insert(position, page);
                }
                None if row.contains(&page) => {}
                None => row.push(page),
            }
            placed.insert(page);
        }
        row
    }

    /// What the next run finds, with the row as this one left it.
    fn after(&self, merged: &Merged, row: Vec<u32>, is_owed: bool) -> Self {
        let pages = || self.source.iter().zip(&merged.ranks);
        let mut ranked: Vec<(i64, u32)> = pages()
            .filter_map(|(page, rank)| Some(((*rank)?, *page)))
            .collect();
        ranked.sort_unstable();
        let moved = self.source.iter().zip(&merged.moves);
        let moved = moved.filter(|(_, moves)| is_owed && **moves);
        Self {
            agreed: ranked.into_iter().map(|(_, page)| page).collect(),
            target: row,
            owed: moved.map(|(page, _)| *page).collect(),
            ..self.clone()
        }
    }

    /// What the source has, of what the target will have.
    fn wanted(&self, row: &[u32]) -> Vec<u32> {
        let is_there = |page: &&u32| row.contains(page);
        self.source.iter().filter(is_there).copied().collect()
    }
}

fn only(row: &[u32], of: &[u32]) -> Vec<u32> {
    row.iter()
        .filter(|page| of.contains(page))
        .copied()
        .collect()
}

fn shuffled(pages: Vec<u32>) -> impl Strategy<Value = Vec<u32>> {
    Just(pages).prop_shuffle()
}

/// Up to seven agreed pages, which each side has in its own order with some pages of its own between.
fn cases() -> impl Strategy<Value = Case> {
    (0_u32..7, 0_u32..4, 0_u32..3).prop_flat_map(|(agreed, new, other)| {
        let agreed: Vec<u32> = (0..agreed).collect();
        let source = agreed.iter().copied().chain(100..100 + new).collect();
        let target = agreed.iter().copied().chain(200..200 + other).collect();
        (Just(agreed), shuffled(source), shuffled(target)).prop_map(|(agreed, source, target)| {
            Case {
                agreed,
                source,
                target,
                ..Case::default()
            }
        })
    })
}

/// As above, and the target has the agreed pages as they were agreed.
fn source_only() -> impl Strategy<Value = Case> {
    cases().prop_map(|mut case| {
        let mut agreed = case.agreed.iter();
        for page in &mut case.target {
            if *page < 100 {
                *page = *agreed.next().unwrap();
            }
        }
        case
    })
}

/// Cases with pages that are not written.
fn beside_held() -> impl Strategy<Value = Case> {
    cases().prop_flat_map(|case| {
        let count = 0..=case.source.len();
        let held = prop::sample::subsequence(case.source.clone(), count);
        (Just(case), held).prop_map(|(case, held)| Case { held, ..case })
    })
}

fn choices() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 12)
}

proptest! {
    #[test]
    fn any_order_of_steps_ends_as_decided(case in cases(), choices in choices(), overwrite: bool) {
        let merged = case.merged(overwrite);
        prop_assert_eq!(case.carried_out(&merged, &choices), case.row(&merged));
    }

    #[test]
    fn what_only_the_source_moved_arrives(case in source_only(), choices in choices()) {
        let merged = case.merged(false);
        let row = case.carried_out(&merged, &choices);
        prop_assert_eq!(only(&row, &case.source), case.source.clone());
        prop_assert!(!merged.verdicts.contains(&Verdict::Both));
        // Pages of the target alone keep their order.
        prop_assert_eq!(only(&row, &[200, 201, 202]), only(&case.target, &[200, 201, 202]));
    }

    #[test]
    fn what_only_the_target_moved_stays(case in cases()) {
        let source: Vec<u32> = case.agreed.clone();
        let case = Case { source, ..case };
        let merged = case.merged(false);
        prop_assert_eq!(case.row(&merged), case.target);
        prop_assert!(merged.moves.iter().all(|moves| !moves));
        prop_assert!(!merged.verdicts.contains(&Verdict::Both));
    }

    #[test]
    fn what_both_moved_alike_is_in_agreement(case in cases()) {
        let case = Case { source: case.target.clone(), ..case };
        let merged = case.merged(false);
        prop_assert!(merged.moves.iter().all(|moves| !moves));
        prop_assert!(merged.verdicts.iter().all(|verdict| *verdict == Verdict::Agrees));
    }

    #[test]
    fn with_overwrite_no_conflict_is_left(case in cases()) {
        let merged = case.merged(true);
        let left = |verdict: &Verdict| matches!(verdict, Verdict::Both | Verdict::Unknown);
        prop_assert!(!merged.verdicts.iter().any(left));
    }

    /// After the run, the ranks show which pages still differ: only those that were left. Beside a conflict others may have
    /// moved in such a way that it is none any more.
    #[test]
    fn a_second_run_finds_what_the_first_one_left(case in cases(), overwrite: bool) {
        let first = case.merged(overwrite);
        let row = case.row(&first);
        let ranks: HashMap<u32, i64> = case
            .source
            .iter()
            .zip(&first.ranks)
            .filter_map(|(page, rank)| Some((*page, (*rank)?)))
            .collect();
        let mut agreed: Vec<u32> = ranks.keys().copied().collect();
        agreed.sort_by_key(|page| ranks[page]);
        let again = Case { agreed, target: row, ..case.clone() };
        let second = again.merged(false);
        if first.verdicts.iter().all(|verdict| *verdict != Verdict::Both) {
            prop_assert_eq!(again.row(&second), again.target.clone());
            prop_assert!(second.moves.iter().all(|moves| !moves));
            prop_assert!(second.verdicts.iter().all(|verdict| *verdict != Verdict::Both));
        }
        if first.verdicts.iter().all(|verdict| matches!(verdict, Verdict::Agrees | Verdict::Source)) {
            prop_assert_eq!(case.wanted(&again.target), case.source.clone());
            prop_assert!(second.verdicts.iter().all(|verdict| *verdict == Verdict::Agrees));
        }
    }

    #[test]
    fn beside_what_is_not_written_all_else_moves_once(case in beside_held(), choices in choices(), (overwrite, is_owed) in any::<(bool, bool)>()) {
        let first = case.merged(overwrite);
        let row = case.carried_out(&first, &choices);
        prop_assert_eq!(&row, &case.row(&first));
        prop_assert_eq!(only(&row, &case.held), only(&case.target, &case.held));
        // What both moved can stand where it was agreed once others have gone.
        prop_assume!(!first.verdicts.contains(&Verdict::Both));
        let second = case.after(&first, row, is_owed);
        let again = second.merged(overwrite);
        let is_settled = |merged: &Merged| merged.moves.iter().all(|moves| !moves);
        // Behind a last page that is not written something new can have come.
        let waits = |at: usize| first.verdicts[at] == Verdict::Held && !case.held.contains(&case.source[at]);
        if !(0..case.source.len()).any(waits) {
            prop_assert!(is_settled(&again), "{:?} after {:?}", again, first);
        }
        prop_assume!(!again.verdicts.contains(&Verdict::Both));
        let third = second.after(&again, second.row(&again), is_owed).merged(overwrite);
        prop_assert!(is_settled(&third), "{:?} after {:?} after {:?}", third, again, first);
    }

    #[test]
    fn ranks_rise_and_known_ones_stay(known in prop::collection::btree_set(-1_000_i64..1_000, 0..6), open in prop::collection::vec(any::<bool>(), 12)) {
        let mut known = known.into_iter();
        let row: Vec<Option<i64>> = open.iter().map(|open| if *open { None } else { known.next() }).collect();
        if let Some(ranks) = spread(&row) {
            prop_assert!(ranks.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", ranks);
            for (rank, known) in ranks.iter().zip(&row) {
                prop_assert!(known.is_none_or(|known| known == *rank));
            }
        }
    }
}

/// The first run put page 2 in front of page 3, and the server put it at the end.
#[test]
fn what_was_put_elsewhere_than_asked_is_owed_by_the_source() {
    let case = Case {
        agreed: vec![1, 3, 4],
        source: vec![1, 2, 3, 4],
        target: vec![1, 3, 4, 2],
        ..Case::default()
    };
    let with_owed = |owed: bool| {
        let mut members = case.members();
        members[1].owed = owed;
        merge(&members, case.target.len(), false)
    };
    assert_eq!(with_owed(false).verdicts[1], Verdict::Unknown);
    let merged = with_owed(true);
    assert_eq!(merged.verdicts[1], Verdict::Source);
    assert_eq!(merged.moves, [false, true, false, false]);
    assert_eq!(case.row(&merged), case.source);
}

#[test]
fn what_is_owed_and_stands_right_is_in_agreement() {
    let case = Case {
        agreed: vec![1, 3],
        source: vec![1, 2, 3],
        target: vec![1, 2, 3],
        ..Case::default()
    };
    let mut members = case.members();
    members[1].owed = true;
    let merged = merge(&members, 3, false);
    assert!(
        merged
            .verdicts
            .iter()
            .all(|verdict| *verdict == Verdict::Agrees)
    );
    assert!(merged.moves.iter().all(|moves| !moves));
}

#[test]
fn both_swapped_two_neighbours_of_the_same_row() {
    let case = Case {
        agreed: vec![1, 2, 3, 4, 5],
        source: vec![5, 1, 2, 3, 4],
        target: vec![1, 2, 5, 3, 4],
        ..Case::default()
    };
    let merged = case.merged(false);
    assert_eq!(merged.verdicts[0], Verdict::Both);
    assert_eq!(case.row(&merged), case.target);
    assert_eq!(case.row(&case.merged(true)), case.source);
}
