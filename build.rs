//! Puts the commit and the platform into the version that `--version` prints.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to a build script through its environment"
)]

use std::process::Command;

fn main() {
    let version = env("CARGO_PKG_VERSION");
    let build = if env("PROFILE") == "debug" {
        // Known beforehand, so that a commit does not mean to compile everything again.
        "debug build".to_owned()
    } else {
        let commit = git(&["log", "-1", "--format=%h %cs"]);
        let logs = git(&["rev-parse", "--git-path", "logs/HEAD"]);
        println!("cargo:rerun-if-changed={}", logs.unwrap_or_default());
        let commit = commit.unwrap_or_else(|| "unknown commit".to_owned());
        format!("{commit}, {}", env("TARGET"))
    };
    println!("cargo:rerun-if-changed=build.rs");
    // Without the prefix of the configuration: cargo also gives this variable to the program that it runs.
    println!("cargo:rustc-env=VERSION_AND_BUILD={version} ({build})");
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// What git says; `None` outside a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let said = Command::new("git").args(arguments).output().ok()?;
    let said = said.status.success().then_some(said.stdout)?;
    Some(String::from_utf8(said).ok()?.trim().to_owned())
}
