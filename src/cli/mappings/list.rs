//! `lockgate mappings list`: what the state has.

use std::io::Write;

use clap::Args;
use serde_json::json;

use super::super::{run_lookup, table};
use super::args::{PairArgs, is_json, pair};
use crate::error::{Error, ExitStatus};

/// Lists the mappings of a pair as the state has them
///
/// Asks no instance. Evidence stands beside a mapping that was imported or recognised and that no run has compared yet.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate mappings list
  lockgate mappings list --json | jq 'select(.evidence)'      what no run has compared yet")]
pub(super) struct ListArgs {
    #[command(flatten)]
    pair: PairArgs,
}

/// Prints them.
///
/// # Errors
/// [`Error`] when there is no state, or it cannot be read.
pub(super) async fn run(
    args: &ListArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let config = args.pair.config()?;
    let store = run_lookup::look(&config).await?;
    let read = async {
        let pair = pair(&config, &store).await?;
        Ok::<_, Error>((store.mappings(&pair).await?, pair))
    };
    let read = read.await;
    store.close().await;
    let (mappings, pair) = read?;
    if is_json(&config)? {
        for row in mappings {
            let row = json!({
                "source": pair.source,
                "target": pair.target,
                "entity": row.key,
                "counterpart": row.target,
                "counterpartName": row.target_name,
                "versions": [row.source_version, row.target_version],
                "origin": row.origin.name(),
                "evidence": row.evidence,
                "run": row.run,
            });
            table::json_line(&row, out)?;
        }
        return Ok(ExitStatus::Agreed);
    }
    let rows = mappings.into_iter().map(|row| {
        [
            row.key.to_string(),
            row.target.to_string(),
            row.origin.name().to_owned(),
            row.evidence.unwrap_or_else(|| "-".to_owned()),
            row.run.0,
        ]
    });
    let header = ["entity", "target", "origin", "evidence", "run"];
    writeln!(out, "{}", table::table(header, rows))?;
    out.flush()?;
    Ok(ExitStatus::Agreed)
}
