use core::marker::PhantomData;
use core::ops::ControlFlow;

use alloc::vec::Vec;
use holdwater::codec::Reader;
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup};
use holdwater::schema::Data;
use holdwater::state::{Change, Form, LoadError, Loan, Op, Value};

use crate::rows::Content;
use crate::{ByteTable, BytesError, Rows, layout};

/// A row is the value of a key.
#[derive(Debug)]
pub struct One<V>(PhantomData<fn() -> V>);

impl<T: ByteTable, K: Key, V: Data> Rows<T, K, One<V>> {
    fn write(&mut self, row: &[u8], value: &V, new: bool) -> Result<(), BytesError<T::Error>> {
        let mut bytes = Vec::new();
        self.layout.encode(value, &mut bytes)?;
        self.put_row(row, &bytes)?;
        self.keys.add(row, new);
        Ok(())
    }

    fn read_value(&self, row: &[u8]) -> Result<Option<V>, BytesError<T::Error>> {
        self.read(row, |bytes| Ok(self.layout.value(bytes)?))
    }
}

impl<T: ByteTable, K: Key, V: Data> Value<K, V> for Rows<T, K, One<V>> {
    fn get(&self, at: At<'_, K>) -> Result<Option<Loan<'_, V>>, BytesError<T::Error>> {
        Ok(self.read_value(&self.prefix(at)?)?.map(Loan::Decoded))
    }

    fn put(&mut self, at: At<'_, K>, value: V) -> Result<(), BytesError<T::Error>> {
        let row = self.prefix(at)?;
        let new = self.read(&row, |_| Ok(()))?.is_none();
        self.write(&row, &value, new)
    }

    fn update<R>(
        &mut self,
        at: At<'_, K>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, BytesError<T::Error>> {
        let row = self.prefix(at)?;
        let stored = self.read_value(&row)?;
        let new = stored.is_none();
        let mut value = stored.unwrap_or_else(init);
        let result = edit(&mut value);
        self.write(&row, &value, new)?;
        Ok(result)
    }

    fn remove(&mut self, at: At<'_, K>) -> Result<(), BytesError<T::Error>> {
        let row = self.prefix(at)?;
        self.delete_rows(&row)
    }

    fn visit(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K, &V) -> ControlFlow<()>,
    ) -> Result<(), BytesError<T::Error>> {
        self.each(&layout::group(group), |row, value| {
            Ok(visit(&self.layout.key(row.key)?, &self.layout.value(value)?))
        })
    }
}

impl<V: Data> Content for One<V> {
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
                let row = rows.prefix(at).map_err(LoadError::State)?;
                if form.fresh && rows.has(&row).map_err(LoadError::State)? {
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
