//! An instance as the engine sees it.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{BatchId, Guid, Id, Kind, Locale, RequestLog, Secret, TargetId, Token};
use crate::instance::{
    BatchStatus, DeleteRequest, Deleted, Download, FileDigest, PageSave, ReadRequest, ReadResponse,
    RequestError, RowResult, Save, Saved, Source, Target, Upload, Workflow,
};

use super::Renewal;
use super::client::Client;
use super::{batch, read, write};

/// What is needed to talk to an instance.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The instance.
    pub guid: Guid,
    /// Stands for both APIs: `{url}/api/v1/…`, `{url}/oauth/…` and `{url}/{guid}/preview/…`. Without it the
    /// hosts follow from the GUID.
    pub base_url: Option<String>,
    /// An access token or personal access token with rights on the instance.
    pub token: Secret,
    /// What gives another one when it expires or is refused; `None` where nothing does.
    pub renewal: Option<Arc<dyn Renewal>>,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long a request may take from its start to the end of its answer. Of a download it limits the
    /// silence between two pieces; an upload gets more, in proportion to its length.
    pub request_timeout: Duration,
    /// Hosts that files may be downloaded from besides those of the instance: `HOST` or `HOST:PORT`.
    pub asset_hosts: Vec<String>,
    /// How much an answer may bring.
    pub limits: Limits,
}

/// How much an answer may bring, whatever the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an answer of the API, unpacked. Its values may take as much memory again.
    pub answer_bytes: u64,
    /// Bytes of a file of unknown length.
    pub file_bytes: u64,
    /// Pages of one list.
    pub pages: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer_bytes: 256 << 20,
            file_bytes: 4096 << 20,
            pages: 10_000,
        }
    }
}

/// Why a connection cannot be set up. Nothing has been sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// The GUID is empty or has characters that no GUID has.
    #[error("{0:?} is not an instance GUID")]
    Guid(String),
    /// The base URL cannot be one.
    #[error("{url:?} cannot be the base URL of an instance: {reason}")]
    BaseUrl {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token is empty or has characters that cannot be sent.
    #[error("the access token is empty or has characters that no token has")]
    Token,
    /// The HTTP client cannot be built, for instance because the system has no root certificates.
    #[error("cannot set up HTTP: {0}")]
    Client(String),
}

impl ConnectionError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Guid(_) => Some("a GUID looks like 1a2b3c4d-u".to_owned()),
            Self::BaseUrl { .. } => {
                Some("give scheme, host and port only, such as http://127.0.0.1:8400".to_owned())
            }
            Self::Token => Some("set LOCKGATE_TOKEN to a personal access token".to_owned()),
            Self::Client(_) => None,
        }
    }
}

/// An instance of Agility CMS. Clones share connections and keys.
#[derive(Clone, Debug)]
pub struct Instance {
    client: Arc<Client>,
}

impl Instance {
    /// Checks the connection's values; sends nothing.
    ///
    /// # Errors
    /// [`ConnectionError`] when they cannot be right.
    pub fn new(connection: Connection) -> Result<Self, ConnectionError> {
        Client::new(connection).map(|client| Self {
            client: Arc::new(client),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The instance.
    pub fn guid(&self) -> &Guid {
        &self.client.guid
    }

    /// Host and port of the Management API, which is whose rate counts.
    pub fn host(&self) -> String {
        self.client.management_host()
    }

    /// Whether the Content Fetch API has another host, and so a rate of its own.
    pub fn has_fetch_host(&self) -> bool {
        self.client.has_fetch_host()
    }

    /// The latest requests to it.
    pub fn requests(&self) -> RequestLog {
        self.client.requests()
    }

    /// The token, to be replaced when the server does not take it any more.
    pub fn token(&self) -> Token {
        self.client.token()
    }

    /// Checks that the token has rights on the instance, by fetching the preview key (`GetPreviewKey`). The
    /// key is kept for the reads that need it; once it is known, this does nothing.
    ///
    /// # Errors
    /// [`RequestError`] with the reason.
    pub async fn authorise(&self) -> Result<(), RequestError> {
        self.client.preview_key().await.map(|_| ())
    }
}

impl Source for Instance {
    async fn read<I: Id>(&self, ask: &ReadRequest) -> Result<ReadResponse<I>, RequestError> {
        read::answer(&self.client, ask).await
    }

    async fn download(&self, url: &str) -> Result<Download, RequestError> {
        read::download(&self.client, url).await
    }

    async fn digest(&self, url: &str) -> Result<Option<FileDigest>, RequestError> {
        read::digest(&self.client, url).await
    }
}

impl Target for Instance {
    async fn save(&self, save: &Save) -> Result<Saved, RequestError> {
        write::save(&self.client, save).await
    }

    async fn save_redirections(&self, rows: &[Save]) -> Result<Vec<RowResult>, RequestError> {
        write::save_redirections(&self.client, rows).await
    }

    async fn upload(&self, upload: Upload) -> Result<Vec<RowResult>, RequestError> {
        write::upload(&self.client, upload).await
    }

    async fn move_asset(&self, asset: TargetId, folder: &str) -> Result<Saved, RequestError> {
        write::move_asset(&self.client, asset, folder).await
    }

    async fn submit_items(&self, locale: &Locale, items: &[Save]) -> Result<BatchId, RequestError> {
        write::submit_items(&self.client, locale, items).await
    }

    async fn submit_page(&self, page: &PageSave) -> Result<BatchId, RequestError> {
        write::submit_page(&self.client, page).await
    }

    async fn poll(&self, batch: BatchId) -> Result<BatchStatus, RequestError> {
        batch::poll(&self.client, batch).await
    }

    async fn delete(&self, doomed: &DeleteRequest) -> Result<Deleted, RequestError> {
        write::delete(&self.client, doomed).await
    }

    async fn submit_workflow(
        &self,
        step: Workflow,
        kind: Kind,
        locale: &Locale,
        ids: &[TargetId],
    ) -> Result<BatchId, RequestError> {
        write::submit_workflow(&self.client, step, kind, (locale, ids)).await
    }
}
