//! Signing in: the OAuth endpoints of a Management host, which give tokens and new ones in their place.
//!
//! Two ways lead to the first token. In one the browser comes back to this machine with a code ("Standard OAuth code
//! flow", API description). In the other the server keeps the answer under a code of ours until it is fetched (official
//! CLI), so that the browser can be on any machine. Neither has a client secret or a code challenge (PKCE): the API
//! describes none.

use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use url::Url;

use super::body::{Body, Unread};
use super::client::authority;
use super::hosts::Hosts;
use super::{ConnectionError, classify};
use crate::domain::{Guid, Secret, time};
use crate::instance::{Cause, RequestError};

/// What stays as it is in a query (RFC 3986, "Unreserved Characters", without the dot, which the official CLI escapes).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The longest answer that is read.
const ANSWER: u64 = 64 << 10;

/// What is asked for: who the user is, and a token that renews the other one (API description).
const SCOPE: &str = "openid profile email offline_access";

/// The OAuth endpoints of one host.
#[derive(Clone, Debug)]
pub struct OAuth {
    http: reqwest::Client,
    base: String,
    limit: Duration,
}

/// What the server gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The access token.
    pub access: Secret,
    /// What gives the next one, once; `None` where the server gives none.
    pub refresh: Option<Secret>,
    /// How long the access token is valid; `None` where the server does not say.
    pub lifetime: Option<Duration>,
    /// When it was asked for; the time of the access token begins later, and its answer may have taken long.
    pub asked_at: Timestamp,
}

/// Why there are no new tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRefreshed {
    /// The server does not take the refresh token any more. It never will again.
    #[error("{0}")]
    Ended(String),
    /// There was no answer, or none that can be used. The refresh token may be used up.
    #[error("{0}")]
    Failed(String),
}

/// As it is on the wire.
#[derive(Deserialize)]
struct Wire {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<f64>,
}

impl OAuth {
    /// Of the Management host of an instance; see [`management_url`].
    ///
    /// # Errors
    /// [`ConnectionError`] when the address cannot be one. Nothing is sent.
    pub fn new(
        guid: &Guid,
        base_url: Option<&str>,
        (connect, request): (Duration, Duration),
    ) -> Result<Self, ConnectionError> {
        let hosts = Hosts::of(guid, base_url)?;
        let http = super::client::builder(connect, hosts.loopback)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ConnectionError::Client(error.to_string()))?;
        Ok(Self {
            http,
            base: hosts.management,
            limit: request,
        })
    }

    /// Host and port.
    pub fn host(&self) -> String {
        Url::parse(&self.base)
            .map(|url| authority(&url))
            .unwrap_or_default()
    }

    /// The page on which a user agrees; the browser comes back to `redirect` with `code` and `state`, or with `error`.
    pub fn sign_in_url(&self, redirect: &str, state: &str) -> String {
        let scope = utf8_percent_encode(SCOPE, QUERY);
        format!("{}&scope={scope}", self.authorize(redirect, state))
    }

    /// The page on which a user agrees; the answer is kept under `code` and fetched with [`OAuth::fetch`].
    pub fn kept_sign_in_url(&self, code: &str) -> String {
        self.authorize(&format!("{}/oauth/CliAuth", self.base), code)
    }

    fn authorize(&self, redirect: &str, state: &str) -> String {
        let encoded = |text| utf8_percent_encode(text, QUERY);
        format!(
            "{}/oauth/Authorize?response_type=code&redirect_uri={}&state={}",
            self.base,
            encoded(redirect),
            encoded(state)
        )
    }

    /// Tokens for the code that the browser came back with (`POST /oauth/token`).
    ///
    /// # Errors
    /// [`RequestError`]; [`Cause::Refused`] for a code that is not valid.
    pub async fn exchange(&self, code: &str, redirect: &str) -> Result<Grant, RequestError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
        ];
        self.grant("signing in", "token", &form).await
    }

    /// New tokens (`POST /oauth/refresh`). Where the server gives a new refresh token, the old one is used up.
    ///
    /// # Errors
    /// [`NotRefreshed`]
    pub async fn refresh(&self, refresh: &Secret) -> Result<Grant, NotRefreshed> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.expose()),
        ];
        let asked = self.grant("renewing the token", "refresh", &form).await;
        asked.map_err(|error| {
            let has_ended = matches!(
                error.cause,
                Cause::Unauthorised | Cause::Forbidden | Cause::Refused { .. }
            );
            if has_ended {
                NotRefreshed::Ended(error.to_string())
            } else {
                NotRefreshed::Failed(error.to_string())
            }
        })
    }

    /// What is kept under a code of [`OAuth::kept_sign_in_url`] (`POST /oauth/CliPoll`); `None` while there is nothing. The
    /// server may answer with an error until then, so an error does not end the wait.
    ///
    /// # Errors
    /// [`RequestError`] when the server cannot be reached at all.
    pub async fn fetch(&self, code: &str) -> Result<Option<Grant>, RequestError> {
        let asked_at = time::now();
        match self
            .post("fetching the token", "CliPoll", &[("cliCode", code)])
            .await
        {
            Ok(body) => Ok(grant_of(&body, asked_at)),
            Err(error) if matches!(error.cause, Cause::Connect { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    async fn grant(
        &self,
        operation: &str,
        route: &str,
        form: &[(&str, &str)],
    ) -> Result<Grant, RequestError> {
        let asked_at = time::now();
        let body = self.post(operation, route, form).await?;
        grant_of(&body, asked_at).ok_or_else(|| {
            // What it holds may be a token, so nothing of it is repeated.
            let cause = Cause::Malformed(format!("no token, in the answer to POST oauth/{route}"));
            RequestError::new(operation, cause)
        })
    }

    async fn post(
        &self,
        operation: &str,
        route: &str,
        form: &[(&str, &str)],
    ) -> Result<Vec<u8>, RequestError> {
        let failed = |cause| RequestError::new(operation, cause);
        let transport =
            |error: &reqwest::Error| failed(classify::transport(error, &self.host(), self.limit));
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self
            .http
            .post(format!("{}/oauth/{route}", self.base))
            .timeout(self.limit)
            .header(reqwest::header::ACCEPT, "application/json")
            .header(
                reqwest::header::CONTENT_TYPE,
                "application/x-www-form-urlencoded",
            )
            .body(body);
        let response = request.send().await.map_err(|error| transport(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(cause) = classify::status(status, &headers, time::now()) {
            let body = Body::start(response, classify::SEARCHED_MAX).await;
            let body = body.map_err(|error| transport(&error))?;
            return Err(RequestError {
                said: classify::said(&body),
                request_id: classify::request_id(&headers, &body),
                ..failed(cause)
            });
        }
        match Body::read(response, ANSWER).await {
            Ok(body) => Ok(body.bytes.to_vec()),
            Err(Unread::Broken(error)) => Err(transport(&error)),
            Err(Unread::TooLarge(what)) => Err(failed(Cause::TooLarge(what))),
        }
    }
}

/// The tokens of an answer, which become known as credentials by this; `None` where there are none.
fn grant_of(body: &[u8], asked_at: Timestamp) -> Option<Grant> {
    let wire: Wire = serde_json::from_slice(body).ok()?;
    let secret = |text: String| Some(Secret::new(&text)).filter(super::client::is_token);
    Some(Grant {
        access: secret(wire.access_token)?,
        refresh: wire.refresh_token.and_then(secret),
        lifetime: wire
            .expires_in
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        asked_at,
    })
}

/// The base address of the Management host of an instance, without a slash at the end: it follows from the GUID, or is
/// `base_url`.
///
/// # Errors
/// [`ConnectionError`] when the address cannot be one.
pub fn management_url(guid: &Guid, base_url: Option<&str>) -> Result<String, ConnectionError> {
    Hosts::of(guid, base_url).map(|hosts| hosts.management)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oauth() -> OAuth {
        let limits = (Duration::from_secs(1), Duration::from_secs(1));
        OAuth::new(&Guid::new("1a2b3c4d-e"), None, limits).unwrap()
    }

    #[test]
    fn the_page_is_on_the_host_of_the_region_and_names_the_way_back() {
        let oauth = oauth();
        assert_eq!(
            oauth.sign_in_url("http://127.0.0.1:7/callback", "a+b"),
            "https://mgmt-eu.aglty.io/oauth/Authorize?response_type=code\
             &redirect_uri=http%3A%2F%2F127%2E0%2E0%2E1%3A7%2Fcallback&state=a%2Bb\
             &scope=openid%20profile%20email%20offline%5Faccess"
                .replace("%5F", "_")
        );
        assert_eq!(
            oauth.kept_sign_in_url("cli-code.ab12cd"),
            "https://mgmt-eu.aglty.io/oauth/Authorize?response_type=code\
             &redirect_uri=https%3A%2F%2Fmgmt-eu%2Eaglty%2Eio%2Foauth%2FCliAuth&state=cli-code%2Eab12cd"
        );
    }

    #[test]
    fn only_an_answer_with_a_token_is_one() {
        let grant = grant_of(
            br#"{"access_token":"an-access-token-1","expires_in":3600}"#,
            time::now(),
        )
        .unwrap();
        assert_eq!(grant.access.expose(), "an-access-token-1");
        assert_eq!(grant.lifetime, Some(Duration::from_hours(1)));
        assert_eq!(grant.refresh, None);
        for body in [
            "",
            "null",
            "{}",
            r#"{"access_token":""}"#,
            "<html>",
            r#"{"access_token":"a\nb"}"#,
        ] {
            assert_eq!(grant_of(body.as_bytes(), time::now()), None, "{body}");
        }
    }
}
