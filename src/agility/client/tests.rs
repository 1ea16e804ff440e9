//! Connections that go wrong, against a server that speaks raw bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::agility::Instance;
use crate::domain::{Locale, SourceId};
use crate::instance::{Effect, Misplaced, ReadRequest, ReadResponse, Source, Verdict};

use super::*;

const TOKEN: &str = "a-token-that-nobody-may-see";

/// A server on loopback that answers every connection with the same bytes and then closes it.
struct Canned {
    url: String,
    requests: Arc<AtomicUsize>,
    /// Stops the server when dropped.
    _serving: JoinSet<()>,
}

impl Canned {
    /// `None` keeps the connection open and says nothing.
    async fn new(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut silent = Vec::new();
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let request = head(&mut connection).await;
                counter.fetch_add(1, Ordering::SeqCst);
                match answer(&request) {
                    Some(bytes) => connection.write_all(bytes.as_bytes()).await.unwrap(),
                    None => silent.push(connection),
                }
            }
        });
        Self {
            url,
            requests,
            _serving: serving,
        }
    }

    async fn saying(answer: &'static str) -> Self {
        Self::new(move |_| Some(answer.to_owned())).await
    }

    fn instance(&self, request_timeout: Duration) -> Instance {
        connect(&self.url, request_timeout)
    }

    /// Reads the locales, which is to fail.
    async fn failure(&self) -> RequestError {
        let instance = self.instance(Duration::from_secs(10));
        let read: Result<ReadResponse<SourceId>, _> = instance.read(&ReadRequest::Locales).await;
        read.unwrap_err()
    }
}

fn connect(url: &str, request_timeout: Duration) -> Instance {
    Instance::new(Connection {
        guid: Guid::new("a-u"),
        base_url: Some(url.to_owned()),
        token: Secret::new(TOKEN),
        renewal: None,
        connect_timeout: Duration::from_secs(10),
        request_timeout,
        asset_hosts: Vec::new(),
        limits: Limits::default(),
    })
    .unwrap()
}

/// Reads a request up to the end of its headers.
async fn head(connection: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(connection.read_u8().await.unwrap());
    }
    String::from_utf8(request).unwrap()
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

#[tokio::test]
async fn a_refused_connection_names_the_host_and_may_be_retried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let instance = connect(&format!("http://{address}"), Duration::from_secs(10));
    let error = instance.authorise().await.unwrap_err();
    let Cause::Connect { host, .. } = &error.cause else {
        panic!("{error}");
    };
    assert_eq!(*host, address.to_string());
    assert_eq!(error.verdict(Effect::Write), Verdict::Retry { after: None });
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_is_broken_and_used_once() {
    let server = Canned::saying("").await;
    let error = server.failure().await;
    assert!(matches!(error.cause, Cause::Broken(_)), "{error}");
    assert_eq!(error.verdict(Effect::Write), Verdict::Reconcile);
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_that_stops_short_is_broken() {
    let server = Canned::saying("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n[").await;
    let error = server.failure().await;
    assert!(matches!(error.cause, Cause::Broken(_)), "{error}");
}

#[tokio::test]
async fn silence_is_a_time_out() {
    let server = Canned::new(|_| None).await;
    let limit = Duration::from_millis(50);
    let instance = server.instance(limit);
    let read: Result<ReadResponse<SourceId>, _> = instance.read(&ReadRequest::Locales).await;
    assert_eq!(read.unwrap_err().cause, Cause::TimedOut(limit));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere =
        "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let server = Canned::saying(elsewhere).await;
    let error = server.failure().await;
    assert_eq!(error.cause, Cause::Refused { status: 302 });
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn malformed_json_names_the_place_and_the_endpoint() {
    let server = Canned::new(|_| Some(ok("[\n  {\"localeCode\": }]"))).await;
    assert_eq!(
        server.failure().await.to_string(),
        "reading the locales of a-u failed: unexpected response: expected value at line 2 column 18 of the JSON, in the answer to GET locales"
    );
}

#[tokio::test]
async fn a_web_page_is_told_by_its_title() {
    let page = "<html><head><title>Sign in</title></head></html>";
    let server = Canned::new(move |_| Some(ok(page))).await;
    assert_eq!(
        server.failure().await.to_string(),
        "reading the locales of a-u failed: unexpected response: a web page (\"Sign in\") instead of JSON, in the answer to GET locales"
    );
}

/// What the list of requests shows: no query, and no credential whatever the server says.
#[tokio::test]
async fn requests_are_noted_with_what_came_of_them() {
    let server = Canned::new(|head| {
        let is_key = head.contains("GetPreviewKey");
        let refused = format!("{{\"message\":\"not with {TOKEN}\"}}");
        let length = refused.len();
        Some(if is_key {
            ok("\"key\"")
        } else {
            format!(
                "HTTP/1.1 422 No\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{refused}"
            )
        })
    })
    .await;
    let instance = server.instance(Duration::from_secs(10));
    instance.authorise().await.unwrap();
    let read: Result<ReadResponse<SourceId>, _> = instance.read(&ReadRequest::Locales).await;
    read.unwrap_err();
    let (count, noted) = instance.requests().after(0);
    let [key, locales] = &noted[..] else {
        panic!("{noted:?}");
    };
    assert_eq!((count, key.endpoint.as_str()), (2, "GET GetPreviewKey"));
    assert_eq!((key.status, &key.error), (Some(200), &None));
    assert_eq!(locales.status, Some(422));
    let error = locales.error.as_ref().unwrap();
    assert!(
        error.contains("HTTP 422") && error.contains("not with"),
        "{error}"
    );
    assert!(!format!("{noted:?}").contains(TOKEN));
}

#[tokio::test]
async fn a_token_that_the_server_echoes_is_blotted_out() {
    let server = Canned::new(|request| {
        let line = request
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("authorization"));
        let body = format!("not accepted: {}", line.unwrap());
        let length = body.len();
        Some(format!(
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: {length}\r\nx-request-id: r-7\r\n\r\n{body}"
        ))
    })
    .await;
    let error = server.failure().await;
    assert_eq!(error.cause, Cause::Unauthorised);
    assert_eq!(error.request_id.as_deref(), Some("r-7"));
    let said = error.said.as_deref().unwrap();
    assert!(said.ends_with("Bearer [redacted]"), "{said}");
    assert!(!format!("{error:?}{error}").contains(TOKEN));
    assert!(!format!("{:?}", server.instance(Duration::from_secs(1))).contains(TOKEN));
}

#[tokio::test]
async fn the_preview_key_is_fetched_once_and_sent_instead_of_the_token() {
    let server = Canned::new(|request| {
        let body = if request.starts_with("GET /oauth/GetPreviewKey?guid=a-u ") {
            "\"preview.0123\""
        } else if request.contains("apikey: preview.0123") && !request.contains(TOKEN) {
            r#"{"syncToken": 0, "items": []}"#
        } else {
            "{}"
        };
        Some(ok(body))
    })
    .await;
    let instance = server.instance(Duration::from_secs(10));
    let feed = ReadRequest::Items {
        locale: Locale::new("en-us"),
        token: 0,
    };
    let first: ReadResponse<SourceId> = instance.read(&feed).await.unwrap();
    assert!(first.found.is_empty());
    instance.authorise().await.unwrap();
    let _again: ReadResponse<SourceId> = instance.clone().read(&feed).await.unwrap();
    assert_eq!(server.requests.load(Ordering::SeqCst), 3);
}

/// Half a key was taken for a whole one, so that every later read was refused.
#[tokio::test]
async fn half_a_key_is_none() {
    let server = Canned::new(|_| Some(ok("\"defaultpreview.0b5c"))).await;
    let instance = server.instance(Duration::from_secs(10));
    let error = instance.authorise().await.unwrap_err();
    assert!(matches!(error.cause, Cause::Malformed(_)), "{error}");
    assert!(!error.to_string().contains("0b5c"), "{error}");
}

#[tokio::test]
async fn a_busy_feed_may_be_asked_again() {
    let server = Canned::new(|request| {
        let is_key = request.contains("GetPreviewKey");
        Some(ok(if is_key { "key" } else { r#"{"busy": true}"# }))
    })
    .await;
    let instance = server.instance(Duration::from_secs(10));
    let feed = ReadRequest::Pages {
        locale: Locale::new("en-us"),
        token: 0,
    };
    let read: Result<ReadResponse<SourceId>, _> = instance.read(&feed).await;
    assert_eq!(read.unwrap_err().cause, Cause::Busy);
}

#[tokio::test]
async fn a_download_follows_redirects_without_a_credential() {
    let server = Canned::new(|request| {
        assert!(!request.contains(TOKEN));
        Some(if request.starts_with("GET /origin/a%20b.jpg ") {
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: /cdn/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nagility-focal-x: 0.25\r\nConnection: close\r\n\r\nabc".to_owned()
        })
    })
    .await;
    let instance = server.instance(Duration::from_secs(10));
    let url = format!("{}/origin/a b.jpg", server.url);
    let download = instance.download(&url).await.unwrap();
    assert_eq!(download.length_bytes, Some(3));
    assert_eq!(download.focal, (Some("0.25".to_owned()), None));
    let pieces: Vec<Bytes> = futures_util::TryStreamExt::try_collect(download.bytes)
        .await
        .unwrap();
    assert_eq!(pieces.concat(), b"abc");
}

#[tokio::test]
async fn a_download_that_stops_short_fails_at_its_end() {
    let server = Canned::saying("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
    let instance = server.instance(Duration::from_secs(10));
    let url = format!("{}/a.jpg?sig=secret", server.url);
    let download = instance.download(&url).await.unwrap();
    let pieces: Result<Vec<Bytes>, _> =
        futures_util::TryStreamExt::try_collect(download.bytes).await;
    let error = pieces.unwrap_err();
    assert!(matches!(error.cause, Cause::Broken(_)), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn a_token_that_cannot_be_sent_is_refused_at_once() {
    for token in ["", "two\nlines"] {
        let refused = Instance::new(Connection {
            guid: Guid::new("a-u"),
            base_url: None,
            token: Secret::new(token),
            renewal: None,
            connect_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(1),
            asset_hosts: Vec::new(),
            limits: Limits::default(),
        });
        assert_eq!(refused.unwrap_err(), ConnectionError::Token);
    }
}

/// An instance at `base`; the user allows files on `hosts`.
fn with_hosts(base: &str, hosts: &[&str]) -> Instance {
    Instance::new(Connection {
        guid: Guid::new("a-u"),
        base_url: Some(base.to_owned()),
        token: Secret::new(TOKEN),
        renewal: None,
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(10),
        asset_hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        limits: Limits::default(),
    })
    .unwrap()
}

#[tokio::test]
async fn a_name_that_leads_into_the_internal_network_is_not_connected_to() {
    let server = Canned::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let port = server.url.rsplit(':').next().unwrap();
    // An address for documentation (RFC 5737), where no server is: the instance is not on this machine.
    let elsewhere = with_hosts("http://192.0.2.1:9", &["localhost", "127.0.0.1", "[::1]"]);
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let url = format!("http://{host}:{port}/x");
        let error = elsewhere.download(&url).await.unwrap_err();
        let Cause::Misplaced(refusal) = &error.cause else {
            panic!("{error}");
        };
        assert!(matches!(**refusal, Misplaced::Internal { .. }), "{error}");
        assert_eq!(error.verdict(Effect::Read), Verdict::GiveUp);
    }
    assert_eq!(server.requests.load(Ordering::SeqCst), 0);
    let here = with_hosts(&server.url, &["localhost"]);
    let url = format!("http://localhost:{port}/x");
    assert!(here.download(&url).await.is_ok());
}

#[tokio::test]
async fn the_hosts_of_the_asset_container_are_asked_for_when_they_are_needed() {
    let server = Canned::new(|request| {
        let port = request
            .split("Host: ")
            .nth(1)
            .or(request.split("host: ").nth(1));
        let port = port.and_then(|rest| rest.lines().next()?.rsplit(':').next());
        let port = port.unwrap_or_default().to_owned();
        Some(if request.contains("asset/container") {
            ok(&format!(
                r#"{{"originUrl":"http://localhost:{port}/demo"}}"#
            ))
        } else {
            ok("bytes")
        })
    })
    .await;
    let instance = with_hosts(&server.url, &[]);
    let url = server.url.replace("127.0.0.1", "localhost");
    assert!(instance.download(&format!("{url}/a")).await.is_ok());
    assert!(instance.download(&format!("{url}/b")).await.is_ok());
    assert_eq!(server.requests.load(Ordering::SeqCst), 3);
    let other = instance
        .download("http://files.invalid/c")
        .await
        .unwrap_err();
    assert!(
        matches!(&other.cause, Cause::Misplaced(refusal) if matches!(**refusal, Misplaced::Foreign { .. }))
    );
    assert_eq!(server.requests.load(Ordering::SeqCst), 3);
}

/// An answer that is too long to be in memory twice.
#[test]
fn a_long_answer_keeps_the_spelling_of_its_numbers() {
    let long = "x".repeat(HELD_MAX);
    let json = format!("{{\"long\":\"{long}\",\"a\":1.10,\"b\":12}}");
    let read = parsed(json.as_bytes()).unwrap();
    let body = crate::domain::Body::of_answer(&read);
    assert!(body.text().ends_with("\"a\":1.10,\"b\":12}"));
    let plain = json.replace("1.10", "1.5");
    let read = parsed(plain.as_bytes()).unwrap();
    assert_eq!(read["a"], 1.5);
    let broken = &json.as_bytes()[..json.len() - 1];
    assert!(parsed(broken).is_err());
}
