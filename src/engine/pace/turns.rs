//! Whose turn it is: weighted fair queueing over the classes (start-time fair queueing, Goyal, Vin and Cheng 1996).
//!
//! Each class has a queue of tickets and a virtual time that advances by the inverse of its weight with every ticket served;
//! the queue that is furthest behind is served next. A class that was idle, or held back by its window, does not accumulate
//! turns: it resumes level with the others.
//!
//! Within a class, the ticket that most work depends on leaves first: a model that content waits for does not queue behind
//! galleries that were ready before it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::class::{Class, PerClass};

/// Waiting tickets by class.
#[derive(Debug)]
pub(in crate::engine) struct Turns {
    lines: PerClass<Line>,
    /// The virtual time of the ticket served last.
    now: f64,
}

#[derive(Debug, Default)]
struct Line {
    /// The heaviest first, and of those the one that came first.
    waiting: BTreeSet<(Reverse<u32>, u64)>,
    time: f64,
}

impl Turns {
    /// Nothing waits.
    pub(in crate::engine) fn new() -> Self {
        Self {
            lines: PerClass::of(|_| Line::default()),
            now: 0.0,
        }
    }

    /// Puts a ticket into the line of its class, behind those of its weight. `weight`: milliseconds of work that depend on it.
    pub(in crate::engine) fn join(&mut self, class: Class, (ticket, weight): (u64, u32)) {
        let waiting = &mut self.lines.get_mut(class).waiting;
        waiting.insert((Reverse(weight), ticket));
    }

    /// Takes a ticket out, wherever it stands.
    pub(in crate::engine) fn leave(&mut self, class: Class, (ticket, weight): (u64, u32)) {
        let waiting = &mut self.lines.get_mut(class).waiting;
        waiting.remove(&(Reverse(weight), ticket));
    }

    /// The ticket that is to be served next, of the classes that `admits` lets through.
    pub(in crate::engine) fn next(&self, admits: impl Fn(Class) -> bool) -> Option<(Class, u64)> {
        let heads = Class::ALL.into_iter().filter_map(|class| {
            let line = self.lines.get(class);
            let (_, ticket) = line.waiting.first()?;
            admits(class).then_some((class, *ticket, self.start(line, class)))
        });
        heads
            .min_by(|left, right| left.2.total_cmp(&right.2))
            .map(|(class, ticket, _)| (class, ticket))
    }

    /// Serves the ticket at the head of a line.
    pub(in crate::engine) fn serve(&mut self, class: Class) {
        let start = self.start(self.lines.get(class), class);
        let line = self.lines.get_mut(class);
        if line.waiting.pop_first().is_some() {
            line.time = start + cost(class);
            self.now = self.now.max(start);
        }
    }

    /// The virtual time at which a line is served; a line that fell behind has one turn to its credit at most.
    fn start(&self, line: &Line, class: Class) -> f64 {
        line.time.max(self.now - cost(class))
    }

    /// How many wait in a line.
    #[cfg(test)]
    pub(in crate::engine) fn waiting(&self, class: Class) -> usize {
        self.lines.get(class).waiting.len()
    }
}

fn cost(class: Class) -> f64 {
    1.0 / f64::from(class.weight())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(turns: &mut Turns, count: usize, admits: impl Fn(Class) -> bool) -> Vec<Class> {
        let mut order = Vec::new();
        for _ in 0..count {
            let Some((class, _)) = turns.next(&admits) else {
                break;
            };
            turns.serve(class);
            order.push(class);
        }
        order
    }

    fn share(order: &[Class], wanted: Class) -> f64 {
        let count = order.iter().filter(|class| **class == wanted).count();
        f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(order.len()).unwrap())
    }

    #[test]
    fn a_flood_of_assets_leaves_content_its_share() {
        let mut turns = Turns::new();
        (0..6000).for_each(|ticket| turns.join(Class::Asset, (ticket, 0)));
        (6000..7000).for_each(|ticket| turns.join(Class::Submit, (ticket, 0)));
        (7000..8000).for_each(|ticket| turns.join(Class::Poll, (ticket, 0)));
        let order = served(&mut turns, 800, |_| true);
        assert!((share(&order, Class::Submit) - 0.5).abs() < 0.01);
        assert!((share(&order, Class::Poll) - 0.25).abs() < 0.01);
        assert!((share(&order, Class::Asset) - 0.25).abs() < 0.01);
    }

    #[test]
    fn a_lone_class_has_everything_and_tickets_of_a_class_keep_their_order() {
        let mut turns = Turns::new();
        (0..3).for_each(|ticket| turns.join(Class::Poll, (ticket, 0)));
        turns.leave(Class::Poll, (1, 0));
        assert_eq!(turns.next(|_| true), Some((Class::Poll, 0)));
        turns.serve(Class::Poll);
        assert_eq!(turns.next(|_| true), Some((Class::Poll, 2)));
        turns.serve(Class::Poll);
        assert_eq!(turns.next(|_| true), None);
        assert_eq!(turns.waiting(Class::Poll), 0);
    }

    #[test]
    fn what_most_work_depends_on_leaves_first_of_its_class() {
        let mut turns = Turns::new();
        (0..40).for_each(|ticket| turns.join(Class::Write, (ticket, 200)));
        turns.join(Class::Write, (40, 900));
        turns.join(Class::Write, (41, 900));
        turns.join(Class::Write, (42, 901));
        turns.leave(Class::Write, (41, 900));
        let mut order = Vec::new();
        while let Some((class, ticket)) = turns.next(|_| true) {
            turns.serve(class);
            order.push(ticket);
        }
        assert_eq!(order[..4], [42, 40, 0, 1]);
        assert_eq!(order.len(), 42);
    }

    #[test]
    fn who_was_idle_or_held_back_has_not_saved_up_turns() {
        let mut turns = Turns::new();
        (0..1000).for_each(|ticket| turns.join(Class::Asset, (ticket, 0)));
        (1000..2000).for_each(|ticket| turns.join(Class::Poll, (ticket, 0)));
        served(&mut turns, 500, |class| class != Class::Poll);
        (2000..3000).for_each(|ticket| turns.join(Class::Read, (ticket, 0)));
        let order = served(&mut turns, 80, |_| true);
        assert!(
            (share(&order, Class::Poll) - 0.25).abs() < 0.03,
            "{order:?}"
        );
        assert!((share(&order, Class::Read) - 0.5).abs() < 0.03, "{order:?}");
    }
}
