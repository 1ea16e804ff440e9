//! A plan on its way to a file and back.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Map;

use super::session::salt;
use crate::config::{Config, Settings};
use crate::domain::{Kind, redact, redact_value, time};
use crate::engine::Decided;
use crate::error::Error;
use crate::plan::{AgreedFile, Approval, Deletion, FORM, PlanFile, approvals, file_lines};
use crate::report;

/// Settings below `sync` that decide nothing: how a plan is carried out is decided when it is applied.
const NOT_DECIDED: [&str; 6] = [
    "sync.ask",
    "sync.dry_run",
    "sync.fail_fast",
    "sync.full_read_every",
    "sync.pause_webhooks",
    "sync.verify",
];

/// Writes a plan so that it appears whole or not at all, for this user alone.
///
/// # Errors
/// [`Error::File`]
pub(super) fn write(
    path: &Path,
    (config, settings): (&Config, &Settings),
    outlook: &Decided,
) -> Result<(), Error> {
    let plan = made(config, settings, outlook);
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let text = plan.to_text().map_err(std::io::Error::other);
    let text = text.map_err(failed)?;
    report::write_whole_at(path, text.as_bytes()).map_err(failed)?;
    if !settings.output.quiet {
        let next = if plan.applyable {
            format!("carry it out with: lockgate apply {}", path.display())
        } else {
            "there is nothing to apply".to_owned()
        };
        report::tell(&format!(
            "plan {} is in {}; {next}",
            plan.id,
            path.display()
        ));
    }
    Ok(())
}

fn made(config: &Config, settings: &Settings, outlook: &Decided) -> PlanFile {
    let mut settings_of_sync = Map::new();
    for (key, mut value) in config.values("sync") {
        if !NOT_DECIDED.contains(&key.as_str()) {
            redact_value(&mut value);
            settings_of_sync.insert(key, value);
        }
    }
    let Decided {
        plan,
        source,
        target,
        published,
        prune,
        withdrawn,
        ..
    } = outlook;
    let mut entities = approvals(&plan.entities, source, target, (published, withdrawn));
    add_files(&mut entities, outlook);
    let now = time::now();
    PlanFile {
        form: FORM,
        lockgate: env!("CARGO_PKG_VERSION").to_owned(),
        id: time::run_id(now, salt()).0,
        made_at: now.to_string(),
        source: settings.source.guid.clone(),
        target: settings.target.guid.clone(),
        settings: settings_of_sync,
        applyable: false,
        complete: false,
        counts: std::collections::BTreeMap::new(),
        deletions: prune
            .deletions(target)
            .into_iter()
            .map(|one| Deletion {
                name: redact(&one.name).into_owned(),
                ..one
            })
            .collect(),
        // Before the checksum, which would not match text that is redacted on its way out.
        entities: entities.into_iter().map(without_credentials).collect(),
        checksum: String::new(),
    }
    .sealed()
}

/// Adds what the plan says of files.
fn add_files(entities: &mut [Approval], outlook: &Decided) {
    let (files, plan) = (outlook.files(), &outlook.plan);
    let all = outlook.source.entities().iter().zip(&plan.entities);
    let assets = all.filter(|(here, _)| here.key.kind == Kind::Asset);
    let lines = assets.filter_map(|(here, planned)| {
        let (was, becomes) = file_lines((here, planned), &outlook.target, &files)?;
        Some((&here.key, AgreedFile { was, becomes }))
    });
    let mut lines: HashMap<_, _> = lines.collect();
    for one in entities {
        one.file = lines.remove(&one.key);
    }
}

fn without_credentials(approval: Approval) -> Approval {
    Approval {
        name: redact(&approval.name).into_owned(),
        because: redact(&approval.because).into_owned(),
        ..approval
    }
}
