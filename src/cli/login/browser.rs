//! Opens the browser of the user.

use std::process::Stdio;

use tokio::process::Command;

use crate::config::HostInfo;

/// Whether a page can be shown to the user of this machine.
pub(super) const fn is_there(host: &HostInfo) -> bool {
    host.browser.is_some() || host.has_display
}

/// Opens a page. The browser goes on by itself.
///
/// # Errors
/// The system's words when the program for it cannot be started.
pub(super) fn open(host: &HostInfo, url: &str) -> Result<(), String> {
    let words = command(host.browser.as_deref(), url);
    let (program, args) = words.split_first().ok_or("BROWSER is empty")?;
    let started = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started
        .map(drop)
        .map_err(|error| format!("{program}: {error}"))
}

/// The program with its arguments: the first one of `BROWSER`, in which `%s` stands for the address, or that of the system.
fn command(browser: Option<&str>, url: &str) -> Vec<String> {
    let given = browser.and_then(|list| list.split(':').next());
    let line = given.unwrap_or(if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "rundll32 url.dll,FileProtocolHandler"
    } else {
        "xdg-open"
    });
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if words.iter().any(|word| word.contains("%s")) {
        for word in &mut words {
            *word = word.replace("%s", url);
        }
    } else if !words.is_empty() {
        words.push(url.to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_one_argument_of_the_browser() {
        let of = |browser| command(Some(browser), "http://h/?a=1&b=2");
        assert_eq!(of("firefox"), ["firefox", "http://h/?a=1&b=2"]);
        assert_eq!(of("w3m -T x:lynx"), ["w3m", "-T", "x", "http://h/?a=1&b=2"]);
        assert_eq!(of("open --url=%s"), ["open", "--url=http://h/?a=1&b=2"]);
        assert!(of("").is_empty());
    }
}
