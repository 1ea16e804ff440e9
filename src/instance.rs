//! The two ports: [`Source`] reads an instance, [`Target`] also writes to one.
//!
//! Each call makes exactly one attempt at one request. Retrying, pacing, paging and polling belong to the
//! engine, so that attempts are counted, recorded and shown once. Reading is a conversation: the engine
//! asks, and an [`ReadResponse`] holds what was found and what to ask next, so only the adapter handles how
//! the API pages.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use jiff::civil::DateTime;
use serde_json::Value;

use crate::domain::{
    AssetContainer, AssetUrls, BatchId, Channel, ContentHash, Entity, Exact, Id, Kind, Locale,
    PageNode, TargetId, Version,
};

mod bounds;
mod error;
mod throwaway;
mod webhook;

pub use bounds::{Misplaced, TooLarge};
pub use error::{Cause, Effect, RequestError, Verdict};
pub use throwaway::{LimitHeaders, Throwaway};
pub use webhook::{Webhook, Webhooks};

/// A question whose answer is one response of the API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReadRequest {
    /// The enabled locales.
    Locales,
    /// The content models and the component models as summaries; follow-ups ask for each in full.
    Models {
        /// `true` for the component models, `false` for the content models.
        components: bool,
    },
    /// One model in full.
    Model(i64),
    /// All containers as summaries; follow-ups ask for each in full.
    Containers,
    /// One container in full.
    Container(i64),
    /// All templates with their zones; the locale is needed in the path only.
    Templates(Locale),
    /// A page of the galleries, from this row on.
    Galleries {
        /// Rows to leave out from the start.
        offset: usize,
    },
    /// The default asset container, whose URLs are the prefixes of asset URLs.
    AssetContainer,
    /// A page of the assets, from this row on.
    Assets {
        /// Rows to leave out from the start.
        offset: usize,
    },
    /// The next content items of a locale in the sync feed.
    Items {
        /// The locale.
        locale: Locale,
        /// 0 to start, then what the previous answer's follow-up has.
        token: i64,
    },
    /// The next pages of a locale in the sync feed.
    Pages {
        /// The locale.
        locale: Locale,
        /// 0 to start, then what the previous answer's follow-up has.
        token: i64,
    },
    /// The page trees of every channel as the Management API has them: complete, in display order.
    Sitemap(Locale),
    /// All URL redirections.
    Redirections,
    /// One entity as the Management API has it now. Found nothing: it does not exist.
    One {
        /// Its kind: model, container, template, gallery, asset, content or page.
        kind: Kind,
        /// Its id on this instance.
        id: i64,
        /// Needed for content, pages and templates.
        locale: Option<Locale>,
    },
    /// The model, container, template or gallery of a name as the Management API has it now. Found nothing: it
    /// does not exist.
    Named {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: Box<str>,
        /// Needed for templates.
        locale: Option<Locale>,
    },
    /// The ids of the items of a container in a locale as the Management API has them now, from this row on;
    /// each comes as [`Record::Passed`] with the locale in place of the name.
    ContainerItems {
        /// The locale.
        locale: Locale,
        /// The reference name of the container on this instance.
        container: Box<str>,
        /// Rows to leave out from the start.
        offset: usize,
    },
    /// The published version of a content item or page as the public sees it. Found nothing: there is none.
    Live {
        /// Its kind: content or page.
        kind: Kind,
        /// Its id on this instance.
        id: i64,
        /// The locale.
        locale: Locale,
    },
    /// The next published content items of a locale in the feed of what the public sees.
    PublicItems {
        /// The locale.
        locale: Locale,
        /// 0 to start, then what the previous answer's follow-up has.
        token: i64,
    },
    /// Several content items of a locale as the Management API has them now, at most 100 ids. Ids that do
    /// not exist are missing from the answer.
    ItemsById {
        /// The locale.
        locale: Locale,
        /// Content ids on this instance.
        ids: Vec<i64>,
    },
}

impl ReadRequest {
    /// Whether the Content Fetch API answers it: the feeds, redirections, and what is published.
    pub const fn is_fetched(&self) -> bool {
        match self {
            Self::Items { .. }
            | Self::PublicItems { .. }
            | Self::Pages { .. }
            | Self::Redirections
            | Self::Live { .. } => true,
            Self::One { kind, .. } => matches!(kind, Kind::Redirection),
            Self::Locales
            | Self::Models { .. }
            | Self::Model(_)
            | Self::Containers
            | Self::Container(_)
            | Self::Templates(_)
            | Self::Galleries { .. }
            | Self::AssetContainer
            | Self::Assets { .. }
            | Self::Sitemap(_)
            | Self::Named { .. }
            | Self::ContainerItems { .. }
            | Self::ItemsById { .. } => false,
        }
    }

    /// How many answers are to be expected one after another from it on, as a rank: the feed of content is the longest row of an
    /// instance, then that of pages; other answers bring further questions; 0 is a question by itself.
    pub const fn rank(&self) -> u32 {
        match self {
            Self::Items { .. } | Self::PublicItems { .. } => 3,
            Self::Pages { .. } => 2,
            Self::Models { .. }
            | Self::Containers
            | Self::Galleries { .. }
            | Self::Assets { .. }
            | Self::ContainerItems { .. } => 1,
            Self::Locales
            | Self::Model(_)
            | Self::Container(_)
            | Self::Templates(_)
            | Self::AssetContainer
            | Self::Sitemap(_)
            | Self::Redirections
            | Self::One { .. }
            | Self::Named { .. }
            | Self::Live { .. }
            | Self::ItemsById { .. } => 0,
        }
    }
}

impl ReadRequest {
    /// The question with which the feed begins that this one goes on with; `None` for questions that are asked once.
    pub fn feed(&self) -> Option<Self> {
        let mut first = self.clone();
        match &mut first {
            Self::Items { token, .. }
            | Self::PublicItems { token, .. }
            | Self::Pages { token, .. } => *token = 0,
            Self::Galleries { offset }
            | Self::Assets { offset }
            | Self::ContainerItems { offset, .. } => *offset = 0,
            Self::Locales
            | Self::Models { .. }
            | Self::Model(_)
            | Self::Containers
            | Self::Container(_)
            | Self::Templates(_)
            | Self::AssetContainer
            | Self::Sitemap(_)
            | Self::Redirections
            | Self::One { .. }
            | Self::Named { .. }
            | Self::Live { .. }
            | Self::ItemsById { .. } => return None,
        }
        Some(first)
    }
}

impl fmt::Display for ReadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locales => f.write_str("the locales"),
            Self::Models { components: false } => f.write_str("the list of content models"),
            Self::Models { components: true } => f.write_str("the list of component models"),
            Self::Model(id) => write!(f, "model {id}"),
            Self::Containers => f.write_str("the list of containers"),
            Self::Container(id) => write!(f, "container {id}"),
            Self::Templates(_) => f.write_str("the templates"),
            Self::Galleries { offset } => write!(f, "the galleries from row {offset}"),
            Self::AssetContainer => f.write_str("the default asset container"),
            Self::Assets { offset } => write!(f, "the assets from row {offset}"),
            Self::Items { locale, token } => {
                write!(f, "the content of {locale} from token {token}")
            }
            Self::PublicItems { locale, token } => {
                write!(f, "the published content of {locale} from token {token}")
            }
            Self::Pages { locale, token } => write!(f, "the pages of {locale} from token {token}"),
            Self::Sitemap(locale) => write!(f, "the sitemap of {locale}"),
            Self::Redirections => f.write_str("the URL redirections"),
            Self::One {
                kind,
                id,
                locale: Some(locale),
            } => write!(f, "{kind} {id} in {locale}"),
            Self::One {
                kind,
                id,
                locale: None,
            } => write!(f, "{kind} {id}"),
            Self::Named { kind, name, .. } => write!(f, "{kind} {name:?}"),
            Self::ContainerItems {
                locale,
                container,
                offset,
            } => {
                write!(f, "the items of {container} in {locale} from row {offset}")
            }
            Self::Live { kind, id, locale } => {
                write!(f, "the published version of {kind} {id} in {locale}")
            }
            Self::ItemsById { locale, ids } => write!(f, "{} content items of {locale}", ids.len()),
        }
    }
}

/// What one response held.
#[derive(Clone, Debug)]
pub struct ReadResponse<I> {
    /// What it held, in the order of the response.
    pub found: Vec<Record<I>>,
    /// What has to be asked next for the reading to be complete.
    pub follow_ups: Vec<ReadRequest>,
}

impl<I> Default for ReadResponse<I> {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            follow_ups: Vec::new(),
        }
    }
}

/// A model or container as its list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Model or container.
    pub kind: Kind,
    /// Its id.
    pub id: i64,
    /// The hash of the whole row.
    pub hash: ContentHash,
    /// When it was changed last, as the row has it; `None` where that cannot be understood.
    pub modified: Option<DateTime>,
}

/// One fact about an instance.
#[derive(Clone, Debug)]
pub enum Record<I> {
    /// An entity in full. Pages come without a placement.
    Entity(Entity<I>),
    /// A locale of the instance, in its own order.
    Locale(Locale),
    /// A digital channel.
    Channel(Channel),
    /// The default asset container.
    AssetContainer(AssetContainer),
    /// The place of a page in its tree.
    Node(PageNode),
    /// How many rows of a list there must be when everything has been read. Repeated by every page of a list.
    Expected {
        /// The list.
        kind: Kind,
        /// Rows that are entities and rows that are not, such as asset folders, together.
        rows: usize,
    },
    /// A model or container as its list shows it.
    Summary(Summary),
    /// A row that counts towards [`Record::Expected`] but is no entity of its own: asset folders, built-in
    /// models and containers, deleted rows.
    Passed {
        /// The list.
        kind: Kind,
        /// The row's id, where it has one.
        id: i64,
        /// Its reference name or path, as references may point at it.
        name: Box<str>,
    },
}

/// Reads an instance.
pub trait Source: Clone + Send + Sync + 'static {
    /// Asks one question with one request.
    ///
    /// # Errors
    /// [`RequestError`] when there was no answer, or none that makes sense.
    fn read<I: Id>(
        &self,
        ask: &ReadRequest,
    ) -> impl Future<Output = Result<ReadResponse<I>, RequestError>> + Send;

    /// Opens the bytes of an asset at its `originUrl`.
    ///
    /// # Errors
    /// [`RequestError`] when the bytes cannot be had.
    fn download(&self, url: &str) -> impl Future<Output = Result<Download, RequestError>> + Send;

    /// What the host of a file states of its bytes, which are not sent; `None` where that is nothing.
    ///
    /// # Errors
    /// [`RequestError`] when it does not answer, or refuses.
    fn digest(
        &self,
        _url: &str,
    ) -> impl Future<Output = Result<Option<FileDigest>, RequestError>> + Send {
        std::future::ready(Ok(None))
    }

    /// The hash of the bytes of a file, where it was checked before and needs no request.
    fn checked_hash(&self, _url: &str) -> Option<ContentHash> {
        None
    }
}

/// What the host of a file states of its bytes: `Content-Length`, and `Content-MD5` (RFC 1864), which Azure Blob Storage
/// keeps of each file that was uploaded whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDigest {
    /// How many there are.
    pub bytes: u64,
    /// Their MD5.
    pub md5: [u8; 16],
}

/// What distinguishes the bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Their hash.
    pub hash: ContentHash,
    /// What their host should state of them.
    pub digest: FileDigest,
}

/// The bytes of an asset on their way.
pub struct Download {
    /// The length that the server states.
    pub length_bytes: Option<u64>,
    /// `agility-focal-x` and `agility-focal-y`, as sent.
    pub focal: (Option<String>, Option<String>),
    /// What the host states of the bytes.
    pub digest: Option<FileDigest>,
    /// The bytes; an error ends the stream.
    pub bytes: ByteStream,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("length_bytes", &self.length_bytes)
            .finish_non_exhaustive()
    }
}

/// Bytes that arrive in pieces.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, RequestError>> + Send>>;

/// Writes to an instance, and reads it.
pub trait Target: Source {
    /// Saves a model, container, template or gallery. Synchronous: the answer is the stored entity.
    ///
    /// # Errors
    /// [`RequestError`]; [`RequestError::verdict`] shows whether it may have taken effect.
    fn save(&self, save: &Save) -> impl Future<Output = Result<Saved, RequestError>> + Send;

    /// Saves up to 250 redirections; answers match by position.
    ///
    /// # Errors
    /// [`RequestError`] when the request as a whole failed; a row that was refused is in the answer.
    fn save_redirections(
        &self,
        rows: &[Save],
    ) -> impl Future<Output = Result<Vec<RowResult>, RequestError>> + Send;

    /// Uploads files over their paths in one request; answers match by position. A row that is missing, or that names another
    /// file or length than was sent, is [`Unconfirmed::Unclear`].
    ///
    /// # Errors
    /// [`RequestError`] when the request as a whole failed, also when the bytes of a file end early.
    fn upload(
        &self,
        upload: Upload,
    ) -> impl Future<Output = Result<Vec<RowResult>, RequestError>> + Send;

    /// Moves an asset to another folder of its container; `folder` has no slashes at its ends, and the root is empty. Its
    /// id and its name stay.
    ///
    /// # Errors
    /// [`RequestError`]; [`RequestError::verdict`] shows whether it may have taken effect.
    fn move_asset(
        &self,
        asset: TargetId,
        folder: &str,
    ) -> impl Future<Output = Result<Saved, RequestError>> + Send;

    /// Hands in 1 to 250 content items of one locale; they are processed later.
    ///
    /// # Errors
    /// [`RequestError`]
    fn submit_items(
        &self,
        locale: &Locale,
        items: &[Save],
    ) -> impl Future<Output = Result<BatchId, RequestError>> + Send;

    /// Hands in one page; it is processed later.
    ///
    /// # Errors
    /// [`RequestError`]
    fn submit_page(
        &self,
        page: &PageSave,
    ) -> impl Future<Output = Result<BatchId, RequestError>> + Send;

    /// Asks how far a batch has come.
    ///
    /// # Errors
    /// [`RequestError`]
    fn poll(
        &self,
        batch: BatchId,
    ) -> impl Future<Output = Result<BatchStatus, RequestError>> + Send;

    /// Deletes one entity; a content item or page in one locale.
    ///
    /// # Errors
    /// [`RequestError`]; [`RequestError::verdict`] shows whether it may have taken effect.
    fn delete(
        &self,
        doomed: &DeleteRequest,
    ) -> impl Future<Output = Result<Deleted, RequestError>> + Send;

    /// Hands in up to 250 content items or pages of one locale for a step of the workflow.
    ///
    /// # Errors
    /// [`RequestError`]
    fn submit_workflow(
        &self,
        step: Workflow,
        kind: Kind,
        locale: &Locale,
        ids: &[TargetId],
    ) -> impl Future<Output = Result<BatchId, RequestError>> + Send;
}

/// A step of the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workflow {
    /// The present version becomes the one that the public sees.
    Publish,
    /// The public sees nothing of it any more.
    Unpublish,
}

impl Workflow {
    /// What is done, as in `publishing 3 pages`.
    pub const fn doing(self) -> &'static str {
        match self {
            Self::Publish => "publishing",
            Self::Unpublish => "unpublishing",
        }
    }

    /// Its name on the wire.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Publish => "Publish",
            Self::Unpublish => "Unpublish",
        }
    }
}

/// An entity to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteRequest {
    /// Its kind.
    pub kind: Kind,
    /// Its id on the target.
    pub id: TargetId,
    /// The locale; for templates any locale of the instance, which the path needs.
    pub locale: Option<Locale>,
    /// What a person calls it, for messages.
    pub name: Box<str>,
}

/// What came of a request to delete something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Now,
    /// The target does not have it, or no longer has it.
    Absent,
    /// It was handed in and is processed later. Content and pages only.
    Later(BatchId),
}

/// An entity to be saved. The adapter writes the id into the member that the kind uses for it.
#[derive(Clone, Debug)]
pub struct Save {
    /// What is saved, for messages.
    pub kind: Kind,
    /// What a person calls it, for messages.
    pub name: Box<str>,
    /// The counterpart that is replaced; `None` creates.
    pub id: Option<TargetId>,
    /// The locale; for templates any locale of the instance, which the path needs.
    pub locale: Option<Locale>,
    /// The body in the target's terms. An attempt and what it is compared with later share it.
    pub body: Arc<Value>,
    /// How the numbers of the body were written.
    pub numbers: Exact,
}

/// A page to be saved.
#[derive(Clone, Debug)]
pub struct PageSave {
    /// Id, locale and body; `zones` and `templateName` in the target's terms.
    pub save: Save,
    /// The parent on the target; `None` is the root of the channel.
    pub parent: Option<TargetId>,
    /// The sibling that it is put in front of; `None` puts a new page at the end and leaves an existing one.
    pub place_before: Option<TargetId>,
    /// `digitalChannelID` on the target.
    pub channel_id: i64,
    /// The same page on the target in another locale, for the first save in this one.
    pub other_locale: Option<(TargetId, Locale)>,
}

/// Files to be uploaded in one request.
#[derive(Debug)]
pub struct Upload {
    /// The folder inside the container without slashes at the ends; empty is the root.
    pub folder: String,
    /// The gallery on the target that they belong to.
    pub gallery: Option<TargetId>,
    /// The focal point of each of them, as read. A file with one is uploaded alone.
    pub focal: (Option<String>, Option<String>),
    /// The files, of which no two have one name.
    pub files: Vec<UploadFile>,
}

/// One of the files of an [`Upload`].
pub struct UploadFile {
    /// The file name.
    pub name: String,
    /// The MIME type.
    pub content_type: Option<String>,
    /// The length that has to arrive, where it is known.
    pub length_bytes: Option<u64>,
    /// The bytes.
    pub bytes: ByteStream,
}

impl fmt::Debug for UploadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadFile")
            .field("name", &self.name)
            .field("length_bytes", &self.length_bytes)
            .finish_non_exhaustive()
    }
}

/// What the target returns of an entity that it has just stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its id on the target.
    pub id: TargetId,
    /// Its version, for content and pages.
    pub version: Option<Version>,
    /// The name that references use on the target: reference name or template name.
    pub name: Option<Box<str>>,
    /// Where an asset can be had now.
    pub urls: Option<AssetUrls>,
}

/// Why the target would not store one row or item, in its own words, quoted and cut to a readable length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is about, where that is stated.
    pub about: Option<About>,
    /// The exception or error type, where stated.
    pub error_type: Option<String>,
    /// What the server said.
    pub said: String,
}

/// What an answer states of one of several entities that were sent together.
pub type RowResult = Result<Saved, Unconfirmed>;

/// The result of something that was sent alone.
///
/// # Errors
/// [`RequestError`] when the answer does not have it, or has more.
pub fn only_row(rows: Vec<RowResult>) -> Result<Saved, RequestError> {
    let why = match <[RowResult; 1]>::try_from(rows) {
        Ok([Ok(saved)]) => return Ok(saved),
        Ok([Err(Unconfirmed::Unclear(why))]) => Cause::Malformed(why),
        Ok([Err(Unconfirmed::Refused(refusal))]) => Cause::Content(refusal.said),
        Err(rows) => Cause::Malformed(format!("{} results for one entity", rows.len())),
    };
    Err(RequestError::new("uploading a file", why))
}

/// Why an answer names no counterpart of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// The target refused it: it said why, or has it in a list of what it refused.
    Refused(Refusal),
    /// It is unclear: neither an id that can be one nor a reason. The entity may have been stored. In words.
    Unclear(String),
}

impl From<Refusal> for Unconfirmed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// An item or page as the results of a batch name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its kind, where that is stated.
    pub kind: Option<Kind>,
    /// Its id.
    pub id: TargetId,
}

/// How far a batch has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchStatus {
    /// The server does not have it: not yet, which happens for a moment after the submit, or no longer.
    Unknown,
    /// Not finished.
    Working {
        /// Items processed so far, where stated.
        processed: Option<u32>,
    },
    /// Finished item by item; one result per item, in the order of the request. Fewer than there were items when
    /// it is unclear which result is whose. Of a batch of the workflow in any order, with those of items that come
    /// along, and with a refusal about nothing for each failure that is counted and not explained.
    Finished(Vec<RowResult>),
    /// Finished, and nothing of it took effect as far as the server states: aborted, deleted, or failed as a whole.
    Failed(Refusal),
}
