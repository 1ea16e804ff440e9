//! Finding an entity: by a part of its name, key or path, or by its exact name.

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::cells::Cells;
use super::draw::{put, title};
use super::lists::{around, marked};
use super::theme::Role;
use super::view::View;
use crate::domain::{EntityKey, shown_name};
use crate::report::lookup::{Listed, Question};
use crate::report::text::count_of;

/// What is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A part of what is searched.
    Search,
    /// A key or a name.
    Jump,
}

/// The entities of the run and what is typed to find one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    /// `None` until they were asked for; sorted by key.
    entities: Option<Vec<Entry>>,
    /// What is being typed.
    typed: Option<Typed>,
    text: String,
    /// Places in `entities` of what matches, the best first.
    hits: Vec<usize>,
    /// The selected one of them.
    at: usize,
    /// Why nothing was found.
    pub(crate) notice: Option<String>,
}

/// An entity, and what is searched of it in lower case.
#[derive(Clone, Debug)]
struct Entry {
    listed: Listed,
    key: String,
    name: String,
}

impl Search {
    /// Begins to take keys. The entities are asked for anew: there may be a plan now.
    pub(crate) fn begin(&mut self, typed: Typed) {
        if self.entities.as_ref().is_none_or(Vec::is_empty) {
            self.entities = None;
        }
        self.typed = Some(typed);
        self.text.clear();
        self.find();
    }

    /// Whether keys are taken.
    pub(crate) const fn is_typed(&self) -> bool {
        self.typed.is_some()
    }

    /// Whether the matches are on the screen.
    pub(crate) const fn is_list(&self) -> bool {
        matches!(self.typed, Some(Typed::Search))
    }

    /// What has to be asked first.
    pub(crate) fn question(&self) -> Option<Question> {
        (self.is_typed() && self.entities.is_none()).then_some(Question::Entities)
    }

    /// Takes the entities.
    pub(crate) fn learn(&mut self, entities: Vec<Listed>) {
        let entry = |listed: Listed| Entry {
            key: listed.key.to_string().to_lowercase(),
            name: listed.name.to_lowercase(),
            listed,
        };
        self.entities = Some(entities.into_iter().map(entry).collect());
        self.find();
    }

    /// What a key does to what is typed; the entity to open, when it ends with one.
    pub(crate) fn key(&mut self, code: KeyCode) -> Option<EntityKey> {
        match code {
            KeyCode::Char(sign) => {
                self.text.push(sign);
                self.find();
            }
            KeyCode::Backspace => {
                self.text.pop();
                self.find();
            }
            KeyCode::Down => self.at = (self.at + 1).min(self.hits.len().saturating_sub(1)),
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Esc => self.typed = None,
            KeyCode::Enter => {
                let typed = self.typed.take();
                let found = match typed {
                    Some(Typed::Jump) => self.jump(),
                    Some(Typed::Search) | None => self.current(),
                };
                if found.is_none() && !self.text.is_empty() {
                    self.notice = Some(format!("no entity matches {:?}", shown_name(&self.text)));
                }
                return found;
            }
            _ => {}
        }
        None
    }

    /// The match so many places further, round and round.
    pub(crate) fn hit(&mut self, steps: isize) -> Option<EntityKey> {
        let all = self.hits.len();
        if all == 0 || self.text.is_empty() {
            self.notice = Some("no search yet: press / to search".to_owned());
            return None;
        }
        let steps = steps.rem_euclid(isize::try_from(all).ok()?);
        self.at = (self.at + usize::try_from(steps).ok()?) % all;
        self.current()
    }

    fn current(&self) -> Option<EntityKey> {
        let entry = self.entities.as_ref()?.get(*self.hits.get(self.at)?)?;
        Some(entry.listed.key.clone())
    }

    /// An exact key opens also what no plan has; else the first of this name, else the first match.
    fn jump(&mut self) -> Option<EntityKey> {
        if let Ok(key) = self.text.trim().parse() {
            return Some(key);
        }
        self.current()
    }

    /// Finds what matches: what is called so first, then what begins so, then what has it in it.
    fn find(&mut self) {
        self.at = 0;
        // A path may be typed with or without the slash that it begins with.
        let wanted = self.text.trim().to_lowercase();
        let wanted = wanted.trim_start_matches('/');
        let Some(entities) = &self.entities else {
            self.hits.clear();
            return;
        };
        let rank = |entry: &Entry| {
            let texts = [entry.key.as_str(), entry.name.trim_start_matches('/')];
            if texts.contains(&wanted) {
                Some(0)
            } else if texts.iter().any(|text| text.starts_with(wanted)) {
                Some(1)
            } else {
                texts.iter().any(|text| text.contains(wanted)).then_some(2)
            }
        };
        let ranked = entities.iter().enumerate();
        let mut ranked: Vec<(u8, usize)> = ranked
            .filter_map(|(at, entry)| Some((rank(entry)?, at)))
            .collect();
        ranked.sort_unstable();
        self.hits = ranked.into_iter().map(|(_, at)| at).collect();
    }

    /// What stands in the last line of the screen while something is typed, or after nothing was found.
    pub(crate) fn line(&self) -> Option<(String, Role)> {
        let sign = match self.typed {
            Some(Typed::Search) => '/',
            Some(Typed::Jump) => ':',
            None => return self.notice.clone().map(|notice| (notice, Role::Caution)),
        };
        Some((format!("{sign}{}_", self.text), Role::Accent))
    }
}

/// Draws the matches.
pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let search = &view.search;
    let width = usize::from(area.width);
    let remark = match &search.entities {
        Some(all) => format!(
            "{} of {}  Esc back",
            count_of(search.hits.len()),
            count_of(all.len())
        ),
        None => "reading the plan".to_owned(),
    };
    let mut lines = vec![title(view, "Entities", &remark, None, width)];
    let height = usize::from(area.height.saturating_sub(1));
    let shown = around(search.at, search.hits.len(), height);
    for at in shown {
        let entry = search
            .entities
            .as_ref()
            .and_then(|all| all.get(search.hits[at]));
        let Some(Entry { listed, .. }) = entry else {
            continue;
        };
        let line = Cells::new(view.look)
            .gap(1)
            .left(&listed.key.to_string(), 26, Role::Text)
            .gap(1)
            .left(&listed.name, width.saturating_sub(29), Role::Dim)
            .line();
        lines.push(marked(line, at == search.at, view.look));
    }
    if search.entities.is_some() && search.hits.is_empty() {
        let none = Cells::new(view.look).gap(1).text("none", Role::Dim);
        lines.push(none.line());
    }
    put(frame, area, lines);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Kind;

    fn search(names: &[&str]) -> Search {
        let mut search = Search::default();
        let listed = (1..).zip(names).map(|(id, name)| Listed {
            key: EntityKey::global(Kind::Model, id),
            name: (*name).to_owned(),
        });
        search.begin(Typed::Search);
        assert_eq!(search.question(), Some(Question::Entities));
        search.learn(listed.collect());
        assert_eq!(search.question(), None);
        search
    }

    fn typed(search: &mut Search, text: &str) -> Option<String> {
        for sign in text.chars() {
            assert_eq!(search.key(KeyCode::Char(sign)), None);
        }
        search.key(KeyCode::Enter).map(|key| key.to_string())
    }

    #[test]
    fn what_is_called_so_comes_first_and_n_goes_round() {
        let mut search = search(&["PostList", "Blog", "Post", "Repost"]);
        assert_eq!(typed(&mut search, "POST").as_deref(), Some("model:3"));
        let mut next = |steps| search.hit(steps).map(|key| key.to_string());
        assert_eq!(next(1).as_deref(), Some("model:1"));
        assert_eq!(next(1).as_deref(), Some("model:4"));
        assert_eq!(next(1).as_deref(), Some("model:3"));
        assert_eq!(next(-1).as_deref(), Some("model:4"));
    }

    #[test]
    fn a_key_is_a_jump_even_where_no_plan_has_it() {
        let mut search = search(&["Post"]);
        search.begin(Typed::Jump);
        assert_eq!(typed(&mut search, "model:77").as_deref(), Some("model:77"));
        search.begin(Typed::Jump);
        assert_eq!(typed(&mut search, "post").as_deref(), Some("model:1"));
        search.begin(Typed::Jump);
        assert_eq!(typed(&mut search, "nothing"), None);
        let notice = search.line().unwrap().0;
        assert_eq!(notice, "no entity matches \"nothing\"");
    }

    #[test]
    fn escape_opens_nothing() {
        let mut search = search(&["Post"]);
        search.key(KeyCode::Char('p'));
        assert_eq!(search.key(KeyCode::Esc), None);
        assert!(!search.is_typed());
        assert_eq!(search.line(), None);
    }
}
