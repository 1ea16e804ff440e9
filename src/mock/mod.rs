//! A stateful server that plays CMS instances: Management API and Fetch API on one port.
//!
//! It is a part of the product (rehearsals, demos, dry runs) and the measuring stick of the client, so it
//! shares no type with the HTTP adapter: a shared shape would hide a shared mistake.

pub mod file;
pub mod generate;
