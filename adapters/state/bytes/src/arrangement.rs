//! What the two kinds of map differ in: how the fields of a key lie in their rows.

use alloc::vec::Vec;
use core::convert::Infallible;

use holdwater::codec::{EncodeError, Encoding, Reader, encode};
use holdwater::error::{Fault, Malformed};
use holdwater::key::{Key, OrderedKey};
use holdwater::schema::DecodeError;
use holdwater::state::Form;

/// How the field of a map is encoded in its row.
pub trait Arrangement<F: Key>: 'static {
    /// How a field is encoded as in a part, where it is not in its row.
    const PORTABLE: Option<Portable>;

    /// Appends a field.
    fn write(
        view: F::View<'_>,
        encoding: Encoding,
        row: &mut Vec<u8>,
    ) -> Result<(), EncodeError<Infallible>>;

    /// Takes a field.
    fn read(form: &Form<'_>, reader: &mut Reader<'_>) -> Result<F, DecodeError>;
}

/// Appends the field that a row has, as it is encoded in a part.
pub(crate) type Portable = fn(&[u8], Encoding, &mut Vec<u8>) -> Result<(), Malformed>;

/// Fields lie as they are encoded in a part.
#[derive(Clone, Copy, Debug)]
pub struct AsEncoded;

/// Fields lie in their order (docs/format.md 2.6).
#[derive(Clone, Copy, Debug)]
pub struct InOrder;

impl<F: Key> Arrangement<F> for AsEncoded {
    const PORTABLE: Option<Portable> = None;

    fn write(
        view: F::View<'_>,
        encoding: Encoding,
        row: &mut Vec<u8>,
    ) -> Result<(), EncodeError<Infallible>> {
        encode(&view, encoding, row)
    }

    fn read(form: &Form<'_>, reader: &mut Reader<'_>) -> Result<F, DecodeError> {
        form.field(reader)
    }
}

impl<F: OrderedKey> Arrangement<F> for InOrder {
    const PORTABLE: Option<Portable> = Some(portable::<F>);

    fn write(
        view: F::View<'_>,
        _: Encoding,
        row: &mut Vec<u8>,
    ) -> Result<(), EncodeError<Infallible>> {
        F::write_ordered(view, row).map_err(EncodeError::Write)
    }

    fn read(_: &Form<'_>, reader: &mut Reader<'_>) -> Result<F, DecodeError> {
        Ok(F::read_ordered(reader)?)
    }
}

fn portable<F: OrderedKey>(
    field: &[u8],
    encoding: Encoding,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let mut reader = Reader::new(field);
    let key = F::read_ordered(&mut reader)?;
    reader.finish()?;
    encode(&key, encoding, out).map_err(|_| Malformed::new(Fault::Value, 0))
}
