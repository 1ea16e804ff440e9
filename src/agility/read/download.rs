//! Fetching the bytes of an asset.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, LOCATION};
use reqwest::{Method, Response};
use url::Url;

use crate::domain::time;
use crate::instance::{Cause, Download, FileDigest, Misplaced, RequestError, TooLarge};

use super::super::body::Body;
use super::super::classify;
use super::super::client::{Api, Call, Client, authority};
use super::super::file_hosts::{FileHosts, is_same_host, shown_host};
use super::media;

/// The MD5 of the bytes, in Base64.
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// Redirects that are followed, as many as by the vendor's CLI.
const REDIRECTS_MAX: usize = 10;

/// Opens `url` with a plain GET, as the vendor's CLI does: no credential leaves, redirects are followed. Each address on
/// the way has to be one from which files are fetched.
pub(crate) async fn download(client: &Client, url: &str) -> Result<Download, RequestError> {
    let (url, shown) = parsed(url)?;
    let operation = format!("downloading {shown}");
    let noting = client.noting(format!("GET {shown}"), operation.clone());
    let opened = follow(client, (Method::GET, url), operation).await;
    // The bytes follow, and are none of the answer that is noted.
    noting.answered(&opened, |_| 200);
    opened
}

/// What the host says of the bytes at `url`, asked with HEAD under the same rules.
pub(crate) async fn digest(client: &Client, url: &str) -> Result<Option<FileDigest>, RequestError> {
    let (url, shown) = parsed(url)?;
    let operation = format!("asking for the digest of {shown}");
    let noting = client.noting(format!("HEAD {shown}"), operation.clone());
    let opened = follow(client, (Method::HEAD, url), operation).await;
    noting.answered(&opened, |_| 200);
    opened.map(|download| download.digest)
}

/// A URL, and how it is shown: the query may hold a signature that grants access.
fn parsed(url: &str) -> Result<(Url, String), RequestError> {
    let url = Url::parse(url).map_err(|error| {
        let shown = classify::readable(url).unwrap_or_default();
        let cause = Cause::Content(format!("{shown:?} is not a URL: {error}"));
        RequestError::new("downloading an asset", cause)
    })?;
    let shown = classify::readable(&without_query(&url)).unwrap_or_default();
    Ok((url, shown))
}

async fn follow(
    client: &Client,
    (method, mut url): (Method, Url),
    operation: String,
) -> Result<Download, RequestError> {
    for _ in 0..=REDIRECTS_MAX {
        strip_user(&mut url);
        admit(client, &url, &operation).await?;
        let response = client
            .files
            .request(method.clone(), url.clone())
            .send()
            .await;
        let response = response.map_err(|error| {
            let cause = match FileHosts::refusal(&error, &url) {
                Some(refusal) => Cause::Misplaced(Box::new(refusal)),
                None => classify::transport(&error, &authority(&url), client.request_timeout),
            };
            RequestError::new(&*operation, cause)
        })?;
        match redirected(&response, &url) {
            Some(next) => url = next,
            None => return opened(client, response, &url, operation).await,
        }
    }
    let cause = Cause::Content(format!("more than {REDIRECTS_MAX} redirects"));
    Err(RequestError::new(operation, cause))
}

/// A user name and a password would be sent as a credential.
fn strip_user(url: &mut Url) {
    // URLs of files cannot fail to lose them.
    let _is_lost = url.set_username("").and(url.set_password(None));
}

/// Checks that files are fetched from the host of `url`. The asset container is asked for once, if no other rule allows it.
async fn admit(client: &Client, url: &Url, operation: &str) -> Result<(), RequestError> {
    let refused = |refusal| RequestError::new(operation, Cause::Misplaced(Box::new(refusal)));
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = classify::name(url.scheme()).unwrap_or_default();
        return Err(refused(Misplaced::Scheme { scheme }));
    }
    if !client.file_hosts.knows(url) {
        let container = client
            .container
            .get_or_try_init(|| container(client))
            .await?;
        if !container.iter().any(|known| is_same_host(known, url)) {
            let host = shown_host(url);
            return Err(refused(Misplaced::Foreign { host }));
        }
    }
    client.file_hosts.admit(url).await.map_err(refused)
}

/// The URLs of the default asset container.
async fn container(client: &Client) -> Result<Vec<Url>, RequestError> {
    let operation = format!("reading the default asset container of {}", client.guid);
    let call = Call::get(operation, Api::Management, "asset/container".to_owned());
    let reply = client.send(call).await?;
    let urls = reply.understand(|row| media::container_urls(&row))?;
    let urls = [urls.origin_url, urls.edge_url];
    let urls = urls.iter().filter_map(|url| Url::parse(url).ok());
    Ok(urls.collect())
}

/// Where a redirect leads (RFC 9110, section 15.4).
fn redirected(response: &Response, from: &Url) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301..=303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    from.join(location).ok()
}

async fn opened(
    client: &Client,
    response: Response,
    url: &Url,
    operation: String,
) -> Result<Download, RequestError> {
    let headers = response.headers().clone();
    if let Some(cause) = classify::status(response.status(), &headers, time::now()) {
        let body = Body::start(response, classify::SEARCHED_MAX).await;
        let body = body.unwrap_or_default();
        return Err(RequestError {
            said: classify::said(&body),
            request_id: classify::request_id(&headers, &body),
            ..RequestError::new(operation, cause)
        });
    }
    let header = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let length_bytes = response.content_length();
    let (host, limit, most) = (
        authority(url),
        client.request_timeout,
        length_bytes.is_none().then_some(client.limits.file_bytes),
    );
    let bytes = response.bytes_stream();
    let bytes = bytes.map_err(move |error| classify::transport(&error, &host, limit));
    Ok(Download {
        length_bytes,
        focal: (header("agility-focal-x"), header("agility-focal-y")),
        digest: digest_of(&headers),
        bytes: cut(bytes, most)
            .map_err(move |cause| RequestError::new(&*operation, cause))
            .boxed(),
    })
}

/// What an answer says of the bytes of a file. Of a form in which they are sent for this answer only it says nothing.
fn digest_of(headers: &HeaderMap) -> Option<FileDigest> {
    let header = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    if header(&CONTENT_ENCODING).is_some_and(|form| !form.eq_ignore_ascii_case("identity")) {
        return None;
    }
    let md5 = STANDARD.decode(header(&CONTENT_MD5)?).ok()?;
    Some(FileDigest {
        bytes: header(&CONTENT_LENGTH)?.parse().ok()?,
        md5: md5.try_into().ok()?,
    })
}

/// The stream, which fails where it goes beyond `most` bytes.
fn cut(
    bytes: impl Stream<Item = Result<Bytes, Cause>> + Send,
    most: Option<u64>,
) -> impl Stream<Item = Result<Bytes, Cause>> + Send {
    let mut length = 0_u64;
    bytes.map(move |piece| {
        let piece = piece?;
        length = length.saturating_add(piece.len() as u64);
        match most {
            Some(most) if length > most => Err(Cause::TooLarge(TooLarge::File(most))),
            Some(_) | None => Ok(piece),
        }
    })
}

fn without_query(url: &Url) -> String {
    let mut shown = url.clone();
    strip_user(&mut shown);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}
