//! What the server was asked, in the order of arrival.
//!
//! Bodies are kept as the bytes that came and parsed on access, because a run of ten thousand
//! saves looks at few of them. Neither tokens nor API keys get here: they travel in headers, which are
//! not recorded.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

/// One request. Admin paths are not recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// Place in the order of arrival, from 1.
    pub sequence: u64,
    /// Milliseconds from the start of the server to the arrival.
    pub at_ms: u64,
    /// HTTP method.
    pub method: String,
    /// Path as it was sent.
    pub path: String,
    /// Query as it was sent, without the question mark; empty when there was none.
    pub query: String,
    /// The instance that the path names, whether or not the server plays it.
    pub guid: Option<String>,
    /// Whether such a request changes an instance: saves, uploads, deletes and the workflow GETs. Says
    /// nothing about whether this one was admitted.
    pub writes: bool,
    /// Status of the answer; 0 while there is none, and for good when the connection was cut.
    pub status: u16,
    /// JSON body. For an upload `{folderPath, groupingID, files: [{name, length}]}`. `None` without a body
    /// or for one that is not JSON.
    pub body: Option<Value>,
    /// Whether the token or API key was accepted; true where none is needed.
    pub authorised: bool,
    /// The batch that the request queued.
    pub batch_id: Option<i64>,
}

/// A body in the log.
#[derive(Clone, Debug, Default)]
pub(crate) enum Body {
    #[default]
    None,
    Raw(Bytes),
    Summary(Value),
}

#[derive(Clone, Debug)]
struct Entry {
    record: RequestRecord,
    body: Body,
}

impl Entry {
    fn complete(&self) -> RequestRecord {
        let body = match &self.body {
            Body::None => None,
            Body::Raw(bytes) => serde_json::from_slice(bytes).ok(),
            Body::Summary(value) => Some(value.clone()),
        };
        RequestRecord {
            body,
            ..self.record.clone()
        }
    }
}

/// What is known of a request when it arrives.
pub(crate) struct Arrival<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) guid: Option<String>,
    pub(crate) writes: bool,
}

/// What is known of it when it is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finish {
    pub(crate) status: u16,
    pub(crate) authorised: bool,
    pub(crate) batch_id: Option<i64>,
    pub(crate) body: Body,
}

/// The log, in memory and, if wanted, in a file.
#[derive(Debug)]
pub(crate) struct Log {
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    next: u64,
    entries: Vec<Entry>,
    file: Option<File>,
}

impl Log {
    /// # Errors
    /// The file cannot be opened for appending.
    pub(crate) fn new(file: Option<&Path>) -> io::Result<Self> {
        let file = file
            .map(|path| File::options().create(true).append(true).open(path))
            .transpose()?;
        Ok(Self {
            started: Instant::now(),
            inner: Mutex::new(Inner {
                next: 1,
                entries: Vec::new(),
                file,
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request and returns its sequence number.
    pub(crate) fn arrive(&self, arrival: Arrival<'_>) -> u64 {
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut inner = self.lock();
        let sequence = inner.next;
        inner.next += 1;
        let Arrival {
            method,
            path,
            query,
            guid,
            writes,
        } = arrival;
        let record = RequestRecord {
            sequence,
            at_ms,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            guid,
            writes,
            status: 0,
            body: None,
            authorised: false,
            batch_id: None,
        };
        inner.entries.push(Entry {
            record,
            body: Body::None,
        });
        sequence
    }

    /// Completes a request, and writes its line. One that a reset has dropped is passed over.
    pub(crate) fn finish(&self, sequence: u64, finish: Finish) {
        let mut inner = self.lock();
        let Ok(index) = inner
            .entries
            .binary_search_by_key(&sequence, |entry| entry.record.sequence)
        else {
            return;
        };
        let entry = &mut inner.entries[index];
        entry.body = finish.body;
        entry.record.status = finish.status;
        entry.record.authorised = finish.authorised;
        entry.record.batch_id = finish.batch_id;
        let record = inner
            .file
            .is_some()
            .then(|| inner.entries[index].complete());
        let line = record.and_then(|record| serde_json::to_string(&record).ok());
        if let (Some(file), Some(line)) = (&mut inner.file, line) {
            // A full disk must not change how the server answers; the log in memory stays whole.
            drop(writeln!(file, "{line}").and_then(|()| file.flush()));
        }
    }

    /// All requests that fit, by sequence.
    pub(crate) fn requests(&self, wanted: impl Fn(&RequestRecord) -> bool) -> Vec<RequestRecord> {
        let inner = self.lock();
        inner
            .entries
            .iter()
            .filter(|entry| wanted(&entry.record))
            .map(Entry::complete)
            .collect()
    }

    /// How many requests fit.
    pub(crate) fn count(&self, wanted: impl Fn(&RequestRecord) -> bool) -> usize {
        let inner = self.lock();
        let fitting = inner.entries.iter().filter(|entry| wanted(&entry.record));
        fitting.count()
    }

    /// Clears the requests so far. Sequence numbers continue.
    pub(crate) fn clear(&self) {
        self.lock().entries.clear();
    }
}
