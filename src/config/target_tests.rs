use std::path::PathBuf;

use super::tests::{case, value_and_origin};
use super::*;
use crate::domain::{Guid, Locale};

const TABLES: &str = "\
[source]
guid = \"1a2b3c4d-u\"

[target]
guid = \"0a0b0c0d-u\"
url = \"http://127.0.0.1:1\"
token = \"of the one target\"

[targets.qa]
guid = \"5E6F7A8B-u\"
url = \"http://127.0.0.1:2\"
token = \"of qa\"
locales = [\"fr-ca\"]

[targets.prod-eu]
guid = \"9a8b7c6d-e\"
";

/// Settings with these targets on the command line.
fn with_targets(
    targets: &[&str],
    variables: &[(&str, &str)],
) -> Result<Vec<Settings>, ConfigError> {
    let joined = targets.join(",");
    let given = [("target.guid", &*joined)];
    let given = if targets.is_empty() {
        &[][..]
    } else {
        &given[..]
    };
    let case = case(&[("lockgate.toml", TABLES)], variables, given);
    Config::load(&case.inputs)?.settings_of_each()
}

/// A token must not go to another instance than the one that it was given for.
#[test]
fn a_table_takes_the_place_of_the_target_and_inherits_nothing_of_it() {
    let variables = [
        ("LOCKGATE_TOKEN", "common"),
        ("LOCKGATE_TARGET_TOKEN", "of the variable"),
        ("LOCKGATE_TARGET_URL", "http://127.0.0.1:3"),
    ];
    let found = with_targets(&["qa", "prod-eu", "0a0b0c0d-u"], &variables).unwrap();
    let short = |settings: &Settings| {
        let target = &settings.target;
        (
            target.label().to_owned(),
            target.guid.to_string(),
            target.url.clone(),
            target.token.expose().to_owned(),
            settings.sync.locales.clone(),
        )
    };
    let url = |port| Some(format!("http://127.0.0.1:{port}"));
    let row = |name: &str, guid: &str, url, token: &str, locales: &[&str]| {
        let locales = locales.iter().map(|code| Locale::new(code)).collect();
        (
            name.to_owned(),
            guid.to_owned(),
            url,
            token.to_owned(),
            locales,
        )
    };
    assert_eq!(
        found.iter().map(short).collect::<Vec<_>>(),
        [
            row("qa", "5e6f7a8b-u", url(2), "of qa", &["fr-ca"]),
            row("prod-eu", "9a8b7c6d-e", None, "common", &[]),
            row("0a0b0c0d-u", "0a0b0c0d-u", url(3), "of the variable", &[]),
        ]
    );
    // A run that the state remembers is named by its GUID.
    let by_guid = with_targets(&["5e6f7a8b-u"], &variables).unwrap();
    assert_eq!(by_guid[0].target.label(), "qa");
    let single = with_targets(&[], &variables).unwrap();
    assert_eq!(single[0].target.label(), "0a0b0c0d-u");
}

#[test]
fn a_flag_goes_before_a_table() {
    let flags = [
        ("target.guid", "qa"),
        ("target.token", "of the flag"),
        ("sync.locales", "en-us"),
    ];
    let case = case(
        &[("lockgate.toml", TABLES)],
        &[("LOCKGATE_TOKEN", "common")],
        &flags,
    );
    let settings = Config::load(&case.inputs).unwrap().settings().unwrap();
    assert_eq!(settings.target.token.expose(), "of the flag");
    assert_eq!(settings.sync.locales, [Locale::new("en-us")]);
}

#[test]
fn a_source_has_a_name_as_well() {
    let flags = [("source.guid", "qa"), ("target.guid", "prod-eu")];
    let case = case(
        &[("lockgate.toml", TABLES)],
        &[("LOCKGATE_TOKEN", "common")],
        &flags,
    );
    let settings = Config::load(&case.inputs).unwrap().settings().unwrap();
    assert_eq!(settings.source.guid.as_str(), "5e6f7a8b-u");
    assert_eq!(settings.source.token.expose(), "of qa");
    // Locales are those of the target.
    assert!(settings.sync.locales.is_empty());
    drop(case.directory);
}

#[test]
fn complaints_about_targets_name_what_there_is() {
    let said = |targets: &[&str]| {
        let error = with_targets(targets, &[("LOCKGATE_TOKEN", "common")]).unwrap_err();
        format!("{error}; {}", error.hint().unwrap())
    };
    let unknown = said(&["qq"]);
    assert!(
        unknown.contains("a name in [targets] (prod-eu, qa)"),
        "{unknown}"
    );
    let near = said(&["prod-eo"]);
    assert!(near.contains("did you mean prod-eu?"), "{near}");
    let twice = said(&["qa", "5e6f7a8b-u"]);
    assert!(twice.contains("each target once"), "{twice}");
    let of_file = |text: &str| {
        let case = case(&[("lockgate.toml", text)], &[], &[]);
        let checked = Config::load(&case.inputs).and_then(|config| config.check());
        let error = checked.unwrap_err();
        format!("{error}; {}", error.hint().unwrap())
    };
    for (text, expected) in [
        (
            "[targets.qa]\ntokn = \"x\"",
            "unknown key targets.qa.tokn in lockgate.toml; did you mean token?",
        ),
        (
            "[targets.\"q.a\"]\nguid = \"5e6f7a8b-u\"",
            "[targets.q.a] in lockgate.toml has a name with other characters",
        ),
        (
            "[targets.qa]\nurl = \"http://127.0.0.1:1\"",
            "[targets.qa] has no guid; add the GUID",
        ),
        (
            "[targets.qa]\nguid = \"x\"",
            "target.guid is \"x\" (lockgate.toml [targets.qa]); expected",
        ),
        (
            "[targets]\nqa = \"5e6f7a8b-u\"",
            "unknown key targets.qa in lockgate.toml",
        ),
    ] {
        let said = of_file(text);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn the_table_of_a_folder_runs_no_command_and_sends_no_token_anywhere() {
    for (text, key) in [
        (
            "[targets.qa]\nguid = \"5e6f7a8b-u\"\ntoken_command = \"echo x\"",
            "target.token_command",
        ),
        (
            "[targets.qa]\nguid = \"5e6f7a8b-u\"\nurl = \"https://elsewhere.example\"",
            "target.url",
        ),
    ] {
        let flags = [("source.guid", "1a2b3c4d-u"), ("target.guid", "qa")];
        let case = case(
            &[("lockgate.toml", text)],
            &[("LOCKGATE_TOKEN", "hush")],
            &flags,
        );
        let error = Config::load(&case.inputs).unwrap().settings().unwrap_err();
        let (ConfigError::NotTheUsers { key: found, origin }
        | ConfigError::HostNotAllowed {
            key: found, origin, ..
        }) = error
        else {
            panic!("{error}");
        };
        assert_eq!(
            (found, &*origin),
            (key, "lockgate.toml [targets.qa], line 3")
        );
    }
}

#[test]
fn tokens_of_tables_are_shown_nowhere() {
    let text = "[targets.qa]\nguid = \"5e6f7a8b-u\"\ntoken = \"test-token-of-qa-0123456789\"";
    let case = case(&[("lockgate.toml", text)], &[], &[]);
    let config = Config::load(&case.inputs).unwrap();
    let rows = format!("{:?}", config.rows());
    assert!(
        rows.contains("targets.qa.token") && !rows.contains("test-token-of-qa-0123456789"),
        "{rows}"
    );
    assert!(
        !crate::domain::redact("is test-token-of-qa-0123456789")
            .contains("test-token-of-qa-0123456789")
    );
    let (value, origin) = value_and_origin(&config, "targets.qa.guid");
    assert_eq!((&*value, &*origin), ("\"5e6f7a8b-u\"", "lockgate.toml"));
}

/// The folder was forgotten where a table took the place of the target, and its path was taken for a GUID.
#[test]
fn a_folder_stays_the_source_whatever_the_targets_are_called() {
    let given = [("source.guid", "backup"), ("target.guid", "qa,prod-eu")];
    let variables = [("LOCKGATE_TOKEN", "common")];
    let case = case(&[("lockgate.toml", TABLES)], &variables, &given);
    let config = Config::load(&case.inputs).unwrap();
    let (folder, instance) = (PathBuf::from("backup/1a2b3c4d-u"), Guid::new("1a2b3c4d-u"));
    let config = config.with_source_folder(folder.clone(), instance.clone());
    for settings in config.settings_of_each().unwrap() {
        assert_eq!(settings.source_folder.as_ref(), Some(&folder));
        assert_eq!(settings.source.guid, instance);
    }
    let chain = config.between("qa", "prod-eu").settings().unwrap();
    assert_eq!(chain.source_folder, None);
}
