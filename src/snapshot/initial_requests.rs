//! What has to be asked to read an instance.

use crate::domain::{Kind, Locale};
use crate::instance::ReadRequest;

/// The questions that start a reading of `kinds` in `locales`; their follow-ups complete it. The locales
/// themselves are not asked for, as the caller had to know them; giving [`Builder::add`] that answer as
/// well makes the inventory list all of them.
///
/// Lists that exist once per instance are asked for once. Without a locale there are no templates, content
/// items and pages.
///
/// [`Builder::add`]: super::Builder::add
pub fn first_asks(locales: &[Locale], kinds: &[Kind]) -> Vec<ReadRequest> {
    let wanted = |kind| kinds.contains(&kind);
    let mut asks = Vec::new();
    if wanted(Kind::Model) {
        asks.push(ReadRequest::Models { components: false });
        asks.push(ReadRequest::Models { components: true });
    }
    if wanted(Kind::Container) {
        asks.push(ReadRequest::Containers);
    }
    // The feeds go page after page, so they start early.
    for locale in locales {
        let locale = || locale.clone();
        if wanted(Kind::Content) {
            asks.push(ReadRequest::Items {
                locale: locale(),
                token: 0,
            });
        }
        if wanted(Kind::Page) {
            asks.push(ReadRequest::Pages {
                locale: locale(),
                token: 0,
            });
            asks.push(ReadRequest::Sitemap(locale()));
        }
    }
    if let (true, Some(locale)) = (wanted(Kind::Template), locales.first()) {
        asks.push(ReadRequest::Templates(locale.clone()));
    }
    if wanted(Kind::Gallery) {
        asks.push(ReadRequest::Galleries { offset: 0 });
    }
    // Content, pages and redirections hold asset URLs, which are recognised by the URL of the container.
    if [Kind::Asset, Kind::Content, Kind::Page, Kind::Redirection]
        .into_iter()
        .any(wanted)
    {
        asks.push(ReadRequest::AssetContainer);
    }
    if wanted(Kind::Asset) {
        asks.push(ReadRequest::Assets { offset: 0 });
    }
    if wanted(Kind::Redirection) {
        asks.push(ReadRequest::Redirections);
    }
    asks
}

/// The kind whose reading an ask is a part of.
pub(super) const fn subject(ask: &ReadRequest) -> Option<Kind> {
    match ask {
        ReadRequest::Locales | ReadRequest::AssetContainer | ReadRequest::Sitemap(_) => None,
        ReadRequest::Models { .. } | ReadRequest::Model(_) => Some(Kind::Model),
        ReadRequest::Containers | ReadRequest::Container(_) => Some(Kind::Container),
        ReadRequest::Templates(_) => Some(Kind::Template),
        ReadRequest::Galleries { .. } => Some(Kind::Gallery),
        ReadRequest::Assets { .. } => Some(Kind::Asset),
        ReadRequest::Items { .. }
        | ReadRequest::PublicItems { .. }
        | ReadRequest::ItemsById { .. }
        | ReadRequest::ContainerItems { .. } => Some(Kind::Content),
        ReadRequest::Pages { .. } => Some(Kind::Page),
        ReadRequest::Redirections => Some(Kind::Redirection),
        ReadRequest::One { kind, .. }
        | ReadRequest::Named { kind, .. }
        | ReadRequest::Live { kind, .. } => Some(*kind),
    }
}

/// Whether the answer is one entity, so that the number of entities is known before it arrives.
pub(super) const fn is_detail(ask: &ReadRequest) -> bool {
    matches!(
        ask,
        ReadRequest::Model(_)
            | ReadRequest::Container(_)
            | ReadRequest::One { .. }
            | ReadRequest::Named { .. }
            | ReadRequest::Live { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_reading_asks_for_each_list_once_and_for_each_locale() {
        let locales = [Locale::new("en-us"), Locale::new("fr-ca")];
        let asks = first_asks(&locales, &Kind::ALL);
        let unique: std::collections::HashSet<_> = asks.iter().collect();
        assert_eq!(unique.len(), asks.len());
        assert_eq!(asks.len(), 3 + 3 * 2 + 5);
        assert!(asks.contains(&ReadRequest::Templates(locales[0].clone())));
        assert!(asks.contains(&ReadRequest::Sitemap(locales[1].clone())));
    }

    #[test]
    fn a_selection_asks_for_nothing_else() {
        let locales = [Locale::new("en-us")];
        let asks = first_asks(&locales, &[Kind::Model]);
        assert_eq!(
            asks,
            [
                ReadRequest::Models { components: false },
                ReadRequest::Models { components: true }
            ]
        );
        assert_eq!(
            first_asks(&[], &[Kind::Content]),
            [ReadRequest::AssetContainer]
        );
    }
}
