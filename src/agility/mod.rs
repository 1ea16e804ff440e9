//! The [`Source`](crate::instance::Source) and [`Target`](crate::instance::Target) that talk to Agility CMS.
//!
//! ```text
//!   Ask ──▶ read::route ──▶ client::send ──▶ read::understand ──▶ Answer
//!   Save ─▶ write::… ─────▶ client::send ──▶ write::… ──────────▶ Saved | BatchId
//! ```
//!
//! Addresses and meanings are plain functions over JSON, so every odd shape that the API is known to send
//! is a unit test; only `client` waits for the network. Each call is one attempt at one request: redirects
//! are not followed and nothing is sent twice, because attempts are counted by the engine. The one
//! exception is the preview key, which is fetched before the first read that needs it, unless
//! [`Instance::authorise`] has done so.
//!
//! The word "item" here is the API's own, for a content item.

mod batch;
mod body;
mod classify;
mod client;
mod connection;
mod file_hosts;
mod hosts;
mod inspect;
mod limits;
mod oauth;
mod page;
mod read;
mod renewal;
mod roots;
mod shape;
mod throwaway;
mod webhooks;
mod write;

pub use connection::{Connection, ConnectionError, Instance, Limits};
pub use hosts::{Place, REGIONS, Region, is_of_known_region, place, region_name};
pub use inspect::{Access, Account, PublishedState, Shown};
pub use oauth::{Grant, NotRefreshed, OAuth, management_url};
pub use renewal::Renewal;

#[cfg(feature = "mock")]
#[cfg(test)]
mod tests;
