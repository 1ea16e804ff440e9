//! What the source is called otherwise on the target, and what of it the target does not get.

use std::collections::BTreeSet;

use super::{Config, ConfigError};
use crate::domain::{Locale, name_key};
use crate::engine::{FieldRule, Maps, Pattern, PatternError};

impl Config {
    pub(super) fn maps(&self) -> Result<Maps, ConfigError> {
        let locales = self.named_pairs("sync.locale_map", true)?;
        let locale = |(from, to): (String, String)| (Locale::new(&from), Locale::new(&to));
        Ok(Maps {
            locales: locales.into_iter().map(locale).collect(),
            channels: self.named_pairs("sync.channel_map", true)?,
            containers: self.named_pairs("sync.container_map", true)?,
            folders: self.folders()?,
            hosts: self.map_hosts()?,
            set: self.fields("sync.set", FieldRule::set, "=VALUE")?,
            dropped: self.fields("sync.drop", FieldRule::dropped, "")?,
            exclude: self.excluded()?,
        })
    }

    /// Pairs with different first names, and with `is_apart` with different second names as well.
    fn named_pairs(
        &self,
        key: &'static str,
        is_apart: bool,
    ) -> Result<Vec<(String, String)>, ConfigError> {
        let pairs = self.pairs(key)?;
        let (mut from, mut to) = (BTreeSet::new(), BTreeSet::new());
        for (one, other) in &pairs {
            if !from.insert(name_key(one)) {
                return Err(self.wrong(key, "a list that maps each name of the source once"));
            }
            if is_apart && !to.insert(name_key(other)) {
                let expected = "a list in which no two names of the source become one";
                return Err(self.wrong(key, expected));
            }
        }
        Ok(pairs)
    }

    fn folders(&self) -> Result<Vec<(String, String)>, ConfigError> {
        const KEY: &str = "sync.folder_map";
        let bare = |folder: String| folder.trim_matches('/').to_owned();
        let is_path = |folder: &str| {
            let mut parts = folder.split('/');
            folder.is_empty() || parts.all(|part| !part.is_empty() && part != "." && part != "..")
        };
        let mut pairs = Vec::new();
        for (from, to) in self.named_pairs(KEY, false)? {
            let pair = (bare(from), bare(to));
            if !is_path(&pair.0) || !is_path(&pair.1) {
                return Err(self.wrong(KEY, "folders, such as brochures=client-a/brochures"));
            }
            pairs.push(pair);
        }
        Ok(pairs)
    }

    fn map_hosts(&self) -> Result<Vec<(String, String)>, ConfigError> {
        const KEY: &str = "sync.host_map";
        let pairs = self.named_pairs(KEY, false)?;
        let are_hosts = |(from, to): &(String, String)| is_host(from) && is_host(to);
        if pairs.iter().all(are_hosts) {
            return Ok(pairs);
        }
        let expected = "hosts without scheme and path, such as dev.example.com=www.example.com";
        Err(self.wrong(KEY, expected))
    }

    fn fields(
        &self,
        key: &'static str,
        read: fn(&str) -> Result<FieldRule, PatternError>,
        value: &str,
    ) -> Result<Vec<FieldRule>, ConfigError> {
        let rule = |text: &String| {
            read(text).map_err(|error| {
                let expected = format!("content:GLOB#FIELD{value}: {error}");
                self.wrong(key, expected)
            })
        };
        self.list(key)?.iter().map(rule).collect()
    }

    fn excluded(&self) -> Result<Vec<Pattern>, ConfigError> {
        const KEY: &str = "sync.exclude";
        let pattern = |text: &String| {
            let expected = "a kind (page), or a kind and a glob (content:articles/Draft*)";
            Pattern::parse(text).map_err(|error| self.wrong(KEY, format!("{expected}: {error}")))
        };
        self.list(KEY)?.iter().map(pattern).collect()
    }
}

/// Whether a text is a host, with or without a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        let fits = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.chars().all(fits)
    };
    host.split('.').all(is_label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}
