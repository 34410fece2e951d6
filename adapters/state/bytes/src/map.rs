use core::marker::PhantomData;
use core::ops::{Bound, ControlFlow, RangeBounds};

use alloc::vec::Vec;
use holdwater::codec::Reader;
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup, OrderedKey};
use holdwater::schema::Data;
use holdwater::state::{Change, Fate, Form, LoadError, Loan, Map, Op, OrderedMap};

use crate::arrangement::{Arrangement, AsEncoded, InOrder};
use crate::layout::Row;
use crate::rows::Content;
use crate::store::behind;
use crate::{ByteTable, BytesError, Rows};

/// A row is a field of the map of a key, which is ordered or not.
#[derive(Debug)]
pub struct Field<F, V, A = AsEncoded>(PhantomData<(F, V, A)>);

impl<T, K, F, V, A> Rows<T, K, Field<F, V, A>>
where
    T: ByteTable,
    K: Key,
    F: Key,
    V: Data,
    A: Arrangement<F>,
{
    /// Returns the row of a field of the key whose rows begin so.
    fn row(&self, key: &[u8], field: F::View<'_>) -> Result<Vec<u8>, BytesError<T::Error>> {
        let mut row = key.to_vec();
        A::write(field, self.layout.description.encoding, &mut row)?;
        Ok(row)
    }

    fn read_value(&self, row: &[u8]) -> Result<Option<V>, BytesError<T::Error>> {
        self.read(row, |bytes| Ok(self.layout.value(bytes)?))
    }

    /// Shows decoded rows to `visit`.
    fn decoded(
        &self,
        mut visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> impl FnMut(Row<'_>, &[u8]) -> Result<ControlFlow<()>, BytesError<T::Error>> {
        move |row, value| {
            Ok(visit(&self.layout.field::<F, A>(row.field)?, &self.layout.value(value)?))
        }
    }

    fn write(&mut self, key: &[u8], row: &[u8], value: &V) -> Result<(), BytesError<T::Error>> {
        let mut bytes = Vec::new();
        self.layout.encode(value, &mut bytes)?;
        let new = !self.has(key)?;
        self.put_row(row, &bytes)?;
        self.keys.add(row, new);
        Ok(())
    }
}

impl<T, K, F, V, A> Map<K, F, V> for Rows<T, K, Field<F, V, A>>
where
    T: ByteTable,
    K: Key,
    F: Key,
    V: Data,
    A: Arrangement<F>,
{
    fn get(
        &self,
        at: At<'_, K>,
        field: F::View<'_>,
    ) -> Result<Option<Loan<'_, V>>, BytesError<T::Error>> {
        let row = self.row(&self.prefix(at)?, field)?;
        Ok(self.read_value(&row)?.map(Loan::Decoded))
    }

    fn put(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        value: V,
    ) -> Result<bool, BytesError<T::Error>> {
        let key = self.prefix(at)?;
        let row = self.row(&key, field)?;
        let new = self.read(&row, |_| Ok(()))?.is_none();
        self.write(&key, &row, &value)?;
        Ok(new)
    }

    fn update<R>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, BytesError<T::Error>> {
        let key = self.prefix(at)?;
        let row = self.row(&key, field)?;
        let mut value = self.read_value(&row)?.unwrap_or_else(init);
        let result = edit(&mut value);
        self.write(&key, &row, &value)?;
        Ok(result)
    }

    fn remove(&mut self, at: At<'_, K>, field: F::View<'_>) -> Result<bool, BytesError<T::Error>> {
        let key = self.prefix(at)?;
        let row = self.row(&key, field)?;
        let found = self.read(&row, |_| Ok(()))?.is_some();
        if found {
            self.delete_row(&row)?;
            let gone = !self.has(&key)?;
            self.keys.remove(&key, gone);
        }
        Ok(found)
    }

    fn entries(
        &self,
        at: At<'_, K>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), BytesError<T::Error>> {
        self.each(&self.prefix(at)?, self.decoded(visit))
    }

    fn len(&self, at: At<'_, K>) -> Result<u64, BytesError<T::Error>> {
        Ok(self.all(&self.prefix(at)?)?.len() as u64)
    }

    fn is_empty(&self, at: At<'_, K>) -> Result<bool, BytesError<T::Error>> {
        Ok(!self.has(&self.prefix(at)?)?)
    }

    fn retain(
        &mut self,
        at: At<'_, K>,
        mut fate: impl FnMut(&F, &V) -> Fate<V>,
    ) -> Result<(), BytesError<T::Error>> {
        let (key, mut changes) = (self.prefix(at)?, Vec::new());
        self.each(&key, |row, value| {
            let row_of = || [&key, row.field].concat();
            match fate(&self.layout.field::<F, A>(row.field)?, &self.layout.value(value)?) {
                Fate::Changed(value) => {
                    let mut bytes = Vec::new();
                    self.layout.encode(&value, &mut bytes)?;
                    changes.push((row_of(), Some(bytes)));
                }
                Fate::Dropped => changes.push((row_of(), None)),
                Fate::Kept => {}
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for (row, value) in &changes {
            match value {
                Some(value) => self.put_row(row, value)?,
                None => self.delete_row(row)?,
            }
        }
        let gone = !changes.is_empty() && !self.has(&key)?;
        self.keys.remove(&key, gone);
        Ok(())
    }

    fn remove_all(&mut self, at: At<'_, K>) -> Result<(), BytesError<T::Error>> {
        let key = self.prefix(at)?;
        self.delete_rows(&key)
    }

    fn keys(
        &self,
        group: KeyGroup,
        visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), BytesError<T::Error>> {
        self.each_key(group, visit)
    }
}

impl<T: ByteTable, K: Key, F: OrderedKey, V: Data> Rows<T, K, Field<F, V, InOrder>> {
    /// Returns between which rows those of a range lie.
    fn between<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
    ) -> Result<[Bound<Vec<u8>>; 2], BytesError<T::Error>> {
        let key = self.prefix(at)?;
        let row = |field: &F::View<'f>| self.row(&key, *field);
        let start = match range.start_bound() {
            Bound::Included(field) => Bound::Included(row(field)?),
            Bound::Excluded(field) => Bound::Excluded(row(field)?),
            Bound::Unbounded => Bound::Included(key.clone()),
        };
        let end = match range.end_bound() {
            Bound::Included(field) => Bound::Included(row(field)?),
            Bound::Excluded(field) => Bound::Excluded(row(field)?),
            Bound::Unbounded => behind(&key),
        };
        Ok([start, end])
    }
}

impl<T, K, F, V> OrderedMap<K, F, V> for Rows<T, K, Field<F, V, InOrder>>
where
    T: ByteTable,
    K: Key,
    F: OrderedKey,
    V: Data,
{
    fn range<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), BytesError<T::Error>> {
        let rows = self.between(at, range)?;
        let [start, end] = rows.each_ref().map(|bound| bound.as_ref().map(Vec::as_slice));
        self.each_by(|visit| self.table.range(start, end, visit), self.decoded(visit))
    }

    fn range_back<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), BytesError<T::Error>> {
        let rows = self.between(at, range)?;
        let [start, end] = rows.each_ref().map(|bound| bound.as_ref().map(Vec::as_slice));
        self.each_by(|visit| self.table.range_back(start, end, visit), self.decoded(visit))
    }
}

impl<F: Key, V: Data, A: Arrangement<F>> Content for Field<F, V, A> {
    fn load<T: ByteTable, K: Key>(
        rows: &mut Rows<T, K, Self>,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<BytesError<T::Error>>> {
        let mut reader = Reader::new(change.row);
        let key = rows.load_key(group, &mut reader, form)?;
        let at = rows.locate(&key);
        match change.op {
            Op::Put => {
                for _ in 0..form.count(&mut reader)? {
                    let start = reader;
                    let field: F = form.field(&mut reader)?;
                    let value = form.value(&mut reader)?;
                    let new = rows.put(at, field.view(), value).map_err(LoadError::State)?;
                    if form.fresh && !new {
                        return Err(start.fault(Fault::Duplicate).into());
                    }
                }
            }
            Op::Remove => {
                for _ in 0..form.count(&mut reader)? {
                    let field: F = form.field(&mut reader)?;
                    rows.remove(at, field.view()).map_err(LoadError::State)?;
                }
            }
            Op::Clear => rows.remove_all(at).map_err(LoadError::State)?,
            Op::Keep => return Err(reader.fault(Fault::Range).into()),
        }
        Ok(reader.finish()?)
    }
}
