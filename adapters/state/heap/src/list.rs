//! A growing list of items per key.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use holdwater::codec::{EncodeError, Encoding, Reader};
use holdwater::error::{Fault, Malformed};
use holdwater::key::{At, Key, KeyGroup, KeyGroups};
use holdwater::schema::Data;
use holdwater::state::{
    Change, Description, Fate, Form, Judge, List, LoadError, Op, OutputFailed, RowWriter,
};

use crate::budget::Share;
use crate::error::HeapError;
use crate::expire::Look;
use crate::frozen::HeapFrozen;
use crate::held::{Held, located, state};
use crate::items::{CHUNKS_COPIED_MAX, Items};
use crate::row::{Payload, Row};
use crate::table::Table;

/// A growing list of items per key, on the heap.
#[derive(Debug)]
pub struct HeapList<K, V> {
    description: Description,
    table: Table<K, Items<V>>,
}

impl<K: Key, V: Data> HeapList<K, V> {
    pub(crate) fn new(groups: KeyGroups, description: Description, share: Share) -> Self {
        let table = Table::new(groups, &description, share);
        Self { description, table }
    }

    fn held(&self) -> &dyn Held {
        &self.table
    }

    fn held_mut(&mut self) -> &mut dyn Held {
        &mut self.table
    }

    fn load_row(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<HeapError>> {
        let mut reader = Reader::new(change.row);
        let key: K = form.key(&mut reader)?;
        let at = located(&self.table, group, &key)?;
        match change.op {
            Op::Put => {
                for _ in 0..form.count(&mut reader)? {
                    let item = form.value(&mut reader)?;
                    self.push(at, item).map_err(LoadError::State)?;
                }
                reader.finish()?;
            }
            Op::Remove => {
                reader.finish()?;
                self.table.remove(at);
            }
            Op::Keep => {
                let start = reader;
                let count = reader.varint_u64()?;
                reader.finish()?;
                let there = self.table.get(at).map_or(0, Items::len);
                if count > there {
                    return Err(start.fault(Fault::Range).into());
                }
                self.keep(at, count);
            }
            Op::Clear => return Err(Malformed::new(Fault::Range, 0).into()),
        }
        Ok(())
    }

    fn keep(&mut self, at: At<'_, K>, count: u64) {
        if count == 0 {
            self.table.remove(at);
        } else {
            self.table.modify(at, |items, touch| {
                items.note(touch);
                items.truncate(count, touch);
            });
        }
    }
}

state!(HeapList<K: Key, V: Data>);

impl<K: Key, V: Data> List<K, V> for HeapList<K, V> {
    #[inline]
    fn push(&mut self, at: At<'_, K>, item: V) -> Result<(), HeapError> {
        self.table.write(
            at,
            item,
            |item, touch| {
                let mut items = Items::new();
                items.push(item, touch);
                (items, ())
            },
            |item, items, touch| {
                items.note(touch);
                items.push(item, touch);
            },
        )
    }

    fn set(&mut self, at: At<'_, K>, items: impl IntoIterator<Item = V>) -> Result<(), HeapError> {
        let mut new = items.into_iter().peekable();
        if new.peek().is_none() {
            return self.remove(at);
        }
        self.table.write(
            at,
            new,
            |new, touch| {
                let mut items = Items::new();
                new.for_each(|item| items.push(item, touch));
                (items, ())
            },
            |new, items, touch| {
                items.note(touch);
                items.truncate(0, touch);
                new.for_each(|item| items.push(item, touch));
            },
        )
    }

    fn items(
        &self,
        at: At<'_, K>,
        visit: impl FnMut(&V) -> ControlFlow<()>,
    ) -> Result<(), HeapError> {
        if let Some(items) = self.table.get(at) {
            let _ = items.slices(0).into_iter().flatten().try_for_each(visit);
        }
        Ok(())
    }

    fn len(&self, at: At<'_, K>) -> Result<u64, HeapError> {
        Ok(self.table.get(at).map_or(0, Items::len))
    }

    fn retain(
        &mut self,
        at: At<'_, K>,
        mut fate: impl FnMut(&V) -> Fate<V>,
    ) -> Result<(), HeapError> {
        let Some(items) = self.table.get(at) else { return Ok(()) };
        // What stands before the first item that does not stay is not touched.
        let (mut kept, mut rest) = (0, None);
        for item in items.slices(0).into_iter().flatten() {
            let fate = fate(item);
            if rest.is_none() && matches!(fate, Fate::Kept) {
                kept += 1;
                continue;
            }
            let rest = rest.get_or_insert_with(Vec::new);
            match fate {
                Fate::Changed(item) => rest.push(item),
                Fate::Dropped => {}
                Fate::Kept => rest.push(item.clone()),
            }
        }
        match rest {
            None => {}
            Some(rest) if kept == 0 && rest.is_empty() => drop(self.table.remove(at)),
            Some(rest) => {
                self.table.modify(at, |items, touch| {
                    items.note(touch);
                    items.truncate(kept, touch);
                    rest.into_iter().for_each(|item| items.push(item, touch));
                });
            }
        }
        Ok(())
    }

    fn remove(&mut self, at: At<'_, K>) -> Result<(), HeapError> {
        self.table.remove(at);
        Ok(())
    }

    fn merge(&mut self, target: At<'_, K>, sources: &[At<'_, K>]) -> Result<(), HeapError> {
        self.table.admit()?;
        let target_key = K::own(target.view());
        let sources = sources.iter().filter(|source| !target_key.is(source.view()));
        let taken: Vec<_> = sources.filter_map(|source| self.table.remove(*source)).collect();
        if taken.is_empty() {
            return Ok(());
        }
        self.table.write_admitted(
            target,
            taken.into_iter(),
            |mut taken, touch| {
                let mut items = taken.next().expect("there is a source with items");
                items.take_over(touch);
                taken.for_each(|taken| items.absorb(&taken, touch));
                (items, ())
            },
            |taken, items, touch| {
                items.note(touch);
                taken.for_each(|taken| items.absorb(&taken, touch));
            },
        )
    }

    fn keys(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), HeapError> {
        let _ = self.table.each(group, |row| visit(&row.key));
        Ok(())
    }
}

impl<K: Key, V: Data> Payload<K> for Items<V> {
    const GROWS: bool = true;

    /// The rank behind those that are still to be looked at; without it all are.
    type Position = Option<u64>;

    fn bytes(&self, _: Encoding) -> usize {
        self.bytes()
    }

    fn save(
        row: &Row<K, Self>,
        base: Option<u32>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        let items = &row.payload;
        let is_live = |item: &&V| judge.is_none_or(|judge| judge.is_live(*item));
        // Of a row that the base does not have, nothing is kept; it may be there all the same, if
        // it was removed since, which is written before.
        let kept = match base.filter(|base| row.born <= *base).map(|base| items.kept(base)) {
            None => 0,
            // What has expired may be missing from the base, where nothing can be kept by its rank.
            Some(kept) if judge.is_some() && !items.first(kept).all(|item| is_live(&item)) => {
                out.removed(&row.key)?;
                0
            }
            Some(kept) => {
                out.kept(&row.key, kept)?;
                kept
            }
        };
        let rest = items.slices(kept);
        out.items(&row.key, kept, rest.iter().copied().flatten().filter(is_live))
    }

    fn removed(key: &K, out: &mut RowWriter<'_>) -> Result<(), EncodeError<OutputFailed>> {
        out.removed(key)
    }

    fn is_live(&self, judge: &Judge) -> bool {
        self.has_live(judge)
    }

    fn may_expire(&self, _: &mut Look<'_>) -> bool {
        true
    }

    fn expire(
        table: &mut Table<K, Self>,
        at: At<'_, K>,
        below: Option<u64>,
        look: &mut Look<'_>,
    ) -> Option<Option<u64>> {
        let piece = table.get(at)?.look(below, look);
        let is_cheap = piece.depth <= CHUNKS_COPIED_MAX || !piece.is_shared && table.owns(at);
        if piece.has_expired && is_cheap {
            let left = table.modify(at, |items, touch| {
                items.note(touch);
                items.drop_expired(&piece.ranks, &look.judge(), touch);
                items.len()
            });
            if left == Some(0) {
                table.remove(at);
            }
        } else if piece.has_expired {
            look.put_off();
        }
        (piece.ranks.start > 0).then_some(Some(piece.ranks.start))
    }
}
