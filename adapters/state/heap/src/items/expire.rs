//! Items that expire: looked at chunk by chunk, newest first.

use alloc::sync::Arc;
use core::mem::size_of;
use core::ops::Range;

use holdwater::schema::Data;
use holdwater::state::Judge;

use super::Items;
use crate::expire::Look;
use crate::row::{Touch, owned_bytes};

/// What a look at some items found.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The ranks of the items.
    pub(crate) ranks: Range<u64>,
    /// Whether one of them has expired.
    pub(crate) has_expired: bool,
    /// How many chunks are copied to drop it, if they are shared.
    pub(crate) depth: usize,
    /// Whether any of them is.
    pub(crate) is_shared: bool,
}

impl<V: Data> Items<V> {
    /// Looks at the newest items whose rank is below that one.
    pub(crate) fn look(&self, below: Option<u64>, look: &mut Look<'_>) -> Piece {
        let below = below.unwrap_or(self.length);
        let (mut ranks, mut has_expired) = (below..below, false);
        let (mut depth, mut is_shared, mut looked) = (0, false, 0);
        let (mut end, mut next) = (self.length, self.newest.as_ref());
        while let Some(chunk) = next
            && looked < CHUNKS_PER_LOOK
        {
            let start = end - chunk.items.len() as u64;
            depth += 1;
            is_shared |= Arc::strong_count(chunk) > 1;
            if start < below {
                for item in &chunk.items {
                    has_expired |= !look.finds_live(item);
                }
                looked += 1;
                ranks.start = start;
            }
            (end, next) = (start, chunk.previous.as_ref());
        }
        if looked == 0 {
            ranks = 0..0;
        }
        Piece { ranks, has_expired, depth, is_shared }
    }

    /// Drops the expired ones among the items of those ranks.
    pub(crate) fn drop_expired(&mut self, ranks: &Range<u64>, judge: &Judge, touch: &mut Touch) {
        let (mut first, mut count, mut bytes) = (u64::MAX, 0, 0);
        let (mut end, mut link) = (self.length, &mut self.newest);
        while let Some(mut chunk) = link.take() {
            let start = end - chunk.items.len() as u64;
            if end <= ranks.start {
                *link = Some(chunk);
                break;
            }
            let own = Arc::make_mut(&mut chunk);
            if start < ranks.end {
                let mut rank = start;
                own.items.retain(|item| {
                    let live = judge.is_live(item);
                    if !live {
                        (first, count) = (first.min(rank), count + 1);
                        bytes += size_of::<V>() + owned_bytes(item, touch.encoding);
                    }
                    rank += 1;
                    live
                });
            }
            end = start;
            if own.items.is_empty() {
                *link = own.previous.take();
            } else {
                let chunk = Arc::get_mut(link.insert(chunk)).expect("it was made its own above");
                link = &mut chunk.previous;
            }
        }
        self.length -= count;
        self.bytes -= bytes;
        touch.meter.owned -= bytes.cast_signed();
        for (_, kept) in &mut self.history {
            *kept = (*kept).min(first);
        }
    }

    /// Returns whether any item lives.
    pub(crate) fn has_live(&self, judge: &Judge) -> bool {
        let mut next = self.newest.as_deref();
        while let Some(chunk) = next {
            if chunk.items.iter().any(|item| judge.is_live(item)) {
                return true;
            }
            next = chunk.previous.as_deref();
        }
        false
    }
}

/// A chunk has 256 items at most.
const CHUNKS_PER_LOOK: usize = 2;
/// What stands behind the chunks that a snapshot shares waits until it lets them go.
pub(crate) const CHUNKS_COPIED_MAX: usize = 8;
