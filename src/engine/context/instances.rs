//! The two instances of a run, and what a request to one of them has to pass.

use std::sync::Arc;

use crate::engine::lease::Fence;
use crate::engine::outage::Alarm;
use crate::engine::pace::Pacer;
use crate::engine::poll::BatchTimes;
use crate::engine::retry::{Retries, Sender};
use crate::engine::sink::Sink;
use crate::engine::upload_size::UploadSize;
use crate::instance::{Source, Target};

/// The types of the two instances of a run.
pub trait Ends: Send + Sync + 'static {
    /// The instance read from.
    type Source: Source;
    /// The instance written to.
    type Target: Target;
}

impl<S: Source, T: Target> Ends for (S, T) {
    type Source = S;
    type Target = T;
}

/// Both instances with their pace.
pub(in crate::engine) struct Instances<E: Ends> {
    /// The instance read from.
    pub(in crate::engine) source: E::Source,
    /// The instance written to.
    pub(in crate::engine) target: E::Target,
    /// The pace of the source.
    pub(in crate::engine) source_pacer: Arc<Pacer>,
    /// The pace of the target.
    pub(in crate::engine) target_pacer: Arc<Pacer>,
    /// How often a request is sent again.
    pub(in crate::engine) retries: Retries,
    /// Where attempts are reported.
    pub(in crate::engine) sink: Sink,
    /// What writes have to pass; `None` when the run writes nothing.
    pub(in crate::engine) fence: Option<Fence>,
    /// What stops everything at once.
    pub(in crate::engine) alarm: Alarm,
    /// How long the target takes for batches.
    pub(in crate::engine) batch_times: BatchTimes,
    /// How much the target takes in one upload.
    pub(in crate::engine) upload_size: UploadSize,
}

impl<E: Ends> Instances<E> {
    /// Sends requests to the target.
    pub(in crate::engine) fn to_target(&self) -> Sender<'_> {
        Sender {
            fence: self.fence.as_ref(),
            ..self.to(&self.target_pacer)
        }
    }

    /// Sends requests to the source.
    pub(in crate::engine) fn to_source(&self) -> Sender<'_> {
        self.to(&self.source_pacer)
    }

    fn to<'a>(&'a self, pacer: &'a Pacer) -> Sender<'a> {
        Sender {
            pacer,
            retries: self.retries,
            sink: &self.sink,
            attempts: None,
            fence: None,
            alarm: Some(&self.alarm),
        }
    }

    /// Waits until the lease is known to be held, of a write that has waited for something else since it was let go.
    pub(in crate::engine) async fn keeps_lease(&self) {
        if let Some(fence) = &self.fence {
            fence.pass().await;
        }
    }
}
