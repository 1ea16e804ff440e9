//! Uploading assets, piece by piece.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;

use crate::domain::{AssetUrls, Id, TargetId, same_name};
use crate::instance::{
    ByteStream, Cause, RequestError, RowResult, Saved, Unconfirmed, Upload, UploadFile,
};

use super::super::client::{Call, Client, Payload};
use super::super::read::encoded;
use super::super::shape::{self, ShapeError};
use super::form::{Form, Part, form};
use super::unsendable;

/// The slowest upload that is waited for, in bytes per second; the usual time-out comes on top.
const SLOWEST_PER_SECOND: u64 = 32 * 1024;

/// The time-out for an upload of unknown length.
const UNKNOWN_LENGTH: Duration = Duration::from_hours(1);

/// "In no gallery".
const NO_GALLERY: i64 = -1;

/// What stopped the body of an upload: the file, and why.
type Failure = Arc<OnceLock<(String, Cause)>>;

/// `POST asset/upload` with one part called `files` for each file. Memory stays bounded: a piece is taken from a stream
/// when the connection has room for it, and the next file begins where one ends.
pub(crate) async fn upload(
    client: &Client,
    upload: Upload,
) -> Result<Vec<RowResult>, RequestError> {
    let to = |what: &str| format!("uploading {what} to {}", client.guid);
    let operation = to(&shown(&upload));
    let sent: Vec<Sent> = upload.files.iter().map(Sent::of).collect();
    let mut call = Call::post(operation, upload_path(&upload), Payload::Empty);
    call.limit = Some(time_out(client, &sent));
    let failure = Failure::default();
    let form = filled(upload, &failure).map_err(|odd| unsendable(call.operation.clone(), &odd))?;
    call.payload = Payload::Form(form);
    match client.send(call).await {
        Ok(reply) => reply.understand(|answer| rows(&answer, &sent)),
        // The connection only broke because its own side had nothing to send.
        Err(error) => Err(match failure.get() {
            Some((path, cause)) => RequestError {
                operation: to(&format!("{path:?}")),
                cause: cause.clone(),
                ..error
            },
            None => error,
        }),
    }
}

/// What is known of a file that was sent, to be compared with its row in the answer.
struct Sent {
    name: String,
    length: Option<u64>,
}

impl Sent {
    fn of(file: &UploadFile) -> Self {
        Self {
            name: file.name.clone(),
            length: file.length_bytes,
        }
    }
}

fn time_out(client: &Client, sent: &[Sent]) -> Duration {
    let length: Option<u64> = sent.iter().map(|file| file.length).sum();
    match length {
        Some(length) => client.request_timeout + Duration::from_secs(length / SLOWEST_PER_SECOND),
        None => UNKNOWN_LENGTH.max(client.request_timeout),
    }
}

fn shown(upload: &Upload) -> String {
    match &upload.files[..] {
        [only] => format!("{:?}", shown_path(&upload.folder, &only.name)),
        files => format!("{} files for folder {:?}", files.len(), upload.folder),
    }
}

fn shown_path(folder: &str, name: &str) -> String {
    match folder.trim_matches('/') {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
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

fn filled(upload: Upload, failure: &Failure) -> Result<Form, ShapeError> {
    let parts = upload.files.into_iter().map(|file| {
        let content_type = file.content_type.as_deref().map(str::trim);
        let content_type = content_type.filter(|told| !told.is_empty());
        Part {
            content_type: content_type
                .unwrap_or("application/octet-stream")
                .to_owned(),
            length: file.length_bytes,
            bytes: counted(
                file.bytes,
                file.length_bytes,
                (shown_path(&upload.folder, &file.name), Arc::clone(failure)),
            ),
            name: file.name,
        }
    });
    form(parts.collect())
}

/// Passes pieces on as long as they are right: the stream must not fail, and its length must be the one that
/// was announced. What went wrong is left in `failure`, because the HTTP client reports it as a broken connection.
fn counted(
    bytes: ByteStream,
    length: Option<u64>,
    (path, failure): (String, Failure),
) -> impl Stream<Item = Result<Bytes, Stopped>> + Send {
    let stop = move |cause| {
        failure.get_or_init(|| (path.clone(), cause));
        Stopped
    };
    stream::try_unfold(
        (bytes, 0_u64, stop),
        move |(mut bytes, before, stop)| async move {
            match (bytes.next().await, length) {
                (Some(Ok(piece)), _) => {
                    let sent = before + piece.len() as u64;
                    match length {
                        Some(length) if sent > length => Err(stop(Cause::Content(format!(
                            "more than the {length} bytes that were announced"
                        )))),
                        Some(_) | None => Ok(Some((piece, (bytes, sent, stop)))),
                    }
                }
                (Some(Err(error)), _) => Err(stop(source_failed(&error))),
                (None, Some(length)) if before < length => Err(stop(Cause::Content(format!(
                    "{before} bytes where {length} were announced"
                )))),
                (None, _) => Ok(None),
            }
        },
    )
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
        | Cause::Renewed
        | Cause::NotRenewed(_)
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

/// `Media[]` in the order of the parts; a lone one need not be in a list.
fn rows(answer: &Value, sent: &[Sent]) -> Result<Vec<RowResult>, ShapeError> {
    let rows = match answer {
        Value::Array(rows) => rows.as_slice(),
        Value::Object(_) => std::slice::from_ref(answer),
        _ => return Err(ShapeError("no list of assets".to_owned())),
    };
    if rows.len() != sent.len() {
        let why = format!(
            "the answer has {} rows for {} files",
            rows.len(),
            sent.len()
        );
        return Ok(vec![Err(Unconfirmed::Unclear(why)); sent.len()]);
    }
    let is_alone = sent.len() == 1;
    let row = |(row, sent): (&Value, &Sent)| {
        misfit(row, sent, is_alone).map_err(Unconfirmed::Unclear)?;
        saved(row).map_err(|odd| Unconfirmed::Unclear(odd.0))
    };
    Ok(rows.iter().zip(sent).map(row).collect())
}

/// Why a row is not that of a file, if so. A file that was sent alone cannot be taken for another one, so its server may
/// call it as it likes.
fn misfit(row: &Value, sent: &Sent, is_alone: bool) -> Result<(), String> {
    let key = shape::text(row, "originKey").and_then(|key| key.rsplit('/').next());
    let name = shape::text(row, "fileName").or(key);
    if let Some(name) = name.filter(|name| !is_alone && !same_name(name, &sent.name)) {
        return Err(format!(
            "the answer has {name:?} in the place of {:?}",
            sent.name
        ));
    }
    let size = shape::int(row, "size").and_then(|size| u64::try_from(size).ok());
    match size.zip(sent.length) {
        Some((size, length)) if size != length => Err(format!(
            "the answer says that {:?} has {size} bytes, and {length} were sent",
            sent.name
        )),
        _ => Ok(()),
    }
}

/// A row of an asset.
fn saved(row: &Value) -> Result<Saved, ShapeError> {
    let id = shape::int(row, "mediaID").filter(|id| *id > 0);
    let id = id.ok_or_else(|| ShapeError("the stored asset has no mediaID".to_owned()))?;
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
            gallery: None,
            focal: (Some("0.25".to_owned()), None),
            files: vec![UploadFile {
                name: "rosa & co.jpg".to_owned(),
                content_type: None,
                length_bytes: None,
                bytes: Box::pin(stream::empty()),
            }],
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
        let failure = Failure::default();
        let path = "img/a.png".to_owned();
        let pieces = counted(bytes, length, (path, Arc::clone(&failure)));
        let all: Result<Vec<Bytes>, _> = pieces.try_collect().await;
        all.map(|pieces| pieces.iter().map(Bytes::len).sum())
            .map_err(|_| failure.get().unwrap().1.clone())
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
        assert_eq!(shown(&file("/img/")), "\"img/rosa & co.jpg\"");
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

    /// What is made of an answer to these files, by row: the id, or why there is none.
    fn read(answer: &Value, sent: &[(&str, u64)]) -> Vec<Result<i64, String>> {
        let sent = sent.iter().map(|(name, length)| Sent {
            name: (*name).to_owned(),
            length: Some(*length),
        });
        let sent: Vec<Sent> = sent.collect();
        let row = |row: RowResult| match row {
            Ok(saved) => Ok(saved.id.raw()),
            Err(Unconfirmed::Unclear(why)) => Err(why),
            Err(Unconfirmed::Refused(refusal)) => panic!("{refusal:?}"),
        };
        rows(answer, &sent).unwrap().into_iter().map(row).collect()
    }

    #[test]
    fn a_row_tells_id_and_urls() {
        let answer =
            json!([{"mediaID": 310, "originUrl": "https://o.test/a.jpg", "edgeUrl": null}]);
        let saved = saved(&answer[0]).unwrap();
        assert_eq!(saved.id, TargetId::new(310));
        assert_eq!(&*saved.urls.unwrap().edge, "https://o.test/a.jpg");
        assert_eq!(read(&json!({"mediaID": 4}), &[("a.jpg", 3)]), [Ok(4)]);
        assert!(read(&json!([]), &[("a.jpg", 3)])[0].is_err());
        assert!(read(&json!([{"mediaID": 0}]), &[("a.jpg", 3)])[0].is_err());
        assert!(rows(&json!("done"), &[]).is_err());
    }

    #[test]
    fn a_row_that_does_not_fit_its_file_is_not_believed() {
        let row =
            |id: i64, name: &str, size: u64| json!({"mediaID": id, "fileName": name, "size": size});
        let both = [("a.jpg", 3), ("b.jpg", 4)];
        let (a, b) = (row(1, "A.jpg", 3), row(2, "b.jpg", 4));
        assert_eq!(read(&json!([a, b]), &both), [Ok(1), Ok(2)]);
        let turned = read(&json!([b, a]), &both);
        assert!(turned.iter().all(Result::is_err), "{turned:?}");
        let cut = read(&json!([a, row(2, "b.jpg", 2)]), &both);
        assert!(cut[0].is_ok() && cut[1].as_ref().is_err_and(|why| why.contains("2 bytes")));
        let missing = read(&json!([a]), &both);
        assert!(missing.iter().all(Result::is_err), "{missing:?}");
        let keyed = json!([{"mediaID": 1, "originKey": "img/b.jpg"}, b]);
        assert!(read(&keyed, &both)[0].is_err());
        // Alone, it is the only one that it can be.
        assert_eq!(read(&json!([row(7, "a-1.jpg", 3)]), &both[..1]), [Ok(7)]);
    }
}
