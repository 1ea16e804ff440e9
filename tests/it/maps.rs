//! Names that differ on a target, and what of the source it does not get. The oracle is a source that has the target's names
//! itself, made of the text of the fixture: a run with maps leaves what a run without them leaves from that one.

use lockgate::mock::Server;
use lockgate::mock::file::{InstanceFile, StateFile};
use serde_json::Value;

use crate::binary::{Workspace, end_of, lines_of_json};
use crate::same_state;
use crate::support::{SOURCE, TARGET, fixture, instances, put_state, serve};
use crate::targets::{PROD, QA, ends, held, with_empty, workspace};

/// A map, and the same done to a source.
struct Case {
    name: &'static str,
    config: &'static str,
    /// What the source of the oracle has in the place of what it had.
    texts: &'static [(&'static str, &'static str)],
    /// Locales of the target.
    locales: [&'static str; 2],
    /// What the plan says.
    told: &'static str,
}

const OWN: [&str; 2] = ["en-us", "fr-ca"];

const CASES: [Case; 5] = [
    Case {
        name: "locales",
        config: "locale_map = [\"en-us=en-ca\", \"fr-ca=fr-fr\"]",
        texts: &[("\"en-us\"", "\"en-ca\""), ("\"fr-ca\"", "\"fr-fr\"")],
        locales: ["en-ca", "fr-fr"],
        told: "locale en-us becomes en-ca",
    },
    Case {
        name: "swapped locales",
        config: "locale_map = [\"en-us=fr-ca\", \"fr-ca=en-us\"]",
        texts: &[
            ("\"en-us\"", "\"??\""),
            ("\"fr-ca\"", "\"en-us\""),
            ("\"??\"", "\"fr-ca\""),
        ],
        locales: ["fr-ca", "en-us"],
        told: "locale fr-ca becomes en-us",
    },
    Case {
        name: "containers",
        config: "container_map = [\"Topics=subjects\", \"home_CardGrid=front_CardGrid\"]",
        texts: &[
            ("\"topics\"", "\"subjects\""),
            ("\"home_CardGrid\"", "\"front_CardGrid\""),
            (
                "\"contentViewName\":\"subjects\"",
                "\"contentViewName\":\"topics\"",
            ),
            (
                "\"contentViewName\":\"front_CardGrid\"",
                "\"contentViewName\":\"home_CardGrid\"",
            ),
            // The name of a field is none of a container.
            ("\"subjects\":{", "\"topics\":{"),
        ],
        locales: OWN,
        told: "container Topics becomes subjects",
    },
    Case {
        name: "folders",
        config: "folder_map = [\"img/harbour=img/port\"]",
        texts: &[("img/harbour", "img/port")],
        locales: OWN,
        told: "folder img/harbour becomes img/port: 4 assets",
    },
    Case {
        name: "hosts",
        config: "host_map = [\"maps.example.test=maps.example.org\", \"rosa-vega.example.test=rosa.example.org:8443\"]",
        texts: &[
            ("maps.example.test", "maps.example.org"),
            ("rosa-vega.example.test", "rosa.example.org:8443"),
        ],
        locales: OWN,
        told: "host maps.example.test becomes maps.example.org: 2 URLs",
    },
];

fn state(locales: &[&str]) -> StateFile {
    let mut state = instances(&fixture("starter-site"));
    state.instances[1].locales = locales.iter().map(|one| (*one).to_owned()).collect();
    state
}

/// The state with other texts in its source.
fn with_texts(mut state: StateFile, texts: &[(&str, &str)]) -> StateFile {
    let mut text = serde_json::to_string(&state.instances[0]).unwrap();
    for (old, new) in texts {
        assert!(text.contains(old), "the fixture has no {old}");
        text = text.replace(old, new);
    }
    state.instances[0] = serde_json::from_str(&text).unwrap();
    state
}

fn configured(server: &Server, config: &str) -> Workspace {
    let workspace = Workspace::new();
    let url = server.base_url();
    let text = format!(
        "[source]\nguid = \"{SOURCE}\"\nurl = \"{url}\"\n[target]\nguid = \"{TARGET}\"\nurl = \"{url}\"\n[sync]\n{config}\n"
    );
    std::fs::write(workspace.path().join("lockgate.toml"), text).unwrap();
    workspace
}

fn target(server: &Server) -> InstanceFile {
    held(server, TARGET)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_with_a_map_leaves_what_a_source_with_those_names_would() {
    for case in CASES {
        let name = case.name;
        let oracle = serve(with_texts(state(&case.locales), case.texts)).await;
        ends(&configured(&oracle, ""), "sync", 0).await;
        let server = serve(state(&case.locales)).await;
        let workspace = configured(&server, case.config);
        // Every form says the same sentences.
        let forms = ["text", "markdown", "html", "json"];
        let shown = if name == "locales" { 4 } else { 1 };
        for form in &forms[..shown] {
            let plan = ends(&workspace, &format!("plan --format {form}"), 0).await;
            assert!(
                plan.stdout.contains(case.told),
                "{name} {form}: {}",
                plan.stdout
            );
        }
        ends(&workspace, "sync --dry-run", 0).await;
        assert!(server.writes(TARGET).is_empty());
        ends(&workspace, "sync", 0).await;
        let found = same_state::differences(&target(&oracle), &target(&server));
        assert!(found.is_empty(), "{name}: {}", found.join("\n"));
        let before = server.writes(TARGET).len();
        ends(&workspace, "sync", 0).await;
        ends(&workspace, "verify", 0).await;
        assert_eq!(
            server.writes(TARGET).len(),
            before,
            "{name}: a second run writes nothing"
        );
        // What is recognised without the state is recognised under its mapped name.
        std::fs::remove_dir_all(workspace.path().join(".lockgate")).unwrap();
        ends(&workspace, "sync --yes", 0).await;
        assert_eq!(
            server.writes(TARGET).len(),
            before,
            "{name}: nothing is new"
        );
    }
}

#[tokio::test]
async fn a_mapped_run_is_undone_as_a_whole() {
    let server = serve(state(&["en-ca", "fr-fr"])).await;
    let workspace = configured(&server, CASES[0].config);
    ends(&workspace, "sync", 0).await;
    assert!(!target(&server).content.is_empty());
    ends(&workspace, "undo last --yes", 0).await;
    let left = target(&server);
    assert_eq!((left.content.len(), left.pages.len()), (0, 0));
}

/// The texts of a field of all items of a container, by locale.
fn fields(instance: &InstanceFile, list: &str, field: &str) -> Vec<Option<String>> {
    let of_list = instance.content.iter().filter(|row| {
        let name = row["properties"]["referenceName"].as_str();
        name.is_some_and(|name| name.eq_ignore_ascii_case(list))
    });
    let mut found: Vec<Option<String>> = of_list
        .map(|row| {
            let fields = row["fields"].as_object().unwrap();
            let found = fields
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(field));
            let text = found.and_then(|(_, value)| value.as_str());
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        })
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_field_has_a_value_of_its_own_or_none() {
    let server = serve(state(&OWN)).await;
    let workspace = configured(
        &server,
        "set = [\"content:SiteSettings#Tagline=on the quay\", \"content:articles#Minutes=9\"]\ndrop = [\"content:articles#Summary\"]",
    );
    let plan = ends(&workspace, "plan", 0).await;
    for told in [
        "content:SiteSettings#Tagline is \"on the quay\": 2 items",
        "content:articles#Summary is dropped: 19 items",
    ] {
        assert!(plan.stdout.contains(told), "{told}: {}", plan.stdout);
    }
    ends(&workspace, "sync", 0).await;
    let there = target(&server);
    let expected = vec![Some("on the quay".to_owned()); 2];
    assert_eq!(fields(&there, "sitesettings", "tagline"), expected);
    assert_eq!(fields(&there, "articles", "summary"), vec![None; 19]);
    let source = held(&server, SOURCE);
    assert!(
        fields(&source, "articles", "summary")
            .iter()
            .all(Option::is_some)
    );
    let before = server.writes(TARGET).len();
    ends(&workspace, "sync", 0).await;
    ends(&workspace, "verify", 0).await;
    assert_eq!(server.writes(TARGET).len(), before);
}

/// Adding a map writes what it is about, and nothing else; taking it away brings that back.
#[tokio::test]
async fn a_map_that_changes_touches_only_what_it_is_about() {
    let server = serve(state(&OWN)).await;
    let workspace = configured(&server, "");
    ends(&workspace, "sync", 0).await;
    let first = target(&server);
    let general = std::fs::read_to_string(workspace.path().join("lockgate.toml")).unwrap();
    for (config, updates) in [
        (
            "host_map = [\"rosa-vega.example.test=rosa.example.org\"]",
            2,
        ),
        ("set = [\"content:SiteSettings#Tagline=other\"]", 2),
        ("drop = [\"content:topics#Colour\"]", 12),
    ] {
        std::fs::write(
            workspace.path().join("lockgate.toml"),
            format!("{general}\n{config}\n"),
        )
        .unwrap();
        let plan = ends(&workspace, "plan --format json", 0).await;
        let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
        let entities = plan["entities"].as_array().unwrap().iter();
        let written = entities.filter(|one| one["action"] == "update").count();
        assert_eq!(written, updates, "{config}");
        ends(&workspace, "sync", 0).await;
        std::fs::write(workspace.path().join("lockgate.toml"), &general).unwrap();
        ends(&workspace, "sync", 0).await;
        let found = same_state::differences(&first, &target(&server));
        assert!(found.is_empty(), "{config}: {}", found.join("\n"));
    }
}

#[tokio::test]
async fn what_is_excluded_is_neither_created_nor_written() {
    let server = serve(state(&OWN)).await;
    // Articles need topics: without a counterpart these are missing.
    let workspace = configured(&server, "exclude = [\"container:topics\"]");
    let plan = ends(&workspace, "plan", 1).await;
    assert!(
        plan.stdout.contains("container:topics is excluded"),
        "{}",
        plan.stdout
    );
    assert!(
        plan.stdout.contains("which cannot be migrated"),
        "{}",
        plan.stdout
    );
    // With one they are referred to.
    let workspace = configured(&server, "");
    ends(&workspace, "sync", 0).await;
    let before = target(&server);
    let mut now = server.state();
    for row in &mut now.instances[0].content {
        let text = row["properties"]["referenceName"]
            .as_str()
            .unwrap_or_default();
        if ["topics", "articles"].contains(&text) {
            let field = if text == "topics" {
                "description"
            } else {
                "summary"
            };
            row["fields"][field] = "edited".into();
            row["properties"]["versionID"] = 9_000_000.into();
        }
    }
    put_state(&server.base_url(), &now).await;
    let file = workspace.path().join("lockgate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\nexclude = [\"container:topics\"]\n")).unwrap();
    ends(&workspace, "sync --prune", 0).await;
    let after = target(&server);
    assert_eq!(
        fields(&after, "topics", "description"),
        fields(&before, "topics", "description")
    );
    assert_eq!(
        fields(&after, "articles", "summary"),
        vec![Some("edited".to_owned()); 19]
    );
    ends(&workspace, "sync --prune", 0).await;
}

#[tokio::test]
async fn a_map_that_does_not_fit_stops_the_run_with_the_nearest_name() {
    let server = serve(state(&OWN)).await;
    for (config, words) in [
        ("locale_map = [\"en-su=en-ca\"]", &["LG-1017", "en-us"][..]),
        (
            "locale_map = [\"en-us=en-ca\"]",
            &["LG-1011", "en-ca", "--locale-map"],
        ),
        (
            "locale_map = [\"en-us=fr-ca\"]",
            &["LG-1017", "both become \"fr-ca\""],
        ),
        (
            "locale_map = [\"en-us=de\", \"fr-ca=de\"]",
            &["no two names"],
        ),
        (
            "container_map = [\"article=news\"]",
            &["LG-1017", "\"articles\""],
        ),
        (
            "container_map = [\"articles=topics\"]",
            &["LG-1017", "both become \"topics\""],
        ),
        (
            "folder_map = [\"image=x\"]",
            &["LG-1017", "no folder called \"image\""],
        ),
        ("folder_map = [\"img=../x\"]", &["folders, such as"]),
        (
            "host_map = [\"https://a.example=b.example\"]",
            &["hosts without scheme"],
        ),
        (
            "set = [\"content:articles#Headlines=x\"]",
            &["LG-1017", "\"Headline\""],
        ),
        ("set = [\"content:articles#Headline\"]", &["no value"]),
        (
            "drop = [\"content:articles#Headline\"]",
            &["LG-1017", "sync.set"],
        ),
        (
            "exclude = [\"container:topic\"]",
            &["LG-1017", "\"topics\""],
        ),
        ("exclude = [\"things\"]", &["a kind"]),
    ] {
        for command in ["plan", "sync"] {
            let ended = end_of(configured(&server, config).command([command])).await;
            assert_eq!(ended.code, Some(2), "{config}: {}", ended.stderr);
            for word in words.iter().chain(&["help: "]) {
                assert!(
                    ended.stderr.contains(word),
                    "{config}: {word}: {}",
                    ended.stderr
                );
            }
        }
    }
    assert!(server.writes(TARGET).is_empty());
}

/// Each table has maps of its own, which replace the general ones; the source is read once.
#[tokio::test]
async fn each_target_has_its_own_maps() {
    let mut state = with_empty("starter-site", &[QA, PROD]);
    state.instances[2].locales = vec!["en-ca".to_owned(), "fr-fr".to_owned()];
    let server = serve(state).await;
    let workspace = workspace(&server.base_url(), &[("qa", QA), ("prod", PROD)]);
    let file = workspace.path().join("lockgate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let of_prod = "locale_map = [\"en-us=en-ca\", \"fr-ca=fr-fr\"]\nset = [\"content:SiteSettings#Tagline=prod\"]\n";
    let text = format!(
        "{}\n[sync]\nset = [\"content:SiteSettings#Tagline=general\"]\n",
        text.replace("[targets.prod]\n", &format!("[targets.prod]\n{of_prod}"))
    );
    std::fs::write(&file, text).unwrap();
    ends(&workspace, "sync --target qa --target prod", 0).await;
    for (guid, tagline) in [(QA, "general"), (PROD, "prod")] {
        let there = held(&server, guid);
        let expected = vec![Some(tagline.to_owned()); 2];
        assert_eq!(
            fields(&there, "sitesettings", "tagline"),
            expected,
            "{guid}"
        );
    }
    let locales = |guid: &str| {
        let rows = held(&server, guid).content;
        let mut all: Vec<String> = rows
            .iter()
            .map(|row| row["locale"].as_str().unwrap().to_owned())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    assert_eq!(locales(QA), OWN);
    assert_eq!(locales(PROD), ["en-ca", "fr-fr"]);
    let before = [QA, PROD].map(|guid| server.writes(guid).len());
    ends(&workspace, "sync --target qa --target prod", 0).await;
    ends(&workspace, "verify --target qa --target prod", 0).await;
    assert_eq!(before, [QA, PROD].map(|guid| server.writes(guid).len()));
}

/// A plan file carries its maps: it is applied with them, whatever the configuration says by then.
#[tokio::test]
async fn a_plan_is_applied_with_its_maps() {
    let server = serve(state(&["en-ca", "fr-fr"])).await;
    let workspace = configured(&server, CASES[0].config);
    ends(&workspace, "plan --out release.plan", 0).await;
    let file = workspace.path().join("lockgate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(CASES[0].config, "")).unwrap();
    ends(&workspace, "apply release.plan", 0).await;
    assert!(
        target(&server)
            .content
            .iter()
            .all(|row| row["locale"] != "en-us")
    );
    std::fs::write(&file, text).unwrap();
    let before = server.writes(TARGET).len();
    ends(&workspace, "sync", 0).await;
    assert_eq!(server.writes(TARGET).len(), before);
}

/// The copy of the target lacked the locales that have another name there, so that all of them would have been created.
#[tokio::test]
async fn a_rehearsal_knows_what_the_target_has_in_locales_of_other_names() {
    let case = &CASES[0];
    let server = serve(state(&case.locales)).await;
    let workspace = configured(&server, case.config);
    ends(&workspace, "sync --yes", 0).await;
    let dry = ends(&workspace, "sync --dry-run --json", 0).await;
    let events = lines_of_json(&dry.stdout);
    let rehearsed = events
        .iter()
        .find(|event| event["type"] == "rehearsed")
        .unwrap();
    assert_eq!(rehearsed["writes"], 0, "{rehearsed}");
}
