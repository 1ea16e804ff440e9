//! The durable state of a workspace: mappings, intents, runs with their outcomes, and the lease.
//!
//! One writer task owns the only connection that writes. Whatever has queued up while it was busy goes
//! into its next transaction, so thousands of small commits cost few disk flushes, and no caller gets "done"
//! before the flush. Reads have a connection of their own and never wait for the writer.
//!
//! ```text
//!   commit ──▶ bounded queue ──▶ writer task ──▶ one transaction ──▶ all callers in it are answered
//!   mappings, runs, … ──▶ reading connection
//! ```
//!
//! The state is in a file of `SQLite`, or in a schema of a `PostgreSQL` server that a team shares: the same statements, the same
//! scripts of the schema, and the same tests.
//!
//! The schema has a version. Older files are migrated forwards when they are opened; a file of a newer
//! program is refused, because an older one would not keep what it does not recognise.
//!
//! The bytes of assets that a run is about to replace do not go into a file's database but beside it, in files named by
//! their hash; on a server they are in a table of their own, and at any other place that a URL names.
//!
//! Left to others: when to write what (the engine), and what becomes of open intents (recovery).

mod aside;
mod beside;
mod bulk;
mod bytes;
mod checksum;
mod clean;
mod connection;
mod copy;
mod dialect;
mod error;
mod guard;
mod handle;
mod in_place;
mod lease;
mod liveness_lock;
mod location;
mod other_pairs;
mod rates;
mod read;
mod records;
mod rows;
mod schema;
mod server;
mod survey;
#[cfg(test)]
mod tests;
mod write;
mod writer;

pub use bytes::{BlobsUrl, BlobsUrlError, CREDENTIALS as BLOB_CREDENTIALS, Keeping, Trouble};
pub use copy::{Contents, Copied};
pub use error::StoreError;
pub use guard::open_to_all;
pub use handle::Store;
pub use lease::{Lease, LeaseOwner};
pub use location::{StateUrl, StateUrlError};
pub use other_pairs::{OtherPairs, Through};
pub use rates::{RateKey, RateRow};
pub use records::{
    Change, FormerLive, FormerPlace, Intent, IntentDetail, IntentId, IntentState, Mapping,
    MappingOrigin, Operation, Pair, PausedWebhook, PreImage, PriorBytes, PriorState, PublishState,
    Publishing, RunEntity, RunFinish, RunRecord,
};
pub use schema::VERSION as SCHEMA_VERSION;
pub use server::Server;
pub use survey::{HeldLease, Survey};
