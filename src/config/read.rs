//! Reads single values and complains about those that cannot be.
//!
//! Files have typed values, variables and flags have text. Both are accepted everywhere, so that
//! `concurrency = "8"` in a file and `LOCKGATE_CONCURRENCY=8` mean the same.

use std::ops::RangeInclusive;

use figment::value::{Num, Value};

use super::keys::nearest;
use super::layers::show_wrong;
use super::{Config, ConfigError, KeyInfo};
use crate::engine::check_pattern;

impl Config {
    /// The complaint about a value of `key` that is there.
    pub(super) fn wrong(&self, key: &'static str, expected: impl Into<String>) -> ConfigError {
        let (value, origin) = self.described(key);
        ConfigError::Value {
            key,
            value,
            origin,
            expected: expected.into(),
            nearest: None,
        }
    }

    /// The complaint about a `word` that is none of `known`.
    pub(super) fn unknown_word<'a>(
        &self,
        key: &'static str,
        word: &str,
        known: impl DoubleEndedIterator<Item = &'a str> + Clone,
    ) -> ConfigError {
        let (value, origin) = self.described(key);
        ConfigError::Value {
            key,
            value,
            origin,
            nearest: nearest(&word.to_ascii_lowercase(), known.clone()).map(str::to_owned),
            expected: one_of(known),
        }
    }

    /// The value and the origin of a key, for messages.
    pub(super) fn described(&self, key: &'static str) -> (String, String) {
        match (self.find(key), KeyInfo::find(key)) {
            (Some((value, origin)), Some(info)) => (show_wrong(info, &value), origin),
            _ => ("not set".to_owned(), "nowhere".to_owned()),
        }
    }

    /// The value of a key; `None` when no layer sets it. One that is set and empty is refused: in a pipeline it is a
    /// variable without a value, and must not be taken for an option that was left out.
    fn given(&self, key: &'static str) -> Result<Option<Value>, ConfigError> {
        let Some((value, origin)) = self.find(key) else {
            return Ok(None);
        };
        let is_whole = match &value {
            Value::String(_, text) => text.trim().is_empty(),
            Value::Array(_, parts) => parts.is_empty(),
            Value::Char(..)
            | Value::Bool(..)
            | Value::Num(..)
            | Value::Empty(..)
            | Value::Dict(..) => false,
        };
        if is_whole {
            return Err(empty(key, origin));
        }
        Ok(Some(value))
    }

    /// Text; `None` when it is not set.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.given(key)? else {
            return Ok(None);
        };
        let text = value.as_str().ok_or_else(|| self.wrong(key, "a string"))?;
        Ok(Some(text.trim().to_owned()))
    }

    pub(super) fn whole(
        &self,
        key: &'static str,
        range: RangeInclusive<u32>,
    ) -> Result<u32, ConfigError> {
        let number = self.given(key)?.and_then(|value| whole(&value));
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                self.wrong(
                    key,
                    format!("a whole number from {} to {}", range.start(), range.end()),
                )
            })
    }

    /// A number above zero; `None` when it is not set.
    pub(super) fn rate(&self, key: &'static str) -> Result<Option<f64>, ConfigError> {
        /// Beyond this, a limit limits nothing.
        const MOST: f64 = 100_000.0;
        let Some(value) = self.given(key)? else {
            return Ok(None);
        };
        let number = match value.as_str() {
            Some(text) => text.trim().parse().ok(),
            None => value.to_num().and_then(number_as_f64),
        };
        number
            .filter(|number| *number > 0.0 && *number <= MOST)
            .map(Some)
            .ok_or_else(|| self.wrong(key, "a number above 0 and up to 100000"))
    }

    pub(super) fn truth(&self, key: &'static str) -> Result<bool, ConfigError> {
        let wrong = || self.wrong(key, "true or false");
        let value = self.given(key)?.ok_or_else(wrong)?;
        if let Some(truth) = value.to_bool() {
            return Ok(truth);
        }
        match value.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "1" | "yes" | "on") => Ok(true),
            Some("false" | "0" | "no" | "off") => Ok(false),
            Some(_) | None => Err(wrong()),
        }
    }

    /// One of several words, in any case.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, ConfigError> {
        let text = self.given(key)?.and_then(|value| word(&value));
        let text = text.unwrap_or_default();
        let found = choices
            .iter()
            .find(|(name, _)| text.eq_ignore_ascii_case(name));
        found
            .map(|(_, choice)| *choice)
            .ok_or_else(|| self.unknown_word(key, &text, choices.iter().map(|(name, _)| *name)))
    }

    /// Parts without blanks around them. Text is split at commas. A part that is empty is refused like a value that is.
    pub(super) fn list(&self, key: &'static str) -> Result<Vec<String>, ConfigError> {
        let Some(value) = self.given(key)? else {
            return Ok(Vec::new());
        };
        let parts: Vec<String> = match (&value, value.as_str()) {
            (_, Some(text)) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            (Value::Array(_, parts), None) => parts
                .iter()
                .map(word)
                .collect::<Option<_>>()
                .ok_or_else(|| self.wrong(key, "a list of strings"))?,
            (_, None) => return Err(self.wrong(key, "a list of strings")),
        };
        if parts.iter().any(String::is_empty) {
            return Err(self.empty_part(key, parts.iter().all(String::is_empty)));
        }
        Ok(parts)
    }

    /// The same for parts that never hold a blank: text is split at blanks as well.
    pub(super) fn words(&self, key: &'static str) -> Result<Vec<String>, ConfigError> {
        let parts = self.list(key)?;
        let words = parts.iter().flat_map(|part| part.split_whitespace());
        Ok(words.map(str::to_owned).collect())
    }

    /// A list of pairs, each written `first=second`.
    pub(super) fn pairs(&self, key: &'static str) -> Result<Vec<(String, String)>, ConfigError> {
        let pair = |part: String| {
            let (first, second) = part.split_once('=')?;
            let (first, second) = (first.trim(), second.trim());
            let is_whole = !first.is_empty() && !second.is_empty();
            is_whole.then(|| (first.to_owned(), second.to_owned()))
        };
        let pairs: Option<Vec<_>> = self.list(key)?.into_iter().map(pair).collect();
        pairs.ok_or_else(|| self.wrong(key, "a list of SOURCE=TARGET"))
    }

    /// The complaint about a list in which nothing stands between two commas, or nothing at all.
    fn empty_part(&self, key: &'static str, all: bool) -> ConfigError {
        let (value, origin) = self.described(key);
        if all {
            return empty(key, origin);
        }
        ConfigError::EmptyPart { key, value, origin }
    }

    /// Ids of the source, above zero.
    /// A list of names and patterns of names.
    pub(super) fn names(&self, key: &'static str) -> Result<Vec<String>, ConfigError> {
        let names = self.list(key)?;
        for name in &names {
            check_pattern(name)
                .map_err(|error| self.wrong(key, format!("names or globs: {error}")))?;
        }
        Ok(names)
    }

    /// A list of ids and names, which `is_name` tells from other texts. `example` is such a name.
    pub(super) fn ids_and_names(
        &self,
        key: &'static str,
        example: &str,
        is_name: impl Fn(&str) -> bool,
    ) -> Result<(Vec<i64>, Vec<String>), ConfigError> {
        let (mut ids, mut names) = (Vec::new(), Vec::new());
        for part in self.names(key)? {
            // Of ids several may stand in one part.
            let numbers: Vec<Option<i64>> = part
                .split_whitespace()
                .map(|one| one.parse().ok())
                .collect();
            match numbers.into_iter().collect::<Option<Vec<i64>>>() {
                Some(numbers) if numbers.iter().all(|id| *id > 0) => ids.extend(numbers),
                None if is_name(&part) => names.push(part),
                Some(_) | None => {
                    let expected = format!("a list of ids above 0 or names such as {example}");
                    return Err(self.wrong(key, expected));
                }
            }
        }
        Ok((ids, names))
    }
}

fn empty(key: &'static str, origin: String) -> ConfigError {
    ConfigError::Empty { key, origin }
}

fn whole(value: &Value) -> Option<u32> {
    match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => integer(value.to_num()?)?.try_into().ok(),
    }
}

/// A whole number of either sign; figment keeps the two apart.
fn integer(number: Num) -> Option<i128> {
    number
        .to_i128()
        .or_else(|| number.to_u128().and_then(|number| number.try_into().ok()))
}

fn number_as_f64(number: Num) -> Option<f64> {
    let whole = || u32::try_from(integer(number)?).ok().map(f64::from);
    number.to_f64().or_else(whole)
}

/// Text, and what a file writes without quotes where a word is meant.
fn word(value: &Value) -> Option<String> {
    match value.as_str() {
        Some(text) => Some(text.trim().to_owned()),
        None => match value.to_bool() {
            Some(truth) => Some(truth.to_string()),
            None => integer(value.to_num()?).map(|number| number.to_string()),
        },
    }
}

/// `a, b or c`.
fn one_of<'a>(names: impl DoubleEndedIterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.collect();
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} or {last}", names.join(", ")),
        last => last.unwrap_or_default().to_owned(),
    }
}
