//! Fetching the bytes of an asset.

use futures_util::TryStreamExt;
use url::Url;

use crate::domain::time;
use crate::instance::{Cause, Download, RequestError};

use super::super::classify;
use super::super::client::{Client, authority};

/// Opens `url` with a plain GET, as the vendor's CLI does: no credential leaves, redirects are followed.
pub(crate) async fn download(client: &Client, url: &str) -> Result<Download, RequestError> {
    let failed = |operation: String, cause| RequestError {
        operation,
        cause,
        said: None,
        request_id: None,
    };
    let mut url = Url::parse(url).map_err(|error| {
        let shown = classify::readable(url).unwrap_or_default();
        let cause = Cause::Content(format!("{shown:?} is not a URL: {error}"));
        failed("downloading an asset".to_owned(), cause)
    })?;
    // A user name and a password would be sent as a credential. URLs of files cannot fail to lose them.
    let _is_lost = url.set_username("").and(url.set_password(None));
    // The query may hold a signature that grants access.
    let shown = classify::readable(&without_query(&url)).unwrap_or_default();
    let operation = format!("downloading {shown}");
    let (host, limit) = (authority(&url), client.request_timeout);
    let response = client.files.get(url).send().await;
    let mut response = response.map_err(|error| {
        let cause = classify::transport(&error, &host, limit);
        failed(operation.clone(), cause)
    })?;
    if let Some(cause) = classify::status(response.status(), response.headers(), time::now()) {
        // The start of the page is enough, and it may be of any length.
        let body = response.chunk().await.ok().flatten().unwrap_or_default();
        return Err(RequestError {
            said: classify::said(&body),
            request_id: classify::request_id(response.headers(), &body),
            ..failed(operation, cause)
        });
    }
    let header = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    Ok(Download {
        length_bytes: response.content_length(),
        focal: (header("agility-focal-x"), header("agility-focal-y")),
        bytes: Box::pin(response.bytes_stream().map_err(move |error| {
            failed(operation.clone(), classify::transport(&error, &host, limit))
        })),
    })
}

fn without_query(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}
