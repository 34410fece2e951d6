//! How what belongs to an operator is divided among a new number of tasks.

/// Divides the operator state of a checkpoint among the tasks of today, state by state.
///
/// As Apache Flink does (`RoundRobinOperatorStateRepartitioner`): each task gets an even share, and
/// the items left over go to one task each, beginning where those of the state before ended, so
/// that no task gets those of all states.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Division {
    /// How many tasks wrote the checkpoint.
    pub tasks: u16,
    /// The first task that gets an item left over.
    start: u16,
}

impl Division {
    /// Divides what `tasks` tasks wrote.
    pub const fn new(tasks: u16) -> Self {
        Self { tasks, start: 0 }
    }

    /// Returns the ranks of the first of `items` items that task `index` of `tasks` gets and of the
    /// first behind them. Each task asks once for each list, in the same order.
    pub fn share(&mut self, items: u64, index: u16, tasks: u16) -> (u64, u64) {
        let (each, over) = (items / u64::from(tasks), items % u64::from(tasks));
        let turn = (u64::from(index) + u64::from(tasks) - u64::from(self.start)) % u64::from(tasks);
        let first = turn * each + turn.min(over);
        // Less than the number of tasks.
        self.start = ((u64::from(self.start) + over) % u64::from(tasks)) as u16;
        (first, first + each + u64::from(turn < over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn shares_are_even_and_cover_each_item_once(
            lists in prop::collection::vec(0..1000u64, 1..10),
            tasks in 1..50u16,
        ) {
            let mut divisions: Vec<_> = (0..tasks).map(|_| Division::new(3)).collect();
            let mut totals = std::vec![0u64; usize::from(tasks)];
            for items in lists {
                let shares = (0..tasks).zip(&mut divisions);
                let mut shares: Vec<_> =
                    shares.map(|(index, division)| division.share(items, index, tasks)).collect();
                for ((first, end), total) in shares.iter().zip(&mut totals) {
                    *total += end - first;
                }
                shares.sort_unstable();
                let mut next = 0;
                for (first, end) in shares {
                    prop_assert_eq!(first, next);
                    prop_assert!(end - first >= items / u64::from(tasks));
                    next = end;
                }
                prop_assert_eq!(next, items);
            }
            // What is left over goes round: over all lists no task has two items more than another.
            let (least, most) = (totals.iter().min(), totals.iter().max());
            prop_assert!(most.unwrap() - least.unwrap() <= 1);
        }
    }
}
