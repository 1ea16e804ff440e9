//! What the environment tells beyond settings: who runs this, and where.

use std::path::PathBuf;

use super::Environment;
use crate::report::Annotations;

/// Facts about where the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInfo {
    /// The user's name, for the lease.
    pub user: String,
    /// The machine's name, for the lease.
    pub host: String,
    /// The form in which the pipeline that the program runs in marks failures.
    pub pipeline: Option<Annotations>,
    /// The file to which GitHub Actions adds what a step has to say, in Markdown.
    pub step_summary: Option<PathBuf>,
    /// Whether the terminal shows characters beyond ASCII, as far as the locale variables tell.
    pub unicode: bool,
    /// Whether the terminal can only append text (`TERM=dumb`), so that nothing can be drawn on it.
    pub dumb: bool,
    /// The program that shows long text, with its arguments (`PAGER`).
    pub pager: Option<String>,
    /// The program that shows web pages, with its arguments (`BROWSER`).
    pub browser: Option<String>,
    /// Whether windows can be shown: on Linux and its like `DISPLAY` or `WAYLAND_DISPLAY` say so.
    pub has_display: bool,
}

impl HostInfo {
    /// Reads them from the environment; the machine's name also from the system.
    pub fn of(environment: &Environment) -> Self {
        let first = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| environment.get(name))
                .map(str::to_owned)
        };
        let user = first(&["USER", "LOGNAME", "USERNAME"]);
        let host = first(&["HOSTNAME", "COMPUTERNAME"]).or_else(system_host);
        Self {
            user: user.unwrap_or_else(|| "someone".to_owned()),
            host: host.unwrap_or_else(|| "this machine".to_owned()),
            pipeline: pipeline(environment),
            step_summary: first(&["GITHUB_STEP_SUMMARY"]).map(Into::into),
            dumb: environment.get("TERM") == Some("dumb"),
            unicode: unicode(environment),
            pager: first(&["PAGER"]),
            browser: first(&["BROWSER"]),
            has_display: cfg!(any(windows, target_os = "macos"))
                || first(&["DISPLAY", "WAYLAND_DISPLAY"]).is_some(),
        }
    }
}

fn system_host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn pipeline(environment: &Environment) -> Option<Annotations> {
    let is_on = |name| {
        environment
            .get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    };
    if is_on("GITHUB_ACTIONS") {
        Some(Annotations::GitHub)
    } else if is_on("GITLAB_CI") {
        Some(Annotations::GitLab)
    } else {
        None
    }
}

/// The first of the POSIX variables that is set decides. None set: modern terminals and pipelines show UTF-8.
fn unicode(environment: &Environment) -> bool {
    if environment.get("TERM") == Some("linux") {
        return false;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| environment.get(name));
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_tells_who_and_where() {
        let found = HostInfo::of(
            &[
                ("USER", "ann"),
                ("HOSTNAME", "desk"),
                ("GITLAB_CI", "true"),
                ("LANG", "C"),
            ]
            .into_iter()
            .collect(),
        );
        let expected = HostInfo {
            user: "ann".to_owned(),
            host: "desk".to_owned(),
            pipeline: Some(Annotations::GitLab),
            step_summary: None,
            unicode: false,
            dumb: false,
            pager: None,
            browser: None,
            has_display: cfg!(any(windows, target_os = "macos")),
        };
        assert_eq!(found, expected);
        let dumb = [("TERM", "dumb")].into_iter().collect();
        assert!(HostInfo::of(&dumb).dumb);
        assert!(unicode(&Environment::default()));
        assert!(unicode(
            &[("LC_ALL", "en_US.UTF-8"), ("LANG", "C")]
                .into_iter()
                .collect()
        ));
    }
}
