//! The questions of a probe, and the effect of each answer.
//!
//! A host keeps one number for each question, under a name that begins with [`PREFIX`]; 0 says that the last probe got no
//! answer. The effect of an answer is defined beside its text, so that what is shown cannot differ from what is done.

use std::time::Duration;

use crate::plan::{LinkForm, LinkForms};

/// What the names of answers begin with in the state.
const PREFIX: &str = "probe.";

/// The name under which the time of the last probe is kept, in seconds since 1970.
pub(super) const AT: &str = "probe.at";

/// The answer to one question.
pub(super) trait Answer: Copy {
    /// The name under which it is kept, after [`PREFIX`].
    const NAME: &'static str;
    /// The question.
    const QUESTION: &'static str;
    /// What is sent to find out.
    const SENT: &'static str;

    /// The number that is kept, never 0.
    fn code(self) -> f64;

    /// The answer of a number; `None` of one that is none.
    fn of_code(code: f64) -> Option<Self>;

    /// The answer in words.
    fn words(self) -> String;

    /// What it changes.
    fn changes(self) -> String;
}

/// What was seen, and the answer that follows from it or why none does.
pub(super) struct Observed<A> {
    pub(super) seen: String,
    pub(super) answer: Result<A, String>,
}

impl<A> Observed<A> {
    /// Nothing was seen.
    pub(super) fn nothing(why: impl Into<String>) -> Self {
        Self {
            seen: String::new(),
            answer: Err(why.into()),
        }
    }
}

/// One question of a probe and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The name of the question.
    pub name: &'static str,
    /// The question.
    pub question: &'static str,
    /// What was sent.
    pub sent: &'static str,
    /// What was seen; empty where there was nothing.
    pub seen: String,
    /// The answer in words and what it changes, or why there is none.
    pub answer: Result<(String, String), String>,
    /// The number that is kept.
    pub(super) code: f64,
}

impl Finding {
    pub(super) fn of<A: Answer>(observed: Observed<A>) -> Self {
        Self {
            name: A::NAME,
            question: A::QUESTION,
            sent: A::SENT,
            seen: observed.seen,
            code: observed.answer.as_ref().map_or(0.0, |answer| answer.code()),
            answer: observed
                .answer
                .map(|answer| (answer.words(), answer.changes())),
        }
    }

    /// Name and number, as they are kept for the host.
    pub(super) fn row(&self) -> (String, f64) {
        (format!("{PREFIX}{}", self.name), self.code)
    }
}

/// An answer as the state has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The name of the question.
    pub name: &'static str,
    /// The question.
    pub question: &'static str,
    /// The answer in words and what it changes; `None` where the last probe got none.
    pub answer: Option<(String, String)>,
}

/// When the last probe of a host was, in seconds since 1970, and its answers in the order of the questions; `None` without one.
pub fn kept_answers(rows: &[(String, f64)]) -> Option<(i64, Vec<KeptAnswer>)> {
    let at = rows.iter().find(|(name, _)| name == AT)?.1;
    #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
    let at = at as i64;
    let answers = [
        kept::<LinkAlone>,
        kept::<LinkWithValue>,
        kept::<PickedItems>,
        kept::<ListOrder>,
        kept::<Ids>,
        kept::<TimeOfOne>,
        kept::<TimeOfMany>,
        kept::<Batches>,
        kept::<MediaId>,
        kept::<WebhookSecret>,
        kept::<Headers>,
        kept::<Limit>,
    ];
    Some((at, answers.into_iter().map(|kept| kept(rows)).collect()))
}

fn kept<A: Answer>(rows: &[(String, f64)]) -> KeptAnswer {
    KeptAnswer {
        name: A::NAME,
        question: A::QUESTION,
        answer: answer::<A>(rows).map(|answer| (answer.words(), answer.changes())),
    }
}

/// The answer to a question that a host keeps.
pub(super) fn answer<A: Answer>(rows: &[(String, f64)]) -> Option<A> {
    let is_it = |name: &str| name.strip_prefix(PREFIX) == Some(A::NAME);
    let row = rows.iter().find(|(name, _)| is_it(name))?;
    A::of_code(row.1)
}

/// Answers that are one of a few; each is kept as its place in the list, from 1.
macro_rules! choices {
    ($(#[$doc:meta])* $type:ident: $name:literal, $question:literal, $sent:literal;
        $($(#[$of:meta])* $variant:ident = $words:literal => $changes:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $type {
            $($(#[$of])* $variant,)*
        }

        impl Answer for $type {
            const NAME: &'static str = $name;
            const QUESTION: &'static str = $question;
            const SENT: &'static str = $sent;

            fn code(self) -> f64 {
                f64::from(self as u8) + 1.0
            }

            fn of_code(code: f64) -> Option<Self> {
                [$(Self::$variant),*].into_iter().find(|one| same(one.code(), code))
            }

            fn words(self) -> String {
                match self {
                    $(Self::$variant => $words.to_owned(),)*
                }
            }

            fn changes(self) -> String {
                match self {
                    $(Self::$variant => $changes.to_owned(),)*
                }
            }
        }
    };
}

fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < 0.5
}

choices! {
    /// What becomes of items that are picked from a list, as an object.
    PickedItems: "link.picked", "are items picked from a list kept as an object?",
        "an item with `{referencename, sortids, fulllist: false}` in a search list";
    /// They are there.
    Kept = "yes" => "nothing: it is the only form; a run reads the first of its items back in any case";
    /// They are not.
    Lost = "no" => "nothing: it is the only form; a run ends when its first item with one is read back";
}

choices! {
    /// What becomes of the numbers of items in a list.
    ListOrder: "list.order", "does a list keep the order that items are sent with?",
        "three items of one batch with the numbers 30, 10 and 20";
    /// The numbers are those that were sent.
    Kept = "yes, with the numbers" => "nothing: runs send the numbers of the source";
    /// Other numbers in the same order.
    Renumbered = "yes, with other numbers" => "nothing: runs compare the order of a list, not its numbers";
    /// The order is not that of the numbers.
    Ignored = "no" => "nothing: runs send the numbers of the source, and a verification names lists in another order";
}

choices! {
    /// Whether later ids are above earlier ones.
    Ids: "ids", "do the ids of new items rise?",
        "two batches of new items";
    /// Each is above those before it.
    Rise = "yes" => "nothing: a restart that finds no other evidence of a new item goes by ids above all earlier ones";
    /// Some are not.
    Mixed = "no" => "nothing: a restart knows new items by what was there before, and lists those that it cannot decide about";
}

choices! {
    /// Whether batches wait for one another.
    Batches: "batches", "are batches processed one after another?",
        "a batch of 20 items and, without waiting, a batch of 1";
    /// They wait.
    Serial = "yes" => "the first look at a batch waits for the batches before it, too";
    /// They do not.
    Parallel = "no" => "the first look at a batch waits for that batch alone";
}

choices! {
    /// Whether a replaced file keeps its id.
    MediaId: "media.id", "does an asset keep its id when its file is replaced?",
        "a small file, and another one to the same path";
    /// It does.
    Kept = "yes" => "nothing: runs expect that";
    /// It does not.
    New = "no" => "nothing: a run takes the id that the upload answers with; link pages that show the file by its id lose it";
}

choices! {
    /// What a save of a webhook does to its signing secret.
    WebhookSecret: "webhook.secret", "does saving a webhook keep its signing secret?",
        "a webhook that is not enabled, and the same row again";
    /// It stays.
    Kept = "yes" => "nothing: --pause-webhooks reads each webhook back in any case";
    /// Another one is there.
    Replaced = "no, another one is made" => "--pause-webhooks refuses webhooks with signed deliveries before it saves one";
    /// It is gone.
    Lost = "no, it is removed" => "--pause-webhooks refuses webhooks with signed deliveries before it saves one";
}

choices! {
    /// Which headers state a limit.
    Headers: "limit.headers", "do responses state a limit?",
        "all requests of the probe";
    /// None does.
    None = "no header does" => "nothing: the rate follows from refusals";
    /// There is a limit, without its time.
    Unclear = "yes, without the time for which it counts" => "nothing: a limit without its time is not a rate";
    /// There is a limit per second.
    PerSecond = "yes, as a rate" => "the next run starts with that rate";
}

/// The forms of a selection that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KeptForms {
    pub(super) scalar: bool,
    pub(super) object: bool,
    pub(super) list_name: bool,
}

impl KeptForms {
    /// The form that is written: the usual one if it is kept, and where none is, so that a run finds out at its first item.
    fn form(self) -> LinkForm {
        match self {
            Self { scalar: true, .. } => LinkForm::Scalar,
            Self { object: true, .. } => LinkForm::Object,
            Self {
                list_name: true, ..
            } => LinkForm::ListName,
            Self { .. } => LinkForm::default(),
        }
    }
}

impl Value for KeptForms {
    fn code(self) -> f64 {
        f64::from(
            8 + u8::from(self.scalar) + 2 * u8::from(self.object) + 4 * u8::from(self.list_name),
        )
    }

    fn of_code(code: f64) -> Option<Self> {
        let all = (0..8_u8).map(|bits| Self {
            scalar: bits & 1 > 0,
            object: bits & 2 > 0,
            list_name: bits & 4 > 0,
        });
        all.into_iter().find(|one| same(one.code(), code))
    }

    fn words(self) -> String {
        let forms = [
            (self.scalar, LinkForm::Scalar),
            (self.object, LinkForm::Object),
            (self.list_name, LinkForm::ListName),
        ];
        let kept = forms.iter().filter(|(is_kept, _)| *is_kept);
        let kept: Vec<&str> = kept.map(|(_, form)| form.name()).collect();
        if kept.is_empty() {
            "none".to_owned()
        } else {
            kept.join(", ")
        }
    }

    fn changes(self) -> String {
        format!("runs write {}", self.form().name())
    }
}

/// What answers to several questions are.
trait Value: Copy {
    /// As of [`Answer`], and so are the others.
    fn code(self) -> f64;
    fn of_code(code: f64) -> Option<Self>;
    fn words(self) -> String;
    fn changes(self) -> String;
}

/// Answers that are a [`Value`], one for each question that it answers.
macro_rules! values {
    ($($(#[$doc:meta])* $type:ident($value:ident): $name:literal, $question:literal, $sent:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub(super) struct $type(pub(super) $value);

            impl Answer for $type {
                const NAME: &'static str = $name;
                const QUESTION: &'static str = $question;
                const SENT: &'static str = $sent;

                fn code(self) -> f64 {
                    self.0.code()
                }

                fn of_code(code: f64) -> Option<Self> {
                    $value::of_code(code).map(Self)
                }

                fn words(self) -> String {
                    self.0.words()
                }

                fn changes(self) -> String {
                    self.0.changes()
                }
            }
        )*
    };
}

values! {
    /// The forms that are kept in a field without a value field.
    LinkAlone(KeptForms): "link.alone", "which forms of a link are kept?",
        "two items that link to a third, one with the id as text and one with an object";
    /// The forms that are kept in a field that names a value field.
    LinkWithValue(KeptForms): "link.with_value", "which forms of a link beside a value field are kept?",
        "three items that link to a fourth, with the id as text, an object, and the name of the list";
    /// The time from the answer to a batch of one item until a look finds it done.
    TimeOfOne(BatchTime): "batch_ms.1", "how long does a batch of 1 item take?", "a batch of 1 new item";
    /// The same of a batch of 20.
    TimeOfMany(BatchTime): "batch_ms.20", "how long does a batch of 20 items take?", "a batch of 20 new items";
}

/// How long a batch takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchTime(pub(super) Duration);

impl Value for BatchTime {
    fn code(self) -> f64 {
        (self.0.as_secs_f64() * 1_000.0).max(1.0)
    }

    fn of_code(code: f64) -> Option<Self> {
        let time = Duration::try_from_secs_f64(code / 1_000.0).ok()?;
        (!time.is_zero()).then_some(Self(time))
    }

    fn words(self) -> String {
        format!("{} ms", self.0.as_millis().max(1))
    }

    fn changes(self) -> String {
        "the first look at such a batch comes after that time".to_owned()
    }
}

/// The forms in which a host takes selections.
pub(super) fn link_forms(rows: &[(String, f64)]) -> LinkForms {
    let usual = LinkForms::default();
    let alone = answer::<LinkAlone>(rows).map(|kept| kept.0.form());
    let with_value = answer::<LinkWithValue>(rows).map(|kept| kept.0.form());
    LinkForms {
        alone: alone.unwrap_or(usual.alone),
        with_value: with_value.unwrap_or(usual.with_value),
    }
}

/// The rate that the server takes, in requests per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Limit {
    /// No more than so many.
    PerSecond(f64),
    /// At least so many.
    Beyond(f64),
}

impl Answer for Limit {
    const NAME: &'static str = "limit";
    const QUESTION: &'static str = "how many requests per second are taken?";
    const SENT: &'static str = "reads of the locales for up to three seconds, 20, 40 and 80 per second, until one is refused";

    fn code(self) -> f64 {
        match self {
            Self::PerSecond(rate) => rate,
            Self::Beyond(rate) => -rate,
        }
    }

    fn of_code(code: f64) -> Option<Self> {
        match code {
            rate if rate > 0.0 => Some(Self::PerSecond(rate)),
            rate if rate < 0.0 => Some(Self::Beyond(-rate)),
            _ => None,
        }
    }

    fn words(self) -> String {
        match self {
            Self::PerSecond(rate) => format!("{rate:.0}"),
            Self::Beyond(rate) => format!("{rate:.0} and more"),
        }
    }

    fn changes(self) -> String {
        match self {
            Self::PerSecond(_) => "the next run starts with that limit".to_owned(),
            Self::Beyond(_) => {
                "the next run starts with that rate, unless a limit is known".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again<A: Answer + PartialEq + std::fmt::Debug>(answer: A) {
        let row = (format!("{PREFIX}{}", A::NAME), answer.code());
        assert!(row.1.abs() > 0.5, "{answer:?}");
        assert_eq!(super::answer::<A>(&[row]), Some(answer));
        assert_eq!(A::of_code(0.0), None);
        assert!(!answer.words().is_empty() && !answer.changes().is_empty());
    }

    #[test]
    fn what_is_kept_comes_back() {
        for bits in 0..8_u8 {
            let forms = KeptForms {
                scalar: bits & 1 > 0,
                object: bits & 2 > 0,
                list_name: bits & 4 > 0,
            };
            again(LinkAlone(forms));
            again(LinkWithValue(forms));
        }
        again(PickedItems::Lost);
        again(ListOrder::Renumbered);
        again(Ids::Mixed);
        again(Batches::Parallel);
        again(MediaId::New);
        again(WebhookSecret::Replaced);
        again(Headers::PerSecond);
        again(TimeOfOne(BatchTime(Duration::from_millis(500))));
        again(TimeOfMany(BatchTime(Duration::from_millis(20))));
        again(Limit::PerSecond(60.0));
        again(Limit::Beyond(80.0));
    }

    #[test]
    fn a_host_without_a_probe_has_no_answers_and_one_with_a_probe_has_all_questions() {
        assert_eq!(kept_answers(&[("per_second".to_owned(), 9.0)]), None);
        let rows = [
            (AT.to_owned(), 1_700_000_000.0),
            ("probe.batches".to_owned(), 1.0),
            ("probe.ids".to_owned(), 0.0),
        ];
        let (at, answers) = kept_answers(&rows).unwrap();
        assert_eq!(at, 1_700_000_000);
        let answered: Vec<_> = answers.iter().filter(|one| one.answer.is_some()).collect();
        assert_eq!(answered.len(), 1);
        assert_eq!(answered[0].name, "batches");
    }

    #[test]
    fn the_usual_form_is_written_unless_only_another_one_is_kept() {
        let form = |scalar, object, list_name| {
            let kept = KeptForms {
                scalar,
                object,
                list_name,
            };
            kept.form()
        };
        assert_eq!(form(true, true, true), LinkForm::Scalar);
        assert_eq!(form(false, true, true), LinkForm::Object);
        assert_eq!(form(false, false, true), LinkForm::ListName);
        assert_eq!(form(false, true, false), LinkForm::Object);
        assert_eq!(form(false, false, false), LinkForm::Scalar);
    }
}
