//! A plan for people: as text, as Markdown for a comment on a pull request, and as a page.
//!
//! All forms have the same parts in the same order: the facts, what updates remove, conflicts, then every other entity by
//! kind and container, cycles, what is published, and what the source no longer has. What comes first matters most, because
//! Markdown is cut where it is too long for a comment.

mod facts;
mod html;
mod markdown;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub use facts::facts;
pub(crate) use facts::webhooks_before;
pub use html::html;
pub use markdown::markdown;
pub use text::{Look, text};
