//! Completes the help: behind every flag stand its default and its variables, from the same table that the
//! configuration goes by, so that help and behaviour cannot drift apart.

use clap::{Arg, Command, CommandFactory};

use super::Arguments;
use crate::config::{CHOOSERS, KEYS, KeyInfo};

/// The command tree with complete help.
pub fn command() -> Command {
    Arguments::command().mut_subcommands(|command| match command.get_name() {
        // The mock's flags are its own and have no keys.
        "mock" => command,
        _ => command.mut_args(complete),
    })
}

fn complete(arg: Arg) -> Arg {
    let Some(flag) = arg.get_long().map(|name| format!("--{name}")) else {
        return arg;
    };
    let chooser = CHOOSERS.iter().find(|(name, _)| *name == flag);
    let suffix = match (KEYS.iter().find(|info| info.flag == Some(&flag)), chooser) {
        (Some(info), _) => about_key(info),
        (None, Some((_, variable))) => format!(" [env: {variable}]"),
        (None, None) => return arg,
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    arg.help(help + &suffix)
}

fn about_key(info: &KeyInfo) -> String {
    let default = info
        .default_text()
        .map(|text| format!(" [default: {text}]"))
        .unwrap_or_default();
    let variables = match info.official {
        Some(official) => format!("{}, {official}", info.variable),
        None => info.variable.to_owned(),
    };
    let off = if info.flag.is_some_and(|flag| flag.starts_with("--no-")) {
        "=false"
    } else {
        ""
    };
    format!("{default} [env: {variables}{off}]")
}
