//! `report.html`: the outcome of a run.

use maud::{Markup, html};

use super::parts::{card, page, pair, percent, top};
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
    let body = html! {
        (head(progress))
        (tiles(progress))
        (tables::failures(progress, history))
        (tables::unpublished(progress))
        (warnings(progress))
        (tables::verification(progress))
        (timeline::timeline(progress, history))
        (levels(progress))
        (tables::slowest(history))
        (outcomes(progress))
        (foot(progress))
    };
    page(&title, "", body, "")
}

fn head(progress: &Progress) -> Markup {
    let (class, sign, words) = verdict(progress);
    let pill = html! { div.pill.(class) { span aria-hidden="true" { (sign) } (words) } };
    let Some(run) = progress.run() else {
        let facts = html! { p.soft.small { "The run failed before planning." } };
        return top("Lockgate report", "Migration", facts, pill);
    };
    let facts = html! {
        p.soft.small {
            "Run " code { (run.id.0) } " · started " (start(&run.started_at))
            @if run.dry_run { " · " b { "dry run: nothing was written to the target" } }
        }
    };
    let pair = pair(run.source.as_str(), run.target.as_str());
    top("Lockgate report", pair, facts, pill)
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

fn tiles(progress: &Progress) -> Markup {
    let tile = |class: &str, value: &str, name: &str| html! { div.tile.(class) { b { (value) } span { (name) } } };
    let now_ms = progress.last_at_ms();
    let total = progress.total();
    let standing = progress.standing();
    let troubles = [
        ("bad", total.failed(), "failed"),
        ("bad", total.blocked(), "blocked by those"),
        ("warn", total.conflicts(), "conflicts skipped"),
        ("warn", standing.left_alone, "changed on the target only"),
        ("bad", standing.owed, "different"),
        ("warn", standing.not_verified, "not verified"),
    ];
    let verification = progress.verification().map(|found| {
        let (class, name) = match found.differences {
            0 => ("good", "differences"),
            1 => ("bad", "difference"),
            _ => ("bad", "differences"),
        };
        let name = format!("{name} in {} verified", count(found.checked));
        tile(class, &count(found.differences), &name)
    });
    html! {
        div.tiles {
            (tile("", &count(total.total()), "entities"))
            @if let Some(rate) = standing.rate() {
                (tile(if rate >= 1.0 { "good" } else { "" }, &share(rate), "in sync"))
            }
            @for (class, number, name) in troubles {
                @if number > 0 { (tile(class, &count(number), name)) }
            }
            @if let Some(tile) = verification { (tile) }
            (tile("", &took(progress.elapsed(now_ms)), "elapsed"))
            @if let Some(rate) = progress.average_per_second(now_ms) {
                (tile("", &text::rate(rate), "uploads per second"))
            }
            (tile("", &count(progress.requests()), "requests to the target"))
            (tile("", &bytes(progress.uploads().bytes), "sent"))
        }
        "\n"
        (stack(&total))
    }
}

/// The outcomes as one bar with its legend.
fn stack(total: &Tally) -> Markup {
    let outcomes = || total.iter().filter(|(_, number)| *number > 0);
    html! {
        @if total.total() > 0 {
            div.stack {
                @for (name, number) in outcomes() {
                    @let width = percent(number.into(), total.total().into());
                    i class={ "o-" (name) } style={ "width:" (width) } title={ (name) ": " (count(number)) } {}
                }
            }
            div.legend {
                @for (name, number) in outcomes() { span { i class={ "o-" (name) } {} (count(number)) " " (name) } }
            }
            "\n"
        }
    }
}

fn warnings(progress: &Progress) -> Markup {
    let warnings = progress.warnings();
    let list = html! {
        @if !warnings.is_empty() { ul { @for warning in warnings { li { (text::clean(warning)) } } } "\n" }
    };
    card("Warnings", "", &list)
}

/// How much content each dependency level holds, and when it was complete.
fn levels(progress: &Progress) -> Markup {
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
    let Some(most) = levels.iter().map(|(_, gate)| gate.plan.entities).max() else {
        return Markup::default();
    };
    let when = |state: &GateState| match state {
        GateState::Closed { .. } => "never complete".to_owned(),
        GateState::Open { at_ms, .. } => format!("complete after {}", after(*at_ms)),
        GateState::Failed { at_ms, .. } => format!("failed after {}", after(*at_ms)),
    };
    let body = html! {
        div.levels.l2 {
            "\n"
            @for (level, gate) in &levels {
                span { "level " (level) }
                div.meter { i style={ "width:" (percent(gate.plan.entities.into(), most.into())) } {} }
                span.number { (counted(gate.plan.entities, "item")) }
                span.soft.when { (when(&gate.state)) }
                "\n"
            }
        }
        "\n"
        @if let Some(planned) = progress.planned().filter(|planned| planned.cycles > 0) {
            p.soft.small style="margin:12px 0 0" {
                (counted(planned.cycles, "cycle")) " of references, opened by leaving out "
                (counted(planned.cuts, "reference")) " at first and patching "
                @if planned.cuts == 1 { "it in" } @else { "them in" } " afterwards."
            }
            "\n"
        }
    };
    let explanation = "Level 0 items have no dependencies on new items; each further level depends on the previous one.";
    card("Dependency levels of content", explanation, &body)
}

fn after(ms: u64) -> String {
    took(std::time::Duration::from_millis(ms))
}

/// The final table: a row for each kind, a column for each outcome.
fn outcomes(progress: &Progress) -> Markup {
    let Some(results) = Results::of(progress) else {
        return Markup::default();
    };
    let body = html! {
        div.wide {
            table {
                thead {
                    tr {
                        th { "kind" }
                        @for name in results.columns.iter().copied().chain(["success"]) { th.number { (name) } }
                    }
                }
                tbody {
                    "\n"
                    @for row in &results.kinds { tr { (outcome_cells(row)) } "\n" }
                    tr.sum { (outcome_cells(&results.all)) }
                    "\n"
                }
            }
        }
        "\n"
    };
    card("Results by entity type", "", &body)
}

fn outcome_cells(row: &table::Row) -> Markup {
    html! {
        td { (row.name) }
        @for number in &row.counts { td.number.zero[*number == 0] { (count(*number)) } }
        td.number { (row.standing.rate().map_or_else(|| "–".to_owned(), share)) }
    }
}

fn foot(progress: &Progress) -> Markup {
    html! {
        footer {
            (count(progress.requests())) " requests, " (count(progress.refused())) " refused, "
            (count(progress.retries())) " sent again; rate limited " (counted(progress.throttlings(), "time"))
            "; paused " (took(progress.paused(progress.last_at_ms()))) "; "
            (counted(progress.batches_finished(), "batch").replace("batchs", "batches")) " processed, "
            (count(progress.batches_split())) " split; " (counted(progress.patched(), "item"))
            " patched. Beside this page: summary.json, report.md, events.ndjson, plan.json, graph.json. Written by lockgate "
            (env!("CARGO_PKG_VERSION")) "."
        }
        "\n"
    }
}
