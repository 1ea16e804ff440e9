//! The pipelines in `docs/ci` and the workflow of a release: they parse, and the commands in them work.

use std::fs;

use saphyr::{LoadableYamlNode, Yaml};

use crate::pages::{files, root};
use crate::shell::{self, Stage};

/// Keys under which the systems keep the text of a shell.
const SCRIPTS: [&str; 5] = ["run", "script", "before_script", "after_script", "bash"];

/// Adds the scripts of a document, in its order.
fn scripts(node: &Yaml<'_>, into: &mut Vec<String>) {
    if let Some(members) = node.as_mapping() {
        for (key, value) in members {
            if key.as_str().is_some_and(|key| SCRIPTS.contains(&key)) {
                into.extend(text(value));
            } else {
                scripts(value, into);
            }
        }
    } else if let Some(parts) = node.as_sequence() {
        for part in parts {
            scripts(part, into);
        }
    }
}

/// A script is a text, or a list of lines.
fn text(node: &Yaml<'_>) -> Option<String> {
    if let Some(text) = node.as_str() {
        return Some(text.to_owned());
    }
    let lines: Option<Vec<&str>> = node.as_sequence()?.iter().map(Yaml::as_str).collect();
    Some(lines?.join("\n"))
}

fn scripts_of(path: &std::path::Path) -> Vec<String> {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let mut found = Vec::new();
    for document in Yaml::load_from_str(&text).unwrap() {
        scripts(&document, &mut found);
    }
    found
}

fn pipelines() -> Vec<std::path::PathBuf> {
    let is_yaml =
        |path: &std::path::PathBuf| path.extension().is_some_and(|ending| ending == "yml");
    let all = files("docs/ci")
        .into_iter()
        .chain(files(".github/workflows"));
    let found: Vec<_> = all.filter(is_yaml).collect();
    assert!(found.len() >= 4, "{found:?}");
    found
}

#[test]
fn every_command_of_a_pipeline_is_accepted() {
    for path in pipelines() {
        let calls: Vec<_> = scripts_of(&path)
            .iter()
            .flat_map(|script| shell::calls(script))
            .collect();
        assert!(!calls.is_empty(), "{} calls nothing", path.display());
        for words in calls {
            assert!(shell::is_accepted(&words), "{}: {words:?}", path.display());
        }
    }
}

/// The steps of a pipeline that call the program, in their order: a plan, its application, and nothing left to do.
#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_every_pipeline_plan_and_apply() {
    let kits = pipelines()
        .into_iter()
        .filter(|path| path.starts_with("docs/ci"));
    for path in kits {
        let stage = Stage::new().await;
        let settings = "[source]\nguid = \"1a2b3c4d-u\"\n[target]\nguid = \"5e6f7a8b-u\"\n";
        fs::write(stage.path().join("lockgate.toml"), settings).unwrap();
        let steps = scripts_of(&path).into_iter();
        let mut applied = 0;
        for script in steps.filter(|script| !shell::calls(script).is_empty()) {
            let ended = stage.run(&script).await;
            assert_eq!(
                ended.code,
                Some(0),
                "{}: {script}\n{}",
                path.display(),
                ended.said
            );
            applied += usize::from(script.contains("lockgate apply"));
        }
        assert!(applied > 0, "{} applies nothing", path.display());
        let left = stage.run("lockgate plan --detailed-exitcode").await;
        assert_eq!(left.code, Some(0), "{}: {}", path.display(), left.said);
        stage.end().await;
    }
}
