//! What a probe needs of an instance beyond the two ports: throw-away things that no run makes, and headers that no run reads.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use super::{Deleted, RequestError, Webhook, Webhooks};

/// What answers of the Management API have stated of limits in their headers, so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitHeaders {
    /// The headers in lower case, each with the value that came last: those that begin with `ratelimit`, `x-ratelimit`,
    /// `x-rate-limit` or `x-ms-ratelimit`, and `retry-after`.
    pub values: BTreeMap<String, String>,
    /// The limit in requests per second, where they state the limit and the time for which it counts.
    pub per_second: Option<f64>,
}

/// Makes and deletes what only a probe makes.
pub trait Throwaway: Webhooks {
    /// What the headers of answers have stated of limits so far.
    fn limit_headers(&self) -> LimitHeaders;

    /// Creates a webhook that is not enabled, fires for nothing and signs its deliveries (`POST webhook` without `rowKey`). Its
    /// address is at a name that never resolves (RFC 6761, `invalid`).
    ///
    /// # Errors
    /// [`RequestError`]; [`RequestError::verdict`] shows whether it may have taken effect.
    fn make_webhook<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Webhook, RequestError>>;

    /// Deletes a webhook (`DELETE webhook/{id}`).
    ///
    /// # Errors
    /// [`RequestError`]; sent again it does no harm.
    fn delete_webhook<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Deleted, RequestError>>;

    /// Deletes the row of a folder of assets (`POST asset/folder/delete?originKey=`); `key` has no slashes at its ends.
    ///
    /// # Errors
    /// [`RequestError`]; sent again it does no harm.
    fn delete_folder<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Deleted, RequestError>>;
}
