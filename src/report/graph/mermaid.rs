//! The graph as Mermaid, which many wikis and trackers draw.

use super::view::View;
use crate::domain::shown;

/// A flow chart. Boxes in cycles and needs that are cut are marked.
pub fn mermaid(view: &View) -> String {
    let mut text = String::from("flowchart RL\n");
    for (at, node) in view.nodes.iter().enumerate() {
        let class = if node.in_cycle > 0 { ":::cycle" } else { "" };
        append!(
            text,
            "  n{at}[\"{}<br/>{}\"]{class}\n",
            escape(&node.name),
            escape(&node.detail())
        );
    }
    for edge in &view.edges {
        let (from, to) = (edge.from, edge.to);
        let line = match (edge.cut, edge.needs) {
            (0, 1) if edge.is_reference => format!("  n{from} --> n{to}\n"),
            (0, _) if !edge.is_reference => format!("  n{from} -.-> n{to}\n"),
            (0, needs) => format!("  n{from} -->|{needs}| n{to}\n"),
            (1, 1) => format!("  n{from} -. cut .-> n{to}\n"),
            (cut, needs) => format!("  n{from} -. {cut} of {needs} cut .-> n{to}\n"),
        };
        text += &line;
    }
    text + "  classDef cycle stroke:#c22a2a,stroke-width:2px\n"
}

/// Text in quotes, where Mermaid takes entities in place of characters that mean something to it. Directives, `%%{init: …}%%`,
/// are taken out of a text before quotes are looked for, so that `%`, `{` and `}` are entities as well.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in shown(text).chars() {
        match char {
            '"' => safe.push_str("#quot;"),
            '<' => safe.push_str("#lt;"),
            '>' => safe.push_str("#gt;"),
            '&' => safe.push_str("#amp;"),
            '#' => safe.push_str("#35;"),
            '%' => safe.push_str("#37;"),
            '{' => safe.push_str("#123;"),
            '}' => safe.push_str("#125;"),
            '`' => safe.push_str("#96;"),
            '\\' => safe.push_str("#92;"),
            char => safe.push(char),
        }
    }
    safe
}
