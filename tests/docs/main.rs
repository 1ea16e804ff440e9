//! The documents say what the program does: their commands work, their links lead somewhere, and the pages of the reference
//! are what the code says. `UPDATE_DOCS=1 cargo test --test docs` writes those pages anew.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod commands;
mod links;
mod pages;
mod pipelines;
mod reference;
mod shell;
