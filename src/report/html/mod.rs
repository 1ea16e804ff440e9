//! Reports as pages: one self-contained file each, which asks nothing of any network.
//!
//! Pages hold their own style and script and forbid everything else by a content security policy, so that a report
//! may be attached to a ticket and opened years later. Markup is written with [`maud::html`], which escapes every text
//! that is put into it; the only texts that it takes as they are, are our own style and script, in [`parts::page`].
//! Everything that has a time shares one axis, drawn as elements with positions in per cent, so a page fits a phone as
//! well as paper; only curves are pictures.

mod curves;
mod index;
pub(crate) mod parts;
mod report;
mod tables;
#[cfg(test)]
mod tests;
mod timeline;

pub(crate) use index::{IndexRow, index};
pub(crate) use report::report;
