//! The facts that a run emits and the commands that it takes.
//!
//! An event tells what has become true, never what somebody should do about it; whoever listens (screen,
//! lines, files) decides that. Events are serialised one JSON object per line with a `type` member, and
//! the first event of a run carries [`SCHEMA`]. A reader must ignore members and types that it does not
//! know; a change of meaning raises the version.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::{
    BatchId, EntityKey, Failure, Guid, Kind, Locale, Outcome, RunEnd, RunId, TargetId, WorkClass,
};

/// The version of the event format. Since 2 gates of content levels are written by their name.
pub const SCHEMA: u32 = 3;

/// An event with its moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Milliseconds since the run started.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// The sides of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The instance read from.
    Source,
    /// The instance written to.
    Target,
}

/// The parts of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Both instances are read.
    Pull,
    /// It is decided what has to happen.
    Plan,
    /// The lanes upload.
    Upload,
    /// The target is read back and compared.
    Verify,
}

/// An ordered stream of uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// Lane 1: models, templates, containers, assets without a gallery, URL redirections.
    IndependentEntities,
    /// Lane 2: content items in batches, then the patches that close cycles.
    BatchedContent,
    /// Lane 3: galleries with their assets, page chains.
    ComplexEntities,
}

impl Lane {
    /// The lanes in order.
    pub const ALL: [Self; 3] = [
        Self::IndependentEntities,
        Self::BatchedContent,
        Self::ComplexEntities,
    ];

    /// The name as the documentation writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IndependentEntities => "independent-entities",
            Self::BatchedContent => "batched-content",
            Self::ComplexEntities => "complex-entities",
        }
    }
}

/// A named point of a run that settles once. Written as `models-complete`, `content-level-3-complete`, ….
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gate {
    /// Every model has its fields.
    ModelsComplete,
    /// Every template.
    TemplatesComplete,
    /// Every container.
    ContainersComplete,
    /// Every asset that belongs to no gallery.
    IndependentAssetsComplete,
    /// Every URL redirection.
    RedirectionsComplete,
    /// Every gallery.
    GalleriesComplete,
    /// Every asset of every gallery.
    GalleryAssetsComplete,
    /// Every content item of this dependency level, counted from 0.
    ContentLevelComplete(u32),
    /// Every content item of every locale, patches included.
    ContentComplete,
    /// Every page.
    PagesComplete,
    /// Everything.
    AllEntitiesComplete,
}

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::ModelsComplete => "models-complete",
            Self::TemplatesComplete => "templates-complete",
            Self::ContainersComplete => "containers-complete",
            Self::IndependentAssetsComplete => "independent-assets-complete",
            Self::RedirectionsComplete => "redirections-complete",
            Self::GalleriesComplete => "galleries-complete",
            Self::GalleryAssetsComplete => "gallery-assets-complete",
            Self::ContentLevelComplete(level) => {
                return write!(f, "content-level-{level}-complete");
            }
            Self::ContentComplete => "content-complete",
            Self::PagesComplete => "pages-complete",
            Self::AllEntitiesComplete => "all-entities-complete",
        };
        f.pad(name)
    }
}

impl Gate {
    /// The gates that there is one of.
    const FIXED: [Self; 10] = [
        Self::ModelsComplete,
        Self::TemplatesComplete,
        Self::ContainersComplete,
        Self::IndependentAssetsComplete,
        Self::RedirectionsComplete,
        Self::GalleriesComplete,
        Self::GalleryAssetsComplete,
        Self::ContentComplete,
        Self::PagesComplete,
        Self::AllEntitiesComplete,
    ];

    /// The gate of a name.
    fn named(name: &str) -> Option<Self> {
        let level = name.strip_prefix("content-level-");
        let level = level.and_then(|rest| rest.strip_suffix("-complete"));
        match level {
            Some(level) => level.parse().ok().map(Self::ContentLevelComplete),
            None => Self::FIXED
                .into_iter()
                .find(|gate| gate.to_string() == name),
        }
    }
}

impl Serialize for Gate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Takes the name, and for content levels also what schema 1 wrote: `{"content-level-complete":3}`.
impl<'de> Deserialize<'de> for Gate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Name(String),
            Level {
                #[serde(rename = "content-level-complete")]
                level: u32,
            },
        }
        match Written::deserialize(deserializer)? {
            Written::Level { level } => Ok(Self::ContentLevelComplete(level)),
            Written::Name(name) => Self::named(&name)
                .ok_or_else(|| serde::de::Error::custom(format!("unknown gate {name:?}"))),
        }
    }
}

/// Planned uploads of one kind in one lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanePlan {
    /// The lane.
    pub lane: Lane,
    /// The kind.
    pub kind: Kind,
    /// The work class.
    pub class: WorkClass,
    /// How many entities will be written.
    pub entities: u32,
}

/// A gate and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatePlan {
    /// The gate.
    pub gate: Gate,
    /// The lane whose work opens it.
    pub lane: Lane,
    /// How many entities have to be durable for it to open; 0 opens it at the start.
    pub entities: u32,
    /// The gates and lanes' work that wait for it in the phased schedule, for display.
    pub waited_for_by: Vec<Lane>,
}

/// What the time of a run is due to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bottleneck {
    /// Requests wait for the rate that the target allows.
    Rate,
    /// Batches wait for the worker of the target, which takes one item after another.
    Worker,
    /// Requests wait for a place in flight.
    InFlight,
    /// Entities wait for one another: the critical path.
    Chain,
    /// The target is read back.
    Verification,
}

impl Bottleneck {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Rate,
        Self::Worker,
        Self::InFlight,
        Self::Chain,
        Self::Verification,
    ];

    /// What a person calls it, as in "mostly …".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rate => "the rate limit",
            Self::Worker => "the batch worker",
            Self::InFlight => "answer times",
            Self::Chain => "chains of references",
            Self::Verification => "the verification",
        }
    }
}

/// Why a run could not begin or not go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFailure {
    /// The code of the error, such as `LG-3001`.
    pub code: String,
    /// The error and its causes, the outermost first.
    pub messages: Vec<String>,
    /// The next step, where one is known.
    pub hint: Option<String>,
}

/// Entities that are named of those that share a fate; a list that is longer has their number.
pub const NAMED: usize = 20;

/// An entity by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The entity.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
}

/// What is told of webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookState {
    /// They are enabled, and what the run writes fires them.
    Enabled,
    /// They are switched off until the end of the run.
    Paused,
    /// They are switched on again.
    Resumed,
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The first event of a run.
    RunStarted {
        /// [`SCHEMA`].
        schema: u32,
        /// The run.
        run: RunId,
        /// The instance read from.
        source: Guid,
        /// The instance written to.
        target: Guid,
        /// The wall clock at the start, RFC 3339.
        started_at: String,
        /// Whether the target is a rehearsal and nothing real is written.
        dry_run: bool,
        /// The command; absent in recordings of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<String>,
    },
    /// A part of the run began; the one before it is over.
    PhaseStarted {
        /// The part.
        phase: Phase,
    },
    /// Entities of a kind were read.
    ReadProgressed {
        /// From which side.
        side: Side,
        /// The kind.
        kind: Kind,
        /// How many have been read so far.
        read: u32,
        /// How many there are, once known.
        expected: Option<u32>,
    },
    /// An instance was read.
    InstanceRead {
        /// Which side.
        side: Side,
        /// Entities that it holds.
        entities: u32,
        /// Rows that were read for that.
        rows: u32,
        /// When the former reading began from which this one went on, RFC 3339; absent where everything was read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// Why everything was read, or what was read from its beginning, as half a sentence; may be empty.
        because: String,
    },
    /// Rows of a list are no entities of their own: built-in models and containers, folders, deleted ones, and the nodes
    /// of dynamic pages.
    RowsIgnored {
        /// From which side.
        side: Side,
        /// The list.
        kind: Kind,
        /// How many there are.
        rows: u32,
        /// The name of the first, or its id.
        example: String,
    },
    /// It is decided what has to happen.
    PlanMade {
        /// Entities of the source, by kind.
        entities: Vec<(Kind, u32)>,
        /// What will be written, by lane, kind and class.
        lanes: Vec<LanePlan>,
        /// Every gate, in the order of the lanes.
        gates: Vec<GatePlan>,
        /// Content levels, cycles and the references cut in them.
        levels: u32,
        /// Cycles of references.
        cycles: u32,
        /// References cut to open them; each costs a patch of its entity.
        cuts: u32,
    },
    /// It is decided what an undo does to everything that the undone run wrote.
    UndoPlanned {
        /// The undone run.
        undone: RunId,
        /// What that run wrote, by kind.
        entities: Vec<(Kind, u32)>,
        /// What will be deleted or restored, by lane, kind and class.
        lanes: Vec<LanePlan>,
        /// Entities to delete.
        delete: u32,
        /// Entities to restore.
        restore: u32,
        /// Entities that are left alone.
        kept: u32,
    },
    /// It is decided what is deleted on the target, because the source no longer has it.
    PrunePlanned {
        /// What the source no longer has, by kind.
        entities: Vec<(Kind, u32)>,
        /// What will be deleted, by lane, kind and class.
        lanes: Vec<LanePlan>,
        /// Entities to delete.
        delete: u32,
        /// Entities that are left alone.
        kept: u32,
    },
    /// The first upload of a lane left.
    LaneStarted {
        /// The lane.
        lane: Lane,
    },
    /// Every entity of a lane has its outcome.
    LaneFinished {
        /// The lane.
        lane: Lane,
    },
    /// Everything that the gate waits for is durable on the target.
    GateOpened {
        /// The gate.
        gate: Gate,
        /// The entity that was the last to arrive; absent when there was nothing to wait for.
        by: Option<EntityKey>,
    },
    /// Something that the gate waits for failed or was blocked; the rest has arrived.
    GateFailed {
        /// The gate.
        gate: Gate,
        /// The root cause.
        by: EntityKey,
    },
    /// An entity is on its way. Entities of a batch start together.
    EntityStarted {
        /// The entity.
        key: EntityKey,
        /// Its lane.
        lane: Lane,
        /// Its work class.
        class: WorkClass,
    },
    /// An entity has its outcome, and the outcome is durable. Also emitted for entities that need no upload.
    EntitySettled {
        /// The entity.
        key: EntityKey,
        /// What a person calls it.
        name: String,
        /// Its lane; absent when nothing had to be written.
        lane: Option<Lane>,
        /// Its work class.
        class: WorkClass,
        /// Its outcome.
        #[serde(flatten)]
        outcome: Outcome,
        /// What kind of thing made it fail; absent when it did not, and in recordings of schema 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Failure>,
        /// The HTTP status that it failed with; absent when there was none, and in older recordings.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// The dependency level of a content item; absent for others, and in recordings of schema 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        level: Option<u32>,
        /// Its counterpart.
        target: Option<TargetId>,
        /// Why the plan decided as it did, or what happened; one sentence.
        because: String,
        /// Bytes that were sent for it: asset bytes or JSON.
        bytes: u64,
    },
    /// An entity of a cycle was saved again with the references that had been cut.
    EntityPatched {
        /// The entity.
        key: EntityKey,
    },
    /// A batch was accepted by the target.
    BatchSubmitted {
        /// Its number.
        batch: BatchId,
        /// Its locale.
        locale: Locale,
        /// Its kind: content or page.
        kind: Kind,
        /// Items in it.
        items: u32,
    },
    /// The target told how far a batch has come.
    BatchProgressed {
        /// Its number.
        batch: BatchId,
        /// Items worked off.
        processed: u32,
    },
    /// A batch came to its end.
    BatchFinished {
        /// Its number.
        batch: BatchId,
        /// Items that took effect.
        succeeded: u32,
        /// Items that did not.
        failed: u32,
    },
    /// A batch failed as a whole and is handed in again in two halves.
    BatchSplit {
        /// Its number.
        batch: BatchId,
        /// Items in it.
        items: u32,
    },
    /// A request is going to be sent again.
    RetryScheduled {
        /// What is attempted.
        operation: String,
        /// Which attempt comes next, the first being 1.
        attempt: u32,
        /// How long until then.
        delay_ms: u64,
        /// Why the last one failed.
        cause: String,
    },
    /// Rate limited by the target; requests pause for this long.
    Throttled {
        /// Milliseconds.
        for_ms: u64,
    },
    /// A feed says that it is being rebuilt; it is asked again after a moment.
    FeedBusy {
        /// What is attempted.
        operation: String,
        /// Milliseconds until it is asked again.
        for_ms: u64,
        /// How long it may be busy altogether, in milliseconds.
        at_most_ms: u64,
    },
    /// An entity that was on its way did not leave after all, and waits again. It has no outcome.
    EntityHeld {
        /// The entity.
        key: EntityKey,
    },
    /// The run ended before everything had its outcome. What is left waits for the next one.
    EntitiesLeft {
        /// How many they are.
        entities: u32,
        /// The first twenty of them, in the order of the plan.
        first: Vec<Named>,
    },
    /// The pace at this moment. A sample: emitted at most once a second, and may be left out.
    PaceSampled {
        /// Requests in the last second, without those for files, which count against no rate.
        per_second: f64,
        /// Requests per second that may leave: the user's cap, or what is held of the limit that was learned.
        limit_per_second: Option<f64>,
        /// Requests in flight.
        in_flight: u32,
        /// How many may be in flight.
        concurrency: u32,
        /// Median time to answer of the last second, in milliseconds.
        latency_ms: f64,
        /// Requests so far.
        requests: u64,
        /// Requests refused with 429 so far.
        refused: u64,
    },
    /// How long the rest of the run takes with the costs so far. A sample: it may be left out, and it knows nothing
    /// of pauses of the user and failures to come.
    ForecastMade {
        /// Milliseconds until every upload has its outcome, or every entity of an undo, and everything that is to be
        /// published is.
        upload_ms: u64,
        /// Milliseconds that the verification takes after that.
        verify_ms: u64,
        /// What most of that is due to.
        by: Bottleneck,
    },
    /// The target does not take the token any more. Requests wait until there is another one.
    TokenRefused,
    /// Nothing new leaves until resumed.
    Paused,
    /// Uploads go on.
    Resumed,
    /// Nothing new leaves; what is in flight gets its outcome.
    DrainStarted {
        /// Why, for people.
        reason: String,
        /// Entities in flight.
        in_flight: u32,
    },
    /// Webhooks of the target that what is written fires, or that were switched.
    Webhooks {
        /// What is told of them.
        state: WebhookState,
        /// Their names.
        names: Vec<String>,
    },
    /// Something that the user should know, which is no entity's failure.
    Warned {
        /// One sentence with the next step.
        message: String,
    },
    /// An entity that is published on the source was saved and could not be published.
    PublishRefused {
        /// The entity.
        key: EntityKey,
        /// What a person calls it.
        name: String,
        /// Its counterpart.
        target: TargetId,
        /// Why, with the server's words.
        reason: String,
    },
    /// Publishing is over.
    PublishFinished {
        /// Entities that were published.
        published: u32,
        /// Entities that could not be.
        refused: u32,
        /// Entities that were held back, because what has to be published with them is not.
        #[serde(default)]
        held_back: u32,
        /// Entities that were unpublished, because the source unpublished them.
        #[serde(default)]
        unpublished: u32,
        /// Entities that the source has published, and that stay drafts because publishing was not asked for.
        #[serde(default)]
        drafts: u32,
    },
    /// Part of the target was read back and compared.
    VerifyProgressed {
        /// Entities compared so far.
        checked: u32,
        /// Entities to compare.
        total: u32,
    },
    /// The verification found a difference.
    DifferenceFound {
        /// The entity.
        key: EntityKey,
        /// What kind of difference: `missing`, `duplicate`, `dangling`, `wrong-reference`, `different-field`,
        /// `wrong-order`, `wrong-parent`, `different-bytes`, `still-there` or `wrong-mapping`.
        difference: String,
        /// Where, and what was expected and found.
        detail: String,
        /// Whether the run leaves it as it is: only the target changed, or both sides did. Other differences are owed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        left_alone: bool,
    },
    /// The bytes of files were compared.
    FilesCompared {
        /// Files whose hosts said the same digest; it had been right for files that were downloaded.
        by_digest: u32,
        /// Files that were downloaded.
        downloaded: u32,
    },
    /// The verification is complete.
    VerifyFinished {
        /// Entities compared.
        checked: u32,
        /// Differences found.
        differences: u32,
    },
    /// What a real run would cost, told at the end of its rehearsal.
    Rehearsed {
        /// Requests to the target.
        requests: u64,
        /// Those of them that write.
        writes: u64,
        /// Milliseconds that a real run is estimated to take.
        estimated_ms: u64,
    },
    /// The last event of a run.
    RunFinished {
        /// The exit code of the program.
        exit: u8,
        /// How long the run took.
        elapsed_ms: u64,
        /// Transactions of the store; absent in recordings of schema 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commits: Option<u64>,
        /// Why the run ended before everything could get its outcome; absent when it did not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<RunFailure>,
        /// What brought it to its end; absent in recordings of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<RunEnd>,
    },
}

impl Event {
    /// Tells that these have no outcome; `None` when there are none.
    pub fn left(mut entities: impl Iterator<Item = Named>) -> Option<Self> {
        let first: Vec<Named> = entities.by_ref().take(NAMED).collect();
        let entities = u32::try_from(first.len() + entities.count()).unwrap_or(u32::MAX);
        (entities > 0).then_some(Self::EntitiesLeft { entities, first })
    }
}

/// What a user may ask of the replay of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Playback {
    /// Play so many times as fast as it was.
    Speed(f64),
    /// Go by so many milliseconds of the run, back where negative.
    Seek(i64),
}

/// What a user may ask of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Let nothing new leave until [`Command::Resume`].
    Pause,
    /// Go on.
    Resume,
    /// Finish what is in flight, then end.
    Drain,
    /// Drop what is in flight and end.
    Abort,
    /// Change the cap on requests per second; `None` lifts it.
    SetRate(Option<f64>),
    /// Play a recording otherwise; a run has no use for it.
    Play(Playback),
}

/// Milliseconds of a duration, saturating.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_written_by_name_and_read_as_schema_1_wrote_them_too() {
        let mut gates = Gate::FIXED.to_vec();
        gates.push(Gate::ContentLevelComplete(12));
        for gate in gates {
            let text = serde_json::to_string(&gate).unwrap();
            assert_eq!(text, format!("\"{gate}\""));
            assert_eq!(serde_json::from_str::<Gate>(&text).unwrap(), gate);
        }
        let old = r#"{"content-level-complete":3}"#;
        let read: Gate = serde_json::from_str(old).unwrap();
        assert_eq!(read, Gate::ContentLevelComplete(3));
        for wrong in [r#""nothing-complete""#, r#""content-level--complete""#, "7"] {
            assert!(serde_json::from_str::<Gate>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_outcome_of_schema_1_can_be_read() {
        let old = r#"{"at_ms":1,"type":"entity-settled","key":"model:1","name":"Post","lane":null,"class":"parallel",
            "outcome":"failed","reason":"no","target":null,"because":"no","bytes":0}"#;
        let read: Stamped = serde_json::from_str(old).unwrap();
        assert!(matches!(
            read.event,
            Event::EntitySettled {
                cause: None,
                status: None,
                level: None,
                ..
            }
        ));
    }
}
