//! Everything that is read from outside, with something in it changed: thousands of changes, drawn from a seed.
//!
//! A reader may refuse what it is given, with an error; it must not panic, and must end. A run may fail; when it says that
//! both instances are in sync, they are.
//!
//! `MUTATIONS=100000 cargo test --locked --test it -- mutated` tries more of them, `MUTATION=seed` one alone.

#![expect(
    clippy::print_stdout,
    reason = "a test that fails shows the seed and what was changed"
)]

mod answers;
mod files;
mod mutate;
mod runs;
mod source;

use std::ops::Range;

/// The seeds to try: a number of them, or as the environment says.
pub(crate) fn seeds(usual: u64) -> Range<u64> {
    let set = |name| std::env::var_os(name).map(|text| text.to_string_lossy().parse().unwrap());
    match (set("MUTATION"), set("MUTATIONS")) {
        (Some(one), _) => one..one + 1,
        (None, number) => 0..number.unwrap_or(usual),
    }
}
