//! What runs that share a host and a token agree about its rate: one row for each quota, changed by compare and set.
//!
//! A row is read and written by one statement each, outside of any transaction, on a connection of its own: so no run waits for the
//! large transactions of another one, and a process that was stopped in between holds no lock. What is in a row is the pacer's.

use super::beside::connected;
use super::connection::query;
use super::{Store, StoreError};

/// How long a row is kept that no run changes. Longer than any run waits for a server.
const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// A quota that runs share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateKey {
    /// Host and port.
    pub host: String,
    /// Stands for the token, which does not follow from it.
    pub account: String,
    /// Which of the quotas of the two.
    pub class: &'static str,
}

/// A row as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateRow {
    /// One more with each change; 0 while there is no row.
    pub version: i64,
    /// JSON; empty while there is no row.
    pub joint: String,
    /// What the clock of the server showed, in microseconds since 1970.
    pub now_us: i64,
}

impl Store {
    /// Reads a row. Dropped half done, it only costs the connection.
    ///
    /// # Errors
    /// [`StoreError`] when the server cannot be reached, and of a state that is on none.
    pub async fn rate_row(&self, key: &RateKey) -> Result<RateRow, StoreError> {
        let mut held = self.beside().rates()?.lock().await;
        let connection = connected(&mut held, self).await?;
        let asked = query(
            "SELECT coalesce(r.version, 0) AS version, coalesce(r.joint, '') AS joint,
                    CAST(floor(extract(epoch FROM clock_timestamp()) * 1000000) AS BIGINT) AS now_us
             FROM (SELECT 1 AS one) o LEFT JOIN rates r ON r.host = ? AND r.account = ? AND r.class = ?",
        )
        .bind(&key.host)
        .bind(&key.account)
        .bind(key.class);
        let place = self.place();
        let rows = connection.rows(&asked, |row| {
            let read = || {
                Ok(RateRow {
                    version: row.get("version")?,
                    joint: row.get("joint")?,
                    now_us: row.get("now_us")?,
                })
            };
            read().map_err(|error| StoreError::of(error, place))
        });
        let row = rows.await?.into_iter().next();
        row.ok_or_else(|| StoreError::of(sqlx::Error::RowNotFound, place))
    }

    /// Writes a row if it is as it was read, and gives whether it was.
    ///
    /// # Errors
    /// As of [`Store::rate_row`], and for lack of the right to write.
    pub async fn set_rate_row(
        &self,
        key: &RateKey,
        read: &RateRow,
        joint: &str,
    ) -> Result<bool, StoreError> {
        let mut held = self.beside().rates()?.lock().await;
        let connection = connected(&mut held, self).await?;
        let now_ms = read.now_us / 1000;
        let written = if read.version == 0 {
            let old = query("DELETE FROM rates WHERE changed_ms < ?").bind(now_ms - KEPT_MS);
            connection.execute(old).await?;
            query(
                "INSERT INTO rates (version, changed_ms, joint, host, account, class) VALUES (1, ?, ?, ?, ?, ?)
                 ON CONFLICT (host, account, class) DO NOTHING",
            )
        } else {
            query(
                "UPDATE rates SET version = version + 1, changed_ms = ?, joint = ?
                 WHERE host = ? AND account = ? AND class = ? AND version = ?",
            )
        };
        let written = written
            .bind(now_ms)
            .bind(joint)
            .bind(&key.host)
            .bind(&key.account)
            .bind(key.class);
        let written = match read.version {
            0 => written,
            version => written.bind(version),
        };
        Ok(connection.execute(written).await? > 0)
    }
}
