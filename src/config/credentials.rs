//! Where the tokens come from: given, in a file, or printed by a command.
//!
//! What is said for one side goes before what is said for both. A command is run only where the user says so, because the
//! files of a working folder may come from someone else; see [`Config::check_permissions`].

use std::sync::PoisonError;

use super::token_source::{ReadFrom, Terminal, TokenSource};
use super::{Config, ConfigError};
use crate::domain::{Secret, is_readable_by_others};

/// The keys that name one token.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenKeys {
    pub(super) given: &'static str,
    pub(super) file: &'static str,
    pub(super) command: &'static str,
}

const COMMON: TokenKeys = TokenKeys {
    given: "token",
    file: "token_file",
    command: "token_command",
};

pub(super) const SOURCE_TOKEN: TokenKeys = TokenKeys {
    given: "source.token",
    file: "source.token_file",
    command: "source.token_command",
};

pub(super) const TARGET_TOKEN: TokenKeys = TokenKeys {
    given: "target.token",
    file: "target.token_file",
    command: "target.token_command",
};

/// The keys of all tokens.
pub(super) const ALL_TOKENS: [TokenKeys; 3] = [COMMON, SOURCE_TOKEN, TARGET_TOKEN];

impl Config {
    /// Whether something names the token of a side. Nothing is read or run; a name that is set and empty is refused, also
    /// where another one goes before it.
    pub(super) fn has_token(&self, own: &TokenKeys) -> Result<bool, ConfigError> {
        let keys = [own, &COMMON].into_iter();
        let mut is_named = false;
        for key in keys.flat_map(|keys| [keys.given, keys.file, keys.command]) {
            is_named |= self.text(key)?.is_some();
        }
        Ok(is_named)
    }

    /// The token of a side, with what it was read from if that can be read again; `None` where nothing names it.
    ///
    /// # Errors
    /// [`ConfigError::TokenSource`] when the file or the command gives none.
    pub(super) fn token(
        &self,
        own: &TokenKeys,
    ) -> Result<Option<(Secret, Option<TokenSource>)>, ConfigError> {
        for keys in [own, &COMMON] {
            if let Some(token) = self.text(keys.given)? {
                return Ok(Some((Secret::new(&token), None)));
            }
            if let Some(path) = self.text(keys.file)? {
                let from = ReadFrom::File(self.directory.join(path));
                return self.read_source(keys.file, from).map(Some);
            }
            if let Some(command) = self.text(keys.command)? {
                let directory = self.directory.clone();
                let from = ReadFrom::Command { command, directory };
                return self.read_source(keys.command, from).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads a source once, however often its token is needed.
    fn read_source(
        &self,
        key: &'static str,
        from: ReadFrom,
    ) -> Result<(Secret, Option<TokenSource>), ConfigError> {
        let origin = self.described(key).1;
        let source = TokenSource { key, origin, from };
        let mut tokens = self
            .read_tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = tokens.get(&source).cloned();
        let token = known.map_or_else(|| source.read(Terminal::Shared), Ok);
        let token = token.map_err(|reason| self.no_token(key, reason))?;
        tokens.insert(source.clone(), token.clone());
        Ok((token, Some(source)))
    }

    fn no_token(&self, key: &'static str, reason: String) -> ConfigError {
        ConfigError::TokenSource {
            key,
            origin: self.described(key).1,
            reason,
        }
    }

    /// What the user should know about the places of the tokens. A credential in the process list or in a file that gets
    /// shared is nearly public.
    pub(super) fn token_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for keys in ALL_TOKENS {
            if let Some((_, origin)) = self.find(keys.given) {
                warnings.extend(self.about_given(&origin));
            }
            let file = self.text(keys.file).ok().flatten();
            warnings.extend(file.and_then(|path| self.about_file(&path)));
        }
        warnings.dedup();
        warnings
    }

    /// `origin` is the layer with a token.
    fn about_given(&self, origin: &str) -> Option<String> {
        if origin.starts_with("environment") {
            return None;
        }
        if let Some(flag) = origin.strip_prefix("flag ") {
            return Some(format!(
                "{flag} shows the token to everyone who can list processes; set LOCKGATE_TOKEN instead"
            ));
        }
        // `AGILITY_TOKEN in .env`, `lockgate.toml [targets.qa]`, or the file itself.
        let file = origin.rsplit_once(" in ").map_or(origin, |(_, file)| file);
        let file = file.split_once(" [").map_or(file, |(file, _)| file);
        let keep = || {
            format!(
                "keep the file of the token to yourself ({origin}), or set LOCKGATE_TOKEN instead"
            )
        };
        Some(self.about_file(file).unwrap_or_else(keep))
    }

    fn about_file(&self, file: &str) -> Option<String> {
        is_readable_by_others(&self.directory.join(file)).then(|| {
            format!(
                "other users of this machine may read {file}, which holds a token; take the right away with chmod 600 {file}"
            )
        })
    }
}
