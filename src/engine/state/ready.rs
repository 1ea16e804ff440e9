//! What may leave next: ready entities by kind of request, heaviest remaining path first.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BinaryHeap};

use super::proof::Proof;
use super::turn::{Turn, Turns};
use super::{Job, Step};
use crate::domain::{EntityKey, Kind, Locale};
use crate::engine::poll::{BatchKind, FIRST_AT_ONCE, Sizes};
use crate::plan::{Node, UploadLimits};

/// A kind of request with its own bound.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Synchronous saves: models, containers, templates, galleries.
    Save,
    /// Redirections, up to 250 in one request.
    Redirections,
    /// Uploads of assets.
    Asset,
    /// Batches of content items of one locale.
    Content(Locale),
    /// Pages, one in each batch.
    Page,
    /// Deletes of a kind, of an undo.
    Delete(Kind),
    /// A step of the workflow for entities of one kind and locale, of an undo.
    Workflow(Kind, Locale),
}

impl Queue {
    /// The kind of request that uploads an entity.
    pub fn of(key: &EntityKey) -> Self {
        match (key.kind, &key.locale) {
            (Kind::Model | Kind::Container | Kind::Template | Kind::Gallery, _) => Self::Save,
            (Kind::Redirection, _) => Self::Redirections,
            (Kind::Asset, _) => Self::Asset,
            (Kind::Content, Some(locale)) => Self::Content(locale.clone()),
            (Kind::Content | Kind::Page, _) => Self::Page,
        }
    }

    /// What its batches do, of kinds of requests that make some.
    pub(in crate::engine) const fn batch(&self) -> BatchKind {
        match self {
            Self::Page => BatchKind::Page,
            Self::Delete(_) => BatchKind::Delete,
            Self::Workflow(..) => BatchKind::Workflow,
            Self::Content(_) | Self::Save | Self::Redirections | Self::Asset => BatchKind::Content,
        }
    }

    const fn class(&self) -> Class {
        match self {
            Self::Save => Class::Save,
            Self::Redirections => Class::Redirections,
            Self::Asset => Class::Asset,
            Self::Content(_) => Class::Content,
            Self::Page => Class::Page,
            Self::Delete(_) => Class::Delete,
            Self::Workflow(..) => Class::Workflow,
        }
    }
}

/// What a bound counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Save,
    Redirections,
    Asset,
    Content,
    Page,
    Delete,
    Workflow,
}

/// Bounds on jobs in flight and on their size.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Synchronous saves in flight, and deletes.
    pub saves: usize,
    /// Uploads of assets in flight.
    pub assets: usize,
    /// Files of uploads in flight: no upload begins while there are so many. An upload opens all of its files before it
    /// leaves.
    pub files: usize,
    /// How much one upload takes.
    pub upload: UploadLimits,
    /// Content batches in flight, all locales together: the target works them off one after another.
    pub batches: usize,
    /// Items in a content batch, 1 to 250.
    pub batch_items: usize,
    /// Pages in flight.
    pub pages: usize,
}

/// Ids in one request (limit of `batch-workflow`).
pub(in crate::engine) const IDS_AT_ONCE: usize = 250;

/// Redirections in one request (limit of the Management API).
const REDIRECTIONS: usize = 250;

impl Limits {
    fn bounded(&self, sizes: Sizes) -> Sizes {
        Sizes {
            items: self.batch_items.min(sizes.items),
            at_once: self.batches.min(sizes.at_once),
            pages: self.pages.min(sizes.pages),
            ..sizes
        }
    }

    /// Jobs of a class in flight; `sizes` are within these limits.
    const fn of(&self, class: Class, sizes: &Sizes) -> usize {
        match class {
            Class::Save | Class::Delete => self.saves,
            Class::Redirections | Class::Workflow => 1,
            Class::Asset => self.assets,
            Class::Content => sizes.at_once,
            Class::Page => sizes.pages,
        }
    }
}

/// An entity that may leave. Ordered by the work that depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Milliseconds of the longest chain of work that starts with it.
    pub weight: u32,
    /// The entity.
    pub node: Node,
    /// Which save.
    pub step: Step,
    /// How it is sent.
    pub queue: Queue,
    /// The encodings that its body holds, as bits.
    pub encodings: u64,
    /// For a page that takes its place among siblings: its turn.
    pub turn: Option<Turn>,
    /// For a file that shares an upload: which one.
    pub upload: Option<u32>,
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // Of equal weights the one that was read first leaves first, and in a row the first one.
        let position = |ready: &Self| ready.turn.and_then(|turn| turn.at);
        (self.weight, position(other), other.node, other.step).cmp(&(
            other.weight,
            position(self),
            self.node,
            self.step,
        ))
    }
}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Ready entities and the jobs made of them.
#[derive(Clone, Debug, Default)]
pub struct ReadyQueues {
    limits: Limits,
    heaps: BTreeMap<Queue, BinaryHeap<Ready>>,
    in_flight: BTreeMap<Class, usize>,
    turns: Turns,
    /// Files that leave together with the one of their upload that stands in line.
    beside: BTreeMap<u32, Vec<Ready>>,
    /// Files of the uploads in flight.
    files_in_flight: usize,
    /// How batches are handed in for now, within the limits.
    sizes: Sizes,
    /// Items that make a content batch worth its requests, while other work can use them; see
    /// [`ReadyQueues::batch_from`].
    least_items: usize,
    proof: Proof,
}

impl ReadyQueues {
    /// Nothing is ready.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            heaps: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            turns: Turns::default(),
            beside: BTreeMap::new(),
            files_in_flight: 0,
            sizes: limits.bounded(Sizes::default()),
            least_items: 1,
            proof: Proof::default(),
        }
    }

    /// Adds an entity.
    pub fn push(&mut self, ready: Ready) {
        if let Some(upload) = ready.upload {
            match self.beside.entry(upload) {
                Entry::Occupied(mut others) => return others.get_mut().push(ready),
                Entry::Vacant(none) => drop(none.insert(Vec::new())),
            }
        }
        self.heaps
            .entry(ready.queue.clone())
            .or_default()
            .push(ready);
    }

    /// From now on batches are handed in like this. The limits are not exceeded.
    pub(in crate::engine) fn size_batches(&mut self, sizes: Sizes) {
        self.sizes = self.limits.bounded(sizes);
        self.least_items = self.least_items.min(self.sizes.items);
    }

    /// From now on a content batch smaller than this waits for more items while other work can use the requests that it
    /// costs; and while the target's worker has a batch already, every batch waits until it is full. 1 holds nothing back.
    ///
    /// Items become ready by ones and twos as the assets arrive that they show. Where the rate is what a run
    /// waits for, a request for each of them would cost more time than it gains.
    pub fn batch_from(&mut self, least_items: usize) {
        self.least_items = least_items.clamp(1, self.sizes.items);
    }

    /// Whether requests are dear and other work can use them. Not when nothing is in flight: then nothing would end a wait.
    fn should_coalesce(&self) -> bool {
        let is_other = |(queue, heap): (&Queue, &BinaryHeap<Ready>)| {
            queue.class() != Class::Content && !heap.is_empty()
        };
        self.least_items > 1
            && self.in_flight.values().sum::<usize>() > 0
            && self.heaps.iter().any(is_other)
    }

    /// How many items a content batch needs to leave.
    fn needed(&self) -> usize {
        let at_work = self.in_flight.get(&Class::Content).copied().unwrap_or(0);
        match (self.should_coalesce(), at_work) {
            (false, _) => 1,
            (true, 0) => self.least_items,
            (true, _) => self.sizes.items,
        }
    }

    /// Whether something waits for a place in flight.
    pub fn is_anything_ready(&self) -> bool {
        self.heaps.values().any(|heap| !heap.is_empty())
    }

    /// Notes that a job came back, and which encodings were stored right by it.
    pub fn finished(&mut self, job: &Job, proven: u64) {
        if let Some(count) = self.in_flight.get_mut(&job.queue.class()) {
            *count -= 1;
        }
        if job.queue == Queue::Asset {
            self.files_in_flight -= job.steps.len();
        }
        let waiting = job.turn.map(|turn| self.turns.back(&turn));
        let unproven = self.proof.came_back(job.probe, proven);
        let waiting = waiting.into_iter().flatten().chain(unproven);
        waiting.for_each(|ready| self.push(ready));
    }

    /// Notes that the target has accepted the request of a page, which another one may follow now.
    pub(super) fn accepted(&mut self, turn: &Turn) {
        if let Some(ready) = self.turns.accepted(turn) {
            self.push(ready);
        }
    }

    /// Makes the next job of entities that still wait for it; `None` while there is nothing that may leave.
    pub fn next_job(&mut self, waits: &dyn Fn(&Ready) -> bool) -> Option<Job> {
        let mut queues: Vec<(u32, Queue)> = self
            .heaps
            .iter()
            .filter_map(|(queue, heap)| Some((heap.peek()?.weight, queue.clone())))
            .collect();
        queues.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        queues
            .into_iter()
            .find_map(|(_, queue)| self.job_of(&queue, waits))
    }

    fn job_of(&mut self, queue: &Queue, waits: &dyn Fn(&Ready) -> bool) -> Option<Job> {
        let class = queue.class();
        let limit = self.limits.of(class, &self.sizes);
        let free = limit.saturating_sub(self.in_flight.get(&class).copied().unwrap_or(0));
        if free == 0 || (class == Class::Asset && self.files_in_flight >= self.limits.files) {
            return None;
        }
        let needed = self.needed();
        let heap = self.heaps.get_mut(queue)?;
        if class == Class::Content && heap.len() < needed {
            return None;
        }
        let most = match class {
            Class::Save | Class::Asset | Class::Page | Class::Delete => 1,
            Class::Redirections => REDIRECTIONS,
            Class::Workflow => IDS_AT_ONCE,
            Class::Content if needed > 1 => self.sizes.items,
            // A short queue is shared out, so that no batch starves another of work; not among many, which would cost as many
            // requests, and not where each batch takes longer than its items.
            Class::Content => heap
                .len()
                .div_ceil(free.min(FIRST_AT_ONCE))
                .max(self.sizes.share)
                .min(self.sizes.items),
        };
        let needs_proof = matches!(class, Class::Content | Class::Page);
        let (mut chosen, mut probe) = (Vec::new(), 0);
        while chosen.len() < most
            && let Some(ready) = heap.pop()
        {
            let Some(ready) = self.turns.admit(ready) else {
                continue;
            };
            let beside = ready.upload.and_then(|upload| self.beside.remove(&upload));
            let all = std::iter::once(ready).chain(beside.into_iter().flatten());
            for ready in all.filter(|ready| waits(ready)) {
                if !needs_proof {
                    chosen.push(ready);
                } else if let Some((ready, new)) = self.proof.admit(ready) {
                    probe |= new;
                    chosen.push(ready);
                }
            }
        }
        if chosen.is_empty() {
            return None;
        }
        *self.in_flight.entry(class).or_insert(0) += 1;
        if class == Class::Asset {
            self.files_in_flight += chosen.len();
        }
        let mut turn = chosen.iter().find_map(|ready| ready.turn);
        let weight = chosen.iter().map(|ready| ready.weight).max();
        let weight = weight.unwrap_or(0).max(self.backlog(class, chosen.len()));
        if let Some(turn) = &mut turn {
            self.turns.leave(turn);
        }
        let steps = chosen
            .into_iter()
            .map(|ready| (ready.node, ready.step))
            .collect();
        Some(Job {
            queue: queue.clone(),
            steps,
            probe,
            turn,
            weight,
        })
    }

    /// Milliseconds that the target needs for content that is ready, `taken` included: it is to have a batch at all times,
    /// because what it does not do meanwhile is left when there is nothing else to do.
    fn backlog(&self, class: Class, taken: usize) -> u32 {
        if class != Class::Content {
            return 0;
        }
        let content = |(queue, heap): (&Queue, &BinaryHeap<Ready>)| {
            (queue.class() == Class::Content).then_some(heap.len())
        };
        let ready = taken + self.heaps.iter().filter_map(content).sum::<usize>();
        let ready = u32::try_from(ready).unwrap_or(u32::MAX);
        u32::try_from(self.sizes.waits.saturating_mul(ready).as_millis()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Limits = Limits {
        saves: 2,
        assets: 2,
        batches: 2,
        batch_items: 3,
        pages: 1,
        files: 4,
        upload: UploadLimits {
            files: 3,
            bytes: 100,
        },
    };

    fn content(node: Node, weight: u32, encodings: u64) -> Ready {
        let queue = Queue::Content(Locale::new("en-us"));
        Ready {
            weight,
            node,
            step: Step::Save,
            queue,
            encodings,
            turn: None,
            upload: None,
        }
    }

    fn nodes(job: &Job) -> Vec<Node> {
        job.steps.iter().map(|(node, _)| *node).collect()
    }

    #[test]
    fn the_heaviest_leave_first_and_batches_stay_within_their_size() {
        let mut queues = ReadyQueues::new(LIMITS);
        (0..10).for_each(|node| queues.push(content(node, node, 0)));
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [9, 8, 7]);
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [6, 5, 4]);
        assert_eq!(
            queues.next_job(&|_| true),
            None,
            "two batches are in flight"
        );
    }

    /// Pages went before it, and what the target had not done meanwhile was left at the end.
    #[test]
    fn a_batch_is_as_urgent_as_all_that_the_target_has_to_process_for_it() {
        let mut queues = ReadyQueues::new(LIMITS);
        (0..10).for_each(|node| queues.push(content(node, 4, 0)));
        assert_eq!(queues.clone().next_job(&|_| true).unwrap().weight, 4);
        queues.size_batches(Sizes {
            waits: Duration::from_millis(5),
            ..Sizes::default()
        });
        assert_eq!(queues.next_job(&|_| true).unwrap().weight, 50);
        assert_eq!(queues.next_job(&|_| true).unwrap().weight, 35);
    }

    /// Three batches of two items take three times as long as one of six where each takes longer than its items.
    #[test]
    fn a_short_queue_is_shared_out_where_items_cost_more_than_batches() {
        let batches = |share: usize| {
            let mut queues = ReadyQueues::new(LIMITS);
            (0..3).for_each(|node| queues.push(content(node, node, 0)));
            queues.size_batches(Sizes {
                share,
                ..Sizes::default()
            });
            std::iter::from_fn(move || queues.next_job(&|_| true)).count()
        };
        assert_eq!((batches(1), batches(100)), (2, 1));
    }

    #[test]
    fn no_more_pages_leave_than_the_target_processes_soon() {
        let mut queues = ReadyQueues::new(Limits { pages: 9, ..LIMITS });
        (0..6).for_each(|node| queues.push(page(node, node, (node, None))));
        queues.size_batches(Sizes {
            pages: 2,
            ..Sizes::default()
        });
        assert_eq!(std::iter::from_fn(|| queues.next_job(&|_| true)).count(), 2);
    }

    fn page(node: Node, weight: u32, (row, at): (Node, Option<u32>)) -> Ready {
        Ready {
            queue: Queue::Page,
            turn: Some(Turn {
                row,
                at,
                overlaps: false,
            }),
            ..content(node, weight, 0)
        }
    }

    #[test]
    fn a_page_that_moves_is_in_flight_alone_in_its_row() {
        let mut queues = ReadyQueues::new(Limits { pages: 3, ..LIMITS });
        queues.push(page(1, 5, (1, None)));
        queues.push(page(2, 9, (1, None)));
        queues.push(page(3, 7, (1, Some(2))));
        queues.push(page(4, 1, (4, None)));
        let heaviest = queues.next_job(&|_| true).unwrap();
        assert_eq!(nodes(&heaviest), [2]);
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [4]);
        queues.accepted(&heaviest.turn.unwrap());
        assert_eq!(queues.next_job(&|_| true), None, "both rows are taken");
        queues.finished(&heaviest, 0);
        let new = queues.next_job(&|_| true).unwrap();
        assert_eq!(nodes(&new), [3]);
        queues.accepted(&new.turn.unwrap());
        assert_eq!(queues.next_job(&|_| true), None, "the next one moves");
    }

    #[test]
    fn new_pages_follow_one_another_from_the_first_to_the_last() {
        let mut queues = ReadyQueues::new(Limits { pages: 9, ..LIMITS });
        for (node, at) in [(1, 4), (2, 3), (3, 2), (4, 1)] {
            queues.push(page(node, 5, (1, Some(at))));
        }
        queues.push(page(5, 9, (1, Some(2))));
        let heaviest = queues.next_job(&|_| true).unwrap();
        assert_eq!(nodes(&heaviest), [5]);
        assert_eq!(queues.next_job(&|_| true), None, "it may not be accepted");
        queues.accepted(&heaviest.turn.unwrap());
        let second = queues.next_job(&|_| true).unwrap();
        assert_eq!(
            (nodes(&second), second.turn.unwrap().overlaps),
            (vec![2], true)
        );
        assert_eq!(queues.next_job(&|_| true), None);
        queues.finished(&heaviest, 0);
        assert_eq!(
            queues.next_job(&|_| true),
            None,
            "the second is not accepted"
        );
        queues.accepted(&second.turn.unwrap());
        let third = queues.next_job(&|_| true).unwrap();
        assert_eq!(nodes(&third), [1]);
        queues.accepted(&third.turn.unwrap());
        queues.finished(&third, 0);
        assert_eq!(
            queues.next_job(&|_| true),
            None,
            "what stands in front waits for all"
        );
        queues.finished(&second, 0);
        let first = queues.next_job(&|_| true).unwrap();
        assert_eq!(
            (nodes(&first), first.turn.unwrap().overlaps),
            (vec![4], false)
        );
        queues.accepted(&first.turn.unwrap());
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [3]);
    }

    #[test]
    fn files_of_one_upload_leave_in_one_job() {
        let mut queues = ReadyQueues::new(LIMITS);
        let file = |node, upload| Ready {
            queue: Queue::Asset,
            upload,
            ..content(node, 1, 0)
        };
        queues.push(file(1, Some(7)));
        queues.push(file(2, None));
        queues.push(file(3, Some(7)));
        queues.push(file(4, Some(8)));
        queues.push(file(5, Some(7)));
        let wanted = |ready: &Ready| ready.node != 1;
        let first = queues.next_job(&wanted).unwrap();
        assert_eq!(
            nodes(&first),
            [3, 5],
            "the others leave without the lost one"
        );
        let alone = queues.next_job(&wanted).unwrap();
        assert_eq!(nodes(&alone), [2]);
        queues.finished(&alone, 0);
        queues.finished(&first, 0);
        // One came back without an outcome.
        queues.push(file(5, Some(7)));
        assert_eq!(nodes(&queues.next_job(&wanted).unwrap()), [4]);
        assert_eq!(nodes(&queues.next_job(&wanted).unwrap()), [5]);
        assert!(!queues.is_anything_ready());
    }

    #[test]
    fn no_upload_begins_while_too_many_files_are_in_flight() {
        let limits = Limits {
            assets: 9,
            ..LIMITS
        };
        let mut queues = ReadyQueues::new(limits);
        for node in 0..8 {
            queues.push(Ready {
                queue: Queue::Asset,
                upload: Some(node / 3),
                ..content(node, 1, 0)
            });
        }
        let first = queues.next_job(&|_| true).unwrap();
        let second = queues.next_job(&|_| true).unwrap();
        assert_eq!((first.steps.len(), second.steps.len()), (3, 3));
        assert_eq!(
            queues.next_job(&|_| true),
            None,
            "six files, and four are enough"
        );
        queues.finished(&first, 0);
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [6, 7]);
    }

    #[test]
    fn small_batches_wait_while_requests_are_dear_and_others_can_use_them() {
        let mut queues = ReadyQueues::new(LIMITS);
        let asset = |node| Ready {
            queue: Queue::Asset,
            ..content(node, 1, 0)
        };
        queues.batch_from(2);
        queues.push(content(0, 9, 0));
        let alone = queues.next_job(&|_| true).unwrap();
        assert_eq!(
            nodes(&alone),
            [0],
            "nothing is in flight that would end a wait"
        );
        queues.finished(&alone, 0);
        (10..14).for_each(|node| queues.push(asset(node)));
        let first = queues.next_job(&|_| true).unwrap();
        queues.push(content(1, 9, 0));
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [11]);
        queues.push(content(2, 9, 0));
        let pair = queues.next_job(&|_| true).unwrap();
        assert_eq!(nodes(&pair), [1, 2], "enough of them");
        (3..5).for_each(|node| queues.push(content(node, 9, 0)));
        assert_eq!(queues.next_job(&|_| true), None, "the worker has a batch");
        queues.push(content(5, 9, 0));
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [3, 4, 5]);
        queues.finished(&pair, 0);
        queues.finished(&first, 0);
        queues.push(content(6, 9, 0));
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [12]);
        queues.finished(&first, 0);
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [13]);
        let last = queues.next_job(&|_| true).unwrap();
        assert_eq!(nodes(&last), [6], "nobody else can use the request");
    }

    /// Queues that do not share a short queue out.
    fn filling() -> ReadyQueues {
        let mut queues = ReadyQueues::new(LIMITS);
        queues.size_batches(Sizes {
            share: 100,
            ..Sizes::default()
        });
        queues
    }

    #[test]
    fn an_encoding_is_proven_by_one_item_before_others_use_it() {
        let mut queues = filling();
        (0..4).for_each(|node| queues.push(content(node, 9 - node, 0b01)));
        let first = queues.next_job(&|_| true).unwrap();
        assert_eq!(nodes(&first), [0]);
        assert_eq!(queues.next_job(&|_| true), None);
        queues.finished(&first, 0);
        let second = queues.next_job(&|_| true).unwrap();
        assert_eq!(nodes(&second), [1], "the first one proved nothing");
        queues.finished(&second, 0b01);
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [2, 3]);
    }

    /// Where each batch took two seconds, a run had spent a third of its time on proofs, one after another, behind all that
    /// needed none.
    #[test]
    fn several_encodings_are_proven_at_one_time_and_beside_what_needs_no_proof() {
        let mut queues = filling();
        queues.push(content(0, 9, 0));
        queues.push(content(1, 8, 0b001));
        queues.push(content(2, 7, 0b001));
        queues.push(content(3, 6, 0b011));
        let first = queues.next_job(&|_| true).unwrap();
        assert_eq!(nodes(&first), [0, 1, 3]);
        queues.push(content(4, 5, 0b110));
        queues.push(content(5, 4, 0b010));
        queues.push(content(6, 3, 0));
        let second = queues.next_job(&|_| true).unwrap();
        assert_eq!(nodes(&second), [4, 6], "one of its encodings is new");
        queues.finished(&first, 0b011);
        assert_eq!(nodes(&queues.next_job(&|_| true).unwrap()), [2, 5]);
    }

    #[test]
    fn what_was_blocked_in_the_meantime_does_not_leave() {
        let mut queues = ReadyQueues::new(LIMITS);
        (0..4).for_each(|node| queues.push(content(node, 0, 0)));
        let job = queues.next_job(&|ready| ready.node != 0).unwrap();
        assert_eq!(nodes(&job), [1, 2]);
    }
}
