//! The one place that sends a request.

use std::io::BufReader;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue,
};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

use crate::domain::{Exchange, Guid, RequestLog, Secret, Token, held, held_pieces, redact, time};
use crate::instance::{Cause, RequestError};

use super::body::{Body, Unread};
use super::file_hosts::FileHosts;
use super::hosts::Hosts;
use super::limits::SeenLimits;
use super::page::{List, Page};
use super::renewal::Credential;
use super::shape::ShapeError;
use super::write::Form;
use super::{Connection, ConnectionError, Limits, classify};

/// What connects to one instance.
#[derive(Debug)]
pub(crate) struct Client {
    /// For the two APIs: follows no redirect.
    api: reqwest::Client,
    /// For asset bytes: follows no redirect, unpacks nothing, sends no credential, and connects to no address that
    /// `file_hosts` refuses.
    pub(crate) files: reqwest::Client,
    pub(super) file_hosts: FileHosts,
    /// The URLs of the default asset container.
    pub(super) container: OnceCell<Vec<Url>>,
    pub(crate) limits: Limits,
    pub(crate) guid: Guid,
    hosts: Hosts,
    credential: Credential,
    preview_key: OnceCell<Secret>,
    live_key: OnceCell<Secret>,
    pub(crate) request_timeout: Duration,
    requests: RequestLog,
    /// What answers of the Management API said of limits.
    pub(super) limits_seen: SeenLimits,
}

/// Which API a path belongs to; they differ in base address and credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// `/oauth` of the Management API's host.
    OAuth,
    /// The Management API's account of the user of the token, whatever the instance.
    Account,
    /// The Management API of the instance.
    Management,
    /// The Content Fetch API of the instance in preview mode, which shows the latest saved version of everything.
    Preview,
    /// The same in fetch mode, which shows what is published.
    Live,
}

/// A request to be sent.
#[derive(Debug)]
pub(crate) struct Call {
    /// What it is for, such as `reading the templates of 1a2b3c4d-u`.
    pub(crate) operation: String,
    pub(crate) method: Method,
    pub(crate) api: Api,
    /// Path and query below the base address of the API, encoded, without a slash at the start.
    pub(crate) path: String,
    pub(crate) payload: Payload,
    /// The total time-out, where the usual one does not fit.
    pub(crate) limit: Option<Duration>,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) enum Payload {
    /// None, or one of length 0 where the method needs one.
    Empty,
    Json(Vec<u8>),
    Form(Form),
}

impl Call {
    /// A question.
    pub(crate) fn get(operation: String, api: Api, path: String) -> Self {
        Self {
            operation,
            method: Method::GET,
            api,
            path,
            payload: Payload::Empty,
            limit: None,
        }
    }

    /// A write to the Management API.
    pub(crate) fn post(operation: String, path: String, payload: Payload) -> Self {
        Self {
            operation,
            method: Method::POST,
            api: Api::Management,
            path,
            payload,
            limit: None,
        }
    }

    /// A deletion by the Management API.
    pub(crate) fn delete(operation: String, path: String) -> Self {
        Self {
            method: Method::DELETE,
            ..Self::get(operation, Api::Management, path)
        }
    }

    fn endpoint(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply {
    operation: String,
    endpoint: String,
    status: u16,
    request_id: Option<String>,
    date: Option<Timestamp>,
    body: Body,
}

impl Reply {
    /// The body as JSON; an empty body is `null`.
    pub(crate) fn json(&self) -> Result<Value, RequestError> {
        let body = &self.body.bytes;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        parsed(body).map_err(|error| self.not_json(&error))
    }

    /// The body as JSON, with the rows of its list as texts.
    pub(crate) fn page(&self, list: List) -> Result<Page<'_>, RequestError> {
        match std::str::from_utf8(&self.body.bytes) {
            Ok(text) if text.trim().is_empty() => Page::parse("null", list),
            Ok(text) => Page::parse(text, list),
            // What is not UTF-8 is not JSON.
            Err(_) => parsed(&self.body.bytes).and_then(|_| Page::parse("null", list)),
        }
        .map_err(|error| self.not_json(&error))
    }

    fn not_json(&self, error: &serde_json::Error) -> RequestError {
        let text = classify::start_of(&self.body.bytes);
        if classify::is_html(&text) {
            let title = classify::html_title(&text)
                .and_then(|title| classify::readable(&title))
                .unwrap_or_else(|| "no title".to_owned());
            self.malformed(&format!("a web page ({title:?}) instead of JSON"))
        } else {
            self.malformed(&format!("{error} of the JSON"))
        }
    }

    /// When the server says that it answered, to the second.
    pub(crate) const fn date(&self) -> Option<Timestamp> {
        self.date
    }

    /// The body as text, if it is not longer than `most` bytes.
    fn text(&self, most: usize) -> Option<String> {
        let body = &self.body.bytes;
        (body.len() <= most).then(|| String::from_utf8_lossy(body).into_owned())
    }

    /// The complaint that the body cannot be understood.
    pub(crate) fn malformed(&self, reason: &str) -> RequestError {
        // The reason may quote the answer.
        let reason = classify::readable(reason).unwrap_or_default();
        self.failed(Cause::Malformed(format!(
            "{reason}, in the answer to {}",
            self.endpoint
        )))
    }

    /// An answer that failed in spite of its status.
    pub(crate) fn failed(&self, cause: Cause) -> RequestError {
        RequestError {
            operation: self.operation.clone(),
            cause,
            said: None,
            request_id: self.request_id.clone(),
        }
    }

    /// Reads the JSON body with `understand`.
    pub(crate) fn understand<T>(
        &self,
        understand: impl FnOnce(Value) -> Result<T, ShapeError>,
    ) -> Result<T, RequestError> {
        understand(self.json()?).map_err(|odd| self.malformed(&odd.0))
    }
}

/// A request of which no answer has been noted. One that is dropped leaves no trace.
pub(crate) struct Noting<'a> {
    client: &'a Client,
    at: Timestamp,
    began: Instant,
    endpoint: String,
    operation: String,
}

impl Noting<'_> {
    /// Notes the answer; `status` is that of a good one.
    pub(crate) fn answered<T>(
        self,
        answer: &Result<T, RequestError>,
        status: impl FnOnce(&T) -> u16,
    ) {
        let (status, error) = match answer {
            Ok(reply) => (Some(status(reply)), None),
            Err(error) => {
                let said = error.said.as_ref().map(|said| format!(": {said:?}"));
                let words = format!("{}{}", error.cause, said.unwrap_or_default());
                (error.cause.of_entity().status, Some(words))
            }
        };
        self.client.requests.push(Exchange {
            at: self.at,
            guid: self.client.guid.clone(),
            endpoint: redact(&self.endpoint).into_owned(),
            operation: redact(&self.operation).into_owned(),
            status,
            error: error.map(|error| redact(&error).into_owned()),
            took: self.began.elapsed(),
        });
    }
}

impl Client {
    pub(crate) fn new(connection: Connection) -> Result<Self, ConnectionError> {
        let hosts = Hosts::of(&connection.guid, connection.base_url.as_deref())?;
        if !is_token(&connection.token) {
            return Err(ConnectionError::Token);
        }
        let common = || builder(connection.connect_timeout, hosts.loopback);
        let built = |builder: reqwest::ClientBuilder| {
            builder
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .map_err(|error| ConnectionError::Client(error.to_string()))
        };
        let file_hosts = FileHosts::new(&hosts, connection.asset_hosts);
        Ok(Self {
            api: built(common())?,
            // A total time-out would cut off large files on slow lines; silence is what ends a download.
            files: built(
                common()
                    .no_gzip()
                    .dns_resolver(Arc::new(file_hosts.clone()))
                    .read_timeout(connection.request_timeout),
            )?,
            file_hosts,
            container: OnceCell::new(),
            limits: connection.limits,
            guid: connection.guid,
            hosts,
            credential: Credential::new(connection.token, connection.renewal),
            preview_key: OnceCell::new(),
            live_key: OnceCell::new(),
            request_timeout: connection.request_timeout,
            requests: RequestLog::default(),
            limits_seen: SeenLimits::default(),
        })
    }

    /// Sends one request once, waits for the whole answer, and notes both for people who watch.
    pub(crate) async fn send(&self, call: Call) -> Result<Reply, RequestError> {
        let noting = self.noting(call.endpoint(), call.operation.clone());
        let answer = self.exchange(call).await;
        noting.answered(&answer, |reply| reply.status);
        answer
    }

    /// Begins to note a request that leaves now.
    pub(crate) fn noting(&self, endpoint: String, operation: String) -> Noting<'_> {
        Noting {
            client: self,
            at: time::now(),
            began: Instant::now(),
            endpoint,
            operation,
        }
    }

    /// The latest requests.
    pub(crate) fn requests(&self) -> RequestLog {
        self.requests.clone()
    }

    async fn exchange(&self, call: Call) -> Result<Reply, RequestError> {
        let limit = call.limit.unwrap_or(self.request_timeout);
        let endpoint = call.endpoint();
        let (request, sent) = self
            .request(call.api, call.method, &call.path, limit)
            .await?;
        let request = match call.payload {
            Payload::Empty => request,
            Payload::Json(body) => request.header(CONTENT_TYPE, "application/json").body(body),
            Payload::Form(form) => {
                let request = request.header(CONTENT_TYPE, form.content_type);
                match form.length {
                    Some(length) => request.header(CONTENT_LENGTH, length),
                    None => request,
                }
                .body(form.body)
            }
        };
        let transport =
            |error: &reqwest::Error| classify::transport(error, &self.host(call.api), limit);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(RequestError::new(call.operation, transport(&error))),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        if call.api == Api::Management {
            self.limits_seen.note(&headers);
        }
        if let Some(cause) = classify::status(status, &headers, time::now()) {
            // A page of an error may be of any length; its start says what is wrong.
            let body = match Body::start(response, classify::SEARCHED_MAX).await {
                Ok(body) => body,
                Err(error) => return Err(RequestError::new(call.operation, transport(&error))),
            };
            let refused = sent.filter(|_| cause == Cause::Unauthorised);
            let cause = match &refused {
                Some(sent) => self.credential.refused(sent).await,
                None => cause,
            };
            return Err(RequestError {
                said: classify::said(&body),
                request_id: classify::request_id(&headers, &body),
                ..RequestError::new(call.operation, cause)
            });
        }
        let body = match Body::read(response, self.limits.answer_bytes).await {
            Ok(body) => body,
            Err(Unread::Broken(error)) => {
                return Err(RequestError::new(call.operation, transport(&error)));
            }
            Err(Unread::TooLarge(what)) => {
                return Err(RequestError::new(call.operation, Cause::TooLarge(what)));
            }
        };
        Ok(Reply {
            operation: call.operation,
            endpoint,
            status: status.as_u16(),
            request_id: classify::request_id(&headers, &body.bytes),
            date: classify::date(&headers),
            body,
        })
    }

    /// A request with its credential, and the token if that is one.
    async fn request(
        &self,
        api: Api,
        method: Method,
        path: &str,
        limit: Duration,
    ) -> Result<(RequestBuilder, Option<Secret>), RequestError> {
        let key = match api {
            Api::OAuth | Api::Account | Api::Management => None,
            Api::Preview => Some(Box::pin(self.preview_key()).await?),
            Api::Live => Some(Box::pin(self.live_key()).await?),
        };
        let wants_length = method == Method::POST;
        let request = self
            .api
            .request(method, format!("{}/{path}", self.base(api)))
            .timeout(limit)
            .header(ACCEPT, "application/json")
            .header(CACHE_CONTROL, "no-cache");
        let (request, sent) = if let Some(key) = key.and_then(plain) {
            (request.header("APIKey", key), None)
        } else {
            let token = self.credential.to_send().await;
            let value = credential(&token).unwrap_or(NO_CREDENTIAL);
            (request.header(AUTHORIZATION, value), Some(token))
        };
        // Some web servers answer 411 to a POST that does not say how long its body is.
        let request = if wants_length {
            request.body("")
        } else {
            request
        };
        Ok((request, sent))
    }

    /// The key for reading previews, fetched when it is not yet known. Fails when the token has no rights on
    /// the instance, so this is also the check of the token.
    pub(crate) async fn preview_key(&self) -> Result<&Secret, RequestError> {
        let asked = || self.key(("preview", "GetPreviewKey"));
        self.preview_key.get_or_try_init(asked).await
    }

    /// The key for reading what is published, fetched when it is not yet known.
    async fn live_key(&self) -> Result<&Secret, RequestError> {
        let asked = || self.key(("fetch", "GetFetchKey"));
        self.live_key.get_or_try_init(asked).await
    }

    async fn key(&self, (name, route): (&str, &str)) -> Result<Secret, RequestError> {
        let call = Call::get(
            format!("fetching the {name} API key of {}", self.guid),
            Api::OAuth,
            format!("{route}?guid={}", self.guid),
        );
        let reply = self.send(call).await?;
        // What is longer is a web page. It must not be taken for a secret, which is searched for in every text.
        let text = reply
            .text(KEY_MAX)
            .ok_or_else(|| reply.malformed("no key"))?;
        // A JSON string or bare text. Half of the first would pass as the second, and would be refused for ever.
        let key = serde_json::from_str(text.trim()).unwrap_or_else(|_| text.trim().to_owned());
        let key = Secret::new(&key);
        let usable = !key.expose().contains(['<', '{', ' ', '"']) && plain(&key).is_some();
        if key.expose().is_empty() || !usable {
            return Err(reply.malformed("no key"));
        }
        Ok(key)
    }

    /// The token, to be replaced when the server does not take it any more.
    pub(crate) fn token(&self) -> Token {
        self.credential.token()
    }

    fn base(&self, api: Api) -> String {
        let Hosts {
            management, fetch, ..
        } = &self.hosts;
        match api {
            Api::OAuth => format!("{management}/oauth"),
            Api::Account => format!("{management}/api/v1"),
            Api::Management => format!("{management}/api/v1/instance/{}", self.guid),
            Api::Preview => format!("{fetch}/{}/preview", self.guid),
            Api::Live => format!("{fetch}/{}/fetch", self.guid),
        }
    }

    /// Host and port of the Management API.
    pub(crate) fn management_host(&self) -> String {
        self.host(Api::Management)
    }

    pub(crate) fn has_fetch_host(&self) -> bool {
        self.host(Api::Preview) != self.host(Api::Management)
    }

    fn host(&self, api: Api) -> String {
        Url::parse(&self.base(api))
            .map(|url| authority(&url))
            .unwrap_or_default()
    }
}

/// The longest answer, in bytes, of which a second text with marked numbers is made; a longer one is marked while it is
/// parsed, which takes longer.
const HELD_MAX: usize = 16 << 20;

/// What is parsed at once of an answer that is marked meanwhile, in bytes.
const PIECE: usize = 64 << 10;

/// The values of an answer; numbers that parsing would change are marked texts.
pub(super) fn parsed(body: &[u8]) -> Result<Value, serde_json::Error> {
    let Ok(text) = std::str::from_utf8(body) else {
        return serde_json::from_slice(body);
    };
    if text.len() <= HELD_MAX {
        return serde_json::from_str(&held(text));
    }
    match held_pieces(text) {
        Some(pieces) => serde_json::from_reader(BufReader::with_capacity(PIECE, pieces)),
        None => serde_json::from_str(text),
    }
}

/// What every HTTP client of ours is built from. No proxy stands between this machine and itself.
pub(super) fn builder(connect: Duration, loopback: bool) -> reqwest::ClientBuilder {
    let builder = super::roots::trusting(reqwest::Client::builder())
        .user_agent(concat!("lockgate/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect)
        // What the pace knows of requests in flight is of connections with one each; object_store brings HTTP/2 into the build.
        .http1_only()
        .retry(reqwest::retry::never());
    if loopback {
        builder.no_proxy()
    } else {
        builder
    }
}

/// Host and port of a URL, for messages.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The longest key, in bytes, that is accepted as one. Those of the vendor have less than a hundred.
const KEY_MAX: usize = 4096;

/// Whether a text can be sent as a token.
pub(crate) fn is_token(secret: &Secret) -> bool {
    !secret.expose().is_empty() && credential(secret).is_some()
}

/// Sent in place of a token that cannot be sent, which the server refuses.
const NO_CREDENTIAL: HeaderValue = HeaderValue::from_static("");

fn credential(token: &Secret) -> Option<HeaderValue> {
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
    Some(sensitive(value))
}

fn plain(key: &Secret) -> Option<HeaderValue> {
    let value = HeaderValue::try_from(key.expose()).ok()?;
    Some(sensitive(value))
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests;
