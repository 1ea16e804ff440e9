//! What a user may set about a run.

use std::sync::Arc;
use std::time::Duration;

use super::pace::Ceilings;
use super::probed::Probed;
use crate::domain::Kind;
use crate::plan::Hint;
pub use crate::plan::{
    Adopt, Denied, FieldRule, Freeze, Gates, Maps, MaxChange, OnConflict, Pattern, PatternError,
    Policies, UploadLimits, changed_since, check_pattern,
};

/// When an entity may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// When its own references are durable.
    #[default]
    Pipelined,
    /// When the gates that its lane depends on have settled.
    Phased,
}

/// What is published after it has been saved, of what is published on the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Publish {
    /// Nothing.
    #[default]
    Off,
    /// Content items.
    Content,
    /// Pages.
    Pages,
    /// Both.
    Both,
}

impl Publish {
    /// The name as the configuration writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Content => "content",
            Self::Pages => "pages",
            Self::Both => "both",
        }
    }

    /// The kinds that are published, in this order.
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Off => &[],
            Self::Content => &[Kind::Content],
            Self::Pages => &[Kind::Page],
            Self::Both => &[Kind::Content, Kind::Page],
        }
    }
}

/// How to treat an entity of an interrupted run if it is not known whether it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownOutcome {
    /// It is listed and not sent.
    #[default]
    Report,
    /// It counts as absent and is sent, because the user has looked.
    Resend,
}

/// How a run is carried out. What is to be moved is the plan's business.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the user"
)]
pub struct Options {
    /// When an entity may start.
    pub schedule: Schedule,
    /// Whether the first failure ends the run after what is in flight.
    pub fail_fast: bool,
    /// What is published.
    pub publish: Publish,
    /// Whether what the source no longer has is deleted on the target.
    pub prune: bool,
    /// Whether the webhooks of the target are switched off while a run writes.
    pub pause_webhooks: bool,
    /// Whether the target is read back at the end.
    pub verify: bool,
    /// Whether that includes the bytes of assets.
    pub verify_bytes: bool,
    /// Requests in flight at most, per instance.
    pub concurrency: usize,
    /// Requests in flight that read, at most.
    pub reads: usize,
    /// Requests in flight that save single entities, at most.
    pub writes: usize,
    /// Requests per second at most, per host and token; `None` leaves it to the server's refusals.
    pub per_second_max: Option<f64>,
    /// Content batches that the target holds at most at one time.
    pub batches_in_flight: usize,
    /// Items in a batch at most, 1 to 250.
    pub batch_items: usize,
    /// Uploads of assets in flight at most. Four times as many files may be fetched at one time.
    pub assets_in_flight: usize,
    /// How much one upload takes of what goes to the same folder and gallery.
    pub upload: UploadLimits,
    /// Attempts at one request at most, the first included.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles from there on.
    pub first_delay: Duration,
    /// The longest wait between two attempts, unless the server asks for more.
    pub delay_max: Duration,
    /// The longest `Retry-After` that is waited for. A longer one ends the run.
    pub retry_after_max: Duration,
    /// How long a feed may report to be busy.
    pub busy_max: Duration,
    /// Whether a user can deal with what stops everything while the run waits; otherwise it ends.
    pub waits_for_user: bool,
    /// How long a batch may take before it is in doubt.
    pub batch_timeout: Duration,
    /// How long a drain waits for what is in flight.
    pub drain_grace: Duration,
    /// How long the target has to stay the same before something that was sent counts as absent. What was handed
    /// in may still wait for the worker of the instance.
    pub settle: Duration,
    /// How writes with an unknown outcome are treated.
    pub unknown_outcome: UnknownOutcome,
    /// What the source is called otherwise on the target, and what the target does not get.
    pub maps: Arc<Maps>,
    /// How long the lease of a run that died blocks others, at most. It is renewed three times in that.
    pub lease_ttl: Duration,
    /// How long a request may take, for a lease that was taken over from another machine: nothing is sent before the last request
    /// of the former run has ended.
    pub request_timeout: Duration,
    /// How much of an instance is read.
    pub reading: ReadLimits,
    /// What a probe found out about the target.
    pub probed: Probed,
    /// Whether the same answers give the same run, for simulations: waits have no jitter, and the rest of the run is played
    /// ahead in place.
    pub reproducible: bool,
}

impl Options {
    /// What may be in flight to one instance.
    pub const fn ceilings(&self) -> Ceilings {
        Ceilings {
            total: self.concurrency,
            reads: self.reads,
            writes: self.writes,
            assets: self.assets_in_flight,
            downloads: self.downloads_in_flight(),
        }
    }

    /// Files that are fetched at one time from one side, at most. They come from a content delivery network, which
    /// neither the rate of the API nor [`Options::concurrency`] is about; so that uploads never wait for their bytes,
    /// there are more of them.
    pub const fn downloads_in_flight(&self) -> usize {
        self.assets_in_flight.saturating_mul(4)
    }

    /// Files that are open at one time, those that are being sent included: no upload begins while there are so many. At
    /// least those of two full uploads, so that one is fetched while another is sent.
    pub const fn files_in_flight(&self) -> usize {
        let many = self.downloads_in_flight();
        let two = self.upload.files.saturating_mul(2);
        if many > two { many } else { two }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            fail_fast: false,
            publish: Publish::Off,
            prune: false,
            pause_webhooks: false,
            verify: true,
            verify_bytes: true,
            concurrency: 64,
            reads: 48,
            writes: 32,
            per_second_max: None,
            batches_in_flight: 16,
            batch_items: 250,
            assets_in_flight: 16,
            upload: UploadLimits::default(),
            attempts: 5,
            first_delay: Duration::from_millis(500),
            delay_max: Duration::from_secs(30),
            retry_after_max: Duration::from_mins(10),
            busy_max: Duration::from_mins(10),
            waits_for_user: false,
            batch_timeout: Duration::from_mins(10),
            drain_grace: Duration::from_mins(1),
            settle: Duration::from_secs(6),
            unknown_outcome: UnknownOutcome::default(),
            maps: Arc::default(),
            lease_ttl: Duration::from_secs(30),
            request_timeout: Duration::from_mins(1),
            reading: ReadLimits::default(),
            probed: Probed::default(),
            reproducible: false,
        }
    }
}

/// How much of an instance is read, whatever the server states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Pages of one list or feed.
    pub pages: u32,
    /// Entities of an instance, and rows that are none.
    pub entities: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            pages: 10_000,
            entities: 2_000_000,
        }
    }
}

/// How entities without a mapping are matched.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    /// Pairs that something other than the state names.
    pub hints: Vec<Hint>,
    /// What could not be used of what names pairs, one sentence each.
    pub problems: Vec<String>,
    /// How much evidence makes an item of the target a counterpart.
    pub adopt: Adopt,
    /// Whether items are created that were not recognised, although the target holds content of unknown origin and there is
    /// no state.
    pub create_unmatched: bool,
    /// Whether the source is a former state of the target itself: entities of one id are the same then, and what the target
    /// has become since is what is to be reverted.
    pub is_restore: bool,
}
