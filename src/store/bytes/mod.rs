//! Bytes of assets: what they held before a run replaced or deleted them.
//!
//! One object for each content, named by its hash: the same bytes are kept once, and what is read back is compared with its name.
//! They are durable before the row that names them is committed; what a run that dies in between leaves is named by no row, and does
//! no harm. On the way in and out they pass through a temporary file, and no more than a part of them is in memory.
//!
//! ```text
//!   --blobs  s3://BUCKET/PREFIX   objects of a bucket, by the crate object_store, which signs, repeats and divides into parts
//!            DIR, file:///DIR     files of a directory
//!   without  state in a file      files of the directory beside it
//!            state on a server    rows of the table `blobs` there, since the runner that undoes a run may be another machine
//! ```
//! Files are not written by `object_store`: what it writes to a disk is neither flushed nor for the user alone (0600), and both count
//! here.
//!
//! Where another place is named later, what is kept at the former one is still found there.

mod bucket;
mod folder;
mod keeping;
mod location;
mod place;
mod table;
#[cfg(feature = "mock")]
#[cfg(test)]
mod tests;

pub use bucket::Trouble;
pub(super) use folder::directory_beside;
pub use keeping::Keeping;
pub use location::{BlobsUrl, BlobsUrlError, CREDENTIALS};
pub(super) use place::Places;
