//! Many seeds at once, and the table of what happened in them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::args::Args;
use crate::history::History;
use crate::play::{Figures, Verdict, play};
use crate::progress::{Progress, now};
use crate::shrink::shrink;

/// Failing seeds that are printed in full.
const SHOWN: usize = 30;

/// One seed in this many is played twice, to see that both traces are the same.
const TWICE: u64 = 20;

/// Failing seeds that are shrunk, which takes a hundred plays each.
const SHRUNK: usize = 2;

/// Seeds in which the engine broke a rule once. They are played with any others.
const ONCE_BROKEN: [u64; 18] = [
    14, 204, 241, 419, 563, 774, 941, 1037, 1082, 2267, 3033, 3461, 5060, 5669, 6302, 7187, 8362,
    9202,
];

/// Lines of the trace of a shrunk history that are printed. Replaying it prints all.
const TRACE: usize = 60;

/// Plays one seed and prints its trace.
pub(crate) fn replay(seed: u64, args: &Args) -> bool {
    let mut history = History::draw(seed);
    for cut in &args.cut {
        cut.apply(&mut history);
    }
    println!("{history:#?}");
    let verdict = play(&history, true);
    for line in &verdict.trace {
        println!("{line}");
    }
    let is_same = !args.twice || same(&verdict, &play(&history, true));
    for problem in &verdict.problems {
        println!("seed {seed}: {problem}");
    }
    is_same && verdict.problems.is_empty()
}

/// Plays all seeds, and prints what happened.
pub(crate) fn play_all(args: &Args) -> bool {
    let began = now();
    let seeds = args.first..args.first + args.seeds;
    let again = ONCE_BROKEN.into_iter().filter(|seed| !seeds.contains(seed));
    let seeds: Vec<u64> = again.chain(seeds.clone()).collect();
    let next = AtomicUsize::new(0);
    let progress = Progress::of("seeds", seeds.len());
    let total = Mutex::new((Figures::default(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..args.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        return;
                    };
                    let (figures, problems) = one(seed, args);
                    let mut total = total.lock().unwrap();
                    total.0.add(&figures);
                    if !problems.is_empty() {
                        total.1.push((seed, problems));
                    }
                    let failing = total.1.len();
                    drop(total);
                    progress.one_more(|| format!(", {failing} fail"));
                }
            });
        }
    });
    let (figures, mut failing) = total.into_inner().unwrap();
    failing.sort_by_key(|(seed, _)| *seed);
    for (at, (seed, problems)) in failing.iter().take(SHOWN).enumerate() {
        println!("seed {seed} fails:");
        for problem in problems {
            println!("    {problem}");
        }
        println!("    replay: cargo test --locked --test sim -- --seed {seed}");
        if at < SHRUNK && !args.no_shrinking {
            print_shrunk(*seed);
        }
    }
    print(seeds.len(), &figures, began.elapsed().as_secs_f64());
    if !failing.is_empty() {
        let names: Vec<String> = failing.iter().map(|(seed, _)| seed.to_string()).collect();
        println!(
            "{} of {} seeds fail: {}",
            failing.len(),
            seeds.len(),
            names.join(" ")
        );
    }
    failing.is_empty()
}

/// Prints the smallest history that still fails: how to replay it, what is wrong, and the end of its trace.
fn print_shrunk(seed: u64) {
    let mut history = History::draw(seed);
    let cuts = shrink(&history);
    for cut in &cuts {
        cut.apply(&mut history);
    }
    let verdict = play(&history, true);
    let cuts: Vec<String> = cuts.iter().map(|cut| format!("--cut {cut}")).collect();
    let cuts = cuts.join(" ");
    println!("    shrunk: cargo test --locked --test sim -- --seed {seed} {cuts}");
    for problem in &verdict.problems {
        println!("        {problem}");
    }
    let skipped = verdict.trace.len().saturating_sub(TRACE);
    for line in &verdict.trace[skipped..] {
        let line: String = line.chars().take(200).collect();
        println!("        {line}");
    }
}

fn one(seed: u64, args: &Args) -> (Figures, Vec<String>) {
    let history = History::draw(seed);
    let is_twice = args.twice || seed.is_multiple_of(TWICE);
    let verdict = play(&history, is_twice);
    let mut problems = verdict.problems.clone();
    if is_twice && !same(&verdict, &play(&history, true)) {
        problems.push("the same seed gave another trace".to_owned());
    }
    (verdict.figures, problems)
}

/// Whether two plays of a history are the same; prints where they part.
fn same(one: &Verdict, other: &Verdict) -> bool {
    let parts = one
        .trace
        .iter()
        .zip(&other.trace)
        .position(|(one, other)| one != other);
    if let Some(at) = parts {
        println!("line {at}:\n  {}\n  {}", one.trace[at], other.trace[at]);
    }
    parts.is_none() && one.trace.len() == other.trace.len()
}

fn print(seeds: usize, figures: &Figures, seconds: f64) {
    println!();
    println!("{:<32}{seeds:>10}", "seeds");
    println!("{:<32}{:>10}", "runs", figures.runs);
    println!("{:<32}{:>10}", "crashes", figures.crashes);
    println!("{:<32}{:>10}", "takeovers", figures.takeovers);
    println!("{:<32}{:>10}", "edits by others", figures.edits);
    println!("{:<32}{:>10}", "entities left in doubt", figures.doubts);
    let faults: u32 = figures.faults.values().sum();
    println!("{:<32}{faults:>10}", "faults");
    for (fault, count) in &figures.faults {
        println!("  {:<30}{count:>10}", fault.name());
    }
    println!("{:<32}{seconds:>9.1}s", "time");
}
