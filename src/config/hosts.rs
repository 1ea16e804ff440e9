//! Where a token may go: to the vendor, to this machine, and to hosts that the user named.
//!
//! A working folder comes from elsewhere, such as a repository. What its files, or the state in it, say about hosts is
//! taken for a proposal: the user names the same host in a place that no folder brings along, or nothing is sent.

use url::Url;

use crate::agility::{Place, place};

use super::credentials::ALL_TOKENS;
use super::{Config, ConfigError};

impl Config {
    /// Checks that the token may be sent to the host of `url`, which is the value of `key`.
    pub(super) fn check_host(&self, key: &'static str, url: &str) -> Result<(), ConfigError> {
        let Ok(url) = Url::parse(url) else {
            return Err(self.wrong(key, "a base URL, such as http://127.0.0.1:8080"));
        };
        let place = place(&url);
        if place == Place::Loopback {
            return Ok(());
        }
        let host = authority(&url);
        let origin = self.place_of(key);
        if url.scheme() != "https" && !self.truth("hosts.allow_http")? {
            return Err(ConfigError::ClearText { key, host, origin });
        }
        let is_named = |allowed: &String| {
            let bare = url.host_str().unwrap_or_default();
            allowed.eq_ignore_ascii_case(&host) || allowed.eq_ignore_ascii_case(bare)
        };
        let may = place == Place::Vendor
            || self.is_users(key)
            || self.list("hosts.allow")?.iter().any(is_named);
        if may {
            return Ok(());
        }
        Err(ConfigError::HostNotAllowed { key, host, origin })
    }

    /// Refuses permissions that do not come from the user, and commands that would be run. A file that allows nothing, such as a copy of the defaults, is
    /// as good as none.
    pub(super) fn check_permissions(&self) -> Result<(), ConfigError> {
        let allows_hosts = !self.list("hosts.allow")?.is_empty();
        let allows_http = self.truth("hosts.allow_http")?;
        let mut given = vec![
            ("hosts.allow", allows_hosts),
            ("hosts.allow_http", allows_http),
        ];
        for keys in ALL_TOKENS {
            given.push((keys.command, self.text(keys.command)?.is_some()));
        }
        for (key, is_given) in given {
            if is_given && !self.is_users(key) {
                let origin = self.place_of(key);
                return Err(ConfigError::NotTheUsers { key, origin });
            }
        }
        Ok(())
    }
}

/// Host, and port where it is not the usual one.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
