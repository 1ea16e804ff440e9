//! What a user can configure about names and fields on a target.

use std::collections::BTreeMap;

use super::check::MapError;
use crate::domain::{Kind, Locale, same_name};
use crate::plan::Selection;
use crate::plan::policy::{Pattern, PatternError};
use crate::plan::schema::field_key;

/// What the source is called otherwise on a target, and what of it the target does not get. The default changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Maps {
    /// Locales of the source with those that they are on the target.
    pub locales: Vec<(Locale, Locale)>,
    /// Channels by name. The target's get the names of the source when they are read, so nothing of the source changes.
    pub channels: Vec<(String, String)>,
    /// Reference names of containers.
    pub containers: Vec<(String, String)>,
    /// Folders of assets, without slashes around them; an empty one is the root.
    pub folders: Vec<(String, String)>,
    /// Hosts of URLs in text, each with its port where it has one.
    pub hosts: Vec<(String, String)>,
    /// Fields of items with the value that they have on the target.
    pub set: Vec<FieldRule>,
    /// Fields of items that the target does not get.
    pub dropped: Vec<FieldRule>,
    /// What is skipped on the target, and not created.
    pub exclude: Vec<Pattern>,
}

/// A field of some items: `PATTERN#FIELD`, with `=VALUE` where it has one.
#[derive(Clone, Debug)]
pub struct FieldRule {
    pub(super) of: Pattern,
    /// As it was written.
    pub(super) field: Box<str>,
    pub(super) value: Option<Box<str>>,
}

impl FieldRule {
    /// Reads `PATTERN#FIELD=VALUE`.
    ///
    /// # Errors
    /// [`PatternError`]
    pub fn set(text: &str) -> Result<Self, PatternError> {
        let (of, rest) = split(text)?;
        let (field, value) = rest
            .split_once('=')
            .filter(|(_, value)| !value.trim().is_empty())
            .ok_or_else(|| PatternError::because("it gives no value behind the field"))?;
        Self::of(of, field, Some(value.trim().into()))
    }

    /// Reads `PATTERN#FIELD`.
    ///
    /// # Errors
    /// [`PatternError`]
    pub fn dropped(text: &str) -> Result<Self, PatternError> {
        let (of, field) = split(text)?;
        if field.contains('=') {
            return Err(PatternError::because("a field without a value is meant"));
        }
        Self::of(of, field, None)
    }

    fn of(of: &str, field: &str, value: Option<Box<str>>) -> Result<Self, PatternError> {
        let of = Pattern::parse(of)?;
        if of.kind() != Kind::Content || field.trim().is_empty() {
            let why = "only items have fields, such as content:articles#Summary";
            return Err(PatternError::because(why));
        }
        let field = field.trim().into();
        Ok(Self { of, field, value })
    }

    /// The key under which the field compares.
    pub(super) fn key(&self) -> Box<str> {
        field_key(&self.field).into()
    }

    fn written(&self) -> String {
        match &self.value {
            Some(value) => format!("{}={value}", self.name()),
            None => self.name(),
        }
    }

    /// As a user writes it, without the value.
    pub(super) fn name(&self) -> String {
        format!("{}#{}", self.of.text(), self.field)
    }
}

fn split(text: &str) -> Result<(&str, &str), PatternError> {
    let no_field = || PatternError::because("it names no field behind a #");
    text.split_once('#').ok_or_else(no_field)
}

/// The locales of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunLocales {
    /// As the source calls them, in its order.
    pub read: Vec<Locale>,
    /// As the target calls them, in the same order.
    pub written: Vec<Locale>,
}

impl Maps {
    /// The settings, each with its name in the options that a run notes.
    pub const KEYS: [(&'static str, &'static str); 8] = [
        ("sync.locale_map", "locale_map"),
        ("sync.channel_map", "channel_map"),
        ("sync.container_map", "container_map"),
        ("sync.folder_map", "folder_map"),
        ("sync.host_map", "host_map"),
        ("sync.set", "set"),
        ("sync.drop", "drop"),
        ("sync.exclude", "exclude"),
    ];

    /// As the configuration writes them, by the names in [`Maps::KEYS`]; what says nothing is left out.
    pub fn written(&self) -> BTreeMap<&'static str, Vec<String>> {
        let pairs = |pairs: &[(String, String)]| -> Vec<String> {
            let written = pairs.iter().map(|(from, to)| format!("{from}={to}"));
            written.collect()
        };
        let root = |folder: &str| if folder.is_empty() { "/" } else { folder }.to_owned();
        let folders = self.folders.iter();
        let folders: Vec<_> = folders.map(|(from, to)| (root(from), root(to))).collect();
        let locales = self.locales.iter();
        let locales = locales.map(|(from, to)| format!("{from}={to}")).collect();
        let fields = |rules: &[FieldRule]| rules.iter().map(FieldRule::written).collect();
        let exclude = self.exclude.iter().map(|one| one.text().to_owned());
        let mut all = BTreeMap::from([
            ("locale_map", locales),
            ("channel_map", pairs(&self.channels)),
            ("container_map", pairs(&self.containers)),
            ("folder_map", pairs(&folders)),
            ("host_map", pairs(&self.hosts)),
            ("set", fields(&self.set)),
            ("drop", fields(&self.dropped)),
            ("exclude", exclude.collect()),
        ]);
        all.retain(|_, parts: &mut Vec<String>| !parts.is_empty());
        all
    }

    /// Whether they change nothing of the source.
    pub(super) fn changes_nothing(&self) -> bool {
        self.locales.is_empty()
            && self.containers.is_empty()
            && self.folders.is_empty()
            && self.hosts.is_empty()
            && self.set.is_empty()
            && self.dropped.is_empty()
            && self.exclude.is_empty()
    }

    /// What a locale of the source is on the target.
    pub fn locale(&self, locale: &Locale) -> Locale {
        let mut maps = self.locales.iter();
        let found = maps.find(|(from, _)| from == locale);
        found.map_or(locale, |(_, to)| to).clone()
    }

    /// The names on the target of the locales that are `read`, where `known` are all of the source.
    ///
    /// # Errors
    /// [`MapError`] for a locale that the source does not have, and where two become one.
    pub fn run_locales(&self, read: Vec<Locale>, known: &[Locale]) -> Result<RunLocales, MapError> {
        if let Some((unknown, _)) = self.locales.iter().find(|(from, _)| !known.contains(from)) {
            let known: Vec<&str> = known.iter().map(Locale::as_str).collect();
            return Err(MapError::unknown(
                "sync.locale_map",
                "locale",
                unknown.as_str(),
                &known,
            ));
        }
        let written: Vec<Locale> = read.iter().map(|locale| self.locale(locale)).collect();
        for (at, locale) in written.iter().enumerate() {
            if let Some(other) = written[..at].iter().position(|other| other == locale) {
                let names = (read[other].as_str(), read[at].as_str());
                let mut error = MapError::both("sync.locale_map", names, locale.as_str());
                error.hint = format!(
                    "leave one of the two out with --locale, or map {locale} to another locale as well"
                );
                return Err(error);
            }
        }
        Ok(RunLocales { read, written })
    }

    /// What a container of the source is called on the target; `None` where that is its own name.
    pub(super) fn container(&self, name: &str) -> Option<&str> {
        let mut maps = self.containers.iter();
        let found = maps.find(|(from, _)| same_name(from, name));
        found.map(|(_, to)| to.as_str())
    }

    /// Turns a selection with the names of containers on the source into one with those on the target. A pattern of names
    /// stays: it is compared with the names on the target.
    #[must_use]
    pub fn selection(&self, mut selection: Selection) -> Selection {
        for name in &mut selection.containers {
            if let Some(mapped) = self.container(name) {
                *name = mapped.to_owned();
            }
        }
        for name in &mut selection.items {
            let (container, title) = name
                .split_once('/')
                .map_or((&**name, None), |(name, title)| (name, Some(title)));
            if let Some(mapped) = self.container(container) {
                *name =
                    title.map_or_else(|| mapped.to_owned(), |title| format!("{mapped}/{title}"));
            }
        }
        selection
    }
}
