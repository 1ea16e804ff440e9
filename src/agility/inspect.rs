//! What can be asked of an instance besides its entities: the user of the token, and the
//! state of publishing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use super::client::{Api, Call};
use super::connection::Instance;
use super::shape;
use crate::domain::time;
use crate::instance::RequestError;

/// The user of the token, and how the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The e-mail address of the user, else the name.
    pub user: String,
    /// What the user may do on the instance; `None` where the user has no access to it.
    pub access: Option<Access>,
    /// From the request to the complete answer.
    pub took: Duration,
    /// How far the server's clock is ahead of this machine's, by its `Date` header, which counts whole seconds; `None`
    /// without such a header.
    pub clock_ahead: Option<SignedDuration>,
}

/// The standing of a user on an instance (`WebsiteListing` of `GET users/me`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The display name of the instance.
    pub name: String,
    /// `isOwner`.
    pub is_owner: bool,
    /// `isDormant` or `isRestoring`: the instance does not work as usual.
    pub is_asleep: bool,
}

/// Which copy of an instance the Content Fetch API shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What is published.
    Published,
    /// The latest saved version of everything.
    Preview,
}

/// How far one of these copies is (`GET fetch-api-status`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedState {
    /// Whether content is being published at present.
    pub is_in_progress: bool,
    /// When publishing was complete last, as the server says it.
    pub completed: Option<String>,
    /// Why publishing failed.
    pub error: Option<String>,
}

impl Instance {
    /// The user of the token (`GET users/me`).
    ///
    /// # Errors
    /// [`RequestError`] with the reason.
    pub async fn account(&self) -> Result<Account, RequestError> {
        let client = self.client();
        let operation = format!("reading the user of the token for {}", client.guid);
        let began = Instant::now();
        let call = Call::get(operation, Api::Account, "users/me".to_owned());
        let reply = client.send(call).await?;
        let took = began.elapsed();
        let clock_ahead = reply.date().map(|date| ahead(date, time::now(), took));
        let body = reply.json()?;
        let text = |name| shape::text(&body, name).filter(|text| !text.is_empty());
        Ok(Account {
            user: text("emailAddress")
                .or_else(|| text("userName"))
                .unwrap_or("a user without a name")
                .to_owned(),
            access: access(&body, client.guid.as_str()),
            took,
            clock_ahead,
        })
    }

    /// How far a copy is (`GET fetch-api-status?mode=fetch` or `preview`).
    ///
    /// # Errors
    /// [`RequestError`] with the reason.
    pub async fn published_state(&self, shown: Shown) -> Result<PublishedState, RequestError> {
        let client = self.client();
        let operation = format!("reading the state of publishing of {}", client.guid);
        let mode = match shown {
            Shown::Published => "fetch",
            Shown::Preview => "preview",
        };
        let path = format!("fetch-api-status?mode={mode}");
        let reply = client
            .send(Call::get(operation, Api::Management, path))
            .await?;
        let body = reply.json()?;
        let text = |name| {
            let text = shape::text(&body, name).filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        Ok(PublishedState {
            is_in_progress: shape::flag(&body, "inProgress"),
            completed: text("completionTime"),
            error: text("errorMessage"),
        })
    }
}

/// The server's clock against this one. The header was written somewhere between the request and its answer.
fn ahead(date: Timestamp, now: Timestamp, took: Duration) -> SignedDuration {
    let middle = SignedDuration::try_from(took / 2).unwrap_or_default();
    date.duration_since(now) + middle
}

fn access(user: &Value, guid: &str) -> Option<Access> {
    let rows = shape::member(user, "websiteAccess").and_then(Value::as_array)?;
    let is_it = |row: &&Value| {
        shape::text(row, "guid").is_some_and(|other| other.eq_ignore_ascii_case(guid))
    };
    let row = rows.iter().find(is_it)?;
    let name = shape::text(row, "displayName").or_else(|| shape::text(row, "websiteName"));
    Some(Access {
        name: name.unwrap_or_default().to_owned(),
        is_owner: shape::flag(row, "isOwner"),
        is_asleep: shape::flag(row, "isDormant") || shape::flag(row, "isRestoring"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_access_is_that_to_the_own_instance() {
        let user = json!({ "websiteAccess": [
            { "guid": "other-u", "isOwner": true },
            { "guid": "1A2B-u", "displayName": "Site", "isOwner": false, "isRestoring": true }
        ]});
        let found = access(&user, "1a2b-u").unwrap();
        assert_eq!(
            (&*found.name, found.is_owner, found.is_asleep),
            ("Site", false, true)
        );
        assert_eq!(access(&user, "none-u"), None);
        assert_eq!(access(&Value::Null, "none-u"), None);
    }

    #[test]
    fn the_difference_of_clocks_does_not_count_the_way() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let found = ahead(at(100), at(110), Duration::from_secs(4));
        assert_eq!(found, SignedDuration::from_secs(-8));
    }
}
