//! The command line of `lockgate login`, and the sign-in itself.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::json;

use super::super::args::InstancesOnlyArgs;
use super::super::{stop, table};
use super::browser;
use super::error::SignInError;
use super::listener::{Answer, Listener};
use crate::agility::{Connection, Grant, Instance, OAuth};
use crate::config::{
    Config, ConfigError, HostInfo, Kept, Login, LoginBook, LoginSite, OutputMode, Timeouts,
};
use crate::domain::{redact_message, time};
use crate::error::{Error, ExitStatus};
use crate::report;

/// Signs in with a browser, in place of a personal access token
///
/// Opens the sign-in page of the vendor, waits until the browser comes back, and keeps what it brings: in the keyring of the
/// system, or in a private file where there is none. Runs then need no token; they renew the login by themselves, also while
/// they are under way. One login holds for every instance of a region; --only makes one for one instance alone, with another
/// account. A token that is set in the environment or a file goes before a login.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate login --target 5e6f7a8b-u
  lockgate login --no-browser
      the address is printed; open it on any machine
  lockgate login --only target --source 1a2b3c4d-u --target 5e6f7a8b-u
  lockgate login --show")]
pub(in crate::cli) struct LoginArgs {
    /// Keep the login for the instance of this side alone
    #[arg(long, value_name = "SIDE")]
    only: Option<Side>,
    /// Print the address instead of opening it; it can be opened on any machine
    #[arg(long)]
    no_browser: bool,
    /// Port of this machine that the browser comes back to [default: any free one]
    #[arg(long, value_name = "PORT", conflicts_with = "no_browser")]
    port: Option<u16>,
    /// Seconds until the sign-in has to be complete
    #[arg(long, value_name = "SECONDS", default_value_t = WAIT_S, value_parser = clap::value_parser!(u64).range(1..=3600))]
    wait: u64,
    /// Where the login is kept: keyring (a private file where there is none) or file
    #[arg(long, value_name = "PLACE", default_value = "keyring")]
    keep: Place,
    /// Show the logins that there are
    #[arg(long, conflicts_with_all = ["only", "no_browser", "port"])]
    show: bool,
    #[command(flatten)]
    common: InstancesOnlyArgs,
}

/// Seconds until a sign-in has to be complete.
const WAIT_S: u64 = 300;

impl LoginArgs {
    /// What `lockgate login --config PATH` does.
    pub(in crate::cli) fn of_config(path: PathBuf) -> Self {
        Self {
            only: None,
            no_browser: false,
            port: None,
            wait: WAIT_S,
            keep: Place::Keyring,
            show: false,
            common: InstancesOnlyArgs::of_config(path),
        }
    }
}

/// A side of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    /// The source
    Source,
    /// The target
    Target,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// Where a login is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Place {
    /// The keyring of the system
    Keyring,
    /// A private file
    File,
}

/// Signs in to each host of the named instances, or shows the logins.
///
/// # Errors
/// [`Error::Config`], [`Error::SignIn`], [`Error::Unreachable`]; [`Error::Interrupted`] when it is asked to stop.
pub(in crate::cli) async fn run(
    args: &LoginArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let config = args.common.config()?;
    let book = config.login_book().map_err(ConfigError::from)?;
    if args.show {
        return show(&book, config.output()?.mode, out);
    }
    let mut sites = config.login_sites()?;
    if let Some(only) = args.only {
        sites.retain(|site| site.side == only.name());
    } else {
        // One login holds for all instances of a host.
        let mut hosts: Vec<String> = Vec::new();
        sites.retain(|site| {
            let is_new = !hosts.contains(&site.host);
            hosts.push(site.host.clone());
            is_new
        });
    }
    if sites.is_empty() {
        return Err(Error::Usage {
            message: "no instance is named, so the host to sign in to is unknown".to_owned(),
            hint: Some("name one, such as --target 5e6f7a8b-u, or write lockgate.toml with `lockgate init`".to_owned()),
        });
    }
    let work = async {
        for site in &sites {
            Box::pin(sign_in(args, &config, (&book, site), out)).await?;
        }
        Ok(ExitStatus::Agreed)
    };
    tokio::select! {
        done = work => done,
        () = stop::asked() => Err(Error::Interrupted),
    }
}

async fn sign_in(
    args: &LoginArgs,
    config: &Config,
    (book, site): (&LoginBook, &LoginSite),
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let timeouts = config.timeouts()?;
    let limits = (timeouts.connect, timeouts.request);
    let oauth = OAuth::new(&site.guid, site.url.as_deref(), limits)?;
    let within = Duration::from_secs(args.wait);
    let host_info = config.host_info();
    let comes_back = !args.no_browser && (args.port.is_some() || browser::is_there(&host_info));
    if !comes_back && !args.no_browser {
        report::tell("this machine has no display to show a browser on");
    }
    let asking = async {
        if comes_back {
            with_browser(&oauth, (args, &host_info, site), out).await
        } else {
            from_anywhere(&oauth, site, out).await
        }
    };
    let granted = tokio::time::timeout(within, asking).await;
    let grant = granted.unwrap_or_else(|_| {
        Err(SignInError::TimedOut {
            host: oauth.host(),
            after: within,
            comes_back,
        }
        .into())
    })?;
    let login = Login::of(grant);
    let user = user_of(site, &login, &timeouts).await?;
    let name = match args.only {
        Some(_) => site.own_name(),
        None => site.host.clone(),
    };
    keep(args, book, (&name, &login), &user).await
}

/// The browser of this machine comes back with a code.
async fn with_browser(
    oauth: &OAuth,
    (args, host_info, site): (&LoginArgs, &HostInfo, &LoginSite),
    out: &mut (dyn Write + Send),
) -> Result<Grant, Error> {
    let listener = Listener::open(args.port.unwrap_or_default()).await?;
    let redirect = listener.redirect();
    let state = format!("{:032x}", rand::rng().random::<u128>());
    let url = oauth.sign_in_url(&redirect, &state);
    let opened = if browser::is_there(host_info) {
        browser::open(host_info, &url)
    } else {
        Err("a display is missing".to_owned())
    };
    match opened {
        Ok(()) => report::tell(
            "sign in in the browser; if none opens, open this address on this machine:",
        ),
        Err(reason) => report::tell(&format!(
            "no browser could be started ({reason}); open this address on this machine:"
        )),
    }
    say(out, &url)?;
    match listener.answer(&state).await? {
        Answer::Code(code) => oauth
            .exchange(&code, &redirect)
            .await
            .map_err(|error| unreachable(site, error)),
        Answer::Denied(reason) => {
            let reason: String = redact_message(&reason).chars().take(200).collect();
            let host = oauth.host();
            Err(SignInError::Denied { host, reason }.into())
        }
    }
}

/// How often the server is asked for what it keeps (official CLI).
const BEAT: Duration = Duration::from_secs(2);

/// The server keeps the answer until it is fetched.
async fn from_anywhere(
    oauth: &OAuth,
    site: &LoginSite,
    out: &mut (dyn Write + Send),
) -> Result<Grant, Error> {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut random = rand::rng();
    let mut code = "cli-code.".to_owned();
    code.extend((0..6).map(|_| char::from(DIGITS[random.random_range(0..DIGITS.len())])));
    report::tell("open this address in a browser, on any machine, and sign in:");
    say(out, &oauth.kept_sign_in_url(&code))?;
    loop {
        tokio::time::sleep(BEAT).await;
        let fetched = oauth.fetch(&code).await;
        if let Some(grant) = fetched.map_err(|error| unreachable(site, error))? {
            return Ok(grant);
        }
    }
}

/// Prints an address as it is; on standard error it would lose its query.
fn say(out: &mut (dyn Write + Send), url: &str) -> Result<(), Error> {
    writeln!(out, "{url}")?;
    out.flush()?;
    Ok(())
}

fn unreachable(site: &LoginSite, error: crate::instance::RequestError) -> Error {
    Error::Unreachable {
        side: format!("{} {}", site.side, site.guid),
        source: Box::new(error),
    }
}

/// The user that the token is of, which shows that the host takes it.
async fn user_of(site: &LoginSite, login: &Login, timeouts: &Timeouts) -> Result<String, Error> {
    let instance = Instance::new(Connection {
        guid: site.guid.clone(),
        base_url: site.url.clone(),
        token: login.access.clone(),
        renewal: None,
        connect_timeout: timeouts.connect,
        request_timeout: timeouts.request,
        asset_hosts: Vec::new(),
        limits: crate::agility::Limits::default(),
    })?;
    let account = instance.account().await;
    Ok(account.map_err(|error| unreachable(site, error))?.user)
}

async fn keep(
    args: &LoginArgs,
    book: &LoginBook,
    (name, login): (&str, &Login),
    user: &str,
) -> Result<(), Error> {
    let held = book.lock().await.map_err(ConfigError::from)?;
    let wanted = match args.keep {
        Place::Keyring => Kept::Keyring,
        Place::File => Kept::File,
    };
    let (book, name, login) = (book.clone(), name.to_owned(), login.clone());
    let (expires_at, renews) = (login.expires_at, login.refresh.is_some());
    let file = book.path();
    let at = name.clone();
    // The keyring may ask the user for a password.
    let written = tokio::task::spawn_blocking(move || book.write(&name, &login, wanted)).await;
    let written = written.map_err(|error| Error::Internal(error.to_string()))?;
    let (kept, refused) = written.map_err(ConfigError::from)?;
    drop(held);
    if let Some(reason) = refused {
        report::tell(&format!(
            "the keyring of the system cannot be used: {reason}"
        ));
    }
    let place = match kept {
        Kept::Keyring => "in the keyring of the system".to_owned(),
        Kept::File => format!("in {}, which only you can read", file.display()),
    };
    report::tell(&format!("signed in at {at} as {user}; kept {place}"));
    report::tell(&format!(
        "the access token {}",
        validity(expires_at, renews)
    ));
    Ok(())
}

/// Until when an access token is valid, and what comes then: `is valid for 59 min (until 2026-11-30T17:00:00Z) and is renewed by itself`.
pub(in crate::cli) fn validity(expires_at: Option<Timestamp>, renews: bool) -> String {
    let then = if renews {
        "and is renewed by itself"
    } else {
        "and cannot be renewed: sign in again then"
    };
    let comma = if expires_at.is_none() { "," } else { "" };
    format!("{}{comma} {then}", valid_until(expires_at))
}

/// Until when an access token is valid: `is valid for 59 min (until 2026-11-30T17:00:00Z)`.
pub(super) fn valid_until(expires_at: Option<Timestamp>) -> String {
    let Some(expires_at) = expires_at else {
        return "is valid for a time that the server does not name".to_owned();
    };
    let left = expires_at.duration_since(time::now());
    let until = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ");
    if left.is_negative() || left.is_zero() {
        return format!("expired at {until}");
    }
    let left = match (left.as_mins(), left.as_secs()) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, _) => format!("{minutes} min"),
    };
    format!("is valid for {left} (until {until})")
}

fn show(
    book: &LoginBook,
    mode: OutputMode,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    let notes = book.notes().map_err(ConfigError::from)?;
    if notes.is_empty() && mode != OutputMode::Json {
        report::tell("no logins");
    }
    let kept = |kept| match kept {
        Kept::Keyring => "keyring",
        Kept::File => "file",
    };
    if mode == OutputMode::Json {
        for (name, note) in &notes {
            let row = json!({
                "login": name,
                "kept": kept(note.kept),
                "expires_at": note.expires_at.map(|moment| moment.to_string()),
                "renews": note.renews,
            });
            table::json_line(&row, out)?;
        }
    } else if !notes.is_empty() {
        let rows = notes.iter().map(|(name, note)| {
            let validity = validity(note.expires_at, note.renews);
            [name.clone(), kept(note.kept).to_owned(), validity]
        });
        writeln!(
            out,
            "{}",
            table::table(["login", "kept in", "access token"], rows)
        )?;
    }
    out.flush()?;
    Ok(ExitStatus::Agreed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_is_said() {
        let at = |seconds| {
            time::now()
                .checked_add(jiff::SignedDuration::from_secs(seconds))
                .ok()
        };
        assert!(validity(at(3599), true).starts_with("is valid for 59 min (until 20"));
        assert!(validity(at(50), true).contains("49 s") || validity(at(50), true).contains("50 s"));
        assert!(validity(at(-5), false).starts_with("expired at 20"));
        assert!(validity(None, true).ends_with("and is renewed by itself"));
    }
}
