//! Scripted misbehaviour: which request goes wrong, and how.
//!
//! A fault counts the requests that match its method and path and fires on some of them. Counting is per
//! fault and starts at one, so that `nth=2` means the second request *that matches*, whatever else a
//! client asks in between.

use std::str::FromStr;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use thiserror::Error;

/// One rule. Conditions that are left out always hold; all that are given must hold.
///
/// Its text form, for `--fault`, is a comma list with exactly one action:
/// `status=503`, `status-after=500`, `reset=before|during|after`, `refuse=MS`, `hang`, `busy`, `slow-body=MS`, `truncated-json`, `html`, `short-file`,
/// `stale-list`, `fail-batch`, `fail-item=N`, `stick-batch=before|after`, `drop-result`, `reorder-results`; then any of `method=`, `path=`, `text=`, `nth=`, `every=`, `from=`, `rate=`, `count=`, and for `status`
/// also `retry-after=` and `body=` (the last one: it takes the rest of the text).
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// HTTP method, in any case.
    pub method: Option<String>,
    /// A part of the path, in any case.
    pub path_contains: Option<String>,
    /// A part of the query, of the body, or of the name of a file in it.
    pub text: Option<String>,
    /// Only the n-th matching request, from 1.
    pub nth: Option<u64>,
    /// Only each n-th matching request.
    pub every: Option<u64>,
    /// Only from the n-th matching request on.
    pub from: Option<u64>,
    /// Only with this probability, from 0 to 1.
    pub rate: Option<f64>,
    /// At most so many times.
    pub count: Option<u64>,
    /// What happens.
    pub action: FaultAction,
}

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// Answers this status without doing anything.
    Status {
        /// HTTP status code.
        code: u16,
        /// Value of the `Retry-After` header, in seconds or as a date.
        retry_after: Option<String>,
        /// Body text; a short sentence when `None`.
        body: Option<String>,
    },
    /// Takes effect, and answers this status as if it had not.
    StatusAfterEffect(
        /// HTTP status code.
        u16,
    ),
    /// Closes the connection without a complete answer.
    Reset(ResetMoment),
    /// Closes this connection and every other one, and refuses new ones for this long. Does nothing else.
    Refuse(
        /// How long the port stays closed.
        Duration,
    ),
    /// Never answers, and does nothing, until the client or the server gives up.
    Hang,
    /// Takes effect, and takes this long to send the body of the answer, piece by piece.
    SlowBody(
        /// From the first piece to the last.
        Duration,
    ),
    /// Takes effect, and answers half of the JSON.
    TruncatedJson,
    /// Sends the first half of a file as if it were all of it.
    ShortFile,
    /// Answers a list without what was made in the last two seconds, as if it came from a copy that lags.
    StaleList,
    /// Answers 502 with an HTML page, without doing anything.
    HtmlPage,
    /// Answers that the feed is being rebuilt.
    Busy,
    /// The batch that the request creates fails as a whole: no item takes effect.
    FailWholeBatch,
    /// The item at this place of the batch that the request creates, from 1, is refused. The others take effect.
    FailItem(u64),
    /// The batch that the request creates stays in process for ever. Later batches do not wait for it.
    StickBatch(Moment),
    /// The batch works, and its result lacks the last item.
    DropItemResult,
    /// The batch works, and its results come in reverse order.
    ReorderResults,
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetMoment {
    /// Before the request took effect.
    BeforeEffect,
    /// After it took effect, and after half of the answer's body.
    DuringBody,
    /// After it took effect.
    AfterEffect,
}

/// When a batch stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before any item took effect.
    BeforeEffect,
    /// After all of them did.
    AfterEffect,
}

/// Why a text is not a fault.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FaultError {
    /// No action is named.
    #[error("the fault names no action: give one of {ACTIONS}")]
    NoAction,
    /// More than one action is named.
    #[error("the fault names two actions, and `{0}` is the second: give one")]
    TwoActions(String),
    /// A key that no fault has.
    #[error(
        "unknown key `{0}`: actions are {ACTIONS}; conditions are method, path, text, nth, every, from, rate, count"
    )]
    UnknownKey(String),
    /// A value that its key does not take.
    #[error("`{key}` takes {expected}, not `{value}`")]
    BadValue {
        /// The key.
        key: String,
        /// What was given.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
}

const ACTIONS: &str = "status=CODE, status-after=CODE, reset=before, reset=during, reset=after, refuse=MS, hang, busy, slow-body=MS, truncated-json, html, short-file, stale-list, fail-batch, fail-item=N, stick-batch=before, stick-batch=after, drop-result, reorder-results";

impl Fault {
    /// A fault that fires on every request.
    pub fn always(action: FaultAction) -> Self {
        Self {
            method: None,
            path_contains: None,
            text: None,
            nth: None,
            every: None,
            from: None,
            rate: None,
            count: None,
            action,
        }
    }

    fn matches(&self, method: &str, path: &str, has_text: &dyn Fn(&str) -> bool) -> bool {
        let method_fits = self
            .method
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method));
        let part = self.path_contains.as_ref().map(|part| part.to_lowercase());
        method_fits
            && part.is_none_or(|part| path.to_lowercase().contains(&part))
            && self.text.as_ref().is_none_or(|text| has_text(text))
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut draft = Draft::default();
        let mut rest = text.trim();
        while !rest.is_empty() {
            if let Some(body) = rest.strip_prefix("body=") {
                draft.body = Some(body.to_owned());
                break;
            }
            let (part, after) = rest.split_once(',').unwrap_or((rest, ""));
            draft.take(part.trim())?;
            rest = after.trim_start();
        }
        draft.finish()
    }
}

/// A fault while its text is read; `body` and `retry_after` may come before or after their action.
#[derive(Default)]
struct Draft {
    fault: Option<Fault>,
    conditions: Conditions,
    retry_after: Option<String>,
    body: Option<String>,
}

#[derive(Default)]
struct Conditions {
    method: Option<String>,
    path: Option<String>,
    text: Option<String>,
    nth: Option<u64>,
    every: Option<u64>,
    from: Option<u64>,
    rate: Option<f64>,
    count: Option<u64>,
}

impl Draft {
    fn take(&mut self, part: &str) -> Result<(), FaultError> {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let wanted = &mut self.conditions;
        match key {
            "method" => wanted.method = Some(value.to_owned()),
            "path" => wanted.path = Some(value.to_owned()),
            "text" => wanted.text = Some(value.to_owned()),
            "nth" => wanted.nth = Some(positive(key, value)?),
            "every" => wanted.every = Some(positive(key, value)?),
            "from" => wanted.from = Some(positive(key, value)?),
            "count" => wanted.count = Some(positive(key, value)?),
            "rate" => wanted.rate = Some(probability(key, value)?),
            "retry-after" => self.retry_after = Some(value.to_owned()),
            _ => {
                let action = action(key, value)?;
                if self.fault.replace(Fault::always(action)).is_some() {
                    return Err(FaultError::TwoActions(key.to_owned()));
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Fault, FaultError> {
        let mut fault = self.fault.ok_or(FaultError::NoAction)?;
        let Conditions {
            method,
            path,
            text,
            nth,
            every,
            from,
            rate,
            count,
        } = self.conditions;
        if let FaultAction::Status {
            retry_after, body, ..
        } = &mut fault.action
        {
            *retry_after = self.retry_after;
            *body = self.body;
        } else if self.retry_after.is_some() || self.body.is_some() {
            return Err(FaultError::UnknownKey(
                "retry-after or body without status".to_owned(),
            ));
        }
        Ok(Fault {
            method,
            path_contains: path,
            text,
            nth,
            every,
            from,
            rate,
            count,
            ..fault
        })
    }
}

fn action(key: &str, value: &str) -> Result<FaultAction, FaultError> {
    Ok(match (key, value) {
        ("status", _) => FaultAction::Status {
            code: status_code(value)?,
            retry_after: None,
            body: None,
        },
        ("status-after", _) => FaultAction::StatusAfterEffect(status_code(value)?),
        ("reset", "before") => FaultAction::Reset(ResetMoment::BeforeEffect),
        ("reset", "after") => FaultAction::Reset(ResetMoment::AfterEffect),
        ("reset", "during") => FaultAction::Reset(ResetMoment::DuringBody),
        ("reset", _) => return Err(bad(key, value, "`before`, `during` or `after`")),
        ("stick-batch", "before") => FaultAction::StickBatch(Moment::BeforeEffect),
        ("stick-batch", "after") => FaultAction::StickBatch(Moment::AfterEffect),
        ("stick-batch", _) => return Err(bad(key, value, "`before` or `after`")),
        ("fail-item", _) => FaultAction::FailItem(positive(key, value)?),
        ("slow-body", _) => FaultAction::SlowBody(Duration::from_millis(positive(key, value)?)),
        ("refuse", _) => FaultAction::Refuse(Duration::from_millis(positive(key, value)?)),
        ("hang", "") => FaultAction::Hang,
        ("busy", "") => FaultAction::Busy,
        ("truncated-json", "") => FaultAction::TruncatedJson,
        ("short-file", "") => FaultAction::ShortFile,
        ("stale-list", "") => FaultAction::StaleList,
        ("html", "") => FaultAction::HtmlPage,
        ("fail-batch", "") => FaultAction::FailWholeBatch,
        ("drop-result", "") => FaultAction::DropItemResult,
        ("reorder-results", "") => FaultAction::ReorderResults,
        _ => return Err(FaultError::UnknownKey(key.to_owned())),
    })
}

fn status_code(value: &str) -> Result<u16, FaultError> {
    value
        .parse()
        .ok()
        .filter(|code| (200..600).contains(code))
        .ok_or_else(|| bad("status", value, "a code from 200 to 599"))
}

fn positive(key: &str, value: &str) -> Result<u64, FaultError> {
    value
        .parse()
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| bad(key, value, "a whole number from 1"))
}

fn probability(key: &str, value: &str) -> Result<f64, FaultError> {
    value
        .parse()
        .ok()
        .filter(|p| (0.0..=1.0).contains(p))
        .ok_or_else(|| bad(key, value, "a number from 0 to 1"))
}

fn bad(key: &str, value: &str, expected: &'static str) -> FaultError {
    FaultError::BadValue {
        key: key.to_owned(),
        value: value.to_owned(),
        expected,
    }
}

/// The faults of a server with what they have counted so far.
#[derive(Debug)]
pub(crate) struct FaultBook {
    entries: Vec<Entry>,
    chance: ChaCha8Rng,
}

#[derive(Debug)]
struct Entry {
    fault: Fault,
    seen: u64,
    fired: u64,
}

impl FaultBook {
    /// Starts counting at zero.
    pub(crate) fn new(faults: &[Fault], seed: u64) -> Self {
        let entries = faults
            .iter()
            .map(|fault| Entry {
                fault: fault.clone(),
                seen: 0,
                fired: 0,
            })
            .collect();
        Self {
            entries,
            chance: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Counts one request and returns what goes wrong with it. Every fault counts it, the first wins.
    pub(crate) fn strike(
        &mut self,
        (method, path): (&str, &str),
        has_text: &dyn Fn(&str) -> bool,
    ) -> Option<FaultAction> {
        let mut struck = None;
        for entry in &mut self.entries {
            if entry.fault.matches(method, path, has_text)
                && entry.fires(&mut self.chance)
                && struck.is_none()
            {
                entry.fired += 1;
                struck = Some(entry.fault.action.clone());
            }
        }
        struck
    }

    /// How many requests went wrong.
    pub(crate) fn struck(&self) -> u64 {
        self.entries.iter().map(|entry| entry.fired).sum()
    }

    /// A share of 0 to 1, for jitter.
    pub(crate) fn share(&mut self) -> f64 {
        self.chance.random()
    }
}

impl Entry {
    fn fires(&mut self, chance: &mut ChaCha8Rng) -> bool {
        self.seen += 1;
        let seen = self.seen;
        let fault = &self.fault;
        fault.count.is_none_or(|most| self.fired < most)
            && fault.nth.is_none_or(|nth| seen == nth)
            && fault.from.is_none_or(|from| seen >= from)
            && fault.every.is_none_or(|every| seen.is_multiple_of(every))
            && fault.rate.is_none_or(|rate| chance.random::<f64>() < rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_action_and_condition() {
        let fault: Fault = "status=503, path=/item/multi, nth=2, retry-after=3, body=busy, later"
            .parse()
            .unwrap();
        let action = FaultAction::Status {
            code: 503,
            retry_after: Some("3".into()),
            body: Some("busy, later".into()),
        };
        assert_eq!(
            fault,
            Fault {
                path_contains: Some("/item/multi".into()),
                nth: Some(2),
                ..Fault::always(action)
            }
        );
        let fault: Fault = "reset=after,method=post,every=3,count=2,rate=0.5"
            .parse()
            .unwrap();
        assert_eq!(fault.action, FaultAction::Reset(ResetMoment::AfterEffect));
        assert_eq!(
            (fault.every, fault.count, fault.rate),
            (Some(3), Some(2), Some(0.5))
        );
        for text in [
            "hang",
            "status-after=500",
            "truncated-json",
            "html",
            "fail-batch",
            "drop-result",
            "reorder-results",
            "reset=before",
            "reset=during",
            "slow-body=300",
            "short-file",
            "stale-list",
            "stick-batch=before",
            "stick-batch=after",
        ] {
            assert!(text.parse::<Fault>().is_ok(), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_text() {
        let error = |text: &str| text.parse::<Fault>().unwrap_err();
        assert_eq!(error("path=/x"), FaultError::NoAction);
        assert_eq!(error("hang,html"), FaultError::TwoActions("html".into()));
        assert_eq!(
            error("hang,colour=red"),
            FaultError::UnknownKey("colour".into())
        );
        assert!(error("stick-batch").to_string().contains("`before` or"));
        assert!(error("slow-body=0").to_string().contains("from 1"));
        assert!(error("status=9").to_string().contains("200 to 599"));
        assert!(error("hang,nth=0").to_string().contains("from 1"));
        assert!(error("hang,rate=2").to_string().contains("0 to 1"));
        assert!(matches!(error("hang,body=x"), FaultError::UnknownKey(_)));
    }

    #[test]
    fn counts_only_what_matches() {
        let fault = "hang,path=/ITEM,nth=2".parse().unwrap();
        let mut book = FaultBook::new(&[fault], 1);
        assert_eq!(book.strike(("GET", "/item/1"), &|_| false), None);
        assert_eq!(book.strike(("GET", "/page/1"), &|_| false), None);
        assert_eq!(
            book.strike(("GET", "/item/1"), &|_| false),
            Some(FaultAction::Hang)
        );
        assert_eq!(book.strike(("GET", "/item/1"), &|_| false), None);
    }

    #[test]
    fn a_text_has_to_be_in_the_request() {
        let mut book = FaultBook::new(&["html,text=Mill".parse().unwrap()], 1);
        let mut strike = |body: &str| book.strike(("POST", "/"), &|text| body.contains(text));
        assert_eq!(strike("Abbey"), None);
        assert_eq!(strike("Abbey, Mill"), Some(FaultAction::HtmlPage));
    }

    #[test]
    fn a_fault_may_begin_later() {
        let mut book = FaultBook::new(&["html,from=3".parse().unwrap()], 1);
        let fired: Vec<bool> = (0..4)
            .map(|_| book.strike(("GET", "/"), &|_| false).is_some())
            .collect();
        assert_eq!(fired, [false, false, true, true]);
    }

    #[test]
    fn a_count_bounds_how_often_it_fires() {
        let mut book = FaultBook::new(&["html,every=2,count=2".parse().unwrap()], 1);
        let fired: Vec<bool> = (0..8)
            .map(|_| book.strike(("GET", "/"), &|_| false).is_some())
            .collect();
        assert_eq!(
            fired,
            [false, true, false, true, false, false, false, false]
        );
    }
}
