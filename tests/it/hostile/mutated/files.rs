//! Files that a person or another program wrote, changed.

use std::fs;
use std::path::Path;

use lockgate::config::{Config, Environment, Inputs};
use lockgate::domain::Guid;
use lockgate::mock::file::{SCHEMA, StateFile};
use lockgate::mock::{self, Server};
use lockgate::snapshot::read_pair;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use serde_json::json;
use tempfile::TempDir;

use super::mutate::{draws, mutate, mutate_bytes, mutate_json};
use super::seeds;
use crate::support::{SOURCE, TARGET, fixture, instances};

const CONFIGURATION: &str = r#"[sync]
locales = ["en-us", "fr-ca"]
[source]
guid = "1a2b3c4d-u"
url = "http://127.0.0.1:9000"
[target]
guid = "5e6f7a8b-u"
[pace]
concurrency = 8
[retry]
attempts = 4
max_delay_s = 60
[output]
color = "never"
"#;

const DOTENV: &str = "# of the site\nexport LOCKGATE_RATE=20\nAGILITY_GUID='1a2b3c4d-u'\nAGILITY_LOCALES=\"en-us,fr-ca\"\n";

/// Reads the configuration of a folder as every command does.
fn configure(directory: &Path) -> Result<(), String> {
    let inputs = Inputs {
        directory: directory.to_owned(),
        environment: Environment::default(),
        file: None,
        preset: None,
        given: Vec::new(),
    };
    let config = Config::load(&inputs).map_err(|error| error.to_string())?;
    config.check().map_err(|error| error.to_string())
}

/// Gives one line another value, or changes the bytes.
fn mutate_lines(text: &str, draw: &mut ChaCha8Rng) -> Vec<u8> {
    let values = [
        "",
        "0",
        "-1",
        "1e400",
        "99999999999999999999",
        "nan",
        "true",
        "[]",
        "[[]]",
        "{}",
        "\"\"",
        "\"\\u0000\"",
        "'''",
        "1979-05-27",
        "\u{feff}",
        "\"x\" # y",
    ];
    let lines: Vec<&str> = text.lines().collect();
    let at = draw.random_range(0..lines.len());
    let Some((name, _)) = lines[at].split_once('=').filter(|_| draw.random()) else {
        return mutate_bytes(text.as_bytes(), draw);
    };
    let value = values.choose(draw).unwrap();
    let changed = lines.iter().enumerate().map(|(line, text)| {
        if line == at {
            format!("{name}={value}")
        } else {
            (*text).to_owned()
        }
    });
    changed.collect::<Vec<String>>().join("\n").into_bytes()
}

/// What `read` does with changed files must not be a panic, and an error must have words.
fn assert_read(seed: u64, read: impl FnOnce() -> Result<(), String>) {
    println!("MUTATION={seed}");
    assert_ne!(read(), Err(String::new()));
}

#[test]
fn a_changed_configuration_is_read_or_refused() {
    let folder = TempDir::new().unwrap();
    let (file, dotenv) = (
        folder.path().join("lockgate.toml"),
        folder.path().join(".env"),
    );
    let write = |toml: &[u8], variables: &[u8]| {
        fs::write(&file, toml).unwrap();
        fs::write(&dotenv, variables).unwrap();
    };
    write(CONFIGURATION.as_bytes(), DOTENV.as_bytes());
    assert_eq!(configure(folder.path()), Ok(()));
    for seed in seeds(1_500) {
        let mut draw = draws(seed);
        let toml = mutate_lines(CONFIGURATION, &mut draw);
        let variables = mutate_lines(DOTENV, &mut draw);
        match draw.random_range(0..3) {
            0 => write(&toml, DOTENV.as_bytes()),
            1 => write(CONFIGURATION.as_bytes(), &variables),
            _ => write(&toml, &variables),
        }
        assert_read(seed, || configure(folder.path()));
    }
}

#[test]
fn changed_mapping_files_are_read_or_reported() {
    let folder = TempDir::new().unwrap();
    let of_pair = folder
        .path()
        .join(format!("agility-files/mappings/{SOURCE}-{TARGET}"));
    let row = |source: i64, target: i64, names: [&str; 2]| json!({ "sourceGuid": SOURCE, "targetGuid": TARGET, names[0]: source, names[1]: target });
    let models = json!([
        row(1, 101, ["sourceID", "targetID"]),
        row(2, 102, ["sourceID", "targetID"])
    ]);
    let items = json!([
        row(7, 107, ["sourceContentID", "targetContentID"]),
        row(8, 108, ["sourceContentID", "targetContentID"])
    ]);
    fs::create_dir_all(of_pair.join("models")).unwrap();
    fs::create_dir_all(of_pair.join("en-us/item")).unwrap();
    let files = [
        of_pair.join("models/mappings.json"),
        of_pair.join("en-us/item/mappings.json"),
    ];
    let write = |models: &[u8], items: &[u8]| {
        fs::write(&files[0], models).unwrap();
        fs::write(&files[1], items).unwrap();
    };
    let read = || read_pair(&of_pair, &Guid::new(SOURCE), &Guid::new(TARGET));
    let (models, items) = (models.to_string(), items.to_string());
    write(models.as_bytes(), items.as_bytes());
    let whole = read();
    assert_eq!((whole.rows.len(), whole.defects.len()), (4, 0), "{whole:?}");
    for seed in seeds(1_500) {
        let mut draw = draws(seed);
        write(&mutate(models.as_bytes(), &mut draw), items.as_bytes());
        assert_read(seed, || {
            let found = read();
            // What is not used is reported, and a target stands on one side only once.
            let targets: std::collections::HashSet<_> = found
                .rows
                .iter()
                .map(|row| (row.key.kind, row.key.locale.clone(), row.target))
                .collect();
            assert_eq!(
                targets.len(),
                found.rows.len(),
                "MUTATION={seed}: {found:?}"
            );
            Ok(())
        });
    }
}

#[tokio::test]
async fn a_changed_fixture_is_played_or_refused() {
    let mut state = instances(&fixture("two-locales"));
    state.schema = SCHEMA;
    let whole = serde_json::to_value(&state).unwrap();
    for seed in seeds(1_000) {
        let mut draw = draws(seed);
        let changed = mutate_json(whole.clone(), &mut draw);
        let Ok(state) = serde_json::from_value::<StateFile>(changed) else {
            continue;
        };
        println!("MUTATION={seed}");
        let options = mock::Options {
            state,
            ..mock::Options::default()
        };
        match Server::start(options).await {
            Ok(server) => server.stop().await,
            Err(error) => assert_ne!(error.to_string(), "", "MUTATION={seed}"),
        }
    }
}
