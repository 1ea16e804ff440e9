//! The findings of a probe about a target, as runs use them.

use std::time::Duration;

use crate::plan::LinkForms;

/// What is known of a target from a probe; the default is that of one that was never probed, and changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// The forms in which it takes selections of one item.
    pub links: LinkForms,
    /// How long it takes for a batch of one item, and of 20.
    pub batch_times: (Option<Duration>, Option<Duration>),
    /// Whether batches wait for one another; `false` where that is not known.
    pub serial_batches: bool,
    /// Whether a save of a webhook loses its signing secret.
    pub loses_secrets: bool,
}
