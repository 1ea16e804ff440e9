//! Tests what a save of a webhook does to its signing secret.

use super::answers::{Observed, WebhookSecret};
use super::stage::{Stage, Unanswered};
use crate::engine::pace::Class;
use crate::instance::{Effect, Target, Webhook};
use crate::store::Operation;

/// Makes a webhook that is not enabled, and saves the row that is read of it.
pub(super) async fn ask<T: Target>(
    stage: &mut Stage<'_, T>,
) -> Result<Observed<WebhookSecret>, Unanswered> {
    stage.goes_on()?;
    let readable = || stage.port.webhooks();
    if let Err(error) = stage.sender().send(Effect::Read, readable).await {
        return Ok(Observed::nothing(format!(
            "webhooks cannot be read: {error}"
        )));
    }
    stage.announce(Operation::Create, None, 0).await?;
    let name = stage.names.name().to_owned();
    let creating = || stage.port.make_webhook(&name);
    let made = stage
        .sender()
        .send_as(Class::Write, Effect::Write, creating)
        .await?;
    let before = read(stage, &made.id).await?;
    stage.goes_on()?;
    let again = || stage.port.switch(&before, false);
    let saved = stage.sender().send(Effect::Write, again).await?;
    let after = read(stage, &made.id).await?;
    Ok(conclude(&before, &saved, &after))
}

async fn read<T: Target>(stage: &Stage<'_, T>, id: &str) -> Result<Webhook, Unanswered> {
    let read = || stage.port.webhook(id);
    let found = stage.sender().send(Effect::Read, read).await?;
    found.ok_or_else(|| {
        Unanswered::Because("the webhook is not there when it is read back".to_owned())
    })
}

/// From the row before a save, the answer to the save, and the row after it. Secrets are compared and not shown.
fn conclude(before: &Webhook, saved: &Webhook, after: &Webhook) -> Observed<WebhookSecret> {
    let answer = if saved.has_new_secret {
        Ok(WebhookSecret::Replaced)
    } else if !before.shows_secret() {
        Err("the server shows this token no signing secret".to_owned())
    } else if before.has_secret_of(after) {
        Ok(WebhookSecret::Kept)
    } else if after.shows_secret() {
        Ok(WebhookSecret::Replaced)
    } else {
        Ok(WebhookSecret::Lost)
    };
    let also = before
        .altered(after)
        .filter(|member| !member.eq_ignore_ascii_case("signingSecret"));
    let seen = match also {
        Some(member) => format!("the save also changed {member}"),
        None => "nothing else changed".to_owned(),
    };
    Observed { seen, answer }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn hook(secret: &Value) -> Webhook {
        Webhook::new("a", "probe", false)
            .with_row(json!({ "rowKey": "a", "signingSecret": secret }))
    }

    #[test]
    fn a_secret_is_kept_replaced_or_lost() {
        let of = |before: &Value, after: &Value| {
            let (before, after) = (hook(before), hook(after));
            conclude(&before, &after, &after).answer
        };
        let (one, other) = (json!("whsec_b25l"), json!("whsec_b3RoZXI"));
        assert_eq!(of(&one, &one), Ok(WebhookSecret::Kept));
        assert_eq!(of(&one, &other), Ok(WebhookSecret::Replaced));
        assert_eq!(of(&one, &Value::Null), Ok(WebhookSecret::Lost));
        let mask = json!("whsec_********");
        assert!(of(&mask, &mask).is_err() && of(&Value::Null, &Value::Null).is_err());
        let mut minted = hook(&mask);
        minted.has_new_secret = true;
        let seen = conclude(&hook(&mask), &minted, &hook(&mask));
        assert_eq!(seen.answer, Ok(WebhookSecret::Replaced));
    }

    #[test]
    fn nothing_of_a_secret_is_in_what_was_seen() {
        let (before, after) = (hook(&json!("whsec_b25l")), hook(&json!("whsec_b3RoZXI")));
        let seen = conclude(&before, &after, &after).seen;
        assert!(!seen.contains("whsec"), "{seen}");
    }
}
