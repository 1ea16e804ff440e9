//! Files on their way from the source into an upload: bytes stream from the source's URL into the body, hashed and counted
//! on the way.
//!
//! A file is opened before its upload has a permit, so that no permit is held while the source responds, and so that a
//! file that the source does not deliver is left out of the upload. Until the permit is there, the download waits with its
//! first bytes; [`crate::engine::Options::files_in_flight`] bounds how many do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use md5::{Digest as _, Md5};
use serde_json::Value;
use tokio::time::Instant;

use super::context::{Ends, Instances, PlanView, Prepared, RunContext};
use super::pace::Class;
use crate::domain::{
    ContentHash, Entity, Id, Kind, SourceId, TargetId, TargetKey, folder_and_name, same_name,
};
use crate::instance::{
    ByteStream, Cause, Download, Effect, FileDigest, Fingerprint, RequestError, RowResult, Source,
    Target as _, Unconfirmed, Upload, UploadFile,
};
use crate::plan::gallery_of;

/// How long an opened file may stand before it is opened anew: servers close connections that are not read.
const STANDS: Duration = Duration::from_secs(10);

/// A file that is to be uploaded.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Where it goes on the target.
    path: String,
    /// Its row on the source.
    media: Value,
    /// What has passed of it.
    pub(super) meter: Meter,
}

/// A file that the source has begun to send.
#[derive(Debug)]
pub(super) struct Opened {
    download: Download,
    since: Instant,
}

impl Outgoing {
    /// The file of an asset.
    pub(super) fn of(view: &PlanView, item: &Prepared) -> Self {
        Self {
            path: path(view, item).to_owned(),
            media: view.entity(item.node).body.parse(),
            meter: Meter::default(),
        }
    }

    /// Where the source has it.
    pub(super) fn url(&self) -> &str {
        let origin = self.media["originUrl"].as_str();
        let url = origin.or_else(|| self.media["edgeUrl"].as_str());
        url.unwrap_or_default()
    }

    /// Its length as the source lists it.
    pub(super) fn listed_bytes(&self) -> Option<u64> {
        self.media["size"].as_u64().filter(|size| *size > 0)
    }

    /// Its focal point, once the source has begun to send it.
    fn focal(&self, download: &Download) -> (Option<String>, Option<String>) {
        let told = |name: &str| match &self.media[name] {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        (
            download.focal.0.clone().or_else(|| told("focalX")),
            download.focal.1.clone().or_else(|| told("focalY")),
        )
    }

    /// Whether it has a focal point, and so goes alone.
    pub(super) fn has_focal(&self, opened: &Opened) -> bool {
        self.focal(&opened.download) != (None, None)
    }

    fn check_length(&self, length: Option<u64>) -> Result<(), RequestError> {
        match (self.listed_bytes(), length) {
            (Some(size), Some(length)) if size != length => Err(RequestError::new(
                format!("uploading {}", self.path),
                Cause::Content(format!("the source lists {size} bytes and sends {length}")),
            )),
            _ => Ok(()),
        }
    }
}

impl<E: Ends> Instances<E> {
    /// Opens a file on the source side. Whatever goes wrong there, nothing has reached the target.
    ///
    /// # Errors
    /// [`RequestError`] with [`Cause::Content`] when the source does not give it, or gives another length than it lists.
    pub(super) async fn open_file(&self, file: &Outgoing) -> Result<Opened, RequestError> {
        let download = self
            .to_source()
            .send_as(Class::Download, Effect::Read, || {
                self.source.download(file.url())
            })
            .await
            .map_err(|error| RequestError {
                cause: match error.cause {
                    cause @ (Cause::Halted | Cause::Misplaced(_)) => cause,
                    cause => Cause::Content(cause.to_string()),
                },
                ..error
            })?;
        file.check_length(download.length_bytes)?;
        Ok(Opened {
            download,
            since: Instant::now(),
        })
    }

    /// The bytes of a file. It is opened anew where it has stood too long when its turn comes, behind larger ones.
    fn unless_old(&self, file: &Outgoing, opened: Opened) -> ByteStream {
        let (source, url) = (self.source.clone(), file.url().to_owned());
        let bytes = async move {
            if opened.since.elapsed() < STANDS {
                return Ok(opened.download.bytes);
            }
            drop(opened);
            source.download(&url).await.map(|download| download.bytes)
        };
        stream::once(bytes).try_flatten().boxed()
    }
}

impl<E: Ends> RunContext<E> {
    /// One attempt to upload files of one folder and gallery, with those that were opened while others were uploaded, or
    /// with files that are opened now. [`Meter::broke`] has the one that failed an attempt. A row of a file that was not
    /// sent to its end is not trusted.
    ///
    /// # Errors
    /// [`RequestError`], also when a file cannot be opened again.
    pub(super) async fn upload_files(
        &self,
        files: &[Outgoing],
        opened: Option<Vec<Opened>>,
    ) -> Result<Vec<RowResult>, RequestError> {
        let mut opened = opened.unwrap_or_default().into_iter();
        let all = files.iter().map(|file| {
            let fresh = opened
                .next()
                .filter(|opened| opened.since.elapsed() < STANDS);
            async move {
                match fresh {
                    Some(opened) => Ok(opened),
                    None => self
                        .instances
                        .open_file(file)
                        .await
                        .inspect_err(|_| file.meter.break_off()),
                }
            }
        });
        let opened = join_all(all).await;
        let opened: Vec<Opened> = opened.into_iter().collect::<Result<_, _>>()?;
        let upload = self.upload_of(files, opened);
        // Files may have taken longer to open than the lease lasts.
        self.instances.keeps_lease().await;
        let rows = self.instances.target.upload(upload).await?;
        let is_unread = |at: usize| {
            files
                .get(at)
                .is_some_and(|file| file.meter.whole().is_none())
        };
        let rows = rows.into_iter().enumerate().map(|(at, row)| match row {
            Ok(_) if is_unread(at) => {
                let why = "it was answered before all of its bytes had been sent";
                Err(Unconfirmed::Unclear(why.to_owned()))
            }
            row => row,
        });
        Ok(rows.collect())
    }

    fn upload_of(&self, files: &[Outgoing], opened: Vec<Opened>) -> Upload {
        let first = files.first();
        let (folder, _) = first.map_or(("", ""), |file| folder_and_name(&file.path));
        let gallery = first.and_then(|file| gallery_of(&file.media));
        let gallery = gallery.map(SourceId::new);
        let focal = match (files, &opened[..]) {
            ([file], [opened]) => file.focal(&opened.download),
            _ => (None, None),
        };
        let files = files.iter().zip(opened).map(|(file, opened)| {
            let length = opened.download.length_bytes.or(file.listed_bytes());
            file.meter.begin(length);
            UploadFile {
                name: folder_and_name(&file.path).1.to_owned(),
                content_type: file.media["contentType"].as_str().map(str::to_owned),
                length_bytes: length,
                bytes: metered(self.instances.unless_old(file, opened), file.meter.clone()),
            }
        });
        Upload {
            folder: folder.to_owned(),
            gallery: gallery.and_then(|id| self.view.ids.shared(Kind::Gallery, id)),
            focal,
            files: files.collect(),
        }
    }
}

/// The asset of the target that a save replaces, as the target had it before the run.
pub(super) fn counterpart<'a>(view: &'a PlanView, item: &Prepared) -> Option<&'a Entity<TargetId>> {
    let key = TargetKey::global(Kind::Asset, item.save.id?.raw());
    view.target_inventory.get(&key)
}

/// The path of an upload: that of the counterpart where it has the same name, because a case-sensitive server would
/// make a second asset at the other spelling.
pub(super) fn path<'a>(view: &'a PlanView, item: &Prepared) -> &'a str {
    let name = &view.entity(item.node).name;
    match counterpart(view, item) {
        Some(there) if same_name(&there.name, name) => &there.name,
        Some(_) | None => name,
    }
}

/// The hash of the bytes at `url`.
///
/// # Errors
/// [`RequestError`] when they cannot be read to their end.
pub(super) async fn bytes_hash<S: Source>(
    instance: &S,
    url: &str,
) -> Result<ContentHash, RequestError> {
    fetched(instance, url)
        .await
        .map(|fetched| fetched.bytes.hash)
}

/// A file that was read to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetched {
    pub(super) bytes: Fingerprint,
    /// What the host states of them.
    pub(super) said: Option<FileDigest>,
}

/// Reads the bytes at `url` to their end.
///
/// # Errors
/// [`RequestError`] when they cannot be read.
pub(super) async fn fetched<S: Source>(instance: &S, url: &str) -> Result<Fetched, RequestError> {
    let download = instance.download(url).await?;
    let said = download.digest;
    let passed = passed(download, u64::MAX).await?;
    Ok(Fetched {
        bytes: passed.fingerprint(),
        said,
    })
}

/// Reads the bytes at `url` to their end; `None` of a file of more than `most` bytes, of which no more than these are read.
///
/// # Errors
/// [`RequestError`] when they cannot be read.
pub(super) async fn fetched_within<S: Source>(
    instance: &S,
    url: &str,
    most: u64,
) -> Result<Option<Fetched>, RequestError> {
    let download = instance.download(url).await?;
    if download.length_bytes.is_some_and(|length| length > most) {
        return Ok(None);
    }
    let said = download.digest;
    let passed = passed(download, most).await?;
    let is_whole = passed.bytes <= most;
    Ok(is_whole.then(|| Fetched {
        bytes: passed.fingerprint(),
        said,
    }))
}

/// Reads a file until it ends or has more than `most` bytes.
async fn passed(mut download: Download, most: u64) -> Result<Passed, RequestError> {
    let mut passed = Passed::default();
    while passed.bytes <= most
        && let Some(piece) = download.bytes.next().await
    {
        passed.take(&piece?);
    }
    Ok(passed)
}

/// Counts and hashes what passes of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<Mutex<Passed>>);

#[derive(Debug, Default)]
struct Passed {
    bytes: u64,
    hasher: blake3::Hasher,
    md5: Md5,
    /// What has to pass, where that is known.
    length: Option<u64>,
    /// Whether all has passed that there is.
    is_over: bool,
    /// Whether the source failed.
    is_broken: bool,
}

impl Passed {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
        self.md5.update(bytes);
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            hash: ContentHash::finish(&self.hasher),
            digest: FileDigest {
                bytes: self.bytes,
                md5: self.md5.clone().finalize().into(),
            },
        }
    }
}

impl Meter {
    fn with<R>(&self, act: impl FnOnce(&mut Passed) -> R) -> R {
        act(&mut self.0.lock().expect("no holder panics"))
    }

    /// Starts from zero: an attempt may be the second one.
    fn begin(&self, length: Option<u64>) {
        self.with(|passed| {
            *passed = Passed {
                length,
                ..Passed::default()
            };
        });
    }

    fn pass(&self, bytes: &[u8]) {
        self.with(|passed| passed.take(bytes));
    }

    /// Notes that the source failed.
    fn break_off(&self) {
        self.with(|passed| passed.is_broken = true);
    }

    /// Whether it is this file of which the upload failed: the source failed, or gave more or fewer bytes than there are.
    pub(super) fn broke(&self) -> bool {
        self.with(|passed| {
            let is_wrong =
                |length: u64| passed.bytes > length || (passed.is_over && passed.bytes < length);
            passed.is_broken || passed.length.is_some_and(is_wrong)
        })
    }

    /// What the bytes are, once all of them have passed.
    pub(super) fn whole(&self) -> Option<Fingerprint> {
        let is_whole = self.with(|passed| passed.is_over) && !self.broke();
        is_whole.then(|| self.with(|passed| passed.fingerprint()))
    }
}

/// The stream with a meter in it.
fn metered(bytes: ByteStream, meter: Meter) -> ByteStream {
    let end = meter.clone();
    let pieces = bytes.inspect(move |piece| match piece {
        Ok(piece) => meter.pass(piece),
        Err(_) => meter.break_off(),
    });
    let over = stream::once(async move {
        end.with(|passed| passed.is_over = true);
        None
    });
    pieces
        .map(Some)
        .chain(over)
        .filter_map(std::future::ready)
        .boxed()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    async fn passed(pieces: Vec<Result<Bytes, RequestError>>, length: u64) -> Meter {
        let meter = Meter::default();
        meter.begin(Some(length));
        let bytes = metered(stream::iter(pieces).boxed(), meter.clone());
        drop(bytes.collect::<Vec<_>>().await);
        meter
    }

    fn piece(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[tokio::test]
    async fn a_meter_tells_the_hash_of_a_whole_file_only() {
        let whole = passed(vec![Ok(piece("ab")), Ok(piece("c"))], 3).await;
        let sent = whole.whole().unwrap();
        assert_eq!(
            (sent.digest.bytes, sent.hash),
            (3, ContentHash::of_bytes(b"abc"))
        );
        // RFC 1321, A.5.
        let md5 = u128::from_str_radix("900150983cd24fb0d6963f7d28e17f72", 16).unwrap();
        assert_eq!(sent.digest.md5, md5.to_be_bytes());
        assert!(!whole.broke());
        let reset = RequestError::new("downloading x", Cause::Broken("reset".to_owned()));
        for (pieces, length) in [
            (vec![Ok(piece("ab"))], 3),
            (vec![Ok(piece("abcd"))], 3),
            (vec![Ok(piece("abc")), Err(reset)], 3),
        ] {
            let broken = passed(pieces, length).await;
            assert!(broken.broke());
            assert_eq!(broken.whole(), None);
        }
        let unread = Meter::default();
        unread.begin(Some(3));
        unread.pass(b"ab");
        assert!(!unread.broke(), "the upload ended for another reason");
        assert_eq!(unread.whole(), None);
        unread.begin(Some(0));
        assert_eq!(unread.whole(), None);
    }
}
