//! The graph as one self-contained page.

use maud::{Markup, html};

use super::picture;
use super::view::{Ring, View};
use crate::report::html::parts::{card, page as html_page, table, top};
use crate::report::text::{count_of, counted};

/// Cycles that are listed.
const RINGS: usize = 200;

/// Members of a cycle that are named.
const MEMBERS: usize = 12;

/// The page. The view must not have more boxes than [`super::DRAWABLE`].
pub fn page(view: &View) -> String {
    let boxes = u32::try_from(view.nodes.len()).unwrap_or(u32::MAX);
    let needs: u32 = view.edges.iter().map(|edge| edge.needs).sum();
    let cycles = u32::try_from(view.cycles.len()).unwrap_or(u32::MAX);
    let facts = html! {
        p.soft.small {
            (counted(boxes, "box").replace("boxs", "boxes")) ", " (counted(needs, "need")) ", "
            (counted(cycles, "cycle")) ". Dependencies are to the left of their dependents."
        }
    };
    let body = html! {
        (top("Lockgate dependency graph", &view.title, facts, ""))
        @if let Some(left_out) = &view.left_out { p { span.tag.conflict { "!" } " " (left_out) } "\n" }
        p.legend {
            span { i.o-lane1 {} "models, containers, templates, redirections" }
            span { i.o-lane2 {} "content" }
            span { i.o-lane3 {} "galleries, assets, pages" }
            span { "↻ stands in a cycle of references" }
            span { "red dashes: left out at first, patched in afterwards" }
            span { "dots: order of siblings" }
        }
        "\n"
        div.find {
            input type="search" id="find-node" placeholder="Find by name, key or action" aria-label="Find in the graph";
        }
        "\n"
        div.canvas { "\n" (picture::svg(view, None)) }
        "\n"
        (rings(&view.cycles))
    };
    let title = format!("Dependency graph: {}", view.title);
    html_page(
        &title,
        include_str!("style.css"),
        body,
        include_str!("graph.js"),
    )
}

fn rings(cycles: &[Ring]) -> Markup {
    if cycles.is_empty() {
        return Markup::default();
    }
    let head = html! { th.number { "entities" } th { "members" } th { "cut: left out at first" } };
    let rows = html! {
        @for ring in cycles.iter().take(RINGS) {
            tr {
                td.number { (count_of(ring.members.len())) }
                td.said { (named(ring.members.iter().cloned())) }
                td.said {
                    @if ring.closed {
                        span.tag.failed { "cannot be opened" }
                    } @else {
                        (named(ring.cut.iter().map(|(from, on)| format!("{from} → {on}"))))
                    }
                }
            }
            "\n"
        }
    };
    let body = html! {
        (table("scroll", "cycles", "cycles", &head, &rows))
        @if cycles.len() > RINGS { p.soft.small { "and " (cycles.len() - RINGS) " more" } "\n" }
    };
    card("Cycles of references", "", &body)
}

fn named(names: impl ExactSizeIterator<Item = String>) -> Markup {
    let more = names.len().saturating_sub(MEMBERS);
    html! {
        @for (at, name) in names.take(MEMBERS).enumerate() {
            @if at > 0 { ", " }
            span.key { (name) }
        }
        @if more > 0 { " and " (more) " more" }
    }
}
