//! The plan of an undo.
//!
//! ```text
//!   what the run wrote ──┐
//!   what it wrote over ──┼─▶ decide ──▶ Decision per entity ──▶ stages: restores, then deletes
//!   the target now ──────┘      └─ needs: what stays keeps what it refers to
//! ```
//!
//! Three rules, in this order. What existed before the run is never deleted. What is no longer as the run left it is the
//! work of another user and stays, unless the command states otherwise. What stays keeps everything that it refers to: a
//! reference into nothing would be worse than an entity too many.
//!
//! A model that lost a field took its values from all its items, those included that the run did not write. They are
//! part of what the run did, and get their values back with the field.
//!
//! What a run deleted is created again. The API gives it a new id, which replaces the former one in everything that is restored
//! or created again with it. Of the members of a cycle of references none could be first, and they stay deleted.
//!
//! Publishing is undone as well: what the public saw is saved and published again, or unpublished, and then what stood in
//! staging is saved over it.
//!
//! Whether something changed is shown by the hash of its normal form, as in a run.

mod again;
mod decide;
mod dropped;
mod needs;
mod order;
mod own;
#[cfg(test)]
mod tests;

pub use decide::{
    Decided, Decision, Inputs, Kept, Live, LiveWork, PriorBytes, PriorState, Trace, UndoPlan, plan,
};
pub(in crate::plan) use decide::{decided, ordered};
pub use dropped::losing_values;
pub use order::out_of_order;
pub use own::{Created, Own, as_it_is};
