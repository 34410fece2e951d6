use core::ops::{ControlFlow, Range, RangeBounds};

use holdwater::codec::{EncodeError, Reader};
use holdwater::error::Fault;
use holdwater::key::{At, Bounds, Key, KeyGroup, OrderedKey};
use holdwater::schema::Data;
use holdwater::state::{
    Change, Fate, Form, Judge, LoadError, Loan, Map, Op, OrderedMap, OutputFailed, RowWriter,
};

use crate::arrangement::{Arrangement, ByDigest, ByOrder};
use crate::rows::Content;
use crate::table::{Row, Table};
use crate::{FixedError, Rows};

/// A field of the map of a key, ordered or not.
#[derive(Clone, Debug)]
pub struct Field<F, V, A = ByDigest> {
    place: A,
    field: F,
    value: V,
}

impl<K, F, V, A, const N: usize, const G: usize> Rows<K, Field<F, V, A>, N, G>
where
    K: Key,
    F: Key,
    V: Data,
    A: Arrangement<F>,
{
    /// Returns the place of `field`, or else the place for it.
    fn find_field(&self, at: At<'_, K>, field: F::View<'_>) -> Result<usize, usize> {
        let (places, place) = (self.find(at), A::of(field));
        let stands =
            |content: &Field<F, V, A>| content.place.compare(&content.field, &place, field);
        let start = self.table.first(places.clone(), |row| stands(&row.content).is_lt());
        let mut same = (start..places.end)
            .take_while(|place| stands(&self.table.row(*place).content).is_eq())
            .filter(|place| self.table.row(*place).content.field.is(field));
        same.next().ok_or(start)
    }

    fn insert_field(&mut self, place: usize, at: At<'_, K>, field: F::View<'_>, value: V) {
        let content = Field { place: A::of(field), field: F::own(field), value };
        self.insert(place, at, content);
    }
}

impl<K, F, V, A, const N: usize, const G: usize> Map<K, F, V> for Rows<K, Field<F, V, A>, N, G>
where
    K: Key,
    F: Key,
    V: Data,
    A: Arrangement<F>,
{
    fn get(&self, at: At<'_, K>, field: F::View<'_>) -> Result<Option<Loan<'_, V>>, FixedError> {
        let place = self.find_field(at, field).ok();
        Ok(place.map(|place| Loan::Borrowed(&self.table.row(place).content.value)))
    }

    fn put(&mut self, at: At<'_, K>, field: F::View<'_>, value: V) -> Result<bool, FixedError> {
        match self.find_field(at, field) {
            Ok(place) => {
                self.table.row_mut(place).content.value = value;
                self.touch(at.group());
                Ok(false)
            }
            Err(place) => {
                self.need(1)?;
                self.insert_field(place, at, field, value);
                Ok(true)
            }
        }
    }

    fn update<R>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, FixedError> {
        let place = match self.find_field(at, field) {
            Ok(place) => {
                self.touch(at.group());
                place
            }
            Err(place) => {
                self.need(1)?;
                self.insert_field(place, at, field, init());
                place
            }
        };
        Ok(edit(&mut self.table.row_mut(place).content.value))
    }

    fn remove(&mut self, at: At<'_, K>, field: F::View<'_>) -> Result<bool, FixedError> {
        let found = self.find_field(at, field);
        if let Ok(place) = found {
            self.remove_rows(at.group(), place..place + 1);
        }
        Ok(found.is_ok())
    }

    fn entries(
        &self,
        at: At<'_, K>,
        mut visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), FixedError> {
        let mut contents = self.table.rows(self.find(at)).map(|row| &row.content);
        let _ = contents.try_for_each(|content| visit(&content.field, &content.value));
        Ok(())
    }

    fn len(&self, at: At<'_, K>) -> Result<u64, FixedError> {
        Ok(self.find(at).len() as u64)
    }

    fn retain(
        &mut self,
        at: At<'_, K>,
        mut fate: impl FnMut(&F, &V) -> Fate<V>,
    ) -> Result<(), FixedError> {
        self.review(at, |one| fate(&one.field, &one.value), |one, new| one.value = new);
        Ok(())
    }

    fn remove_all(&mut self, at: At<'_, K>) -> Result<(), FixedError> {
        self.remove_rows(at.group(), self.find(at));
        Ok(())
    }

    /// Needs no room: a row moves out before it moves in.
    fn merge(
        &mut self,
        target: At<'_, K>,
        sources: &[At<'_, K>],
        mut combine: impl FnMut(&mut V, V),
    ) -> Result<(), FixedError> {
        let joined = K::own(target.view());
        for source in sources.iter().filter(|source| !joined.is(source.view())) {
            while let Some(place) = self.find(*source).next() {
                let moved = self.table.row(place).content.clone();
                self.remove_rows(source.group(), place..place + 1);
                match self.find_field(target, moved.field.view()) {
                    Ok(place) => {
                        combine(&mut self.table.row_mut(place).content.value, moved.value);
                        self.touch(target.group());
                    }
                    Err(place) => self.insert(place, target, moved),
                }
            }
        }
        Ok(())
    }

    fn keys(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), FixedError> {
        let mut runs = Field::of_group(&self.table, group);
        let _ = runs.try_for_each(|places| visit(&self.table.row(places.start).key));
        Ok(())
    }
}

impl<K, F, V, const N: usize, const G: usize> OrderedMap<K, F, V>
    for Rows<K, Field<F, V, ByOrder>, N, G>
where
    K: Key,
    F: OrderedKey,
    V: Data,
{
    fn range<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        mut visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), FixedError> {
        let mut rows = self.table.rows(self.within(at, &Bounds::of(range)));
        let _ = rows.try_for_each(|row| visit(&row.content.field, &row.content.value));
        Ok(())
    }

    fn range_back<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        mut visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), FixedError> {
        let mut rows = self.table.rows(self.within(at, &Bounds::of(range))).rev();
        let _ = rows.try_for_each(|row| visit(&row.content.field, &row.content.value));
        Ok(())
    }
}

impl<K, F, V, const N: usize, const G: usize> Rows<K, Field<F, V, ByOrder>, N, G>
where
    K: Key,
    F: OrderedKey,
    V: Data,
{
    /// Returns the places of the fields of a key between bounds.
    fn within(&self, at: At<'_, K>, bounds: &Bounds<'_, F>) -> Range<usize> {
        let places = self.find(at);
        let is_before = |row: &Row<_, Field<F, _, _>>| bounds.is_before(row.content.field.view());
        let is_behind = |row: &Row<_, Field<F, _, _>>| bounds.is_behind(row.content.field.view());
        let start = self.table.first(places.clone(), is_before);
        start..self.table.first(start..places.end, |row| !is_behind(row))
    }
}

impl<F: Key, V: Data, A: Arrangement<F>> Content for Field<F, V, A> {
    type Value = V;

    fn value(&self) -> &V {
        &self.value
    }

    fn save<K: Key, const N: usize>(
        table: &Table<K, Self, N>,
        places: Range<usize>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        let key = &table.row(places.start).key;
        let contents = table.rows(places).map(|row| &row.content);
        let contents = contents.filter(|content| content.is_live(judge));
        out.entries(key, contents.map(|content| (&content.field, &content.value)))
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
