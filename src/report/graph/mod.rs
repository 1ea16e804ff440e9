//! A plan and its dependency graph for people and programs.
//!
//! ```text
//!   Plan + source ─▶ View (whole, folded, or around one entity) ─▶ dot │ mermaid │ json │ picture (SVG in a page)
//!                └─▶ files: plan.json and graph.json, every entity ─▶ look_up: one of them, read back
//! ```
//!
//! Tens of thousands of entities cannot be read as boxes, so a [`View`] folds them: by containers, then, when that is still
//! too much, by kinds and content levels. An edge leads from a dependent to its dependency. A cycle of references
//! stays visible whatever the fold: members are marked, and so are needs that the plan cuts.

mod dot;
mod files;
mod layout;
mod look_up;
mod mermaid;
mod page;
mod picture;
#[cfg(test)]
mod tests;
mod view;

pub use dot::dot;
pub use files::{write_graph, write_plan};
pub use look_up::{Around, Included, Neighbour, included, listed, look_up};
pub use mermaid::mermaid;
pub use page::page;
pub use picture::{DRAWABLE, svg_file};
pub use view::{Edge, Fold, GraphBox, Ring, View, around, whole};
