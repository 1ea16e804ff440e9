//! What a run measured of a host, as it is stored for the next run.

use super::class::Class;

/// The name under which the limit is remembered.
const PER_SECOND: &str = "per_second";
/// The name under which the rate is remembered that was reached without a limit.
const REACHED: &str = "reached_per_second";
/// The name under which the level of all classes together is remembered.
const LEVEL: &str = "concurrency.total";
/// What the names of the rates of the Content Fetch API begin with.
const FETCH: &str = "fetch.";
/// What the name of a window begins with.
const CONCURRENCY: &str = "concurrency.";
/// What the name of the time of an answer begins with.
const ANSWER: &str = "answer_ms.";

/// What was learned about a host. It is remembered as one number per name: `per_second`,
/// `reached_per_second`, `concurrency.total`, the two rates with `fetch.` before them, and `concurrency.read`,
/// `answer_ms.read` and so on for each class of requests. Names that are not known are passed over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// The limit of requests per second; `None` when the server never refused.
    pub per_second: Option<f64>,
    /// The rate in requests per second that was reached while no limit was known; `None` once one is.
    pub reached: Option<f64>,
    /// The same two of the Content Fetch API, where it has a host of its own.
    pub fetch: (Option<f64>, Option<f64>),
    /// How many requests, all classes together, were in flight at most while answers took no longer; `None` when there were none.
    pub level: Option<usize>,
    /// How many requests of a class were in flight at most without trouble. Classes that this run did not
    /// use are missing.
    pub windows: Vec<(Class, usize)>,
    /// Milliseconds that an answer took of late. Classes that this run did not use are missing.
    pub answers: Vec<(Class, f64)>,
}

impl Learned {
    /// From what is remembered.
    pub fn from_rows(rows: &[(String, f64)]) -> Self {
        let value = |wanted: &str| {
            let row = rows.iter().find(|(name, _)| name == wanted);
            row.map(|(_, value)| *value).filter(|value| *value > 0.0)
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a window is small and positive"
        )]
        let size = |name: &str| value(name).map(|size| size as usize);
        let window = |class: Class| {
            let size = size(&format!("{CONCURRENCY}{}", class.name()))?;
            Some((class, size))
        };
        Self {
            per_second: value(PER_SECOND),
            reached: value(REACHED),
            fetch: (
                value(&format!("{FETCH}{PER_SECOND}")),
                value(&format!("{FETCH}{REACHED}")),
            ),
            level: size(LEVEL),
            windows: Class::ALL.into_iter().filter_map(window).collect(),
            answers: Class::ALL
                .into_iter()
                .filter_map(|class| Some((class, value(&format!("{ANSWER}{}", class.name()))?)))
                .collect(),
        }
    }

    /// As it is to be remembered.
    pub fn to_rows(&self) -> Vec<(String, f64)> {
        let limit = self.per_second.map(|limit| (PER_SECOND.to_owned(), limit));
        let reached = self.reached.map(|rate| (REACHED.to_owned(), rate));
        let of_fetch =
            |name: &str, rate: Option<f64>| rate.map(|rate| (format!("{FETCH}{name}"), rate));
        let fetch = of_fetch(PER_SECOND, self.fetch.0)
            .into_iter()
            .chain(of_fetch(REACHED, self.fetch.1));
        let size = |size: usize| f64::from(u32::try_from(size).unwrap_or(u32::MAX));
        let level = self.level.map(|level| (LEVEL.to_owned(), size(level)));
        let windows = self
            .windows
            .iter()
            .map(|(class, window)| (format!("{CONCURRENCY}{}", class.name()), size(*window)));
        let answers = self
            .answers
            .iter()
            .map(|(class, ms)| (format!("{ANSWER}{}", class.name()), *ms));
        let rates = limit.into_iter().chain(reached);
        rates
            .chain(fetch)
            .chain(level)
            .chain(windows)
            .chain(answers)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back_and_what_is_unknown_is_passed_over() {
        let learned = Learned {
            per_second: Some(19.5),
            reached: None,
            fetch: (Some(10.0), None),
            level: Some(24),
            windows: vec![(Class::Read, 12), (Class::Poll, 3)],
            answers: vec![(Class::Asset, 120.5)],
        };
        let mut rows = learned.to_rows();
        assert_eq!(rows[4], ("concurrency.poll".to_owned(), 3.0));
        rows.push(("colour".to_owned(), 7.0));
        rows.push(("concurrency.submit".to_owned(), -2.0));
        assert_eq!(Learned::from_rows(&rows), learned);
        assert_eq!(Learned::from_rows(&[]), Learned::default());
    }
}
