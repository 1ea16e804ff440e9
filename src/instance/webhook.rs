//! The webhooks of an instance, as far as a run has to do with them: saves and publications fire them.

use std::fmt;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::RequestError;

/// Members that every save changes, or that do not describe a webhook.
const OF_EACH_SAVE: [&str; 4] = ["enabled", "etag", "timestamp", "signingsecretjustcreated"];

/// A webhook as it was read. Its row, which holds an address and a secret, is only good for being saved again: it is in no
/// output, and nothing keeps it.
#[derive(Clone)]
pub struct Webhook {
    /// `rowKey`; empty where the server names none.
    pub id: Box<str>,
    /// `name`.
    pub name: Box<str>,
    /// `enabled`.
    pub is_enabled: bool,
    /// What fires it: `save`, `publish`, `workflow`.
    pub events: Vec<&'static str>,
    /// Whether deliveries are signed (`secureDeliveryEnabled`).
    pub is_signed: bool,
    /// When its signing secret was rolled last (`secretRolledUtc`), by the server. The secret before that goes on
    /// signing for 24 hours.
    pub rolled: Option<Box<str>>,
    /// Whether the answer of a save states that it made a signing secret (`signingSecretJustCreated`).
    pub has_new_secret: bool,
    /// The row as it came.
    row: Value,
}

impl Webhook {
    /// The webhook of a row, of which the other members were read.
    #[must_use]
    pub fn with_row(mut self, row: Value) -> Self {
        self.row = row;
        self
    }

    /// One without a row.
    pub fn new(id: &str, name: &str, is_enabled: bool) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            is_enabled,
            events: Vec::new(),
            is_signed: false,
            rolled: None,
            has_new_secret: false,
            row: Value::Null,
        }
    }

    /// The row to be saved.
    pub fn row(&self) -> &Value {
        &self.row
    }

    /// Whether the row has the signing secret itself, and not a mask in its place.
    pub fn shows_secret(&self) -> bool {
        self.secret().is_some_and(|secret| !secret.contains('*'))
    }

    /// Whether both have the same signing secret, or none.
    pub fn has_secret_of(&self, other: &Self) -> bool {
        self.secret() == other.secret()
    }

    fn secret(&self) -> Option<&str> {
        let is_it = |(name, _): &(&String, &Value)| name.eq_ignore_ascii_case("signingSecret");
        let found = self.row.as_object()?.iter().find(is_it);
        found
            .and_then(|(_, value)| value.as_str())
            .filter(|secret| !secret.is_empty())
    }

    /// The name of a member that differs between this reading and a later one, apart from whether the webhook is enabled and
    /// from what every save changes. Both are compared as the server shows them; a masked secret is equal to a masked one.
    pub fn altered(&self, after: &Self) -> Option<String> {
        let (Value::Object(before), Value::Object(after)) = (&self.row, &after.row) else {
            return None;
        };
        let names = before.keys().chain(after.keys());
        let mut counted = names.filter(|name| {
            let name = name.to_ascii_lowercase();
            !OF_EACH_SAVE.contains(&&*name)
        });
        let value = |row: &serde_json::Map<String, Value>, name: &str| {
            row.get(name).filter(|value| !value.is_null()).cloned()
        };
        counted
            .find(|name| value(before, name) != value(after, name))
            .cloned()
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("is_enabled", &self.is_enabled)
            .finish_non_exhaustive()
    }
}

/// Reads the webhooks of an instance, and switches them.
pub trait Webhooks: fmt::Debug + Send + Sync {
    /// All of them (`GET webhook/list`, page after page).
    ///
    /// # Errors
    /// [`RequestError`] with the reason.
    fn webhooks(&self) -> BoxFuture<'_, Result<Vec<Webhook>, RequestError>>;

    /// One of them (`GET webhook/{id}`); `None` where it does not exist.
    ///
    /// # Errors
    /// [`RequestError`] with the reason.
    fn webhook<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Webhook>, RequestError>>;

    /// Saves a webhook as it was read, apart from whether it is enabled (`POST webhook`), and gives what the server answers.
    /// To update a webhook is to get it, change it and save it (the vendor's .NET client, "Webhooks").
    ///
    /// # Errors
    /// [`RequestError`]; [`RequestError::verdict`] shows whether it may have taken effect. Sent again it does no harm.
    fn switch<'a>(
        &'a self,
        webhook: &'a Webhook,
        is_on: bool,
    ) -> BoxFuture<'a, Result<Webhook, RequestError>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hook(row: Value) -> Webhook {
        Webhook::new("a", "build", true).with_row(row)
    }

    #[test]
    fn only_what_a_save_should_have_kept_counts_as_altered() {
        let before = json!({ "enabled": true, "eTag": "1", "signingSecret": "whsec_a", "retryCount": 3, "retrySpeed": null });
        for (after, expected) in [
            (
                json!({ "enabled": false, "eTag": "2", "timestamp": "now", "signingSecret": "whsec_a", "retryCount": 3 }),
                None,
            ),
            (
                json!({ "enabled": false, "signingSecret": "whsec_b", "retryCount": 3 }),
                Some("signingSecret"),
            ),
            (
                json!({ "enabled": false, "signingSecret": null, "retryCount": 3 }),
                Some("signingSecret"),
            ),
            (
                json!({ "enabled": false, "signingSecret": "whsec_a", "retryCount": 1 }),
                Some("retryCount"),
            ),
            (
                json!({ "enabled": false, "signingSecret": "whsec_a", "retryCount": 3, "url": "x" }),
                Some("url"),
            ),
        ] {
            let found = hook(before.clone()).altered(&hook(after));
            assert_eq!(found.as_deref(), expected);
        }
    }

    #[test]
    fn no_debug_text_shows_the_row() {
        let text = format!(
            "{:?}",
            hook(json!({ "signingSecret": "whsec_a", "url": "https://a.example.test" }))
        );
        assert!(
            !text.contains("whsec") && !text.contains("example"),
            "{text}"
        );
    }
}
