//! Answers on the wire, whole or spoilt.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::{Value, json};

use super::body;
use super::call::{Answer, Reply};
use crate::mock::fault::{FaultAction, ResetMoment};
use crate::mock::limit::Standing;
use crate::mock::server::Shared;
use crate::mock::world::asset::Download;
use crate::mock::world::failure::Refusal;

const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

fn with(status: u16, kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// An answer as it is meant.
pub(super) fn respond(answer: Answer) -> Response<Body> {
    match answer {
        Ok(Reply::Json(value)) => with(200, JSON, value.to_string()),
        Ok(Reply::Batch(id)) => with(200, JSON, id.to_string()),
        Ok(Reply::File(file)) => download(&file),
        Ok(Reply::Redirect(url)) => {
            let mut response = with(302, TEXT, "");
            if let Ok(url) = HeaderValue::from_str(&url) {
                response.headers_mut().insert(LOCATION, url);
            }
            response
        }
        Err(refusal) => refuse(refusal),
    }
}

/// The forms of error bodies vary on the real server: texts, JSON strings, objects.
fn refuse(Refusal { status, body }: Refusal) -> Response<Body> {
    let mut response = match (status, body) {
        (500, Value::String(text)) => with(
            500,
            JSON,
            json!({ "message": text, "exceptionType": "System.Exception" }).to_string(),
        ),
        (400, Value::String(text)) => with(400, JSON, json!(text).to_string()),
        (status, Value::String(text)) => with(status, TEXT, text),
        (status, value) => with(status, JSON, value.to_string()),
    };
    if status == 429 {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// A file, made block by block while it is sent. The focal point of an image is in two headers.
fn download(file: &Download) -> Response<Body> {
    let chunks = file
        .blob
        .chunks(&file.key)
        .map(Ok::<_, std::convert::Infallible>);
    let mut response = Response::new(Body::from_stream(stream::iter(chunks)));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_str(&file.content_type);
    headers.insert(
        CONTENT_TYPE,
        kind.unwrap_or(HeaderValue::from_static("application/octet-stream")),
    );
    headers.insert(CONTENT_LENGTH, HeaderValue::from(file.blob.len()));
    if let Some(md5) = file.md5
        && let Ok(value) = HeaderValue::from_str(&STANDARD.encode(md5))
    {
        headers.insert("content-md5", value);
    }
    if let Some((x, y)) = &file.focal {
        for (name, value) in [("agility-focal-x", x), ("agility-focal-y", y)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }
    response
}

/// An answer as a fault has it. For a reset it does not matter: the connection is cut.
pub(super) fn spoil(fault: &FaultAction, answer: Answer) -> Response<Body> {
    match fault {
        FaultAction::Status {
            code,
            retry_after,
            body,
        } => {
            let text = body
                .clone()
                .unwrap_or_else(|| "The request could not be handled.".to_owned());
            let kind = if text.starts_with(['{', '[']) {
                JSON
            } else {
                TEXT
            };
            let mut response = with(*code, kind, text);
            if let Some(value) = retry_after
                .as_ref()
                .and_then(|value| HeaderValue::from_str(value).ok())
            {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
            response
        }
        FaultAction::StatusAfterEffect(code) => {
            with(*code, TEXT, "The request could not be finished.")
        }
        FaultAction::HtmlPage => with(
            502,
            "text/html; charset=utf-8",
            "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>",
        ),
        FaultAction::Busy => with(200, JSON, r#"{"syncToken":null,"items":[],"busy":true}"#),
        FaultAction::TruncatedJson => match answer {
            Ok(Reply::Json(value)) => {
                let text = value.to_string();
                let half = text
                    .char_indices()
                    .map(|(at, _)| at)
                    .take_while(|at| *at <= text.len() / 2)
                    .last()
                    .unwrap_or(0);
                with(200, JSON, text[..half].to_owned())
            }
            // Half of a bare number would be another number.
            Ok(Reply::Batch(_)) => with(200, JSON, ""),
            Ok(Reply::File(_) | Reply::Redirect(_)) | Err(_) => respond(answer),
        },
        FaultAction::Reset(ResetMoment::DuringBody) => body::cut_off(respond(answer)),
        FaultAction::SlowBody(time) => body::slowed(respond(answer), *time),
        FaultAction::ShortFile => match answer {
            Ok(Reply::File(file)) => body::shortened(&file, download(&file)),
            Ok(Reply::Json(_) | Reply::Batch(_) | Reply::Redirect(_)) | Err(_) => respond(answer),
        },
        FaultAction::Reset(ResetMoment::BeforeEffect | ResetMoment::AfterEffect)
        | FaultAction::Refuse(_)
        | FaultAction::Hang
        | FaultAction::StaleList
        | FaultAction::StickBatch(_)
        | FaultAction::FailWholeBatch
        | FaultAction::FailItem(_)
        | FaultAction::DropItemResult
        | FaultAction::ReorderResults => respond(answer),
    }
}

/// Adds what the server says of its limit: when to come back after a refusal, unless it is silent, and, where it does, with
/// every answer what is left.
pub(super) fn tell_limit(response: &mut Response<Body>, standing: &Standing, shared: &Shared) {
    let seconds = standing.reset.as_millis().div_ceil(1_000).max(1);
    let headers = response.headers_mut();
    let mut tell = |name: HeaderName, value: u128| {
        headers.insert(
            name,
            HeaderValue::from(u64::try_from(value).unwrap_or(u64::MAX)),
        );
    };
    if !standing.admitted && !shared.rate_limit_silent {
        tell(RETRY_AFTER, seconds);
    }
    if shared.rate_limit_headers {
        for (name, value) in [
            ("x-ratelimit-limit", standing.limit.into()),
            ("x-ratelimit-remaining", standing.remaining.into()),
            ("x-ratelimit-reset", seconds),
        ] {
            tell(HeaderName::from_static(name), value);
        }
    }
    if !standing.admitted && shared.rate_limit_silent {
        headers.remove(RETRY_AFTER);
    }
}

/// Gives an answer the identifier by which a vendor would find it in a log.
pub(super) fn add_request_id(response: &mut Response<Body>, sequence: u64) {
    if let Ok(value) = HeaderValue::from_str(&format!("mock-{sequence}")) {
        response.headers_mut().insert("x-request-id", value);
    }
}
