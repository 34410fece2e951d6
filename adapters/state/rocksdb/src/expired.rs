//! What compactions leave out: rows that have expired, and that no snapshot needs any more.

use std::ffi::CStr;
use std::sync::{Arc, Mutex, PoisonError};

use holdwater::state::Cutoff;
use holdwater_bytes::Layout;
use rocksdb::CompactionDecision;
use rocksdb::compaction_filter::CompactionFilter;
use rocksdb::compaction_filter_factory::{CompactionFilterContext, CompactionFilterFactory};

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
            let mut highest = self.cutoff.lock().unwrap_or_else(PoisonError::into_inner);
            *highest = cutoff.max(*highest);
        }
    }

    fn cutoff(&self) -> Cutoff {
        *self.cutoff.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a filter for each compaction of a state.
pub(crate) struct ExpiredFilters {
    pub(crate) expired: Arc<Expired>,
    pub(crate) layout: Layout,
}

/// Leaves out what had expired when the compaction began.
pub(crate) struct ExpiredFilter {
    cutoff: Cutoff,
    layout: Layout,
}

impl CompactionFilterFactory for ExpiredFilters {
    type Filter = ExpiredFilter;

    fn create(&mut self, _: CompactionFilterContext) -> ExpiredFilter {
        ExpiredFilter { cutoff: self.expired.cutoff(), layout: self.layout.clone() }
    }

    fn name(&self) -> &CStr {
        c"holdwater.expired"
    }
}

impl CompactionFilter for ExpiredFilter {
    fn filter(&mut self, _: u32, _: &[u8], value: &[u8]) -> CompactionDecision {
        // A row that cannot be read stays: whoever reads it says what is wrong with it.
        match self.layout.stamp(value) {
            Ok(stamp) if self.cutoff.includes(stamp) => CompactionDecision::Remove,
            _ => CompactionDecision::Keep,
        }
    }

    fn name(&self) -> &CStr {
        c"holdwater.expired"
    }
}
