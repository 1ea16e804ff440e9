//! Objects of a bucket that speaks S3, each named by its hash below the prefix.
//!
//! Bytes of more than one part go up as a multipart upload, which shows when it is complete; a process that is killed before leaves
//! parts that no one sees and that the server removes by a rule of the bucket. They come down part by part, so that no request lasts
//! as long as the whole file.

use std::fmt;
use std::sync::OnceLock;

use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStore as _, ObjectStoreExt as _, RetryConfig};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::folder::{failed, temporary};
use super::location::BucketUrl;
use super::table::{next_part, rewound};
use crate::domain::{ContentHash, redact_message};
use crate::store::StoreError;

/// How many bytes one request carries. S3 takes 10,000 parts, of 5 MiB at least
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const PART: usize = 8 << 20;
/// How often a request is repeated that did not arrive or that the server could not carry out.
const RETRIES: usize = 4;
/// How much of what a server says is quoted, in characters.
const QUOTED: usize = 300;
/// The object that a check writes and reads back. It has one name, so a check needs no right to delete.
const CHECK: &str = "lockgate-check";
/// What is in it.
const CHECKED: &[u8] = b"lockgate";

/// The bucket.
pub(in crate::store) struct Bucket {
    url: BucketUrl,
    /// Made when it is needed first, because that reads the certificates of the system.
    client: OnceLock<AmazonS3>,
}

/// What is wrong with a place for bytes, by which the next step is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It does not let this user in.
    Refused,
    /// There is no such bucket.
    Missing,
    /// It cannot be reached, or does not work as it should.
    Unreachable,
}

impl Bucket {
    pub(super) fn new(url: BucketUrl) -> Self {
        let client = OnceLock::new();
        Self { url, client }
    }

    /// # Errors
    /// [`StoreError::Bytes`] for settings of the environment that cannot be.
    fn client(&self) -> Result<&AmazonS3, StoreError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // An error says that one is chosen already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let builder = AmazonS3Builder::new()
            .with_bucket_name(&self.url.name)
            .with_retry(RetryConfig {
                max_retries: RETRIES,
                ..RetryConfig::default()
            });
        let options = self.url.options.iter();
        let builder = options.fold(builder, |builder, (key, value)| {
            builder.with_config(*key, value)
        });
        // The URL names the bucket, whatever else does.
        let built = builder.with_bucket_name(&self.url.name).build();
        let client = built.map_err(|error| self.failed(&error))?;
        Ok(self.client.get_or_init(|| client))
    }

    fn key(&self, name: &str) -> Key {
        self.url.prefix.clone().join(name)
    }

    pub(super) async fn put(&self, hash: ContentHash, file: &mut File) -> Result<(), StoreError> {
        let at_start = file.rewind().await;
        at_start.map_err(|error| failed(&std::env::temp_dir(), error))?;
        let key = self.key(&hash.to_string());
        let first = next_part(file, PART).await?;
        let client = self.client()?;
        if first.len() < PART {
            let put = client.put(&key, first.into()).await;
            return put.map(drop).map_err(|error| self.failed(&error));
        }
        let upload = client.put_multipart(&key).await;
        let mut upload = upload.map_err(|error| self.failed(&error))?;
        let sent = self.put_parts(&mut *upload, first, file).await;
        if sent.is_err() {
            // What cannot be withdrawn either is removed by a rule of the bucket.
            drop(upload.abort().await);
        }
        sent
    }

    async fn put_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        first: Vec<u8>,
        file: &mut File,
    ) -> Result<(), StoreError> {
        let mut part = first;
        while !part.is_empty() {
            let sent = upload.put_part(part.into()).await;
            sent.map_err(|error| self.failed(&error))?;
            part = next_part(file, PART).await?;
        }
        let completed = upload.complete().await;
        completed.map(drop).map_err(|error| self.failed(&error))
    }

    pub(super) async fn get(&self, hash: ContentHash) -> Result<Option<File>, StoreError> {
        let (client, key) = (self.client()?, self.key(&hash.to_string()));
        let length = match client.head(&key).await {
            Ok(object) => object.size,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed(&error)),
        };
        let mut file = temporary()?;
        let mut at = 0;
        while at < length {
            let to = length.min(at + PART as u64);
            let part = client.get_range(&key, at..to).await;
            let part = part.map_err(|error| self.failed(&error))?;
            let written = file.write_all(&part).await;
            written.map_err(|error| failed(&std::env::temp_dir(), error))?;
            at = to;
        }
        rewound(file).await.map(Some)
    }

    pub(super) async fn hashes(&self) -> Result<Vec<ContentHash>, StoreError> {
        let listed = self.client()?.list(Some(&self.url.prefix));
        let hashes = listed
            .try_filter_map(|object| async move {
                let name = object.location.filename();
                Ok(name.and_then(ContentHash::parse))
            })
            .try_collect();
        hashes.await.map_err(|error| self.failed(&error))
    }

    /// Writes a few bytes and reads them back.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let (client, key) = (self.client()?, self.key(CHECK));
        let both = async {
            client.put(&key, CHECKED.into()).await?;
            client.get(&key).await?.bytes().await
        };
        let read = both.await.map_err(|error| self.failed(&error))?;
        if read == CHECKED {
            return Ok(());
        }
        Err(StoreError::Bytes {
            place: self.url.to_string(),
            trouble: Trouble::Unreachable,
            why: "what was written there was read back as something else".to_owned(),
        })
    }

    fn failed(&self, error: &object_store::Error) -> StoreError {
        use object_store::Error;
        let trouble = match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Trouble::Refused,
            Error::NotFound { .. } => Trouble::Missing,
            // The type is not exhaustive.
            _ => Trouble::Unreachable,
        };
        let said = redact_message(&error.to_string());
        StoreError::Bytes {
            place: self.url.to_string(),
            trouble,
            why: said.chars().take(QUOTED).collect(),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
