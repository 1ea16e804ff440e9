//! Reads single values and complains about those that cannot be.
//!
//! Files have typed values, variables and flags have text. Both are accepted everywhere, so that
//! `concurrency = "8"` in a file and `LOCKGATE_CONCURRENCY=8` mean the same.

use std::ops::RangeInclusive;

use figment::value::{Num, Value};

use super::keys::nearest;
use super::layers::show;
use super::{Config, ConfigError, KeyInfo};

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
            (Some((value, origin)), Some(info)) => (show(info, &value), origin),
            _ => ("not set".to_owned(), "nowhere".to_owned()),
        }
    }

    /// Text; `None` when it is not set or blank.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<String>, ConfigError> {
        let Some((value, _)) = self.find(key) else {
            return Ok(None);
        };
        let text = value
            .as_str()
            .ok_or_else(|| self.wrong(key, "a text"))?
            .trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    pub(super) fn whole(
        &self,
        key: &'static str,
        range: RangeInclusive<u32>,
    ) -> Result<u32, ConfigError> {
        let number = self.find(key).and_then(|(value, _)| whole(&value));
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
        let Some((value, _)) = self.find(key) else {
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
        let (value, _) = self.find(key).ok_or_else(wrong)?;
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
        let text = self.find(key).and_then(|(value, _)| word(&value));
        let text = text.unwrap_or_default();
        let found = choices
            .iter()
            .find(|(name, _)| text.eq_ignore_ascii_case(name));
        found
            .map(|(_, choice)| *choice)
            .ok_or_else(|| self.unknown_word(key, &text, choices.iter().map(|(name, _)| *name)))
    }

    /// Parts without blanks around them. Text is split at commas.
    pub(super) fn list(&self, key: &'static str) -> Result<Vec<String>, ConfigError> {
        self.split(key, |letter| letter == ',')
    }

    /// The same for parts that never hold a blank: text is split at blanks as well.
    pub(super) fn words(&self, key: &'static str) -> Result<Vec<String>, ConfigError> {
        self.split(key, |letter| letter == ',' || letter.is_whitespace())
    }

    fn split(&self, key: &'static str, at: fn(char) -> bool) -> Result<Vec<String>, ConfigError> {
        let Some((value, _)) = self.find(key) else {
            return Ok(Vec::new());
        };
        let parts: Vec<String> = match (&value, value.as_str()) {
            (_, Some(text)) => text.split(at).map(str::to_owned).collect(),
            (Value::Array(_, parts), None) => parts
                .iter()
                .map(word)
                .collect::<Option<_>>()
                .ok_or_else(|| self.wrong(key, "a list of texts"))?,
            (_, None) => return Err(self.wrong(key, "a list of texts")),
        };
        let trimmed = parts.iter().map(|part| part.trim().to_owned());
        Ok(trimmed.filter(|part| !part.is_empty()).collect())
    }

    /// Ids of the source, above zero.
    pub(super) fn ids(&self, key: &'static str) -> Result<Vec<i64>, ConfigError> {
        let number = |part: String| part.parse().ok().filter(|id: &i64| *id > 0);
        self.words(key)?
            .into_iter()
            .map(number)
            .collect::<Option<_>>()
            .ok_or_else(|| self.wrong(key, "a list of ids above 0"))
    }
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
