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
    Part,
    OneOf,
}

impl Filter {
    /// # Errors
    /// 400 for a term in another form, and for `range`, whose form is not known.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let alternatives = text
            .split(" OR ")
            .map(|terms| terms.split(" AND ").map(Term::parse).collect());
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
            "like" | "contains" => Operator::Part,
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
            Operator::OneOf => {
                let mut values = self.value.split(',');
                values.any(|value| compare(&own, value.trim()) == Ordering::Equal)
            }
        }
    }
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
