//! A database of a `PostgreSQL` server, which runners on many machines share.
//!
//! All tables are in one schema of the database, which the URL may name. A session finds them by its search path, so statements
//! are the same as for a file. What would hold others up ends by itself: a wait for a lock after [`LOCK`], and a transaction of a
//! process that was stopped in the middle of it after [`IDLE`].

use std::fmt;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use url::Url;

use super::StateUrlError;
use crate::domain::Secret;

/// Where tables are unless the URL says otherwise.
const SCHEMA: &str = "lockgate";

/// As long as for a file.
const LOCK: &str = "10s";

/// Less than [`LOCK`], so that a process that waits for a stopped one gets its turn.
const IDLE: &str = "5s";

/// The server's limit for names (`NAMEDATALEN`, <https://www.postgresql.org/docs/current/limits.html>).
const NAME_MAX: usize = 63;

/// How to reach it. It never shows more than user, host, port, database and schema.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// With the password, where it has one.
    url: String,
    place: String,
    schema: String,
}

impl Server {
    /// Reads a URL of the scheme `postgres` or `postgresql`. From now on its password is taken out of texts.
    ///
    /// # Errors
    /// [`StateUrlError`], which does not repeat the URL.
    pub(super) fn parse(text: &str) -> Result<Self, StateUrlError> {
        let wrong = |what: &str| StateUrlError::Server {
            what: what.to_owned(),
        };
        let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        learn(&url);
        let schemas = url.query_pairs().filter(|(key, _)| key == "schema");
        let schema = schemas.last().map_or(SCHEMA.into(), |(_, name)| name);
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins = schema.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        if !begins || schema.len() > NAME_MAX || !schema.chars().all(is_name) {
            return Err(wrong("schema has to be of letters a-z, digits and _"));
        }
        let schema = schema.into_owned();
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(key, _)| key != "schema")
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        let options: PgConnectOptions = url.as_str().parse().map_err(|error: sqlx::Error| {
            // Such as a mode of encryption that there is none of. What it says is of one value, never of the password.
            wrong(&error.to_string())
        })?;
        Ok(Self {
            place: place(&options, &schema),
            url: url.into(),
            schema,
        })
    }

    /// The schema in which all tables are.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// Opens a session.
    ///
    /// # Errors
    /// Whatever the network or the server refuses it with.
    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options: PgConnectOptions = self.url.parse()?;
        let options = options
            .application_name(&format!("lockgate {}", self.schema))
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        let session = format!(
            "SET search_path TO \"{}\"; SET lock_timeout = '{LOCK}'; SET statement_timeout = 0;
             SET idle_in_transaction_session_timeout = '{IDLE}'; SET client_min_messages = warning;
             SET default_transaction_isolation = 'read committed'",
            self.schema
        );
        connection.execute(AssertSqlSafe(session)).await?;
        Ok(connection)
    }
}

/// Makes the password known as a credential, wherever in the URL it is.
fn learn(url: &Url) {
    let named = url.query_pairs().filter(|(key, _)| key == "password");
    for (_, password) in named {
        drop(Secret::new(&password));
    }
    if let Some(password) = url.password() {
        let plain = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
        drop(Secret::new(&plain));
    }
}

fn place(options: &PgConnectOptions, schema: &str) -> String {
    let user = options.get_username();
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let database = options.get_database().unwrap_or(user);
    let place = format!("postgres://{user}@{host}/{database}");
    if schema == SCHEMA {
        place
    } else {
        format!("{place}?schema={schema}")
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::redact;

    #[test]
    fn a_password_is_never_shown_and_known_from_then_on() {
        for url in [
            "postgres://ann:n33dle-of-state@db.example:5433/states?sslmode=require",
            "postgresql://ann@db.example:5433/states?password=n33dle-of-state",
            "postgres://ann:n33dle%2Dof%2Dstate@db.example:5433/states",
        ] {
            let server = Server::parse(url).unwrap();
            let shown = format!("{server} {server:?}");
            let place = "postgres://ann@db.example:5433/states";
            assert_eq!(shown, format!("{place} {place}"));
            let said = redact("login with n33dle-of-state failed");
            assert_eq!(said, "login with [redacted] failed");
        }
    }

    #[test]
    fn a_url_may_name_a_schema() {
        let schema = |url: &str| Server::parse(url).map(|server| server.schema().to_owned());
        assert_eq!(schema("postgres://db/x").unwrap(), "lockgate");
        let named = Server::parse("postgres://ann@db/x?schema=team_a&sslmode=disable").unwrap();
        assert_eq!(named.schema(), "team_a");
        assert_eq!(named.to_string(), "postgres://ann@db:5432/x?schema=team_a");
        for wrong in ["A", "a\"b", "", "1a", "a-b"] {
            let url = format!("postgres://db/x?schema={wrong}");
            let error = schema(&url).unwrap_err().to_string();
            assert!(error.contains("schema has to be"), "{error}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_one_is_not_repeated() {
        for url in [
            "postgres://ann:hunter2hunter2@db:port/x",
            "postgres://ann:hunter2hunter2@db/x?sslmode=no",
        ] {
            let error = Server::parse(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
