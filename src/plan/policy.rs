//! What the user decided beforehand about kinds and names: which side wins a conflict, and what is never written.

use globset::{Glob, GlobMatcher};

use super::action::{Action, Planned};
use super::graph::Node;
use super::{Inputs, container_of};
use crate::domain::{Entity, EntityKey, ItemState, Kind, SourceId};

/// Entities by kind and name: `page`, `content:articles`, `asset:brochures/*`.
///
/// A name is a glob. It is matched against the reference name of a model, container or template, the name of a gallery, the
/// path of an asset or page, the origin of a redirection; of an item against its container, and against its container and
/// title with a slash between them.
#[derive(Clone, Debug)]
pub struct Pattern {
    kind: Kind,
    name: Option<GlobMatcher>,
    text: String,
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl Pattern {
    /// Reads `KIND` or `KIND:GLOB`.
    ///
    /// # Errors
    /// [`PatternError`]
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (kind, name) = match text.split_once(':') {
            Some((kind, name)) => (kind, Some(name)),
            None => (text, None),
        };
        let refused = |error: &dyn std::fmt::Display| PatternError(error.to_string());
        let glob = |name: &str| Glob::new(name).map(|glob| glob.compile_matcher());
        Ok(Self {
            kind: kind.parse().map_err(|error| refused(&error))?,
            name: name
                .map(glob)
                .transpose()
                .map_err(|error| refused(&error))?,
            text: text.to_owned(),
        })
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether an entity is meant.
    pub fn matches(&self, entity: &Entity<SourceId>) -> bool {
        let Some(glob) = self.name.as_ref().filter(|_| self.kind == entity.key.kind) else {
            return self.kind == entity.key.kind;
        };
        if entity.key.kind != Kind::Content {
            return glob.is_match(&*entity.name);
        }
        let body = entity.body.parse();
        let container = container_of(&body);
        glob.is_match(container) || glob.is_match(format!("{container}/{}", entity.name))
    }

    /// The same, with the items of a container that is meant.
    fn covers(&self, entity: &Entity<SourceId>) -> bool {
        let is_item = entity.key.kind == Kind::Content && self.kind == Kind::Container;
        if !is_item {
            return self.matches(entity);
        }
        let body = entity.body.parse();
        let container = container_of(&body);
        self.name
            .as_ref()
            .is_none_or(|glob| glob.is_match(container))
    }
}

/// Which side wins where both changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Neither: it is left alone, and stays a conflict.
    Skip,
    /// The source: the target is overwritten.
    Source,
    /// The target: it is left alone, and is not a conflict.
    Target,
}

impl OnConflict {
    /// Every policy with its name.
    pub const ALL: [(&'static str, Self); 3] = [
        ("skip", Self::Skip),
        ("source", Self::Source),
        ("target", Self::Target),
    ];
}

/// What was decided beforehand.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Whether the source wins where no other policy says anything.
    pub overwrite: bool,
    /// Which side wins; the first pattern that matches counts.
    pub on_conflict: Vec<(Pattern, OnConflict)>,
    /// What is never written on the target. A container stands for its items as well.
    pub read_only: Vec<Pattern>,
}

impl Policies {
    /// What happens to an entity that both sides changed.
    pub fn on_conflict(&self, entity: &Entity<SourceId>) -> OnConflict {
        let mut policies = self.on_conflict.iter();
        let found = policies.find(|(pattern, _)| pattern.matches(entity));
        let otherwise = if self.overwrite {
            OnConflict::Source
        } else {
            OnConflict::Skip
        };
        found.map_or(otherwise, |(_, policy)| *policy)
    }

    /// Whether the source wins.
    pub(super) fn overwrites(&self, entity: &Entity<SourceId>) -> bool {
        self.on_conflict(entity) == OnConflict::Source
    }

    fn read_only(&self, entity: &Entity<SourceId>) -> Option<&Pattern> {
        let mut patterns = self.read_only.iter();
        patterns.find(|pattern| pattern.covers(entity))
    }
}

/// Leaves alone what the policies say. Returns what is not created because of them: what needs it cannot be written.
pub(super) fn hold(entities: &mut [Planned], inputs: &Inputs<'_>) -> Vec<(Node, EntityKey)> {
    let policies = inputs.policies;
    let mut absent = Vec::new();
    if policies.on_conflict.is_empty() && policies.read_only.is_empty() {
        return absent;
    }
    for (node, (planned, entity)) in (0..).zip(entities.iter_mut().zip(inputs.source.entities())) {
        if let Some(pattern) = policies.read_only(entity) {
            let text = format!(
                "read-only on the target (sync.read_only = {:?})",
                pattern.text()
            );
            if keep(planned, entity, inputs, text) {
                absent.push((node, entity.key.clone()));
            }
        } else if let Action::Conflict {
            target: Some(target),
        } = planned.action
            && policies.on_conflict(entity) == OnConflict::Target
        {
            planned.add("the target wins (sync.on_conflict)");
            planned.left_alone = true;
            planned.action = Action::Unchanged { target };
        }
    }
    absent
}

/// Keeps an entity from being written or published. True if it would have been created.
fn keep(
    planned: &mut Planned,
    entity: &Entity<SourceId>,
    inputs: &Inputs<'_>,
    because: String,
) -> bool {
    match planned.action {
        Action::Create { .. } | Action::Conflict { target: None } => {
            planned.action = Action::OutOfScope;
            planned.because = because.into();
            return true;
        }
        Action::Update { target }
        | Action::Conflict {
            target: Some(target),
        } => {
            planned.action = Action::Unchanged { target };
        }
        Action::Unchanged { target } => {
            let there = inputs.target.get(&entity.key.with_id(target));
            let is_draft = there.is_some_and(|there| there.state == ItemState::Staging);
            if !(is_draft && entity.is_published()) {
                return false;
            }
        }
        Action::Adopt { .. } | Action::Fail { .. } | Action::Block { .. } | Action::OutOfScope => {
            return false;
        }
    }
    planned.left_alone = true;
    planned.because = because.into();
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::entity;
    use serde_json::json;

    #[test]
    fn patterns_name_kinds_and_names() {
        let item = entity(
            Kind::Content,
            7,
            &json!({ "name": "Old news", "properties": { "referenceName": "articles" } }),
        );
        let container = entity(Kind::Container, 8, &json!({ "referenceName": "articles" }));
        for (text, is_item, is_container) in [
            ("content", true, false),
            ("content:articles", true, false),
            ("content:art*", true, false),
            ("content:articles/Old*", true, false),
            ("content:articles/New*", false, false),
            ("container:articles", false, true),
            ("container:people", false, false),
            ("page", false, false),
        ] {
            let pattern = Pattern::parse(text).unwrap();
            assert_eq!(
                (pattern.matches(&item), pattern.matches(&container)),
                (is_item, is_container),
                "{text}"
            );
        }
        assert!(Pattern::parse("container:art*").unwrap().covers(&item));
        assert!(
            Pattern::parse("things")
                .unwrap_err()
                .to_string()
                .contains("things")
        );
        assert!(Pattern::parse("page:[").is_err());
    }

    #[test]
    fn the_first_policy_that_matches_counts() {
        let item = entity(
            Kind::Content,
            7,
            &json!({ "properties": { "referenceName": "articles" } }),
        );
        let pattern = |text| Pattern::parse(text).unwrap();
        let policies = Policies {
            overwrite: true,
            on_conflict: vec![
                (pattern("content:articles"), OnConflict::Target),
                (pattern("content"), OnConflict::Skip),
            ],
            read_only: Vec::new(),
        };
        assert_eq!(policies.on_conflict(&item), OnConflict::Target);
        let page = entity(Kind::Page, 1, &json!({}));
        assert_eq!(policies.on_conflict(&page), OnConflict::Source);
    }
}
