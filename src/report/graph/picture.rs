//! The graph as a picture.

use super::layout::{columns, number};
use super::view::{Edge, GraphBox, View};
use crate::domain::Kind;
use crate::report::html::parts::escape;
use crate::report::text::short;

/// Boxes that a picture can have; more could neither be laid out in time nor be read.
pub const DRAWABLE: usize = 1_500;

const BOX: (f64, f64) = (206.0, 42.0);
const GAP: (f64, f64) = (104.0, 14.0);
const RIM: f64 = 14.0;

/// An SVG element of fixed size.
pub(super) fn svg(view: &View) -> String {
    let columns = columns(view);
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let pitch = (BOX.0 + GAP.0, BOX.1 + GAP.1);
    let height = number(tallest) * pitch.1 - GAP.1 + 2.0 * RIM;
    let width = number(columns.len()) * pitch.0 - GAP.0 + 2.0 * RIM;
    let mut places = vec![(0.0, 0.0); view.nodes.len()];
    for (column, nodes) in columns.iter().enumerate() {
        let free = number(tallest - nodes.len()) * pitch.1;
        for (at, node) in nodes.iter().enumerate() {
            let y = RIM + free / 2.0 + number(at) * pitch.1;
            places[*node] = (RIM + number(column) * pitch.0, y);
        }
    }
    let edges: String = view.edges.iter().map(|edge| line(edge, &places)).collect();
    let nodes = view.nodes.iter().zip(&places).enumerate();
    let nodes: String = nodes
        .map(|(at, (node, place))| rect(at, node, *place))
        .collect();
    let title = escape(&view.title);
    format!(
        "<svg class=\"graph\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"Dependency graph, {title}\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8Z\" class=\"tip\"/></marker></defs>\n\
         {edges}{nodes}</svg>\n"
    )
}

/// The class that gives a kind its colour: that of the lane that most of it goes through.
const fn tone(kind: Kind) -> &'static str {
    match kind {
        Kind::Model | Kind::Container | Kind::Template | Kind::Redirection => "l1",
        Kind::Content => "l2",
        Kind::Gallery | Kind::Asset | Kind::Page => "l3",
    }
}

fn rect(at: usize, node: &GraphBox, (x, y): (f64, f64)) -> String {
    let cycle = if node.in_cycle > 0 { " cycle" } else { "" };
    let center = if node.is_center { " center" } else { "" };
    let sign = if node.in_cycle > 0 { "↻ " } else { "" };
    let (width, height) = BOX;
    format!(
        "<g class=\"node {}{cycle}{center}\" data-node=\"{at}\" transform=\"translate({x:.0} {y:.0})\" tabindex=\"0\"><title>{}\n{}</title>\
         <rect class=\"body\" width=\"{width}\" height=\"{height}\" rx=\"7\"/><rect class=\"side\" width=\"5\" height=\"{height}\" rx=\"2.5\"/>\
         <text x=\"14\" y=\"17.5\" class=\"name\">{sign}{}</text><text x=\"14\" y=\"33\" class=\"detail\">{}</text></g>\n",
        tone(node.kind),
        escape(&node.name),
        escape(&node.detail()),
        escape(&short(&node.name, 27)),
        escape(&short(&node.detail(), 33)),
    )
}

fn line(edge: &Edge, places: &[(f64, f64)]) -> String {
    let (from, to) = (places[edge.from], places[edge.to]);
    let middle = BOX.1 / 2.0;
    let path = if edge.from == edge.to {
        let (x, y) = (from.0 + BOX.0 - 30.0, from.1);
        format!("M{x:.0} {y:.0}c-6 -16 26 -16 20 0")
    } else if from.0 > to.0 {
        let (x1, y1, x2, y2) = (from.0, from.1 + middle, to.0 + BOX.0 + 2.0, to.1 + middle);
        let bend = ((x1 - x2) / 2.0).max(30.0);
        format!(
            "M{x1:.0} {y1:.0}C{:.0} {y1:.0} {:.0} {y2:.0} {x2:.0} {y2:.0}",
            x1 - bend,
            x2 + bend
        )
    } else {
        // Against the order, as references in cycles are: around the right side.
        let (x1, y1, x2, y2) = (
            from.0 + BOX.0,
            from.1 + middle,
            to.0 + BOX.0 + 2.0,
            to.1 + middle,
        );
        let bend = x1.max(x2) + 60.0;
        format!("M{x1:.0} {y1:.0}C{bend:.0} {y1:.0} {bend:.0} {y2:.0} {x2:.0} {y2:.0}")
    };
    // What several columns lie between is mostly shown by the boxes in between, too.
    let is_far = (from.0 - to.0).abs() > 1.5 * (BOX.0 + GAP.0);
    let class = match (edge.cut, edge.is_reference) {
        (0, true) if is_far => "edge far",
        (0, true) => "edge",
        (0, false) => "edge order",
        (_, _) => "edge cut",
    };
    let tip = if edge.from == edge.to {
        ""
    } else {
        " marker-end=\"url(#tip)\""
    };
    let title = match (edge.cut, edge.needs) {
        (0, 1) if edge.is_reference => "1 reference".to_owned(),
        (0, _) if !edge.is_reference => "order of siblings".to_owned(),
        (0, needs) => format!("{needs} needs"),
        (cut, needs) => {
            format!("{needs} needs, {cut} cut: left out at first, patched in afterwards")
        }
    };
    format!(
        "<path class=\"{class}\" data-from=\"{}\" data-to=\"{}\" d=\"{path}\"{tip}><title>{title}</title></path>\n",
        edge.from, edge.to
    )
}

/// The picture as a file of its own, which brings its colours for light and dark.
pub fn svg_file(view: &View) -> String {
    let colours = crate::report::html::parts::colours();
    let style = include_str!("style.css");
    svg(view)
        .replacen(
            "<svg class",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" class",
            1,
        )
        .replacen(
            "<defs>",
            &format!("<style>{colours}{style}</style>\n<defs>"),
            1,
        )
}
