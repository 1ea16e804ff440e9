//! The server's request log, and what in it could not have been left out.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::Outcome;

/// Items in a batch at most (limit of the Management API).
pub(crate) const BATCH_ITEMS: u64 = 250;

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The bytes of an asset; no rate is kept for them.
    Download,
    /// A question about an instance.
    Read,
    /// A question about a batch.
    Poll,
    /// A save that is answered at once.
    Save,
    /// A batch of so many content items.
    Items(u64),
    /// A batch of one page.
    Page,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Milliseconds since the start of the server.
    pub(crate) at_ms: u64,
    /// Method, path and query: two requests with the same are the same question.
    pub(crate) question: String,
    pub(crate) guid: Option<String>,
    pub(crate) purpose: Purpose,
    /// Whether the path is one that writes.
    pub(crate) writes: bool,
    pub(crate) status: u16,
}

impl Request {
    /// Whether it counts towards the rate that the server admits.
    pub(crate) fn counts(&self) -> bool {
        self.purpose != Purpose::Download
    }

    pub(crate) const fn is_refused(&self) -> bool {
        self.status == 429
    }

    const fn took_effect(&self) -> bool {
        matches!(self.status, 200..300)
    }
}

/// A line of the log, as far as it is needed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    sequence: u64,
    at_ms: u64,
    method: String,
    path: String,
    query: String,
    guid: Option<String>,
    writes: bool,
    status: u16,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

impl Line<'_> {
    fn request(&self) -> Request {
        let Self {
            method,
            path,
            query,
            ..
        } = self;
        Request {
            at_ms: self.at_ms,
            question: format!("{method} {path}?{query}"),
            guid: self.guid.clone(),
            purpose: self.purpose(),
            writes: self.writes,
            status: self.status,
        }
    }

    fn purpose(&self) -> Purpose {
        let parts: Vec<&str> = self.path.split('/').skip(1).collect();
        let is_post = self.method == "POST";
        match parts.as_slice() {
            ["origin" | "cdn", ..] => Purpose::Download,
            [.., "batch", _] => Purpose::Poll,
            [.., "item", "multi"] if is_post => Purpose::Items(self.rows()),
            [.., "page"] if is_post => Purpose::Page,
            _ if self.writes => Purpose::Save,
            _ => Purpose::Read,
        }
    }

    /// How many rows the body has.
    fn rows(&self) -> u64 {
        let rows = self
            .body
            .map(|body| serde_json::from_str::<Vec<IgnoredAny>>(body.get()));
        rows.and_then(Result::ok)
            .map_or(0, |rows| rows.len() as u64)
    }
}

/// The whole log in order of arrival; its lines are in order of the answers.
pub(crate) fn read_log(path: &Path) -> Outcome<Vec<Request>> {
    let mut requests = BTreeMap::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        let line: Line<'_> = serde_json::from_str(&line)?;
        requests.insert(line.sequence, line.request());
    }
    Ok(requests.into_values().collect())
}

/// The requests of one phase that cannot be left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Necessary {
    /// Those that count towards the rate, on both instances together.
    pub(crate) counted: u64,
    /// Those on the busier instance.
    pub(crate) busier_side: u64,
    /// The longest chain of reads each of which needs the answer before.
    pub(crate) chain: u64,
}

/// The phases of a run by what the server saw of them.
#[derive(Debug)]
pub(crate) struct Phases<'a> {
    /// Up to the first write.
    pub(crate) pull: &'a [Request],
    /// Up to the last write or poll.
    pub(crate) upload: &'a [Request],
    /// What follows.
    pub(crate) verify: &'a [Request],
}

impl<'a> Phases<'a> {
    pub(crate) fn of(requests: &'a [Request]) -> Self {
        let of_upload = |request: &Request| request.writes || request.purpose == Purpose::Poll;
        let start = requests
            .iter()
            .position(of_upload)
            .unwrap_or(requests.len());
        let end = requests
            .iter()
            .rposition(of_upload)
            .map_or(start, |at| at + 1);
        Self {
            pull: &requests[..start],
            upload: &requests[start..end],
            verify: &requests[end..],
        }
    }
}

impl Necessary {
    /// What cannot be left out of `requests`: every question once; every save; batches filled to the brim, and each
    /// asked about once. Repetitions, refused requests and further polls could be spared by a better client.
    pub(crate) fn of(requests: &[Request]) -> Self {
        let mut sides: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        let mut questions = HashSet::new();
        let mut batches: BTreeMap<(Option<&str>, &str), u64> = BTreeMap::new();
        let mut downloads = 0;
        for request in requests.iter().filter(|request| request.took_effect()) {
            let guid = request.guid.as_deref();
            let count = match request.purpose {
                Purpose::Download => {
                    downloads += 1;
                    0
                }
                Purpose::Read => u64::from(questions.insert(request.question.as_str())),
                Purpose::Poll => 0,
                Purpose::Save => 1,
                Purpose::Page => 2,
                Purpose::Items(items) => {
                    *batches.entry((guid, &request.question)).or_default() += items;
                    0
                }
            };
            *sides.entry(guid).or_default() += count;
        }
        for ((guid, _), items) in batches {
            *sides.entry(guid).or_default() += 2 * items.div_ceil(BATCH_ITEMS);
        }
        Self {
            counted: sides.values().sum(),
            busier_side: sides.values().copied().max().unwrap_or(0).max(downloads),
            chain: chain(&questions),
        }
    }
}

/// One question, and then the pages of the longest feed: each names the place where the one before ended.
fn chain(questions: &HashSet<&str>) -> u64 {
    let mut feeds: BTreeMap<&str, u64> = BTreeMap::new();
    for question in questions {
        if let Some((feed, _)) = question.split_once("syncToken=") {
            *feeds.entry(feed).or_default() += 1;
        }
    }
    u64::from(!questions.is_empty()) + feeds.values().copied().max().unwrap_or(0)
}

/// Batches that cannot be left out: content filled to the brim, and each page.
pub(crate) fn least_batches(requests: &[Request]) -> u64 {
    let mut content: BTreeMap<(Option<&str>, &str), u64> = BTreeMap::new();
    let mut pages = 0;
    for request in requests.iter().filter(|request| request.took_effect()) {
        match request.purpose {
            Purpose::Items(items) => {
                let place = (request.guid.as_deref(), request.question.as_str());
                *content.entry(place).or_default() += items;
            }
            Purpose::Page => pages += 1,
            Purpose::Download | Purpose::Read | Purpose::Poll | Purpose::Save => {}
        }
    }
    let full = content.values().map(|items| items.div_ceil(BATCH_ITEMS));
    pages + full.sum::<u64>()
}

/// Polls for each batch that was asked for; `None` without one.
#[expect(
    clippy::cast_precision_loss,
    reason = "polls of a run are far below 2^52"
)]
pub(crate) fn polls_per_batch(requests: &[Request]) -> Option<f64> {
    let polls = requests
        .iter()
        .filter(|request| request.purpose == Purpose::Poll);
    let polls: Vec<&Request> = polls.filter(|request| request.took_effect()).collect();
    let batches: HashSet<&str> = polls.iter().map(|poll| poll.question.as_str()).collect();
    (!batches.is_empty()).then(|| polls.len() as f64 / batches.len() as f64)
}

/// Content items and pages that were queued, with each save of each.
pub(crate) fn batch_items(requests: &[Request]) -> u64 {
    let done = requests.iter().filter(|request| request.took_effect());
    done.map(|request| match request.purpose {
        Purpose::Items(items) => items,
        Purpose::Page => 1,
        Purpose::Download | Purpose::Read | Purpose::Poll | Purpose::Save => 0,
    })
    .sum()
}
