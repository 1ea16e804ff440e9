//! Policies of the user for kinds and names: which side wins a conflict, and what is never written.

use globset::{GlobBuilder, GlobMatcher};

use super::action::{Action, Planned};
use super::graph::Node;
use super::schema::field_key;
use super::{Inputs, container_of};
use crate::domain::{Entity, EntityKey, ItemState, Kind, SourceId};

/// Entities by kind and name: `page`, `content:articles`, `asset:brochures/*`.
///
/// A name is a glob, in any case. It is matched against the reference name of a model, container or template, the name of a gallery, the
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

impl PatternError {
    pub(super) fn because(why: &str) -> Self {
        Self(why.to_owned())
    }

    // The text itself is not repeated: a credential may stand in the wrong place.
    pub(super) fn of(error: &globset::Error) -> Self {
        Self(format!("its glob is invalid: {}", error.kind()))
    }
}

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
        let refused = |error: globset::Error| PatternError::of(&error);
        let glob = |name: &str| {
            let glob = GlobBuilder::new(name).case_insensitive(true).build();
            glob.map(|glob| glob.compile_matcher())
        };
        let unknown = || PatternError("it does not begin with a kind".to_owned());
        Ok(Self {
            kind: kind.parse().map_err(|_| unknown())?,
            name: name.map(glob).transpose().map_err(refused)?,
            text: text.to_owned(),
        })
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name, where it is one and no glob.
    pub(super) fn literal(&self) -> Option<&str> {
        let (_, name) = self.text.split_once(':')?;
        (!name.contains(['*', '?', '[', '{'])).then_some(name)
    }

    /// The kind.
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether an entity is meant.
    pub fn matches<I>(&self, entity: &Entity<I>) -> bool {
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
    pub(super) fn covers<I>(&self, entity: &Entity<I>) -> bool {
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
    /// Neither: it is skipped, and stays a conflict.
    Skip,
    /// The source: the target is overwritten.
    Source,
    /// The target: it is skipped, and is not a conflict.
    Target,
    /// Each field comes from the side that changed it; one that both changed is a conflict. Of items and pages only.
    Merge,
}

impl OnConflict {
    /// Every policy with its name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("skip", Self::Skip),
        ("source", Self::Source),
        ("target", Self::Target),
        ("merge", Self::Merge),
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
    /// Fields of items that keep what the target has, by the key under which fields compare. In a new item they are left out.
    pub read_only_fields: Vec<(Pattern, Box<str>)>,
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

    /// Adds what is never written: `PATTERN`, or `PATTERN#FIELD` of items.
    ///
    /// # Errors
    /// [`PatternError`]
    pub fn protect(&mut self, text: &str) -> Result<(), PatternError> {
        let Some((of, field)) = text.split_once('#') else {
            self.read_only.push(Pattern::parse(text)?);
            return Ok(());
        };
        let of = Pattern::parse(of)?;
        if of.kind != Kind::Content || field.trim().is_empty() {
            let why = "only items have fields, such as content:articles#Summary";
            return Err(PatternError(why.to_owned()));
        }
        self.read_only_fields.push((of, field_key(field).into()));
        Ok(())
    }

    /// The fields of an item that are never written, by the key under which fields compare.
    pub fn read_only_fields_of<'a>(
        &'a self,
        entity: &'a Entity<SourceId>,
    ) -> impl Iterator<Item = &'a str> {
        let fields = self.read_only_fields.iter();
        let fields = fields.filter(|(of, _)| of.matches(entity));
        fields.map(|(_, key)| &**key)
    }

    /// Whether an entity has fields that are never written.
    pub fn has_read_only_fields(&self, entity: &Entity<SourceId>) -> bool {
        self.read_only_fields_of(entity).next().is_some()
    }

    pub(super) fn read_only<I>(&self, entity: &Entity<I>) -> Option<&Pattern> {
        let mut patterns = self.read_only.iter();
        patterns.find(|pattern| pattern.covers(entity))
    }
}

/// Leaves alone what the policies say. Returns what is not created because of them: what needs it cannot be written.
pub(super) fn hold(entities: &mut [Planned], inputs: &Inputs<'_>) -> Vec<(Node, EntityKey)> {
    let policies = inputs.policies;
    let mut absent = Vec::new();
    let has_policies = !policies.on_conflict.is_empty() || !policies.read_only.is_empty();
    if inputs.excluded.is_empty() && !has_policies {
        return absent;
    }
    for (node, (planned, entity)) in (0..).zip(entities.iter_mut().zip(inputs.source.entities())) {
        if let Some(pattern) = inputs.excluded.get(&entity.key) {
            // Without a counterpart it is missing for whatever refers to it.
            if planned.found.is_none() {
                absent.push((node, entity.key.clone()));
            }
            planned.action = Action::OutOfScope;
            planned.because = format!("sync.exclude = {pattern:?} leaves it out").into();
        } else if let Some(pattern) = policies.read_only(entity) {
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
            ("content:ARTICLES/old*", true, false),
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
        let unknown = Pattern::parse("things").unwrap_err();
        assert!(unknown.to_string().contains("a kind"), "{unknown}");
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
            ..Policies::default()
        };
        assert_eq!(policies.on_conflict(&item), OnConflict::Target);
        let page = entity(Kind::Page, 1, &json!({}));
        assert_eq!(policies.on_conflict(&page), OnConflict::Source);
    }
}
