//! Where bytes of assets are kept, as chosen by a URL.

use std::fmt;
use std::path::PathBuf;

use object_store::aws::AmazonS3ConfigKey;
use object_store::path::Path as Key;
use percent_encoding::percent_decode_str;
use url::Url;

use super::place::Place;
use crate::domain::Secret;
use crate::store::StoreError;

/// Variables of the environment that hold credentials of a bucket.
pub const CREDENTIALS: [&str; 4] = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_TOKEN",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
];

/// What the names of the variables begin with that say how a bucket is reached.
const PREFIX: &str = "AWS_";

/// A place for bytes of assets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobsUrl {
    /// A directory, created when absent.
    Folder(PathBuf),
    /// A bucket that speaks S3.
    Bucket(BucketUrl),
}

/// A bucket and how it is reached. It never shows more than its name and the prefix.
#[derive(Clone, PartialEq, Eq)]
pub struct BucketUrl {
    pub(super) name: String,
    /// What the names of its objects begin with; empty for nothing.
    pub(super) prefix: Key,
    /// Keys and values, as the environment has them.
    pub(super) options: Vec<(AmazonS3ConfigKey, String)>,
}

impl BlobsUrl {
    /// Reads `s3://BUCKET/PREFIX`, `file:///DIR` or a path. `environment`: variables, of which those of AWS say how a bucket is
    /// reached: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP` and the others of
    /// <https://docs.rs/object_store/0.14/object_store/aws/enum.AmazonS3ConfigKey.html>. Credentials among them are taken out of texts
    /// from now on.
    ///
    /// # Errors
    /// [`BlobsUrlError`], which does not repeat the URL.
    pub fn parse<'e>(
        text: &str,
        environment: impl IntoIterator<Item = (&'e str, &'e str)>,
    ) -> Result<Self, BlobsUrlError> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return folder(text.into());
        };
        match scheme {
            "file" => {
                let path = Url::parse(text)
                    .ok()
                    .and_then(|url| url.to_file_path().ok());
                folder(path.ok_or(BlobsUrlError::File)?)
            }
            "s3" if !rest.contains('@') => bucket(text, environment).map(Self::Bucket),
            "s3" => {
                learn(text);
                Err(BlobsUrlError::Credentials)
            }
            _ => Err(BlobsUrlError::Unsupported {
                scheme: scheme.to_owned(),
            }),
        }
    }

    /// Whether other machines can read what is kept there by themselves.
    pub const fn is_shared(&self) -> bool {
        match self {
            Self::Folder(_) => false,
            Self::Bucket(_) => true,
        }
    }

    /// Writes a few bytes there, under one name for all, and reads them back.
    ///
    /// # Errors
    /// [`StoreError::Bytes`] and [`StoreError::Create`].
    pub async fn check(&self) -> Result<(), StoreError> {
        Place::of(self).check().await
    }
}

fn folder(path: PathBuf) -> Result<BlobsUrl, BlobsUrlError> {
    if path.as_os_str().is_empty() {
        return Err(BlobsUrlError::Empty);
    }
    Ok(BlobsUrl::Folder(path))
}

fn bucket<'e>(
    text: &str,
    environment: impl IntoIterator<Item = (&'e str, &'e str)>,
) -> Result<BucketUrl, BlobsUrlError> {
    let url = Url::parse(text).map_err(|_| BlobsUrlError::Bucket)?;
    let name = url.host_str().filter(|name| !name.is_empty());
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.port().is_none();
    let name = name.filter(|_| is_plain).ok_or(BlobsUrlError::Bucket)?;
    let prefix = percent_decode_str(url.path()).decode_utf8().ok();
    let prefix = prefix.and_then(|prefix| Key::parse(&*prefix).ok());
    let options = environment.into_iter().filter_map(|(variable, value)| {
        if CREDENTIALS.contains(&variable) {
            drop(Secret::new(value));
        }
        if variable == "AWS_ENDPOINT_URL" || variable == "AWS_ENDPOINT" {
            learn(value);
        }
        let key = variable.starts_with(PREFIX).then_some(variable)?;
        Some((key.to_ascii_lowercase().parse().ok()?, value.to_owned()))
    });
    Ok(BucketUrl {
        name: name.to_owned(),
        prefix: prefix.ok_or(BlobsUrlError::Bucket)?,
        options: options.collect(),
    })
}

/// Makes the password of a URL known as a credential.
fn learn(url: &str) {
    let parsed = Url::parse(url).ok();
    let password = parsed.as_ref().and_then(Url::password);
    let plain = password.map(|password| percent_decode_str(password).decode_utf8_lossy());
    drop(plain.map(|password| Secret::new(&password)));
}

impl fmt::Display for BlobsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.name)?;
        if self.prefix.as_ref().is_empty() {
            return Ok(());
        }
        write!(f, "/{}", self.prefix)
    }
}

impl fmt::Debug for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no place for bytes of assets. It never repeats the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobsUrlError {
    /// A kind of place that this build does not bring.
    #[error("{scheme}:// is not supported; expected s3://BUCKET/PREFIX, file:///DIR or a path")]
    Unsupported {
        /// The part of the URL before `://`.
        scheme: String,
    },
    /// Nothing to write to.
    #[error("it is empty; expected s3://BUCKET/PREFIX, file:///DIR or a path")]
    Empty,
    /// A `file` URL with a host, or with a relative path.
    #[error("the URL names no directory of this machine; expected file:///DIR")]
    File,
    /// No name of a bucket, or a port, query or fragment.
    #[error("the URL names no bucket; expected s3://BUCKET/PREFIX")]
    Bucket,
    /// A user or password.
    #[error(
        "credentials do not belong in the URL, but in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    Credentials,
}
