//! Where the boxes of a picture stand: in columns, what is needed to the left of what needs it.

use super::view::View;

/// Boxes that stand above one another before a column is divided.
const TALL: usize = 22;

/// Passes that bring boxes near those that they are joined with.
const PASSES: usize = 6;

/// The columns, from left to right; each holds places in [`View::nodes`], from top to bottom.
pub(super) fn columns(view: &View) -> Vec<Vec<usize>> {
    let ranks = ranks(view);
    let last = ranks.iter().copied().max().unwrap_or(0);
    let mut columns = vec![Vec::new(); last + 1];
    for (node, rank) in ranks.iter().enumerate() {
        columns[*rank].push(node);
    }
    let joined = joined(view);
    for pass in 0..PASSES {
        sort(&mut columns, &joined, pass % 2 == 1);
    }
    columns.iter().flat_map(|column| divide(column)).collect()
}

/// A column in parts that are not too tall, of equal height.
fn divide(column: &[usize]) -> Vec<Vec<usize>> {
    let parts = column.len().div_ceil(TALL).max(1);
    let height = column.len().div_ceil(parts).max(1);
    column.chunks(height).map(<[usize]>::to_vec).collect()
}

/// How many steps each box stands from those that need nothing. In a cycle, which has no first, the box with
/// the fewest needs left is taken; needs that are all cut do not count.
fn ranks(view: &View) -> Vec<usize> {
    let count = view.nodes.len();
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); count];
    for edge in &view.edges {
        if edge.from != edge.to && edge.cut < edge.needs {
            needs[edge.from].push(edge.to);
            needed_by[edge.to].push(edge.from);
        }
    }
    let mut left: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut ranks: Vec<Option<usize>> = vec![None; count];
    let mut ready: Vec<usize> = (0..count).filter(|node| left[*node] == 0).collect();
    for _ in 0..count {
        let next = ready.pop().or_else(|| {
            let open = (0..count).filter(|node| ranks[*node].is_none());
            open.min_by_key(|node| left[*node])
        });
        let Some(node) = next else { break };
        let below = needs[node].iter().filter_map(|needed| ranks[*needed]).max();
        ranks[node] = Some(below.map_or(0, |rank| rank + 1));
        for other in &needed_by[node] {
            left[*other] -= 1;
            if left[*other] == 0 && ranks[*other].is_none() {
                ready.push(*other);
            }
        }
    }
    ranks.into_iter().map(Option::unwrap_or_default).collect()
}

fn joined(view: &View) -> Vec<Vec<usize>> {
    let mut joined = vec![Vec::new(); view.nodes.len()];
    for edge in &view.edges {
        joined[edge.from].push(edge.to);
        joined[edge.to].push(edge.from);
    }
    joined
}

/// Orders each column by the mean height of what its boxes are joined with in the columns passed before.
fn sort(columns: &mut [Vec<usize>], joined: &[Vec<usize>], backwards: bool) {
    let mut height = vec![0.5_f64; joined.len()];
    for column in columns.iter() {
        for (at, node) in column.iter().enumerate() {
            height[*node] = share(at, column.len());
        }
    }
    let mean = |node: usize, height: &[f64]| {
        let others = &joined[node];
        if others.is_empty() {
            return height[node];
        }
        let sum: f64 = others.iter().map(|other| height[*other]).sum();
        sum * share_of_one(others.len())
    };
    let places: Vec<usize> = if backwards {
        (0..columns.len()).rev().collect()
    } else {
        (0..columns.len()).collect()
    };
    for place in places {
        let column = &mut columns[place];
        column.sort_by(|one, other| mean(*one, &height).total_cmp(&mean(*other, &height)));
        for (at, node) in column.iter().enumerate() {
            height[*node] = share(at, column.len());
        }
    }
}

fn share(at: usize, of: usize) -> f64 {
    (number(at) + 0.5) / number(of)
}

fn share_of_one(of: usize) -> f64 {
    1.0 / number(of)
}

/// Counts of boxes are small.
pub(super) fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::graph::tests::view;

    #[test]
    fn what_is_needed_stands_to_the_left() {
        let view = view(&[(0, 1), (1, 2), (0, 2)], &[]);
        assert_eq!(columns(&view), [vec![2], vec![1], vec![0]]);
    }

    #[test]
    fn a_cycle_is_ordered_by_its_cut_and_ends_without_one() {
        let cut = view(&[(0, 1)], &[(1, 0)]);
        assert_eq!(columns(&cut), [vec![1], vec![0]]);
        let closed = view(&[(0, 1), (1, 0)], &[]);
        assert_eq!(columns(&closed).concat().len(), 2);
    }

    #[test]
    fn no_column_is_too_tall_and_no_box_is_lost() {
        let edges: Vec<_> = (1..100).map(|node| (node, 0)).collect();
        let columns = columns(&view(&edges, &[]));
        assert!(columns.iter().all(|column| column.len() <= TALL));
        let mut all = columns.concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }
}
