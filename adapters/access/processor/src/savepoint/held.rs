//! EncodedRows that were read from files, to be written as a part.

use std::convert::Infallible;

use holdwater::key::KeyGroup;
use holdwater::state::{Frozen, Raw, RowWriter, SaveError, Shape};

use crate::encoded::{EncodedRow, EncodedRows};

/// The rows of one group.
#[derive(Debug)]
pub(super) struct HeldRows(pub(super) EncodedRows);

impl HeldRows {
    fn write(
        &self,
        (key, row): (&Vec<u8>, &EncodedRow),
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<Infallible>> {
        let key = Raw(key);
        match row {
            EncodedRow::Value(value) => out.value(&key, &Raw(value))?,
            EncodedRow::Items(items) => {
                let items: Vec<_> = items.iter().map(|item| Raw(item)).collect();
                out.items(&key, 0, items.iter())?;
            }
            EncodedRow::Fields(fields) => {
                let entries: Vec<_> =
                    fields.iter().map(|(field, value)| (Raw(field), Raw(value))).collect();
                out.entries(&key, entries.iter().map(|(field, value)| (field, value)))?;
            }
        }
        Ok(())
    }
}

impl Frozen for HeldRows {
    type Error = Infallible;

    fn shape(&self, _: KeyGroup) -> Shape {
        if self.0.is_empty() { Shape::Empty } else { Shape::Full }
    }

    fn save(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Infallible>> {
        self.scan(group, out)
    }

    fn get(
        &self,
        _: KeyGroup,
        key: &[u8],
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<Infallible>> {
        self.0.get_key_value(key).map_or(Ok(()), |row| self.write(row, out))
    }

    fn scan(&self, _: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Infallible>> {
        self.0.iter().try_for_each(|row| self.write(row, out))
    }
}
