//! Flags before the command: `lockgate --quiet sync` is `lockgate sync --quiet`.

use std::ffi::OsString;

use clap::{Arg, Command};

/// Flags in front of the command, put behind everything else. What makes no sense stays as it is, for the complaint about it.
pub(super) fn behind_the_command(tree: &Command, arguments: Vec<OsString>) -> Vec<OsString> {
    let Some(at) = command_at(tree, &arguments) else {
        return arguments;
    };
    let (front, rest) = arguments.split_at(at);
    let (program, flags) = front.split_at(1);
    // What follows two dashes is no flag.
    let end = rest.iter().position(|word| word == "--");
    let (rest, plain) = rest.split_at(end.unwrap_or(rest.len()));
    [program, rest, flags, plain].concat()
}

/// Where the command stands, when nothing but its flags and their values stands in front of it.
fn command_at(tree: &Command, arguments: &[OsString]) -> Option<usize> {
    let mut at = 1;
    loop {
        let word = arguments.get(at)?.to_str()?;
        if let Some(command) = tree.find_subcommand(word) {
            let flags = &arguments[1..at];
            return flags
                .iter()
                .all(|word| is_known(command, word))
                .then_some(at);
        }
        let known = tree
            .get_subcommands()
            .find_map(|command| flag(command, word));
        at += if takes_the_next(known?, word) { 2 } else { 1 };
    }
}

/// Whether a word in front is a flag of the command, or the value of one.
fn is_known(command: &Command, word: &OsString) -> bool {
    let word = word.to_string_lossy();
    !word.starts_with('-') || flag(command, &word).is_some()
}

fn flag<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.split('=').next().unwrap_or(word);
    let mut flags = command.get_arguments();
    flags.find(|arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        let short = arg.get_short().map(|short| format!("-{short}"));
        long.as_deref() == Some(name) || short.as_deref() == Some(name)
    })
}

fn takes_the_next(flag: &Arg, word: &str) -> bool {
    flag.get_action().takes_values() && !flag.is_require_equals_set() && !word.contains('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let words = behind_the_command(&crate::cli::help::command(), words);
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn flags_may_stand_before_the_command() {
        for (typed, meant) in [
            ("lockgate --quiet sync", "lockgate sync --quiet"),
            ("lockgate -q sync -n", "lockgate sync -n -q"),
            (
                "lockgate --output json runs last",
                "lockgate runs last --output json",
            ),
            ("lockgate --config sync sync", "lockgate sync --config sync"),
            (
                "lockgate --state=a.db why model:1",
                "lockgate why model:1 --state=a.db",
            ),
            ("lockgate --json why -- -x", "lockgate why --json -- -x"),
            (
                "lockgate --json runs replay last",
                "lockgate runs replay last --json",
            ),
        ] {
            assert_eq!(moved(typed), meant);
        }
    }

    #[test]
    fn what_makes_no_sense_stays_as_it_is() {
        for line in [
            "lockgate",
            "lockgate --help",
            "lockgate --quit sync",
            "lockgate x --quiet sync",
            "lockgate --quiet",
        ] {
            assert_eq!(moved(line), line);
        }
    }
}
