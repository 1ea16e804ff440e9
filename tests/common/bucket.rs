//! A bucket in the process of the tests that speaks as much of S3 as keeping and reading objects needs: put, get with ranges, head,
//! list by pages, and multipart uploads.
//!
//! It checks the signature of each request (AWS Signature Version 4) with the hash of its body, written here from the public
//! description (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>). It is no real server:
//! what others do with regions, rights and limits is not tried.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The name of the bucket.
const NAME: &str = "undo";
/// Who may use it.
const KEY: &str = "AKIDLOCKGATETEST";
/// The secret of [`KEY`]. Nothing else looks like it.
pub(crate) const SECRET: &str = "n33dle/secret+of/the+bucket0123456789ab";
/// How many objects one answer lists.
const PAGE: usize = 2;
/// What a signature does not encode.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A running bucket. It ends when dropped.
pub(crate) struct Bucket {
    endpoint: String,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

struct Shared {
    objects: Mutex<BTreeMap<String, Bytes>>,
    uploads: Mutex<BTreeMap<String, BTreeMap<u32, Bytes>>>,
    /// The largest body of a request.
    largest: Mutex<usize>,
    /// Whether objects are stored and no answer leaves.
    is_holding: watch::Sender<bool>,
    /// How many objects were stored whose name is a hash.
    stored: watch::Sender<usize>,
}

struct Asked {
    method: Method,
    /// Decoded, without the name of the bucket.
    key: String,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Bucket {
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared {
            objects: Mutex::default(),
            uploads: Mutex::default(),
            largest: Mutex::default(),
            is_holding: watch::Sender::new(false),
            stored: watch::Sender::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            endpoint,
            shared,
            _serving: serving,
        }
    }

    /// What programs find it by.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 5] {
        [
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ALLOW_HTTP", "true"),
        ]
    }

    /// The names of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        let objects = self.shared.objects.lock().unwrap();
        objects.keys().cloned().collect()
    }

    /// Changes every object whose name fits.
    pub(crate) fn damage(&self, fits: impl Fn(&str) -> bool, damage: impl Fn(&[u8]) -> Vec<u8>) {
        let mut objects = self.shared.objects.lock().unwrap();
        for (_, bytes) in objects.iter_mut().filter(|(key, _)| fits(key)) {
            *bytes = damage(bytes).into();
        }
    }

    /// The largest body of a request so far, in bytes.
    pub(crate) fn largest(&self) -> usize {
        *self.shared.largest.lock().unwrap()
    }

    /// From now on objects whose name is a hash are stored, and the answer does not leave before it is let go.
    pub(crate) fn hold(&self, is_holding: bool) {
        self.shared.is_holding.send_replace(is_holding);
    }

    /// Waits until one such object was stored.
    pub(crate) async fn has_stored(&self) {
        let mut stored = self.shared.stored.subscribe();
        stored.wait_for(|stored| *stored > 0).await.unwrap();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = percent_decode_str(head.uri.path()).decode_utf8_lossy();
    let (bucket, key) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    let asked = Asked {
        key: key.to_owned(),
        query: query(&head.uri),
        method: head.method,
        headers: head.headers,
        body,
    };
    {
        let mut largest = shared.largest.lock().unwrap();
        *largest = (*largest).max(asked.body.len());
    }
    if let Err(code) = signed(&asked, head.uri.path()) {
        return refusal(StatusCode::FORBIDDEN, code);
    }
    if bucket != NAME {
        return refusal(StatusCode::NOT_FOUND, "NoSuchBucket");
    }
    let answer = shared.answer(&asked);
    let is_kept = asked.method == Method::PUT && !key.ends_with("lockgate-check");
    if is_kept {
        shared.stored.send_modify(|stored| *stored += 1);
        let mut is_holding = shared.is_holding.subscribe();
        is_holding.wait_for(|is_holding| !is_holding).await.unwrap();
    }
    answer
}

impl Shared {
    fn answer(&self, asked: &Asked) -> Response<Body> {
        let upload = asked.query.get("uploadId");
        match (asked.method.as_str(), upload) {
            ("GET", _) if asked.query.contains_key("list-type") => self.list(asked),
            ("GET" | "HEAD", _) => self.get(asked),
            ("PUT", None) => {
                self.objects
                    .lock()
                    .unwrap()
                    .insert(asked.key.clone(), asked.body.clone());
                tagged(&asked.body)
            }
            ("POST", None) if asked.query.contains_key("uploads") => self.begin(),
            ("PUT", Some(upload)) => self.part(asked, upload),
            ("POST", Some(upload)) => self.complete(asked, upload),
            ("DELETE", Some(upload)) => {
                self.uploads.lock().unwrap().remove(upload);
                plain(StatusCode::NO_CONTENT, Body::empty())
            }
            _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    fn begin(&self) -> Response<Body> {
        let mut uploads = self.uploads.lock().unwrap();
        let id = format!("upload-{}", uploads.len() + 1);
        uploads.insert(id.clone(), BTreeMap::new());
        xml(format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        ))
    }

    fn part(&self, asked: &Asked, upload: &str) -> Response<Body> {
        let mut uploads = self.uploads.lock().unwrap();
        let Some(parts) = uploads.get_mut(upload) else {
            return refusal(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        let number = asked.query["partNumber"].parse().unwrap();
        parts.insert(number, asked.body.clone());
        tagged(&asked.body)
    }

    /// All parts but the last one have 5 MiB at least, as the real one asks for.
    fn complete(&self, asked: &Asked, upload: &str) -> Response<Body> {
        let Some(parts) = self.uploads.lock().unwrap().remove(upload) else {
            return refusal(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        let listed = String::from_utf8_lossy(&asked.body)
            .matches("<PartNumber>")
            .count();
        let before_last = parts.len().saturating_sub(1);
        if parts
            .values()
            .take(before_last)
            .any(|part| part.len() < 5 << 20)
        {
            return refusal(StatusCode::BAD_REQUEST, "EntityTooSmall");
        }
        if listed != parts.len() {
            return refusal(StatusCode::BAD_REQUEST, "InvalidPart");
        }
        let whole: Vec<u8> = parts.values().flatten().copied().collect();
        let tag = tag(&whole);
        let mut objects = self.objects.lock().unwrap();
        objects.insert(asked.key.clone(), whole.into());
        xml(format!(
            "<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
        ))
    }

    fn get(&self, asked: &Asked) -> Response<Body> {
        let objects = self.objects.lock().unwrap();
        let Some(bytes) = objects.get(&asked.key) else {
            return refusal(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let length = bytes.len();
        let range = asked.headers.get("range").map(|range| {
            let range = range.to_str().unwrap().strip_prefix("bytes=").unwrap();
            let (from, to) = range.split_once('-').unwrap();
            let to = to.parse().unwrap_or(length - 1).min(length - 1);
            (from.parse::<usize>().unwrap(), to)
        });
        let answer = Response::builder()
            .header("etag", tag(bytes))
            .header("last-modified", "Mon, 30 Nov 2026 12:00:00 GMT");
        let answer = match (asked.method == Method::HEAD, range) {
            (true, _) => answer.header("content-length", length).body(Body::empty()),
            (false, None) => answer.body(Body::from(bytes.clone())),
            (false, Some((from, to))) => answer
                .status(StatusCode::PARTIAL_CONTENT)
                .header("content-range", format!("bytes {from}-{to}/{length}"))
                .body(Body::from(bytes.slice(from..=to))),
        };
        answer.unwrap()
    }

    fn list(&self, asked: &Asked) -> Response<Body> {
        let prefix = asked.query.get("prefix").map_or("", String::as_str);
        let after = asked
            .query
            .get("continuation-token")
            .map_or("", String::as_str);
        let objects = self.objects.lock().unwrap();
        let mut found = objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        let page: Vec<_> = found.by_ref().take(PAGE).collect();
        let mut text = String::from("<ListBucketResult>");
        if let (Some((last, _)), true) = (page.last(), found.next().is_some()) {
            write!(
                text,
                "<NextContinuationToken>{last}</NextContinuationToken>"
            )
            .unwrap();
        }
        for (key, bytes) in page {
            let (tag, size) = (tag(bytes), bytes.len());
            write!(
                text,
                "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{tag}</ETag>\
                 <LastModified>2026-11-30T12:00:00.000Z</LastModified></Contents>"
            )
            .unwrap();
        }
        xml(text + "</ListBucketResult>")
    }
}

/// The names and values of a query, decoded.
fn query(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// Compares the signature of a request with the one that it has to have.
///
/// # Errors
/// The code of the refusal.
fn signed(asked: &Asked, path: &str) -> Result<(), &'static str> {
    let header = |name: &str| {
        asked
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let given = header("authorization").ok_or("AccessDenied")?;
    let given = given
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("AccessDenied")?;
    let part = |name: &str| {
        let mut parts = given.split(',').map(str::trim);
        parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
    };
    let (credential, names) = (part("Credential"), part("SignedHeaders"));
    let (credential, names) = (
        credential.ok_or("AccessDenied")?,
        names.ok_or("AccessDenied")?,
    );
    let (key, scope) = credential.split_once('/').ok_or("AccessDenied")?;
    if key != KEY {
        return Err("InvalidAccessKeyId");
    }
    let body = header("x-amz-content-sha256").ok_or("AccessDenied")?;
    if body != hex(&Sha256::digest(&asked.body)) {
        return Err("XAmzContentSHA256Mismatch");
    }
    let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let pairs = asked.query.iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    let headers = names.split(';').fold(String::new(), |mut text, name| {
        let value = header(name).unwrap_or_default().trim();
        writeln!(text, "{name}:{value}").unwrap();
        text
    });
    let canonical = format!(
        "{}\n{path}\n{}\n{headers}\n{names}\n{body}",
        asked.method,
        pairs.join("&")
    );
    let moment = header("x-amz-date").ok_or("AccessDenied")?;
    let text = format!(
        "AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}",
        hex(&Sha256::digest(canonical))
    );
    let first = format!("AWS4{SECRET}").into_bytes();
    let signing = scope
        .split('/')
        .fold(first, |key, part| hmac(&key, part.as_bytes()));
    if part("Signature") == Some(&hex(&hmac(&signing, text.as_bytes()))) {
        Ok(())
    } else {
        Err("SignatureDoesNotMatch")
    }
}

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let keyed = |pad: u8, text: &[u8]| {
        let key: Vec<u8> = block.iter().map(|byte| byte ^ pad).collect();
        Sha256::new()
            .chain_update(key)
            .chain_update(text)
            .finalize()
    };
    keyed(0x5c, &keyed(0x36, text)).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex(&Sha256::digest(bytes)[..16]))
}

fn tagged(bytes: &[u8]) -> Response<Body> {
    let answer = Response::builder().header("etag", tag(bytes));
    answer.body(Body::empty()).unwrap()
}

fn xml(text: String) -> Response<Body> {
    plain(StatusCode::OK, Body::from(text))
}

/// The real one quotes what it computed the signature from, and so does this one.
fn refusal(status: StatusCode, code: &str) -> Response<Body> {
    let text = format!(
        "<Error><Code>{code}</Code><Message>refused</Message><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>"
    );
    plain(status, Body::from(text))
}

fn plain(status: StatusCode, body: Body) -> Response<Body> {
    Response::builder().status(status).body(body).unwrap()
}
