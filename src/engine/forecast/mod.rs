//! How long the rest of a run will take.
//!
//! Nothing is extrapolated: the scheduler itself is simulated. A copy of the run's state gets the responses that the target
//! would give, on a clock of its own: requests of a job wait for their turn, for the rate and for a permit, and take as long
//! as such requests took so far; a batch takes what such batches took, waiting included. So the ready queue, the critical
//! path, the sizes of batches to come and both schedules are as they will be, as long as costs do not change. The receiver
//! corrects for the difference, see `progress::eta`. What follows the uploads is counted in requests. An undo is simulated
//! like a run.
//!
//! | file | contents |
//! |---|---|
//! | `costs` | the measured costs of the target |
//! | `simulate` | the simulation |
//! | `progress_curve` | its result: how far the uploads are at which time |
//! | `post_upload` | what follows the uploads |
//! | `eta_estimator` | when a simulation is due |
//! | `emitting` | reports in phases without a dispatcher |

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
