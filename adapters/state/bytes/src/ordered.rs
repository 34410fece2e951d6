use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::convert::Infallible;
use core::ops::{Bound, ControlFlow};

use holdwater::state::Cut;

use crate::{ByteRows, ByteStore, ByteTable, Layout};

/// A store in memory: a tree for each state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ordered;

/// A tree of rows, shared with what was frozen of it until it is written to.
#[derive(Debug, Default)]
pub struct OrderedTable {
    rows: Arc<Tree>,
    bytes: u64,
    /// The trees that were frozen, and their bytes.
    frozen: Vec<(Weak<Tree>, u64)>,
}

/// The rows of an [`OrderedTable`] as they were at one moment.
#[derive(Clone, Debug)]
pub struct OrderedRows(Arc<Tree>);

type Tree = BTreeMap<Vec<u8>, Vec<u8>>;

impl ByteStore for Ordered {
    type Error = Infallible;
    type Table = OrderedTable;

    fn open(&mut self, _: &Layout) -> Result<OrderedTable, Infallible> {
        Ok(OrderedTable::default())
    }
}

impl ByteTable for OrderedTable {
    type Frozen = OrderedRows;

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Infallible> {
        self.bytes += (key.len() + value.len()) as u64;
        if let Some(old) = Arc::make_mut(&mut self.rows).insert(key.into(), value.into()) {
            self.bytes -= (key.len() + old.len()) as u64;
        }
        Ok(())
    }

    fn delete(&mut self, key: &[u8]) -> Result<(), Infallible> {
        // Looked up first: a tree that is shared is not copied for nothing.
        if self.rows.contains_key(key)
            && let Some(old) = Arc::make_mut(&mut self.rows).remove(key)
        {
            self.bytes -= (key.len() + old.len()) as u64;
        }
        Ok(())
    }

    fn freeze(&mut self, _: &Cut) -> Result<OrderedRows, Infallible> {
        self.frozen.retain(|(tree, _)| tree.strong_count() > 0);
        self.frozen.push((Arc::downgrade(&self.rows), self.bytes));
        Ok(OrderedRows(Arc::clone(&self.rows)))
    }

    fn bytes(&self) -> u64 {
        let live = Arc::as_ptr(&self.rows);
        let copies = self
            .frozen
            .iter()
            .filter(|(tree, _)| tree.strong_count() > 0 && !core::ptr::eq(tree.as_ptr(), live));
        self.bytes + copies.map(|(_, bytes)| bytes).sum::<u64>()
    }
}

macro_rules! read_tree {
    ($table:ty, $rows:tt) => {
        impl ByteRows for $table {
            type Error = Infallible;

            fn get<R>(
                &self,
                key: &[u8],
                read: impl FnOnce(&[u8]) -> R,
            ) -> Result<Option<R>, Infallible> {
                Ok(self.$rows.get(key).map(|value| read(value)))
            }

            fn range(
                &self,
                start: Bound<&[u8]>,
                end: Bound<&[u8]>,
                mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
            ) -> Result<(), Infallible> {
                let mut rows = range(&self.$rows, start, end);
                let _ = rows.try_for_each(|(key, value)| visit(key, value));
                Ok(())
            }

            fn range_back(
                &self,
                start: Bound<&[u8]>,
                end: Bound<&[u8]>,
                mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
            ) -> Result<(), Infallible> {
                let mut rows = range(&self.$rows, start, end).rev();
                let _ = rows.try_for_each(|(key, value)| visit(key, value));
                Ok(())
            }
        }
    };
}

read_tree!(OrderedTable, rows);
read_tree!(OrderedRows, 0);

/// Returns the rows between bounds.
fn range<'t>(
    tree: &'t Tree,
    start: Bound<&[u8]>,
    end: Bound<&[u8]>,
) -> impl DoubleEndedIterator<Item = (&'t Vec<u8>, &'t Vec<u8>)> {
    // A tree panics at a range that ends before it starts, or between a key and itself.
    let is_range = match (start, end) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Included(start), Bound::Included(end)) => start <= end,
        (
            Bound::Included(start) | Bound::Excluded(start),
            Bound::Included(end) | Bound::Excluded(end),
        ) => start < end,
    };
    is_range.then(|| tree.range::<[u8], _>((start, end))).into_iter().flatten()
}
