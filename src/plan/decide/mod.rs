//! Makes the plan: counterparts, differences, dependencies, and where cycles are cut.
//!
//! Each step needs the one before: counterparts give the map of predicted ids, with which every entity is written as the run
//! will write it; that shows what differs, what differs is work, and only work has to wait for other work.

mod anew;
mod asset_bytes;
mod built_in;
pub(in crate::plan) mod chains;
mod channels;
mod compare;
mod found;
mod held;
mod identity;
mod left;
mod lists;
mod losses;
mod make;
mod matching;
mod merging;
mod named;
mod names;
mod needs;
mod order;
mod owed;
mod page_matching;
mod paths;
mod place;
pub(in crate::plan) mod predicted_ids;
mod settle;
mod shapes;
pub(in crate::plan) mod spread;
#[cfg(test)]
mod tests;
mod weigh;

pub use asset_bytes::{AssetLook, ByteQuestion, assets_to_look_at};
pub use built_in::built_ins;
pub use channels::{channel_id, no_channel};
pub(in crate::plan) use compare::is_as_agreed;
pub use compare::{expected_hash, fields_hash, hash_without, known_hash, source_hash, target_hash};
pub use identity::{Adopt, ContainerTally, Hint, Recognition};
pub use lists::{in_order, number_in_list};
pub use make::{Inputs, plan};
