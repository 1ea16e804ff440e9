//! From a request to an answer: admission, faults, the route, the log.
//!
//! ```text
//!   request ─▶ body read ─▶ fault? ─▶ rate ─▶ latency ─▶ token or key ─▶ route (under the lock) ─▶ answer
//!                            (one fault per request, before or after its effect)
//! ```
//! One handler dispatches by hand, because the real server matches paths in any case and distinguishes a number from a name
//! in the same place, which a table of routes cannot express.

mod admin;
mod answer;
mod assets;
mod body;
mod call;
mod content;
mod definitions;
mod fetch;
mod handle;
mod locales;
mod management;
mod oauth;
mod stale;
mod target;
mod types;

pub(super) use call::Call;
use handle::json;
pub(super) use handle::router;
