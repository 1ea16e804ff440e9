//! The graph as one self-contained page.

use super::picture;
use super::view::{Ring, View};
use crate::report::html::parts::{card, escape, page as html_page, search};
use crate::report::text::{count, counted};

/// Cycles that are listed.
const RINGS: usize = 200;

/// Members of a cycle that are named.
const MEMBERS: usize = 12;

/// The page. The view must not have more boxes than [`super::DRAWABLE`].
pub fn page(view: &View) -> String {
    let boxes = u32::try_from(view.nodes.len()).unwrap_or(u32::MAX);
    let needs: u32 = view.edges.iter().map(|edge| edge.needs).sum();
    let cycles = u32::try_from(view.cycles.len()).unwrap_or(u32::MAX);
    let mut body = format!(
        "<header class=\"top\"><div><div class=\"brand\">Lockgate dependency graph</div><h1>{}</h1>\
         <p class=\"soft small\">{}, {}, {}. Dependencies are to the left of their dependents.</p></div></header>\n",
        escape(&view.title),
        counted(boxes, "box").replace("boxs", "boxes"),
        counted(needs, "need"),
        counted(cycles, "cycle"),
    );
    if let Some(left_out) = &view.left_out {
        append!(
            body,
            "<p><span class=\"tag conflict\">!</span> {}</p>\n",
            escape(left_out)
        );
    }
    body += LEGEND;
    append!(
        body,
        "<div class=\"find\"><input type=\"search\" id=\"find-node\" placeholder=\"Find by name, key or action\" \
         aria-label=\"Find in the graph\"></div>\n<div class=\"canvas\">\n{}</div>\n",
        picture::svg(view)
    );
    body += &rings(&view.cycles);
    let title = format!("Dependency graph: {}", view.title);
    html_page(
        &title,
        include_str!("style.css"),
        &body,
        include_str!("graph.js"),
    )
}

const LEGEND: &str = "<p class=\"legend\"><span><i class=\"o-lane1\"></i>models, containers, templates, redirections</span>\
    <span><i class=\"o-lane2\"></i>content</span><span><i class=\"o-lane3\"></i>galleries, assets, pages</span>\
    <span>↻ stands in a cycle of references</span><span>red dashes: left out at first, patched in afterwards</span>\
    <span>dots: order of siblings</span></p>\n";

fn rings(cycles: &[Ring]) -> String {
    if cycles.is_empty() {
        return String::new();
    }
    let mut body = search("cycles", "cycles");
    body += "<div class=\"scroll\"><table id=\"cycles\"><thead><tr><th class=\"number\">entities</th><th>members</th>\
             <th>cut: left out at first</th></tr></thead><tbody>\n";
    for ring in cycles.iter().take(RINGS) {
        let cut: Vec<String> = ring
            .cut
            .iter()
            .map(|(who, on)| format!("{who} → {on}"))
            .collect();
        let cut = if ring.closed {
            "<span class=\"tag failed\">cannot be opened</span>".to_owned()
        } else {
            named(&cut)
        };
        append!(
            body,
            "<tr><td class=\"number\">{}</td><td class=\"said\">{}</td><td class=\"said\">{cut}</td></tr>\n",
            count(u64::try_from(ring.members.len()).unwrap_or(u64::MAX)),
            named(&ring.members)
        );
    }
    body += "</tbody></table></div>\n";
    if cycles.len() > RINGS {
        append!(
            body,
            "<p class=\"soft small\">and {} more</p>\n",
            cycles.len() - RINGS
        );
    }
    card("Cycles of references", "", &body)
}

fn named(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MEMBERS)
        .map(|name| format!("<span class=\"key\">{}</span>", escape(name)))
        .collect();
    let more = if names.len() > MEMBERS {
        format!(" and {} more", names.len() - MEMBERS)
    } else {
        String::new()
    };
    shown.join(", ") + &more
}
