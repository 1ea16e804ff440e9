//! What is not fetched, and what is not read to its end, whatever a server states.

use std::net::IpAddr;

/// Why a file is not fetched from its stated address. Hosts are quoted, so that failures of different hosts are one
/// cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// The host has nothing to do with the instance.
    #[error(
        "the file is on \"{host}\", which is neither a host of the instance's assets nor in assets.hosts"
    )]
    Foreign {
        /// Host, and port where it is not the usual one.
        host: String,
    },
    /// An allowed name, or an address itself, leads into an internal network.
    #[error("the file is on \"{host}\", which leads to the internal address \"{address}\"")]
    Internal {
        /// Host, and port where it is not the usual one.
        host: String,
        /// The address.
        address: IpAddr,
    },
    /// It is not an address of the web.
    #[error("the address of the file begins with \"{scheme}:\" and not with http: or https:")]
    Scheme {
        /// What the address begins with.
        scheme: String,
    },
}

/// What of an answer went beyond which limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// More bytes, unpacked, than an answer may have.
    #[error("the response is longer than {} MB (limits.answer_mb)", .0 >> 20)]
    Answer(u64),
    /// More values than fit into the memory that an answer may take.
    #[error("the values of the response take more memory than {} MB (limits.answer_mb)", .0 >> 20)]
    Values(u64),
    /// A file without an announced length goes on for longer than a file may.
    #[error("the file is longer than {} MB and has no announced length (limits.file_mb)", .0 >> 20)]
    File(u64),
    /// A list announces more pages than are read.
    #[error("the list has {rows} rows, which is more than {pages} pages (limits.pages)")]
    Pages {
        /// What the server announced.
        rows: u64,
        /// The limit.
        pages: u32,
    },
}
