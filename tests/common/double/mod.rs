//! An instance in memory that plays both ports, takes its time, loses answers, and watches what arrives.
//!
//! | file | holds |
//! |---|---|
//! | `world` | what is stored, and what reads and saves make of it |
//! | `nature` | how a server behaves, and what goes wrong |
//! | `ports` | the way in: delays, faults, the two ports |
//! | `watch` | what must never happen |
//! | `work` | what waits for the worker |

mod nature;
mod ports;
mod watch;
mod work;
mod world;

pub(crate) use nature::{Fault, Ids, Nature};
pub(crate) use ports::{Double, Trace};
pub(crate) use watch::{Limits, REFUSED};
pub(crate) use world::{IDS_OF_KIND, Row, RowKey, SOURCE_IDS, TARGET_IDS, World, id};
