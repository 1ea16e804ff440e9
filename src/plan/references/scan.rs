//! Finds asset URLs in text.
//!
//! Where a URL ends depends on what surrounds it: HTML, `srcset`, CSS, Markdown, JSON. File names may hold brackets, commas
//! and even spaces, so the longest end that gives a known asset is the right one; only without any, the surrounding text
//! decides.

use std::ops::Range;

use super::assets::{AssetIndex, Prefix, UrlAt};
use super::spelling::{Reading, Slashes, match_prefix, next_slashes, scheme_start};

impl AssetIndex {
    /// Every asset URL in `text`, in order: absolute or beginning with `//`, in any scheme and spelling.
    pub fn occurrences(&self, text: &str) -> Vec<UrlAt> {
        let mut found = Vec::new();
        let mut from = 0;
        if self.prefixes.is_empty() {
            return found;
        }
        while let Some(slashes) = next_slashes(text, from) {
            from = slashes.range.end;
            if let Some(url) = self.url_at(text, &slashes) {
                from = url.range.end;
                found.push(url);
            }
        }
        found
    }

    fn url_at(&self, text: &str, slashes: &Slashes) -> Option<UrlAt> {
        let percent = slashes.percent;
        let start = scheme_start(&text[..slashes.range.start], percent)?;
        let after = slashes.range.end;
        let fits = |prefix: &Prefix| match_prefix(&text[after..], &prefix.text, percent);
        let (prefix, len) = self
            .prefixes
            .iter()
            .find_map(|prefix| Some((prefix, fits(prefix)?)))?;
        let path = after + len;
        let (end, asset) = self.path_end(text, start..path, prefix.group, percent);
        (asset.is_some() || prefix.is_container).then_some(UrlAt {
            range: start..end,
            path: path..end,
            side: prefix.side,
            asset,
            percent,
            schemeless: start == slashes.range.start,
        })
    }

    /// Where the path behind `head`, which is a scheme and a prefix, ends, and the asset that it leads to.
    fn path_end(
        &self,
        text: &str,
        head: Range<usize>,
        group: usize,
        percent: u8,
    ) -> (usize, Option<i64>) {
        let quote = text[..head.start].chars().next_back();
        let quote = quote.filter(|c| matches!(c, '"' | '\''));
        let mut mark = [0; 4];
        let mark: &[u8] = quote.map_or(b"\"", |quote| quote.encode_utf8(&mut mark).as_bytes());
        let reading = Reading::until(text, head.end, percent, |bytes| bytes == mark);
        let path = &*reading.text;
        let asset = |end: usize| {
            let raw = || &text[head.end..reading.place(end)];
            self.at_path(group, &path[..end])
                .or_else(|| self.at_path(group, raw()))
        };
        let is_enclosed = quote.is_some() || head.start == 0;
        let enclosed = path.find(['?', '#']).unwrap_or(path.trim_end().len());
        if is_enclosed && let Some(id) = asset(enclosed) {
            return (reading.place(enclosed), Some(id));
        }
        let hard = hard_end(path);
        let mut end = hard;
        loop {
            let trimmed = path[..end]
                .trim_end_matches(['.', ',', ':', ';', '!'])
                .len();
            if let Some((end, id)) = [end, trimmed]
                .into_iter()
                .find_map(|end| Some((end, asset(end)?)))
            {
                return (reading.place(end), Some(id));
            }
            match last_soft_end(&path[..hard], end) {
                Some(earlier) => end = earlier,
                None => return (reading.place(trimmed), None),
            }
        }
    }
}

/// The longest that a path can be in running text.
fn hard_end(path: &str) -> usize {
    let ends = |c: char| {
        matches!(c, '"' | '\'' | '`' | '<' | '>' | '?' | '#' | '\\')
            || c.is_whitespace()
            || c.is_control()
    };
    path.find(ends).unwrap_or(path.len())
}

/// The last place before `end` where a path may have ended.
fn last_soft_end(path: &str, end: usize) -> Option<usize> {
    let could_end = |at: usize, c: char| match c {
        ')' | ']' | '}' | '|' | ';' | '*' | '&' => true,
        ',' => {
            let rest = &path[at + 1..];
            rest.is_empty() || ["http", "//"].iter().any(|next| rest.starts_with(next))
        }
        _ => false,
    };
    path[..end]
        .char_indices()
        .rev()
        .find(|&(at, c)| could_end(at, c))
        .map(|(at, _)| at)
}
