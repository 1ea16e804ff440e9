//! Webhooks: listed, read and saved. Their secrets and addresses become known as credentials when they are read, so that no
//! text that leaves the program contains one, whatever a server repeats in an error.

use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::Value;

use super::client::{Api, Call, Client, Payload};
use super::connection::Instance;
use super::read::encoded;
use super::shape::{self, ShapeError};
use crate::domain::Secret;
use crate::instance::{Cause, RequestError, Webhook, Webhooks};

/// Pages of the list of webhooks that are read at most.
const PAGES: usize = 50;

/// What fires a webhook, and what that is called here.
const EVENTS: [(&str, &str); 3] = [
    ("contentSaveEvents", "save"),
    ("contentPublishEvents", "publish"),
    ("contentWorkflowEvents", "workflow"),
];

/// Members that are for the server and the receiver only. The address of a receiver often holds a key.
const HIDDEN: [&str; 3] = ["signingSecret", "previousSigningSecret", "url"];

impl Webhooks for Instance {
    fn webhooks(&self) -> BoxFuture<'_, Result<Vec<Webhook>, RequestError>> {
        list(self.client()).boxed()
    }

    fn webhook<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Webhook>, RequestError>> {
        one(self.client(), id).boxed()
    }

    fn switch<'a>(
        &'a self,
        webhook: &'a Webhook,
        is_on: bool,
    ) -> BoxFuture<'a, Result<Webhook, RequestError>> {
        switch(self.client(), webhook, is_on).boxed()
    }
}

async fn list(client: &Client) -> Result<Vec<Webhook>, RequestError> {
    let mut found = Vec::new();
    let mut token = None;
    for _ in 0..PAGES {
        let operation = format!("reading the webhooks of {}", client.guid);
        let more = token.map(|token: String| format!("&token={}", encoded(&token)));
        let path = format!("webhook/list?take=100{}", more.unwrap_or_default());
        let call = Call::get(operation, Api::Management, path);
        let mut body = client.send(call).await?.json()?;
        token = shape::text(&body, "token").map(str::to_owned);
        let rows = body.get_mut("items").map(Value::take);
        if let Some(Value::Array(rows)) = rows {
            found.extend(rows.into_iter().map(understood));
        }
        if token.is_none() {
            break;
        }
    }
    Ok(found)
}

async fn one(client: &Client, id: &str) -> Result<Option<Webhook>, RequestError> {
    let operation = format!("reading webhook {id} of {}", client.guid);
    let path = format!("webhook/{}", encoded(id));
    let reply = match client
        .send(Call::get(operation, Api::Management, path))
        .await
    {
        Err(error) if error.cause == Cause::NotFound => return Ok(None),
        reply => reply?,
    };
    let row = reply.json()?;
    if row.is_null() {
        return Ok(None);
    }
    let webhook = understood(row);
    if *webhook.id == *id {
        return Ok(Some(webhook));
    }
    Err(reply.malformed("another webhook than was asked for"))
}

async fn switch(client: &Client, webhook: &Webhook, is_on: bool) -> Result<Webhook, RequestError> {
    let doing = if is_on { "on" } else { "off" };
    let operation = format!(
        "switching {doing} webhook {:?} of {}",
        webhook.name, client.guid
    );
    let mut row = webhook.row().clone();
    let unsendable = |odd: ShapeError| RequestError::new(operation.clone(), Cause::Content(odd.0));
    let members = shape::object(&mut row).map_err(unsendable)?;
    members.retain(|name, _| !name.eq_ignore_ascii_case("enabled"));
    members.insert("enabled".to_owned(), is_on.into());
    save(client, operation, &row).await
}

/// Saves the row of a webhook, and gives what the server answers with (`POST webhook`; without `rowKey` it is new).
pub(super) async fn save(
    client: &Client,
    operation: String,
    row: &Value,
) -> Result<Webhook, RequestError> {
    let payload = Payload::Json(row.to_string().into_bytes());
    let call = Call::post(operation, "webhook".to_owned(), payload);
    client
        .send(call)
        .await?
        .understand(|row| Ok(understood(row)))
}

/// The webhook of a row; what only server and receiver may see becomes known as a credential.
fn understood(row: Value) -> Webhook {
    for name in HIDDEN {
        if let Some(text) = shape::text(&row, name) {
            drop(Secret::new(text));
        }
    }
    let text = |name| shape::text(&row, name);
    let mut webhook = Webhook::new(
        text("rowKey").unwrap_or_default(),
        text("name").unwrap_or("without a name"),
        shape::flag(&row, "enabled"),
    );
    let fires = |(member, _): &&(&str, &str)| shape::flag(&row, member);
    let events = EVENTS.iter().filter(fires).map(|(_, name)| *name);
    webhook.events = events.collect();
    webhook.is_signed =
        shape::flag(&row, "secureDeliveryEnabled") || text("signingSecret").is_some();
    webhook.rolled = text("secretRolledUtc").map(Into::into);
    webhook.has_new_secret = shape::flag(&row, "signingSecretJustCreated");
    webhook.with_row(row)
}
