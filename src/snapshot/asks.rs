//! What has to be asked to read an instance.

use crate::domain::{Kind, Locale};
use crate::instance::Ask;

/// The questions that start a reading of `kinds` in `locales`; their follow-ups complete it. The locales
/// themselves are not asked for, as the caller had to know them; giving [`Builder::add`] that answer as
/// well makes the inventory list all of them.
///
/// Lists that exist once per instance are asked for once. Without a locale there are no templates, content
/// items and pages.
///
/// [`Builder::add`]: super::Builder::add
pub fn first_asks(locales: &[Locale], kinds: &[Kind]) -> Vec<Ask> {
    let wanted = |kind| kinds.contains(&kind);
    let mut asks = Vec::new();
    if wanted(Kind::Model) {
        asks.push(Ask::Models { components: false });
        asks.push(Ask::Models { components: true });
    }
    if wanted(Kind::Container) {
        asks.push(Ask::Containers);
    }
    // The feeds go page after page, so they start early.
    for locale in locales {
        let locale = || locale.clone();
        if wanted(Kind::Content) {
            asks.push(Ask::Items {
                locale: locale(),
                token: 0,
            });
        }
        if wanted(Kind::Page) {
            asks.push(Ask::Pages {
                locale: locale(),
                token: 0,
            });
            asks.push(Ask::Sitemap(locale()));
        }
    }
    if let (true, Some(locale)) = (wanted(Kind::Template), locales.first()) {
        asks.push(Ask::Templates(locale.clone()));
    }
    if wanted(Kind::Gallery) {
        asks.push(Ask::Galleries { offset: 0 });
    }
    // Content, pages and redirections hold asset URLs, which are told by the URL of the container.
    if [Kind::Asset, Kind::Content, Kind::Page, Kind::Redirection]
        .into_iter()
        .any(wanted)
    {
        asks.push(Ask::AssetContainer);
    }
    if wanted(Kind::Asset) {
        asks.push(Ask::Assets { offset: 0 });
    }
    if wanted(Kind::Redirection) {
        asks.push(Ask::Redirections);
    }
    asks
}

/// The kind whose reading an ask is a part of.
pub(super) const fn subject(ask: &Ask) -> Option<Kind> {
    match ask {
        Ask::Locales | Ask::AssetContainer | Ask::Sitemap(_) => None,
        Ask::Models { .. } | Ask::Model(_) => Some(Kind::Model),
        Ask::Containers | Ask::Container(_) => Some(Kind::Container),
        Ask::Templates(_) => Some(Kind::Template),
        Ask::Galleries { .. } => Some(Kind::Gallery),
        Ask::Assets { .. } => Some(Kind::Asset),
        Ask::Items { .. } | Ask::ItemsById { .. } | Ask::ContainerItems { .. } => {
            Some(Kind::Content)
        }
        Ask::Pages { .. } => Some(Kind::Page),
        Ask::Redirections => Some(Kind::Redirection),
        Ask::One { kind, .. } | Ask::Named { kind, .. } | Ask::Live { kind, .. } => Some(*kind),
    }
}

/// Whether the answer is one entity, so that the number of entities is known before it arrives.
pub(super) const fn is_detail(ask: &Ask) -> bool {
    matches!(
        ask,
        Ask::Model(_) | Ask::Container(_) | Ask::One { .. } | Ask::Named { .. } | Ask::Live { .. }
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
        assert!(asks.contains(&Ask::Templates(locales[0].clone())));
        assert!(asks.contains(&Ask::Sitemap(locales[1].clone())));
    }

    #[test]
    fn a_selection_asks_for_nothing_else() {
        let locales = [Locale::new("en-us")];
        let asks = first_asks(&locales, &[Kind::Model]);
        assert_eq!(
            asks,
            [
                Ask::Models { components: false },
                Ask::Models { components: true }
            ]
        );
        assert_eq!(first_asks(&[], &[Kind::Content]), [Ask::AssetContainer]);
    }
}
