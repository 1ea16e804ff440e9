//! A folder as a source: it answers the questions that read an instance, with the files that a pull wrote.
//!
//! The files hold what the API says, so they are understood by the same functions. Questions about single entities find
//! nothing: a folder has no more than what its lists hold.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::super::client::parsed;
use super::super::page::{List, Page};
use super::super::shape::ShapeError;
use super::{content, media, pages, passed, redirections, schema, sitemap};
use crate::domain::{ContentHash, Id, Kind};
use crate::instance::{
    ByteStream, Cause, Download, ReadRequest, ReadResponse, Record, RequestError, Source,
};
use crate::snapshot::Folder;

/// Files that one question reads at most.
const FILES_AT_ONCE: usize = 200;

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

impl Source for Folder {
    async fn read<I: Id>(&self, ask: &ReadRequest) -> Result<ReadResponse<I>, RequestError> {
        let (folder, ask) = (self.clone(), ask.clone());
        let reading = tokio::task::spawn_blocking(move || answer(&folder, &ask));
        match reading.await {
            Ok(answer) => answer,
            Err(broken) => std::panic::resume_unwind(broken.into_panic()),
        }
    }

    async fn download(&self, url: &str) -> Result<Download, RequestError> {
        let Some((path, entry)) = self.asset(url) else {
            let why = self.why_missing(url);
            let why = why.unwrap_or("the folder has no file for it");
            let why = format!("the pull could not fetch it: {why}");
            return Err(failed("an asset", &why));
        };
        let operation = path.display().to_string();
        let file = File::open(&path).await;
        let file = file.map_err(|error| failed(&operation, &error))?;
        let focal = entry.asset.as_ref().map(|asset| asset.focal.clone());
        Ok(Download {
            digest: None,
            length_bytes: Some(entry.bytes),
            focal: focal.unwrap_or_default(),
            bytes: checked(Reading {
                file,
                operation,
                hasher: blake3::Hasher::new(),
                expected: entry.hash,
                held: None,
                is_over: false,
            }),
        })
    }

    fn checked_hash(&self, url: &str) -> Option<ContentHash> {
        self.asset(url).map(|(_, entry)| entry.hash)
    }
}

fn failed(what: &str, why: &(impl ToString + ?Sized)) -> RequestError {
    RequestError::new(format!("reading {what}"), Cause::Content(why.to_string()))
}

/// What the files say about a question.
fn answer<I: Id>(folder: &Folder, ask: &ReadRequest) -> Result<ReadResponse<I>, RequestError> {
    let found = match ask {
        ReadRequest::Locales => {
            let locales = folder.manifest().locales.iter().cloned();
            locales.map(Record::Locale).collect()
        }
        ReadRequest::Models { components: false } => {
            each(folder, &folder.files_of(Kind::Model, None), schema::model)?
        }
        ReadRequest::Containers => each(
            folder,
            &folder.files_of(Kind::Container, None),
            schema::container,
        )?,
        ReadRequest::Templates(_) => each(
            folder,
            &folder.files_of(Kind::Template, None),
            schema::template,
        )?,
        ReadRequest::Galleries { offset: 0 } => each(
            folder,
            &folder.files_of(Kind::Gallery, None),
            media::gallery,
        )?,
        ReadRequest::Assets { offset: 0 } => assets(folder)?,
        ReadRequest::AssetContainer => own(folder)?,
        ReadRequest::Items { locale, token } => {
            let item = |value| content::item(locale, value);
            let next = |token| ReadRequest::Items {
                locale: locale.clone(),
                token,
            };
            let files = folder.files_of(Kind::Content, Some(locale));
            return some(folder, &files, (*token, next), item);
        }
        ReadRequest::Pages { locale, token } => {
            let page = |value| pages::page(locale, value);
            let next = |token| ReadRequest::Pages {
                locale: locale.clone(),
                token,
            };
            let files = folder.files_of(Kind::Page, Some(locale));
            return some(folder, &files, (*token, next), page);
        }
        ReadRequest::Sitemap(locale) => {
            let file = folder.sitemap(locale);
            understood(folder, &file, List::Whole, |page| {
                sitemap::channels(locale, page)
            })?
        }
        ReadRequest::Redirections => match folder.files_of(Kind::Redirection, None).first() {
            Some(file) => understood(folder, file, List::Member("items"), redirections::list)?,
            None => Vec::new(),
        },
        ReadRequest::Models { components: true }
        | ReadRequest::Galleries { .. }
        | ReadRequest::Assets { .. }
        | ReadRequest::Model(_)
        | ReadRequest::Container(_)
        | ReadRequest::One { .. }
        | ReadRequest::Named { .. }
        | ReadRequest::ContainerItems { .. }
        | ReadRequest::Live { .. }
        | ReadRequest::PublicItems { .. }
        | ReadRequest::ItemsById { .. } => Vec::new(),
    };
    Ok(ReadResponse {
        found,
        follow_ups: Vec::new(),
    })
}

/// The entities of some files from a place on, and the question about the next ones.
fn some<I: Id>(
    folder: &Folder,
    files: &[&str],
    (token, next): (i64, impl Fn(i64) -> ReadRequest),
    understand: impl Fn(Value) -> Result<Record<I>, ShapeError>,
) -> Result<ReadResponse<I>, RequestError> {
    let from = usize::try_from(token).unwrap_or_default();
    let rest = files.get(from..).unwrap_or_default();
    let here = &rest[..rest.len().min(FILES_AT_ONCE)];
    let further = i64::try_from(from + here.len()).ok();
    let further = further.filter(|_| rest.len() > here.len());
    Ok(ReadResponse {
        found: each(folder, here, understand)?,
        follow_ups: further.map(next).into_iter().collect(),
    })
}

/// The entities of files that hold one each.
fn each<I: Id>(
    folder: &Folder,
    files: &[&str],
    understand: impl Fn(Value) -> Result<Record<I>, ShapeError>,
) -> Result<Vec<Record<I>>, RequestError> {
    let record = |file: &&str| understand(value(folder, file)?).map_err(|odd| failed(file, &odd.0));
    files.iter().map(record).collect()
}

fn text(folder: &Folder, file: &str) -> Result<String, RequestError> {
    folder.text(file).map_err(|error| failed(file, &error))
}

fn value(folder: &Folder, file: &str) -> Result<Value, RequestError> {
    let text = text(folder, file)?;
    parsed(text.as_bytes()).map_err(|error| failed(file, &error))
}

/// What a file with a list says.
fn understood<I>(
    folder: &Folder,
    file: &str,
    list: List,
    understand: impl Fn(&Page<'_>) -> Result<ReadResponse<I>, ShapeError>,
) -> Result<Vec<Record<I>>, RequestError> {
    let text = text(folder, file)?;
    let page = Page::parse(&text, list).map_err(|error| failed(file, &error))?;
    let answer = understand(&page).map_err(|odd| failed(file, &odd.0))?;
    Ok(answer.found)
}

fn assets<I: Id>(folder: &Folder) -> Result<Vec<Record<I>>, RequestError> {
    let files = folder.files_of(Kind::Asset, None);
    let rows = |page: &Page<'_>| {
        Ok(ReadResponse {
            found: page.each(media::asset)?,
            follow_ups: Vec::new(),
        })
    };
    let list = List::Member("assetMedias");
    let found = files
        .iter()
        .map(|file| understood(folder, file, list, rows));
    let found: Vec<Vec<Record<I>>> = found.collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// The asset container, and rows that are no entities.
fn own<I: Id>(folder: &Folder) -> Result<Vec<Record<I>>, RequestError> {
    let file = folder.instance_file();
    let own = value(folder, file)?;
    let row = |row: &Value| {
        let kind: Option<Kind> = row["kind"].as_str().and_then(|kind| kind.parse().ok());
        let (kind, id) = kind.zip(row["id"].as_i64())?;
        Some(passed(kind, id, row["name"].as_str()))
    };
    let rows = own["rows"].as_array().into_iter().flatten();
    let rows: Option<Vec<Record<I>>> = rows.map(row).collect();
    let mut found = rows.ok_or_else(|| failed(file, "rows: expected a kind and an id in each"))?;
    let container = &own["assetContainer"];
    // An instance that has shown no URL of its container has none here either.
    if container["originUrl"].as_str() != Some("") {
        let container = media::container_urls(container).map_err(|odd| failed(file, &odd.0))?;
        found.push(Record::AssetContainer(container));
    }
    Ok(found)
}

/// A file on its way, of which the last piece is kept until all of it is known to be what it should be.
struct Reading {
    file: File,
    operation: String,
    hasher: blake3::Hasher,
    expected: ContentHash,
    held: Option<Bytes>,
    is_over: bool,
}

fn checked(reading: Reading) -> ByteStream {
    let pieces = stream::try_unfold(reading, |mut reading| async move {
        while !reading.is_over {
            let mut piece = BytesMut::with_capacity(PIECE);
            let read = reading.file.read_buf(&mut piece).await;
            let read = read.map_err(|error| failed(&reading.operation, &error))?;
            reading.hasher.update(&piece);
            reading.is_over = read == 0;
            if read == 0 && ContentHash::finish(&reading.hasher) != reading.expected {
                let why = "it changed after it was checked";
                return Err(failed(&reading.operation, why));
            }
            let before = if read == 0 {
                reading.held.take()
            } else {
                reading.held.replace(piece.freeze())
            };
            if let Some(before) = before {
                return Ok(Some((before, reading)));
            }
        }
        Ok(None)
    });
    pieces.boxed()
}
