use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

fn arcs(list: &[(usize, usize, Option<u32>)]) -> Vec<Arc> {
    let arc = |(from, to, cost): &(usize, usize, Option<u32>)| Arc {
        from: *from,
        to: *to,
        cost: *cost,
    };
    list.iter().map(arc).collect()
}

/// Whether an order of the members exists that keeps every arc but those of `cut`.
fn is_open(size: usize, arcs: &[Arc], cut: &[usize]) -> bool {
    let kept: Vec<Arc> = (0..arcs.len())
        .filter(|at| !cut.contains(at))
        .map(|at| Arc {
            cost: None,
            ..arcs[at]
        })
        .collect();
    Component::new(size, &kept).greedy().is_some()
}

fn costs(arcs: &[Arc], cut: &[usize]) -> u64 {
    cut.iter()
        .filter_map(|at| arcs[*at].cost)
        .map(u64::from)
        .sum()
}

/// Random needs between up to `size` members, one in five of them without a way to leave it out.
fn some_arcs(size: usize, most: usize) -> impl Strategy<Value = Vec<(usize, usize, Option<u32>)>> {
    let cost = prop_oneof![4 => (1_u32..30).prop_map(Some), 1 => Just(None)];
    proptest::collection::vec((0..size, 0..size, cost), 0..most)
}

proptest! {
    /// Without the cut an order exists, and with any one arc put back none does; what cannot be left out never is.
    #[test]
    fn a_cut_is_a_feedback_arc_set_and_minimal(list in some_arcs(24, 90)) {
        let arcs = arcs(&list);
        let hard: Vec<Arc> = arcs.iter().copied().filter(|arc| arc.cost.is_none()).collect();
        let Some(cut) = cheap_cut(24, &arcs) else {
            prop_assert!(!is_open(24, &hard, &[]), "there is an order that keeps what has to stay");
            return Ok(());
        };
        prop_assert!(cut.iter().all(|at| arcs[*at].cost.is_some()));
        prop_assert!(is_open(24, &arcs, &cut));
        for at in &cut {
            let without: Vec<usize> = cut.iter().copied().filter(|other| other != at).collect();
            prop_assert!(!is_open(24, &arcs, &without), "{:?} need not be cut", arcs[*at]);
        }
    }

    /// Where every order can be compared, none is cheaper.
    #[test]
    fn small_components_get_the_cheapest_cut(list in some_arcs(6, 14)) {
        let arcs = arcs(&list);
        if let Some(cut) = cheap_cut(6, &arcs) {
            let removable: Vec<usize> = (0..arcs.len()).filter(|at| arcs[*at].cost.is_some()).collect();
            for choice in 0..1_usize << removable.len() {
                let bits = removable.iter().enumerate();
                let other: Vec<usize> =
                    bits.filter(|(bit, _)| choice & (1 << bit) != 0).map(|(_, at)| *at).collect();
                if costs(&arcs, &other) < costs(&arcs, &cut) {
                    prop_assert!(!is_open(6, &arcs, &other), "{other:?} is cheaper than {cut:?}");
                }
            }
        }
    }
}

/// What large components get is compared with the best on components that are small enough for both.
#[test]
fn the_heuristic_is_close_to_the_optimum() {
    let mut runner = TestRunner::new_with_rng(
        Config::with_cases(1_000),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let total = std::cell::Cell::new((0_u64, 0_u64));
    let worse = std::cell::Cell::new(0_u32);
    runner
        .run(&some_arcs(EXACT_UP_TO, 40), |list| {
            let arcs = arcs(&list);
            let component = Component::new(EXACT_UP_TO, &arcs);
            let Some(greedy) = component.greedy() else {
                return Ok(());
            };
            let found = costs(&arcs, &component.improved(greedy));
            let best = costs(&arcs, &component.cut_of(&component.cheapest()));
            prop_assert!(best <= found);
            if found * 10 > best * 12 {
                worse.set(worse.get() + 1);
            }
            let (all_found, all_best) = total.get();
            total.set((all_found + found, all_best + best));
            Ok(())
        })
        .expect("no order is cheaper than the cheapest");
    let (found, best) = total.get();
    assert!(found * 100 <= best * 105, "{found} against {best}");
    assert!(worse.get() <= 20, "{} of 1000", worse.get());
}

/// An entity that refers to many which refer back to it, and one large component of random needs: both are
/// far beyond what could be done in quadratic time in a test.
#[test]
fn large_components_are_cut() {
    let hub: Vec<Arc> = (1..=20_000)
        .flat_map(|leaf| arcs(&[(0, leaf, Some(1)), (leaf, 0, Some(1))]))
        .collect();
    let cut = cheap_cut(20_001, &hub).expect("all of it can be left out");
    assert_eq!(costs(&hub, &cut), 20_000);

    let mut state = 1_usize;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 14_481
    };
    let dense: Vec<Arc> = (0..14_481)
        .flat_map(|node| [node; 3])
        .flat_map(|node| arcs(&[(node, random(), Some(1))]))
        .collect();
    let cut = cheap_cut(14_481, &dense).expect("all of it can be left out");
    assert!(
        cut.len() * 4 < dense.len(),
        "{} of {}",
        cut.len(),
        dense.len()
    );
}
