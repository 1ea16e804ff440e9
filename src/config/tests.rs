use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::domain::{Kind, Locale};
use crate::engine::Publish;

/// A working directory with files, and everything else that layers come from.
pub(super) struct Case {
    pub(super) directory: TempDir,
    pub(super) inputs: Inputs,
}

pub(super) fn case(
    files: &[(&str, &str)],
    variables: &[(&str, &str)],
    given: &[(&'static str, &str)],
) -> Case {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let inputs = Inputs {
        directory: directory.path().to_owned(),
        environment: variables.iter().copied().collect(),
        file: None,
        preset: None,
        given: given
            .iter()
            .map(|(key, text)| Given {
                key,
                origin: format!("flag {}", KeyInfo::find(key).unwrap().flag.unwrap()),
                value: GivenValue::Text((*text).to_owned()),
            })
            .collect(),
    };
    Case { directory, inputs }
}

const INSTANCES: [(&str, &str); 3] = [
    ("source.guid", "1a2b3c4d-u"),
    ("target.guid", "5E6F7A8B-us2"),
    ("token", "hush"),
];

/// With both instances given on the command line.
fn complete(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    Config::load(&case(files, variables, &INSTANCES).inputs)?.settings()
}

/// What a user reads about the configuration.
fn complaint(files: &[(&str, &str)], variables: &[(&str, &str)]) -> String {
    let error = complete(files, variables).unwrap_err();
    let mut lines = vec![error.to_string()];
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        lines.push(format!("caused by: {error}"));
        cause = error.source();
    }
    lines.extend(error.hint().map(|hint| format!("help: {hint}")));
    lines.join("\n")
}

pub(super) fn value_and_origin(config: &Config, key: &str) -> (String, String) {
    let row = config
        .rows()
        .into_iter()
        .find(|row| row.key == key)
        .unwrap();
    (row.value.unwrap(), row.origin.unwrap())
}

#[test]
fn the_defaults_are_complete_settings() {
    let settings = complete(&[], &[]).unwrap();
    assert_eq!(settings.target.guid.as_str(), "5e6f7a8b-us2");
    assert_eq!(settings.source.token.expose(), "hush");
    assert_eq!(settings.sync.elements.len(), 8);
    assert!(settings.sync.verify && !settings.sync.policies.overwrite && !settings.sync.dry_run);
    assert_eq!(settings.sync.publish, Publish::Off);
    assert_eq!(
        (
            settings.pace.concurrency,
            settings.pace.batches,
            settings.batch_size
        ),
        (64, 16, 250)
    );
    assert_eq!(settings.pace.per_second_max, None);
    assert_eq!(
        settings.paths.state.file(),
        Some(Path::new(".lockgate/state.db"))
    );
}

#[test]
fn each_layer_wins_over_the_one_before() {
    let mut case = case(&[], &[], &[]);
    let layers = |case: &Case| {
        let config = Config::load(&case.inputs).unwrap();
        value_and_origin(&config, "pace.concurrency")
    };
    let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(layers(&case), pair("64", "default"));

    case.inputs.environment = [("LOCKGATE_PRESET", "Gentle")].into_iter().collect();
    assert_eq!(layers(&case), pair("4", "preset gentle"));

    fs::write(
        case.directory.path().join("lockgate.toml"),
        "pace.concurrency = 5",
    )
    .unwrap();
    assert_eq!(layers(&case), pair("5", "lockgate.toml"));

    fs::write(
        case.directory.path().join("other.toml"),
        "pace.concurrency = 6",
    )
    .unwrap();
    case.inputs.file = Some("other.toml".into());
    assert_eq!(layers(&case), pair("6", "other.toml"));

    case.inputs.environment = [("LOCKGATE_CONCURRENCY", " 7 ")].into_iter().collect();
    assert_eq!(
        layers(&case),
        pair("\"7\"", "environment variable LOCKGATE_CONCURRENCY")
    );

    case.inputs.given.push(Given {
        key: "pace.concurrency",
        origin: "flag --concurrency".to_owned(),
        value: GivenValue::Text("8".to_owned()),
    });
    assert_eq!(layers(&case), pair("\"8\"", "flag --concurrency"));
}

#[test]
fn official_variables_count_in_dotenv_files_and_below_ours() {
    let files = [
        (".env", "OTHER=1\nLOCKGATE_LOCALE=de-de\n"),
        (
            ".env.local",
            "AGILITY_LOCALES=\"en-us fr-ca\"\nAGILITY_GUID=00000000-u\n",
        ),
        (".env.production", "AGILITY_LOCALES=it-it\n"),
    ];
    let locales = |variables: &[(&str, &str)]| complete(&files, variables).unwrap().sync.locales;
    let named = |codes: &[&str]| {
        codes
            .iter()
            .map(|code| Locale::new(code))
            .collect::<Vec<_>>()
    };
    assert_eq!(locales(&[]), named(&["en-us", "fr-ca"]));
    assert_eq!(locales(&[("AGILITY_LOCALES", "es-es")]), named(&["es-es"]));
    assert_eq!(
        locales(&[
            ("AGILITY_LOCALES", "es-es"),
            ("LOCKGATE_LOCALE", "DE-de,de-de")
        ]),
        named(&["de-de"])
    );

    let config = Config::load(&case(&files, &[], &[]).inputs).unwrap();
    let origin = value_and_origin(&config, "source.guid").1;
    assert_eq!(origin, "AGILITY_GUID in .env.local");
}

#[test]
fn values_may_be_typed_or_text() {
    let file = "
        [sync]
        overwrite = \"yes\"
        publish = true
        content = [12, \"13\"]
        channels = [\"Main site\", \"Shop\"]
        [pace]
        per_second_max = 3
        concurrency = \"2\"
    ";
    let settings = complete(&[("lockgate.toml", file)], &[("LOCKGATE_VERIFY", "off")]).unwrap();
    assert!(settings.sync.policies.overwrite && !settings.sync.verify);
    assert_eq!(settings.sync.publish, Publish::Both);
    assert_eq!(settings.sync.content, [12, 13]);
    assert_eq!(settings.sync.channels, ["Main site", "Shop"]);
    assert_eq!(settings.pace.per_second_max, Some(3.0));
    assert_eq!((settings.pace.concurrency, settings.pace.reads), (2, 2));
}

#[test]
fn elements_bring_the_kinds_that_they_build_on() {
    let kinds = |text| {
        complete(&[], &[("AGILITY_ELEMENTS", text)])
            .unwrap()
            .sync
            .elements
    };
    assert_eq!(kinds("Containers"), [Kind::Model, Kind::Container].into());
    assert_eq!(
        kinds("urlredirections, Assets"),
        [Kind::Gallery, Kind::Asset, Kind::Redirection].into()
    );
    assert_eq!(kinds("Content").len(), 6);
}

#[test]
fn a_token_of_one_side_wins_over_the_common_one() {
    let variables = [
        ("LOCKGATE_TARGET_TOKEN", "target"),
        ("AGILITY_TOKEN", "no"),
        ("LOCKGATE_TOKEN", "both"),
    ];
    let given = [("source.guid", "1a2b3c4d-u"), ("target.guid", "5e6f7a8b-u")];
    let settings = Config::load(&case(&[], &variables, &given).inputs)
        .unwrap()
        .settings()
        .unwrap();
    assert_eq!(
        (
            settings.source.token.expose(),
            settings.target.token.expose()
        ),
        ("both", "target")
    );
    assert_eq!(settings.warnings, [""; 0]);
}

#[test]
fn a_token_in_the_wrong_place_is_warned_about() {
    let warned = complete(&[], &[]).unwrap().warnings;
    assert_eq!(
        warned,
        ["--token shows the token to everyone who can list processes; set LOCKGATE_TOKEN instead"]
    );
    let given = [("source.guid", "1a2b3c4d-u"), ("target.guid", "5e6f7a8b-u")];
    let case = case(&[("lockgate.toml", "token = \"t\"")], &[], &given);
    let warned = || {
        let config = Config::load(&case.inputs).unwrap();
        config.settings().unwrap().warnings
    };
    let path = case.directory.path().join("lockgate.toml");
    set_mode(&path, 0o600);
    assert_eq!(
        warned(),
        ["keep the file of the token to yourself (lockgate.toml), or set LOCKGATE_TOKEN instead"]
    );
    set_mode(&path, 0o644);
    assert_eq!(
        warned(),
        [
            "other users of this machine may read lockgate.toml, which holds a token; take the right away with chmod 600 lockgate.toml"
        ]
    );
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

const NO_TOKEN: [(&str, &str); 2] = [("source.guid", "1a2b3c4d-u"), ("target.guid", "5e6f7a8b-u")];

#[test]
fn a_token_comes_from_a_file_or_a_command_and_that_of_a_side_goes_first() {
    let count =
        "n=$(cat runs 2>/dev/null || echo 0); echo $((n + 1)) > runs; printf 'printed-%s' token";
    let files = [
        ("lockgate.toml", "target.token_file = \"own\""),
        ("own", "  token-of-file\n"),
    ];
    let case = case(&files, &[("LOCKGATE_TOKEN_COMMAND", count)], &NO_TOKEN);
    set_mode(&case.directory.path().join("own"), 0o640);
    let config = Config::load(&case.inputs).unwrap();
    for _ in 0..2 {
        let settings = config.settings().unwrap();
        let tokens = (
            settings.source.token.expose(),
            settings.target.token.expose(),
        );
        assert_eq!(tokens, ("printed-token", "token-of-file"));
        assert_eq!(
            settings.warnings,
            [
                "other users of this machine may read own, which holds a token; take the right away with chmod 600 own"
            ]
        );
        assert!(!format!("{config:?} {settings:?}").contains("printed-token"));
    }
    let runs = fs::read_to_string(case.directory.path().join("runs")).unwrap();
    assert_eq!(runs, "1\n");
}

#[test]
fn what_is_not_a_token_is_refused_without_being_shown() {
    let refused = |files: &[(&str, &str)], variables: &[(&str, &str)]| {
        let case = case(files, variables, &NO_TOKEN);
        let error = Config::load(&case.inputs).unwrap().settings().unwrap_err();
        error.to_string()
    };
    let by = |command: &str| {
        refused(
            &[],
            &[
                ("LOCKGATE_SOURCE_TOKEN_COMMAND", command),
                ("LOCKGATE_TOKEN", "t"),
            ],
        )
    };
    insta::assert_snapshot!(by("echo locked >&2; exit 3"), @r#"cannot take the token from source.token_command (environment variable LOCKGATE_SOURCE_TOKEN_COMMAND): the command ended with exit status: 3: "locked""#);
    insta::assert_snapshot!(by("true"), @"cannot take the token from source.token_command (environment variable LOCKGATE_SOURCE_TOKEN_COMMAND): it is empty");
    insta::assert_snapshot!(by("echo hush hush"), @"cannot take the token from source.token_command (environment variable LOCKGATE_SOURCE_TOKEN_COMMAND): it holds more than one word");
    insta::assert_snapshot!(refused(&[], &[("LOCKGATE_TOKEN_FILE", "nowhere")]), @"cannot take the token from token_file (environment variable LOCKGATE_TOKEN_FILE): No such file or directory (os error 2)");
    insta::assert_snapshot!(refused(&[("f", "hush\nhush")], &[("LOCKGATE_TOKEN_FILE", "f")]), @"cannot take the token from token_file (environment variable LOCKGATE_TOKEN_FILE): it holds more than one word");
    // The command of a folder that came from elsewhere is not run.
    let foreign = [("lockgate.toml", "token_command = \"touch ran; echo t\"")];
    let case = case(&foreign, &[], &NO_TOKEN);
    let error = Config::load(&case.inputs).unwrap().settings().unwrap_err();
    insta::assert_snapshot!(error, @"token_command does not count in lockgate.toml, line 1: a working folder does not decide where a token comes from and where it goes");
    assert!(!case.directory.path().join("ran").exists());
}

#[test]
fn secrets_are_shown_nowhere() {
    let case = case(
        &[("lockgate.toml", "target.token = \"hush-hush\"")],
        &[("AGILITY_TOKEN", "hush-env")],
        &INSTANCES,
    );
    let config = Config::load(&case.inputs).unwrap();
    let settings = config.settings().unwrap();
    let shown = format!("{:?} {settings:?} {:?}", config.rows(), case.inputs);
    assert!(!shown.contains("hush"), "{shown}");
    assert_eq!(value_and_origin(&config, "target.token").0, "[redacted]");

    let url = complaint(&[], &[("LOCKGATE_SOURCE_URL", "http://ann:hush@host/a")]);
    assert!(url.contains("\"http://[redacted]@host/a\""), "{url}");

    let broken = complaint(
        &[("lockgate.toml", "a = 1\ntoken = \"hush-hush\" oops\n")],
        &[],
    );
    assert!(!broken.contains("hush"), "{broken}");
    let number = complaint(&[("lockgate.toml", "source.token = 12345")], &[]);
    assert!(!number.contains("12345"), "{number}");
}

#[test]
fn complaints_about_files_name_the_key_and_what_was_expected() {
    let toml = |text| complaint(&[("lockgate.toml", text)], &[]);
    insta::assert_snapshot!(toml("[sync]\noverwriet = true"), @r"
    unknown key sync.overwriet in lockgate.toml
    help: did you mean sync.overwrite?
    ");
    insta::assert_snapshot!(toml("pace.rate = 3"), @r"
    unknown key pace.rate in lockgate.toml
    help: did you mean pace.per_second_max?
    ");
    insta::assert_snapshot!(toml("sync.locales.first = \"en-us\""), @r"
    unknown key sync.locales.first in lockgate.toml
    help: did you mean sync.locales?
    ");
    insta::assert_snapshot!(toml("frobnicate = 3"), @r"
    unknown key frobnicate in lockgate.toml
    help: `lockgate config` lists every key
    ");
    insta::assert_snapshot!(toml("[sync\n"), @r"
    lockgate.toml is not valid TOML at line 1: unclosed table, expected `]`
    help: correct that line; `lockgate config --defaults` shows how every key is written
    ");
    insta::assert_snapshot!(toml("pace.concurrency = 0"), @r"
    pace.concurrency is 0 (lockgate.toml); expected a whole number from 1 to 256
    help: `lockgate config --defaults` explains pace.concurrency
    ");
    insta::assert_snapshot!(toml("sync.models = 3"), @r"
    sync.models is 3 (lockgate.toml); expected a list of strings
    help: `lockgate config --defaults` explains sync.models
    ");
    insta::assert_snapshot!(toml("sync.overwrite = \"maybe\""), @r#"
    sync.overwrite is "maybe" (lockgate.toml); expected true or false
    help: `lockgate config --defaults` explains sync.overwrite
    "#);
    insta::assert_snapshot!(toml("retry.first_delay_ms = 60000"), @r"
    retry.first_delay_ms is 60000 (lockgate.toml); expected no more than retry.max_delay_s
    help: `lockgate config --defaults` explains retry.first_delay_ms
    ");
}

#[test]
fn complaints_about_variables_name_them_and_what_was_expected() {
    let variable = |name, value| complaint(&[], &[(name, value)]);
    insta::assert_snapshot!(variable("LOCKGATE_CONCURENCY", "8"), @r"
    unknown environment variable LOCKGATE_CONCURENCY
    help: did you mean LOCKGATE_CONCURRENCY?
    ");
    insta::assert_snapshot!(variable("LOCKGATE_XYZZY", "8"), @r"
    unknown environment variable LOCKGATE_XYZZY
    help: unset it; `lockgate config --defaults` lists every variable
    ");
    insta::assert_snapshot!(variable("LOCKGATE_PRESET", "fast"), @r#"
    unknown preset "fast"; there are ci and gentle
    help: give --preset ci or --preset gentle, or leave it out
    "#);
    insta::assert_snapshot!(variable("LOCKGATE_CONFIG", "absent.toml"), @r"
    cannot read absent.toml
    caused by: No such file or directory (os error 2)
    help: check the path and its permissions
    ");
    insta::assert_snapshot!(variable("LOCKGATE_BATCH_SIZE", "251"), @r#"
    batch.size is "251" (environment variable LOCKGATE_BATCH_SIZE); expected a whole number from 1 to 250
    help: `lockgate config --defaults` explains batch.size
    "#);
    insta::assert_snapshot!(variable("LOCKGATE_RATE", "-1"), @r#"
    pace.per_second_max is "-1" (environment variable LOCKGATE_RATE); expected a number above 0 and up to 100000
    help: `lockgate config --defaults` explains pace.per_second_max
    "#);
    insta::assert_snapshot!(variable("LOCKGATE_SCHEDULE", "sideways"), @r#"
    lanes.schedule is "sideways" (environment variable LOCKGATE_SCHEDULE); expected pipelined or phased
    help: `lockgate config --defaults` explains lanes.schedule
    "#);
    insta::assert_snapshot!(variable("LOCKGATE_ELEMENTS", "modles"), @r#"
    sync.elements is "modles" (environment variable LOCKGATE_ELEMENTS); expected models, galleries, assets, containers, content, templates, pages, sitemaps, urlredirections or redirections
    help: did you mean models?
    "#);
    insta::assert_snapshot!(variable("LOCKGATE_PAGES", "12,twelve"), @r#"
    sync.pages is "12,twelve" (environment variable LOCKGATE_PAGES); expected a list of ids above 0 or names such as /news/**
    help: `lockgate config --defaults` explains sync.pages
    "#);
    insta::assert_snapshot!(variable("LOCKGATE_LOCALE", "en_us"), @r#"
    sync.locales is "en_us" (environment variable LOCKGATE_LOCALE); expected locale codes, such as en-us
    help: `lockgate config --defaults` explains sync.locales
    "#);
    insta::assert_snapshot!(variable("LOCKGATE_SOURCE_URL", "ftp://x"), @r#"
    source.url is "ftp://x" (environment variable LOCKGATE_SOURCE_URL); expected a base URL, such as http://127.0.0.1:8080
    help: `lockgate config --defaults` explains source.url
    "#);
    insta::assert_snapshot!(variable("LOCKGATE_STATE", "mysql://ann:hunter2@db/state"), @r"
    paths.state cannot be used (environment variable LOCKGATE_STATE)
    caused by: state in mysql:// is not supported; expected sqlite:PATH, a path or a PostgreSQL URL
    help: give --state a path, such as .lockgate/state.db, or the URL of a PostgreSQL server
    ");
    insta::assert_snapshot!(complaint(&[], &[("LOCKGATE_QUIET", "1"), ("LOCKGATE_VERBOSE", "1")]), @r"
    output.quiet (environment variable LOCKGATE_QUIET) and output.verbose (environment variable LOCKGATE_VERBOSE) cannot be used together
    help: leave one of them out
    ");
}

#[test]
fn what_is_missing_is_named_with_the_ways_to_give_it() {
    let complaint = |given: &[(&'static str, &str)]| {
        let error = Config::load(&case(&[], &[], given).inputs)
            .unwrap()
            .settings()
            .unwrap_err();
        format!("{error}\nhelp: {}", error.hint().unwrap_or_default())
    };
    insta::assert_snapshot!(complaint(&[]), @r"
    the instance to read from, the instance to write to and the access token are missing
    help: give --source, or set LOCKGATE_SOURCE or AGILITY_GUID; give --target, or set LOCKGATE_TARGET or AGILITY_TARGET_GUID; set LOCKGATE_TOKEN or AGILITY_TOKEN, or sign in with `lockgate login`
    ");
    insta::assert_snapshot!(complaint(&INSTANCES[..2]), @r"
    the access token is missing
    help: set LOCKGATE_TOKEN or AGILITY_TOKEN, or sign in with `lockgate login`
    ");
    insta::assert_snapshot!(complaint(&[INSTANCES[0], INSTANCES[2]]), @r"
    the instance to write to is missing
    help: give --target, or set LOCKGATE_TARGET or AGILITY_TARGET_GUID
    ");
    insta::assert_snapshot!(complaint(&[INSTANCES[0], ("target.guid", "1A2B3C4D-u"), INSTANCES[2]]), @r"
    source and target are the same instance, 1a2b3c4d-u
    help: name two instances with --source and --target
    ");
    insta::assert_snapshot!(complaint(&[("source.guid", "my-site"), INSTANCES[1], INSTANCES[2]]), @r#"
    source.guid is "my-site" (flag --source); expected the GUID of an instance, such as 1a2b3c4d-u, or a folder that lockgate pull wrote
    help: `lockgate config --defaults` explains source.guid
    "#);
}

/// A GUID with a mistyped ending was taken for one of the USA.
#[test]
fn an_unknown_region_is_named_with_those_that_are_known() {
    let settings = |given: &[(&'static str, &str)]| {
        Config::load(&case(&[], &[], given).inputs)
            .unwrap()
            .settings()
    };
    let mistyped = [("source.guid", "1a2b3c4d-x"), INSTANCES[1], INSTANCES[2]];
    insta::assert_snapshot!(settings(&mistyped).unwrap_err(), @r#"source.guid is "1a2b3c4d-x" (flag --source); expected a GUID of a known region: -u (USA), -us2 (USA 2), -c (Canada), -e (Europe), -a (Australia), -d (vendor's development); for another one give its URL"#);
    let addressed = [
        mistyped[0],
        mistyped[1],
        mistyped[2],
        ("source.url", "http://127.0.0.1:8080"),
    ];
    assert!(settings(&addressed).is_ok());
    let old = [
        ("source.guid", "1a2b3c4d-1111-2222-3333-44445555666a"),
        INSTANCES[1],
        INSTANCES[2],
    ];
    assert!(settings(&old).is_ok());
}

#[test]
fn one_instance_at_two_addresses_is_two_instances() {
    let given = [
        ("source.guid", "1a2b3c4d-u"),
        ("target.guid", "1a2b3c4d-u"),
        ("target.url", "http://127.0.0.1:8080/"),
        ("token", "t"),
    ];
    let settings = Config::load(&case(&[], &[], &given).inputs)
        .unwrap()
        .settings()
        .unwrap();
    assert_eq!(
        settings.target.url.as_deref(),
        Some("http://127.0.0.1:8080")
    );
}

#[test]
fn no_color_is_heard_and_may_be_overruled() {
    let color = |variables: &[(&str, &str)]| complete(&[], variables).unwrap().output.color;
    assert_eq!(color(&[("NO_COLOR", "1")]), ColorChoice::Never);
    assert_eq!(
        color(&[("NO_COLOR", "1"), ("LOCKGATE_COLOR", "always")]),
        ColorChoice::Always
    );
    for name in ["CLICOLOR_FORCE", "FORCE_COLOR"] {
        assert_eq!(color(&[(name, "1")]), ColorChoice::Always);
        assert_eq!(color(&[(name, "0")]), ColorChoice::Auto);
        assert_eq!(color(&[(name, "1"), ("NO_COLOR", "1")]), ColorChoice::Never);
    }
    assert_eq!(color(&[("CLICOLOR", "0")]), ColorChoice::Never);
}

#[test]
fn the_default_file_documents_every_key_with_its_flag_and_variables() {
    let mut section = String::new();
    let mut documented = Vec::new();
    let mut about = Vec::new();
    for line in DEFAULT_FILE.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = format!("{name}.");
        } else if let Some((name, _)) = line.trim_start_matches("# ").split_once(" = ")
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            documented.push((
                format!("{section}{name}"),
                std::mem::take(&mut about).join("\n"),
            ));
        } else if line.is_empty() {
            about.clear();
        } else {
            about.push(line);
        }
    }
    assert_eq!(
        documented
            .iter()
            .map(|(key, _)| key.as_str())
            .collect::<Vec<_>>(),
        KEYS.iter().map(|info| info.key).collect::<Vec<_>>()
    );
    for (info, (key, about)) in KEYS.iter().zip(&documented) {
        for name in [info.flag, Some(info.variable), info.official]
            .into_iter()
            .flatten()
        {
            assert!(about.contains(name), "{key} does not mention {name}");
        }
    }
}

#[test]
fn presets_and_the_default_file_are_valid() {
    for preset in ["ci", "gentle"] {
        let mut case = case(&[("lockgate.toml", DEFAULT_FILE)], &[], &INSTANCES);
        complete(&[("lockgate.toml", DEFAULT_FILE)], &[]).unwrap();
        case.inputs.preset = Some(preset.to_owned());
        fs::remove_file(case.directory.path().join("lockgate.toml")).unwrap();
        Config::load(&case.inputs).unwrap().settings().unwrap();
    }
}

#[test]
fn a_check_finds_wrong_values_without_instances() {
    let check = |text| {
        Config::load(&case(&[("lockgate.toml", text)], &[], &[]).inputs)
            .unwrap()
            .check()
    };
    assert!(check("").is_ok());
    for wrong in [
        "source.guid = \"x\"",
        "sync.publish = \"all\"",
        "lanes.schedule = 1",
        "batch.size = 0",
        "timeouts.batch_s = 0",
        "retry.attempts = 0",
        "output.mode = \"loud\"",
        "paths.runs = \"\"",
        "work_classes.sequential = 1",
    ] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
}

/// A key with the ways in which a text can reach it besides the file.
const RESTRICTING: [(&str, &str, Option<&str>); 8] = [
    ("sync.locales", "LOCKGATE_LOCALE", Some("AGILITY_LOCALES")),
    ("sync.channels", "LOCKGATE_CHANNEL", Some("AGILITY_WEBSITE")),
    (
        "sync.elements",
        "LOCKGATE_ELEMENTS",
        Some("AGILITY_ELEMENTS"),
    ),
    ("sync.models", "LOCKGATE_MODELS", Some("AGILITY_MODELS")),
    ("sync.models_with_deps", "LOCKGATE_MODELS_WITH_DEPS", None),
    ("sync.content", "LOCKGATE_CONTENT", None),
    ("sync.pages", "LOCKGATE_PAGES", None),
    ("sync.containers", "LOCKGATE_CONTAINERS", None),
];

/// In a pipeline, `--models "$MODELS"` with an unset variable once moved everything.
#[test]
fn an_empty_restriction_is_refused_wherever_it_comes_from() {
    let refused = |files: &[(&str, &str)], variables: &[(&str, &str)], given, origin: &str| {
        let mut all = INSTANCES.to_vec();
        all.extend(given);
        let config = Config::load(&case(files, variables, &all).inputs).unwrap();
        for ended in [config.settings().map(drop), config.check()] {
            let error = ended.expect_err(origin);
            let (message, hint) = (error.to_string(), error.hint().unwrap_or_default());
            assert!(message.contains(origin), "{origin}: {message}");
            assert!(message.contains("empty"), "{origin}: {message}");
            assert!(hint.contains("leave"), "{origin}: {hint}");
        }
    };
    for (key, variable, official) in RESTRICTING {
        for text in ["", "  ", ",", " , ,", "1,,2", "1,", ",1"] {
            let flag = KeyInfo::find(key).unwrap().flag.unwrap();
            refused(&[], &[], Some((key, text)), &format!("flag {flag}"));
            refused(&[], &[(variable, text)], None, variable);
            if let Some(official) = official {
                refused(&[], &[(official, text)], None, official);
                let line = format!("{official}=\"{text}\"\n");
                let origin = format!("{official} in .env");
                refused(&[(".env", &line)], &[], None, &origin);
            }
            let line = format!("{key} = \"{text}\"");
            refused(&[("lockgate.toml", &line)], &[], None, "lockgate.toml");
        }
        for list in ["[]", "[\"\"]", "[\"1\", \" \"]"] {
            let line = format!("{key} = {list}");
            refused(&[("lockgate.toml", &line)], &[], None, "lockgate.toml");
        }
    }
}

#[test]
fn any_other_empty_value_is_refused_as_well_and_only_where_it_would_count() {
    let no_value = |variables: &[(&str, &str)]| {
        let config = Config::load(&case(&[], variables, &INSTANCES).inputs)?;
        config.settings().map(drop)
    };
    for info in KEYS {
        let error = no_value(&[(info.variable, " ")]);
        let is_given = INSTANCES.iter().any(|(key, _)| *key == info.key);
        assert_eq!(error.is_err(), !is_given, "{}", info.variable);
        if let Err(error) = error {
            assert!(error.to_string().contains(info.variable), "{error}");
        }
    }
    for chooser in ["LOCKGATE_CONFIG", "LOCKGATE_PRESET"] {
        let error = no_value(&[(chooser, "")]).expect_err(chooser);
        assert!(error.to_string().contains(chooser), "{error}");
    }
}

#[test]
fn complaints_about_empty_values_name_their_origin_and_the_next_step() {
    insta::assert_snapshot!(complaint(&[], &[("LOCKGATE_MODELS", "")]), @r"
    sync.models is empty (environment variable LOCKGATE_MODELS)
    help: name at least one; to restrict nothing, leave the variable unset
    ");
    insta::assert_snapshot!(complaint(&[], &[("LOCKGATE_CONTENT", "12,,13")]), @r#"
    sync.content is "12,,13" (environment variable LOCKGATE_CONTENT), which has an empty part
    help: leave out the comma that is too many, or set the variable that gave nothing
    "#);
    insta::assert_snapshot!(complaint(&[("lockgate.toml", "sync.pages = []")], &[]), @r"
    sync.pages is empty (lockgate.toml)
    help: name at least one; to restrict nothing, leave it out of lockgate.toml
    ");
    insta::assert_snapshot!(complaint(&[(".env", "AGILITY_WEBSITE=\n")], &[]), @r"
    sync.channels is empty (AGILITY_WEBSITE in .env)
    help: name at least one; to restrict nothing, leave it out of .env
    ");
    insta::assert_snapshot!(complaint(&[], &[("LOCKGATE_TARGET_TOKEN", "")]), @r"
    target.token is empty (environment variable LOCKGATE_TARGET_TOKEN)
    help: give a value, or leave the variable unset
    ");
    insta::assert_snapshot!(complaint(&[], &[("LOCKGATE_PRESET", "")]), @r"
    --preset is empty (environment variable LOCKGATE_PRESET)
    help: give a value, or leave the variable unset
    ");
    insta::assert_snapshot!(complaint(&[], &[("LOCKGATE_DRY_RUN", "")]), @r"
    sync.dry_run is empty (environment variable LOCKGATE_DRY_RUN)
    help: give a value, or leave the variable unset
    ");
}

#[test]
fn only_the_user_says_where_a_token_may_go() {
    let file = "[source]\nguid = \"1a2b3c4d-u\"\n\nurl = \"https://proxy.test:8443/a\"\n";
    insta::assert_snapshot!(complaint(&[("lockgate.toml", file)], &[]), @r"
    the token is not sent to proxy.test:8443, which only lockgate.toml, line 4 names (source.url)
    help: if that host may have the token, give --allow-host proxy.test:8443 or set LOCKGATE_ALLOW_HOSTS=proxy.test:8443
    ");
    let agreed = |variables: &[(&str, &str)]| complete(&[("lockgate.toml", file)], variables);
    for allowed in ["proxy.test", "Proxy.Test:8443", "a.test, proxy.test"] {
        agreed(&[("LOCKGATE_ALLOW_HOSTS", allowed)]).unwrap();
    }
    for other in ["test", "proxy.test:80", "x.proxy.test", "*"] {
        agreed(&[("LOCKGATE_ALLOW_HOSTS", other)]).unwrap_err();
    }
    agreed(&[("LOCKGATE_SOURCE_URL", "https://proxy.test")]).unwrap();
    complete(
        &[("lockgate.toml", "source.url = \"https://mgmt-eu.aglty.io\"")],
        &[],
    )
    .unwrap();
    complete(
        &[("lockgate.toml", "source.url = \"http://[::1]:8080\"")],
        &[],
    )
    .unwrap();

    insta::assert_snapshot!(complaint(&[], &[("LOCKGATE_TARGET_URL", "http://proxy.test")]), @r"
    the token is not sent to proxy.test unencrypted, as http:// in target.url says (environment variable LOCKGATE_TARGET_URL)
    help: use https://, or give --allow-http (LOCKGATE_ALLOW_HTTP=true) where the network is trusted
    ");
    insta::assert_snapshot!(complaint(&[("lockgate.toml", "\nhosts.allow = \"proxy.test\"")], &[]), @r"
    hosts.allow does not count in lockgate.toml, line 2: a working folder does not decide where a token comes from and where it goes
    help: leave it out there; give --allow-host, or set LOCKGATE_ALLOW_HOSTS
    ");
}

#[test]
fn a_run_that_the_state_remembers_does_not_say_where_a_token_may_go() {
    let config = Config::load(&case(&[], &[], &INSTANCES).inputs).unwrap();
    let remembered = Given {
        key: "source.url",
        origin: "run 1".to_owned(),
        value: GivenValue::Text("https://proxy.test".to_owned()),
    };
    let refused = config.unless_set(&[remembered]).settings().unwrap_err();
    let origin = |error| match error {
        ConfigError::HostNotAllowed { origin, .. } => origin,
        other => panic!("{other}"),
    };
    assert_eq!(origin(refused), "run 1");
}

#[test]
fn the_users_own_file_is_weaker_than_that_of_the_folder_and_may_allow_hosts() {
    let own = TempDir::new().unwrap();
    let folder = own.path().join("lockgate");
    fs::create_dir(&folder).unwrap();
    let text = "hosts.allow = [\"proxy.test\"]\npace.concurrency = 3\nbatch.size = 7\n";
    fs::write(folder.join("lockgate.toml"), text).unwrap();
    let file = "source.url = \"https://proxy.test\"\nbatch.size = 8\n";
    let home = [("XDG_CONFIG_HOME", own.path().to_str().unwrap())];
    let settings = complete(&[("lockgate.toml", file)], &home).unwrap();
    assert_eq!((settings.pace.concurrency, settings.batch_size), (3, 8));
}
