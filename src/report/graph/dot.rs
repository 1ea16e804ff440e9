//! The graph in the language of Graphviz.

use super::view::{Edge, View};
use crate::domain::shown_lines;

/// A `digraph`. Boxes in cycles have a red border, needs that are cut are dashed and red.
pub fn dot(view: &View) -> String {
    let mut text = String::from("digraph lockgate {\n");
    append!(text, "  label={};\n", quote(&view.title));
    text += "  rankdir=RL;\n  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=11];\n  edge [color=\"#7b8496\"];\n";
    for (at, node) in view.nodes.iter().enumerate() {
        let label = format!("{}\n{}", node.name, node.detail());
        let cycle = if node.in_cycle > 0 {
            ", color=\"#c22a2a\""
        } else {
            ""
        };
        let center = if node.is_center { ", penwidth=3" } else { "" };
        append!(text, "  n{at} [label={}{cycle}{center}];\n", quote(&label));
    }
    for edge in &view.edges {
        append!(
            text,
            "  n{} -> n{}{};\n",
            edge.from,
            edge.to,
            attributes(edge)
        );
    }
    text + "}\n"
}

fn attributes(edge: &Edge) -> String {
    if edge.cut > 0 {
        let label = if edge.needs == 1 {
            "cut".to_owned()
        } else {
            format!("{} of {} cut", edge.cut, edge.needs)
        };
        return format!(" [label=\"{label}\", style=dashed, color=\"#c22a2a\"]");
    }
    let style = if edge.is_reference {
        ""
    } else {
        ", style=dotted"
    };
    if edge.needs > 1 {
        format!(" [label=\"{}\"{style}]", edge.needs)
    } else if style.is_empty() {
        String::new()
    } else {
        " [style=dotted]".to_owned()
    }
}

/// A quoted string (Graphviz, "The DOT Language": only the quote needs an escape, and a backslash would begin one).
fn quote(text: &str) -> String {
    let text = shown_lines(text).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}
