//! Simulates the rest of the uploads on a clock of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{Costs, ProgressCurve};
use crate::domain::{Id as _, Kind, TargetId};
use crate::engine::pace::{Class, PerClass, Turns, least_items, scarce};
use crate::engine::poll::BatchKind;
use crate::engine::state::Queue;
use crate::engine::state::{Effect, How, Input, Job, Saved, StepResult, Work};
use crate::event::Bottleneck;

/// What is to be expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Forecast {
    /// The time until every upload has its outcome.
    pub(in crate::engine) left: Duration,
    /// What most of it is due to.
    pub(in crate::engine) by: Bottleneck,
    /// How far the uploads will be when.
    pub(in crate::engine) course: ProgressCurve,
}

const SECOND: Duration = Duration::from_secs(1);

/// Plays on from `work`, whose jobs `running` are in flight, until everything has an outcome. Takes it that all
/// uploads succeed.
pub(in crate::engine) fn ahead<W: Work>(work: W, running: Vec<Job>, costs: &Costs) -> Forecast {
    let mut play = Simulation::new(work, costs);
    for job in running {
        // Most of them are noted already.
        let flight = play.board(job);
        play.ask(flight);
    }
    play.admit();
    while let Some(Reverse((at, _, what))) = play.due.pop() {
        play.pass_to(at);
        match what {
            What::Ask(flight) => play.ask(flight),
            What::Answer(flight) => play.answered(flight),
            What::Done(flight) => play.done(flight),
            What::Turn => play.turn_booked = false,
        }
        play.admit();
    }
    play.forecast()
}

/// Something that happens at a moment of the play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A flight has its next request to send.
    Ask(usize),
    /// A flight has an answer.
    Answer(usize),
    /// The outcome of a flight is durable.
    Done(usize),
    /// The rate lets the next request go.
    Turn,
}

/// A job on its way.
#[derive(Debug)]
struct Flight {
    /// `None` once it came back.
    job: Option<Job>,
    /// Its next request.
    class: Class,
    /// Those that follow.
    then: &'static [Class],
    items: u32,
}

/// The requests of a job, one after another.
const fn requests(queue: &Queue) -> &'static [Class] {
    match queue {
        Queue::Save | Queue::Redirections => &[Class::Write],
        Queue::Asset => &[Class::Asset],
        // Of many items there is one look.
        Queue::Content(_) | Queue::Page | Queue::Workflow(..) | Queue::Delete(Kind::Content) => {
            &[Class::Submit, Class::Poll]
        }
        Queue::Delete(Kind::Page) => &[Class::Read, Class::Submit, Class::Poll],
        Queue::Delete(
            Kind::Model
            | Kind::Container
            | Kind::Template
            | Kind::Gallery
            | Kind::Asset
            | Kind::Redirection,
        ) => &[Class::Read, Class::Write],
    }
}

impl Flight {
    /// What its batch does; a job that is back has none.
    fn batch(&self) -> BatchKind {
        let job = self.job.as_ref();
        job.map_or(BatchKind::Content, |job| job.queue.batch())
    }
}

struct Simulation<'a, W> {
    costs: &'a Costs,
    work: W,
    now: Duration,
    due: BinaryHeap<Reverse<(Duration, u64, What)>>,
    /// Keeps what is due at one moment in the order in which it was noted.
    noted: u64,
    flights: Vec<Flight>,
    turns: Turns,
    waiting: u32,
    in_flight: PerClass<usize>,
    in_flight_total: usize,
    /// From when on the rate lets another request go.
    turn_at: Duration,
    turn_booked: bool,
    /// The time until a note is durable.
    commit: Duration,
    /// The end of the present second, and the requests that left in it.
    second: (Duration, u32),
    /// When the target is done with all batches that it has.
    worker_until: Duration,
    spent: [Duration; Bottleneck::ALL.len()],
    course: ProgressCurve,
}

impl<'a, W: Work> Simulation<'a, W> {
    fn new(work: W, costs: &'a Costs) -> Self {
        Self {
            costs,
            work: work.quietly(),
            now: Duration::ZERO,
            due: BinaryHeap::new(),
            noted: 0,
            flights: Vec::new(),
            turns: Turns::new(),
            waiting: 0,
            in_flight: PerClass::of(|_| 0),
            in_flight_total: 0,
            turn_at: Duration::ZERO,
            turn_booked: false,
            commit: costs.commit,
            second: (SECOND, 0),
            worker_until: Duration::ZERO,
            spent: [Duration::ZERO; Bottleneck::ALL.len()],
            course: ProgressCurve::default(),
        }
    }

    fn note(&mut self, at: Duration, what: What) {
        self.noted += 1;
        self.due.push(Reverse((at, self.noted, what)));
    }

    /// Lets a job begin: with the note that it is about to leave, and the file that it carries.
    fn begin(&mut self, job: Job) {
        let flight = self.board(job);
        let ready = match self.flights[flight].class {
            Class::Asset => self.commit + self.costs.download.unwrap_or_default(),
            Class::Read
            | Class::Fetch
            | Class::Write
            | Class::Submit
            | Class::Poll
            | Class::Download => self.commit,
        };
        self.note(self.now + ready, What::Ask(flight));
    }

    fn board(&mut self, job: Job) -> usize {
        let requests = requests(&job.queue);
        let items = u32::try_from(job.steps.len()).unwrap_or(u32::MAX);
        self.flights.push(Flight {
            job: Some(job),
            class: requests[0],
            then: &requests[1..],
            items,
        });
        self.flights.len() - 1
    }

    /// Puts the next request of a flight into the line of its class.
    fn ask(&mut self, flight: usize) {
        let Flight { class, job, .. } = &self.flights[flight];
        let weight = job.as_ref().map_or(0, |job| job.weight);
        self.turns.join(*class, (flight as u64, weight));
        self.waiting += 1;
    }

    /// Sends what may leave now.
    fn admit(&mut self) {
        while self.waiting > 0 && self.in_flight_total < self.costs.target.total.max(1) {
            let windows = &self.costs.target.windows;
            let in_flight = &self.in_flight;
            let fits = |class| in_flight.get(class) < windows.get(class);
            let Some((class, ticket)) = self.turns.next(fits) else {
                return;
            };
            if self.turn_at > self.now {
                if !std::mem::replace(&mut self.turn_booked, true) {
                    self.note(self.turn_at, What::Turn);
                }
                return;
            }
            self.turns.serve(class);
            self.second.1 += 1;
            self.waiting -= 1;
            self.turn_at = self.turn_at.max(self.now) + self.costs.spacing();
            *self.in_flight.get_mut(class) += 1;
            self.in_flight_total += 1;
            let flight = usize::try_from(ticket).unwrap_or(usize::MAX);
            self.note(self.now + self.costs.answer(class), What::Answer(flight));
        }
    }

    fn answered(&mut self, at: usize) {
        let (now, costs, commit) = (self.now, self.costs, self.commit);
        let flight = &mut self.flights[at];
        *self.in_flight.get_mut(flight.class) -= 1;
        self.in_flight_total -= 1;
        match flight.then {
            [] => self.note(now + commit, What::Done(at)),
            [next @ Class::Poll, then @ ..] => {
                (flight.class, flight.then) = (*next, then);
                // The number of the batch is noted before the target is asked for it.
                let due = costs.batches.time(flight.batch(), flight.items).max(commit);
                self.worker_until = self.worker_until.max(now + due);
                let turn = flight.job.as_ref().and_then(|job| job.turn);
                self.note(now + due, What::Ask(at));
                if let Some(turn) = turn {
                    let effects = self.work.apply(Input::Accepted(turn));
                    self.carry_out(effects);
                }
            }
            [next, then @ ..] => {
                (flight.class, flight.then) = (*next, then);
                self.note(now, What::Ask(at));
            }
        }
    }

    fn done(&mut self, flight: usize) {
        let Some(job) = self.flights[flight].job.take() else {
            return;
        };
        let saved = |_| {
            StepResult::Done(Saved {
                target: TargetId::new(1),
                bytes: 0,
                how: How::AsPlanned,
            })
        };
        let input = Input::Done {
            results: job.steps.iter().map(saved).collect(),
            job,
            stop: None,
        };
        let effects = self.work.apply(input);
        self.course.note(self.work.unsettled(), self.now);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Launch(job) => self.begin(job),
                Effect::Persist { .. } | Effect::Emit(_) => {}
            }
        }
    }

    /// Spares requests or not, as the dispatcher does once a second.
    fn look_at_rate(&mut self) {
        let rate = self.costs.target.outlook.per_second;
        let scarce = scarce(rate, f64::from(self.second.1));
        self.work
            .flow_mut()
            .queues
            .batch_from(least_items(self.costs.batches.item(), scarce));
        self.commit = self.costs.commit_at(scarce);
    }

    /// Lets the clock go on, and notes what the time was due to.
    fn pass_to(&mut self, at: Duration) {
        if at >= self.second.0 {
            self.look_at_rate();
            let seconds = at.as_secs() + 1;
            self.second = (Duration::from_secs(seconds), 0);
        }
        let passed = at.saturating_sub(self.now);
        let by = if self.turn_booked {
            Bottleneck::Rate
        } else if self.worker_until > self.now {
            Bottleneck::Worker
        } else if self.waiting > 0 || self.work.flow().queues.is_anything_ready() {
            Bottleneck::InFlight
        } else {
            Bottleneck::Chain
        };
        self.spent[by as usize] += passed;
        self.now = self.now.max(at);
    }

    fn forecast(self) -> Forecast {
        let by = Bottleneck::ALL.into_iter();
        let by = by.max_by_key(|by| self.spent[*by as usize]);
        Forecast {
            left: self.now,
            by: by.unwrap_or(Bottleneck::Chain),
            course: self.course,
        }
    }
}
