//! Assets: bytes stream from the source's URL into the upload, hashed and counted on the way.
//!
//! A file is opened before its upload has a permit, so that no permit is held while the source answers. It waits with its
//! first bytes until then; there are never more such files than [`crate::engine::Options::downloads_in_flight`].

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::Instant;

use super::disguise;
use crate::domain::{ContentHash, Entity, Id, Kind, SourceId, TargetId, TargetKey, same_name};
use crate::engine::crew::{Crew, Prepared};
use crate::engine::pace::Class;
use crate::engine::reconcile::{
    close, find_file, insist, not_known, not_prepared, not_sent, repeat,
};
use crate::engine::state::{Step, StepResult};
use crate::instance::{
    ByteStream, Cause, Download, Effect, RequestError, Saved, Source, Target, Upload, Verdict,
};
use crate::plan::Node;
use crate::store::{IntentId, IntentState, Operation, StoreError};

/// How long an opened file may stand before it is opened anew: servers cut off who does not read.
const STANDS: Duration = Duration::from_secs(10);

pub(super) async fn run<S, T>(
    crew: &Crew<S, T>,
    (node, step): (Node, Step),
) -> Result<Vec<StepResult>, StoreError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let mut item = match crew.prepare(node, step) {
        Ok(item) => item,
        Err(reason) => return Ok(vec![not_prepared(reason)]),
    };
    item.replaced = crew.keep_replaced(&item).await;
    let intent = crew
        .open_intent(Operation::Upload, std::slice::from_ref(&item), 1)
        .await?;
    match move_to_folder(crew, &item, intent).await {
        // Its bytes follow once its place is free.
        Ok(Some(moved)) if is_set_aside(crew, &item) => {
            return disguise::settled(crew, intent, &item, &moved).await;
        }
        Ok(_) => {}
        Err(error) => {
            close(crew, intent, IntentState::Failed).await?;
            return Ok(vec![not_sent(&error)]);
        }
    }
    let body = crew.entity(node).body.parse();
    let meter = Meter::default();
    let mut sent = match fetch(crew, &item, &body).await {
        Ok(download) => {
            let opened = Instant::now();
            let mut fetched = Some(download);
            crew.under(intent)
                .send_as(Class::Asset, Effect::Write, || {
                    let fresh = fetched.take().filter(|_| opened.elapsed() < STANDS);
                    upload(crew, (&item, &body), fresh, meter.clone())
                })
                .await
        }
        Err(error) => {
            crew.open.note(intent, &error.to_string());
            Err(error)
        }
    };
    sent = match sent {
        Ok(saved) => checked(crew, &item, saved).await,
        failed => failed,
    };
    if let Err(error) = &sent
        && error.verdict(Effect::Write) == Verdict::Reconcile
    {
        // Uploading over a path is harmless to repeat: the same bytes land in the same place.
        let again = || async {
            let saved = upload(crew, (&item, &body), None, meter.clone()).await?;
            checked(crew, &item, saved).await
        };
        sent = match error.cause {
            Cause::Malformed(_) => look_for(crew, &item, error.clone()).await,
            _ => repeat(crew, Class::Asset, again, error.clone()).await,
        };
    }
    match sent {
        Ok(saved) => {
            let (bytes, hash) = meter.read();
            item.bytes = bytes;
            crew.sent_bytes.insert(crew.entity(node).key.id, hash);
            item.sent = Some(hash);
            disguise::settled(crew, intent, &item, &saved).await
        }
        Err(error) if matches!(error.cause, Cause::Malformed(_)) => {
            close(crew, intent, IntentState::Failed).await?;
            Ok(vec![not_known(&error.to_string())])
        }
        // The same bytes land in the same place, so it does not matter whether it left.
        Err(error) => {
            close(crew, intent, IntentState::Failed).await?;
            Ok(vec![not_sent(&error)])
        }
    }
}

/// The id that is believed of an answer. One of another file, that is of the counterpart of another asset or of a file that
/// the target had before at another path, is believed only when the path that was sent has no file of its own: then the
/// server has written over the other one.
async fn checked<S, T>(
    crew: &Crew<S, T>,
    item: &Prepared,
    saved: Saved,
) -> Result<Saved, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let key = TargetKey::global(Kind::Asset, saved.id.raw());
    let path = path(crew, item);
    let own = crew.ids.shared(Kind::Asset, crew.entity(item.node).key.id);
    let is_own = own.or(item.save.id) == Some(saved.id);
    let before = crew.target_inventory.get(&key);
    let is_other = match before {
        Some(there) => !same_name(&there.name, path),
        None => crew.ids.is_claimed(Kind::Asset, saved.id),
    };
    if is_own || !is_other {
        return Ok(saved);
    }
    let found = find_file(crew, item, path).await?;
    Ok(found.unwrap_or(saved))
}

/// Looks for a file after its upload was answered with success and without a usable id.
async fn look_for<S, T>(
    crew: &Crew<S, T>,
    item: &Prepared,
    error: RequestError,
) -> Result<Saved, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let found = find_file(crew, item, path(crew, item)).await?;
    found.ok_or(error)
}

/// The asset of the target that a save replaces, as the target had it before the run.
fn counterpart<'a, S, T>(crew: &'a Crew<S, T>, item: &Prepared) -> Option<&'a Entity<TargetId>>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let key = TargetKey::global(Kind::Asset, item.save.id?.raw());
    crew.target_inventory.get(&key)
}

/// Whether another asset still has the path of this one, so that it waits in a folder of its own.
fn is_set_aside<S, T>(crew: &Crew<S, T>, item: &Prepared) -> bool
where
    S: Source + Clone,
    T: Target + Clone,
{
    item.step == Step::Save && crew.planned(item.node).temporary.is_some()
}

/// Moves the counterpart of an asset to the folder that it has on the source, or to the one in which it waits for its
/// place. The bytes are sent to that path afterwards, where they land in the same asset; a move that took effect unseen is
/// harmless to repeat, because one that is there already stays. `None`: it is there.
async fn move_to_folder<S, T>(
    crew: &Crew<S, T>,
    item: &Prepared,
    intent: IntentId,
) -> Result<Option<Saved>, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let name = &crew.entity(item.node).name;
    let Some(there) = counterpart(crew, item).filter(|there| there.name != *name) else {
        return Ok(None);
    };
    let folder = match &crew.planned(item.node).temporary {
        Some(folder) if is_set_aside(crew, item) => folder,
        Some(_) | None => name.rsplit_once('/').map_or("", |(folder, _)| folder),
    };
    let request = || crew.target.move_asset(there.key.id, folder);
    let moved = insist(crew, (crew.under(intent), Class::Write), request).await;
    moved.map(Some)
}

/// Opens the file on the source side. Whatever goes wrong there, nothing has reached the target.
async fn fetch<S, T>(
    crew: &Crew<S, T>,
    item: &Prepared,
    media: &Value,
) -> Result<Download, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let url = media["originUrl"]
        .as_str()
        .or_else(|| media["edgeUrl"].as_str())
        .unwrap_or_default();
    let download = crew
        .to_source()
        .send_as(Class::Download, Effect::Read, || crew.source.download(url))
        .await
        .map_err(|error| RequestError {
            cause: match error.cause {
                cause @ (Cause::Halted | Cause::Misplaced(_)) => cause,
                cause => Cause::Content(cause.to_string()),
            },
            ..error
        })?;
    check_length(
        &crew.entity(item.node).name,
        listed_size(media),
        download.length_bytes,
    )?;
    Ok(download)
}

/// One attempt, with the file that was opened while others were uploaded, or with one that is opened now.
async fn upload<S, T>(
    crew: &Crew<S, T>,
    (item, media): (&Prepared, &Value),
    fetched: Option<Download>,
    meter: Meter,
) -> Result<Saved, RequestError>
where
    S: Source + Clone,
    T: Target + Clone,
{
    let download = match fetched {
        Some(download) => download,
        None => fetch(crew, item, media).await?,
    };
    let name = path(crew, item);
    let (folder, file_name) = name.rsplit_once('/').unwrap_or(("", name));
    let gallery = media["mediaGroupingID"].as_i64().filter(|id| *id > 0);
    let focal = focal(media, &download);
    let upload = Upload {
        folder: folder.to_owned(),
        file_name: file_name.to_owned(),
        content_type: media["contentType"].as_str().map(str::to_owned),
        gallery: gallery.and_then(|id| crew.ids.shared(Kind::Gallery, SourceId::new(id))),
        focal,
        length_bytes: download.length_bytes.or(listed_size(media)),
        bytes: metered(download.bytes, meter),
    };
    // The file may have taken longer to open than the lease lasts.
    crew.keeps_lease().await;
    crew.target.upload(upload).await
}

/// The path of an upload: that of the counterpart where it has the same name, because a server that tells case apart would
/// make a second asset at the other spelling.
fn path<'a, S, T>(crew: &'a Crew<S, T>, item: &Prepared) -> &'a str
where
    S: Source + Clone,
    T: Target + Clone,
{
    let name = &crew.entity(item.node).name;
    match counterpart(crew, item) {
        Some(there) if same_name(&there.name, name) => &there.name,
        Some(_) | None => name,
    }
}

fn listed_size(media: &Value) -> Option<u64> {
    media["size"].as_u64().filter(|size| *size > 0)
}

fn check_length(name: &str, size: Option<u64>, length: Option<u64>) -> Result<(), RequestError> {
    match (size, length) {
        (Some(size), Some(length)) if size != length => Err(RequestError::new(
            format!("uploading {name}"),
            Cause::Content(format!("the source lists {size} bytes and sends {length}")),
        )),
        _ => Ok(()),
    }
}

fn focal(media: &Value, download: &Download) -> (Option<String>, Option<String>) {
    let told = |name: &str| match &media[name] {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    (
        download.focal.0.clone().or_else(|| told("focalX")),
        download.focal.1.clone().or_else(|| told("focalY")),
    )
}

/// The hash of the bytes at `url`.
///
/// # Errors
/// [`RequestError`] when they cannot be read to their end.
pub(in crate::engine) async fn bytes_hash<S: Source>(
    instance: &S,
    url: &str,
) -> Result<ContentHash, RequestError> {
    let mut bytes = instance.download(url).await?.bytes;
    let mut hasher = blake3::Hasher::new();
    while let Some(piece) = bytes.next().await {
        hasher.update(&piece?);
    }
    Ok(ContentHash::finish(&hasher))
}

/// Counts and hashes what passes.
#[derive(Clone, Debug, Default)]
struct Meter(Arc<Mutex<(u64, blake3::Hasher)>>);

impl Meter {
    fn reset(&self) {
        *self.0.lock().expect("no holder panics") = (0, blake3::Hasher::new());
    }

    fn pass(&self, bytes: &[u8]) {
        let mut state = self.0.lock().expect("no holder panics");
        state.0 += bytes.len() as u64;
        state.1.update(bytes);
    }

    fn read(&self) -> (u64, ContentHash) {
        let state = self.0.lock().expect("no holder panics");
        (state.0, ContentHash::finish(&state.1))
    }
}

/// The stream with a meter in it, set to zero first: an attempt may be the second one.
fn metered(bytes: ByteStream, meter: Meter) -> ByteStream {
    meter.reset();
    bytes
        .inspect(move |piece| {
            if let Ok(piece) = piece {
                meter.pass(piece);
            }
        })
        .boxed()
}
