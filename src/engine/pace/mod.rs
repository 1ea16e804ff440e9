//! Leave to send: the quota, the windows of requests in flight, and the pause that a server asks for.
//!
//! Every request of a run passes through the pacer of its instance, whichever lane it belongs to, so the sum
//! is what the server sees.
//!
//! ```text
//!   request ─▶ line of its class ─▶ turn by weight ─▶ window of its class ─▶ quota ─▶ leaves
//!                                        ▲                   ▲                  ▲
//!                                     [`class`]          [`window`]     [`limit`] in [`quota`]
//!                                                            └── answers: time, refusals ──┘
//! ```
//! Two things are learned, because they fail differently. *How many at once* is a matter of the server's strength: each
//! class has a window, and all together have a level, that grow by one request at a time and shrink by a factor. *How many
//! per second* is a rule of the server: there is a number, and `limit` finds it from the refusals, holds just below it, and
//! asks now and then whether it has risen. A window alone would have to be refused over and over to find out.
//!
//! A refusal that reflects the limit holds everything back for as long as the server asks. Another one holds back
//! its own request alone, unless the server asks for a long wait: where a share of all requests is refused whatever the rate,
//! a pause with each refusal would leave hardly any time to send.
//!
//! Runs that share a state on a server share the rate of a host and a token as well: `joint` divides it, `part` is what this
//! process has of it, and a task in `shared` renews that. What is learned of the rate is learned by all together.
//!
//! The decisions are plain functions over moments that are handed in; only [`Pacer::permit`] waits. The quota is
//! governor's; its clock is put over tokio's, so tests can pause it.

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
