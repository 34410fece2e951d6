use core::ops::{ControlFlow, Range};

use holdwater::codec::{EncodeError, Reader};
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup};
use holdwater::schema::Data;
use holdwater::state::{Change, Form, Judge, LoadError, Loan, Op, OutputFailed, RowWriter, Value};

use crate::rows::Content;
use crate::table::Table;
use crate::{FixedError, Rows};

/// The value of a key.
#[derive(Clone, Debug)]
pub struct One<V>(V);

impl<K: Key, V: Data, const N: usize, const G: usize> Value<K, V> for Rows<K, One<V>, N, G> {
    fn get(&self, at: At<'_, K>) -> Result<Option<Loan<'_, V>>, FixedError> {
        let place = self.find(at).next();
        Ok(place.map(|place| Loan::Borrowed(&self.table.row(place).content.0)))
    }

    fn put(&mut self, at: At<'_, K>, value: V) -> Result<(), FixedError> {
        let places = self.find(at);
        if places.is_empty() {
            self.need(1)?;
            self.insert(places.start, at, One(value));
        } else {
            self.table.row_mut(places.start).content.0 = value;
            self.touch(at.group());
        }
        Ok(())
    }

    fn update<R>(
        &mut self,
        at: At<'_, K>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, FixedError> {
        let places = self.find(at);
        if places.is_empty() {
            self.need(1)?;
            self.insert(places.start, at, One(init()));
        } else {
            self.touch(at.group());
        }
        Ok(edit(&mut self.table.row_mut(places.start).content.0))
    }

    fn remove(&mut self, at: At<'_, K>) -> Result<(), FixedError> {
        self.remove_rows(at.group(), self.find(at));
        Ok(())
    }

    fn visit(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K, &V) -> ControlFlow<()>,
    ) -> Result<(), FixedError> {
        let places = self.table.with(u64::from(group.index()));
        let mut rows = self.table.rows(places);
        let _ = rows.try_for_each(|row| visit(&row.key, &row.content.0));
        Ok(())
    }
}

impl<V: Data> Content for One<V> {
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
        let mut rows = table.rows(places).filter(|row| row.content.is_live(judge));
        rows.try_for_each(|row| out.value(&row.key, &row.content.0))
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
                if form.fresh && !rows.find(at).is_empty() {
                    return Err(reader.fault(Fault::Duplicate).into());
                }
                let value = form.value(&mut reader)?;
                rows.put(at, value).map_err(LoadError::State)?;
            }
            Op::Remove => rows.remove(at).map_err(LoadError::State)?,
            Op::Clear | Op::Keep => return Err(reader.fault(Fault::Range).into()),
        }
        Ok(reader.finish()?)
    }
}
