//! An instance in memory that plays both ports, takes its time, loses answers, and watches what arrives.
//!
//! | file | holds |
//! |---|---|
//! | `world` | what is stored, and what reads and saves make of it |
//! | `ports` | the way in: delays, faults, the two ports |
//! | `watch` | what must never happen |

mod ports;
mod watch;
mod world;

pub(crate) use ports::Double;
pub(crate) use watch::{Limits, REFUSED};
pub(crate) use world::{Row, SOURCE_IDS, World, id};
