//! How long the rest of a run will take.
//!
//! Nothing is extrapolated: the scheduler itself is played ahead. A copy of the run's state is given the answers that the
//! target would give, on a clock of its own: each job asks for its requests, these wait for their turn, for the
//! rate and for a place in flight, and take as long as such requests took so far; a batch takes
//! what such batches took, whatever they waited for. So the ready queue, the critical path, the sizes of the batches to come and
//! both schedules are what they will be, as far as costs stay what they are. The receiver corrects for the
//! difference: see `progress::eta`. What comes after the uploads is counted in requests.
//! An undo is played like a run.
//!
//! | file | says |
//! |---|---|
//! | `costs` | what was learned of the target |
//! | `simulate` | the play |
//! | `progress_curve` | how far it gets when |
//! | `post_upload` | what comes after the uploads |
//! | `eta_estimator` | when it is played |
//! | `emitting` | how it is reported where no dispatcher runs |

mod costs;
mod emitting;
mod eta_estimator;
mod post_upload;
mod progress_curve;
mod simulate;

pub(super) use costs::Costs;
pub(super) use emitting::{emit_pace, emit_while};
pub(super) use eta_estimator::EtaEstimator;
pub(super) use post_upload::{PostUploadWork, Publication, Reading};
pub(super) use progress_curve::ProgressCurve;
pub(super) use simulate::{Forecast, ahead};
