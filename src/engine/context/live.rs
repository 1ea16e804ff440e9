//! What a run came to so far, beside the counterparts.

use dashmap::{DashMap, DashSet};

use super::foreign::Foreign;
use crate::domain::{Kind, SourceId};
use crate::instance::Fingerprint;
use crate::plan::Node;

/// What the jobs of a run leave for one another and for what comes after the uploads.
#[derive(Debug, Default)]
pub(in crate::engine) struct Live {
    /// The asset bytes that this run sent.
    pub(in crate::engine) sent_bytes: DashMap<SourceId, Fingerprint>,
    /// Entities that were meant to be written and were not, or not completely.
    pub(in crate::engine) unfinished: DashSet<Node>,
    /// Pages that this run put at their places.
    pub(in crate::engine) placed: DashSet<Node>,
    /// Those of them that were published, and are not any more.
    pub(in crate::engine) republish: DashSet<Node>,
    /// Rows of which several new pages were at the target together.
    pub(in crate::engine) overlapping: DashSet<Node>,
    /// What was sent again because something wrote over it.
    pub(in crate::engine) sent_again: DashSet<Node>,
    /// Kinds and containers of entities that the target has stored otherwise than they were sent.
    pub(in crate::engine) altered: DashSet<(Kind, Box<str>)>,
    /// What something else changed on the target meanwhile.
    pub(in crate::engine) foreign: Foreign,
}
