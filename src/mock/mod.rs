//! A stateful server that plays CMS instances: Management API and Fetch API on one port.
//!
//! It is a part of the product (rehearsals, demos, dry runs) and the measuring stick of the client, so it
//! shares no type with the HTTP adapter: a shared shape would hide a shared mistake.
//!
//! ```text
//!   client ─▶ http/ ──lock──▶ world/ ◀──lock── batch workers of an instance
//!              │ faults, rate, latency, log
//! ```
//! `world/` holds the rules and is pure; `http/` finds the route; `server` owns the tasks. Where the vendor
//! leaves a behaviour open, a rule chooses; [`Rules::strict`] plays the stricter reading of each, so that a client that passes
//! there relies on nothing that it cannot know.

mod fault;
pub mod file;
pub mod generate;
mod http;
mod instance;
mod limit;
mod line;
mod log;
mod options;
mod profile;
mod server;
mod sign_in;
#[cfg(test)]
mod tests;
mod world;

pub use fault::{Fault, FaultAction, FaultError, Moment, ResetMoment};
pub use limit::RateLimitKind;
pub use log::RequestRecord;
pub use options::{Options, RateChange};
pub use profile::{BatchWork, Profile, Stall};
pub use server::{RequestCount, Server, StartError, StateError};
pub use world::{AssetUrls, FailedUpdates, FileDigests, Links, LoadError, Names, Refuses, Rules};
