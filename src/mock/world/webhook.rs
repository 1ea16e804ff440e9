//! Webhooks: rows that can be listed, read, saved and deleted. Nothing is ever delivered.
//!
//! The rules are those of the vendor's description and of its .NET client: the id is `rowKey`, a save without one creates, and
//! any other replaces that row. The signing secret belongs to the server: values that are sent are ignored, and the first
//! save with `secureDeliveryEnabled` makes one. [`SecretOnSave`] tries servers that do otherwise.

use serde_json::{Value, json};

use super::failure::Refusal;
use super::{World, row, text};
use crate::mock::file::{Row, SecretOnSave};

/// Members that a save never sets.
const OF_THE_SERVER: [&str; 4] = [
    "signingSecret",
    "previousSigningSecret",
    "secretRolledUtc",
    "instanceGuid",
];

/// Members that are never null; off where a row does not have them.
const SWITCHES: [&str; 7] = [
    "enabled",
    "contentPublishEvents",
    "contentSaveEvents",
    "contentWorkflowEvents",
    "retriesEnabled",
    "secureDeliveryEnabled",
    "signingSecretJustCreated",
];

/// Stands for a secret where the caller may not see it.
const MASK: &str = "whsec_********";

/// The webhooks of an instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Webhooks {
    rows: Vec<Row>,
    made: usize,
}

impl Webhooks {
    pub(super) fn new(rows: Vec<Row>, guid: &str) -> Self {
        let mut webhooks = Self::default();
        for mut row in rows {
            if row::filled(&row, "rowKey").is_none() {
                let id = webhooks.next_id();
                row::set(&mut row, "rowKey", id);
            }
            row.entry("partitionKey").or_insert_with(|| guid.into());
            row.entry("instanceGuid").or_insert_with(|| guid.into());
            webhooks.rows.push(row);
        }
        webhooks
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn at(&self, id: &str) -> Option<usize> {
        let is_it = |row: &Row| row::text(row, "rowKey").is_some_and(|key| key == id);
        self.rows.iter().position(is_it)
    }

    fn next_id(&mut self) -> String {
        self.made += 1;
        format!("00000000-0000-4000-8000-{:012}", self.made)
    }

    fn next_secret(&mut self) -> String {
        self.made += 1;
        format!("whsec_TW9ja1NpZ25pbmdTZWNyZXQ{:08}", self.made)
    }

    /// What a save makes of the secret of the row that it replaces, and whether it made a new one.
    fn secret(
        &mut self,
        before: Option<&Row>,
        is_signed: bool,
        habit: SecretOnSave,
    ) -> (Value, bool) {
        let kept = before.and_then(|row| row::filled(row, "signingSecret"));
        match (kept, is_signed, habit) {
            (Some(kept), _, SecretOnSave::Keeps) => (kept.into(), false),
            (None, true, _) | (Some(_), true, SecretOnSave::Mints) => {
                (self.next_secret().into(), true)
            }
            (_, false, _) | (Some(_), true, SecretOnSave::Drops) => (Value::Null, false),
        }
    }
}

impl World {
    /// The rows as this caller sees them.
    pub(crate) fn webhooks(&self) -> Vec<Row> {
        let rows = self.webhooks.rows.iter();
        rows.map(|row| self.webhook_as_seen(row.clone())).collect()
    }

    pub(crate) fn webhook(&self, id: &str) -> Option<Row> {
        let at = self.webhooks.at(id)?;
        Some(self.webhook_as_seen(self.webhooks.rows[at].clone()))
    }

    /// Creates or replaces one.
    pub(crate) fn save_webhook(&mut self, mut saved: Row) -> Result<Row, Refusal> {
        let id = row::filled(&saved, "rowKey").map(str::to_owned);
        let at = match &id {
            Some(id) => {
                let at = self.webhooks.at(id);
                Some(at.ok_or_else(|| Refusal::not_found("The webhook"))?)
            }
            None => None,
        };
        if row::filled(&saved, "url").is_none() {
            return Err(Refusal::invalid("url", "The url field is required."));
        }
        let before = at.map(|at| self.webhooks.rows[at].clone());
        for name in OF_THE_SERVER {
            saved.retain(|key, _| !key.eq_ignore_ascii_case(name));
            let kept = before.as_ref().and_then(|row| row::get(row, name));
            row::set(&mut saved, name, kept.cloned().unwrap_or_default());
        }
        saved.retain(|key, _| !key.eq_ignore_ascii_case("signingSecretJustCreated"));
        let is_signed = row::flag(&saved, "secureDeliveryEnabled");
        let habit = self.habits.secret_on_save;
        let (secret, is_new) = self.webhooks.secret(before.as_ref(), is_signed, habit);
        row::set(&mut saved, "signingSecret", secret);
        row::set(&mut saved, "instanceGuid", self.guid.as_str());
        row::set(&mut saved, "partitionKey", self.guid.as_str());
        row::set(&mut saved, "timestamp", text::now());
        row::set(&mut saved, "eTag", format!("W/\"{}\"", text::now()));
        let at = at.unwrap_or_else(|| {
            let id = self.webhooks.next_id();
            row::set(&mut saved, "rowKey", id);
            self.webhooks.rows.push(Row::new());
            self.webhooks.rows.len() - 1
        });
        self.webhooks.rows[at].clone_from(&saved);
        let mut answer = self.webhook_as_seen(saved);
        if is_new {
            // It is shown once to every caller.
            let secret = row::get(&self.webhooks.rows[at], "signingSecret").cloned();
            row::set(&mut answer, "signingSecret", secret.unwrap_or_default());
        }
        row::set(&mut answer, "signingSecretJustCreated", is_new);
        Ok(answer)
    }

    /// Rolls the secret; the one before stays valid for a day.
    pub(crate) fn rotate_webhook(&mut self, id: &str) -> Option<Row> {
        let at = self.webhooks.at(id)?;
        let secret = self.webhooks.next_secret();
        let row = &mut self.webhooks.rows[at];
        let before = row::get(row, "signingSecret").cloned();
        row::set(row, "previousSigningSecret", before.unwrap_or_default());
        row::set(row, "signingSecret", secret);
        row::set(row, "secretRolledUtc", text::now());
        Some(row.clone())
    }

    pub(crate) fn delete_webhook(&mut self, id: &str) -> Option<()> {
        let at = self.webhooks.at(id)?;
        drop(self.webhooks.rows.remove(at));
        Some(())
    }

    fn webhook_as_seen(&self, mut row: Row) -> Row {
        for switch in SWITCHES {
            row::fill(&mut row, switch, false);
        }
        row::fill(&mut row, "retryCount", 0);
        row::fill(&mut row, "timestamp", text::NO_DATE);
        if self.habits.masks_secrets {
            for name in ["signingSecret", "previousSigningSecret"] {
                if row::filled(&row, name).is_some() {
                    row::set(&mut row, name, MASK);
                }
            }
        }
        row
    }

    /// `WebhookContinuationListing`: `take` rows, 20 as a rule, and the token of the next page.
    pub(crate) fn webhook_listing(&self, take: usize, skip: usize) -> Value {
        let all = self.webhooks();
        let rows: Vec<&Row> = all.iter().skip(skip).take(take).collect();
        let next = skip + rows.len();
        let token = (next < all.len()).then(|| next.to_string());
        json!({ "items": rows, "token": token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::file::{Habits, InstanceFile};
    use crate::mock::world::Rules;

    fn world(habits: Habits) -> World {
        let file = InstanceFile {
            guid: "5e6f7a8b-u".to_owned(),
            locales: vec!["en-us".to_owned()],
            habits,
            ..InstanceFile::default()
        };
        World::load(file, "http://127.0.0.1", Rules::default()).unwrap()
    }

    fn hook(extra: &Value) -> Row {
        let mut row =
            json!({ "name": "build", "url": "https://build.example.test/hook", "enabled": true });
        let extra = extra.as_object().unwrap().clone();
        row.as_object_mut().unwrap().extend(extra);
        row.as_object().unwrap().clone()
    }

    #[test]
    fn the_first_signed_save_makes_a_secret_and_later_ones_keep_it_whatever_is_sent() {
        let mut world = world(Habits::default());
        let made = world.save_webhook(hook(
            &json!({ "secureDeliveryEnabled": true, "signingSecret": "mine" }),
        ));
        let made = made.unwrap();
        let secret = row::text(&made, "signingSecret").unwrap().to_owned();
        assert!(secret.starts_with("whsec_"));
        assert!(row::flag(&made, "signingSecretJustCreated"));
        let id = row::text(&made, "rowKey").unwrap().to_owned();
        for sent in ["", "whsec_other", "whsec_********"] {
            let mut again = world.webhook(&id).unwrap();
            row::set(&mut again, "enabled", false);
            row::set(&mut again, "signingSecret", sent);
            let saved = world.save_webhook(again).unwrap();
            assert_eq!(row::text(&saved, "signingSecret"), Some(&*secret), "{sent}");
            assert!(!row::flag(&saved, "signingSecretJustCreated"));
            assert!(!row::flag(&saved, "enabled"));
        }
        let rolled = world.rotate_webhook(&id).unwrap();
        assert_eq!(row::text(&rolled, "previousSigningSecret"), Some(&*secret));
        assert!(world.delete_webhook(&id).is_some());
        assert!(world.save_webhook(rolled).is_err(), "it is gone");
    }

    #[test]
    fn other_servers_lose_the_secret_or_hide_it() {
        for (habit, expected) in [(SecretOnSave::Mints, true), (SecretOnSave::Drops, false)] {
            let mut world = world(Habits {
                secret_on_save: habit,
                ..Habits::default()
            });
            let row = hook(
                &json!({ "secureDeliveryEnabled": true, "signingSecret": "whsec_b2xk", "rowKey": "a" }),
            );
            world.webhooks = Webhooks::new(vec![row.clone()], "5e6f7a8b-u");
            let saved = world.save_webhook(row).unwrap();
            assert_ne!(row::text(&saved, "signingSecret"), Some("whsec_b2xk"));
            assert_eq!(row::flag(&saved, "signingSecretJustCreated"), expected);
        }
        let mut masked = world(Habits {
            masks_secrets: true,
            ..Habits::default()
        });
        let row = hook(&json!({ "signingSecret": "whsec_b2xk", "rowKey": "a" }));
        masked.webhooks = Webhooks::new(vec![row], "5e6f7a8b-u");
        let seen = masked.webhook("a").unwrap();
        assert_eq!(row::text(&seen, "signingSecret"), Some(MASK));
    }
}
