//! A request as the routes see it, and what they answer.

use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::mock::file::Row;
use crate::mock::world::Window;
use crate::mock::world::asset::{Download, Upload};
use crate::mock::world::batch::Spoil;
use crate::mock::world::failure::Refusal;
use crate::mock::world::row::id_list;
use crate::mock::world::text::moment;

/// The methods that the API has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Other,
}

impl Verb {
    pub(crate) fn parse(method: &str) -> Self {
        match method {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// The body of a request.
#[derive(Debug)]
pub(crate) enum Payload {
    Bytes(Bytes),
    /// The parts of a multipart form that are files.
    Files(Vec<Upload>),
}

/// A request. Segments of the path come decoded, as sent and folded to lower case: routes match the
/// folded ones, values are taken from the others.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    /// As it was sent, for faults.
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) segments: Vec<String>,
    folded: Vec<String>,
    query: Vec<(String, String)>,
    pub(crate) payload: Payload,
    pub(crate) spoil: Spoil,
}

impl Call {
    pub(crate) fn new(method: &str, path: &str, query: &str, payload: Payload) -> Self {
        let decode = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let segments: Vec<String> = path.trim_matches('/').split('/').map(decode).collect();
        let folded = segments
            .iter()
            .map(|segment| segment.to_lowercase())
            .collect();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let query = pairs
            .map(|(key, value)| (key.to_lowercase(), value.into_owned()))
            .collect();
        Self {
            verb: Verb::parse(method),
            method: method.to_owned(),
            path: path.to_owned(),
            segments,
            folded,
            query,
            payload,
            spoil: Spoil::Nothing,
        }
    }

    /// Whether the query, the body, or the name of a file in it has this text.
    pub(crate) fn has_text(&self, text: &str) -> bool {
        let in_query = self.query.iter().any(|(_, value)| value.contains(text));
        in_query
            || match &self.payload {
                Payload::Bytes(bytes) => bytes
                    .windows(text.len().max(1))
                    .any(|part| part == text.as_bytes()),
                Payload::Files(files) => files.iter().any(|file| file.name.contains(text)),
            }
    }

    /// The folded segments from `at` on.
    pub(crate) fn tail(&self, at: usize) -> Vec<&str> {
        self.folded.iter().skip(at).map(String::as_str).collect()
    }

    /// A segment as it was sent.
    pub(crate) fn raw(&self, at: usize) -> &str {
        self.segments.get(at).map_or("", String::as_str)
    }

    /// A query value; the text `null`, which the vendor's SDK sends for what is not set, is none.
    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        let found = self
            .query
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key));
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| *value != "null")
    }

    pub(crate) fn query_text(&self, key: &str) -> Option<&str> {
        self.query(key).filter(|value| !value.is_empty())
    }

    pub(crate) fn query_id(&self, key: &str) -> Option<i64> {
        self.query(key)
            .and_then(|value| value.parse().ok())
            .filter(|id| *id > 0)
    }

    pub(crate) fn query_flag(&self, key: &str) -> Option<bool> {
        self.query(key)
            .map(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(crate) fn query_ids(&self, key: &str) -> Vec<i64> {
        self.query(key).map(id_list).unwrap_or_default()
    }

    /// The parts of a comma list.
    pub(crate) fn query_list(&self, key: &str) -> Vec<&str> {
        let parts = self
            .query(key)
            .unwrap_or_default()
            .split(',')
            .map(str::trim);
        parts.filter(|part| !part.is_empty()).collect()
    }

    /// A moment from which on something counts; none where it is absent or no date.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.query_text("updatedSince").and_then(moment)
    }

    /// A page of a list, from its query: how many rows at first, and at most.
    pub(crate) fn window(&self, skip: &str, take: &str, default: usize, most: usize) -> Window {
        let number = |key: &str| {
            self.query(key)
                .and_then(|value| value.parse::<usize>().ok())
        };
        Window {
            skip: number(skip).unwrap_or(0),
            take: number(take)
                .filter(|take| *take > 0)
                .unwrap_or(default)
                .min(most),
        }
    }

    /// The body as JSON; no body at all is null.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        match &self.payload {
            Payload::Bytes(bytes) if bytes.is_empty() => Ok(Value::Null),
            Payload::Bytes(bytes) => serde_json::from_slice(bytes).map_err(|error| {
                Refusal::invalid("$", format!("The body is not valid JSON: {error}"))
            }),
            Payload::Files(_) => Err(Refusal::new(415, "Unsupported media type.")),
        }
    }

    /// The body as a JSON object.
    pub(crate) fn row(&self) -> Result<Row, Refusal> {
        match self.json()? {
            Value::Object(row) => Ok(row),
            _ => Err(Refusal::invalid("$", "A JSON object is required.")),
        }
    }

    /// The body as a JSON array.
    pub(crate) fn rows(&self) -> Result<Vec<Value>, Refusal> {
        match self.json()? {
            Value::Array(rows) => Ok(rows),
            _ => Err(Refusal::invalid("$", "A JSON array is required.")),
        }
    }
}

/// What a route answers when it does not refuse.
#[derive(Debug)]
pub(crate) enum Reply {
    Json(Value),
    /// The id of a batch that was queued; a bare integer on the wire.
    Batch(i64),
    File(Download),
    /// The browser goes to this address.
    Redirect(String),
}

/// What a route comes to.
pub(crate) type Answer = Result<Reply, Refusal>;

/// A row that may be missing.
pub(crate) fn found(row: Option<impl Into<Value>>, what: &str) -> Answer {
    row.map(|row| Reply::Json(row.into()))
        .ok_or_else(|| Refusal::not_found(what))
}

/// The answer of a path that no route has.
pub(crate) fn no_route() -> Answer {
    Err(Refusal::new(
        404,
        "No HTTP resource was found that matches the request URI.",
    ))
}
