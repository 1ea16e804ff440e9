//! Hosts of URLs in text, for sites that have another address on the target.
//!
//! Only the host is replaced, in the spelling of the former one; every other byte of the text stays. A URL of an asset is a
//! reference and not text, and is left to the rewriting of references.

use super::assets::AssetIndex;
use super::inside::{Edit, applied};
use super::spelling::{match_text, next_slashes, scheme_start, spelled_as, unit};

/// `text` with other hosts in its URLs. `hosts` has what each becomes; `count` is called with the position of each host that
/// was replaced. `None` where nothing was.
pub(crate) fn with_other_hosts(
    text: &str,
    hosts: &[(String, String)],
    assets: &AssetIndex,
    mut count: impl FnMut(usize),
) -> Option<String> {
    let mut edits = Vec::new();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(slashes) = next_slashes(text, from) {
        from = slashes.range.end;
        let percent = slashes.percent;
        let Some(start) = scheme_start(&text[..slashes.range.start], percent) else {
            continue;
        };
        let rest = &text[from..];
        let mut hosts = hosts.iter().enumerate();
        let host = hosts.find_map(|(at, (host, becomes))| {
            let len = match_text(rest, host, percent)?;
            ends(&rest[len..], percent).then_some((at, len, becomes))
        });
        if let Some((at, len, becomes)) = host {
            let range = from..from + len;
            let new = spelled_as(becomes, &text[start..range.end], percent);
            from = range.end;
            found.push(at);
            edits.push(Edit { range, new });
        }
    }
    if edits.is_empty() {
        return None;
    }
    let of_assets = assets.occurrences(text);
    let is_text = |edit: &Edit| {
        let mut urls = of_assets.iter();
        !urls.any(|url| url.range.contains(&edit.range.start))
    };
    let (edits, found): (Vec<Edit>, Vec<usize>) = edits
        .into_iter()
        .zip(found)
        .filter(|(edit, _)| is_text(edit))
        .unzip();
    found.into_iter().for_each(&mut count);
    (!edits.is_empty()).then(|| applied(text, &edits))
}

/// Whether a host ends where `rest` follows: a name would go on with a letter, a dot and a letter, or a port.
fn ends(rest: &str, percent: u8) -> bool {
    let first = unit(rest, percent);
    let Some(first) = first else { return true };
    let next = || unit(&rest[first.spelled..], percent);
    let is_name =
        |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-_".contains(&byte);
    match first.bytes()[0] {
        b'.' => !next().is_some_and(|unit| is_name(unit.bytes()[0])),
        b':' => !next().is_some_and(|unit| unit.bytes()[0].is_ascii_digit()),
        b'@' | b'%' => false,
        byte => !is_name(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(text: &str) -> Option<String> {
        let hosts = [
            ("dev.example.com".to_owned(), "www.example.com".to_owned()),
            ("dev.example.com:8443".to_owned(), "example.org".to_owned()),
        ];
        with_other_hosts(text, &hosts, &AssetIndex::default(), |_| {})
    }

    #[test]
    fn a_host_is_replaced_in_every_spelling_and_nothing_else_is() {
        for (text, becomes) in [
            (
                "see https://dev.example.com, or //DEV.example.com/a?b=1.0e5.",
                "see https://www.example.com, or //www.example.com/a?b=1.0e5.",
            ),
            (
                r#"{ "a" : 1.50, "u":"https:\/\/dev.example.com\/x" }"#,
                r#"{ "a" : 1.50, "u":"https:\/\/www.example.com\/x" }"#,
            ),
            (
                r#"{"u":"http:\u002f\u002fdev.example.com"}"#,
                r#"{"u":"http:\u002f\u002fwww.example.com"}"#,
            ),
            (
                "https://t.example/?u=https%3A%2F%2Fdev.example.com%2Fa%20b",
                "https://t.example/?u=https%3A%2F%2Fwww.example.com%2Fa%20b",
            ),
            (
                "<a href='https://dev.example.com:8443/x'>https://dev.example.com.</a>",
                "<a href='https://example.org/x'>https://www.example.com.</a>",
            ),
        ] {
            assert_eq!(moved(text).as_deref(), Some(becomes), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_the_host_stays() {
        for text in [
            "dev.example.com without slashes",
            "https://dev.example.com.evil.example/",
            "https://dev.example.community/",
            "https://a.dev.example.com/",
            "https://dev.example.com:9000/",
            "https://dev.example.com@evil.example/",
            "ftp://dev.example.com/",
            "https://x.example/dev.example.com",
        ] {
            assert_eq!(moved(text), None, "{text}");
        }
    }
}
