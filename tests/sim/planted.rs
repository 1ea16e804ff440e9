//! How soon planted bugs are found: the measure of the simulation.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use lockgate::planted::{Bug, plant};

use crate::args::Args;
use crate::history::History;
use crate::play::play;
use crate::progress::Progress;

/// Seeds after which a bug counts as not found, unless fewer were asked for.
const BOUND: u64 = 2_000;

/// A failing seed with the first thing that is wrong in it.
type Found = (u64, String);

/// Plants every bug in turn, or the one asked for, and prints after how many seeds it was found. Whether all were.
pub(crate) fn measure(args: &Args) -> bool {
    let is_asked = |bug: &Bug| {
        let asked = args.plant.as_deref();
        asked.is_none_or(|asked| format!("{bug:?}").eq_ignore_ascii_case(asked))
    };
    let bugs: Vec<Bug> = Bug::ALL.into_iter().filter(is_asked).collect();
    let mut is_all = !bugs.is_empty();
    println!("{:<24}{:>6}  first sign", "planted bug", "seeds");
    for bug in bugs {
        let progress = Progress::of(
            &format!("seeds with {bug:?}"),
            usize::try_from(BOUND).unwrap(),
        );
        let found = seeds_until_found(bug, args.threads.max(1), &progress);
        is_all &= found.is_some();
        let (seeds, sign) = found.map_or_else(
            || ("-".to_owned(), "not found".to_owned()),
            |(seeds, problem)| (seeds.to_string(), problem.chars().take(110).collect()),
        );
        println!("{:<24}{seeds:>6}  {sign}", format!("{bug:?}"));
    }
    is_all
}

/// Seeds that fail without any bug show nothing.
fn seeds_until_found(bug: Bug, threads: usize, progress: &Progress) -> Option<Found> {
    let mut next = 1;
    while next <= BOUND {
        plant(Some(bug));
        let found = first_failing(next, threads, progress);
        plant(None);
        let (seed, problem) = found?;
        if play(&History::draw(seed), false).problems.is_empty() {
            return Some((seed, problem));
        }
        next = seed + 1;
    }
    None
}

fn first_failing(from: u64, threads: usize, progress: &Progress) -> Option<Found> {
    let next = AtomicU64::new(from);
    let first = Mutex::new(None::<Found>);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > BOUND {
                        return;
                    }
                    let problems = play(&History::draw(seed), false).problems;
                    progress.one_more(String::new);
                    let Some(problem) = problems.into_iter().next() else {
                        continue;
                    };
                    // Nobody begins another seed; those that are on may be earlier ones.
                    next.store(BOUND + 1, Ordering::Relaxed);
                    let mut first = first.lock().unwrap();
                    if first.as_ref().is_none_or(|(other, _)| seed < *other) {
                        *first = Some((seed, problem));
                    }
                }
            });
        }
    });
    first.into_inner().unwrap()
}
