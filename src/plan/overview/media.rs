//! Files in a plan: name, size, date and hash on both sides.
//!
//! Hashes come in two kinds. Hosts of files state MD5, and the state and folders keep BLAKE3. Both sides of a file are shown
//! with the same kind wherever that is known of both, because only then can they be compared.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::Change;
use crate::domain::{ContentHash, Entity, Id, Inventory, Kind, SourceId, TargetId, redact};
use crate::plan::action::{Plan, Planned};
use crate::plan::approved::Intended;

/// Digits of a hash that people are shown.
const DIGITS: usize = 12;

/// What is known of the bytes of files.
pub type Files = HashMap<SourceId, BothBytes>;

/// What is known of the bytes of a file on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BothBytes {
    /// On the target, before.
    pub was: KnownBytes,
    /// On the source.
    pub becomes: KnownBytes,
}

/// What is known of the bytes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownBytes {
    /// Their MD5.
    pub md5: Option<[u8; 16]>,
    /// The first half of their BLAKE3.
    pub blake3: Option<ContentHash>,
    /// Why neither is known; `None` also where nothing asked.
    pub unknown: Option<HashUnknown>,
}

/// Why the hash of a file is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashUnknown {
    /// Its host states none that is proven, and it has more bytes than a plan reads of one file.
    TooLarge(u64),
    /// Its host states none that is proven, and a plan has read as many others as it reads at most.
    TooMany,
    /// There was no more time.
    Late,
    /// It could not be read.
    Failed(String),
}

impl fmt::Display for HashUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(most) => write!(
                f,
                "its host states none that is proven, and it is larger than {} MiB",
                most >> 20
            ),
            Self::TooMany => {
                f.write_str("its host states none that is proven, and there are too many to read")
            }
            Self::Late => f.write_str("it took too long to find out"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl KnownBytes {
    /// Whether a hash is known.
    pub const fn is_known(&self) -> bool {
        self.md5.is_some() || self.blake3.is_some()
    }

    /// Adds what was found out besides.
    pub fn learn(&mut self, found: Self) {
        self.md5 = self.md5.or(found.md5);
        self.blake3 = self.blake3.or(found.blake3);
        self.unknown = found.unknown.filter(|_| !self.is_known());
    }

    fn md5(&self) -> Option<FileHash> {
        self.md5.map(FileHash::Md5)
    }

    fn blake3(&self) -> Option<FileHash> {
        self.blake3.map(FileHash::Blake3)
    }

    fn any(&self) -> Option<FileHash> {
        self.md5().or(self.blake3())
    }
}

impl BothBytes {
    /// A hash of the same kind of either side: that of the target, and that of the source.
    pub fn comparable(&self) -> Option<(FileHash, FileHash)> {
        let (was, becomes) = (&self.was, &self.becomes);
        let by_md5 = was.md5().zip(becomes.md5());
        by_md5.or_else(|| was.blake3().zip(becomes.blake3()))
    }
}

/// The hash of the bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileHash {
    /// MD5.
    Md5([u8; 16]),
    /// The first half of BLAKE3.
    Blake3(ContentHash),
}

impl FileHash {
    /// What its kind is called.
    pub const fn algorithm(self) -> &'static str {
        match self {
            Self::Md5(_) => "md5",
            Self::Blake3(_) => "blake3",
        }
    }

    /// Its 32 hexadecimal digits.
    pub fn digits(self) -> String {
        match self {
            Self::Md5(md5) => format!("{:032x}", u128::from_be_bytes(md5)),
            Self::Blake3(hash) => hash.to_string(),
        }
    }
}

impl Serialize for FileHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hash = serializer.serialize_struct("FileHash", 2)?;
        hash.serialize_field("algorithm", self.algorithm())?;
        hash.serialize_field("digits", &self.digits())?;
        hash.end()
    }
}

/// A file that is new, or another one than before.
///
/// In JSON: `field` (`file`), `was` and `becomes` as texts, and `file` with `was`, `becomes` (members of [`FileFacts`]) and
/// `same_bytes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The target's; `None` of a new one.
    pub was: Option<FileFacts>,
    /// The source's.
    pub becomes: FileFacts,
    /// Whether both have the same bytes; `None` where that is not known.
    pub same_bytes: Option<bool>,
}

/// A file as one side has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// Its path.
    pub name: String,
    /// How many bytes are listed.
    pub bytes: Option<u64>,
    /// When it was changed last, as listed.
    pub modified: Option<String>,
    /// The hash of its bytes, of the same kind on both sides where possible.
    pub hash: Option<FileHash>,
    /// Why there is none, where one was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_unknown: Option<String>,
}

impl FileFacts {
    fn of<I: Id>(entity: &Entity<I>) -> Self {
        let body = entity.body.parse();
        Self {
            name: redact(&entity.name).into_owned(),
            bytes: body["size"].as_u64(),
            modified: body["dateModified"].as_str().map(str::to_owned),
            hash: None,
            hash_unknown: None,
        }
    }

    fn with(mut self, hash: Option<FileHash>, known: Option<&KnownBytes>) -> Self {
        self.hash = hash;
        let unknown = known.and_then(|known| known.unknown.as_ref());
        let unknown = unknown.filter(|_| hash.is_none());
        self.hash_unknown = unknown.map(|why| redact(&why.to_string()).into_owned());
        self
    }

    /// Its facts in a line, with so many digits of its hash.
    fn line(&self, digits: usize) -> String {
        let size = match self.bytes {
            Some(bytes) => format!("{bytes} bytes"),
            None => "unknown size".to_owned(),
        };
        let date = self.modified.as_deref().unwrap_or("unknown date");
        let mut line = format!("{}, {size}, of {date}", self.name);
        // Writing to a string does not fail.
        let _written = match (self.hash, &self.hash_unknown) {
            (Some(hash), _) => {
                let (name, all) = (hash.algorithm(), hash.digits());
                write!(line, ", {name} {}", &all[..digits.min(all.len())])
            }
            (None, Some(why)) => write!(line, ", hash unknown ({why})"),
            (None, None) => Ok(()),
        };
        line
    }
}

impl FileChange {
    /// Both sides in a line each, with the first digits of their hashes, or with all.
    pub fn lines(&self, is_whole: bool) -> (Option<String>, String) {
        let digits = if is_whole { usize::MAX } else { DIGITS };
        let was = self.was.as_ref().map(|was| was.line(digits));
        let mut becomes = self.becomes.line(digits);
        if self.same_bytes == Some(true) {
            becomes.push_str(" (same bytes)");
        }
        (was, becomes)
    }

    /// The same for people: whole lines below each other, of which forms cut nothing.
    pub fn readable(&self) -> Change {
        let (was, becomes) = self.lines(false);
        Change::List {
            field: FIELD.to_owned(),
            removed: was.into_iter().collect(),
            added: vec![becomes],
            moved: Vec::new(),
        }
    }

    /// What a plan says of a file; `None` where it leaves it as it is.
    pub(super) fn of(
        (here, there): (&Entity<SourceId>, Option<&Entity<TargetId>>),
        action: Intended,
        files: &Files,
    ) -> Option<Self> {
        let ShownFile { here, there } = shown((here, there), action)?;
        let known = files.get(&here.key.id);
        let comparable = known.and_then(BothBytes::comparable);
        let same_bytes = comparable
            .filter(|_| there.is_some())
            .map(|(was, becomes)| was == becomes);
        let (was, becomes) = (there.map(FileFacts::of), FileFacts::of(here));
        let is_listed_so = was.as_ref() == Some(&becomes);
        if is_listed_so && same_bytes != Some(false) {
            return None;
        }
        let side = |of: fn(&BothBytes) -> &KnownBytes| known.map(of);
        let (before, after) = (side(|known| &known.was), side(|known| &known.becomes));
        let hash = |known: Option<&KnownBytes>| known.and_then(KnownBytes::any);
        let (was_hash, becomes_hash) = match comparable {
            Some((was, becomes)) if there.is_some() => (Some(was), Some(becomes)),
            Some(_) | None => (hash(before), hash(after)),
        };
        Some(Self {
            was: was.map(|was| was.with(was_hash, before)),
            becomes: becomes.with(becomes_hash, after),
            same_bytes,
        })
    }
}

impl Serialize for FileChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Sides<'a> {
            was: Option<&'a FileFacts>,
            becomes: &'a FileFacts,
            same_bytes: Option<bool>,
        }
        let (was, becomes) = self.lines(true);
        let mut change = serializer.serialize_struct("FileChange", 4)?;
        change.serialize_field("field", FIELD)?;
        change.serialize_field("was", &was)?;
        change.serialize_field("becomes", &becomes)?;
        let sides = Sides {
            was: self.was.as_ref(),
            becomes: &self.becomes,
            same_bytes: self.same_bytes,
        };
        change.serialize_field("file", &sides)?;
        change.end()
    }
}

/// What a file is called among the fields of an asset.
pub(super) const FIELD: &str = "file";

/// A file with the counterpart beside which a plan shows it; `None` where it shows no file.
fn shown<'a>(
    (here, there): (&'a Entity<SourceId>, Option<&'a Entity<TargetId>>),
    action: Intended,
) -> Option<ShownFile<'a>> {
    let is_asset = here.key.kind == Kind::Asset;
    let there = match action {
        Intended::Create => None,
        Intended::Update | Intended::Conflict | Intended::LeftAlone => Some(there?),
        Intended::Adopt
        | Intended::Unchanged
        | Intended::Failed
        | Intended::Blocked
        | Intended::Delete => return None,
    };
    is_asset.then_some(ShownFile { here, there })
}

/// A file of which a plan shows a hash.
#[derive(Clone, Copy, Debug)]
pub struct ShownFile<'a> {
    /// The source's.
    pub here: &'a Entity<SourceId>,
    /// The target's; `None` of a new one.
    pub there: Option<&'a Entity<TargetId>>,
}

/// Whether a plan shows the file of an asset if it is another one than on the target.
pub fn shows_file(planned: &Planned) -> bool {
    matches!(
        Intended::of(planned),
        Some(Intended::Update | Intended::Conflict | Intended::LeftAlone)
    )
}

/// The files of which a plan shows a hash: new ones, and those that are listed otherwise on the two sides.
pub fn shown_files<'a>(
    plan: &'a Plan,
    source: &'a Inventory<SourceId>,
    target: &'a Inventory<TargetId>,
) -> impl Iterator<Item = ShownFile<'a>> {
    let all = source.entities().iter().zip(&plan.entities);
    let assets = all.filter(|(here, _)| here.key.kind == Kind::Asset);
    assets.filter_map(|(here, planned)| {
        let there = counterpart(here, planned, target);
        let shown = shown((here, there), Intended::of(planned)?)?;
        let was = shown.there.map(FileFacts::of);
        (was != Some(FileFacts::of(here))).then_some(shown)
    })
}

/// What a plan says of a file, in lines with whole hashes; `None` where it leaves it as it is.
pub fn file_lines(
    (here, planned): (&Entity<SourceId>, &Planned),
    target: &Inventory<TargetId>,
    files: &Files,
) -> Option<(Option<String>, String)> {
    let there = counterpart(here, planned, target);
    let change = FileChange::of((here, there), Intended::of(planned)?, files)?;
    Some(change.lines(true))
}

fn counterpart<'a>(
    here: &Entity<SourceId>,
    planned: &Planned,
    target: &'a Inventory<TargetId>,
) -> Option<&'a Entity<TargetId>> {
    let id = planned.action.counterpart()?;
    target.get(&here.key.with_id(id))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{Body, ItemState, Key};

    fn listed<I: Id>(bytes: i64, date: &str) -> Entity<I> {
        let body = json!({ "mediaID": 7, "size": bytes, "dateModified": date });
        Entity {
            key: Key::global(Kind::Asset, 7),
            name: "img/a.png".into(),
            version: None,
            state: ItemState::None,
            placement: None,
            body: Body::new(&body),
        }
    }

    fn known(md5: Option<u8>, blake3: Option<&[u8]>) -> KnownBytes {
        KnownBytes {
            md5: md5.map(|byte| [byte; 16]),
            blake3: blake3.map(ContentHash::of_bytes),
            unknown: None,
        }
    }

    /// The change of a file of which so much is known.
    fn change(was: KnownBytes, becomes: KnownBytes) -> FileChange {
        let (here, there) = (listed(3, "2026-02-02"), listed(3, "2026-01-01"));
        let files = Files::from([(here.key.id, BothBytes { was, becomes })]);
        FileChange::of((&here, Some(&there)), Intended::Update, &files).unwrap()
    }

    fn kinds(change: &FileChange) -> [Option<&str>; 2] {
        let kind = |facts: &FileFacts| facts.hash.map(FileHash::algorithm);
        [change.was.as_ref().and_then(kind), kind(&change.becomes)]
    }

    #[test]
    fn both_sides_show_the_same_kind_of_hash_wherever_it_is_known_of_both() {
        for (was, becomes, shown, same) in [
            ((Some(1), Some(&b"a"[..])), (Some(1), None), "md5", true),
            ((Some(1), Some(&b"a"[..])), (Some(2), None), "md5", false),
            (
                (None, Some(&b"a"[..])),
                (Some(1), Some(&b"a"[..])),
                "blake3",
                true,
            ),
            (
                (Some(1), Some(&b"a"[..])),
                (None, Some(&b"b"[..])),
                "blake3",
                false,
            ),
        ] {
            let change = change(known(was.0, was.1), known(becomes.0, becomes.1));
            assert_eq!(kinds(&change), [Some(shown); 2], "{was:?} {becomes:?}");
            assert_eq!(change.same_bytes, Some(same), "{was:?} {becomes:?}");
            assert_eq!(change.lines(false).1.ends_with(" (same bytes)"), same);
        }
        let apart = change(known(None, Some(b"a")), known(Some(1), None));
        assert_eq!(kinds(&apart), [Some("blake3"), Some("md5")]);
        assert_eq!(apart.same_bytes, None, "they cannot be compared");
    }

    #[test]
    fn people_see_the_first_digits_and_programs_all() {
        let change = change(known(Some(0x1f), None), known(Some(2), None));
        let (was, becomes) = change.lines(false);
        assert_eq!(
            was.as_deref(),
            Some("img/a.png, 3 bytes, of 2026-01-01, md5 1f1f1f1f1f1f")
        );
        assert_eq!(
            becomes,
            "img/a.png, 3 bytes, of 2026-02-02, md5 020202020202"
        );
        let text = serde_json::to_value(&change).unwrap();
        let whole = format!("img/a.png, 3 bytes, of 2026-02-02, md5 {}", "02".repeat(16));
        assert_eq!(text["becomes"], Value::String(whole));
        assert_eq!(
            text["file"]["was"],
            json!({ "name": "img/a.png", "bytes": 3, "modified": "2026-01-01",
                    "hash": { "algorithm": "md5", "digits": "1f".repeat(16) } })
        );
        assert_eq!(text["file"]["same_bytes"], false);
    }

    #[test]
    fn a_hash_that_is_not_known_has_a_reason_and_one_that_nothing_asked_for_has_none() {
        let here = listed(3, "2026-02-02");
        let of = |files: &Files| FileChange::of((&here, None), Intended::Create, files).unwrap();
        let silent = of(&Files::new());
        assert_eq!(
            silent.lines(false),
            (None, "img/a.png, 3 bytes, of 2026-02-02".to_owned())
        );
        let becomes = KnownBytes {
            unknown: Some(HashUnknown::TooLarge(8 << 20)),
            ..KnownBytes::default()
        };
        let was = KnownBytes::default();
        let unknown = of(&Files::from([(here.key.id, BothBytes { was, becomes })]));
        let told =
            "hash unknown (its host states none that is proven, and it is larger than 8 MiB)";
        assert!(unknown.lines(false).1.ends_with(told), "{unknown:?}");
        assert_eq!(unknown.same_bytes, None);
    }

    #[test]
    fn a_file_that_is_listed_alike_is_shown_only_where_its_bytes_are_known_to_differ() {
        let (here, there) = (listed(3, "2026-01-01"), listed(3, "2026-01-01"));
        let of = |was, becomes| {
            let files = Files::from([(here.key.id, BothBytes { was, becomes })]);
            FileChange::of((&here, Some(&there)), Intended::Conflict, &files)
        };
        assert_eq!(of(known(None, Some(b"a")), KnownBytes::default()), None);
        assert_eq!(of(known(Some(1), None), known(Some(1), None)), None);
        assert!(of(known(Some(1), None), known(Some(2), None)).is_some());
        let other = FileChange::of((&here, Some(&there)), Intended::Unchanged, &Files::new());
        assert_eq!(other, None);
    }
}
