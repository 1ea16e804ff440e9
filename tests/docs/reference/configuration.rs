//! The keys of `lockgate.toml`, from the schema that the program prints and its table of keys.

use std::fmt::Write as _;

use lockgate::config::{CHOOSERS, KEYS, KeyInfo, schema};
use serde_json::Value;

/// The page.
pub(super) fn page() -> String {
    let schema = schema();
    let mut page = String::from(
        "# Configuration\n\n\
         Layers, the weakest first: defaults, a preset (`ci`, `gentle`), your own file (`lockgate/lockgate.toml` below\n\
         `$XDG_CONFIG_HOME` or `~/.config`), `lockgate.toml` in the working directory, `.env`, the environment, the command line.\n\
         `lockgate config` shows each value with the layer that it came from, `lockgate config --defaults` prints this page as a\n\
         file, and `lockgate config schema` prints a JSON schema for editors.\n\n\
         An unknown key is an error, with the nearest known one. A value that is set and empty is an error as well, wherever it\n\
         comes from (`--models \"$MODELS\"` with an unset variable, `models = []`), and so is an empty part of a list (`a,,b`): it\n\
         must not widen a scope to everything.\n\n",
    );
    for (flag, variable) in CHOOSERS {
        writeln!(
            page,
            "- `{flag}` (`{variable}`) chooses a layer and is not a key itself."
        )
        .unwrap();
    }
    let mut table = "";
    for info in KEYS {
        let (own, _) = info.key.split_once('.').unwrap_or(("", info.key));
        if own != table {
            table = own;
            write!(page, "\n## {table}\n").unwrap();
            if let Some(text) = schema["properties"][table]["description"].as_str() {
                write!(page, "\n{}\n", plain(text)).unwrap();
            }
        }
        page.push_str(&entry(info, &schema));
    }
    page
}

fn entry(info: &KeyInfo, schema: &Value) -> String {
    let path = info.key.replace('.', "/properties/");
    let property = schema.pointer(&format!("/properties/{path}")).unwrap();
    let mut facts = Vec::new();
    facts.extend(info.flag.map(|flag| format!("flag `{flag}`")));
    let variables = std::iter::once(info.variable).chain(info.official);
    let variables: Vec<String> = variables.map(|variable| format!("`{variable}`")).collect();
    facts.push(format!("environment {}", variables.join(", ")));
    facts.extend(
        property
            .get("default")
            .map(|value| format!("default `{value}`")),
    );
    if let Some(choices) = property.get("enum").and_then(Value::as_array) {
        let choices: Vec<String> = choices
            .iter()
            .filter_map(Value::as_str)
            .map(|one| format!("`{one}`"))
            .collect();
        facts.push(format!("one of {}", choices.join(", ")));
    }
    let text = plain(property["description"].as_str().unwrap());
    format!("\n### {}\n\n{text}\n\n{}.\n", info.key, facts.join("; "))
}

/// Text of a comment, of which nothing is a tag or emphasis.
fn plain(text: &str) -> String {
    text.replace('*', "\\*").replace('<', "&lt;")
}
