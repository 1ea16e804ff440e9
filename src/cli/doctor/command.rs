//! The command line of it.

use std::io::Write;

use clap::Args;

use super::super::args::InstancesOnlyArgs;
use super::super::table;
use super::checks;
use super::finding::{Finding, Level};
use crate::config::{Config, OutputMode};
use crate::domain::shown;
use crate::error::{Error, ExitStatus};

/// Checks the configuration, both instances, the state and this machine, and writes nothing
///
/// One line for each check: ok, warning or error, with the next step. Checked are the configuration with the origins of its
/// values, the logins in use, access and clock of both instances, locales, channels, webhooks that a migration would fire, what
/// is published, the state and its lock, the disk and the terminal. Of several targets, or without a target those of [targets], each is
/// checked. Ends with 0, or with the exit code of the first error: 2 for the configuration, 3 for an instance, 4 for the state.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate doctor
  lockgate doctor --source 1a2b3c4d-u --target 5e6f7a8b-u
  lockgate doctor --target qa --target prod
  lockgate doctor --json | jq 'select(.level != \"ok\")'")]
pub(in crate::cli) struct DoctorArgs {
    #[command(flatten)]
    common: InstancesOnlyArgs,
}

/// Checks and prints.
///
/// # Errors
/// [`Error::Config`] when the configuration cannot be read at all, [`Error::Output`] when standard output is closed; what
/// was found is in the status.
pub(in crate::cli) async fn run(
    args: &DoctorArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let config = args.common.config()?;
    let output = config.output()?;
    let findings = checks::of_each(&targets(&config)?, output.quiet).await;
    for finding in &findings {
        if output.mode == OutputMode::Json {
            table::json_line(finding, out)?;
        } else if !(output.quiet && finding.level == Level::Ok) {
            out.write_all(line(finding).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(status_of(&findings))
}

/// One configuration for each target that is named; where none is, for each of `[targets]`.
fn targets(config: &Config) -> Result<Vec<Config>, Error> {
    let named = config.of_each_target()?;
    let tables = config.of_each_table()?;
    let is_named = named.iter().any(|one| one.target_label().is_some());
    Ok(if is_named || tables.is_empty() {
        named
    } else {
        tables
    })
}

/// The width of the longest name of a check and of a level.
const CHECK: usize = 16;
const LEVEL: usize = 7;

fn line(finding: &Finding) -> String {
    let (level, check) = (finding.level.name(), finding.check);
    let about = finding.target.as_ref().map(|target| format!("{target}: "));
    let detail = format!("{}{}", about.unwrap_or_default(), finding.detail);
    let detail = shown(&detail);
    let next = finding.next.as_deref().map(|next| {
        let next = shown(next);
        format!("{:LEVEL$}  {:CHECK$}  next: {next}\n", "", "")
    });
    let next = next.unwrap_or_default();
    format!("{level:<LEVEL$}  {check:<CHECK$}  {detail}\n{next}")
}

/// The exit code of the first error.
fn status_of(findings: &[Finding]) -> ExitStatus {
    let error = findings.iter().find_map(|finding| match finding.level {
        Level::Error(status) => Some(status),
        Level::Ok | Level::Warning => None,
    });
    error.unwrap_or(ExitStatus::Agreed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_decides_and_a_warning_does_not() {
        let findings = [
            Finding::ok("terminal", "none"),
            Finding::warning("webhooks", "2 are enabled", "disable them"),
            Finding::error("state", ExitStatus::State, "damaged", "restore it"),
            Finding::error("target", ExitStatus::Unreachable, "gone", "try again"),
        ];
        assert_eq!(status_of(&findings), ExitStatus::State);
        assert_eq!(status_of(&findings[..2]), ExitStatus::Agreed);
        let lines: Vec<String> = findings.iter().map(line).collect();
        insta::assert_snapshot!(lines.concat(), @r"
        ok       terminal          none
        warning  webhooks          2 are enabled
                                   next: disable them
        error    state             damaged
                                   next: restore it
        error    target            gone
                                   next: try again
        ");
    }
}
