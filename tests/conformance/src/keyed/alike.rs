use core::cmp::Ordering;

use holdwater::codec::{Reader, Write};
use holdwater::error::Malformed;
use holdwater::key::{Key, OrderedKey};
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

/// A key whose digest is that of every other.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Schema, Serialize)]
pub struct Alike(pub u32);

impl Key for Alike {
    type View<'k> = Self;

    fn view(&self) -> Self {
        *self
    }

    fn own(view: Self) -> Self {
        view
    }

    fn is(&self, view: Self) -> bool {
        *self == view
    }

    fn digest(_: Self) -> u64 {
        0x1234_5678_9abc_def0
    }
}

impl OrderedKey for Alike {
    fn compare(a: Self, b: Self) -> Ordering {
        a.cmp(&b)
    }

    fn write_ordered<W: Write>(view: Self, out: &mut W) -> Result<(), W::Error> {
        u32::write_ordered(view.0, out)
    }

    fn read_ordered(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        u32::read_ordered(reader).map(Self)
    }
}
