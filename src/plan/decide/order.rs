//! The order of one row of siblings, compared three ways.
//!
//! Positions shift whenever a page comes or goes, so only the order of pages that both sides had at the last agreement shows
//! which side moved one: a side moved those that are not in a longest subsequence which still has the agreed order. What
//! only the source moved goes where the source has it, behind the page that it follows there; everything else stays where
//! the target has it, pages of the target alone included. A page that both moved to the same place is in sync; one that they
//! moved to different places is a conflict. It stays one when the pages that it was moved across go: nothing is agreed about
//! its place any more.
//!
//! A page is put in front of the nearest one behind it that stands at its place. Where that is done one at a time, the
//! pages that are at their places are in order after every step, whatever comes first. Only the end of a row cannot be
//! named, unless a page is new in it: a page that has to go there is put in front of the last one, which then goes in
//! front of it.
//!
//! A page that is not written, such as one in conflict, stays where it is, and the others find their places beside it. Behind
//! it at the end of a row they find none.

/// Ranks are handed out this far apart, so that many pages fit between two without new ranks for others.
const GAP: i64 = 1 << 32;

/// Where a page of the source is on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nowhere yet.
    New,
    /// In another row, and it comes here.
    Arrives,
    /// In another row, and it stays there.
    Away,
    /// In this row, at this position among those that stay in it.
    Here(usize),
}

/// A page of the row, as the source has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) standing: Standing,
    /// Its rank at the last agreement, if it was in this row then.
    pub(super) agreed: Option<i64>,
    /// Whether it was put here, and the row was never seen as it should be. Then nothing was agreed.
    pub(super) owed: bool,
    /// Whether it is not written, so that it stays where it is.
    pub(super) held: bool,
}

/// Which side moved a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Both have it at the same place.
    Agrees,
    /// The source: it goes where the source has it. So does what is new.
    Source,
    /// The target: it stays there.
    Target,
    /// Both, to different places.
    Both,
    /// One of them, and it is not known which.
    Unknown,
    /// The source, and it stays: it is not written, or belongs behind one at the end that is not.
    Held,
}

/// An entry of the row as it is going to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A page of the source, by its index.
    Member(usize),
    /// A page of the target alone, by its position.
    Other(usize),
}

/// The page that goes to the end of a row before others can find their places in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The page.
    pub(super) first: usize,
    /// Of one that is in the row already: the one that stands at the end until now.
    pub(super) last: Option<usize>,
    /// Those that come after it.
    pub(super) behind: Vec<usize>,
}

/// What was found about a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Merged {
    /// One per member.
    pub(super) verdicts: Vec<Verdict>,
    /// The row on the target as it is going to be. Members that are away are not in it.
    pub(super) row: Vec<Entry>,
    /// Whether a member that is on the target has to be put somewhere.
    pub(super) moves: Vec<bool>,
    /// What has to be at the end of the row first.
    pub(super) end: Option<End>,
    /// The rank that each member has once what was decided is done; `None` of those without an agreement.
    pub(super) ranks: Vec<Option<i64>>,
}

/// Compares a row: `members` in the source's order, and how many pages the target has in it. With `overwrite` the
/// source decides where both moved a page.
pub(super) fn merge(members: &[Member], there: usize, overwrite: bool) -> Merged {
    let by_source = moved_by_source(members);
    let mut verdicts = verdicts(members, there, &by_source);
    let mut arrives = vec![false; members.len()];
    for (at, verdict) in verdicts.iter_mut().enumerate() {
        let decides = overwrite && matches!(verdict, Verdict::Both | Verdict::Unknown);
        if decides {
            *verdict = Verdict::Source;
        }
        if members[at].held && *verdict == Verdict::Source {
            *verdict = Verdict::Held;
        }
        let decides = decides && !members[at].held;
        arrives[at] = match members[at].standing {
            Standing::Arrives => !members[at].held,
            Standing::Away => decides,
            Standing::New | Standing::Here(_) => false,
        };
    }
    let (row, mut moves, last) = loop {
        let row = row(members, there, &verdicts);
        let mut moves = moves(members, &row, &verdicts);
        for (moves, arrives) in moves.iter_mut().zip(&arrives) {
            *moves |= arrives;
        }
        match last_of_row(members, there, &row, &moves) {
            Some((end, last)) if members[last].held => verdicts[end] = Verdict::Held,
            found => break (row, moves, found.map(|(_, last)| last)),
        }
    };
    if let Some(last) = last {
        moves[last] = true;
    }
    let end = end(members, last, &row, &moves);
    let ranks = ranks(members, &by_source, &verdicts);
    Merged {
        verdicts,
        row,
        moves,
        end,
        ranks,
    }
}

fn moved_by_source(members: &[Member]) -> Vec<bool> {
    let agreed = members.iter().enumerate();
    let agreed: Vec<_> = agreed
        .filter_map(|(at, member)| Some((at, member.agreed?)))
        .collect();
    out_of_order(&agreed, members.len())
}

fn moved_by_target(members: &[Member]) -> Vec<bool> {
    let mut agreed: Vec<(usize, usize, i64)> = members
        .iter()
        .enumerate()
        .filter_map(|(at, member)| match member.standing {
            Standing::Here(there) => Some((there, at, member.agreed?)),
            Standing::New | Standing::Arrives | Standing::Away => None,
        })
        .collect();
    agreed.sort_unstable();
    let agreed: Vec<_> = agreed.into_iter().map(|(_, at, rank)| (at, rank)).collect();
    out_of_order(&agreed, members.len())
}

/// Marks those of `placed` that are not in a longest rising subsequence of the second number.
fn out_of_order(placed: &[(usize, i64)], count: usize) -> Vec<bool> {
    let stays = rising(&placed.iter().map(|(_, rank)| *rank).collect::<Vec<_>>());
    let mut moved = vec![false; count];
    for ((at, _), stays) in placed.iter().zip(stays) {
        moved[*at] = !stays;
    }
    moved
}

fn verdicts(members: &[Member], there: usize, by_source: &[bool]) -> Vec<Verdict> {
    let by_target = moved_by_target(members);
    let mut verdicts: Vec<Verdict> = (0..members.len())
        .map(|at| match members[at].standing {
            Standing::New | Standing::Arrives => Verdict::Source,
            Standing::Away if by_source[at] => Verdict::Both,
            Standing::Away => Verdict::Target,
            Standing::Here(_) if members[at].agreed.is_none() => Verdict::Unknown,
            Standing::Here(_) => match (by_source[at], by_target[at]) {
                (false, false) => Verdict::Agrees,
                (true, false) => Verdict::Source,
                (false, true) => Verdict::Target,
                (true, true) => Verdict::Both,
            },
        })
        .collect();
    // Where both did something, or one did and it is not known which, the outcome may be the same all the same.
    let all = here(members, &(0..members.len()).collect::<Vec<_>>());
    let is_fixed = |at: usize| verdicts[at] == Verdict::Agrees;
    let is_open = |at: usize| matches!(verdicts[at], Verdict::Both | Verdict::Unknown);
    for at in fitting(&all, there, is_fixed, is_open) {
        verdicts[at] = Verdict::Agrees;
    }
    for (verdict, member) in verdicts.iter_mut().zip(members) {
        if member.owed && *verdict == Verdict::Unknown {
            *verdict = Verdict::Source;
        }
    }
    verdicts
}

/// Those of `order` that are in the row on the target, with their positions there.
fn here(members: &[Member], order: &[usize]) -> Vec<(usize, usize)> {
    let position = |at: &usize| match members[*at].standing {
        Standing::Here(there) => Some((*at, there)),
        Standing::New | Standing::Arrives | Standing::Away => None,
    };
    order.iter().filter_map(position).collect()
}

/// The most of the open ones that stand between the fixed ones already as `order` has them. The fixed ones are in order.
fn fitting<K: Copy>(
    order: &[(K, usize)],
    there: usize,
    is_fixed: impl Fn(K) -> bool,
    is_open: impl Fn(K) -> bool,
) -> Vec<K> {
    let mut fit = Vec::new();
    let mut open: Vec<(K, usize)> = Vec::new();
    // The first position after the last fixed one.
    let mut from = 0;
    let mut close = |open: &mut Vec<(K, usize)>, from: usize, to: usize| {
        open.retain(|(_, position)| (from..to).contains(position));
        let stays = rising(
            &open
                .iter()
                .map(|(_, position)| *position)
                .collect::<Vec<_>>(),
        );
        let kept = open.drain(..).zip(stays).filter(|(_, stays)| *stays);
        fit.extend(kept.map(|((key, _), _)| key));
    };
    for (key, position) in order {
        if is_fixed(*key) {
            close(&mut open, from, *position);
            from = position + 1;
        } else if is_open(*key) {
            open.push((*key, *position));
        }
    }
    close(&mut open, from, there);
    fit
}

/// The row as it is going to be: what the target has in its order, and behind each page that both have what the source
/// puts there.
fn row(members: &[Member], there: usize, verdicts: &[Verdict]) -> Vec<Entry> {
    let mut present: Vec<Option<Entry>> = (0..there).map(|at| Some(Entry::Other(at))).collect();
    let mut front = Vec::new();
    let mut behind: Vec<Vec<Entry>> = vec![Vec::new(); there];
    let mut anchor: Option<usize> = None;
    for (at, member) in members.iter().enumerate() {
        match (verdicts[at], member.standing) {
            (Verdict::Source, standing) => {
                if let Standing::Here(position) = standing {
                    present[position] = None;
                }
                anchor
                    .map_or(&mut front, |anchor| &mut behind[anchor])
                    .push(Entry::Member(at));
            }
            (Verdict::Agrees, Standing::Here(position)) => {
                present[position] = Some(Entry::Member(at));
                anchor = Some(position);
            }
            (_, Standing::Here(position)) => present[position] = Some(Entry::Member(at)),
            (_, Standing::New | Standing::Arrives | Standing::Away) => {}
        }
    }
    for (entry, behind) in present.into_iter().zip(behind) {
        front.extend(entry);
        front.extend(behind);
    }
    front
}

/// Whether a member of the row does not stand there as `row` has it. What the source did not move never does.
fn moves(members: &[Member], row: &[Entry], verdicts: &[Verdict]) -> Vec<bool> {
    let is_placed = |at: usize| verdicts[at] == Verdict::Source;
    let mut moves: Vec<bool> = (0..members.len())
        .map(|at| is_placed(at) && matches!(members[at].standing, Standing::Here(_)))
        .collect();
    let placed: Vec<(Entry, usize)> = row
        .iter()
        .filter_map(|entry| match entry {
            Entry::Other(position) => Some((*entry, *position)),
            Entry::Member(at) => match members[*at].standing {
                Standing::Here(position) => Some((*entry, position)),
                Standing::New | Standing::Arrives | Standing::Away => None,
            },
        })
        .collect();
    let is_open = |entry: Entry| matches!(entry, Entry::Member(at) if is_placed(at));
    for entry in fitting(&placed, usize::MAX, |entry| !is_open(entry), is_open) {
        if let Entry::Member(at) = entry {
            moves[at] = false;
        }
    }
    moves
}

/// Where a member of the row has to go to its end, that one and the member that is there now.
fn last_of_row(
    members: &[Member],
    there: usize,
    row: &[Entry],
    moves: &[bool],
) -> Option<(usize, usize)> {
    let Some(Entry::Member(end)) = row.last().copied() else {
        return None;
    };
    let is_here = matches!(members[end].standing, Standing::Here(_));
    let is_last =
        |member: &Member| matches!(member.standing, Standing::Here(at) if at + 1 == there);
    let last = members.iter().position(is_last).filter(|last| *last != end);
    last.filter(|_| moves[end] && is_here)
        .map(|last| (end, last))
}

/// What has to be at the end before others: they have nothing else behind them that stands at its place.
fn end(members: &[Member], last: Option<usize>, row: &[Entry], moves: &[bool]) -> Option<End> {
    let is_open = |entry: &Entry| match entry {
        Entry::Other(_) => false,
        Entry::Member(at) => moves[*at] || members[*at].standing == Standing::New,
    };
    let open = row.iter().rev().take_while(|entry| is_open(entry));
    let mut open = open.filter_map(|entry| match entry {
        Entry::Member(at) => Some(*at),
        Entry::Other(_) => None,
    });
    let first = open.next()?;
    let mut behind: Vec<usize> = open.collect();
    behind.extend(last.filter(|last| !behind.contains(last)));
    // New ones and arrivals find the end by themselves, in any order.
    let is_here = |at: &usize| matches!(members[*at].standing, Standing::Here(_));
    behind.iter().any(is_here).then_some(End {
        first,
        last,
        behind,
    })
}

/// Ranks in the order that is agreed upon once everything is done: the source's, in which pages that are left in conflict
/// stay where they were agreed.
fn ranks(members: &[Member], moved: &[bool], verdicts: &[Verdict]) -> Vec<Option<i64>> {
    let renews = |at: usize| matches!(verdicts[at], Verdict::Agrees | Verdict::Source);
    let known = |at: usize| members[at].agreed.filter(|_| !moved[at]);
    let mut order: Vec<(usize, Option<i64>)> = (0..members.len())
        .filter(|at| known(*at).is_some() || renews(*at))
        .map(|at| (at, known(at)))
        .collect();
    let mut left: Vec<(i64, usize)> = (0..members.len())
        .filter(|at| moved[*at] && !renews(*at))
        .filter_map(|at| Some((members[at].agreed?, at)))
        .collect();
    left.sort_unstable();
    for (rank, at) in left {
        let before = |(_, known): &(usize, Option<i64>)| known.is_some_and(|known| known < rank);
        let behind = order.iter().rposition(before).map_or(0, |at| at + 1);
        order.insert(behind, (at, Some(rank)));
    }
    let known: Vec<Option<i64>> = order.iter().map(|(_, known)| *known).collect();
    let spread =
        spread(&known).unwrap_or_else(|| (1..).map(|at| at * GAP).take(known.len()).collect());
    let mut ranks = vec![None; members.len()];
    for ((at, _), rank) in order.iter().zip(spread) {
        ranks[*at] = Some(rank);
    }
    ranks
}

/// Fills the gaps between known ranks; `None` where they are too narrow, or the known ones do not rise.
fn spread(known: &[Option<i64>]) -> Option<Vec<i64>> {
    let mut ranks: Vec<i64> = Vec::with_capacity(known.len());
    let mut at = 0;
    while at < known.len() {
        let next = known[at..]
            .iter()
            .position(Option::is_some)
            .map(|next| at + next);
        let open = i64::try_from(next.unwrap_or(known.len()) - at).ok()?;
        let above = next.and_then(|next| known[next]);
        let step = match (ranks.last(), above) {
            (Some(below), Some(above)) => above.checked_sub(*below)? / (open + 1),
            (_, _) => GAP,
        };
        if step < 1 {
            return None;
        }
        let first = match (ranks.last(), above) {
            (Some(below), _) => below.checked_add(step)?,
            (None, Some(above)) => above.checked_sub(step.checked_mul(open)?)?,
            (None, None) => step,
        };
        for number in 0..open {
            ranks.push(first.checked_add(step.checked_mul(number)?)?);
        }
        ranks.extend(above);
        at = next.map_or(known.len(), |next| next + 1);
    }
    Some(ranks)
}

/// Marks a longest rising subsequence.
pub(super) fn rising<N: Ord>(numbers: &[N]) -> Vec<bool> {
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; numbers.len()];
    for (at, number) in numbers.iter().enumerate() {
        let length = tails.partition_point(|tail| numbers[*tail] < *number);
        before[at] = length.checked_sub(1).map(|shorter| tails[shorter]);
        if length == tails.len() {
            tails.push(at);
        } else {
            tails[length] = at;
        }
    }
    let mut stays = vec![false; numbers.len()];
    let mut next = tails.last().copied();
    while let Some(at) = next {
        stays[at] = true;
        next = before[at];
    }
    stays
}

#[cfg(test)]
mod tests;
