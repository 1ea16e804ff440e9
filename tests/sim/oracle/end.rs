//! What holds when nothing goes wrong any more and nothing is left to do.

use std::collections::BTreeSet;

use lockgate::domain::{EntityKey, Id, Kind, Locale, Outcome};
use serde_json::Value;
use tokio::time::Instant;

use crate::accounts::{Ran, outcomes};
use crate::double::{Row, RowKey, World};
use crate::oracle::translate::{Pairs, bare, differences, disordered, entity_key};
use crate::stage::Stage;

/// What is wrong after the last run, which had nothing to write.
pub(crate) async fn at_the_end(stage: &Stage, ran: &Ran) -> Vec<String> {
    let mappings = stage.store.mappings(&Stage::pair()).await.unwrap();
    let pairs = Pairs::of(&mappings);
    let (source, mut target) = (stage.source.world(), stage.target.world());
    target.advance(Instant::now());
    let doubted: BTreeSet<&EntityKey> = ran.report.in_doubt.iter().map(|(key, _)| key).collect();
    let ended: std::collections::BTreeMap<_, _> = outcomes(ran).into_iter().collect();
    let mut problems = Vec::new();
    let touched = stage.touched.borrow();
    let refuses = stage.history.shape.refused > 0;
    // Without an agreement it cannot be told who changed what, and a crash may leave none.
    let may_conflict =
        stage.crashes.get() > 0 || stage.edits.get() > 0 || stage.takeovers.get() > 0;
    for (key, outcome) in &ended {
        if *outcome == Outcome::Conflict && !may_conflict {
            problems.push(format!("{key} is a conflict, and nobody edited anything"));
        }
    }
    // What is in doubt is told and left alone, and with it what needs it (section 3: dependants are blocked by root causes).
    let is_doubted = |key: &EntityKey| match ended.get(key) {
        Some(Outcome::Blocked { by }) => doubted.contains(by),
        Some(_) | None => doubted.contains(key),
    };
    for (key, detail) in differences(&source, &target, &pairs) {
        let there = pairs.get(key.kind, key.id.raw()).unwrap();
        let is_touched = touched
            .iter()
            .any(|row| row.0 == key.kind && row.1 == there);
        let is_conflict = ended.get(&key) == Some(&Outcome::Conflict);
        let is_excused = is_touched || refuses || is_conflict || is_doubted(&key);
        if !is_excused && !stage.is_affected(&key) {
            problems.push(format!("{key} is not what it should be: {detail}"));
        }
    }
    let others_moved = touched.iter().any(|row| row.0 == Kind::Page);
    for row in disordered(&source, &target, &pairs) {
        let is_conflict = |key| ended.get(key) == Some(&Outcome::Conflict);
        let is_excused = |key| is_conflict(key) || is_doubted(key);
        if !others_moved && !refuses && !row.iter().any(is_excused) {
            problems.push(format!(
                "{row:?} stand in another order, and nobody moved them"
            ));
        }
    }
    for row in source.rows.values() {
        let key = entity_key(row);
        let is_there = pairs.row(row).is_some_and(|there| {
            mappings.iter().any(|mapping| mapping.key == key) && target.rows.contains_key(&there)
        });
        let is_known = is_doubted(&key) || refuses || stage.is_affected(&key);
        if !is_there && !is_known {
            let outcome = ended.get(&key);
            problems.push(format!("{key} is not on the target: {outcome:?}"));
        }
    }
    let counterparts: BTreeSet<RowKey> = mappings
        .iter()
        .map(|row| (row.key.kind, row.target.raw(), row.key.locale.clone()))
        .collect();
    let mut left_over = LeftOver::of(stage, &counterparts);
    for (key, row) in &target.rows {
        let is_ours = counterparts.contains(key) || touched.contains(key);
        if !is_ours && doubted.is_empty() && !left_over.explains(row, &source) {
            problems.push(format!(
                "{key:?} {:?} is the counterpart of nothing",
                row.name
            ));
        }
    }
    problems
}

/// Why the target may have content of ours that is the counterpart of nothing, and was not created twice.
struct LeftOver {
    /// What others copied from an item of ours, and the engine has taken for the effect of its own request: equals are
    /// interchangeable (rule 2). Each of them leaves one of ours over.
    copies: Vec<(Option<Locale>, Value)>,
}

impl LeftOver {
    fn of(stage: &Stage, counterparts: &BTreeSet<RowKey>) -> Self {
        let copies = stage.copies.borrow();
        let taken = copies
            .iter()
            .filter(|row| counterparts.contains(&row.key()));
        Self {
            copies: taken.map(Self::what_it_says).collect(),
        }
    }

    fn what_it_says(row: &Row) -> (Option<Locale>, Value) {
        (row.locale.clone(), bare(row.kind, &row.body))
    }

    fn explains(&mut self, row: &Row, source: &World) -> bool {
        if row.kind != Kind::Content {
            return false;
        }
        // Its answer was lost, and then the source lost it: like the counterpart of any deleted entity it stays, and is told.
        let is_it = |here: &Row| here.name == row.name && here.locale == row.locale;
        if !source.of_kind(Kind::Content).any(is_it) {
            return true;
        }
        let says = Self::what_it_says(row);
        let at = self.copies.iter().position(|copy| *copy == says);
        at.map(|at| self.copies.swap_remove(at)).is_some()
    }
}

/// Entities in doubt are left alone: a run that cannot tell says so, and has no counterpart for them.
pub(crate) async fn doubts_are_real(stage: &Stage, ran: &Ran) -> Vec<String> {
    let mappings = stage.store.mappings(&Stage::pair()).await.unwrap();
    let has = |key: &EntityKey| mappings.iter().any(|mapping| mapping.key == *key);
    let known = ran.report.in_doubt.iter().filter(|(key, _)| has(key));
    known
        .map(|(key, _)| format!("{key} is in doubt and has a counterpart"))
        .collect()
}
