//! What every fixture must be: readable, complete in its expectations, and dangling only on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::check::{dangling, list, member, number, text};
use crate::mock::file::{InstanceFile, Row, SCHEMA, StateFile};

/// The situations that promise a reference to nothing.
const DANGLING: [&str; 4] = [
    "deleted-list",
    "missing-container",
    "orphan-reference",
    "soft-relations",
];

/// Kinds, with the name of their id and whether they exist once per locale.
const KINDS: [(&str, &str, bool); 8] = [
    ("model", "id", false),
    ("container", "contentViewID", false),
    ("template", "pageTemplateID", false),
    ("gallery", "mediaGroupingID", false),
    ("asset", "mediaID", false),
    ("content", "contentID", true),
    ("page", "pageID", true),
    ("redirection", "urlRedirectionID", false),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    mappings: Vec<Mapping>,
    exit: u8,
    outcomes: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    key: String,
    target: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expected {
    Plain(Plain),
    Because(Because),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Plain {
    Created,
    Adopted,
    Updated,
    Unchanged,
    Conflict,
    OutOfScope,
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", deny_unknown_fields)]
enum Because {
    Failed { reason: String },
    Blocked { by: String },
}

struct Fixture {
    name: String,
    source: InstanceFile,
    target: Option<InstanceFile>,
    case: Case,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn instance(path: &Path, guid: &str) -> InstanceFile {
    let bytes = fs::read(path).unwrap();
    let mut file: StateFile = serde_json::from_slice(&bytes)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(file.schema, SCHEMA, "{}", path.display());
    assert_eq!(file.instances.len(), 1, "{}", path.display());
    let instance = file.instances.remove(0);
    assert_eq!(instance.guid, guid, "{}", path.display());
    instance
}

fn fixtures() -> Vec<Fixture> {
    let mut folders: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
        .iter()
        .map(|path| {
            let target = path.join("target.json");
            let case = fs::read(path.join("case.json")).unwrap();
            Fixture {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                source: instance(&path.join("source.json"), "1a2b3c4d-u"),
                target: target.exists().then(|| instance(&target, "5e6f7a8b-u")),
                case: serde_json::from_slice(&case)
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            }
        })
        .collect()
}

fn rows<'a>(instance: &'a InstanceFile, kind: &str) -> &'a [Row] {
    match kind {
        "model" => &instance.models,
        "container" => &instance.containers,
        "template" => &instance.templates,
        "gallery" => &instance.galleries,
        "asset" => &instance.assets,
        "content" => &instance.content,
        "page" => &instance.pages,
        _ => &instance.redirections,
    }
}

/// The keys of an instance's entities, without asset folders.
fn keys(instance: &InstanceFile) -> Vec<String> {
    let mut keys = Vec::new();
    for (kind, id, localised) in KINDS {
        for row in rows(instance, kind) {
            if row
                .get("isFolder")
                .is_some_and(|folder| folder == true && kind == "asset")
            {
                continue;
            }
            let locale = if localised {
                format!("@{}", text(row, "locale"))
            } else {
                String::new()
            };
            keys.push(format!("{kind}:{}{locale}", number(row, id)));
        }
    }
    keys
}

/// The keys that an expectation speaks about: `kind:*` stands for all of a kind.
fn expected_keys(case: &Case, keys: &[String]) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for key in case.outcomes.keys() {
        match key.strip_suffix('*') {
            Some(kind) => expected.extend(keys.iter().filter(|k| k.starts_with(kind)).cloned()),
            None => assert!(expected.insert(key.clone()), "{key} twice"),
        }
    }
    expected
}

#[test]
fn every_entity_has_an_expected_outcome_and_nothing_else_has() {
    for fixture in fixtures() {
        let keys = keys(&fixture.source);
        let source: BTreeSet<String> = keys.iter().cloned().collect();
        assert_eq!(source.len(), keys.len(), "{}: a key twice", fixture.name);
        assert_eq!(
            expected_keys(&fixture.case, &keys),
            source,
            "{}",
            fixture.name
        );
        for mapping in &fixture.case.mappings {
            assert!(
                source.contains(&mapping.key) && mapping.target > 0,
                "{}",
                fixture.name
            );
        }
    }
}

#[test]
fn only_the_promised_references_dangle() {
    for fixture in fixtures() {
        let found = dangling(&fixture.source);
        let promised = DANGLING.contains(&fixture.name.as_str());
        assert_eq!(!found.is_empty(), promised, "{}: {found:#?}", fixture.name);
        if let Some(target) = &fixture.target {
            assert_eq!(dangling(target), Vec::<String>::new(), "{}", fixture.name);
        }
    }
}

#[test]
fn the_exit_code_and_the_root_causes_fit_the_outcomes() {
    for Fixture { name, case, .. } in fixtures() {
        let mut bad = 0;
        let mut conflicts = 0;
        for outcome in case.outcomes.values() {
            match outcome {
                Expected::Plain(Plain::Conflict) => conflicts += 1,
                Expected::Plain(_) => {}
                Expected::Because(Because::Failed { reason }) => {
                    assert!(!reason.is_empty(), "{name}");
                    bad += 1;
                }
                Expected::Because(Because::Blocked { by }) => {
                    let root = case.outcomes.get(by);
                    let failed = matches!(root, Some(Expected::Because(Because::Failed { .. })));
                    assert!(failed, "{name}: blocked by {by}, which does not fail");
                    bad += 1;
                }
            }
        }
        let exit = match (bad, conflicts) {
            (0, 0) => 0,
            (0, _) => 5,
            _ => 1,
        };
        assert_eq!(case.exit, exit, "{name}");
        assert!(case.about.ends_with('.') && case.about.len() > 20, "{name}");
        assert!(case.args.iter().all(|arg| arg.starts_with("--")), "{name}");
    }
}

#[test]
fn adopted_and_updated_entities_need_a_target() {
    for Fixture {
        name, target, case, ..
    } in fixtures()
    {
        let found = |outcome: &Expected| {
            matches!(
                outcome,
                Expected::Plain(Plain::Adopted | Plain::Updated | Plain::Unchanged)
            )
        };
        assert!(
            target.is_some() || !case.outcomes.values().any(found),
            "{name}"
        );
    }
}

/// Ids of both sides differ, so that an id of the source that was sent as one of the target shows.
#[test]
fn no_id_of_a_target_is_an_id_of_its_source() {
    for fixture in fixtures() {
        let Some(target) = &fixture.target else {
            continue;
        };
        for (kind, id, _) in KINDS {
            let ids = |instance| -> BTreeSet<i64> {
                rows(instance, kind)
                    .iter()
                    .map(|row| number(row, id))
                    .collect()
            };
            let shared = &ids(&fixture.source) & &ids(target);
            assert!(shared.is_empty(), "{}: {kind} {shared:?}", fixture.name);
        }
    }
}

#[test]
fn the_demonstration_site_shows_a_bit_of_everything() {
    let all = fixtures();
    let site = &all
        .iter()
        .find(|f| f.name == "starter-site")
        .unwrap()
        .source;
    assert!((120..=180).contains(&keys(site).len()));
    assert_eq!(site.locales, ["en-us", "fr-ca"]);
    for (kind, _, _) in KINDS {
        assert!(rows(site, kind).len() >= 3, "{kind}");
    }
    let types: BTreeSet<&str> = site.pages.iter().map(|p| text(p, "pageType")).collect();
    assert_eq!(
        types,
        BTreeSet::from(["dynamic", "folder", "link", "static"])
    );
    let names = |key: &str| -> BTreeSet<&str> {
        let fields = site.models.iter().flat_map(|m| list(m, "fields"));
        let settings = fields.filter_map(|f| member(f.as_object()?, "settings"));
        settings
            .map(|s| text(s, key))
            .filter(|name| !name.is_empty())
            .collect()
    };
    assert!(names("RenderAs").len() >= 3);
    assert!(names("SortIDFieldName").len() >= 2);
}

#[test]
fn the_list_of_situations_is_complete() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let (_, situations) = readme.split_once("## Situations").unwrap();
    let listed: BTreeSet<&str> = situations
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let all = fixtures();
    let there: BTreeSet<&str> = all.iter().map(|fixture| fixture.name.as_str()).collect();
    assert_eq!(listed, there);
}
