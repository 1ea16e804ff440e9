//! What the store keeps.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use std::collections::BTreeMap;

use crate::domain::{
    AgreedNumber, AgreedPlace, BatchId, Body, ContentHash, EntityKey, FieldHashes, Filled, Guid,
    ItemState, ListKey, Outcome, Proof, RunEnd, RunId, SourceId, TargetId, TargetKey, Version,
};

/// The instances of a migration. The direction matters: the way back is another pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The instance read from.
    pub source: Guid,
    /// The instance written to.
    pub target: Guid,
}

impl Pair {
    /// The way back.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            source: self.target.clone(),
            target: self.source.clone(),
        }
    }
}

/// The counterpart of a source entity, and both sides as they were when they last agreed.
///
/// Also kept as a JSON object within a [`PreImage`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    /// The entity of the source; one row per key and pair.
    pub key: EntityKey,
    /// Its counterpart.
    pub target: TargetId,
    /// The counterpart's reference name, for kinds that are referred to by name.
    pub target_name: Option<String>,
    /// The source's version then; of content and pages only.
    pub source_version: Option<Version>,
    /// The target's version then; of content and pages only.
    pub target_version: Option<Version>,
    /// The hash of the source's normal form then.
    pub source_hash: Option<ContentHash>,
    /// The hash of the target's normal form then, without what the server filled in.
    pub target_hash: Option<ContentHash>,
    /// How far it is proven that they agreed. Of what is only sent or owed, the hashes are those of what was sent, and
    /// of what was found on the target since.
    #[serde(default)]
    pub proof: Proof,
    /// What the server filled in.
    #[serde(default)]
    pub filled: Filled,
    /// What each field of the target said then; of items and pages that were compared only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<FieldHashes>,
    /// The hash of the target's bytes then; of assets whose bytes were at hand only.
    #[serde(default)]
    pub bytes_hash: Option<ContentHash>,
    /// When the target's bytes were changed last, as it said then; of assets only.
    #[serde(default)]
    pub bytes_date: Option<String>,
    /// Why the target's entity counts as the counterpart, where no run has compared the two yet; `None` of what a run wrote.
    #[serde(default)]
    pub evidence: Option<String>,
    /// How the row came about.
    pub origin: MappingOrigin,
    /// The run that wrote it.
    pub run: RunId,
}

impl Mapping {
    /// A pair of which nothing is agreed upon: no run has compared its two sides.
    pub const fn without_base(
        key: EntityKey,
        target: TargetId,
        origin: MappingOrigin,
        run: RunId,
    ) -> Self {
        Self {
            key,
            target,
            target_name: None,
            source_version: None,
            target_version: None,
            source_hash: None,
            target_hash: None,
            proof: Proof::Equal,
            filled: Filled::new(),
            fields: None,
            bytes_hash: None,
            bytes_date: None,
            evidence: None,
            origin,
            run,
        }
    }
}

/// How a mapping came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MappingOrigin {
    /// A run created the counterpart.
    Created,
    /// A run found the counterpart by its natural key.
    Adopted,
    /// A run wrote over the counterpart.
    Updated,
    /// It came from the mapping files of another tool, or was recognised where the state was lost; no run has compared it.
    Imported,
    /// Recovery found that an interrupted request had taken effect.
    Recovered,
}

/// Numbers the intents of one run; the engine counts them up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId(pub i64);

/// A note that a request is about to leave, and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Unique within its run.
    pub id: IntentId,
    /// The run that wanted it.
    pub run: RunId,
    /// What the request does.
    pub operation: Operation,
    /// The entities that it carries, in the order of the request.
    pub keys: Vec<EntityKey>,
    /// The hash of what is sent for each key, in the same order.
    pub payload_hash: Vec<ContentHash>,
    /// What recovery needs beyond that, in the same order. Empty of intents that an older program noted.
    pub details: Vec<IntentDetail>,
    /// When it was noted, in milliseconds since 1970; 0 of intents that an older program noted.
    pub opened_ms: i64,
    /// The first one is 1.
    pub attempt: u32,
    /// The number under which the target processes it, as soon as it is known.
    pub batch: Option<BatchId>,
    /// What has become of it.
    pub state: IntentState,
    /// Why attempts at it failed, in their order, as quoted and cut by the caller. Empty while it is open, and of
    /// one that the first attempt brought to its end.
    pub answers: Vec<String>,
}

/// What has to be known of one entity of a request to find out later whether the request took effect.
///
/// Kept as a JSON object; readers ignore members that they do not know, and absent ones have their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IntentDetail {
    /// What happens to this entity; one request may create some and save over others.
    pub operation: Operation,
    /// What a person calls it: reference name, file path, origin URL, page path or title.
    pub name: String,
    /// The hash of the source's normal form.
    pub source_hash: Option<ContentHash>,
    /// The source's version, of content and pages only.
    pub source_version: Option<Version>,
    /// The id that is saved over, or that the entity has in another locale; `None` lets the target choose.
    pub target: Option<TargetId>,
    /// Of content: the reference name of its container on the target.
    pub container: String,
    /// Of pages: the parent on the target.
    pub parent: Option<TargetId>,
    /// Of content and pages: the greatest id of that kind which the target had when the run read it.
    pub newest: i64,
    /// Of content and pages that are created: what the target had in the container, or in the locale, that was the
    /// counterpart of nothing. `None` where that was too much to name; then ids above `newest` are new.
    pub unmatched: Option<Vec<TargetId>>,
    /// Of pages that are put somewhere: the place, which is owed until it is seen.
    pub place: Option<AgreedPlace>,
    /// Whether some of its fields stay as the target has them: then its save leaves what was agreed upon as it was.
    pub merged: bool,
}

/// What a request does to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Saves something new.
    #[default]
    Create,
    /// Saves over a counterpart.
    Update,
    /// Saves again with the references that were cut from a cycle.
    Patch,
    /// Sends the bytes of an asset.
    Upload,
    /// Publishes.
    Publish,
    /// Deletes.
    Delete,
    /// Saves again what was there before the run that is undone.
    Restore,
}

/// What has become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentState {
    /// It may have left, and its outcome is not known.
    Open,
    /// Its outcome is stored.
    Done,
    /// It did nothing.
    Failed,
    /// It may have taken effect and nothing proves either way; a person decides.
    InDoubt,
}

/// What an entity of the target was before a run wrote over it; enough to save it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreImage {
    /// The run that was about to write.
    pub run: RunId,
    /// The entity of the target.
    pub key: TargetKey,
    /// Its version, of content and pages only.
    pub version: Option<Version>,
    /// The hash of its normal form, in the terms of the source's models.
    pub hash: ContentHash,
    /// Everything else.
    pub prior: PriorState,
}

/// An entity of the target as a run found it.
///
/// Kept as a JSON object; readers ignore members that they do not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriorState {
    /// What a person calls it.
    pub name: String,
    /// The workflow state of content and pages.
    pub state: ItemState,
    /// What was read, as a text of JSON.
    pub body: Body,
    /// Where a page stood.
    pub place: Option<FormerPlace>,
    /// The bytes of an asset; `None` of other kinds.
    pub bytes: Option<PriorBytes>,
    /// Whether the run is not about to write the entity itself, but its model, without a field of which it has a value.
    #[serde(default)]
    pub along: bool,
    /// What was known of the entity as a counterpart; `None` when it was none, or there is no source entity.
    pub mapping: Option<Mapping>,
    /// The place of a page that was agreed upon.
    #[serde(default)]
    pub agreed_place: Option<AgreedPlace>,
}

/// Where a page stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerPlace {
    /// The display name of its channel.
    pub channel: String,
    /// `digitalChannelID` on the target.
    pub channel_id: i64,
    /// The parent on the target; `None` at the root of the channel.
    pub parent: Option<i64>,
    /// Zero-based position among its siblings.
    pub position: u32,
    /// The siblings in display order, the page among them; of long rows only those around it.
    pub siblings: Vec<i64>,
}

/// The outcome of the bytes of an asset before they were replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "bytes", rename_all = "kebab-case")]
pub enum PriorBytes {
    /// They are kept beside the state.
    Kept {
        /// Their hash, under which they are found.
        hash: ContentHash,
        /// How many they are.
        length: u64,
        /// `agility-focal-x` and `agility-focal-y`, as sent.
        focal: (Option<String>, Option<String>),
    },
    /// They could not be kept.
    Lost {
        /// Why.
        why: String,
    },
}

/// What a run published, or meant to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publishing {
    /// The run.
    pub run: RunId,
    /// The entity of the source.
    pub key: EntityKey,
    /// Its counterpart.
    pub target: TargetId,
    /// What a person calls it.
    pub name: String,
    /// Its outcome.
    pub state: PublishState,
    /// Why it was refused.
    pub reason: Option<String>,
    /// What the public saw of it before.
    pub live: FormerLive,
    /// The hash of the version of the source that was published; `None` as long as it was not read back as it was sent.
    pub version: Option<ContentHash>,
}

/// What has become of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishState {
    /// It may have been asked for, and its outcome is not known.
    Open,
    /// It is published.
    Published,
    /// It is not, or not known to be.
    Refused,
    /// It was unpublished, because the source unpublished it.
    Withdrawn,
}

/// What the public saw of an entity before a run published it.
///
/// Kept as a JSON object; readers ignore members that they do not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "live", rename_all = "kebab-case")]
pub enum FormerLive {
    /// It did not exist before the run.
    New,
    /// What stands in the pre-image: that version was the published one.
    Same,
    /// Nothing.
    Nothing,
    /// An older version.
    Version {
        /// What was read, as a text of JSON.
        body: Body,
    },
    /// It could not be read.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What was asked of a run, and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// The run.
    pub run: RunId,
    /// Its instances.
    pub pair: Pair,
    /// The command, such as `sync`.
    pub command: String,
    /// The settings that mattered, without credentials.
    pub options: Value,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339; `None` while it runs and when it was killed.
    pub finished_at: Option<String>,
    /// The exit code of the program.
    pub exit: Option<u8>,
    /// What brought it to its end; `None` while it runs, and of runs that an older program ended.
    pub end: Option<RunEnd>,
    /// The totals, in the shape of the run's summary.
    pub counts: Option<Value>,
}

impl RunRecord {
    /// The run that this one undoes, if it is an undo.
    pub fn undoes(&self) -> Option<RunId> {
        let run = self.options.get("undone")?.as_str()?;
        (self.command == "undo").then(|| RunId(run.to_owned()))
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFinish {
    /// The run.
    pub run: RunId,
    /// The exit code of the program.
    pub exit: u8,
    /// What brought it to its end.
    pub end: RunEnd,
    /// The totals, in the shape of the run's summary.
    pub counts: Value,
    /// RFC 3339.
    pub finished_at: String,
}

/// The outcome of one entity in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEntity {
    /// The run.
    pub run: RunId,
    /// The entity of the source.
    pub key: EntityKey,
    /// What a person calls it.
    pub name: String,
    /// Its outcome.
    pub outcome: Outcome,
    /// Its counterpart.
    pub target: Option<TargetId>,
    /// Why the plan decided as it did, or what happened.
    pub because: String,
}

/// A webhook of a target that a run has switched off, or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PausedWebhook {
    /// The instances of the run.
    pub pair: Pair,
    /// The id of the webhook (`rowKey`).
    pub webhook: String,
    /// What it is called.
    pub name: String,
    /// The run.
    pub run: RunId,
}

/// Something to be made durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A run begins. Its name must be new.
    RunStarted(RunRecord),
    /// A request is about to leave. Its id must be new within its run.
    IntentOpened {
        /// The instances.
        pair: Pair,
        /// The note.
        intent: Intent,
    },
    /// An entity of the target is about to be written over. Of several notes by one run the first stays.
    PreImage(Box<PreImage>),
    /// An entity is about to be published, or the outcome of that is known. What was noted of the version before
    /// stays.
    Publishing(Box<Publishing>),
    /// An asset of the target has these bytes now.
    BytesSent {
        /// The run that sent them.
        run: RunId,
        /// The asset on the target.
        asset: TargetId,
        /// Their hash.
        hash: ContentHash,
    },
    /// The target reported the number of the batch.
    IntentBatch {
        /// The run.
        run: RunId,
        /// The intent.
        id: IntentId,
        /// The number.
        batch: BatchId,
    },
    /// The outcome of a request is known, or known to stay unknown.
    IntentClosed {
        /// The run that opened it.
        run: RunId,
        /// The intent.
        id: IntentId,
        /// What has become of it.
        state: IntentState,
        /// Why attempts at it failed; see [`Intent::answers`].
        answers: Vec<String>,
    },
    /// An entity has this counterpart now. A former one moves to the history.
    Mapping {
        /// The instances.
        pair: Pair,
        /// The row.
        mapping: Mapping,
    },
    /// An entity has no counterpart any more. The former one moves to the history.
    MappingRemoved {
        /// The instances.
        pair: Pair,
        /// The entity.
        key: EntityKey,
        /// The former one; what the entity has been mapped to meanwhile stays.
        prior: TargetId,
    },
    /// A page has this place on both sides now, or none that is agreed upon.
    PagePlace {
        /// The instances.
        pair: Pair,
        /// The page.
        key: EntityKey,
        /// Its place.
        place: Option<AgreedPlace>,
    },
    /// The items of a list have these numbers on the source now.
    ListOrder {
        /// The instances.
        pair: Pair,
        /// The list.
        list: ListKey,
        /// The numbers by item.
        numbers: BTreeMap<SourceId, AgreedNumber>,
    },
    /// A webhook of the target is about to be switched off.
    WebhookPaused(PausedWebhook),
    /// It is switched on again, or gone.
    WebhookResumed {
        /// The instances.
        pair: Pair,
        /// Its id.
        webhook: String,
    },
    /// The outcome of an entity; a later word replaces an earlier one of the same run.
    Entity(RunEntity),
    /// A run has ended.
    RunFinished(RunFinish),
    /// Something was learned about a host, such as the rate that it bears.
    HostLearned {
        /// Host and port.
        host: String,
        /// What, such as `per_second`.
        key: String,
        /// How much.
        value: f64,
    },
}
