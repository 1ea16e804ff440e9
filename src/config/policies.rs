//! Policies and bounds by kind and name.

use super::validate::is_guid;
use super::{Config, ConfigError};
use crate::domain::Guid;
use crate::engine::{Denied, Freeze, Gates, MaxChange, OnConflict, Pattern, Policies};

/// What a pattern is.
const PATTERN: &str = "a kind (page), or a kind and a glob (content:articles, asset:brochures/*)";

impl Config {
    pub(super) fn policies(&self) -> Result<Policies, ConfigError> {
        let pattern = |key, text: &str| {
            Pattern::parse(text).map_err(|error| self.wrong(key, format!("{PATTERN}: {error}")))
        };
        let mut on_conflict = Vec::new();
        let names = OnConflict::ALL.map(|(name, _)| name);
        for (of, wins) in self.pairs("sync.on_conflict")? {
            let policy = named(&OnConflict::ALL, &wins)
                .ok_or_else(|| self.unknown_word("sync.on_conflict", &wins, names.into_iter()))?;
            on_conflict.push((pattern("sync.on_conflict", &of)?, policy));
        }
        let mut policies = Policies {
            overwrite: self.truth("sync.overwrite")?,
            on_conflict,
            ..Policies::default()
        };
        for text in self.list("sync.read_only")? {
            let expected = format!("{PATTERN}, or a field (content:articles#Summary)");
            let protected = policies.protect(&text);
            protected
                .map_err(|error| self.wrong("sync.read_only", format!("{expected}: {error}")))?;
        }
        Ok(policies)
    }

    pub(super) fn gates(&self) -> Result<Gates, ConfigError> {
        let targets = self.words("gates.targets")?;
        if !targets.iter().all(|guid| is_guid(guid)) {
            return Err(self.wrong("gates.targets", "GUIDs of instances, such as 5e6f7a8b-u"));
        }
        let most = |key| {
            move |text: &String| {
                let expected =
                    format!("a count (50) or a share (20%), alone or behind {PATTERN} and =");
                let parsed = MaxChange::parse(text);
                let parsed = parsed.map_err(|error| self.wrong(key, error.to_string()))?;
                parsed.ok_or_else(|| self.wrong(key, expected))
            }
        };
        let denied = |text: &String| {
            let names = Denied::ALL.map(|(name, _)| name);
            named(&Denied::ALL, text)
                .ok_or_else(|| self.unknown_word("gates.deny", text, names.into_iter()))
        };
        let freeze = |text: &String| {
            let expected = "FROM/TO, each a day (2026-12-19) or a moment (2026-12-24T18:00:00Z)";
            Freeze::parse(text).ok_or_else(|| self.wrong("gates.freeze", expected))
        };
        Ok(Gates {
            targets: targets
                .iter()
                .map(|guid| Guid::new(&guid.to_ascii_lowercase()))
                .collect(),
            max_change: self.all("gates.max_change", most("gates.max_change"))?,
            max_delete: self.all("gates.max_delete", most("gates.max_delete"))?,
            deny: self.all("gates.deny", denied)?,
            freeze: self.all("gates.freeze", freeze)?,
        })
    }

    fn all<T>(
        &self,
        key: &'static str,
        read: impl Fn(&String) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        self.list(key)?.iter().map(read).collect()
    }
}

/// What a name stands for, in any case.
fn named<T: Copy>(all: &[(&str, T)], text: &str) -> Option<T> {
    let found = all.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, one)| *one)
}
