//! Checks of the configuration, the state and this machine.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use crate::config::{ColorChoice, Config, ConfigError, Kept, Row, Settings};
use crate::error::{Error, ExitStatus};
use crate::report;
use crate::store::{StateUrl, Store, open_to_all};

use super::super::login::validity;
use super::super::{run_lookup::named, wiring};
use super::finding::Finding;

/// Less free space than this does not last for a run of some thousand entities with its pre-images.
const LITTLE: u64 = 500 << 20;
/// With less than this a run is likely to stop.
const TOO_LITTLE: u64 = 20 << 20;
/// What the dashboard is drawn for.
const SCREEN: (u16, u16) = (80, 24);

/// Keys that are listed one by one with their origins.
const NAMED: [&str; 13] = [
    "source.guid",
    "source.url",
    "target.guid",
    "target.url",
    "token",
    "token_file",
    "token_command",
    "source.token",
    "source.token_file",
    "source.token_command",
    "target.token",
    "target.token_file",
    "target.token_command",
];

/// What is set, where it comes from, and what is wrong with it.
pub(super) fn configuration(config: &Config, settings: &Result<Settings, Error>) -> Vec<Finding> {
    const CHECK: &str = "configuration";
    let rows = config.rows();
    let mut findings = vec![match settings {
        Ok(_) => Finding::ok(CHECK, origins(&rows)),
        Err(error) => incomplete(error, Finding::of_error(CHECK, error)),
    }];
    let warnings = settings.iter().flat_map(|settings| &settings.warnings);
    findings.extend(warnings.map(|warning| {
        let next = "`lockgate config` shows every value with its origin";
        Finding::warning(CHECK, warning, next)
    }));
    findings
}

/// Until when the logins are valid that the sides use.
pub(super) fn logins(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "login";
    let mut findings: Vec<Finding> = Vec::new();
    for instance in [&settings.source, &settings.target] {
        let Some(login) = instance.login() else {
            continue;
        };
        let note = &login.note;
        let place = match note.kept {
            Kept::Keyring => "in the keyring",
            Kept::File => "in a private file",
        };
        let validity = validity(note.expires_at, note.renews);
        let detail = format!("{} ({place}); its access token {validity}", login.name);
        let finding = if note.renews {
            Finding::ok(CHECK, detail)
        } else {
            Finding::warning(
                CHECK,
                detail,
                "`lockgate login` before a run that takes longer",
            )
        };
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

/// Names the shortest way to a configuration where there is none.
fn incomplete(error: &Error, mut finding: Finding) -> Finding {
    if let (Error::Config(ConfigError::Missing { .. }), Some(next)) = (error, &mut finding.next) {
        next.push_str("; `lockgate init` writes the instances to lockgate.toml");
    }
    finding
}

/// `source.guid (flag --source), … and 3 settings from lockgate.toml`.
fn origins(rows: &[Row]) -> String {
    let set = rows.iter().filter_map(|row| {
        let origin = row
            .origin
            .as_deref()
            .filter(|origin| *origin != "default")?;
        Some((&*row.key, origin))
    });
    let mut named = Vec::new();
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, origin) in set {
        if NAMED.contains(&key) {
            named.push(format!("{key} ({origin})"));
        } else {
            *others.entry(origin).or_default() += 1;
        }
    }
    named.extend(others.into_iter().map(|(origin, count)| {
        let noun = if count == 1 { "setting" } else { "settings" };
        format!("{count} {noun} from {origin}")
    }));
    named.join(", ")
}

/// Whether the state can be opened, and no other run holds the lock of the pair.
pub(super) async fn state(config: &Config, settings: Option<&Settings>) -> Vec<Finding> {
    let url = match config.paths() {
        Ok(paths) => paths.state,
        // The configuration says so.
        Err(_) => return Vec::new(),
    };
    let mut findings: Vec<Finding> = open_to_all(&url)
        .iter()
        .map(|place| {
            Finding::warning(
                "state",
                format!(
                    "every user of this machine may write to {}",
                    place.display()
                ),
                format!("chmod o-w {}", place.display()),
            )
        })
        .collect();
    match url.exists().await {
        Ok(true) => {}
        Ok(false) => {
            let detail = format!("none yet; a run creates {}", named(&url));
            findings.insert(0, Finding::ok("state", detail));
            return findings;
        }
        Err(error) => {
            findings.insert(0, Finding::of_error("state", &Error::from(error)));
            return findings;
        }
    }
    let store = match Store::open_to_look(&url).await {
        Ok(store) => store,
        Err(error) => {
            findings.insert(0, Finding::of_error("state", &Error::from(error)));
            return findings;
        }
    };
    let looked = look(&store, &named(&url), settings).await;
    store.close().await;
    match looked {
        Ok(found) => found.into_iter().chain(findings).collect(),
        Err(error) => {
            findings.insert(0, Finding::of_error("state", &error));
            findings
        }
    }
}

async fn look(
    store: &Store,
    path: &str,
    settings: Option<&Settings>,
) -> Result<Vec<Finding>, Error> {
    let Some(settings) = settings else {
        return Ok(vec![Finding::ok("state", path.to_owned())]);
    };
    let pair = wiring::pair(settings);
    let mappings = store.mappings(&pair).await?.len();
    let open = store.open_intents(&pair).await?.len();
    let open = match open {
        0 => String::new(),
        some => {
            let count = report::count_of(some);
            format!(", {count} writes of an interrupted run that the next one looks up")
        }
    };
    let mappings = report::count_of(mappings);
    let detail = format!("{path}, {mappings} mappings of this pair{open}");
    let held = store.lease_held(&pair, &settings.host_info.host).await?;
    Ok(vec![
        Finding::ok("state", detail),
        match held {
            None => Finding::ok("lock", "free"),
            Some(held) => Finding::of_error("lock", &Error::from(held)),
        },
    ])
}

/// Whether files of assets can be kept where they are to be, and read by whatever machine undoes a run.
pub(super) async fn blobs(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "kept files";
    let Ok(paths) = config.paths() else {
        return Vec::new();
    };
    let Some(blobs) = paths.blobs else {
        return match &paths.state {
            // As good as the disk.
            StateUrl::Sqlite(_) => Vec::new(),
            StateUrl::Postgres(_) => vec![Finding::ok(CHECK, "in the state, for all machines")],
        };
    };
    if let Err(error) = blobs.check().await {
        return vec![Finding::of_error(CHECK, &Error::from(error))];
    }
    let detail = format!("{blobs} can be read and written");
    match &paths.state {
        StateUrl::Postgres(_) if !blobs.is_shared() => vec![Finding::warning(
            CHECK,
            format!(
                "{detail} by this machine; the state is shared with others, which may not see this directory"
            ),
            "name a bucket with --blobs s3://BUCKET/PREFIX, or leave it out: the files are in the state then",
        )],
        StateUrl::Postgres(_) | StateUrl::Sqlite(_) => vec![Finding::ok(CHECK, detail)],
    }
}

/// The folder itself, or the nearest one above it that exists.
fn folder_of(folder: &Path) -> PathBuf {
    let above = folder.ancestors();
    let named = above.map(|folder| {
        if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        }
    });
    let mut existing = named.filter(|folder| folder.is_dir());
    existing.next().unwrap_or(Path::new(".")).to_owned()
}

/// Free space and the right to write where the state and the reports go.
pub(super) fn disk(config: &Config) -> Vec<Finding> {
    let Ok(paths) = config.paths() else {
        return Vec::new();
    };
    let folder = folder_of(paths.folder().unwrap_or(Path::new(".")));
    let place = folder.display();
    if let Err(error) = tempfile::tempfile_in(&folder) {
        return vec![Finding::error(
            "disk",
            ExitStatus::State,
            format!("cannot write to {place}: {error}"),
            "give this user the right to write there, or name another place with --state",
        )];
    }
    let Some(free) = free_bytes(&folder) else {
        return vec![Finding::ok("disk", format!("{place} can be written to"))];
    };
    let detail = format!("{} MB free at {place}", report::count_of(megabytes(free)));
    let next = "free some space; a full disk stops a run, and it goes on from there afterwards";
    vec![match free {
        0..TOO_LITTLE => Finding::error("disk", ExitStatus::State, detail, next),
        TOO_LITTLE..LITTLE => Finding::warning("disk", detail, next),
        LITTLE.. => Finding::ok("disk", detail),
    }]
}

fn megabytes(bytes: u64) -> usize {
    usize::try_from(bytes >> 20).unwrap_or(usize::MAX)
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// What can be shown.
pub(super) fn terminal(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "terminal";
    let host = config.host_info();
    if !std::io::stdout().is_terminal() || host.dumb {
        return vec![Finding::ok(
            CHECK,
            "none: a run prints lines, or events with --output json",
        )];
    }
    let colors = match config.output().map(|output| output.color) {
        Ok(ColorChoice::Never) => "no colors",
        Ok(ColorChoice::Auto | ColorChoice::Always) | Err(_) => "colors",
    };
    let letters = if host.unicode { "UTF-8" } else { "ASCII" };
    let Some((width, height)) = report::screen_size() else {
        return vec![Finding::ok(CHECK, format!("{colors}, {letters}"))];
    };
    let detail = format!("{width} by {height}, {colors}, {letters}");
    vec![if width < SCREEN.0 || height < SCREEN.1 {
        let next = "make it at least 80 by 24 for the dashboard, or use --no-tui";
        Finding::warning(CHECK, detail, next)
    } else {
        Finding::ok(CHECK, detail)
    }]
}
