//! Uploading an asset, piece by piece.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;

use crate::domain::{AssetUrls, Id, TargetId};
use crate::instance::{ByteStream, Cause, RequestError, Saved, Upload};

use super::super::client::{Call, Client, Payload};
use super::super::read::encoded;
use super::super::shape::{self, Misshapen};
use super::form::{Form, form};
use super::unsendable;

/// The slowest upload that is waited for, in bytes per second; the usual time-out comes on top.
const SLOWEST_PER_SECOND: u64 = 32 * 1024;

/// The time-out for an upload of unknown length.
const UNKNOWN_LENGTH: Duration = Duration::from_hours(1);

/// "In no gallery".
const NO_GALLERY: i64 = -1;

/// `POST asset/upload` with one part called `files`. Memory stays bounded: a piece is taken from the stream
/// when the connection has room for it.
pub(crate) async fn upload(client: &Client, upload: Upload) -> Result<Saved, RequestError> {
    let path = shown_path(&upload);
    let operation = format!("uploading {path:?} to {}", client.guid);
    let mut call = Call::post(operation, upload_path(&upload), Payload::Empty);
    call.limit = Some(match upload.length_bytes {
        Some(length) => client.request_timeout + Duration::from_secs(length / SLOWEST_PER_SECOND),
        None => UNKNOWN_LENGTH.max(client.request_timeout),
    });
    let failure = Arc::new(OnceLock::new());
    let form = filled(upload, &failure).map_err(|odd| unsendable(call.operation.clone(), &odd))?;
    call.payload = Payload::Form(form);
    match client.send(call).await {
        Ok(reply) => reply.understand(|answer| saved(&answer)),
        // The connection only broke because its own side had nothing to send.
        Err(error) => Err(match failure.get() {
            Some(cause) => RequestError {
                cause: Cause::clone(cause),
                ..error
            },
            None => error,
        }),
    }
}

fn shown_path(upload: &Upload) -> String {
    match upload.folder.trim_matches('/') {
        "" => upload.file_name.clone(),
        folder => format!("{folder}/{}", upload.file_name),
    }
}

fn upload_path(upload: &Upload) -> String {
    let folder = match upload.folder.trim_matches('/') {
        "" => "/",
        folder => folder,
    };
    let gallery = upload.gallery.map_or(NO_GALLERY, Id::raw);
    let mut path = format!(
        "asset/upload?folderPath={}&groupingID={gallery}",
        encoded(folder)
    );
    for (name, value) in [("focalX", &upload.focal.0), ("focalY", &upload.focal.1)] {
        if let Some(value) = value {
            path.extend(["&", name, "=", &encoded(value)]);
        }
    }
    path
}

fn filled(upload: Upload, failure: &Arc<OnceLock<Cause>>) -> Result<Form, Misshapen> {
    let length = upload.length_bytes;
    let pieces = counted(upload.bytes, length, Arc::clone(failure));
    let content_type = upload.content_type.as_deref();
    let content_type = content_type
        .map(str::trim)
        .filter(|told| !told.is_empty())
        .unwrap_or("application/octet-stream");
    form((&upload.file_name, content_type), pieces, length)
}

/// Passes pieces on as long as they are right: the stream must not fail, and its length must be the one that
/// was told. What went wrong is left in `failure`, because the HTTP client reports it as a broken connection.
fn counted(
    bytes: ByteStream,
    length: Option<u64>,
    failure: Arc<OnceLock<Cause>>,
) -> impl Stream<Item = Result<Bytes, Stopped>> + Send {
    stream::try_unfold((bytes, 0_u64), move |(mut bytes, before)| {
        let failure = Arc::clone(&failure);
        async move {
            let cause = match bytes.next().await {
                Some(Ok(piece)) => {
                    let sent = before + piece.len() as u64;
                    match length {
                        Some(length) if sent > length => Cause::Content(format!(
                            "more than the {length} bytes that were announced"
                        )),
                        Some(_) | None => return Ok(Some((piece, (bytes, sent)))),
                    }
                }
                Some(Err(error)) => source_failed(&error),
                None => match length {
                    Some(length) if before < length => {
                        Cause::Content(format!("{before} bytes where {length} were announced"))
                    }
                    Some(_) | None => return Ok(None),
                },
            };
            failure.get_or_init(|| cause);
            Err(Stopped)
        }
    })
}

/// What a failed download means for the upload that it feeds. A passing failure stays one: the upload was
/// cut off and may be tried again from the start.
fn source_failed(error: &RequestError) -> Cause {
    match &error.cause {
        Cause::Connect { .. }
        | Cause::TimedOut(_)
        | Cause::Broken(_)
        | Cause::Throttled { .. }
        | Cause::ServerFailed { .. } => Cause::Broken(error.to_string()),
        Cause::Misplaced(refusal) => Cause::Misplaced(refusal.clone()),
        Cause::Unauthorised
        | Cause::Forbidden
        | Cause::NotFound
        | Cause::Refused { .. }
        | Cause::Malformed(_)
        | Cause::Content(_)
        | Cause::TooLarge(_)
        | Cause::Busy
        | Cause::Halted => Cause::Content(error.to_string()),
    }
}

/// Ends the body of a request that must not be completed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the bytes to send are not right")]
struct Stopped;

/// `Media[]` in the order of the parts, of which there is one.
/// `POST asset/move/{mediaID}`. The root is a slash, as for an upload.
pub(crate) async fn move_asset(
    client: &Client,
    asset: TargetId,
    folder: &str,
) -> Result<Saved, RequestError> {
    let operation = format!("moving asset {asset} to {folder:?} on {}", client.guid);
    let folder = if folder.is_empty() { "/" } else { folder };
    let path = format!("asset/move/{}?newFolder={}", asset.raw(), encoded(folder));
    let reply = client
        .send(Call::post(operation, path, Payload::Empty))
        .await?;
    reply.understand(|answer| saved(&answer))
}

fn saved(answer: &Value) -> Result<Saved, Misshapen> {
    let row = match answer {
        Value::Array(rows) => rows.first(),
        other => Some(other),
    };
    let row = row.ok_or_else(|| Misshapen("no asset".to_owned()))?;
    let id = shape::int(row, "mediaID").filter(|id| *id > 0);
    let id = id.ok_or_else(|| Misshapen("the stored asset has no mediaID".to_owned()))?;
    let origin = shape::text(row, "originUrl").or_else(|| shape::text(row, "edgeUrl"));
    let edge = shape::text(row, "edgeUrl").or(origin);
    let urls = origin.zip(edge).map(|(origin, edge)| AssetUrls {
        origin: origin.into(),
        edge: edge.into(),
    });
    Ok(Saved {
        id: TargetId::new(id),
        version: None,
        name: None,
        urls,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;
    use serde_json::json;

    fn file(folder: &str) -> Upload {
        Upload {
            folder: folder.to_owned(),
            file_name: "rosa & co.jpg".to_owned(),
            content_type: None,
            gallery: None,
            focal: (Some("0.25".to_owned()), None),
            length_bytes: None,
            bytes: Box::pin(stream::empty()),
        }
    }

    fn pieces(texts: &'static [&'static str]) -> ByteStream {
        Box::pin(stream::iter(
            texts
                .iter()
                .map(|text| Ok(Bytes::from_static(text.as_bytes()))),
        ))
    }

    async fn sent(bytes: ByteStream, length: Option<u64>) -> Result<usize, Cause> {
        let failure = Arc::new(OnceLock::new());
        let pieces = counted(bytes, length, Arc::clone(&failure));
        let all: Result<Vec<Bytes>, _> = pieces.try_collect().await;
        all.map(|pieces| pieces.iter().map(Bytes::len).sum())
            .map_err(|_| failure.get().unwrap().clone())
    }

    #[test]
    fn the_query_names_folder_gallery_and_focal_point() {
        assert_eq!(
            upload_path(&file("img/team")),
            "asset/upload?folderPath=img%2Fteam&groupingID=-1&focalX=0.25"
        );
        let root = Upload {
            gallery: Some(TargetId::new(17)),
            focal: (None, None),
            ..file("")
        };
        assert_eq!(
            upload_path(&root),
            "asset/upload?folderPath=%2F&groupingID=17"
        );
        assert_eq!(shown_path(&file("/img/")), "img/rosa & co.jpg");
    }

    #[tokio::test]
    async fn a_body_of_the_wrong_length_is_cut_off() {
        assert_eq!(sent(pieces(&["ab", "cd"]), Some(4)).await, Ok(4));
        assert_eq!(sent(pieces(&["ab", "cd"]), None).await, Ok(4));
        for length in [3, 5] {
            let cut = sent(pieces(&["ab", "cd"]), Some(length)).await;
            assert!(matches!(cut, Err(Cause::Content(_))), "{cut:?}");
        }
    }

    #[tokio::test]
    async fn a_download_that_breaks_is_a_broken_upload_and_not_a_wrong_one() {
        let broken = RequestError::new("downloading x", Cause::Broken("reset".to_owned()));
        let bytes: ByteStream =
            Box::pin(stream::iter([Ok(Bytes::from_static(b"ab")), Err(broken)]));
        let Err(Cause::Broken(words)) = sent(bytes, Some(4)).await else {
            panic!("expected a broken connection");
        };
        assert!(words.contains("downloading x failed"), "{words}");
    }

    #[test]
    fn the_first_row_tells_id_and_urls() {
        let answer =
            json!([{"mediaID": 310, "originUrl": "https://o.test/a.jpg", "edgeUrl": null}]);
        let saved = saved(&answer).unwrap();
        assert_eq!(saved.id, TargetId::new(310));
        assert_eq!(&*saved.urls.unwrap().edge, "https://o.test/a.jpg");
        assert!(super::saved(&json!([])).is_err());
        assert!(super::saved(&json!([{"mediaID": 0}])).is_err());
    }
}
