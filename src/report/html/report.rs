//! `report.html`: the outcome of a run.

use super::parts::{card, escape, page, percent};
use super::{tables, timeline};
use crate::event::Gate;
use crate::progress::{GateState, History, Progress, Tally};
use crate::report::closing;
use crate::report::table::{self, Results};
use crate::report::text::{self, bytes, count, counted, share, took};

/// The page of a run that is over.
pub(crate) fn report(progress: &Progress, history: &History) -> String {
    let title = progress.run().map_or_else(
        || "Migration".to_owned(),
        |run| format!("Migration of {} to {}", run.source, run.target),
    );
    let body = [
        head(progress),
        tiles(progress),
        tables::failures(progress, history),
        tables::unpublished(progress),
        warnings(progress),
        tables::verification(progress),
        timeline::timeline(progress, history),
        levels(progress),
        tables::slowest(history),
        outcomes(progress),
        foot(progress),
    ]
    .concat();
    page(&title, "", &body, "")
}

fn head(progress: &Progress) -> String {
    let (title, facts) = progress.run().map_or_else(
        || {
            (
                "Migration".to_owned(),
                "The run failed before planning.".to_owned(),
            )
        },
        |run| {
            let title = format!(
                "{}<span class=\"arrow\">→</span>{}",
                escape(run.source.as_str()),
                escape(run.target.as_str())
            );
            let dry = if run.dry_run {
                " · <b>dry run: nothing was written to the target</b>"
            } else {
                ""
            };
            let facts = format!(
                "Run <code>{}</code> · started {}{dry}",
                escape(&run.id.0),
                escape(&start(&run.started_at))
            );
            (title, facts)
        },
    );
    let (class, sign, words) = verdict(progress);
    format!(
        "<header class=\"top\"><div><div class=\"brand\">Lockgate report</div><h1>{title}</h1>\
         <p class=\"soft small\">{facts}</p></div>\
         <div class=\"pill {class}\"><span aria-hidden=\"true\">{sign}</span>{words}</div></header>\n"
    )
}

/// The wall clock without fractions: `2026-07-31 10:15:00 UTC`.
pub(super) fn start(rfc3339: &str) -> String {
    let moment = rfc3339.parse::<jiff::Timestamp>();
    moment.map_or_else(
        |_| rfc3339.to_owned(),
        |moment| moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// Class, sign and words that show how a run ended.
fn verdict(progress: &Progress) -> (&'static str, char, String) {
    let words = |exit| upper(closing::end_words(progress.end(), exit));
    match progress.exit() {
        Some(0) if progress.standing().is_whole() => ("good", '✓', "All in sync".to_owned()),
        Some(0) => ("good", '✓', "Done".to_owned()),
        Some(exit @ (5 | 130)) => ("warn", '!', words(exit)),
        Some(exit) => ("bad", '✕', words(exit)),
        None => ("warn", '?', "Ended without a result".to_owned()),
    }
}

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

fn tiles(progress: &Progress) -> String {
    let now_ms = progress.last_at_ms();
    let total = progress.total();
    let mut tiles = String::from("<div class=\"tiles\">");
    let mut tile = |class: &str, value: &str, name: &str| {
        append!(
            tiles,
            "<div class=\"tile {class}\"><b>{value}</b><span>{name}</span></div>"
        );
    };
    tile("", &count(total.total()), "entities");
    let standing = progress.standing();
    if let Some(rate) = standing.rate() {
        let class = if rate >= 1.0 { "good" } else { "" };
        tile(class, &share(rate), "in sync");
    }
    for (class, number, name) in [
        ("bad", total.failed(), "failed"),
        ("bad", total.blocked(), "blocked by those"),
        ("warn", total.conflicts(), "conflicts skipped"),
        ("warn", standing.left_alone, "changed on the target only"),
        ("bad", standing.owed, "different"),
        ("warn", standing.not_verified, "not verified"),
    ] {
        if number > 0 {
            tile(class, &count(number), name);
        }
    }
    if let Some(found) = progress.verification() {
        let class = if found.differences == 0 {
            "good"
        } else {
            "bad"
        };
        let name = if found.differences == 1 {
            "difference"
        } else {
            "differences"
        };
        tile(
            class,
            &count(found.differences),
            &format!("{name} in {} verified", count(found.checked)),
        );
    }
    tile("", &took(progress.elapsed(now_ms)), "elapsed");
    if let Some(rate) = progress.average_per_second(now_ms) {
        tile("", &text::rate(rate), "uploads per second");
    }
    tile("", &count(progress.requests()), "requests to the target");
    tile("", &bytes(progress.uploads().bytes), "sent");
    tiles + "</div>\n" + &stack(&total)
}

/// The outcomes as one bar with its legend.
fn stack(total: &Tally) -> String {
    if total.total() == 0 {
        return String::new();
    }
    let (mut bar, mut legend) = (String::new(), String::new());
    for (name, number) in total.iter().filter(|(_, number)| *number > 0) {
        let width = percent(number.into(), total.total().into());
        append!(
            bar,
            "<i class=\"o-{name}\" style=\"width:{width}\" title=\"{name}: {}\"></i>",
            count(number)
        );
        append!(
            legend,
            "<span><i class=\"o-{name}\"></i>{} {name}</span>",
            count(number)
        );
    }
    format!("<div class=\"stack\">{bar}</div><div class=\"legend\">{legend}</div>\n")
}

fn warnings(progress: &Progress) -> String {
    let mut list = String::new();
    for warning in progress.warnings() {
        append!(list, "<li>{}</li>", escape(&text::clean(warning)));
    }
    if list.is_empty() {
        return list;
    }
    card("Warnings", "", &format!("<ul>{list}</ul>\n"))
}

/// How much content each dependency level holds, and when it was complete.
fn levels(progress: &Progress) -> String {
    let levels: Vec<_> = progress
        .gates()
        .iter()
        .filter_map(|gate| match gate.plan.gate {
            Gate::ContentLevelComplete(level) => Some((level, gate)),
            Gate::ModelsComplete
            | Gate::TemplatesComplete
            | Gate::ContainersComplete
            | Gate::IndependentAssetsComplete
            | Gate::RedirectionsComplete
            | Gate::GalleriesComplete
            | Gate::GalleryAssetsComplete
            | Gate::ContentComplete
            | Gate::PagesComplete
            | Gate::AllEntitiesComplete => None,
        })
        .filter(|(_, gate)| gate.plan.entities > 0)
        .collect();
    let most = levels.iter().map(|(_, gate)| gate.plan.entities).max();
    let Some(most) = most else {
        return String::new();
    };
    let mut body = String::from("<div class=\"levels l2\">\n");
    for (level, gate) in levels {
        let width = percent(gate.plan.entities.into(), most.into());
        let when = match &gate.state {
            GateState::Closed { .. } => "never complete".to_owned(),
            GateState::Open { at_ms, .. } => format!("complete after {}", after(*at_ms)),
            GateState::Failed { at_ms, .. } => format!("failed after {}", after(*at_ms)),
        };
        append!(
            body,
            "<span>level {level}</span><div class=\"meter\"><i style=\"width:{width}\"></i></div>\
             <span class=\"number\">{}</span><span class=\"soft when\">{when}</span>\n",
            counted(gate.plan.entities, "item")
        );
    }
    body += "</div>\n";
    let cycles = progress.planned().map_or(0, |planned| planned.cycles);
    if let Some(planned) = progress.planned().filter(|_| cycles > 0) {
        append!(
            body,
            "<p class=\"soft small\" style=\"margin:12px 0 0\">{} of references, opened by leaving out {} at first and \
             patching {} afterwards.</p>\n",
            counted(planned.cycles, "cycle"),
            counted(planned.cuts, "reference"),
            if planned.cuts == 1 {
                "it in"
            } else {
                "them in"
            }
        );
    }
    let explanation = "Level 0 items have no dependencies on new items; each further level depends on the previous one.";
    card("Dependency levels of content", explanation, &body)
}

fn after(ms: u64) -> String {
    took(std::time::Duration::from_millis(ms))
}

/// The final table: a row for each kind, a column for each outcome.
fn outcomes(progress: &Progress) -> String {
    let Some(results) = Results::of(progress) else {
        return String::new();
    };
    let mut body = String::from("<div class=\"wide\"><table><thead><tr><th>kind</th>");
    for name in results.columns.iter().copied().chain(["success"]) {
        append!(body, "<th class=\"number\">{name}</th>");
    }
    body += "</tr></thead><tbody>\n";
    for row in &results.kinds {
        body += &outcome_row("", row);
    }
    body += &outcome_row(" class=\"sum\"", &results.all);
    body += "</tbody></table></div>\n";
    card("Results by entity type", "", &body)
}

fn outcome_row(class: &str, row: &table::Row) -> String {
    let mut text = format!("<tr{class}><td>{}</td>", row.name);
    for number in &row.counts {
        let class = if *number == 0 {
            "number zero"
        } else {
            "number"
        };
        append!(text, "<td class=\"{class}\">{}</td>", count(*number));
    }
    let success = row.standing.rate().map_or_else(|| "–".to_owned(), share);
    append!(text, "<td class=\"number\">{success}</td></tr>\n");
    text
}

fn foot(progress: &Progress) -> String {
    let sent = count(progress.requests());
    let (refused, again) = (count(progress.refused()), count(progress.retries()));
    let slow = counted(progress.throttlings(), "time");
    let paused = took(progress.paused(progress.last_at_ms()));
    format!(
        "<footer>{sent} requests, {refused} refused, {again} sent again; rate limited {slow}; paused {paused}; {} \
         worked off, {} split; {} patched. Beside this page: summary.json, report.md, events.ndjson, plan.json, \
         graph.json. Written by lockgate {}.</footer>\n",
        counted(progress.batches_finished(), "batch").replace("batchs", "batches"),
        count(progress.batches_split()),
        counted(progress.patched(), "item"),
        env!("CARGO_PKG_VERSION")
    )
}
