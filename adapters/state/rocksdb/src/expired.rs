//! What compactions leave out: rows that have expired, and that no snapshot needs any more; rows of
//! groups that other tasks have taken over.

use std::ffi::CStr;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use holdwater::state::Cutoff;
use holdwater_bytes::{GROUP_LEN, Layout};
use rocksdb::CompactionDecision;
use rocksdb::compaction_filter::CompactionFilter;
use rocksdb::compaction_filter_factory::{CompactionFilterContext, CompactionFilterFactory};

use crate::route::lock;

/// Up to which stamp rows of a state have expired, shared with compactions, which run beside it.
#[derive(Debug, Default)]
pub(crate) struct Expired {
    cutoff: Mutex<Cutoff>,
    holds: Hold,
}

/// As long as it lives, compactions leave out nothing that had not expired when it was taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hold(Arc<()>);

impl Expired {
    /// Lets what was frozen keep its rows.
    pub(crate) fn hold(&self) -> Hold {
        self.holds.clone()
    }

    /// Takes note of what has expired.
    pub(crate) fn advance(&self, cutoff: Cutoff) {
        // What was frozen may need rows that have expired since: a compaction heeds no snapshot.
        if Arc::strong_count(&self.holds.0) == 1 {
            let mut highest = lock(&self.cutoff);
            *highest = cutoff.max(*highest);
        }
    }

    fn cutoff(&self) -> Cutoff {
        *lock(&self.cutoff)
    }
}

/// The groups whose rows a database is to keep, shared with compactions: they leave out others.
#[derive(Clone, Debug)]
pub(crate) struct Clip(Arc<Mutex<Range<u16>>>);

impl Clip {
    /// Keeps rows of `groups` alone.
    pub(crate) fn new(groups: Range<u16>) -> Self {
        Self(Arc::new(Mutex::new(groups)))
    }

    /// Keeps the rows of `group` too, and of all between. What is compacted already holds none of
    /// them that is needed.
    pub(crate) fn widen(&self, group: u16) {
        let mut groups = lock(&self.0);
        *groups = groups.start.min(group)..groups.end.max(group + 1);
    }

    fn groups(&self) -> Range<u16> {
        lock(&self.0).clone()
    }
}

/// Makes a filter for each compaction of a state.
pub(crate) struct RowFilters {
    /// What has expired, if rows do.
    pub(crate) expired: Option<(Arc<Expired>, Layout)>,
    /// The groups whose rows are kept, if there may be others.
    pub(crate) clip: Option<Clip>,
}

/// Leaves out what had expired when the compaction began, and what belongs to others.
pub(crate) struct RowFilter {
    expired: Option<(Cutoff, Layout)>,
    clip: Option<Range<u16>>,
}

impl CompactionFilterFactory for RowFilters {
    type Filter = RowFilter;

    fn create(&mut self, _: CompactionFilterContext) -> RowFilter {
        let cutoff =
            |(expired, layout): &(Arc<Expired>, Layout)| (expired.cutoff(), layout.clone());
        let clip = self.clip.as_ref().map(Clip::groups);
        RowFilter { expired: self.expired.as_ref().map(cutoff), clip }
    }

    fn name(&self) -> &CStr {
        c"holdwater.rows"
    }
}

impl RowFilter {
    /// Returns whether nobody needs the row. One that cannot be read stays: whoever reads it says
    /// what is wrong with it.
    fn is_waste(&self, row: &[u8], value: &[u8]) -> bool {
        let group = row.first_chunk::<GROUP_LEN>().map(|group| u16::from_be_bytes(*group));
        if let (Some(clip), Some(group)) = (&self.clip, group)
            && !clip.contains(&group)
        {
            return true;
        }
        self.expired.as_ref().is_some_and(|(cutoff, layout)| {
            layout.stamp(value).is_ok_and(|stamp| cutoff.includes(stamp))
        })
    }
}

impl CompactionFilter for RowFilter {
    fn filter(&mut self, _: u32, row: &[u8], value: &[u8]) -> CompactionDecision {
        if self.is_waste(row, value) {
            CompactionDecision::Remove
        } else {
            CompactionDecision::Keep
        }
    }

    fn name(&self) -> &CStr {
        c"holdwater.rows"
    }
}
