//! Names as a selection gives them: a name, or a pattern of names.
//!
//! A pattern is a glob, in any case: `Post*`, `news-{2024,2025}`. In the path of a page `*` stands for one level, and a path that
//! ends in `/**` means the page and all below it.

use globset::{GlobBuilder, GlobMatcher};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::gates::moment;
use super::policy::PatternError;
use crate::domain::{Entity, Kind, SourceId, same_name};

/// Names and patterns, ready to be compared.
pub(super) struct Wanted<'a>(Vec<One<'a>>);

struct One<'a> {
    text: &'a str,
    glob: Option<GlobMatcher>,
}

impl<'a> Wanted<'a> {
    /// Of these texts. One that is no pattern, which the configuration refuses, is a name.
    pub(super) fn of(texts: &'a [String]) -> Self {
        let texts = texts.iter().map(String::as_str);
        let one = |text: &'a str| One {
            text,
            glob: is_pattern(text).then(|| glob(text).ok()).flatten(),
        };
        Self(texts.map(one).collect())
    }

    /// Whether one of them means `name`.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.0.iter().any(|one| one.takes(name))
    }

    /// The first that means none of `known`.
    pub(super) fn without(&self, known: &[&str]) -> Option<&'a str> {
        let mut all = self.0.iter();
        let found = all.find(|one| !known.iter().any(|name| one.takes(name)));
        found.map(|one| one.text)
    }
}

impl One<'_> {
    fn takes(&self, name: &str) -> bool {
        let Some(glob) = &self.glob else {
            return same_name(self.text, name);
        };
        let is_above = || {
            let above = self.text.strip_suffix("/**");
            above.is_some_and(|above| {
                !above.is_empty() && !is_pattern(above) && same_name(above, name)
            })
        };
        glob.is_match(name) || is_above()
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

fn glob(text: &str) -> Result<GlobMatcher, globset::Error> {
    let mut builder = GlobBuilder::new(text);
    builder.case_insensitive(true);
    // Only paths of pages begin like this.
    builder.literal_separator(text.starts_with('/'));
    Ok(builder.build()?.compile_matcher())
}

/// Checks that a text is a name or a pattern.
///
/// # Errors
/// [`PatternError`]
pub fn check_pattern(text: &str) -> Result<(), PatternError> {
    if is_pattern(text) {
        glob(text).map_err(|error| PatternError::of(&error))?;
    }
    Ok(())
}

/// Reads a day, or a moment as RFC 3339 writes it, in the zone of the dates of the API: UTC.
pub fn changed_since(text: &str) -> Option<DateTime> {
    moment(text, false).map(in_utc)
}

fn in_utc(moment: Timestamp) -> DateTime {
    moment.to_zoned(TimeZone::UTC).datetime()
}

/// When an entity was changed last, as the source says; `None` of templates and redirections, of which it says nothing.
pub(super) fn changed_at(entity: &Entity<SourceId>) -> Option<DateTime> {
    let body = entity.body.parse();
    let text = match entity.key.kind {
        Kind::Content | Kind::Page => &body["properties"]["modified"],
        Kind::Model | Kind::Container => &body["lastModifiedDate"],
        Kind::Gallery => &body["modifiedOn"],
        Kind::Asset => &body["dateModified"],
        Kind::Template | Kind::Redirection => return None,
    };
    let text = text.as_str()?;
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(in_utc(moment));
    }
    // Containers have a form of their own.
    let own = || {
        strtime::parse("%m/%d/%Y %I:%M%p", text)
            .ok()?
            .to_datetime()
            .ok()
    };
    text.parse().ok().or_else(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::entity;
    use serde_json::json;

    #[test]
    fn a_text_is_a_name_or_a_pattern() {
        for (text, takes, leaves) in [
            ("Post", &["post", "Post"][..], &["Posts"][..]),
            ("Po*", &["Post", "posts"], &["Topic"]),
            ("news-{a,b}", &["news-a", "NEWS-B"], &["news-c"]),
            ("/news/*", &["/news/one"], &["/news", "/news/one/two"]),
            (
                "/news/**",
                &["/news", "/news/one", "/News/one/two"],
                &["/newsroom", "/"],
            ),
            ("articles/Old*", &["articles/Old/news"], &["articles/New"]),
        ] {
            let texts = [text.to_owned()];
            let wanted = Wanted::of(&texts);
            for name in takes {
                assert!(wanted.takes(name), "{text} {name}");
            }
            for name in leaves {
                assert!(!wanted.takes(name), "{text} {name}");
            }
        }
        assert!(check_pattern("Po*").is_ok());
        assert!(check_pattern("Po[").is_err());
    }

    #[test]
    fn dates_of_every_form_compare() {
        let since = changed_since("2025-05-02").unwrap();
        for (kind, body, is_later) in [
            (
                Kind::Content,
                json!({ "properties": { "modified": "2025-05-02T09:59:58.12" } }),
                true,
            ),
            (
                Kind::Page,
                json!({ "properties": { "modified": "2025-05-01T23:59:59Z" } }),
                false,
            ),
            (
                Kind::Model,
                json!({ "lastModifiedDate": "2025-05-03T00:00:00" }),
                true,
            ),
            (
                Kind::Container,
                json!({ "lastModifiedDate": "05/02/2025 09:59AM" }),
                true,
            ),
            (
                Kind::Container,
                json!({ "lastModifiedDate": "04/30/2025 09:59PM" }),
                false,
            ),
            (
                Kind::Gallery,
                json!({ "modifiedOn": "2025-03-01T09:00:00.773" }),
                false,
            ),
            (
                Kind::Asset,
                json!({ "dateModified": "2025-05-02T00:00:00" }),
                true,
            ),
        ] {
            let changed = changed_at(&entity(kind, 1, &body)).unwrap();
            assert_eq!(changed >= since, is_later, "{kind} {body}");
        }
        assert!(changed_at(&entity(Kind::Template, 1, &json!({}))).is_none());
        assert!(changed_since("yesterday").is_none());
    }
}
