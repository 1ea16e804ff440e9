//! Which login belongs to which instance.

use super::book::{LoginBook, LoginNote, LoginsError};
use super::renewal::StoredLogin;
use crate::agility::management_url;
use crate::config::validate::{SOURCE, SideKeys, TARGET};
use crate::config::{Config, ConfigError};
use crate::domain::{Guid, Secret};

/// An instance that can be signed in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSite {
    /// `source` or `target`.
    pub side: &'static str,
    /// The instance.
    pub guid: Guid,
    /// Its base URL, where one is set. Tokens may go there.
    pub url: Option<String>,
    /// The base address of its Management host, which is the name of the login for every instance there.
    pub host: String,
}

impl LoginSite {
    /// The name of the login for this instance alone.
    pub fn own_name(&self) -> String {
        own_name(&self.host, &self.guid)
    }
}

fn own_name(host: &str, guid: &Guid) -> String {
    format!("{host} {guid}")
}

impl Config {
    /// The list of logins of this user.
    ///
    /// # Errors
    /// [`LoginsError::NoPlace`]
    pub fn login_book(&self) -> Result<LoginBook, LoginsError> {
        let folder = self.environment.user_folder();
        folder.map(LoginBook::at).ok_or(LoginsError::NoPlace)
    }

    /// The instances that are named, with the hosts where one signs in. The same checks go before as before a run: the host
    /// has to be one that tokens may go to.
    ///
    /// # Errors
    /// [`ConfigError`] for a value that cannot be, and for a host that is not allowed.
    pub fn login_sites(&self) -> Result<Vec<LoginSite>, ConfigError> {
        let mut sites: Vec<LoginSite> = Vec::new();
        for one in self.of_each_target()? {
            one.check_permissions()?;
            for (side, keys) in [("source", &SOURCE), ("target", &TARGET)] {
                let site = one.login_site(side, keys)?;
                sites.extend(site.filter(|site| !sites.contains(site)));
            }
        }
        Ok(sites)
    }

    fn login_site(
        &self,
        side: &'static str,
        keys: &SideKeys,
    ) -> Result<Option<LoginSite>, ConfigError> {
        let is_folder = self.folder.is_some() && keys.guid == SOURCE.guid;
        let Some(guid) = self.guid(keys)?.filter(|_| !is_folder) else {
            return Ok(None);
        };
        let url = self.host(keys)?;
        let host = management_url(&guid, url.as_deref())
            .map_err(|_| self.wrong(keys.guid, "the GUID of an instance"))?;
        Ok(Some(LoginSite {
            side,
            guid,
            url,
            host,
        }))
    }

    /// Whether there is a login for a side. The keyring is not asked.
    pub(in crate::config) fn has_login(&self, side: &SideKeys) -> Result<bool, ConfigError> {
        let guid = self.guid(side).ok().flatten();
        let url = self.url(side.url).ok().flatten();
        let Some(guid) = guid else {
            return Ok(false);
        };
        Ok(self.login_note(&guid, url.as_deref())?.is_some())
    }

    /// The login of an instance with its access token: the one for it alone, or the one of its host.
    pub(in crate::config) fn login(
        &self,
        guid: &Guid,
        url: Option<&str>,
    ) -> Result<Option<(Secret, StoredLogin)>, ConfigError> {
        let Some((book, name, note)) = self.login_note(guid, url)? else {
            return Ok(None);
        };
        let login = book.read(&name)?;
        Ok(login.map(|login| {
            let due_at = login.due_at();
            let stored = StoredLogin {
                book,
                name,
                note,
                due_at,
            };
            (login.access, stored)
        }))
    }

    fn login_note(
        &self,
        guid: &Guid,
        url: Option<&str>,
    ) -> Result<Option<(LoginBook, String, LoginNote)>, ConfigError> {
        let Ok(book) = self.login_book() else {
            return Ok(None);
        };
        let Ok(host) = management_url(guid, url) else {
            return Ok(None);
        };
        let mut notes = book.notes()?;
        let mut names = [own_name(&host, guid), host].into_iter();
        let found = names.find_map(|name| notes.remove(&name).map(|note| (name, note)));
        Ok(found.map(|(name, note)| (book, name, note)))
    }
}
