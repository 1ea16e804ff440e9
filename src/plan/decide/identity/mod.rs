//! Finds the counterparts of content items that the state does not know.
//!
//! Without a state (a second machine, a lost state, a target that another tool filled), items have no unique name, and
//! still each of them has an identity. Evidence is used in this order, the stronger kinds first, and repeatedly, because a
//! recognised item makes those that refer to it comparable:
//!
//! ```text
//!   hints            decision of the user, mapping of the other direction, mapping folder of the official CLI, the same id
//!                    where a folder is restored into the instance that it was read from, two mappings through a third
//!                    instance
//!   equal content    same container, same fields, references to the same items (refinement of classes, also in cycles);
//!                    of several equal ones those that equal entities refer to at the same place, else any: they are
//!                    interchangeable
//!   equal sibling    equal content in one of the item's locales
//!   same key         a value that is unique on both sides in a field that names an item: URL name, title
//!   same place       the only item of its list, the only open place in an ordered selection or between neighbours
//! ```
//!
//! A match becomes an agreement without a base, so that the decision about it is the usual one: equal is adopted, different
//! is a conflict. A wrong guess leads to a conflict, never to a write. Place is weak evidence, so it counts only where the
//! pair has no state at all. The counterpart of a live source entity is not a candidate; that of a deleted one only for equal
//! content.

mod classes;
mod evidence;
mod face;
mod pairing;
mod recognise;
mod side;
mod tally;
mod weaker;

pub use evidence::{Adopt, Hint, Recognition};
pub(in crate::plan::decide) use recognise::{Identity, Known, recognise};
pub use tally::ContainerTally;
