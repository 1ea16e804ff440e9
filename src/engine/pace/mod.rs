//! Permits to send: the quota, the windows of requests in flight, and the pause that a server requires.
//!
//! Every request of a run, of whichever lane, passes through the pacer of its instance, so the sum of all is limited.
//!
//! ```text
//!   request ─▶ line of its class ─▶ turn by weight ─▶ window of its class ─▶ quota ─▶ leaves
//!                                        ▲                   ▲                  ▲
//!                                     [`class`]          [`window`]     [`limit`] in [`quota`]
//!                                                            └── answers: time, refusals ──┘
//! ```
//! Two values are measured, because they fail differently. *How many at once* depends on the capacity of the server: each
//! class has a window, and all classes together have a level; both grow by one request at a time and shrink by a factor.
//! *How many per second* is a fixed rule of the server: `limit` finds the number from the refusals, holds just below it, and
//! tries now and then whether it has risen. With a window alone, requests would have to be refused again and again.
//!
//! A refusal that is due to the limit pauses all requests for as long as the server requires. Any other refusal delays its
//! own request alone, unless the server requires a long wait: where a share of all requests is refused at any rate, a pause
//! with each refusal would leave hardly any time to send.
//!
//! Runs that share a state on a server share the rate of a host and a token as well: `joint` divides it, `part` is the part
//! of this process, and a task in `shared` renews that. What one run measures of the rate, all use.
//!
//! Decisions are plain functions over moments that are passed in; only [`Pacer::permit`] waits. governor keeps the quota,
//! with a clock over tokio's, so tests can pause it.

mod account;
mod answers;
mod class;
mod climb;
mod joint;
mod known;
mod learned;
mod lesson;
mod level;
mod limit;
mod pacer;
mod part;
mod quota;
mod scarcity;
mod server_clock;
mod shared;
#[cfg(test)]
mod shared_simulation;
#[cfg(test)]
mod simulation;
mod turns;
mod window;

pub use account::Account;
pub use class::Class;
pub(super) use class::PerClass;
pub use learned::Learned;
pub use pacer::{Ceilings, Pacer, Permit, Sample};
pub(super) use pacer::{PacerSnapshot, weighing};
#[cfg(test)]
pub(super) use quota::Outlook;
pub use quota::Refusal;
pub(super) use scarcity::{gathering, least_items, scarce};
pub(super) use turns::Turns;
