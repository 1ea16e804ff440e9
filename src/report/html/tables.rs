//! Failures, differences and slow uploads.

use std::time::Duration;

use maud::{Markup, html};

use super::parts::{card, percent, table};
use super::timeline::tone;
use crate::domain::Outcome;
use crate::progress::{History, Progress, Trouble};
use crate::report::advice::{self, CauseSummary};
use crate::report::text::{clean, clock, count, counted, took};

/// What failed, grouped by cause, then one by one with a search.
pub(super) fn failures(progress: &Progress, history: &History) -> Markup {
    if history.troubles().is_empty() {
        return Markup::default();
    }
    let causes = advice::failures(progress);
    // What failed comes before what it blocked: on paper there is room for the first of them only.
    let is_blocked = |trouble: &&Trouble| matches!(trouble.outcome, Outcome::Blocked { .. });
    let (blocked, others): (Vec<&Trouble>, Vec<_>) =
        history.troubles().iter().partition(is_blocked);
    let head =
        html! { th { "outcome" } th { "entity" } th { "name" } th { "why" } th.number { "at" } };
    let rows =
        html! { @for trouble in others.into_iter().chain(blocked) { (trouble_row(trouble)) "\n" } };
    let what = "by name, key, outcome or reason";
    let body = html! {
        @if !causes.is_empty() { h3 { "Failures by cause" } "\n" (describe(&causes)) }
        h3 { "Failed, blocked and conflicting entities" }
        "\n"
        (table("scroll", "troubles", what, &head, &rows))
        @if history.troubles_left_out() > 0 {
            p.soft.small { (count(history.troubles_left_out())) " more are in events.ndjson." } "\n"
        }
    };
    card("Failures and conflicts", "", &body)
}

/// What was saved and not published, grouped by cause, with the server's words.
pub(super) fn unpublished(progress: &Progress) -> Markup {
    card(
        "Saved and not published",
        "",
        &describe(&advice::unpublished(progress)),
    )
}

fn describe(causes: &[CauseSummary<'_>]) -> Markup {
    html! {
        @for told in causes {
            @let example = &told.cause.examples[0];
            div.cause {
                p { b { (told.count()) } ": " (told.title) }
                ul {
                    li { span.key { (example.key.to_string()) } " " (clean(&example.name)) ": " (clean(&example.reason)) }
                    @if let Some(more) = told.more() { li { (more) } }
                }
                p.next.small { (told.next) ". " span.soft { (told.code) } }
            }
            "\n"
        }
    }
}

fn trouble_row(trouble: &Trouble) -> Markup {
    let name = trouble.outcome.name();
    let why = match &trouble.outcome {
        Outcome::Failed { reason } | Outcome::Kept { reason } => clean(reason),
        Outcome::Blocked { by } => format!("needs {by}, which failed"),
        Outcome::Created
        | Outcome::Adopted
        | Outcome::Updated
        | Outcome::Unchanged
        | Outcome::LeftAlone
        | Outcome::Conflict
        | Outcome::OutOfScope
        | Outcome::Deleted
        | Outcome::Restored => clean(&trouble.because),
    };
    html! {
        tr {
            td { span.tag.(name) { (name) } }
            td.key { (trouble.key.to_string()) }
            td.text { (clean(&trouble.name)) }
            td.said { (why) }
            td.number { (clock(Duration::from_millis(trouble.at_ms))) }
        }
    }
}

/// The comparison of the target with the source.
pub(super) fn verification(progress: &Progress) -> Markup {
    let Some(found) = progress.verification() else {
        let body = html! { p { "Verification was skipped." } "\n" };
        return card("Verification", "", &body);
    };
    let (class, sign) = match (found.finished, found.differences) {
        (true, 0) => ("agreed", "✓ in sync"),
        (true, _) => ("failed", "✕ differences"),
        (false, _) => ("conflict", "! unfinished"),
    };
    let differences = progress.differences();
    let head = html! { th { "difference" } th { "entity" } th { "detail" } };
    let rows = html! {
        @for one in differences {
            tr {
                td { span.tag.failed { (clean(&one.difference)) } }
                td.key { (one.key.to_string()) }
                td.said { (clean(&one.detail)) }
            }
            "\n"
        }
    };
    let body = html! {
        p {
            span.tag.(class) { (sign) } " " (count(found.checked)) " of " (count(found.total))
            " entities read back from the target and compared with the source, "
            (counted(found.differences, "difference")) "."
        }
        "\n"
        @if !differences.is_empty() { (table("scroll", "differences", "differences", &head, &rows)) }
    };
    card("Verification", "", &body)
}

/// The uploads that took longest.
pub(super) fn slowest(history: &History) -> Markup {
    let Some(longest) = history.slowest().first().map(|slow| slow.took_ms) else {
        return Markup::default();
    };
    let head = html! {
        th.number { "took" } th {} th { "entity" } th { "name" } th { "outcome" } th.number { "started" }
    };
    let rows = html! {
        @for slow in history.slowest() {
            tr {
                td.number { (took(Duration::from_millis(slow.took_ms))) }
                td style="width:16%" {
                    div.meter.(tone(slow.lane)) title={ "lane " (slow.lane as usize + 1) } {
                        i style={ "width:" (percent(slow.took_ms, longest)) } {}
                    }
                }
                td.key { (slow.key.to_string()) }
                td.text { (clean(&slow.name)) }
                td { (slow.outcome) }
                td.number { (clock(Duration::from_millis(slow.from_ms))) }
            }
            "\n"
        }
    };
    let body = table("scroll", "slowest", "the slowest uploads", &head, &rows);
    let explanation =
        "From first request to recorded result. Items in one batch share its duration.";
    card("Slowest uploads", explanation, &body)
}
