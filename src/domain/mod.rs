//! The vocabulary of a migration: entities, their keys, ids, versions, locales and content hashes.
//!
//! Everything here is a plain value; nothing waits, and nothing uses the network or the screen. Ids of the
//! two sides are different types, so that a source id cannot be handed to the target by mistake: the one
//! place where a source id turns into a target id is the id map.

mod asset_path;
mod body;
mod decode;
mod editor;
mod entity;
mod exact;
mod failure;
mod field_hashes;
mod file;
mod foreign;
mod hash;
mod held_file;
mod id;
mod inventory;
mod key;
mod kind;
mod name;
mod outcome;
mod place;
mod proof;
mod redact;
mod request_log;
mod run_end;
mod secret;
pub mod time;

pub use asset_path::{folder_and_name, unsendable};
pub use body::{Body, BodyFile};
pub use editor::editor_url;
pub use entity::{Entity, ItemState, Placement};
pub use exact::{Exact, held, held_pieces};
pub use failure::{Failure, FailureCause};
pub use field_hashes::{FieldHash, FieldHashes};
pub use file::{
    check_link, check_regular, is_open_to_all, is_readable_by_others, read_file, read_text,
};
pub use foreign::{Screen, shown, shown_lines, shown_name};
pub use hash::ContentHash;
pub use held_file::HeldFile;
pub use id::{BatchId, Guid, Id, Locale, RunId, SourceId, TargetId, Version};
pub use inventory::{AssetContainer, AssetUrls, Channel, Inventory, PageNode, Passed};
pub use key::{EntityKey, Key, ParseKeyError, TargetKey};
pub use kind::Kind;
pub use name::{ByName, name_key, same_name};
pub use outcome::{Outcome, WorkClass};
pub use place::{AgreedNumber, AgreedPlace, Home, ListKey};
pub use proof::{Filled, Proof};
pub use redact::{REDACTED, Redacting, redact, redact_message, redact_value};
pub use request_log::{Exchange, RequestLog};
pub use run_end::RunEnd;
pub use secret::{Secret, Token};
