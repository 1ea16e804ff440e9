//! An instance as it was read once, kept in a file: a later reading asks only for what has changed since.
//!
//! ```text
//!   reads/GUID.ndjson   head · one line for each item, page, model and container · a hash over all of it
//!   reads/GUID.json     how many readings have resumed from it
//! ```
//! The file is that of the last reading of which much was new, and every later one resumes from it: what each of them
//! found is not piled up, so none inherits the gap of another. A file that is damaged, of another form, of another server or
//! of other locales is none. Losing it costs one full reading.
//!
//! What may be taken from it is decided where it is used; see the engine's `pull`.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::{
    Body, ContentHash, Entity, Guid, Id, Inventory, ItemState, Key, Kind, Locale, Version,
};

/// The version of the form. Another one is not read.
const FORM: u32 = 1;

/// Where former readings of instances are kept, and how long one may be gone on from.
#[derive(Clone, Debug)]
pub struct FormerReads {
    /// The directory.
    pub folder: PathBuf,
    /// Host and port of the server: an instance of the same GUID elsewhere is another one.
    pub server: String,
    /// Of so many readings one is full.
    pub full_every: u32,
    /// Whether readings are kept and counted. A command that writes nothing leaves both alone.
    pub keeps: bool,
}

/// What the first line says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    form: u32,
    guid: Guid,
    server: String,
    locales: Vec<Locale>,
    /// When the reading began, RFC 3339.
    pub read_at: String,
    /// The hash of models, containers and templates.
    pub schema: ContentHash,
    /// Where each feed resumes.
    pub feeds: Vec<Feed>,
    /// The summaries of models and containers whose full form is kept.
    pub details: Vec<Detail>,
    entities: usize,
}

/// Where a feed goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// Content or page.
    pub kind: Kind,
    /// The locale.
    pub locale: Locale,
    /// The token before its last page that had rows.
    pub resume: i64,
    /// The ids on that page. A resumed feed reports each of them again.
    pub last: BTreeSet<i64>,
}

/// A summary of a model or container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Model or container.
    pub kind: Kind,
    /// Its id.
    pub id: i64,
    /// The hash of the row of the list.
    pub hash: ContentHash,
}

/// What a former reading found, apart from what a new one reads in full.
#[derive(Debug)]
pub struct Former<I> {
    /// What the file says of itself.
    pub head: Head,
    /// Items, pages, models and containers, without the places of pages.
    pub entities: Vec<Entity<I>>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    kind: Kind,
    id: i64,
    locale: Option<Locale>,
    name: Box<str>,
    version: Option<Version>,
    state: ItemState,
    body: Body,
}

/// The last line.
#[derive(Serialize, Deserialize)]
struct Foot {
    hash: ContentHash,
}

#[derive(Default, Serialize, Deserialize)]
struct Count {
    since_full: u32,
}

impl FormerReads {
    fn path(&self, guid: &Guid, ending: &str) -> PathBuf {
        self.folder.join(format!("{guid}.{ending}"))
    }

    /// The former reading that the next one may go on from. `Err` is why there is none, as half a sentence.
    ///
    /// # Errors
    /// A text for people.
    pub fn begin<I: Id>(&self, guid: &Guid, locales: &[Locale]) -> Result<Former<I>, String> {
        if self.full_every <= 1 {
            return Err("full readings are asked for".to_owned());
        }
        let path = self.path(guid, "ndjson");
        if !path.exists() {
            return Err("it is the first reading".to_owned());
        }
        let count = self.count(guid);
        if count.since_full + 1 >= self.full_every {
            return Err(format!("one of {} readings is full", self.full_every));
        }
        let former = read::<I>(&path).map_err(|_| "the former reading is damaged".to_owned())?;
        let head = &former.head;
        if head.form != FORM || head.guid != *guid || head.server != self.server {
            return Err("the former reading is that of another server".to_owned());
        }
        if head.locales != locales {
            return Err("the locales are others than before".to_owned());
        }
        let next = Count {
            since_full: count.since_full + 1,
        };
        // A count that cannot be kept would let readings go on for ever.
        match self.keep_count(guid, &next) {
            Ok(()) => Ok(former),
            Err(error) => Err(format!("their number cannot be kept ({error})")),
        }
    }

    fn count(&self, guid: &Guid) -> Count {
        let text = std::fs::read(self.path(guid, "json")).ok();
        let count = text.and_then(|text| serde_json::from_slice(&text).ok());
        count.unwrap_or(Count {
            since_full: self.full_every,
        })
    }

    fn keep_count(&self, guid: &Guid, count: &Count) -> io::Result<()> {
        if !self.keeps {
            return Ok(());
        }
        let path = self.path(guid, "json");
        persist(&path, |file| Ok(serde_json::to_writer(file, count)?))
    }

    /// Keeps a reading to resume from. A full one begins to count anew. What no feed has reported (`apart`) is left out.
    ///
    /// # Errors
    /// The system's reason; the former reading is as it was then.
    pub fn keep<I: Id>(
        &self,
        inventory: &Inventory<I>,
        kept: Kept,
        apart: &BTreeSet<(Kind, i64, Option<Locale>)>,
    ) -> io::Result<()> {
        if !self.keeps {
            return Ok(());
        }
        let details: BTreeSet<(Kind, i64)> =
            kept.details.iter().map(|one| (one.kind, one.id)).collect();
        let is_kept = |entity: &&Entity<I>| match entity.key.kind {
            Kind::Content | Kind::Page => {
                let key = &entity.key;
                !apart.contains(&(key.kind, key.id.raw(), key.locale.clone()))
            }
            Kind::Model | Kind::Container => {
                details.contains(&(entity.key.kind, entity.key.id.raw()))
            }
            Kind::Template | Kind::Gallery | Kind::Asset | Kind::Redirection => false,
        };
        let entities: Vec<&Entity<I>> = inventory.entities().iter().filter(is_kept).collect();
        let guid = &inventory.guid;
        let head = Head {
            form: FORM,
            guid: guid.clone(),
            server: self.server.clone(),
            locales: inventory.locales.clone(),
            read_at: kept.read_at,
            schema: schema_hash(inventory.entities().iter()),
            feeds: kept.feeds,
            details: kept.details,
            entities: entities.len(),
        };
        persist(&self.path(guid, "ndjson"), |file| {
            write(file, &head, &entities)
        })?;
        if kept.is_full {
            self.keep_count(guid, &Count::default())?;
        }
        Ok(())
    }
}

/// What is kept of a reading besides its entities.
#[derive(Debug)]
pub struct Kept {
    /// Whether everything was read.
    pub is_full: bool,
    /// When it began, RFC 3339.
    pub read_at: String,
    /// Where each feed goes on.
    pub feeds: Vec<Feed>,
    /// The summaries whose full form is kept.
    pub details: Vec<Detail>,
}

/// The hash of models, containers and templates: where one of them changed, an item may look different although no feed
/// reports it anew.
pub(super) fn schema_hash<'a, I: Id>(entities: impl Iterator<Item = &'a Entity<I>>) -> ContentHash {
    let kinds = [Kind::Model, Kind::Container, Kind::Template];
    let mut rows: Vec<String> = entities
        .filter(|entity| kinds.contains(&entity.key.kind))
        .map(|entity| format!("{} {}", entity.key, entity.body.text()))
        .collect();
    rows.sort_unstable();
    ContentHash::of_bytes(rows.join("\n").as_bytes())
}

/// Writes a file for its user alone, whole or not at all.
fn persist(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    {
        let mut out = BufWriter::new(&mut file);
        write(&mut out)?;
        out.flush()?;
    }
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn write<I: Id>(out: &mut dyn Write, head: &Head, entities: &[&Entity<I>]) -> io::Result<()> {
    let mut hasher = blake3::Hasher::new();
    let mut line = |text: String| {
        hasher.update(text.as_bytes());
        hasher.update(b"\n");
        writeln!(out, "{text}")
    };
    line(serde_json::to_string(head)?)?;
    for entity in entities {
        let row = Row {
            kind: entity.key.kind,
            id: entity.key.id.raw(),
            locale: entity.key.locale.clone(),
            name: entity.name.clone(),
            version: entity.version,
            state: entity.state,
            body: entity.body.clone(),
        };
        line(serde_json::to_string(&row)?)?;
    }
    let hash = ContentHash::finish(&hasher);
    writeln!(out, "{}", serde_json::to_string(&Foot { hash })?)
}

fn read<I: Id>(path: &Path) -> io::Result<Former<I>> {
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let mut lines = BufReader::new(std::fs::File::open(path)?).lines();
    let mut hasher = blake3::Hasher::new();
    let mut line = || {
        let text = lines.next().ok_or_else(damaged)??;
        Ok::<_, io::Error>(text)
    };
    let mut count = |text: &str| {
        hasher.update(text.as_bytes());
        hasher.update(b"\n");
    };
    let first = line()?;
    count(&first);
    let head: Head = serde_json::from_str(&first)?;
    let mut entities = Vec::new();
    for _ in 0..head.entities {
        let text = line()?;
        count(&text);
        let row: Row = serde_json::from_str(&text)?;
        entities.push(Entity {
            key: Key {
                kind: row.kind,
                id: I::new(row.id),
                locale: row.locale,
            },
            name: row.name,
            version: row.version,
            state: row.state,
            placement: None,
            body: row.body,
        });
    }
    let foot: Foot = serde_json::from_str(&line()?)?;
    if foot.hash == ContentHash::finish(&hasher) {
        Ok(Former { head, entities })
    } else {
        Err(damaged())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SourceId;
    use serde_json::json;

    fn inventory() -> Inventory<SourceId> {
        let locale = Locale::new("en-us");
        let entity = |key: Key<SourceId>| Entity {
            key,
            name: "one".into(),
            version: Some(Version(7)),
            state: ItemState::Staging,
            placement: None,
            body: Body::new(&json!({ "fields": { "title": "a\nb" } })),
        };
        let keys = [
            Key::localised(Kind::Content, 1, &locale),
            Key::localised(Kind::Page, 2, &locale),
            Key::localised(Kind::Page, 3, &locale),
            Key::global(Kind::Model, 4),
            Key::global(Kind::Container, 5),
            Key::global(Kind::Asset, 6),
        ];
        let mut inventory = Inventory::empty(Guid::new("1a2b3c4d-u"))
            .with_entities(keys.into_iter().map(entity).collect());
        inventory.locales = vec![locale];
        inventory
    }

    fn reads(folder: &Path, full_every: u32) -> FormerReads {
        FormerReads {
            folder: folder.join("reads"),
            server: "host:443".to_owned(),
            full_every,
            keeps: true,
        }
    }

    fn kept(is_full: bool) -> Kept {
        Kept {
            is_full,
            read_at: "2026-03-01T00:00:00Z".to_owned(),
            feeds: vec![Feed {
                kind: Kind::Content,
                locale: Locale::new("en-us"),
                resume: 250,
                last: BTreeSet::from([1]),
            }],
            details: vec![Detail {
                kind: Kind::Model,
                id: 4,
                hash: ContentHash::of_bytes(b"row"),
            }],
        }
    }

    #[test]
    fn what_is_kept_is_read_again_until_a_full_reading_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let reads = reads(folder.path(), 3);
        let all = inventory();
        let begin = || reads.begin::<SourceId>(&all.guid, &all.locales);
        assert_eq!(begin().unwrap_err(), "it is the first reading");
        let apart = BTreeSet::from([(Kind::Page, 3, Some(Locale::new("en-us")))]);
        reads.keep(&all, kept(true), &apart).unwrap();
        let former = begin().unwrap();
        let keys: Vec<String> = former
            .entities
            .iter()
            .map(|one| one.key.to_string())
            .collect();
        assert_eq!(keys.len(), 3, "{keys:?}");
        let item = former
            .entities
            .iter()
            .find(|one| one.key.kind == Kind::Content)
            .unwrap();
        assert_eq!(Some(item), all.get(&item.key));
        assert_eq!(former.head.feeds, kept(true).feeds);
        // One that is kept in between is no full one.
        reads.keep(&all, kept(false), &apart).unwrap();
        assert!(begin().is_ok());
        assert_eq!(begin().unwrap_err(), "one of 3 readings is full");
        reads.keep(&all, kept(true), &apart).unwrap();
        assert!(begin().is_ok());
        let other = [Locale::new("fr-ca")];
        assert!(reads.begin::<SourceId>(&all.guid, &other).is_err());
    }

    #[test]
    fn a_file_with_a_byte_that_differs_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let all = inventory();
        let reads = reads(folder.path(), 1_000_000);
        reads.keep(&all, kept(true), &BTreeSet::new()).unwrap();
        let path = reads.path(&all.guid, "ndjson");
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert!(
                reads.begin::<SourceId>(&all.guid, &all.locales).is_err(),
                "byte {at}"
            );
        }
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(reads.begin::<SourceId>(&all.guid, &all.locales).is_err());
    }
}
