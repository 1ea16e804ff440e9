//! The environment, read once and passed on as a value.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Environment variables. Values are trimmed.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    /// Lists names only: values may be credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The variables of this process; those that are not Unicode are left out.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable; one that is blank counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.set(name).filter(|value| !value.is_empty())
    }

    /// The value of a variable that is set, be it blank.
    pub(super) fn set(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The folder of this user's own files for this program.
    pub(super) fn user_folder(&self) -> Option<PathBuf> {
        let base = match self.get("XDG_CONFIG_HOME").map(PathBuf::from) {
            Some(base) if base.is_absolute() => base,
            _ => PathBuf::from(self.get("HOME")?).join(".config"),
        };
        let folder = base.join("lockgate");
        folder.is_absolute().then_some(folder)
    }

    /// Names and values of all that are set to something.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().filter(|(_, value)| !value.is_empty());
        all.map(|(name, value)| (&**name, &**value))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether any is set.
    pub(super) fn is_any_set(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether any is set to something.
    pub(super) fn is_any_given(&self) -> bool {
        self.0.values().any(|value| !value.is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(variables: T) -> Self {
        let trimmed = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into().trim().to_owned()));
        Self(trimmed.collect())
    }
}
