//! What must never happen on a target, noted the moment it does.
//!
//! The checks know nothing of fields and encodings: ids of the two sides and of all kinds lie in ranges of their own, names
//! and hosts speak for themselves, so any of them is found wherever it stands.

use std::collections::{BTreeMap, HashMap, HashSet};

use lockgate::domain::{Id, Kind, Locale, TargetId};
use lockgate::instance::{PageSave, Save};
use serde_json::Value;

use super::work::Work;
use super::world::{IDS_OF_KIND, SOURCE_IDS, TARGET_IDS, World};

/// A body that says this is refused.
pub(crate) const REFUSED: &str = "please refuse me";

/// How many of each may be in flight.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) requests: usize,
    pub(crate) saves: usize,
    pub(crate) assets: usize,
    pub(crate) batches: usize,
    pub(crate) pages: usize,
    pub(crate) files: usize,
}

/// What counts against a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Counted {
    Request,
    Save,
    Asset,
    Batch,
    Page,
    /// A file, which does not count as a request.
    File,
}

type Siblings = (Option<Locale>, Option<TargetId>);

/// Notes what goes on.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(super) limits: Limits,
    /// How many fields each model is to have before its items arrive; empty checks nothing.
    pub(super) fields: HashMap<String, usize>,
    pub(super) problems: Vec<String>,
    pub(super) writes: usize,
    open: BTreeMap<Counted, usize>,
    saving: HashSet<String>,
    /// The pages of a row that are at work, and whether each is new.
    rows: HashMap<Siblings, Vec<bool>>,
}

impl Watch {
    pub(super) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// One more is in flight.
    pub(super) fn enter(&mut self, what: Counted) {
        let limits = self.limits;
        let most = match what {
            Counted::Request => limits.requests,
            Counted::Save => limits.saves,
            Counted::Asset => limits.assets,
            Counted::Batch => limits.batches,
            Counted::Page => limits.pages,
            Counted::File => limits.files,
        };
        let open = self.open.entry(what).or_default();
        *open += 1;
        let open = *open;
        if most > 0 && open > most {
            self.problem(format!(
                "{open} of {what:?} are in flight, and {most} may be"
            ));
        }
    }

    /// One less is in flight.
    pub(super) fn leave(&mut self, what: Counted) {
        *self.open.entry(what).or_default() -= 1;
    }

    /// A save has arrived.
    pub(super) fn begin(&mut self, name: &str) {
        self.writes += 1;
        if !self.saving.insert(name.to_owned()) {
            self.problem(format!("two saves of {name} overlap"));
        }
    }

    /// A save has taken effect, or never will.
    pub(super) fn end(&mut self, name: &str) {
        self.saving.remove(name);
    }

    /// A page has arrived that takes a place among its siblings. Others keep theirs, so they may overlap, and so may pages
    /// that are all new: whether they come out in their order shows at the end.
    pub(super) fn begin_page(&mut self, page: &PageSave) {
        if let Some(siblings) = siblings(page) {
            let row = self.rows.entry(siblings).or_default();
            row.push(page.save.id.is_none());
            if row.len() > 1 && row.contains(&false) {
                self.problem(format!("siblings of page {} overlap", page.save.name));
            }
        }
    }

    /// A batch has been worked off.
    pub(super) fn worked_off(&mut self, batch: &[Work]) {
        let is_page = matches!(batch, [Work::Page(_)]);
        self.leave(if is_page {
            Counted::Page
        } else {
            Counted::Batch
        });
        for work in batch {
            if let Some(save) = work.save() {
                self.end(&name_of(save));
            }
            if let Work::Page(page) = work
                && let Some(siblings) = siblings(page)
                && let Some(row) = self.rows.get_mut(&siblings)
            {
                let is_new = page.save.id.is_none();
                if let Some(at) = row.iter().position(|other| *other == is_new) {
                    row.swap_remove(at);
                }
            }
        }
    }
}

fn siblings(page: &PageSave) -> Option<Siblings> {
    let takes_place = page.save.id.is_none() || page.place_before.is_some();
    takes_place.then(|| (page.save.locale.clone(), page.parent))
}

/// What an entity is called on both sides.
pub(super) fn name_of(save: &Save) -> String {
    let locale = save.locale.as_ref().filter(|_| save.kind.is_localised());
    format!(
        "{} {}@{}",
        save.kind,
        save.name,
        locale.map_or("", Locale::as_str)
    )
}

impl World {
    /// Checks a save that arrives: everything that it names is here, and nothing is from the other side.
    pub(super) fn check(&mut self, save: &Save) {
        let mut wrong = Vec::new();
        if let Some(id) = save.id {
            self.check_number(id.raw(), &mut wrong);
        }
        self.check_value(save.kind, &save.body, true, &mut wrong);
        if save.kind == Kind::Content {
            self.check_model(&save.body, &mut wrong);
        }
        let name = name_of(save);
        for wrong in wrong {
            self.watch
                .problem(format!("{name}: {wrong} in {}", save.body));
        }
    }

    pub(super) fn check_page(&mut self, page: &PageSave) {
        self.check(&page.save);
        let mut wrong = Vec::new();
        let joined = page.other_locale.as_ref().map(|(id, _)| *id);
        for id in [page.parent, page.place_before, joined]
            .into_iter()
            .flatten()
        {
            self.check_number(id.raw(), &mut wrong);
        }
        if page.channel_id != self.channel_id() {
            wrong.push(format!("channel {} is not here", page.channel_id));
        }
        for wrong in wrong {
            self.watch
                .problem(format!("page {}: {wrong}", page.save.name));
        }
    }

    pub(super) fn check_id(&mut self, id: Option<TargetId>) {
        let mut wrong = Vec::new();
        if let Some(id) = id {
            self.check_number(id.raw(), &mut wrong);
        }
        self.watch.problems.extend(wrong);
    }

    fn check_value(&self, kind: Kind, value: &Value, at_root: bool, wrong: &mut Vec<String>) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                if let Some(id) = number.as_i64() {
                    self.check_number(id, wrong);
                }
            }
            Value::String(text) => self.check_text(text, wrong),
            Value::Array(items) => {
                for item in items {
                    self.check_value(kind, item, false, wrong);
                }
            }
            Value::Object(members) => {
                for (name, value) in members {
                    if !is_own_name(kind, name, at_root) {
                        self.check_value(kind, value, false, wrong);
                    }
                }
            }
        }
    }

    fn check_text(&self, text: &str, wrong: &mut Vec<String>) {
        let digits = text.split(|c: char| !c.is_ascii_digit());
        for number in digits.filter_map(|digits| digits.parse().ok()) {
            self.check_number(number, wrong);
        }
        let lower = text.to_lowercase();
        for (prefix, kind) in NAMES {
            for (at, _) in lower.match_indices(prefix) {
                let name = word(&lower[at..]);
                if self.named(kind, name).is_none() {
                    wrong.push(format!("{kind} {name:?} is not here"));
                }
            }
        }
        if lower.contains("source.test") {
            wrong.push("a URL leads to the source".to_owned());
        }
        for (at, host) in lower.match_indices("target.test/files/") {
            let path = word(&lower[at + host.len()..]);
            if self.named(Kind::Asset, path).is_none() {
                wrong.push(format!("asset {path:?} is not here"));
            }
        }
    }

    fn check_number(&self, number: i64, wrong: &mut Vec<String>) {
        if (SOURCE_IDS..TARGET_IDS).contains(&number) {
            wrong.push(format!("{number} is an id of the source"));
        }
        let at = usize::try_from((number - TARGET_IDS).div_euclid(IDS_OF_KIND));
        if let Some(kind) = at.ok().and_then(|at| Kind::ALL.get(at))
            && !self.had(*kind, number)
        {
            wrong.push(format!("{kind} {number} is not here"));
        }
    }

    /// A server drops what an item says in a field that its model does not have.
    fn check_model(&self, body: &Value, wrong: &mut Vec<String>) {
        let name = body["properties"]["definitionName"]
            .as_str()
            .unwrap_or_default();
        let fields = |row: &super::Row| row.body["fields"].as_array().map_or(0, Vec::len);
        let has = self.named(Kind::Model, name).map_or(0, fields);
        if self
            .watch
            .fields
            .get(&name.to_lowercase())
            .is_some_and(|wanted| has < *wanted)
        {
            wrong.push(format!("model {name} has only {has} fields"));
        }
    }
}

/// How names of models, containers and templates begin.
const NAMES: [(&str, Kind); 3] = [
    ("mdl_", Kind::Model),
    ("lst_", Kind::Container),
    ("tpl_", Kind::Template),
];

/// The first word of a text: a name or a path.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"_-./".contains(c));
    &text[..end.unwrap_or(text.len())]
}

/// Members that hold the name of the entity itself, or one that may come later.
fn is_own_name(kind: Kind, member: &str, at_root: bool) -> bool {
    let own = match kind {
        Kind::Model => ["referenceName", "displayName"].contains(&member),
        Kind::Container => ["referenceName", "contentViewName"].contains(&member),
        Kind::Template => member == "pageTemplateName",
        Kind::Gallery | Kind::Asset | Kind::Content | Kind::Page | Kind::Redirection => false,
    };
    let may_come_later = kind == Kind::Model && ["ContentView", "SharedContent"].contains(&member);
    at_root && own || may_come_later
}
