//! Names and dates as the wire writes them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};

use crate::mock::file::Row;

/// What a date that cannot be left out is where none was set: the earliest one of the server's platform.
pub(crate) const NO_DATE: &str = "0001-01-01T00:00:00";

/// The form in which reference names are compared.
pub(crate) fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The form in which field keys are compared: any case, blanks left out.
pub(crate) fn field_key(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// A field name as a key of the Fetch API: `Hero Image` becomes `heroImage`.
pub(crate) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut raise = false;
    for c in name.chars() {
        if c.is_whitespace() {
            raise = true;
        } else if out.is_empty() {
            out.extend(c.to_lowercase());
            raise = false;
        } else if raise {
            out.extend(c.to_uppercase());
            raise = false;
        } else {
            out.push(c);
        }
    }
    out
}

/// A text as a segment of a page path.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

fn now_civil() -> DateTime {
    let now = Timestamp::now().to_zoned(TimeZone::UTC).datetime();
    now.round(Unit::Millisecond).unwrap_or(now)
}

/// The time as most rows carry it: no zone, as many fraction digits as it takes.
pub(crate) fn now() -> String {
    now_civil().strftime("%Y-%m-%dT%H:%M:%S%.f").to_string()
}

/// The time as a container's `lastModifiedDate` carries it: US order, no seconds, no zone.
pub(crate) fn now_us() -> String {
    now_civil().strftime("%m/%d/%Y %I:%M%p").to_string()
}

/// A moment with zone and milliseconds, as in the redirections of the Fetch API.
pub(crate) fn zulu(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Whether the date of a row is not before a moment.
pub(crate) fn is_since(row: &Row, member: &str, since: Option<Timestamp>) -> bool {
    since.is_none_or(|since| {
        let date = super::row::text(row, member).and_then(moment);
        date.is_some_and(|date| date >= since)
    })
}

/// A date of the wire as a moment; one without a zone is in UTC.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let civil = || {
        let date: DateTime = text.parse().ok()?;
        date.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
    };
    text.parse().ok().or_else(civil)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_become_fetch_keys() {
        for (name, key) in [
            ("PublishDate", "publishDate"),
            ("Hero Image", "heroImage"),
            ("Tags_ValueField", "tags_ValueField"),
            ("URL", "uRL"),
        ] {
            assert_eq!(camel(name), key);
        }
    }

    #[test]
    fn dates_have_the_shapes_of_the_wire() {
        let iso = now();
        assert!(
            iso.len() >= 19 && iso.as_bytes()[10] == b'T' && !iso.ends_with('Z'),
            "{iso}"
        );
        let us = now_us();
        assert!(
            us.len() == 18 && (us.ends_with("AM") || us.ends_with("PM")),
            "{us}"
        );
    }

    #[test]
    fn slugs_keep_letters_and_single_dashes() {
        assert_eq!(slug("Tram line 9: it opens!"), "tram-line-9-it-opens");
    }
}
