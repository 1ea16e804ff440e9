//! Replaces URLs of the source by those of the target.

use super::assets::{UrlAt, decoded};
use super::spelling::{plain, spelled_as};
use crate::domain::{AssetContainer, AssetUrls};

/// What stands in the place of `url`: the address of the counterpart when `asset` has it, the prefix
/// of the target's container with the same path otherwise. `None` where the target has no prefix.
pub(crate) fn replacement(
    text: &str,
    url: &UrlAt,
    container: &AssetContainer,
    asset: Option<&AssetUrls>,
) -> Option<String> {
    let path = &text[url.path.clone()];
    let prefix = url.side.prefix(container).trim_end_matches('/');
    let Some(address) = asset.map(|urls| url.side.of(urls)) else {
        return (!prefix.is_empty()).then(|| spelled(prefix, text, url) + path);
    };
    // The path keeps its spelling where it names the same file.
    let names_same = |below: &str| {
        let is = |path: &str| decoded(below) == decoded(path);
        below.starts_with('/') && (is(&plain(path, url.percent)) || is(path))
    };
    let same_path = address
        .strip_prefix(prefix)
        .is_some_and(|below| !prefix.is_empty() && names_same(below));
    Some(if same_path {
        spelled(prefix, text, url) + path
    } else {
        spelled(&without_spaces(address), text, url)
    })
}

/// An address as `url` is spelled in `text`.
fn spelled(address: &str, text: &str, url: &UrlAt) -> String {
    let address = match address.split_once("//") {
        Some((_, bare)) if url.schemeless => format!("//{bare}"),
        Some(_) | None => address.to_owned(),
    };
    spelled_as(&address, &text[url.range.clone()], url.percent)
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
    fn text_around_an_address_without_prefix_is_left_to_the_caller() {
        let url = UrlAt {
            range: 0..1,
            path: 0..1,
            side: Side::Edge,
            asset: None,
            percent: 0,
            schemeless: false,
        };
        assert_eq!(
            replacement("x", &url, &AssetContainer::default(), None),
            None
        );
    }
}
