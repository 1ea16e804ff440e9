//! The JSON of an entity, in memory or in a file of its own process.
//!
//! Bodies are most of what an instance weighs, and each is looked at a few times in a run: when it is planned, when it
//! is sent, when it is compared. So they may stand in a file without a name, which the system's cache keeps as
//! near as there is room, and which ends with the process. A file is the only thing of this room that is no plain
//! value; readers of a body do not see the difference.
//!
//! A disk that is full costs memory and nothing else: what cannot be written stays where it is.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::exact::{Exact, held, released};

/// JSON kept as compact text: a tenth of the memory of a parsed tree, and most bodies are looked at twice.
#[derive(Clone, Debug)]
pub struct Body(Place);

#[derive(Clone, Debug)]
enum Place {
    Memory(Box<str>),
    File {
        file: Arc<BodyFile>,
        at: u64,
        bytes: u32,
    },
}

impl Body {
    /// Keeps `value`.
    pub fn new(value: &Value) -> Self {
        Self(Place::Memory(value.to_string().into()))
    }

    /// Keeps what was parsed of a text after [`held`](super::held): its numbers are those of that text again.
    pub fn of_answer(value: &Value) -> Self {
        let text = value.to_string();
        match released(&text) {
            Cow::Borrowed(_) => Self(Place::Memory(text.into())),
            Cow::Owned(text) => Self(Place::Memory(text.into())),
        }
    }

    /// The parsed body. Numbers have 64 bits; [`Body::numbers`] has what that leaves out.
    #[expect(
        clippy::missing_panics_doc,
        reason = "a body is only ever made from a value"
    )]
    pub fn parse(&self) -> Value {
        serde_json::from_str(&self.text()).expect("a body is made from a value only")
    }

    /// The parsed body, with marked text in place of numbers that parsing would change. What is edited in it becomes a body
    /// by [`Body::of_answer`].
    #[expect(
        clippy::missing_panics_doc,
        reason = "a body is only ever made from a value"
    )]
    pub fn parse_exact(&self) -> Value {
        serde_json::from_str(&held(&self.text())).expect("a body is made from a value only")
    }

    /// The numbers that [`Body::parse`] changes.
    ///
    /// # Panics
    /// As [`Body::text`].
    pub fn numbers(&self) -> Exact {
        Exact::of(&self.text())
    }

    /// The JSON text.
    ///
    /// # Panics
    /// When the system cannot read a file that this process wrote. No text can take its place: whatever was sent or
    /// compared instead would be wrong.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            Place::Memory(text) => Cow::Borrowed(text),
            Place::File { file, at, bytes } => Cow::Owned(
                file.read(*at, *bytes)
                    .expect("the temporary file with what was read of the instances can be read"),
            ),
        }
    }

    /// Moves the text into `file`, if that takes it.
    pub fn put_into(&mut self, file: &Arc<BodyFile>) {
        let Place::Memory(text) = &self.0 else { return };
        if let Some((at, bytes)) = file.append(text) {
            self.0 = Place::File {
                file: Arc::clone(file),
                at,
                bytes,
            };
        }
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Body {}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Place::Memory(Box::deserialize(deserializer)?)))
    }
}

/// A file that bodies are appended to and read from at any place, by many threads at once.
#[derive(Debug)]
pub struct BodyFile {
    file: File,
    /// Where the next body goes.
    end: AtomicU64,
    /// Whether a body could not be written; none is tried after that.
    is_full: AtomicBool,
}

impl BodyFile {
    /// Takes an empty file that is not shared.
    pub fn new(file: File) -> Self {
        Self {
            file,
            end: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
        }
    }

    /// Where `text` stands now, and how long it is; `None` when there is no room for it.
    fn append(&self, text: &str) -> Option<(u64, u32)> {
        let bytes = u32::try_from(text.len()).ok()?;
        if self.is_full.load(Ordering::Relaxed) {
            return None;
        }
        let at = self.end.fetch_add(bytes.into(), Ordering::Relaxed);
        if write_at(&self.file, text.as_bytes(), at).is_err() {
            self.is_full.store(true, Ordering::Relaxed);
            return None;
        }
        Some((at, bytes))
    }

    fn read(&self, at: u64, bytes: u32) -> io::Result<String> {
        let mut text = vec![0; bytes as usize];
        read_at(&self.file, &mut text, at)?;
        String::from_utf8(text).map_err(io::Error::other)
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        at += written as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn read_at(file: &File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, into, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        into = &mut into[read..];
        at += read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bodies(count: i64) -> Vec<Body> {
        let body = |number| Body::new(&json!({ "number": number, "text": "é".repeat(9) }));
        (0..count).map(body).collect()
    }

    #[test]
    fn a_body_reads_the_same_wherever_it_stands() {
        let file = Arc::new(BodyFile::new(tempfile::tempfile().unwrap()));
        let held = bodies(100);
        let mut put = held.clone();
        for body in &mut put {
            body.put_into(&file);
            assert!(matches!(body.0, Place::File { .. }));
        }
        put[7].put_into(&file);
        assert_eq!(held, put);
        assert_eq!(put[41].parse()["number"], json!(41));
        let read_back: Vec<Body> =
            serde_json::from_str(&serde_json::to_string(&put).unwrap()).unwrap();
        assert_eq!(read_back, held);
        let whole: usize = held.iter().map(|body| body.text().len()).sum();
        assert_eq!(file.end.load(Ordering::Relaxed), whole as u64);
    }

    /// A file that refuses to be written stands for a full disk.
    #[test]
    fn what_finds_no_room_stays_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("full");
        File::create(&path).unwrap();
        let file = Arc::new(BodyFile::new(File::open(&path).unwrap()));
        let mut put = bodies(3);
        for body in &mut put {
            body.put_into(&file);
        }
        assert_eq!(put, bodies(3));
        assert!(put.iter().all(|body| matches!(body.0, Place::Memory(_))));
    }
}
