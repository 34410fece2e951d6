use holdwater::key::Key;
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
