//! The mapping folder of the official CLI as evidence: found in the working directory, without being asked for.

use std::path::Path;

use super::wiring;
use crate::config::Settings;
use crate::domain::{Guid, Id, SourceId, TargetId};
use crate::engine::Matching;
use crate::error::Error;
use crate::plan::{Hint, Recognition};
use crate::report;
use crate::snapshot::{OfficialRow, official_folder, read_pair};
use crate::store::Store;

/// The root folder of the official CLI, in its working directory.
pub(super) const ROOT: &str = "agility-files";

/// Defects that a run names; `lockgate mappings import --dry-run` names all.
const NAMED: usize = 3;

/// The pairs that the folders of both directions name, and what of them is not used, one sentence each.
pub(super) fn evidence(source: &Guid, target: &Guid) -> (Vec<Hint>, Vec<String>) {
    let (mut hints, mut problems) = (Vec::new(), Vec::new());
    let mut unnamed = 0;
    for (from, to, hint) in [
        (source, target, there as fn(&OfficialRow) -> Hint),
        (target, source, back),
    ] {
        let folder = official_folder(Path::new(ROOT), from, to);
        let found = read_pair(&folder, from, to);
        hints.extend(found.rows.iter().map(hint));
        for defect in &found.defects {
            if problems.len() == NAMED {
                unnamed += 1;
                continue;
            }
            let file = folder.join(&defect.file);
            let row = defect.row.map(|row| format!(", row {row}"));
            problems.push(format!(
                "mapping of the official CLI not used: {}{}: {}",
                file.display(),
                row.unwrap_or_default(),
                defect.kind
            ));
        }
    }
    if unnamed > 0 {
        problems.push(format!(
            "{unnamed} more mappings of the official CLI are not used; `lockgate mappings import --dry-run` lists them"
        ));
    }
    (hints, problems)
}

fn there(row: &OfficialRow) -> Hint {
    Hint {
        key: row.key.clone(),
        target: row.target,
        evidence: Recognition::OfficialCli,
        target_version: row.versions[1],
    }
}

/// A row of the way back.
fn back(row: &OfficialRow) -> Hint {
    Hint {
        key: row.key.with_id(SourceId::new(row.target.raw())),
        target: TargetId::new(row.key.id.raw()),
        evidence: Recognition::OfficialCli,
        target_version: row.versions[0],
    }
}

/// Says in one line that the folder is used, where the state has nothing of the pair by itself.
///
/// # Errors
/// [`Error::Store`] when the state cannot be read.
pub(super) async fn say(
    settings: &Settings,
    matching: &Matching,
    store: &Store,
) -> Result<(), Error> {
    let is_official = |hint: &&Hint| hint.evidence == Recognition::OfficialCli;
    let count = matching.hints.iter().filter(is_official).count();
    if count == 0 || settings.output.quiet {
        return Ok(());
    }
    if store.mappings(&wiring::pair(settings)).await?.is_empty() {
        report::tell(&format!(
            "{} mappings of the official CLI in {ROOT}/mappings are used as evidence; --no-official-mappings ignores them",
            report::count_of(count)
        ));
    }
    Ok(())
}
