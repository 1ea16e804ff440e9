//! What only a probe asks for: throw-away webhooks, folders without files, and headers about limits.

use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::json;

use super::client::{Call, Client, Payload};
use super::connection::Instance;
use super::read::encoded;
use super::webhooks::save;
use crate::instance::{Cause, Deleted, LimitHeaders, RequestError, Throwaway, Webhook};

/// Where nothing is delivered to: a name under `invalid` never resolves (RFC 6761, section 6.4).
const NOWHERE: &str = "https://lockgate-probe.invalid/";

impl Throwaway for Instance {
    fn limit_headers(&self) -> LimitHeaders {
        self.client().limits_seen.so_far()
    }

    fn make_webhook<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Webhook, RequestError>> {
        make_webhook(self.client(), name).boxed()
    }

    fn delete_webhook<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Deleted, RequestError>> {
        let operation = format!("deleting webhook {id} of {}", self.guid());
        let call = Call::delete(operation, format!("webhook/{}", encoded(id)));
        delete(self.client(), call).boxed()
    }

    fn delete_folder<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Deleted, RequestError>> {
        let operation = format!("deleting folder {key:?} of {}", self.guid());
        let path = format!("asset/folder/delete?originKey={}", encoded(key));
        delete(self.client(), Call::post(operation, path, Payload::Empty)).boxed()
    }
}

async fn make_webhook(client: &Client, name: &str) -> Result<Webhook, RequestError> {
    let operation = format!("creating webhook {name:?} of {}", client.guid);
    let row = json!({
        "name": name, "url": NOWHERE, "enabled": false, "secureDeliveryEnabled": true,
        "contentSaveEvents": false, "contentPublishEvents": false, "contentWorkflowEvents": false
    });
    save(client, operation, &row).await
}

/// 404 means that there is nothing to delete; the words of any other answer say nothing that its status does not.
async fn delete(client: &Client, call: Call) -> Result<Deleted, RequestError> {
    match client.send(call).await {
        Ok(_) => Ok(Deleted::Now),
        Err(error) if error.cause == Cause::NotFound => Ok(Deleted::Absent),
        Err(error) => Err(error),
    }
}
