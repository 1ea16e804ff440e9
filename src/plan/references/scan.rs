//! Finds asset URLs in text and writes others in their place.
//!
//! Where a URL ends is a question of what surrounds it: HTML, `srcset`, CSS, Markdown, JSON. File names may hold
//! brackets, commas and even spaces, so the longest end that gives a known asset is the right one, and only
//! without any the text decides.

use std::ops::Range;

use super::assets::{AssetIndex, Prefix, UrlAt, decoded};
use crate::domain::{AssetContainer, AssetUrls};

/// Entities that end a URL inside HTML attributes and text.
const ENDING_ENTITIES: [&str; 8] = [
    "&quot;", "&#34;", "&#x22;", "&apos;", "&#39;", "&#x27;", "&lt;", "&gt;",
];

/// Two slashes, each perhaps behind a backslash.
struct Slashes {
    range: Range<usize>,
    escaped: bool,
}

impl AssetIndex {
    /// Every asset URL in `text`, in order: absolute or beginning with `//`, in any scheme.
    pub fn occurrences(&self, text: &str) -> Vec<UrlAt> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(slashes) = next_slashes(text, from) {
            from = slashes.range.end;
            if !self.prefixes.is_empty()
                && let Some(url) = self.url_at(text, &slashes)
            {
                from = url.range.end;
                found.push(url);
            }
        }
        found
    }

    fn url_at(&self, text: &str, slashes: &Slashes) -> Option<UrlAt> {
        let start = scheme_start(&text[..slashes.range.start])?;
        let after = slashes.range.end;
        let fits = |prefix: &&Prefix| {
            match_prefix(&text[after..], &prefix.text, slashes.escaped).is_some()
        };
        let prefix = self.prefixes.iter().find(fits)?;
        let path_start = after + match_prefix(&text[after..], &prefix.text, slashes.escaped)?;
        let (path_end, asset) =
            self.path_end(text, start, path_start, prefix.group, slashes.escaped);
        (asset.is_some() || prefix.is_container).then_some(UrlAt {
            range: start..path_end,
            path: path_start..path_end,
            side: prefix.side,
            asset,
            escaped: slashes.escaped,
            schemeless: start == slashes.range.start,
        })
    }

    /// Where the path that starts at `from` ends, and the asset that it leads to.
    fn path_end(
        &self,
        text: &str,
        start: usize,
        from: usize,
        group: usize,
        escaped: bool,
    ) -> (usize, Option<i64>) {
        let asset = |end: usize| self.at_path(group, &unescaped(&text[from..end], escaped));
        if let Some(end) = enclosed_end(text, start, from)
            && let Some(id) = asset(end)
        {
            return (end, Some(id));
        }
        let hard = from + hard_end(&text[from..], escaped);
        let mut end = hard;
        loop {
            let trimmed = from
                + text[from..end]
                    .trim_end_matches(['.', ',', ':', ';', '!'])
                    .len();
            if let Some(found) = [end, trimmed]
                .into_iter()
                .find_map(|end| Some((end, asset(end)?)))
            {
                return (found.0, Some(found.1));
            }
            match last_soft_end(&text[from..hard], end - from) {
                Some(earlier) => end = from + earlier,
                None => return (trimmed, None),
            }
        }
    }
}

fn next_slashes(text: &str, from: usize) -> Option<Slashes> {
    let bytes = text.as_bytes();
    let slashes = text[from..].match_indices('/').map(|(at, _)| from + at);
    slashes
        .into_iter()
        .find_map(|at| match bytes.get(at + 1..)? {
            [b'/', ..] => Some(Slashes {
                range: at..at + 2,
                escaped: false,
            }),
            [b'\\', b'/', ..] if at > from && bytes[at - 1] == b'\\' => Some(Slashes {
                range: at - 1..at + 3,
                escaped: true,
            }),
            _ => None,
        })
}

/// Where a URL begins whose slashes follow `before`; `None` behind another scheme than HTTP.
fn scheme_start(before: &str) -> Option<usize> {
    let ends_with = |scheme: &str| {
        let start = before.len().checked_sub(scheme.len())?;
        before
            .get(start..)?
            .eq_ignore_ascii_case(scheme)
            .then_some(start)
    };
    ends_with("https:")
        .or_else(|| ends_with("http:"))
        .or_else(|| (!before.ends_with(':')).then_some(before.len()))
}

/// How many bytes of `text` spell `prefix`, when the URL goes on with a path or ends there.
fn match_prefix(text: &str, prefix: &str, escaped: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    for wanted in prefix.bytes() {
        at += usize::from(escaped && wanted == b'/' && bytes.get(at) == Some(&b'\\'));
        if !bytes.get(at)?.eq_ignore_ascii_case(&wanted) {
            return None;
        }
        at += 1;
    }
    let goes_on =
        |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-_.~%+@:".contains(byte);
    (!bytes.get(at).is_some_and(goes_on)).then_some(at)
}

/// The end of a path that fills its text, or that stands in quotes: only there may it hold spaces.
fn enclosed_end(text: &str, start: usize, from: usize) -> Option<usize> {
    let rest = &text[from..];
    let end = match text[..start].chars().next_back() {
        None => rest.trim_end().len(),
        Some(quote @ ('"' | '\'')) => rest.find(quote)?,
        Some(_) => return None,
    };
    let path = &rest[..end];
    Some(from + path.find(['?', '#']).unwrap_or(path.len()))
}

/// The longest that a path can be in running text.
fn hard_end(text: &str, escaped: bool) -> usize {
    let ends = |(at, c): (usize, char)| {
        let ends = match c {
            '"' | '\'' | '`' | '<' | '>' | '?' | '#' => true,
            '\\' => !(escaped && text[at + 1..].starts_with('/')),
            '&' => ENDING_ENTITIES
                .iter()
                .any(|entity| text[at..].starts_with(entity)),
            c => c.is_whitespace() || c.is_control(),
        };
        ends.then_some(at)
    };
    text.char_indices().find_map(ends).unwrap_or(text.len())
}

/// The last place before `end` where a path may have ended.
fn last_soft_end(path: &str, end: usize) -> Option<usize> {
    let could_end = |at: usize, c: char| match c {
        ')' | ']' | '}' | '|' | ';' | '*' => true,
        ',' => {
            let rest = &path[at + 1..];
            rest.is_empty()
                || ["http", "//", "\\/\\/"]
                    .iter()
                    .any(|next| rest.starts_with(next))
        }
        _ => false,
    };
    path[..end]
        .char_indices()
        .rev()
        .find(|&(at, c)| could_end(at, c))
        .map(|(at, _)| at)
}

fn unescaped(path: &str, escaped: bool) -> std::borrow::Cow<'_, str> {
    if escaped {
        path.replace("\\/", "/").into()
    } else {
        path.into()
    }
}

/// What is to stand in the place of `url`: the address of the counterpart when `asset` tells it, the prefix
/// of the target's container with the same path otherwise. `None` where the target tells no prefix.
pub(crate) fn replacement(
    text: &str,
    url: &UrlAt,
    container: &AssetContainer,
    asset: Option<&AssetUrls>,
) -> Option<String> {
    let path = &text[url.path.clone()];
    let prefix = url.side.prefix(container).trim_end_matches('/');
    let Some(address) = asset.map(|urls| url.side.of(urls)) else {
        return (!prefix.is_empty()).then(|| spelled(prefix, url) + path);
    };
    // The path keeps its spelling where it names the same file.
    let same_path = address
        .strip_prefix(prefix)
        .filter(|_| !prefix.is_empty())
        .is_some_and(|below| {
            below.starts_with('/') && decoded(below) == decoded(&unescaped(path, url.escaped))
        });
    Some(if same_path {
        spelled(prefix, url) + path
    } else {
        spelled(&without_spaces(address), url)
    })
}

/// An address as the surroundings of `url` spell it.
fn spelled(address: &str, url: &UrlAt) -> String {
    let address = match address.split_once("//") {
        Some((_, bare)) if url.schemeless => format!("//{bare}"),
        Some(_) | None => address.to_owned(),
    };
    if url.escaped {
        address.replace('/', "\\/")
    } else {
        address
    }
}

/// Addresses in text must not end at a space or quote.
fn without_spaces(address: &str) -> String {
    address
        .replace(' ', "%20")
        .replace('"', "%22")
        .replace('\'', "%27")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Side;

    #[test]
    fn a_slash_pair_needs_no_memory_of_the_last_one() {
        let found: Vec<_> = std::iter::successors(next_slashes("a//b\\/\\/c</p>/x", 0), |last| {
            next_slashes("a//b\\/\\/c</p>/x", last.range.end)
        })
        .map(|slashes| (slashes.range, slashes.escaped))
        .collect();
        assert_eq!(found, [(1..3, false), (4..8, true)]);
    }

    #[test]
    fn only_http_counts_as_a_scheme() {
        assert_eq!(scheme_start("see HTTPS:"), Some(4));
        assert_eq!(scheme_start("src=\""), Some(5));
        assert_eq!(scheme_start("ftp:"), None);
    }

    #[test]
    fn a_prefix_ends_at_a_path_segment() {
        assert_eq!(
            match_prefix("CDN.example/demo/a", "cdn.example/demo", false),
            Some(16)
        );
        assert_eq!(
            match_prefix("cdn.example/demo", "cdn.example/demo", false),
            Some(16)
        );
        assert_eq!(
            match_prefix("cdn.example/demo2/a", "cdn.example/demo", false),
            None
        );
        assert_eq!(
            match_prefix("cdn.example\\/demo\\/a", "cdn.example/demo", true),
            Some(17)
        );
    }

    #[test]
    fn text_around_an_address_without_prefix_is_left_to_the_caller() {
        let url = UrlAt {
            range: 0..1,
            path: 0..1,
            side: Side::Edge,
            asset: None,
            escaped: false,
            schemeless: false,
        };
        assert_eq!(
            replacement("x", &url, &AssetContainer::default(), None),
            None
        );
    }
}
