//! How long the rest of a run will take.
//!
//! Nothing is extrapolated: the scheduler itself is played ahead. A copy of the run's state is given the answers that the
//! target would give, on a clock of its own: each job asks for its requests, these wait for their turn, for the
//! rate and for a place in flight, and take as long as such requests took so far; a batch takes
//! what such batches took, whatever they waited for. So the ready queue, the critical path, the sizes of the batches to come and
//! both schedules are what they will be, as far as costs stay what they are. Who listens corrects for what they are
//! not: see `progress::eta`. What comes after the uploads is counted in requests.
//! An undo is played like a run.
//!
//! | file | says |
//! |---|---|
//! | `costs` | what was learned of the target |
//! | `ahead` | the play |
//! | `course` | how far it gets when |
//! | `after` | what comes after the uploads |
//! | `oracle` | when it is played |
//! | `telling` | how it is reported where no dispatcher runs |

mod after;
mod ahead;
mod costs;
mod course;
mod oracle;
mod telling;

pub(super) use after::{After, Publication, Reading};
pub(super) use ahead::{Forecast, ahead};
pub(super) use costs::Costs;
pub(super) use course::Course;
pub(super) use oracle::Oracle;
pub(super) use telling::tell_while;
