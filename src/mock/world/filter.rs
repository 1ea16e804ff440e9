//! Order and filters of the lists of the Fetch API: `fields.x[eq]y AND properties.z[gt]1`.

use std::cmp::Ordering;

use serde_json::Value;

use super::failure::Refusal;
use super::row;

/// Alternatives of terms that hold together.
#[derive(Debug, Default)]
pub(crate) struct Filter(Vec<Vec<Term>>);

#[derive(Debug)]
struct Term {
    path: String,
    operator: Operator,
    value: String,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// The value is a part of the field.
    Part,
    /// The field is a comma list, and the value one of its parts.
    Holds,
    /// The value is a comma list, and the field one of its parts.
    OneOf,
}

impl Filter {
    /// Terms are joined by `and` and `or` in any case, and `and` binds closer; both words may stand in a quoted value.
    ///
    /// # Errors
    /// 400 for a term in another form, and for `range`, whose form is not known.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let alternatives = parts(text, " or ").into_iter();
        let alternatives =
            alternatives.map(|terms| parts(terms, " and ").into_iter().map(Term::parse).collect());
        alternatives
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| Refusal::invalid("filter", format!("Not a filter: {text}")))
    }

    pub(crate) fn admits(&self, item: &Value) -> bool {
        let mut alternatives = self.0.iter();
        alternatives.any(|terms| terms.iter().all(|term| term.holds(item)))
    }
}

impl Term {
    fn parse(text: &str) -> Option<Self> {
        let (path, rest) = text.trim().split_once('[')?;
        let (operator, value) = rest.split_once(']')?;
        let operator = match operator.to_lowercase().as_str() {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "lt" => Operator::Less,
            "lte" => Operator::LessOrEqual,
            "gt" => Operator::Greater,
            "gte" => Operator::GreaterOrEqual,
            "like" => Operator::Part,
            "contains" => Operator::Holds,
            "in" => Operator::OneOf,
            _ => return None,
        };
        Some(Self {
            path: path.to_owned(),
            operator,
            value: value.trim().trim_matches(['"', '\'']).to_owned(),
        })
    }

    fn holds(&self, item: &Value) -> bool {
        let own = text_at(item, &self.path);
        let order = || compare(&own, &self.value);
        match self.operator {
            Operator::Equal => order() == Ordering::Equal,
            Operator::NotEqual => order() != Ordering::Equal,
            Operator::Less => order() == Ordering::Less,
            Operator::LessOrEqual => order() != Ordering::Greater,
            Operator::Greater => order() == Ordering::Greater,
            Operator::GreaterOrEqual => order() != Ordering::Less,
            Operator::Part => own.to_lowercase().contains(&self.value.to_lowercase()),
            Operator::Holds => one_of(&self.value, &own),
            Operator::OneOf => one_of(&own, &self.value),
        }
    }
}

/// Whether `value` is a part of a comma list.
fn one_of(value: &str, list: &str) -> bool {
    let mut parts = list.split(',');
    parts.any(|part| compare(value, part.trim()) == Ordering::Equal)
}

/// The parts between the places where `word`, in lower case, stands outside of quotes.
fn parts<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let (mut out, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        let is_word = || {
            let here = text.get(at..at + word.len());
            here.is_some_and(|here| here.eq_ignore_ascii_case(word))
        };
        match quote {
            Some(open) if open == c => quote = None,
            // A quote within a value is a part of it.
            None if matches!(c, '"' | '\'') && text[..at].trim_end().ends_with(']') => {
                quote = Some(c);
            }
            None if at >= start && is_word() => {
                out.push(&text[start..at]);
                start = at + word.len();
            }
            Some(_) | None => {}
        }
    }
    out.push(&text[start..]);
    out
}

/// The value at `fields.x`, `properties.x` or a member of the item itself; empty where there is none.
pub(super) fn text_at(item: &Value, path: &str) -> String {
    let mut names = path.split('.');
    let value = names.try_fold(item, |value, name| row::get(value.as_object()?, name));
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

/// Numbers by their value, anything else as text in any case.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.total_cmp(&other),
        _ => one.to_lowercase().cmp(&other.to_lowercase()),
    }
}
