//! The graph as a picture.

use maud::{Markup, PreEscaped, html};

use super::layout::{columns, number};
use super::view::{Edge, GraphBox, View};
use crate::domain::Kind;
use crate::report::html::parts::{colours, harmless};
use crate::report::text::short;

/// Boxes that a picture can have; more could neither be laid out in time nor be read.
pub const DRAWABLE: usize = 1_500;

const BOX: (f64, f64) = (206.0, 42.0);
const GAP: (f64, f64) = (104.0, 14.0);
const RIM: f64 = 14.0;

/// An SVG element of fixed size; with a style when it is a file of its own.
pub(super) fn svg(view: &View, style: Option<&str>) -> Markup {
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
    let (width, height) = (format!("{width:.0}"), format!("{height:.0}"));
    let own = style.is_some();
    html! {
        svg.graph xmlns=[own.then_some("http://www.w3.org/2000/svg")] font-family=[own.then_some("sans-serif")]
            width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) }
            role="img" aria-label={ "Dependency graph, " (view.title) } {
            "\n"
            @if let Some(style) = style { style { (PreEscaped(style)) } "\n" }
            defs {
                marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse" {
                    path.tip d="M0 0L8 4L0 8Z" {}
                }
            }
            "\n"
            @for edge in &view.edges { (line(edge, &places)) "\n" }
            @for (at, (node, place)) in view.nodes.iter().zip(&places).enumerate() { (rect(at, node, *place)) "\n" }
        }
        "\n"
    }
}

/// The class that gives a kind its colour: that of the lane that most of it goes through.
const fn tone(kind: Kind) -> &'static str {
    match kind {
        Kind::Model | Kind::Container | Kind::Template | Kind::Redirection => "l1",
        Kind::Content => "l2",
        Kind::Gallery | Kind::Asset | Kind::Page => "l3",
    }
}

fn rect(at: usize, node: &GraphBox, (x, y): (f64, f64)) -> Markup {
    let (width, height) = BOX;
    let (name, detail) = (&node.name, node.detail());
    let in_cycle = node.in_cycle > 0;
    html! {
        g.node.(tone(node.kind)).cycle[in_cycle].center[node.is_center] data-node=(at)
            transform=(format!("translate({x:.0} {y:.0})")) tabindex="0" {
            title { (name) "\n" (detail) }
            rect.body width=(width) height=(height) rx="7" {}
            rect.side width="5" height=(height) rx="2.5" {}
            text.name x="14" y="17.5" { @if in_cycle { "↻ " } (short(name, 27)) }
            text.detail x="14" y="33" { (short(&detail, 33)) }
        }
    }
}

fn line(edge: &Edge, places: &[(f64, f64)]) -> Markup {
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
    let title = match (edge.cut, edge.needs) {
        (0, 1) if edge.is_reference => "1 reference".to_owned(),
        (0, _) if !edge.is_reference => "order of siblings".to_owned(),
        (0, needs) => format!("{needs} needs"),
        (cut, needs) => {
            format!("{needs} needs, {cut} cut: left out at first, patched in afterwards")
        }
    };
    let tip = (edge.from != edge.to).then_some("url(#tip)");
    html! {
        path class=(class) data-from=(edge.from) data-to=(edge.to) d=(path) marker-end=[tip] { title { (title) } }
    }
}

/// The picture as a file of its own, which brings its colours for light and dark.
pub fn svg_file(view: &View) -> String {
    let style = format!("{}{}", colours(), include_str!("style.css"));
    harmless(svg(view, Some(&style))).into_string()
}
