//! What the files of the mapping folder are called, and what the members of their rows mean.

use crate::domain::Kind;

/// The name of each mapping file.
pub(super) const FILE: &str = "mappings.json";

/// A kind with its folder and the members of its rows, each for the source and the target.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) kind: Kind,
    /// Below the folder of the pair, or below that of a locale.
    pub(super) folder: &'static str,
    pub(super) ids: [&'static str; 2],
    /// The member of the source that no other entity of the kind has, for kinds with names.
    pub(super) name: Option<&'static str>,
    /// Whether the name is compared without case.
    pub(super) is_folded: bool,
    /// Versions of content and pages.
    pub(super) versions: Option<[&'static str; 2]>,
}

const fn layout(
    kind: Kind,
    folder: &'static str,
    ids: [&'static str; 2],
    name: Option<&'static str>,
) -> Layout {
    Layout {
        kind,
        folder,
        ids,
        name,
        is_folded: !matches!(kind, Kind::Asset),
        versions: if kind.is_localised() {
            Some(["sourceVersionID", "targetVersionID"])
        } else {
            None
        },
    }
}

/// Kinds that exist once per instance.
pub(super) const GLOBAL: [Layout; 6] = [
    layout(
        Kind::Model,
        "models",
        ["sourceID", "targetID"],
        Some("sourceReferenceName"),
    ),
    layout(
        Kind::Container,
        "containers",
        ["sourceContentViewID", "targetContentViewID"],
        Some("sourceReferenceName"),
    ),
    layout(
        Kind::Gallery,
        "galleries",
        ["sourceMediaGroupingID", "targetMediaGroupingID"],
        None,
    ),
    layout(
        Kind::Asset,
        "assets",
        ["sourceMediaID", "targetMediaID"],
        Some("sourceUrl"),
    ),
    layout(
        Kind::Template,
        "templates",
        ["sourcePageTemplateID", "targetPageTemplateID"],
        Some("sourcePageTemplateName"),
    ),
    layout(
        Kind::Redirection,
        "urlredirections",
        ["sourceUrlRedirectionID", "targetUrlRedirectionID"],
        Some("originUrl"),
    ),
];

/// Kinds that exist once per locale.
pub(super) const LOCALISED: [Layout; 2] = [
    layout(
        Kind::Content,
        "item",
        ["sourceContentID", "targetContentID"],
        None,
    ),
    layout(Kind::Page, "page", ["sourcePageID", "targetPageID"], None),
];

/// The layout of a kind.
pub(super) fn of_kind(kind: Kind) -> &'static Layout {
    match kind {
        Kind::Model => &GLOBAL[0],
        Kind::Container => &GLOBAL[1],
        Kind::Gallery => &GLOBAL[2],
        Kind::Asset => &GLOBAL[3],
        Kind::Template => &GLOBAL[4],
        Kind::Redirection => &GLOBAL[5],
        Kind::Content => &LOCALISED[0],
        Kind::Page => &LOCALISED[1],
    }
}

/// The members with the two instances.
pub(super) const GUIDS: [&str; 2] = ["sourceGuid", "targetGuid"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_layout() {
        for kind in Kind::ALL {
            assert_eq!(of_kind(kind).kind, kind);
            assert_eq!(of_kind(kind).versions.is_some(), kind.is_localised());
        }
    }
}
