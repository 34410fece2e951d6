use core::ops::{ControlFlow, Range};

use holdwater::codec::{EncodeError, Reader};
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup};
use holdwater::schema::Data;
use holdwater::state::{Change, Fate, Form, Judge, List, LoadError, Op, OutputFailed, RowWriter};

use crate::rows::Content;
use crate::table::Table;
use crate::{FixedError, Rows};

/// An item of the list of a key; its rank is its place among them.
#[derive(Clone, Debug)]
pub struct Item<V>(V);

impl<K: Key, V: Data, const N: usize, const G: usize> List<K, V> for Rows<K, Item<V>, N, G> {
    fn push(&mut self, at: At<'_, K>, item: V) -> Result<(), FixedError> {
        let places = self.find(at);
        self.need(1)?;
        self.insert(places.end, at, Item(item));
        Ok(())
    }

    /// Replaces the list; the new items are gathered on the stack first.
    fn set(&mut self, at: At<'_, K>, items: impl IntoIterator<Item = V>) -> Result<(), FixedError> {
        let places = self.find(at);
        let mut gathered = heapless::Vec::<V, N>::new();
        for item in items {
            gathered.push(item).map_err(|_| FixedError::Full { rows: N })?;
        }
        self.need(gathered.len().saturating_sub(places.len()))?;
        self.remove_rows(at.group(), places.clone());
        for (place, item) in (places.start..).zip(gathered) {
            self.insert(place, at, Item(item));
        }
        Ok(())
    }

    fn items(
        &self,
        at: At<'_, K>,
        mut visit: impl FnMut(&V) -> ControlFlow<()>,
    ) -> Result<(), FixedError> {
        let _ = self.table.rows(self.find(at)).try_for_each(|row| visit(&row.content.0));
        Ok(())
    }

    fn len(&self, at: At<'_, K>) -> Result<u64, FixedError> {
        Ok(self.find(at).len() as u64)
    }

    fn retain(
        &mut self,
        at: At<'_, K>,
        mut fate: impl FnMut(&V) -> Fate<V>,
    ) -> Result<(), FixedError> {
        self.review(at, |item| fate(&item.0), |item, new| item.0 = new);
        Ok(())
    }

    fn remove(&mut self, at: At<'_, K>) -> Result<(), FixedError> {
        self.remove_rows(at.group(), self.find(at));
        Ok(())
    }

    fn merge(&mut self, target: At<'_, K>, sources: &[At<'_, K>]) -> Result<(), FixedError> {
        let into = K::own(target.view());
        for source in sources {
            let places = self.find(*source);
            if places.is_empty() {
                continue;
            }
            let end = self.find(target).end;
            for place in self.table.shift(places, end) {
                let row = self.table.row_mut(place);
                row.rank = (u64::from(target.group().index()), target.slot());
                row.key = into.clone();
            }
            self.touch(source.group());
            self.touch(target.group());
        }
        Ok(())
    }

    fn keys(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), FixedError> {
        let mut runs = Item::of_group(&self.table, group);
        let _ = runs.try_for_each(|places| visit(&self.table.row(places.start).key));
        Ok(())
    }
}

impl<V: Data> Content for Item<V> {
    type Value = V;

    fn value(&self) -> &V {
        &self.0
    }

    fn save<K: Key, const N: usize>(
        table: &Table<K, Self, N>,
        places: Range<usize>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        let key = &table.row(places.start).key;
        let rows = table.rows(places).filter(|row| row.content.is_live(judge));
        out.items(key, 0, rows.map(|row| &row.content.0))
    }

    fn load<K: Key, const N: usize, const G: usize>(
        rows: &mut Rows<K, Self, N, G>,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<FixedError>> {
        let mut reader = Reader::new(change.row);
        let key = rows.load_key(group, &mut reader, form)?;
        let at = rows.locate(&key);
        match change.op {
            Op::Put => {
                for _ in 0..form.count(&mut reader)? {
                    let item = form.value(&mut reader)?;
                    rows.push(at, item).map_err(LoadError::State)?;
                }
            }
            Op::Remove => rows.remove(at).map_err(LoadError::State)?,
            Op::Keep => {
                let start = reader;
                let (kept, places) = (reader.varint_u64()?, rows.find(at));
                // More than there are: the delta stands on another list.
                let kept = usize::try_from(kept).ok().filter(|kept| *kept <= places.len());
                let kept = kept.ok_or(start.fault(Fault::Range))?;
                rows.remove_rows(group, places.start + kept..places.end);
            }
            Op::Clear => return Err(reader.fault(Fault::Range).into()),
        }
        Ok(reader.finish()?)
    }
}
