//! The items of one list: chunks that snapshots share, the newest of which grows.

mod expire;

pub(crate) use expire::CHUNKS_COPIED_MAX;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::size_of;

use holdwater::schema::Data;

use crate::row::{Touch, owned_bytes};

/// The items of one list. Cloning takes a handle; pushing copies at most half a chunk.
#[derive(Clone, Debug)]
pub(crate) struct Items<V> {
    newest: Option<Arc<Chunk<V>>>,
    length: u64,
    bytes: usize,
    /// How long the list was at the end of a version, and how much of that is still there: for the
    /// versions in which it changed and that a delta may stand on.
    history: Vec<(u32, u64)>,
}

/// Some items, and those before them.
#[derive(Clone, Debug)]
struct Chunk<V> {
    items: Vec<V>,
    previous: Option<Arc<Self>>,
}

impl<V: Data> Items<V> {
    const CHUNK_ITEMS_MAX: usize = chunk_items_max::<V>();

    pub(crate) const fn new() -> Self {
        Self { newest: None, length: 0, bytes: 0, history: Vec::new() }
    }

    pub(crate) const fn len(&self) -> u64 {
        self.length
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes note of how long the list is before a change, once per version.
    #[inline]
    pub(crate) fn note(&mut self, touch: &Touch) {
        if touch.before == touch.now {
            return;
        }
        match touch.base {
            // No delta can stand on anything.
            None => self.history.clear(),
            Some(base) => {
                let needless = self.history.partition_point(|(version, _)| *version <= base);
                self.history.drain(..needless.saturating_sub(1));
                self.history.push((touch.before, self.length));
            }
        }
    }

    /// Returns how many items of those at the end of the version `base` are still there.
    pub(crate) fn kept(&self, base: u32) -> u64 {
        self.history.iter().rfind(|(version, _)| *version <= base).map_or(0, |(_, kept)| *kept)
    }

    pub(crate) fn push(&mut self, item: V, touch: &mut Touch) {
        let bytes = size_of::<V>() + owned_bytes(&item, touch.encoding);
        self.bytes += bytes;
        self.length += 1;
        touch.meter.owned += bytes.cast_signed();
        match self.newest.as_mut().and_then(Arc::get_mut) {
            Some(chunk) if chunk.items.len() < Self::CHUNK_ITEMS_MAX => chunk.items.push(item),
            _ => self.begin_chunk(item),
        }
    }

    /// Begins a new row with what another row held: of which no base knows.
    pub(crate) fn take_over(&mut self, touch: &mut Touch) {
        self.history.clear();
        touch.meter.owned += self.bytes.cast_signed();
    }

    /// Pushes the items of another list.
    pub(crate) fn absorb(&mut self, other: &Self, touch: &mut Touch) {
        other.slices(0).into_iter().flatten().for_each(|item| self.push(item.clone(), touch));
    }

    /// Drops the items from `count` on.
    pub(crate) fn truncate(&mut self, count: u64, touch: &mut Touch) {
        let gone: usize = self
            .slices(count)
            .into_iter()
            .flatten()
            .map(|item| size_of::<V>() + owned_bytes(item, touch.encoding))
            .sum();
        self.bytes -= gone;
        touch.meter.owned -= gone.cast_signed();
        for (_, kept) in &mut self.history {
            *kept = (*kept).min(count);
        }
        while self.length > count {
            let Some(newest) = self.newest.take() else { break };
            let start = self.length - newest.items.len() as u64;
            if start >= count {
                self.length = start;
                self.newest.clone_from(&newest.previous);
            } else {
                let items = newest.items[..(count - start) as usize].to_vec();
                self.length = count;
                self.newest = Some(Arc::new(Chunk { items, previous: newest.previous.clone() }));
            }
        }
    }

    /// Returns the items from the one of rank `first` on, in pieces.
    pub(crate) fn slices(&self, first: u64) -> Vec<&[V]> {
        let (mut slices, mut end, mut next) = (Vec::new(), self.length, self.newest.as_deref());
        while let Some(chunk) = next
            && end > first
        {
            let start = end - chunk.items.len() as u64;
            let skipped = usize::try_from(first.saturating_sub(start)).unwrap_or(usize::MAX);
            slices.push(chunk.items.get(skipped..).unwrap_or_default());
            (end, next) = (start, chunk.previous.as_deref());
        }
        slices.reverse();
        slices
    }

    /// Returns the first `count` items.
    pub(crate) fn first(&self, count: u64) -> impl Iterator<Item = &V> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.slices(0).into_iter().flatten().take(count)
    }

    /// Puts `item` in a chunk of its own, or with the items of the newest if those are few: else a
    /// list that grows by one item between freezes would be all chunks of one.
    #[cold]
    fn begin_chunk(&mut self, item: V) {
        let (mut items, mut previous) = (Vec::new(), self.newest.take());
        if let Some(newest) = &previous
            && newest.items.len() <= Self::CHUNK_ITEMS_MAX / 2
        {
            items.reserve(newest.items.len() + 1);
            items.extend_from_slice(&newest.items);
            previous = newest.previous.clone();
        }
        items.push(item);
        self.newest = Some(Arc::new(Chunk { items, previous }));
    }
}

impl<V> Drop for Chunk<V> {
    /// One after the other: a long list would nest too deep.
    fn drop(&mut self) {
        let mut next = self.previous.take();
        while let Some(chunk) = next.and_then(Arc::into_inner) {
            let mut chunk = chunk;
            next = chunk.previous.take();
        }
    }
}

/// Returns how many items a chunk has: about 2 KiB of them, but 8 at least and 256 at most.
const fn chunk_items_max<V>() -> usize {
    let size = if size_of::<V>() == 0 { 1 } else { size_of::<V>() };
    let count = 2048 / size;
    if count < 8 {
        8
    } else if count > 256 {
        256
    } else {
        count
    }
}
