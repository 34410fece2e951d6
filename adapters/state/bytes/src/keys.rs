//! How many keys have a row.

use alloc::boxed::Box;
use alloc::vec;

use holdwater::key::{KeyGroup, KeyGroups};

use crate::layout::GROUP_LEN;

/// How many keys have a row in each group, or how many timers there are.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    groups: KeyGroups,
    of_groups: Box<[u64]>,
    sum: u64,
}

impl Keys {
    pub(crate) fn new(groups: KeyGroups) -> Self {
        Self { groups, of_groups: vec![0; groups.count()].into(), sum: 0 }
    }

    /// Counts the key of `row`, if it is new.
    pub(crate) fn add(&mut self, row: &[u8], new: bool) {
        if new {
            *self.of(row) += 1;
            self.sum += 1;
        }
    }

    /// Counts the key of `row` no more, if it is gone.
    pub(crate) fn remove(&mut self, row: &[u8], gone: bool) {
        if gone {
            *self.of(row) -= 1;
            self.sum -= 1;
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.groups);
    }

    /// Takes it from whoever knows.
    pub(crate) fn set(&mut self, group: KeyGroup, keys: u64) {
        let known = &mut self.of_groups[self.groups.position(group)];
        self.sum = self.sum - *known + keys;
        *known = keys;
    }

    pub(crate) const fn sum(&self) -> u64 {
        self.sum
    }

    /// Returns the number for each owned group, in their order.
    pub(crate) fn of_groups(&self) -> Box<[u64]> {
        self.of_groups.clone()
    }

    fn of(&mut self, row: &[u8]) -> &mut u64 {
        let group = row.first_chunk::<GROUP_LEN>().expect("a row begins with its group");
        let group = KeyGroup::new(u16::from_be_bytes(*group));
        &mut self.of_groups[self.groups.position(group)]
    }
}
