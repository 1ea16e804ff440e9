//! The filter of a list of the Management API, which is sent as a body.
//!
//! The vendor describes its members and not what they do. Read here as: all of them have to hold; a text of a field filter is
//! a part of the value, in any case; `sortIDs` names the items and their order.

use jiff::Timestamp;
use serde_json::Value;

use crate::mock::file::Row;
use crate::mock::world::text::{field_key, moment};
use crate::mock::world::{Version, row};

/// `ContentListFilterModel`; what is not set does not restrict.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListFilter<'a> {
    ids: Vec<i64>,
    states: Vec<i64>,
    modified_by: Vec<i64>,
    modified: Range,
    fields: Vec<FieldFilter<'a>>,
    /// A part of the text of some field, in any case.
    search: Option<String>,
    /// Items that some of these locales have.
    pub(super) locales: Vec<&'a str>,
}

/// Moments, both ends included.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct FieldFilter<'a> {
    field: &'a str,
    value: &'a Row,
}

impl Range {
    fn of(row: &Row) -> Self {
        let end = |name: &str| row::text(row, name).and_then(moment);
        Self {
            from: end("startDate"),
            to: end("endDate"),
        }
    }

    fn admits(&self, date: Option<&str>) -> bool {
        if self.from.is_none() && self.to.is_none() {
            return true;
        }
        date.and_then(moment).is_some_and(|at| {
            self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at <= to)
        })
    }
}

impl<'a> ListFilter<'a> {
    pub(crate) fn of(body: &'a Row) -> Self {
        let fields = row::objects(body, "fieldFilters");
        let fields = fields.filter_map(|filter| {
            Some(FieldFilter {
                field: row::filled(filter, "field")?,
                value: row::object(filter, "value")?,
            })
        });
        let locales = row::get(body, "localeCodes").and_then(Value::as_array);
        Self {
            ids: row::ints(body, "sortIDs"),
            states: row::ints(body, "stateIds"),
            modified_by: row::ints(body, "modifiedByIds"),
            modified: row::object(body, "dateRange").map_or_else(Range::default, Range::of),
            fields: fields.collect(),
            search: row::filled(body, "genericSearch").map(str::to_lowercase),
            locales: locales
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect(),
        }
    }

    /// Where `sortIDs` places an item.
    pub(super) fn place(&self, id: i64) -> Option<i64> {
        let at = self.ids.iter().position(|wanted| *wanted == id)?;
        i64::try_from(at).ok()
    }

    pub(super) fn admits(&self, id: i64, version: &Version) -> bool {
        let empty = Row::new();
        let part = |name: &str| row::object(&version.latest, name).unwrap_or(&empty);
        let (properties, fields) = (part("properties"), part("fields"));
        let among = |wanted: &[i64], own: Option<i64>| {
            wanted.is_empty() || own.is_some_and(|own| wanted.contains(&own))
        };
        let found = self.search.as_ref().is_none_or(|search| {
            let mut texts = fields.values().filter_map(Value::as_str);
            texts.any(|text| text.to_lowercase().contains(search))
        });
        found
            && among(&self.ids, Some(id))
            && among(&self.states, Some(version.state()))
            && among(&self.modified_by, row::int(properties, "modifiedBy"))
            && self.modified.admits(row::text(properties, "modified"))
            && self.fields.iter().all(|filter| filter.admits(fields))
    }
}

impl FieldFilter<'_> {
    fn admits(&self, fields: &Row) -> bool {
        let key = field_key(self.field);
        let found = fields.iter().find(|(name, _)| field_key(name) == key);
        let own = found.map_or(&Value::Null, |(_, value)| value);
        let text = own.as_str().map_or_else(|| own.to_string(), str::to_owned);
        let has_text = row::filled(self.value, "stringValue")
            .is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()));
        let is_set = text.eq_ignore_ascii_case("true");
        let has_flag = row::get(self.value, "boolValue")
            .and_then(Value::as_bool)
            .is_none_or(|wanted| wanted == is_set);
        let dates = row::object(self.value, "dateRangeValue");
        let in_dates = dates.is_none_or(|range| Range::of(range).admits(Some(&text)));
        let numbers = row::object(self.value, "numRangeValue");
        has_text && has_flag && in_dates && numbers.is_none_or(|range| in_numbers(range, &text))
    }
}

fn in_numbers(range: &Row, text: &str) -> bool {
    let end = |name: &str| row::get(range, name).and_then(Value::as_f64);
    let own = text.trim().parse::<f64>().ok();
    let (from, to) = (end("fromNum"), end("toNum"));
    own.map_or(from.is_none() && to.is_none(), |own| {
        from.is_none_or(|from| from <= own) && to.is_none_or(|to| own <= to)
    })
}
