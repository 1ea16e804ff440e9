//! What a failed answer means, and what the server said about it.

use std::borrow::Cow;
use std::error::Error as _;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::domain::redact_message;
use crate::instance::Cause;

use super::shape;

/// How much of the server's words is kept, in characters.
const SAID_MAX: usize = 300;

/// How much of a name that the server gives is kept, such as the type of an exception or the id of a request.
const NAME_MAX: usize = 100;

/// How much of a body is searched for words, in bytes.
pub(crate) const SEARCHED_MAX: usize = 256 * 1024;

/// The longest `Retry-After` that is accepted; a longer one means this long.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// Where JSON error bodies say what is wrong, in the order in which the vendor's CLI looks.
const SAID_MEMBERS: [&str; 8] = [
    "exceptionMessage",
    "detail",
    "message",
    "error_description",
    "error",
    "Message",
    "Error",
    "title",
];

/// The cause that a status stands for; `None` for 200 to 299.
pub(crate) fn status(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Cause> {
    match status.as_u16() {
        200..=299 => None,
        401 => Some(Cause::Unauthorised),
        403 => Some(Cause::Forbidden),
        404 => Some(Cause::NotFound),
        429 => Some(Cause::Throttled {
            retry_after: retry_after(headers, now),
        }),
        number @ (408 | 500..) => Some(Cause::ServerFailed {
            status: number,
            retry_after: retry_after(headers, now),
        }),
        number => Some(Cause::Refused { status: number }),
    }
}

/// The cause of a failure that brought no complete answer. `limit` is the time-out of the request.
pub(crate) fn transport(error: &reqwest::Error, host: &str, limit: Duration) -> Cause {
    if error.is_connect() {
        let detail = if error.is_timeout() {
            "no answer to the attempt to connect".to_owned()
        } else {
            innermost(error)
        };
        return Cause::Connect {
            host: host.to_owned(),
            detail,
        };
    }
    if error.is_timeout() {
        return Cause::TimedOut(limit);
    }
    Cause::Broken(innermost(error))
}

/// The words of the deepest cause, which name the problem; those around it only say that there is one.
/// Never the address, which the outermost error would add.
fn innermost(error: &reqwest::Error) -> String {
    let mut words = None;
    let mut source = error.source();
    while let Some(inner) = source {
        words = Some(inner.to_string());
        source = inner.source();
    }
    words
        .and_then(|words| readable(&words))
        .unwrap_or_else(|| "the request could not be sent".to_owned())
}

/// `Retry-After` in either of its forms (RFC 9110, section 10.2.3), at most [`RETRY_AFTER_MAX`]. A date is
/// measured against the server's own `Date` where it sends one, and a past one means at once.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        // Digits that do not fit are a number beyond any limit.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let wait = http_date(value)?.duration_since(date(headers).unwrap_or(now));
        Duration::try_from(wait).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// `Date`: the server's clock when it answered (RFC 9110, section 6.6.1).
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
}

/// The server's id of the request, for its support: a header, else `traceId` in the body.
pub(crate) fn request_id(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let header = ["x-request-id", "request-id", "x-ms-request-id"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok());
    let id = header.map(str::to_owned).or_else(|| {
        let body: Value = serde_json::from_slice(body).ok()?;
        shape::text(&body, "traceId").map(str::to_owned)
    })?;
    name(&id)
}

/// What an error body says: plain text, a JSON string, or the telling member of a JSON object. Of an HTML
/// page only the title, because its text is about the web server. Cleaned by [`readable`].
pub(crate) fn said(body: &[u8]) -> Option<String> {
    let words = match serde_json::from_slice::<Value>(body) {
        Ok(Value::String(text)) => text,
        Ok(value @ Value::Object(_)) => told(&value)?,
        Ok(_) => return None,
        Err(_) => start_of(body).into_owned(),
    };
    let words = if is_html(&words) {
        html_title(&words)?
    } else {
        words
    };
    readable(&words)
}

/// As much of a body as is searched for words.
pub(crate) fn start_of(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&body[..body.len().min(SEARCHED_MAX)])
}

/// Words of the server on one line, without credentials and at a readable length; `None` when nothing is left.
pub(crate) fn readable(text: &str) -> Option<String> {
    cleaned(text, SAID_MAX)
}

/// A name that the server gives, cleaned in the same way.
pub(crate) fn name(text: &str) -> Option<String> {
    cleaned(text, NAME_MAX)
}

fn cleaned(text: &str, most: usize) -> Option<String> {
    let text = redact_message(start_of(text.as_bytes()).trim());
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    };
    (!cut.is_empty()).then_some(cut)
}

fn told(value: &Value) -> Option<String> {
    let map = value.as_object()?;
    let words = SAID_MEMBERS
        .iter()
        .filter_map(|name| map.get(*name)?.as_str())
        .find(|words| !words.trim().is_empty());
    let details = map.get("errors").map(invalid_members).unwrap_or_default();
    match (words, details.as_str()) {
        (None, "") => None,
        (None, details) => Some(details.to_owned()),
        (Some(words), "") => Some(words.to_owned()),
        (Some(words), details) => Some(format!("{words} {details}")),
    }
}

/// The `errors` of a problem document (RFC 9457 as ASP.NET writes it): member name to list of complaints.
fn invalid_members(errors: &Value) -> String {
    let Some(errors) = errors.as_object() else {
        return String::new();
    };
    let complaints = errors.iter().map(|(name, complaints)| {
        let words: Vec<_> = match complaints {
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().into_iter().collect(),
        };
        format!("{name}: {}", words.join(" "))
    });
    complaints.collect::<Vec<_>>().join("; ")
}

/// Whether a body is a web page and not data.
pub(crate) fn is_html(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(14).collect();
    let start = start.to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<head")
}

/// The title of a web page.
pub(crate) fn html_title(page: &str) -> Option<String> {
    // ASCII lower-casing keeps every byte position.
    let lower = page.to_ascii_lowercase();
    let open = lower.find("<title")?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let title = page[start..end].trim();
    (!title.is_empty()).then(|| title.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Secret;
    use reqwest::header::HeaderValue;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn heard(body: &str) -> Option<String> {
        said(body.as_bytes())
    }

    fn waited(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        retry_after(&headers, NOW)
    }

    #[test]
    fn each_status_has_its_cause() {
        let of = |code| status(StatusCode::from_u16(code).unwrap(), &HeaderMap::new(), NOW);
        assert_eq!(of(200), None);
        assert_eq!(of(204), None);
        assert_eq!(of(302), Some(Cause::Refused { status: 302 }));
        assert_eq!(of(400), Some(Cause::Refused { status: 400 }));
        assert_eq!(of(401), Some(Cause::Unauthorised));
        assert_eq!(of(403), Some(Cause::Forbidden));
        assert_eq!(of(404), Some(Cause::NotFound));
        let failed = |status| Cause::ServerFailed {
            status,
            retry_after: None,
        };
        assert_eq!(of(408), Some(failed(408)));
        assert_eq!(of(409), Some(Cause::Refused { status: 409 }));
        assert_eq!(of(429), Some(Cause::Throttled { retry_after: None }));
        assert_eq!(of(503), Some(failed(503)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_absurd() {
        assert_eq!(waited("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            waited("Thu, 01 Jan 1970 00:00:30 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            waited("Wed, 31 Dec 1969 00:00:30 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(waited("99999999999999999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(
            waited("Fri, 01 Jan 2100 00:00:00 GMT"),
            Some(RETRY_AFTER_MAX)
        );
        assert_eq!(waited("0"), Some(Duration::ZERO));
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
        for nonsense in ["", "-3", "soon", "1.5"] {
            assert_eq!(waited(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_retry_date_is_measured_on_the_servers_clock() {
        let mut headers = HeaderMap::new();
        let set = HeaderValue::from_static;
        headers.insert(RETRY_AFTER, set("Sat, 21 Nov 2026 10:00:20 GMT"));
        headers.insert(DATE, set("Sat, 21 Nov 2026 10:00:00 GMT"));
        assert_eq!(retry_after(&headers, NOW), Some(Duration::from_secs(20)));
    }

    #[test]
    fn the_first_telling_member_speaks() {
        assert_eq!(
            heard("plain words\n twice"),
            Some("plain words twice".into())
        );
        assert_eq!(heard(r#""a JSON string""#), Some("a JSON string".into()));
        assert_eq!(
            heard(r#"{"title":"t","message":"m","exceptionMessage":"e"}"#),
            Some("e".into())
        );
        assert_eq!(heard(r#"{"Message":"M","detail":""}"#), Some("M".into()));
        assert_eq!(
            heard(r#"{"title":"Invalid.","errors":{"Name":["is required","is short"]}}"#),
            Some("Invalid. Name: is required is short".into())
        );
        assert_eq!(heard("{}"), None);
        assert_eq!(heard(""), None);
        assert_eq!(heard("17"), None);
    }

    #[test]
    fn of_a_web_page_only_the_title_is_kept() {
        let page = "<!DOCTYPE html><html><head><TITLE>502 Bad Gateway</TITLE></head><body>x</body>";
        assert_eq!(heard(page), Some("502 Bad Gateway".into()));
        assert_eq!(heard("<html><body>no title</body></html>"), None);
    }

    #[test]
    fn the_words_are_short_and_hold_no_credential() {
        drop(Secret::new("very-secret-token"));
        let body = format!("bad header: Bearer very-secret-token {}", "x".repeat(1000));
        let heard = said(body.as_bytes()).unwrap();
        assert!(!heard.contains("very-secret-token"));
        assert!(heard.starts_with("bad header: Bearer [redacted] xxx"));
        assert_eq!(heard.chars().count(), SAID_MAX + 1);
    }

    #[test]
    fn a_request_id_comes_from_a_header_or_the_body() {
        let mut headers = HeaderMap::new();
        assert_eq!(
            request_id(&headers, br#"{"traceId":"00-ab"}"#),
            Some("00-ab".into())
        );
        headers.insert("x-ms-request-id", HeaderValue::from_static("r-1"));
        assert_eq!(request_id(&headers, b""), Some("r-1".into()));
        assert_eq!(request_id(&HeaderMap::new(), b"nothing"), None);
    }
}
