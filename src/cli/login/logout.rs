//! `lockgate logout`.

use clap::Args;

use super::super::args::InstancesOnlyArgs;
use super::command::valid_until;
use crate::config::ConfigError;
use crate::error::{Error, ExitStatus};
use crate::report;

/// Removes logins from this machine
///
/// Removes the logins of the named instances and of their hosts, or all of them. The API has no way to revoke a token, so an
/// access token stays valid at the server until it expires, which takes an hour at most as a rule.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate logout --target 5e6f7a8b-u
  lockgate logout --all")]
pub(in crate::cli) struct LogoutArgs {
    /// Remove every login of this user
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    common: InstancesOnlyArgs,
}

/// Removes logins.
///
/// # Errors
/// [`Error::Config`] when the logins cannot be read or removed, [`Error::Usage`] when nothing says which.
pub(in crate::cli) async fn run(args: &LogoutArgs) -> Result<ExitStatus, Error> {
    let config = args.common.config()?;
    let book = config.login_book().map_err(ConfigError::from)?;
    let notes = book.notes().map_err(ConfigError::from)?;
    let named: Vec<String> = if args.all {
        notes.keys().cloned().collect()
    } else {
        let sites = config.login_sites()?;
        let names = sites
            .into_iter()
            .flat_map(|site| [site.own_name(), site.host]);
        names.collect()
    };
    if named.is_empty() && !args.all {
        return Err(Error::Usage {
            message: "no instance is named, so there is no login to remove".to_owned(),
            hint: Some("name one, such as --target 5e6f7a8b-u, or give --all".to_owned()),
        });
    }
    let held = book.lock().await.map_err(ConfigError::from)?;
    let mut removed = 0;
    for (name, note) in notes.iter().filter(|(name, _)| named.contains(name)) {
        let (book, name) = (book.clone(), name.clone());
        let at = name.clone();
        let removing = tokio::task::spawn_blocking(move || book.remove(&name)).await;
        let is_removed = removing.map_err(|error| Error::Internal(error.to_string()))?;
        if is_removed.map_err(ConfigError::from)? {
            removed += 1;
            report::tell(&format!(
                "removed the login at {at}; at the server, its access token {}",
                valid_until(note.expires_at)
            ));
        }
    }
    drop(held);
    if removed == 0 {
        report::tell("there was no login");
    }
    Ok(ExitStatus::Agreed)
}
