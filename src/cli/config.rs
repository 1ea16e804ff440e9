//! `lockgate config`: what is set, and where it comes from.

use std::io::Write;

use clap::{Args, Subcommand};

use super::args::{Collected, EngineArgs, FileArgs, InstanceArgs, OutputArgs, SelectionArgs};
use crate::config::{Config, DEFAULT_FILE, OutputMode, Row, schema};
use crate::error::{Error, ExitStatus};

/// Shows every setting with its value and where the value comes from
///
/// Takes the same flags as `lockgate sync`, so that it shows the values that a run with them would use.
#[derive(Clone, Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  lockgate config
  lockgate config --preset gentle --rate 2
  lockgate config --target qa                         what holds for the target of [targets.qa]
  lockgate config --defaults > lockgate.toml          a file to start from, with every key explained
  lockgate config schema > lockgate.schema.json       for an editor that reads `#:schema ./lockgate.schema.json`"
)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: Option<ConfigCommand>,
    /// Print the documented default file instead
    #[arg(long)]
    defaults: bool,
    #[command(flatten)]
    instances: InstanceArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    file: FileArgs,
}

/// What else there is to know of the configuration.
#[derive(Clone, Copy, Debug, Subcommand)]
enum ConfigCommand {
    /// Prints the JSON schema of lockgate.toml, for editors
    ///
    /// An editor with a TOML language server completes and checks the file when its first line names the schema:
    /// `#:schema ./lockgate.schema.json`.
    Schema,
}

impl ConfigArgs {
    fn config(&self) -> Result<Config, Error> {
        let collected = self.instances.collect(Collected::default());
        let collected = self.engine.collect(self.selection.collect(collected));
        self.file.load(self.output.collect(collected))
    }
}

/// Prints the table, or with JSON output one object per key. Values are shown before they are checked, so
/// that a wrong one can be looked at.
///
/// # Errors
/// [`Error::Config`] for a value that cannot be, [`Error::Output`] when standard output is closed.
pub(super) fn run(args: &ConfigArgs, out: &mut (dyn Write + Send)) -> Result<ExitStatus, Error> {
    if let Some(ConfigCommand::Schema) = args.command {
        let text = serde_json::to_string_pretty(&schema()).map_err(std::io::Error::from)?;
        writeln!(out, "{text}")?;
        out.flush()?;
        return Ok(ExitStatus::Agreed);
    }
    if args.defaults {
        out.write_all(DEFAULT_FILE.as_bytes())?;
        return Ok(ExitStatus::Agreed);
    }
    let config = args.config()?;
    // Of one target, what a run with it would use.
    let rows = match config.of_each_target().as_deref() {
        Ok([one]) => one.rows(),
        Ok(_) | Err(_) => config.rows(),
    };
    if config
        .output()
        .is_ok_and(|output| output.mode == OutputMode::Json)
    {
        json(&rows, out)?;
    } else {
        writeln!(out, "{}", table(&rows))?;
    }
    out.flush()?;
    config.check()?;
    Ok(ExitStatus::Agreed)
}

fn table(rows: &[Row]) -> String {
    let cells = rows.iter().map(|row| {
        let value = row.value.as_deref().unwrap_or("(not set)");
        let origin = row.origin.as_deref().unwrap_or("-");
        [&row.key, value, origin].map(str::to_owned)
    });
    super::table::table(["key", "value", "from"], cells)
}

fn json(rows: &[Row], out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    for row in rows {
        let line = serde_json::json!({ "key": row.key, "value": row.value, "from": row.origin });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_line_up_and_say_what_is_not_set() {
        let rows = [
            Row {
                key: "batch.size".into(),
                value: Some("20".to_owned()),
                origin: Some("preset gentle".to_owned()),
            },
            Row {
                key: "source.guid".into(),
                value: None,
                origin: None,
            },
        ];
        insta::assert_snapshot!(table(&rows), @r"
        key          value      from
        batch.size   20         preset gentle
        source.guid  (not set)  -
        ");
        let mut lines = Vec::new();
        json(&rows, &mut lines).unwrap();
        insta::assert_snapshot!(String::from_utf8(lines).unwrap(), @r#"
        {"key":"batch.size","value":"20","from":"preset gentle"}
        {"key":"source.guid","value":null,"from":null}
        "#);
    }
}
