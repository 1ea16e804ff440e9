//! The plan: references and their rewriting, the comparison of both sides, and decisions.
//!
//! ```text
//!   models ──▶ Schema ─┐
//!   assets ──▶ AssetIndex ─▶ the walker ─┬─▶ references()   what an entity needs
//!                     body ──────────────┘└▶ payload()      the body in the target's terms
//!                     body ──▶ normal() ──▶ differences()   whether two bodies say the same
//! ```
//!
//! Extraction and rewriting are two visitors of one walker, so both see the same references. How each reference is encoded
//! is defined in [`Encoding`] and nowhere else.

mod action;
mod approved;
mod changed_by;
mod cycles;
mod decide;
mod encoding;
mod file;
mod gates;
mod graph;
mod json_pointer;
mod maps;
mod merge;
mod normal;
mod notice;
mod overview;
mod payload;
mod policy;
mod prune;
mod references;
mod schema;
mod scope;
mod selection;
#[cfg(test)]
pub(crate) mod testing;
pub mod undo;
mod uploads;
mod wanted;
mod weights;

pub use action::{
    Action, Agreement, Agreements, Joined, ListOrder, PagePlace, PlaceAgreement, Plan, Planned,
    Selected, Slot,
};
pub use approved::{Agreed, AgreedFile, Approval, Approved, Deletion, Intended, approvals};
pub use cycles::{Cycle, cycles, stages_of};
pub use decide::{
    Adopt, AssetLook, ByteQuestion, ContainerTally, Hint, Inputs, Recognition, assets_to_look_at,
    built_ins, channel_id, expected_hash, fields_hash, hash_without, in_order, known_hash,
    no_channel, number_in_list, plan, source_hash, target_hash,
};
pub use encoding::{Encoding, Evidence, LinkForm, LinkForms};
pub use file::{FORM, PlanFile, PlanFileError};
pub use gates::{Besides, Denied, Freeze, Gates, MaxChange};
pub use graph::{Graph, Need, Node, Strength};
pub use maps::{FieldRule, MapError, Mapped, Maps, RunLocales};
pub use merge::{Merge, Merged};
pub use normal::{
    Defaults, Difference, Judge, Judged, Learns, differences, field_hashes, lost_companions,
    normal, without,
};
pub use notice::{Concern, Notice, warnings};
pub use overview::{
    BothBytes, Change, Deferred, Effort, EffortLimits, Entry, FileChange, FileFacts, FileHash,
    Files, Gone, Group, HashUnknown, KnownBytes, Move, Overview, Removed, Seen, ShownFile,
    file_lines, gone, shown_files, shows_file,
};
pub use payload::{Counterparts, LeaveOut, Payload, Unresolved, payload, put_back, whole_payload};
pub use policy::{OnConflict, Pattern, PatternError, Policies};
pub use prune::{Origin, Prune, PruneInputs};
pub use references::{
    AssetIndex, Context, Reference, Referent, Side, UrlAt, asset_urls, references,
};
pub(crate) use references::{Link, Pointer, as_id, is_link_member, member};
pub use schema::{FieldKind, FieldSchema, LinkKind, LinkSchema, ModelSchema, Schema};
pub use selection::{Selection, UnknownName, container_of, gallery_of};
pub use uploads::{Together, UploadLimits, Uploads};
pub use wanted::{changed_since, check_pattern};
pub use weights::Weights;
