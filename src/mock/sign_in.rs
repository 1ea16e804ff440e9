//! Signing in: access tokens that expire, and refresh tokens that are good for one use.
//!
//! The page on which a user would agree sends the browser on at once. Tokens that this server has issued are told by how they
//! begin, so that any other token is still accepted or refused as the options say; after a restart none is known any more.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::world::failure::Refusal;

/// How tokens that this server has issued begin.
const ISSUED: &str = "mock-access-";

/// What it has issued.
#[derive(Debug)]
pub(crate) struct SignIn {
    base: String,
    lifetime: Duration,
    denies: bool,
    issued: Mutex<Issued>,
}

#[derive(Debug, Default)]
struct Issued {
    /// Codes that have not been exchanged yet, with the address to which each went.
    codes: HashMap<String, String>,
    /// Access tokens, and when each expires.
    access: HashMap<String, Instant>,
    /// Refresh tokens that have not been used.
    refresh: HashSet<String>,
    /// Answers that wait to be fetched, by the code of the client.
    kept: HashMap<String, Value>,
}

fn random(start: &str) -> String {
    let number: u128 = rand::rng().random();
    format!("{start}{number:032x}")
}

impl SignIn {
    pub(crate) fn new(base: String, lifetime: Duration, denies: bool) -> Self {
        Self {
            base,
            lifetime,
            denies,
            issued: Mutex::default(),
        }
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a token may be used; `None` for one that it has not issued.
    pub(crate) fn accepts(&self, token: &str) -> Option<bool> {
        let until = token
            .starts_with(ISSUED)
            .then(|| self.issued().access.get(token).copied())?;
        Some(until.is_some_and(|until| Instant::now() < until))
    }

    /// Where the browser goes from the page of the sign-in.
    pub(crate) fn authorize(&self, redirect: &str, state: &str) -> Result<String, Refusal> {
        let refused = || Refusal::new(400, "The redirect_uri is not allowed.");
        let mut url = Url::parse(redirect).map_err(|_| refused())?;
        let own = format!("{}/oauth/CliAuth", self.base);
        let is_loopback = url.scheme() == "http" && url.host_str() == Some("127.0.0.1");
        if !(is_loopback || redirect.eq_ignore_ascii_case(&own)) {
            return Err(refused());
        }
        if self.denies {
            url.query_pairs_mut()
                .append_pair("error", "access_denied")
                .append_pair("state", state);
        } else {
            let code = random("mock-code-");
            url.query_pairs_mut()
                .append_pair("code", &code)
                .append_pair("state", state);
            self.issued().codes.insert(code, redirect.to_owned());
        }
        Ok(url.into())
    }

    /// Tokens for a code, once.
    pub(crate) fn exchange(&self, code: &str, redirect: Option<&str>) -> Result<Value, Refusal> {
        let mut issued = self.issued();
        let went_to = issued.codes.remove(code);
        if went_to.is_none_or(|went_to| redirect.is_some_and(|redirect| redirect != went_to)) {
            return Err(invalid_grant());
        }
        Ok(self.grant(&mut issued))
    }

    /// New tokens for a refresh token, which is used up by that.
    pub(crate) fn refresh(&self, token: &str) -> Result<Value, Refusal> {
        let mut issued = self.issued();
        if !issued.refresh.remove(token) {
            return Err(invalid_grant());
        }
        Ok(self.grant(&mut issued))
    }

    /// Keeps tokens for a code under the code of the client.
    pub(crate) fn keep(&self, code: &str, client: &str) -> Result<Value, Refusal> {
        let grant = self.exchange(code, None)?;
        self.issued().kept.insert(client.to_owned(), grant);
        Ok(json!("Signed in."))
    }

    /// What is kept under the code of a client, once; an empty object before.
    pub(crate) fn fetch(&self, client: &str) -> Value {
        self.issued()
            .kept
            .remove(client)
            .unwrap_or_else(|| json!({}))
    }

    /// Ends all that it has issued.
    pub(crate) fn revoke(&self) {
        *self.issued() = Issued::default();
    }

    fn grant(&self, issued: &mut Issued) -> Value {
        let (access, refresh) = (random(ISSUED), random("mock-refresh-"));
        issued
            .access
            .insert(access.clone(), Instant::now() + self.lifetime);
        issued.refresh.insert(refresh.clone());
        json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.lifetime.as_secs(),
            "refresh_token": refresh
        })
    }
}

fn invalid_grant() -> Refusal {
    Refusal {
        status: 400,
        body: json!({ "error": "invalid_grant" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in(lifetime: Duration) -> SignIn {
        SignIn::new("http://127.0.0.1:9".to_owned(), lifetime, false)
    }

    fn text(grant: &Value, name: &str) -> String {
        grant[name].as_str().unwrap().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_expire_and_refresh_tokens_are_good_for_one_use() {
        let server = sign_in(Duration::from_secs(10));
        let back = "http://127.0.0.1:7/callback";
        let to = server.authorize(back, "s1").unwrap();
        let url = Url::parse(&to).unwrap();
        let pairs: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs["state"], "s1");
        assert!(
            server
                .exchange(&pairs["code"], Some("http://127.0.0.1:8/callback"))
                .is_err()
        );
        assert!(
            server.exchange(&pairs["code"], Some(back)).is_err(),
            "it is used up"
        );
        let to = Url::parse(&server.authorize(back, "s1").unwrap()).unwrap();
        let code = to
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned();
        let grant = server.exchange(&code, Some(back)).unwrap();
        let access = text(&grant, "access_token");
        assert_eq!(server.accepts(&access), Some(true));
        assert_eq!(server.accepts("another"), None);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(server.accepts(&access), Some(false));
        let refresh = text(&grant, "refresh_token");
        let next = server.refresh(&refresh).unwrap();
        assert!(server.refresh(&refresh).is_err(), "it is used up");
        assert_eq!(server.accepts(&text(&next, "access_token")), Some(true));
        server.revoke();
        assert!(server.refresh(&text(&next, "refresh_token")).is_err());
    }

    #[tokio::test]
    async fn the_browser_is_sent_to_this_machine_or_to_the_server_alone() {
        let server = sign_in(Duration::from_secs(10));
        assert!(server.authorize("https://elsewhere.test/", "s").is_err());
        assert!(server.authorize("nonsense", "s").is_err());
        let to = server
            .authorize("http://127.0.0.1:9/oauth/CliAuth", "cli-code.1")
            .unwrap();
        let code = Url::parse(&to).unwrap();
        let code = code
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned();
        assert_eq!(server.fetch("cli-code.1"), json!({}));
        server.keep(&code, "cli-code.1").unwrap();
        assert!(server.fetch("cli-code.1")["access_token"].is_string());
        assert_eq!(server.fetch("cli-code.1"), json!({}), "it is fetched once");
    }
}
